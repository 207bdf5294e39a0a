package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// Many runs in one request.

const bulk = "Content-Type: application/x-ndjson"

// listed is one element of what such a request is answered with: a run, or a problem.
type listed struct {
	ID, Task, State string
	Type            string
	Status          int
}

// lines are n options, one a line: 0, 1, 2 and so on.
func lines(n int) string {
	var all strings.Builder
	for i := range n {
		fmt.Fprintln(&all, i)
	}
	return all.String()
}

// listing reads the answer, and fails unless it has so many elements.
func listing(t *testing.T, body string, n int) (all []listed) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &all); err != nil || len(all) != n {
		t.Fatalf("%d elements, want %d (%v): %.200s", len(all), n, err, body)
	}
	return all
}

// ids are those of runs that were all accepted, each another.
func ids(t *testing.T, all []listed, task string) (ids []string) {
	t.Helper()
	for _, l := range all {
		if len(l.ID) != 36 || l.Task != task || l.Type != "" {
			t.Fatalf("not accepted: %+v", l)
		}
		ids = append(ids, l.ID)
	}
	if sorted := slices.Sorted(slices.Values(ids)); len(slices.Compact(sorted)) != len(all) {
		t.Fatalf("of %d runs some have the same id", len(all))
	}
	return ids
}

func (a asker) bulk(n int, task string, fields ...string) []string {
	a.t.Helper()
	got := a.do(202, "POST", "/task/"+task, lines(n), append(fields, bulk)...)
	return ids(a.t.(*testing.T), listing(a.t.(*testing.T), got.body, n), task)
}

func roomy(set func(*options)) func(*options) {
	return func(o *options) {
		set(o)
		o.MaxTasks, o.MaxCalls, o.MaxRuns, o.MaxMessage = 100_000, 100_000, 100_000, 16<<20
	}
}

// TestBulk: a thousand runs over HTTP and a thousand over WebSocket are each there under their ids, in their order, and each is
// worked with its own options to its own result.
func TestBulk(t *testing.T) {
	const n = 1000
	for _, loops := range []int{1, 2} {
		s := serve(t, roomy(func(o *options) { o.Loops = loops }))
		a := askerOf(t, s.addr())
		runs := a.bulk(n, "square")
		q := s.socket(t, "/websocket")
		q.say(`{"action":"RunTasks","name":"square","nonce":"n","labels":{"team":"blue"},"options":[` + strings.ReplaceAll(strings.TrimSpace(lines(n)), "\n", ", ") + `]}`)
		got, ok := strings.CutPrefix(q.hear(), `{"nonce":"n","runs":`)
		if !ok {
			t.Fatalf("over WebSocket: %.200s", got)
		}
		runs = append(runs, ids(t, listing(t, strings.TrimSuffix(got, "}"), n), "square")...)
		w := newHand(t, s.addr(), "square")
		for i, id := range runs {
			k := w.take()
			if k.Run != id || string(k.Options) != fmt.Sprint(i%n) {
				t.Fatalf("run %d, %s, is handed out as %+v", i, id, k)
			}
			w.done(k, fmt.Sprint(i%n, "e2"))
		}
		for i, id := range runs {
			if i%97 > 0 && i < 2*n-1 {
				continue
			}
			if d := a.ended(id); d.State != "succeeded" || string(d.Result) != fmt.Sprint(i%n, "e2") || string(d.Options) != fmt.Sprint(i%n) ||
				(d.Labels["team"] == "blue") != (i >= n) {
				t.Errorf("run %d: %+v", i, d)
			}
		}
	}
}

// TestBulkInOrder: runs are handed out in the order of their lines, and of the requests, with a key and without, also when they
// are more than wait in memory.
func TestBulkInOrder(t *testing.T) {
	const n = 5000
	s := serve(t, roomy(func(*options) {}))
	a := askerOf(t, s.addr())
	for task, key := range map[string]string{"plain": "Accept: */*", "keyed": "Idempotency-Key: k"} {
		runs := append(a.bulk(n, task, key), a.bulk(n, task, key+"2")...)
		w := newHand(t, s.addr(), task)
		for i, id := range runs {
			if k := w.work("1"); k.Run != id {
				t.Fatalf("%s: number %d that is handed out is %d of the runs", task, i, slices.Index(runs, k.Run))
			}
		}
	}
}

