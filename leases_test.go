package main

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"workman/dispatch"
)

// Leases over HTTP, against the whole server: each request on a connection of its own, as curl does it.

// lease asks for tasks with a body.
func (a asker) lease(body string) (tasks []ticket) {
	a.t.Helper()
	got := a.do(200, "POST", "/lease", body)
	var all struct{ Tasks []ticket }
	if got.into(&all); all.Tasks == nil {
		a.t.Fatalf("POST /lease %s: %s", body, got.body)
	}
	return all.Tasks
}

// one is lease, of one task that must come.
func (a asker) one(body string) ticket {
	a.t.Helper()
	tasks := a.lease(body)
	if len(tasks) != 1 || len(tasks[0].Nonce) != 40 || tasks[0].Deadline == "" {
		a.t.Fatalf("POST /lease %s: %+v, want one task", body, tasks)
	}
	return tasks[0]
}

// of says something of a lease, which must be answered so.
func (a asker) of(k ticket, status int, what, body string) reply {
	a.t.Helper()
	return a.do(status, "POST", "/lease/"+k.Nonce+"/"+what, body)
}

// TestLease: a task is taken, and its result is its caller's.
func TestLease(t *testing.T) {
	s := serve(t, func(o *options) { o.Loops = 2 })
	a := askerOf(t, s.addr())
	answer := a.call(200, "/task/work", `{"a": 1}`)
	k := a.one(`{"tasks":["other","work"]}`)
	if k.Name != "work" || string(k.Options) != `{"a": 1}` || k.Run != "" || k.Attempt != 1 || k.Fence == 0 {
		t.Errorf("%+v", k)
	}
	a.of(k, 204, "result", `{"b": 2}`)
	if got := <-answer; got != `{"b": 2}` {
		t.Errorf("the caller got %s", got)
	}
	a.of(k, 400, "result", "again").says("bad-json")
	a.of(k, 409, "result", "2").says("stale-lease")
	run := a.submit("work", "2")
	k = a.one(`{"tasks":["work"]}`)
	a.of(k, 204, "result", "")
	if d := a.ended(run); k.Run != run || d.State != "succeeded" || len(d.Result) != 0 && string(d.Result) != "null" {
		t.Errorf("the run: %+v", d)
	}
}

