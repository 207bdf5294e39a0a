package console_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"workman/console"
	"workman/dispatch"
)

// fill makes runs of every kind: 40 that wait for one task and 10 for another, of which 3 are with a worker; 20 that are
// scheduled; 15 of two tasks that have expired.
func fill(t *testing.T) *server {
	s := serve(t)
	s.expire(10, "old")
	s.expire(5, "older")
	for i := range 40 {
		s.run("mail", func(t *dispatch.Terms) {
			t.Priority = i % 10
			t.Labels = fmt.Appendf(nil, "team:blue\nn:%d\n", i%4)
			if i == 7 {
				t.Key = []byte("once")
			}
		})
		s.pass(1)
	}
	for range 10 {
		s.run("ship", nil)
		s.pass(1)
	}
	s.say(worker, dispatch.Event{Kind: dispatch.RegisterTask}, "ship", "", nil)
	s.say(worker, dispatch.Event{Kind: dispatch.GetTask, Count: 3}, "", "", nil)
	terms := dispatch.NewTerms()
	for i := range 20 {
		at := s.wall.Load() + 10_000_000 - int64(i)*1000
		s.say(producer, dispatch.Event{Kind: dispatch.ScheduleTask, At: at}, "later", "1", &terms)
		s.pass(1)
	}
	s.settled()
	return s
}

// TestRuns: every filter gives what it should, in pages of any size, in order.
func TestRuns(t *testing.T) {
	s := fill(t)
	for query, want := range map[string]int{
		"": 85, "task=mail": 40, "task=ship": 10, "task=nobody": 0,
		"state=pending": 47, "state=pending&task=ship": 7, "state=pending&task=mail": 40, "state=running": 3, "state=running&task=mail": 0,
		"state=scheduled": 20, "state=scheduled&task=later": 20, "state=scheduled&task=mail": 0, "state=retrying": 0,
		"state=expired": 15, "state=expired&task=old": 10, "state=dead": 0, "state=cancelled": 0, "state=succeeded": 0,
		"label=team:blue": 40, "label=team:blue&label=n:1": 10, "label=team:red": 0, "label=n:1&state=pending": 10,
		"key=once": 1, "key=once&task=mail": 1, "key=once&task=ship": 0, "key=twice&task=mail": 0, "key=once&task=mail&state=expired": 0,
		"after=2027-01-15T08:00:00Z": 85, "before=2027-01-15T08:00:00Z": 0,
		"before=2027-01-15T08:00:00.010Z": 10, "after=2027-01-15T08:00:00.010Z": 75,
		"before=2027-01-15T08:00:00.010Z&state=expired":   10,
		"after=2027-01-15T08:00:00.005Z&state=expired":    10,
		"after=2027-01-15T08:00:00.010Z&state=pending":    47,
		"before=2027-01-15T08:00:00.010Z&state=scheduled": 0,
		"before=2027-01-15T08:00:00.215Z&state=pending":   0, // when the first of them was asked for
		"before=2027-01-15T08:00:00.216Z&state=pending":   1,
	} {
		for _, limit := range []int{1, 3, 7, 1000} {
			docs := s.all(fmt.Sprintf("/runs?%s&limit=%d", query, limit))
			if len(docs) != want {
				t.Errorf("%s, %d a page: %d runs, want %d: %v", query, limit, len(docs), want, ids(docs))
			}
			switch {
			case strings.Contains(query, "scheduled"):
				if !slices.IsSortedFunc(docs, func(a, b doc) int { return strings.Compare(a.Due, b.Due) }) {
					t.Errorf("%s: not the soonest first", query)
				}
			case strings.Contains(query, "pending"): // the one with a key may be ahead
				newestFirst(t, slices.DeleteFunc(slices.Clone(docs), func(d doc) bool { return d.Key != "" }))
			case !strings.Contains(query, "running"):
				newestFirst(t, docs)
			}
			for _, d := range docs {
				if d.Options != nil || d.Result != nil {
					t.Errorf("%s: a run is shown with its options or its result", query)
				}
				if state := strings.TrimPrefix(query, "state="); state != query && !strings.HasPrefix(state, d.State) {
					t.Errorf("%s: %s is %s", query, d.ID, d.State)
				}
			}
		}
	}
	running := s.all("/runs?state=running")
	all := s.all("/runs?task=ship")
	for i, d := range running {
		if d.ID != all[len(all)-1-i].ID { // the first in line
			t.Errorf("running: %v", ids(running))
		}
	}
}

