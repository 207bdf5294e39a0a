package main

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"workman/dispatch"
	"workman/store"
)

// fillStore makes a folder as a server leaves it, with so many of what add adds, and says how long that took.
func fillStore(t *testing.T, dir string, count int, add func(b *store.Batch, i int)) {
	t.Helper()
	began := time.Now()
	cfg := store.DefaultConfig()
	cfg.Async, cfg.MaxPending = true, 1<<30
	s, err := store.Open(dir, cfg)
	if err != nil {
		t.Fatal(err)
	}
	var b store.Batch
	for i := range count {
		add(&b, i)
		if b.Len() > 1<<20 || i+1 == count {
			if _, err := s.Append(&b); err != nil {
				t.Fatal(err)
			}
			b.Reset()
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("they were written in %v", time.Since(began))
}

// addRun adds the run that was asked for at this time with so many before it, with options of its own, and returns its id.
func addRun(b *store.Batch, r dispatch.StoredRun, before int) (id dispatch.ID, stamp uint64) {
	stamp = uint64(r.Created)<<12 + uint64(before)
	binary.BigEndian.PutUint64(id[:], stamp>>12<<16|0x7000|stamp&0xfff)
	binary.BigEndian.PutUint64(id[8:], stamp|1<<63)
	r.Policy, r.Rank = dispatch.DefaultPolicy(), 4
	b.Put(dispatch.TableRuns, id[:], r.Append(nil))
	return id, stamp
}

func addWork(b *store.Batch, created int64, before int, finished bool) {
	r := dispatch.StoredRun{Created: created, Name: []byte("work"), Body: bytes.Repeat([]byte("7"), 200)}
	id, stamp := addRun(b, r, before)
	if !finished {
		b.Put(dispatch.TableQueue, dispatch.AppendQueueKey(nil, r.Name, 4, 4<<60|stamp), id[:])
		return
	}
	o := dispatch.Outcome{State: dispatch.Succeeded, Finished: created, Expires: created + dispatch.DefaultPolicy().Keep, Attempts: 1, Result: []byte(`"done"`)}
	b.Put(dispatch.TableOutcomes, id[:], o.Append(nil))
	b.Put(dispatch.TableExpiry, dispatch.AppendExpiryKey(nil, o.Expires, id), binary.AppendUvarint(nil, 300))
}

// isFlat wants a server to take little more memory than one whose store is empty, whatever is in its own.
func (p *program) isFlat(empty *program) {
	p.t.Helper()
	with, without := p.status("VmRSS"), empty.status("VmRSS")
	p.t.Logf("memory: %d MiB, and %d MiB of a server whose store is empty: %.2f times as much", with>>10, without>>10, float64(with)/float64(without))
	if with > without*2+16<<10 { // 50 bytes of memory for each of a million would be more
		p.t.Errorf("with all that is stored it takes %d MiB, without %d MiB", with>>10, without>>10)
	}
}

// TestMillion: a server with a million stored runs that wait and half a million that are kept is ready within seconds, says
// how far it is until then, and takes little more memory than one with none.
func TestMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("it writes half a gigabyte")
	}
	const pending, finished = 1_000_000, 500_000
	dir := t.TempDir() + "/data"
	created := time.Now().Add(-time.Hour).UnixMilli()
	fillStore(t, dir, pending+finished, func(b *store.Batch, i int) { addWork(b, created, i, i >= pending) })
	empty := launch(t)
	began := time.Now()
	p := launchUnready(t, "", "WORKMAN_DATA="+dir)
	a := askerOf(t, p.addr)
	steps, refused := map[string]bool{}, false
	for {
		got, err := a.try("GET", "/readyz", "")
		if err != nil {
			t.Fatal(err)
		}
		if got.status == 200 {
			break
		}
		if got.says("starting"); got.status != 503 || got.head.Get("Retry-After") == "" {
			t.Fatalf("while it starts: %d %v", got.status, got.head)
		}
		_, how, _ := strings.Cut(got.body, `"detail":"`)
		steps[how[:strings.Index(how, `"`)]] = true
		a.do(200, "GET", "/healthz", "")
		if got, err = a.try("POST", "/task/other", "1", "Prefer: respond-async"); err != nil || got.status != 503 && got.status != 202 {
			t.Fatalf("a run while it starts: %v %d %s", err, got.status, got.body)
		}
		refused = refused || got.status == 503
	}
	took := time.Since(began)
	t.Logf("ready after %v; it said %d different things until then", took, len(steps))
	if took > 10*time.Second || len(steps) < 2 || !refused {
		t.Errorf("ready after %v, and said %d different things about it; runs were refused meanwhile: %v", took, len(steps), refused)
	}
	if line := p.line("workman is ready"); !strings.Contains(line, "rows=1500000") {
		t.Errorf("it has not read all: %s", line)
	}
	p.isFlat(empty)
	w := newHand(t, p.addr, "work")
	id := a.submit("work", `"new"`)
	if k := w.work("1"); k.Run == id || k.Attempt != 1 {
		t.Errorf("the first in line is the last: %+v", k)
	}
	began = time.Now()
	if got := a.pages("/runs?state=succeeded&limit=1000&after="+time.Now().Add(-time.Minute).UTC().Format(time.RFC3339), "runs"); len(got) != 0 {
		t.Errorf("of the last minute there are %d", len(got))
	}
	t.Logf("a list of none of them took %v", time.Since(began))
}