// TestBulkTwice: the whole request again, with the same key, leads to the same runs, finished or not, and adds none; one with
// another line among the same is told so of that one.
func TestBulkTwice(t *testing.T) {
	const n = 300
	s := serve(t, roomy(func(*options) {}))
	a, key := askerOf(t, s.addr()), "Idempotency-Key: import 7"
	first := a.bulk(n, "mail", key)
	w := newHand(t, s.addr(), "mail")
	for i := range 100 {
		if k := w.work("1"); k.Run != first[i] {
			t.Errorf("handed out %+v as number %d, want run %s", k, i, first[i])
		}
	}
	waitFor(t, "what was worked to be finished", func() bool { return len(a.pages("/runs?state=succeeded", "runs")) == 100 })
	if again := a.bulk(n, "mail", key); !slices.Equal(again, first) {
		t.Error("the same request with the same key leads to other runs")
	}
	if d := a.look(first[17]); d.Key != "import 7/17" || string(d.Options) != "17" {
		t.Errorf("a run under its key: %+v", d)
	}
	if one := a.submit("mail", "17", "Idempotency-Key: import 7/17"); one != first[17] {
		t.Errorf("a run's own key leads to %s, want %s", one, first[17])
	}
	changed := strings.Replace(lines(n), "\n200\n", "\n-200\n", 1)
	for i, l := range listing(t, a.do(202, "POST", "/task/mail", changed, key, bulk).body, n) {
		if i == 200 {
			if l.Type != "urn:workman:problem:key-reused" || l.Status != 422 || l.ID != "" {
				t.Errorf("a line with other options under the same key: %+v", l)
			}
		} else if l.ID != first[i] {
			t.Errorf("line %d beside one that is refused: %+v, want %s", i, l, first[i])
		}
	}
	a.do(422, "POST", "/task/mail", "-1\n-2\n", key, bulk).says("key-reused")
	if got := a.pages("/runs?task=mail", "runs"); len(got) != n {
		t.Errorf("there are %d runs, want %d", len(got), n)
	}
}

// TestBulkKilled: the server is killed with SIGKILL while requests are on their way, when their runs are stored. What it
// acknowledged before is there, of what it did not all or nothing, and each request sent again leads to every run once.
func TestBulkKilled(t *testing.T) {
	t.Parallel()
	const n = 5000
	p := launch(t)
	env := "WORKMAN_DATA=" + p.data()
	for round := range 3 {
		a, task, key := askerOf(t, p.addr), fmt.Sprint("mail", round), "Idempotency-Key: k"
		done := a.bulk(n, task, key)
		sent, cut := make(chan error, 1), task+"-cut"
		go func() {
			_, err := a.try("POST", "/task/"+cut, lines(n), bulk, key)
			sent <- err
		}()
		waitFor(t, "runs to be stored", func() bool { return strings.Contains(a.get("/runs?limit=1&task="+cut).body, `"id"`) })
		p.kill()
		if err := <-sent; err != nil {
			t.Logf("round %d: the request was cut off: %v", round, err)
		}

		p = launch(t, env)
		a = askerOf(t, p.addr)
		stored := a.pages("/runs?limit=1000&task="+cut, "runs")
		if len(stored) != n {
			t.Fatalf("round %d: of the %d runs of a request that was cut off %d were stored", round, n, len(stored))
		}
		if again := a.bulk(n, task, key); !slices.Equal(again, done) {
			t.Fatalf("round %d: what was acknowledged leads to other runs after kill -9", round)
		}
		runs := a.bulk(n, cut, key)
		if again := a.bulk(n, cut, key); !slices.Equal(again, runs) {
			t.Fatalf("round %d: the request that was cut off leads to other runs each time", round)
		}
		for _, id := range stored {
			if !slices.Contains(runs, id) {
				t.Fatalf("round %d: run %s was stored, and the request sent again leads to another", round, id)
			}
		}
		for _, of := range []string{task, cut} {
			if got := a.pages("/runs?limit=1000&task="+of, "runs"); len(got) != n {
				t.Fatalf("round %d: there are %d runs of %s, want %d", round, len(got), of, n)
			}
		}
	}
}