// TestLeaseWaits: for the first task that comes, for as long as it was ready to; who has gone is forgotten.
func TestLeaseWaits(t *testing.T) {
	s := serve(t, nil)
	a := askerOf(t, s.addr())
	began := time.Now()
	if got := a.lease(`{"tasks":["work"],"wait":"300ms"}`); len(got) != 0 || time.Since(began) < 300*time.Millisecond {
		t.Errorf("after %v there is %+v", time.Since(began), got)
	}
	gone, err := net.Dial("tcp", s.addr())
	if err != nil {
		t.Fatal(err)
	}
	const body = `{"tasks":["work"]}`
	_, _ = fmt.Fprintf(gone, "POST /lease HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	waitFor(t, "the lease to wait", func() bool { return strings.Contains(a.get("/workers").body, `"work"`) })
	_ = gone.Close()
	waitFor(t, "it to be forgotten", func() bool { return !strings.Contains(a.get("/workers").body, `"work"`) })
	tasks := make(chan []ticket, 1)
	go func() { tasks <- a.lease(`{"tasks":["work"],"wait":"10s"}`) }()
	waitFor(t, "the lease to wait", func() bool { return strings.Contains(a.get("/workers").body, `"work"`) })
	run := a.submit("work", "1")
	if got := <-tasks; len(got) != 1 || got[0].Run != run {
		t.Errorf("who waited got %+v", got)
	}
}

// TestLeaseOfSeveral: all that there are at once, up to a number.
func TestLeaseOfSeveral(t *testing.T) {
	s := serve(t, nil)
	a := askerOf(t, s.addr())
	for i := range 5 {
		a.submit([]string{"one", "two"}[i%2], fmt.Sprint(i))
	}
	first := a.lease(`{"tasks":["one","two"],"count":3}`)
	second := a.lease(`{"tasks":["one","two"],"count":100}`)
	if len(first) != 3 || len(second) != 2 {
		t.Fatalf("%+v and %+v", first, second)
	}
	for _, k := range append(first, second...) {
		a.of(k, 204, "result", "0")
		if d := a.ended(k.Run); d.State != "succeeded" {
			t.Errorf("%+v", d)
		}
	}
}

// TestLeaseFails: an error is an attempt that failed, as over WebSocket.
func TestLeaseFails(t *testing.T) {
	s := serve(t, nil)
	a := askerOf(t, s.addr())
	run := a.submit("work", "1")
	a.of(a.one(`{"tasks":["work"]}`), 204, "error", `{"error":"no network","after":0}`)
	k := a.one(`{"tasks":["work"]}`)
	if d := a.look(run); k.Attempt != 2 || len(d.Attempts) != 1 || d.Attempts[0].Error.Detail != "no network" {
		t.Errorf("the second attempt is %+v, of %+v", k, d)
	}
	a.of(k, 204, "error", `{"error":{"title":"no such mailbox"},"retry":false}`)
	if d := a.ended(run); d.State != "dead" || len(d.Attempts) != 2 || d.Attempts[1].Error.Title != "no such mailbox" {
		t.Errorf("the run: %+v", d)
	}
	answer := a.call(502, "/task/work", "2")
	a.of(a.one(`{"tasks":["work"]}`), 204, "error", `"no way"`)
	if got := <-answer; !strings.Contains(got, `"error":{"detail":"no way"}`) {
		t.Errorf("the caller got %s", got)
	}
}

// TestLeaseIsLost: one that ends without an answer is a lost worker, and what is said after that counts for nothing.
func TestLeaseIsLost(t *testing.T) {
	s := serve(t, nil)
	a := askerOf(t, s.addr())
	run := a.submit("work", "1")
	lost := a.one(`{"tasks":["work"],"for":"1s"}`)
	began := time.Now()
	again := a.one(`{"tasks":["work"],"wait":"20s"}`)
	if took := time.Since(began); took < 900*time.Millisecond || again.Run != run || again.Attempt != 2 {
		t.Errorf("after %v: %+v", took, again)
	}
	for what, body := range map[string]string{"result": "1", "error": `"no"`, "extend": "", "progress": `{"value":1}`} {
		a.of(lost, 409, what, body).says("stale-lease")
	}
	a.do(409, "DELETE", "/lease/"+lost.Nonce, "").says("stale-lease")
	a.of(again, 204, "result", "2")
	if d := a.ended(run); d.Lost != 1 || string(d.Result) != "2" {
		t.Errorf("the run: %+v", d)
	}
	forged := again
	forged.Nonce = again.Nonce[:24] + strings.Repeat("a", 16)
	a.of(forged, 409, "result", "3").says("stale-lease")
}

// TestLeaseExtended: it lasts longer then, and shows how far it is.
func TestLeaseExtended(t *testing.T) {
	s := serve(t, nil)
	a := askerOf(t, s.addr())
	run := a.submit("work", "1")
	k := a.one(`{"tasks":["work"],"for":"1s"}`)
	a.of(k, 204, "extend", `{"for":"1m"}`)
	a.of(k, 204, "progress", `{"value":0.5,"note":"half"}`)
	if p := a.look(run).Progress; p == nil || string(p.Value) != "0.5" || p.Note != "half" {
		t.Errorf("the progress: %+v", p)
	}
	end, err := time.Parse(time.RFC3339, k.Deadline)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "its first end to have passed", func() bool { return time.Since(end) > 300*time.Millisecond })
	a.of(k, 204, "result", "1")
	if d := a.ended(run); d.State != "succeeded" || d.Lost != 0 {
		t.Errorf("the run: %+v", d)
	}
}

// TestLeaseCancelled: whoever extends a lease, or says how far it is, is told that its run is asked to stop; and may still answer.
func TestLeaseCancelled(t *testing.T) {
	s := serve(t, nil)
	a := askerOf(t, s.addr())
	for _, last := range []string{"error", "result", "DELETE"} {
		run := a.submit("work", "1")
		k := a.one(`{"tasks":["work"]}`)
		a.of(k, 204, "extend", `{"for":"1m"}`)
		a.do(202, "DELETE", "/runs/"+run, "")
		for what, body := range map[string]string{"extend": "", "progress": `{"note":"cleaning up"}`} {
			if got := a.of(k, 200, what, body); got.body != `{"cancel":true}` || got.head.Get("Content-Type") != "application/json; charset=utf-8" {
				t.Errorf("%s is answered with %s, %v", what, got.body, got.head)
			}
		}
		want := "cancelled"
		switch last {
		case "error":
			a.of(k, 204, last, `"as it was asked to"`)
		case "result":
			a.of(k, 204, last, "2")
			want = "succeeded" // it was done before it was stopped
		default:
			a.do(204, last, "/lease/"+k.Nonce, "")
		}
		if d := a.ended(run); d.State != want {
			t.Errorf("after %s: %+v", last, d)
		}
		a.of(k, 409, "extend", "").says("stale-lease")
	}
	run := a.submit("work?timeout=1s&attempts=1", "1")
	k := a.one(`{"tasks":["work"],"for":"1h"}`)
	if d := a.ended(run); d.State != "dead" {
		t.Errorf("the run that took too long: %+v", d)
	}
	a.of(k, 409, "progress", `{"value":1}`).says("stale-lease")
}

