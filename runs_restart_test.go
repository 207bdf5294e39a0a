package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What is left of runs and schedules when the server was ended and started again.

// TestSchedulesOverRestart: what is set before fires after; what came due meanwhile fires at once; what is far off is there.
func TestSchedulesOverRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s, end := serving(t, kept(dir))
	a := askerOf(t, s.addr())
	due := time.Now().Add(300 * time.Millisecond)
	meanwhile := a.schedule(due, "report", `"meanwhile"`)
	far := a.schedule(time.Now().Add(10*365*24*time.Hour), "report", `"far"`)
	later := time.Now().Add(4 * time.Second)
	after := a.schedule(later, "report", `"after"`)
	end()
	waitFor(t, "a schedule to come due while no server is there", func() bool { return time.Now().After(due) })

	s, _ = serving(t, kept(dir))
	a = askerOf(t, s.addr())
	if got := a.pages("/scheduled", "scheduled"); fmt.Sprint(got) != fmt.Sprint([]string{after, far}) &&
		fmt.Sprint(got) != fmt.Sprint([]string{meanwhile, after, far}) {
		t.Errorf("after the restart there are the schedules %v", got)
	}
	w := newHand(t, s.addr(), "report")
	if k := w.work("1"); k.Run != meanwhile || time.Now().After(later) {
		t.Errorf("what came due meanwhile is to run at once, and not: %+v", k)
	}
	if k := w.work("2"); k.Run != after || time.Now().Before(later) {
		t.Errorf("what comes due after the restart: %+v, at %v, due at %v", k, time.Now(), later)
	}
	if d := a.look(far); d.State != "scheduled" || string(d.Options) != `"far"` {
		t.Errorf("far off: %+v", d)
	}
	if got := a.do(200, "DELETE", "/scheduled/"+far, "").body; got != `{"found":true}` {
		t.Errorf("taken back after a restart: %s", got)
	}
}

// TestRunsOverRestart: whatever state a run is in, it is there after a restart, with all that was told of it.
func TestRunsOverRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s, end := serving(t, func(o *options) { kept(dir)(o); o.Drain = 0 })
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "mail")
	succeeded := a.submit("mail?label=team:blue&priority=7", "1")
	w.work(`"sent"`)
	dead := a.submit("mail", "2")
	w.fail(w.take(), `"error":"no such mailbox","retry":false`)
	retrying := a.submit("mail?attempts=4", "3")
	w.fail(w.take(), `"error":"busy","after":"1h"`)
	running := a.submit("mail", "4")
	fence := w.take().Fence
	low, high := a.submit("mail?priority=1", "5"), a.submit("mail?priority=8", "6")
	cancelled := a.submit("none", "7")
	a.do(202, "DELETE", "/runs/"+cancelled, "")
	for id, state := range map[string]string{succeeded: "succeeded", dead: "dead", retrying: "retrying"} {
		a.is(id, state)
	}
	before := map[string]reply{}
	for _, id := range []string{succeeded, dead, retrying, low, high, cancelled} {
		before[id] = a.get("/runs/" + id)
	}
	end()

	s, _ = serving(t, kept(dir))
	a = askerOf(t, s.addr())
	for id, was := range before {
		if is := a.get("/runs/" + id); is.body != was.body || is.head.Get("ETag") != was.head.Get("ETag") {
			t.Errorf("before the restart %s\nafter it %s", was.body, is.body)
		}
	}
	if d := a.look(running); d.State != "pending" {
		t.Errorf("what ran when the server ended: %+v", d)
	}
	w = newHand(t, s.addr(), "mail") // now its runs are loaded, which takes a moment
	waitFor(t, "the runs to be in line", func() bool {
		return strings.Contains(a.get("/runs/"+low+"/why").body, `"ahead":2,"workers":1`)
	})
	for _, want := range []string{high, running, low} {
		k := w.take()
		if k.Run != want {
			t.Errorf("handed out %+v, want run %s", k, want)
		}
		if want == running && k.Fence <= fence {
			t.Errorf("the fence of a hand-out after the restart is %d, and of one before %d", k.Fence, fence)
		}
		w.done(k, "1")
	}
	a.do(202, "POST", "/runs/"+dead+"/retry", "")
	a.do(202, "POST", "/runs/"+retrying+"/retry", "")
	for range 2 {
		if k := w.work("1"); k.Run != dead && k.Run != retrying || k.Attempt != 2 {
			t.Errorf("brought back after the restart: %+v", k)
		}
	}
	if d := a.ended(retrying); d.State != "succeeded" || len(d.Attempts) != 1 || d.MaxAttempts != 4 {
		t.Errorf("%+v", d)
	}
	if got := a.do(200, "POST", "/runs/purge?state=cancelled&dry_run=0", "").body; got != `{"matched":1,"purged":1}` {
		t.Errorf("a purge after the restart: %s", got)
	}
}