// TestBulkCommits: a request for ten thousand runs is one write to the journal, made durable once; also one with a key, also if
// some of its runs are known already, over HTTP and over WebSocket.
func TestBulkCommits(t *testing.T) {
	const n = 10_000
	s, syncs := synced(t)
	a := askerOf(t, s.addr())
	a.submit("one", "1")
	for _, c := range []struct {
		what string
		ask  func()
	}{
		{"plain", func() { a.bulk(n, "many") }},
		{"with a key", func() { a.bulk(n, "many", "Idempotency-Key: k") }},
		{"of which half are known", func() {
			for _, l := range listing(t, a.do(202, "POST", "/task/half", lines(n), bulk, "Idempotency-Key: half").body, n) {
				if l.ID == "" {
					t.Fatalf("not accepted: %+v", l)
				}
			}
		}},
		{"over WebSocket with a key", func() {
			q := s.socket(t, "/websocket")
			q.say(`{"action":"RunTasks","name":"some","nonce":1,"key":"k","options":[` + strings.ReplaceAll(strings.TrimSpace(lines(n)), "\n", ",") + `]}`)
			ids(t, listing(t, strings.TrimSuffix(strings.TrimPrefix(q.hear(), `{"nonce":1,"runs":`), "}"), n), "some")
		}},
	} {
		if strings.Contains(c.what, "known") {
			a.bulk(n/2, "half", "Idempotency-Key: half")
		}
		before := syncs.Load()
		c.ask()
		if got := syncs.Load() - before; got != 1 {
			t.Errorf("%d runs, %s: %d commits", n, c.what, got)
		}
	}
}

// TestBulkCommitsBeside: it is one write under load from others, too. Those wait for their answer one after the other, so what
// is written beside it is known: no more than they were answered, and what they ask for when it ends.
func TestBulkCommitsBeside(t *testing.T) {
	const n, others = 10_000, 4
	s, syncs := synced(t)
	a := askerOf(t, s.addr())
	var answered atomic.Int32
	var work sync.WaitGroup
	stop := make(chan struct{})
	for i := range others {
		work.Go(func() {
			b := askerOf(t, s.addr())
			for j := 0; ; j++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := b.try("POST", "/task/other", "1", fmt.Sprintf("Idempotency-Key: %d/%d", i, j), "Prefer: respond-async"); err != nil {
					t.Error(err)
					return
				}
				answered.Add(1)
			}
		})
	}
	waitFor(t, "others to be answered", func() bool { return answered.Load() > 100 })
	before, said := syncs.Load(), answered.Load()
	runs := a.bulk(n, "many", "Idempotency-Key: k")
	took, beside := syncs.Load()-before, answered.Load()-said
	close(stop)
	work.Wait()
	t.Logf("%d commits, %d answers beside", took, beside)
	if took > beside+2*others+1 {
		t.Errorf("%d commits for %d runs and %d answers beside", took, len(runs), beside)
	}
}

// synced is a server in memory that counts how often its journal is made durable.
func synced(t *testing.T) (*service, *atomic.Int32) {
	syncs := new(atomic.Int32)
	files := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData && strings.Contains(op.Path, "segment-") {
			syncs.Add(1)
		}
		return nil
	}))
	s := opened(t, roomy(kept("/data")), io.Discard, files)
	t.Cleanup(func() {
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
	return s, syncs
}

// TestBulkOverAllBounds: more runs than may be, or more than memory holds, are refused in order, and the server serves on.
func TestBulkOverAllBounds(t *testing.T) {
	s := serve(t, roomy(func(*options) {}))
	a := askerOf(t, s.addr())
	a.do(413, "POST", "/task/mail", lines(10_001), bulk).says("too-many-runs")
	a.do(400, "POST", "/task/mail", "1\n2\n{\n", bulk).says("bad-json")
	if got := a.pages("/runs", "runs"); len(got) != 0 {
		t.Errorf("of requests that are refused as a whole there are %d runs", len(got))
	}
	large := `"` + strings.Repeat("x", 7<<20) + `"` // what is only in memory takes 7 MiB a run
	all := listing(t, a.do(202, "POST", "/task/mail", "1\n"+large+"\n2\n", bulk).body, 3)
	if all[0].ID == "" || all[1].Type != "urn:workman:problem:run-too-large" || all[1].Status != 413 || all[2].ID == "" {
		t.Errorf("one among three is too large: %+v", all)
	}
	half := `"` + strings.Repeat("x", 5<<20) + `"` // each is a batch of its own
	ids(t, listing(t, a.do(202, "POST", "/task/mail", half+"\n"+half+"\n"+half+"\n", bulk).body, 3), "mail")
	if got := a.pages("/runs", "runs"); len(got) != 5 {
		t.Errorf("there are %d runs, want 5", len(got))
	}
	c := s.socket(t, "/websocket") // a connection that goes away before its answer
	c.say(`{"action":"RunTasks","name":"gone","options":[` + strings.ReplaceAll(strings.TrimSpace(lines(10_000)), "\n", ",") + `]}`)
	_ = c.conn.Close()
	a.submit("mail", "1")
}
