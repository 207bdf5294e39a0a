package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// lateBy is a histogram of schedules that were so late, in µs.
func lateBy(all ...int64) lateness {
	l := lateness{"due", workman, newHistogram()}
	for _, us := range all {
		record(l.all, us*1000)
	}
	return l
}

func TestLatenessIsWrittenInBands(t *testing.T) {
	all := enterLateness(nil, "due", workman, lateBy(1, 100, 249, 251, 499, 900).all)
	all = enterLateness(all, "due", workman, lateBy(3_900, 4_000_000).all)
	var b strings.Builder
	writeLateness(&b, all)
	const want = `
How late 8 schedules were, in all rounds of due on workman:
  ≤ 0.25 ms   ████████████████████████████████████████  3  37.500 %
  ≤ 0.50 ms   ███████████████████████████               2  25.000 %
  ≤ 1 ms      ██████████████                            1  12.500 %
  ≤ 2 ms                                                0   0.000 %
  ≤ 4 ms      ██████████████                            1  12.500 %
`
	if !strings.HasPrefix(b.String(), want) || !strings.Contains(b.String(), "≤ 4,096 ms  █") {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
	sum := int64(0)
	for _, one := range all[0].bands() {
		sum += one.count
	}
	if sum != 8 {
		t.Errorf("%d are in the bands, not 8", sum)
	}
	if late := lateBy(70_000_000).bands(); len(late) != 1 || late[0].count != 1 {
		t.Errorf("what is beyond the histogram: %+v", late)
	}
}

func TestLatenessIsDrawn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "late.svg")
	if err := drawLateness(path, "of this machine", []lateness{lateBy(100, 100, 300)}); err != nil {
		t.Fatal(err)
	}
	texts, shapes := readSVG(t, path)
	for _, want := range []string{"of this machine", "How late 3 schedules were, in all rounds of due on workman", "≤ 0.25 ms", "≤ 0.50 ms", "2, 66.667 %", "1, 33.333 %"} {
		if !slices.Contains(texts, want) {
			t.Errorf("%q is not in %q", want, texts)
		}
	}
	if shapes != 3 {
		t.Errorf("%d shapes, not the background and two bars", shapes)
	}
	if err := drawLateness(path, "", nil); err == nil || !strings.Contains(err.Error(), "measure the scenario due") {
		t.Errorf("nothing to draw: %v", err)
	}
}

func TestScheduledWantsAnID(t *testing.T) {
	if id, err := scheduled([]byte(`{"id":"` + uuid + `"}`)); id != uuid || err != nil {
		t.Errorf("%q, %v", id, err)
	}
	for _, bad := range []string{`{"error":"the store is full"}`, `{"id":""}`, `{"id":"` + uuid + `","more":1}`, `null`, ``} {
		if id, err := scheduled([]byte(bad)); err == nil {
			t.Errorf("%s was taken for the id %q", bad, id)
		}
	}
}

func TestLogTellsNowAndThen(t *testing.T) {
	var b strings.Builder
	p := &progress{w: &b, last: time.Now()}
	p.live("at once")
	p.last = time.Now().Add(-patient)
	p.live("after %d", 1)
	p.live("again")
	p.line("a line")
	if b.String() != "after 1\na line\n" {
		t.Errorf("it says %q", b.String())
	}
}