// TestRunsShown: a run is shown as it is.
func TestRunsShown(t *testing.T) {
	s := fill(t)
	d := s.ask("GET", "/runs?key=once&task=mail", 200).Runs[0]
	if d.Task != "mail" || d.State != "pending" || d.Key != "once" || d.Labels["team"] != "blue" || d.Labels["n"] != "3" || d.Due != "" {
		t.Errorf("%+v", d)
	}
	p := s.ask("GET", "/scheduled?limit=2", 200)
	if len(p.Scheduled) != 2 || p.Scheduled[0].State != "scheduled" || p.Scheduled[0].Due >= p.Scheduled[1].Due || p.Next == "" {
		t.Errorf("%s", p.raw)
	}
	if docs := s.all("/scheduled?limit=3"); len(docs) != 20 {
		t.Errorf("%d are scheduled, want 20", len(docs))
	}
}

// TestRunsRefused: a filter that is not understood is refused, with what is wrong and what would be right.
func TestRunsRefused(t *testing.T) {
	s := serve(t)
	for target, say := range map[string]string{
		"/runs?stat=dead": "stat", "/runs?state=died": "scheduled, pending", "/runs?state=": "state is", "/runs?task=": "1 to 128",
		"/runs?task=a&task=b": "once", "/runs?label=team": "colon", "/runs?limit=0": "1 to 1000", "/runs?limit=1001": "1 to 1000",
		"/runs?after=yesterday": "RFC 3339", "/runs?before=1900-01-01T00:00:00Z": "1970", "/runs?cursor=xyz": "page before", "/runs?cursor=71" + strings.Repeat("00", 40): "page before",
		"/runs?cursor=6400": "another list", "/runs?key=": "key", "/runs?task=%zz": "cannot be read", "/runs?a=b;c=d": "cannot be read",
		"/scheduled?task=mail": "cursor, limit", "/runs?task=a%00b": "control",
	} {
		if p := s.ask("GET", target, 400); !strings.Contains(p.Detail, say) {
			t.Errorf("%s: %s, want %q in it", target, p.Detail, say)
		}
	}
	for target, say := range map[string]string{
		"/runs/retry?state=pending": "dead, cancelled", "/runs/purge?state=running": "succeeded", "/runs/purge?dry_run=no": "1 or 0",
		"/runs/purge?limit=3": "no parameter", "/runs/purge?taks=a&dry_run=0": "taks",
	} {
		if p := s.ask(http.MethodPost, target, 400); !strings.Contains(p.Detail, say) {
			t.Errorf("%s: %s, want %q in it", target, p.Detail, say)
		}
	}
}

// TestRetry: the runs that are meant, and no others, are tried once more.
func TestRetry(t *testing.T) {
	s := fill(t)
	if p := s.ask("POST", "/runs/retry?dry_run=1&state=expired", 200); p.Matched != 15 || p.Retried != 0 || p.Next != "" {
		t.Errorf("dry: %s", p.raw)
	}
	if p := s.ask("POST", "/runs/retry", 200); p.Matched != 0 {
		t.Errorf("without a state, those that are dead are meant: %s", p.raw)
	}
	if p := s.ask("POST", "/runs/retry?state=expired&task=old", 200); p.Matched != 10 || p.Retried != 10 || p.Next != "" {
		t.Errorf("%s", p.raw)
	}
	// Their deadline is over, so they expire once more, or are pending until that is noticed; the others are untouched.
	if docs := s.all("/runs?task=older&state=expired"); len(docs) != 5 {
		t.Errorf("of another task: %v", ids(docs))
	}
}

// TestPurge: dry unless it is told otherwise; only finished runs; then they are gone.
func TestPurge(t *testing.T) {
	s := fill(t)
	if p := s.ask("POST", "/runs/purge", 200); p.Matched != 15 || p.Purged != 0 {
		t.Errorf("dry: %s", p.raw)
	}
	if p := s.ask("POST", "/runs/purge?dry_run=0&task=old", 200); p.Matched != 10 || p.Purged != 10 || p.Next != "" {
		t.Errorf("%s", p.raw)
	}
	if docs := s.all("/runs?state=expired"); len(docs) != 5 {
		t.Errorf("what is left: %v", ids(docs))
	}
	if p := s.ask("POST", "/runs/purge?dry_run=0&state=expired", 200); p.Matched != 5 || p.Purged != 5 {
		t.Errorf("%s", p.raw)
	}
	if docs := s.all("/runs"); len(docs) != 70 {
		t.Errorf("%d runs are left, want 70", len(docs))
	}
}

// TestPurgeMany: more than fit into one question to the dispatcher.
func TestPurgeMany(t *testing.T) {
	s := serve(t)
	s.expire(1000, "old")
	began := time.Now()
	if p := s.ask("POST", "/runs/purge?dry_run=0", 200); p.Matched != 1000 || p.Purged != 1000 {
		t.Errorf("%s", p.raw)
	}
	t.Logf("1000 runs were purged in %v", time.Since(began))
	if docs := s.all("/runs"); len(docs) != 0 {
		t.Errorf("%d runs are left", len(docs))
	}
}