// TestLeaseHandedBack: no attempt is spent.
func TestLeaseHandedBack(t *testing.T) {
	s := serve(t, nil)
	a := askerOf(t, s.addr())
	run := a.submit("work?attempts=1", "1")
	k := a.one(`{"tasks":["work"]}`)
	a.do(204, "DELETE", "/lease/"+k.Nonce, "")
	again := a.one(`{"tasks":["work"]}`)
	if again.Run != run || again.Attempt != 1 || again.Nonce == k.Nonce {
		t.Errorf("%+v after %+v", again, k)
	}
	a.of(again, 204, "result", "1")
	if d := a.ended(run); d.State != "succeeded" || d.Lost != 0 || len(d.Attempts) != 0 {
		t.Errorf("the run: %+v", d)
	}
}

// TestLeaseAndSessionKeepApart: neither may say anything of what the other has.
func TestLeaseAndSessionKeepApart(t *testing.T) {
	s := serve(t, nil)
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "work")
	a.submit("work", "1")
	a.submit("work", "2")
	k, mine := a.one(`{"tasks":["work"]}`), w.take()
	w.done(ticket{Nonce: k.Nonce[:24]}, "1")
	if told := w.next(); told.Event != "Late" {
		t.Errorf("of a lease a worker is told %+v", told)
	}
	a.of(ticket{Nonce: mine.Nonce + strings.Repeat("a", 16)}, 409, "result", "1").says("stale-lease")
	a.of(k, 204, "result", "1")
	w.done(mine, "2")
	a.ended(k.Run)
	a.ended(mine.Run)
}

// TestDrainWaitsForLeases: after SIGTERM nothing new is lent, and what is lent may still be answered, over a new connection.
func TestDrainWaitsForLeases(t *testing.T) {
	p := launch(t)
	a := askerOf(t, p.addr)
	answer := a.call(200, "/task/work", "1")
	k := a.one(`{"tasks":["work"]}`)
	waits := make(chan []ticket, 1)
	go func() { waits <- a.lease(`{"tasks":["work"],"wait":"1m"}`) }()
	waitFor(t, "the lease to wait", func() bool { return strings.Contains(a.get("/workers").body, `"ready":1`) })
	p.signal()
	if got := <-waits; len(got) != 0 {
		t.Errorf("who waited got %+v", got)
	}
	a.do(503, "POST", "/lease", `{"tasks":["work"]}`).says("draining")
	a.of(k, 204, "extend", "")
	a.of(k, 204, "result", "2")
	if got := <-answer; got != "2" {
		t.Errorf("the caller got %s", got)
	}
	p.exit(0)
}

// TestDrainWaitsForSessions: one that lost its connection may come back, and finish what it has.
func TestDrainWaitsForSessions(t *testing.T) {
	p := launch(t)
	a := askerOf(t, p.addr)
	w := hand{p.socket("/worker")}
	session := w.hello("").Session
	w.say(`{"action":"RegisterTask","name":"work"}`)
	answer := a.call(200, "/task/work", "1")
	k := w.take()
	w.lose()
	waitFor(t, "that to be seen", func() bool { return strings.Contains(a.get("/workers").body, `"connected":false`) })
	p.signal()
	p.line("draining")
	back := hand{p.socket("/worker")}
	if got := back.hello(session); len(got.Resumed) != 1 {
		t.Errorf("back: %+v", got)
	}
	if told := back.next(); told.Event != "Drain" {
		t.Errorf("and then it is told %+v", told)
	}
	back.done(k, "2")
	if got := <-answer; got != "2" {
		t.Errorf("the caller got %s", got)
	}
	p.exit(0)
}

// TestAwayIsCounted: what is out on leases, and with sessions that lost their connection.
func TestAwayIsCounted(t *testing.T) {
	s := serve(t, nil)
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "work")
	away := func(lent, want int) {
		t.Helper()
		var got dispatch.Stats
		waitFor(t, fmt.Sprintf("%d tasks to be lent, and %d to be away", lent, want), func() bool {
			var err error
			if got, err = s.tasks.Stats(t.Context()); err != nil {
				t.Fatal(err)
			}
			return got.Lent == lent && got.Away == want
		})
	}
	for i := range 4 {
		a.submit("work", fmt.Sprint(i))
	}
	w.take()
	away(0, 0)
	ks := a.lease(`{"tasks":["work"],"count":2}`)
	away(2, 0)
	a.of(ks[0], 204, "result", "1")
	away(1, 0)
	w.take()
	w.lose()
	away(1, 2)
	a.do(204, "DELETE", "/lease/"+ks[1].Nonce, "")
	away(0, 2)
	away(0, 0) // after the grace
}