// TestOrderOverRestart: of runs that were stored before a server was killed, one worker is handed those of the highest priority
// first, and of each priority the oldest, from the first one on: though they all have to come from the disk.
func TestOrderOverRestart(t *testing.T) {
	const count, priorities = 1000, 10
	p := launch(t)
	a := askerOf(t, p.addr)
	want := make([][]string, priorities)
	for i := range count {
		n := i * 7 % priorities
		want[n] = append(want[n], a.submit(fmt.Sprintf("mail?priority=%d", n), fmt.Sprint(i)))
	}
	p.kill()
	p = launch(t, "WORKMAN_DATA="+p.data())
	w := newHand(t, p.addr)
	w.say(`{"action":"GetTask"}`) // it is ready before anything is loaded
	w.say(`{"action":"RegisterTask","name":"mail"}`)
	for n := priorities - 1; n >= 0; n-- {
		for i, id := range want[n] {
			k := w.next()
			if k.Run != id {
				t.Fatalf("number %d of priority %d: handed out %+v, want run %s", i+1, n, k, id)
			}
			w.done(k, "1")
			w.say(`{"action":"GetTask"}`)
		}
	}
}

// TestTimesOverRestart: a time to live, a deadline and a back-off go on while the server is down.
func TestTimesOverRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s, end := serving(t, kept(dir))
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "mail")
	again := a.submit("mail", "1")
	w.fail(w.take(), `"error":"busy","after":"200ms"`)
	_ = w.conn.Close()
	a.is(again, "retrying")
	brief := a.submit("none?ttl=200ms", "1")
	until := time.Now().Add(400 * time.Millisecond)
	end()
	waitFor(t, "the times to come", func() bool { return time.Now().After(until) })
	s, _ = serving(t, kept(dir))
	a = askerOf(t, s.addr())
	if d := a.ended(brief); d.State != "expired" {
		t.Errorf("its time to live came while the server was down: %+v", d)
	}
	if k := newHand(t, s.addr(), "mail").work("1"); k.Run != again || k.Attempt != 2 {
		t.Errorf("its next attempt came due while the server was down: %+v", k)
	}
}

// TestDrainKeepsRuns: a server that ends does not wait for runs that nobody has, answers whoever waits for one, and lets
// the runs that are worked finish.
func TestDrainKeepsRuns(t *testing.T) {
	p := launch(t, "WORKMAN_DRAIN=1m", "WORKMAN_DATA="+filepath.Join(t.TempDir(), "data"))
	a, w, q := askerOf(t, p.addr), newHand(t, p.addr, "work"), p.socket("/websocket")
	for i := range 100 {
		a.submit("none", fmt.Sprint(i))
	}
	running := a.submit("work", "1")
	waiting := a.submit("work", "2")
	k := w.take()
	w.say(`{"action":"GetTask"}`)
	w.next()
	q.say(`{"action":"RunTask","name":"none","nonce":1,"wait":"1m"}`)
	q.say(`{"action":"GetTasks","nonce":2}`)
	q.hear()
	began := time.Now()
	p.signal()
	p.line("draining")
	kept := 101
	waitFor(t, "new runs to be refused", func() bool {
		a2, err := a.try("POST", "/task/none", "1", "Prefer: respond-async")
		if err == nil && a2.status == 202 {
			kept++
		}
		return err != nil || a2.status == 503
	})
	w.done(k, `"finished"`)
	_ = w.conn.Close() // with the other in hand
	if got := q.hear(); !strings.HasPrefix(got, `{"nonce":1,"run":{"id":"`) || !strings.HasSuffix(got, `"state":"pending"}}`) {
		t.Errorf("whoever waits for a run that nobody does is told %s", got)
	}
	p.exit(0)
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it took %v to end", took)
	}
	p = launch(t, "WORKMAN_DATA="+p.data())
	a = askerOf(t, p.addr)
	if got := a.pages("/runs?state=pending&task=none", "runs"); len(got) != kept {
		t.Errorf("%d runs wait after the restart, want %d", len(got), kept)
	}
	if d := a.look(running); d.State != "succeeded" || string(d.Result) != `"finished"` {
		t.Errorf("what finished while the server ended: %+v", d)
	}
	if d := a.look(waiting); d.State != "pending" || d.Lost > 1 {
		t.Errorf("what a worker was lost with while the server ended: %+v", d)
	}
}