// TestRunningOfNames: of several names, the first in line comes first.
func TestRunningOfNames(t *testing.T) {
	s := serve(t)
	for i := range 20 {
		s.run([]string{"mail", "ship", "pack"}[i%3], nil)
		s.pass(1)
	}
	for _, name := range []string{"mail", "ship", "pack"} {
		s.say(worker, dispatch.Event{Kind: dispatch.RegisterTask}, name, "", nil)
	}
	s.say(worker, dispatch.Event{Kind: dispatch.GetTask, Count: 11}, "", "", nil)
	s.settled()
	all := s.all("/runs")
	for _, limit := range []int{1, 4, 100} {
		running := s.all(fmt.Sprintf("/runs?state=running&limit=%d", limit))
		if len(running) != 11 {
			t.Errorf("%d run, want 11", len(running))
		}
		for i, d := range running {
			if d.ID != all[len(all)-1-i].ID {
				t.Errorf("running: %v", ids(running))
			}
		}
	}
}

// TestRunningAmongMany: how many wait is nothing to those that run. They are on one page, which says that it is the last.
func TestRunningAmongMany(t *testing.T) {
	s := fill(t)
	defer console.SetLook(10)()
	if p := s.ask("GET", "/runs?state=running", 200); len(p.Runs) != 3 || p.Next != "" {
		t.Errorf("of 3 that run beside 47 that wait: %s", p.raw)
	}
	first := s.ask("GET", "/runs?state=running&limit=2", 200)
	if rest := s.ask("GET", first.Next, 200); len(first.Runs) != 2 || len(rest.Runs) != 1 || rest.Next != "" {
		t.Errorf("two, and one: %s %s", first.raw, rest.raw)
	}
}

// TestDue: a run whose time has come is not scheduled any more, though the store has it so while it is in memory.
func TestDue(t *testing.T) {
	s := serve(t)
	terms := dispatch.NewTerms()
	for i := range 6 {
		s.say(producer, dispatch.Event{Kind: dispatch.ScheduleTask, At: s.wall.Load() + int64(1+i/4*1_000_000)}, "later", "1", &terms)
	}
	s.run("now", nil)
	s.say(worker, dispatch.Event{Kind: dispatch.RegisterTask}, "later", "", nil)
	s.say(worker, dispatch.Event{Kind: dispatch.GetTask, Count: 1}, "", "", nil)
	s.settled()
	s.pass(10_000)
	s.say(0, dispatch.Event{Kind: dispatch.Tick}, "", "", nil)
	s.settled()
	for query, want := range map[string]int{
		"state=scheduled": 2, "state=pending": 4, "state=running": 1, "state=pending&task=later": 3, "state=pending&task=now": 1, "": 7,
		"state=retrying": 0,
	} {
		for _, limit := range []int{1, 2, 100} {
			docs := s.all(fmt.Sprintf("/runs?%s&limit=%d", query, limit))
			if len(docs) != want {
				t.Errorf("%s, %d a page: %d runs, want %d: %v", query, limit, len(docs), want, ids(docs))
			}
			for _, d := range docs {
				if (d.Due != "") != (d.State == "scheduled") {
					t.Errorf("%s: %s is due %q", query, d.State, d.Due)
				}
			}
		}
	}
}

// TestShortPages: with no more looked at than one row a page, lists are the same.
func TestShortPages(t *testing.T) {
	s := fill(t)
	targets := []string{"/runs", "/runs?state=pending", "/runs?state=running", "/runs?label=n:1", "/runs?key=once", "/scheduled", "/runs?state=retrying"}
	want := map[string][]string{}
	for _, target := range targets {
		want[target] = ids(s.all(target))
	}
	defer console.SetLook(1)()
	for _, target := range targets {
		if got := ids(s.all(target)); !slices.Equal(got, want[target]) {
			t.Errorf("%s: %v, want %v", target, got, want[target])
		}
	}
	if p := s.ask("GET", "/runs?key=none&limit=1", 200); len(p.Runs) > 0 || p.Next == "" {
		t.Errorf("%s, want that there may be more", p.raw)
	}
}

// TestManyNames: with more names than are merged, runs are found all the same.
func TestManyNames(t *testing.T) {
	s := serve(t)
	for i := range 1200 {
		s.run(fmt.Sprintf("task-%04d", i), nil)
		if i%100 == 0 {
			s.pass(1)
		}
	}
	s.settled()
	if p := s.ask("GET", "/runs?state=pending&limit=500", 200); !strings.Contains(p.Next, "cursor=72") { // table r
		t.Errorf("next is %s, and should be in the table of runs", p.Next)
	}
	docs := s.all("/runs?state=pending&limit=500")
	if len(docs) != 1200 {
		t.Errorf("%d runs, want 1200", len(docs))
	}
	newestFirst(t, docs)
}
