package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Attempts that fail, time out or lose their worker; the dead, and how they are brought back.

// TestAttempts: an attempt that failed is followed by another, after its back-off or as the worker says, until there are no
// more; then the run is dead, whoever waits is told how it failed, and it can be tried again.
func TestAttempts(t *testing.T) {
	s := serve(t, nil)
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "mail")
	waits := make(chan reply, 1)
	go func() { waits <- a.do(502, "POST", "/task/mail?attempts=3&backoff=1ms", "1", "Prefer: wait=30") }()
	k := w.take()
	began := time.Now()
	w.fail(k, `"error":{"type":"urn:x:net","title":"no network","detail":"cable"},"after":"400ms"`)
	w.say(`{"action":"GetTask"}`)
	a.is(k.Run, "retrying")
	if d := a.look(k.Run); d.Due == "" || len(d.Attempts) != 1 || d.Attempts[0].Error.Title != "no network" || d.Attempts[0].Error.Detail != "cable" {
		t.Errorf("between two attempts: %+v", d)
	}
	two := w.next()
	if took := time.Since(began); took < 400*time.Millisecond || two.Attempt != 2 || two.Run != k.Run {
		t.Errorf("after %v, and the worker had asked for 400 ms: %+v", took, two)
	}
	w.fail(two, `"error":"again"`)
	w.fail(w.take(), `"error":"and again"`)
	got := <-waits
	got.says("run-failed")
	for _, part := range []string{`"run":"` + k.Run + `"`, `"number":3`, `{"detail":"and again"}`} {
		if !strings.Contains(got.body, part) {
			t.Errorf("whoever waited is told %s, without %s", got.body, part)
		}
	}
	if d := a.look(k.Run); d.State != "dead" || len(d.Attempts) != 3 || d.Finished == "" {
		t.Errorf("at the end: %+v", d)
	}
	if d := a.do(202, "POST", "/runs/"+k.Run+"/retry", "").run(); d.State != "pending" || len(d.Attempts) != 3 || d.Finished != "" {
		t.Errorf("brought back: %+v", d)
	}
	four := w.take()
	if four.Attempt != 4 || four.Run != k.Run || four.Fence <= two.Fence {
		t.Errorf("the attempt after it was dead: %+v", four)
	}
	w.fail(four, `"error":"a new allowance"`)
	w.work(`"at last"`)
	if d := a.ended(k.Run); d.State != "succeeded" || string(d.Result) != `"at last"` || len(d.Attempts) != 4 {
		t.Errorf("in the end: %+v", d)
	}
	a.do(409, "POST", "/runs/"+k.Run+"/retry", "").says("run-not-failed")
}

// TestNoMoreRetries: a worker that says that no attempt would help.
func TestNoMoreRetries(t *testing.T) {
	s := serve(t, nil)
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "mail")
	id := a.submit("mail", "1")
	w.fail(w.take(), `"error":"no such mailbox","retry":false`)
	if d := a.ended(id); d.State != "dead" || len(d.Attempts) != 1 || d.Attempts[0].Error.Detail != "no such mailbox" {
		t.Errorf("%+v", d)
	}
}

// TestRetryAtOnce: a run that waits for its next attempt need not.
func TestRetryAtOnce(t *testing.T) {
	s := serve(t, nil)
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "mail")
	id := a.submit("mail", "1")
	w.fail(w.take(), `"error":"busy","after":"1h"`)
	a.is(id, "retrying")
	if why := a.get("/runs/" + id + "/why").body; !strings.Contains(why, `"reason":"retrying"`) || !strings.Contains(why, `"due":"`) {
		t.Errorf("why: %s", why)
	}
	if d := a.do(202, "POST", "/runs/"+id+"/retry", "").run(); d.State != "pending" || len(d.Attempts) != 1 || d.Due != "" {
		t.Errorf("at once: %+v", d)
	}
	w.work("1")
	if d := a.ended(id); d.State != "succeeded" || len(d.Attempts) != 1 {
		t.Errorf("%+v", d)
	}
}

// TestTimeout: an attempt that takes too long has failed, and the next is another worker's; what the first one, which is told
// to stop, says after that counts for nothing.
func TestTimeout(t *testing.T) {
	s := serve(t, nil)
	a, hung := askerOf(t, s.addr()), newHand(t, s.addr(), "mail")
	id := a.submit("mail?timeout=200ms&attempts=2&backoff=0", "1")
	one := hung.take()
	other := newHand(t, s.addr(), "mail")
	two := other.take()
	hung.told("Cancel", one)
	if one.Deadline == "" || two.Run != id || two.Attempt != 2 {
		t.Errorf("the attempts: %+v and %+v", one, two)
	}
	hung.done(one, `"too late"`)
	hung.told("Late", one)
	other.done(two, `"in time"`)
	if d := a.ended(id); d.State != "succeeded" || string(d.Result) != `"in time"` || len(d.Attempts) != 1 {
		t.Errorf("%+v", d)
	}
}

// TestExpiry: what is not begun within its time to live, or not finished by its deadline, expires.
func TestExpiry(t *testing.T) {
	s := serve(t, nil)
	a := askerOf(t, s.addr())
	a.do(504, "POST", "/task/mail?ttl=200ms", "1", "Prefer: wait=20").says("run-expired")
	soon := func() string { return url.QueryEscape(time.Now().Add(300 * time.Millisecond).Format(time.RFC3339Nano)) }
	a.do(504, "POST", "/task/mail?deadline="+soon(), "1", "Idempotency-Key: 1").says("run-expired")
	a.do(504, "POST", "/task/mail?deadline="+soon(), "1").says("too-late") // a call
	w := newHand(t, s.addr(), "mail")
	id := a.submit("mail?deadline="+soon(), "1")
	k := w.take()
	if k.Run != id {
		t.Errorf("the worker got %+v", k)
	}
	d := a.ended(id)
	if d.State != "expired" {
		t.Errorf("past its deadline, while it ran: %+v", d)
	}
	w.told("Cancel", k)
	w.done(k, `"late"`)
	w.told("Late", k)
	w.say(`{"action":"GetTask"}`)
	a.do(202, "POST", "/runs/"+id+"/retry", "") // a fresh allowance
	if again := w.next(); again.Run != id || again.Fence <= k.Fence {
		t.Errorf("tried once more: %+v", again)
	}
	if d = a.look(id); d.Result != nil {
		t.Errorf("a result that came after the end counts: %+v", d)
	}
}

// TestLostWorkers: a run whose workers are lost again and again ends among the dead.
func TestLostWorkers(t *testing.T) {
	s := serve(t, nil)
	a := askerOf(t, s.addr())
	id := a.submit("crash", "1")
	for i := range 5 {
		waitFor(t, "the server to notice that a worker is lost", func() bool { d := a.look(id); return d.Lost == i && d.State == "pending" })
		w := s.socket(t, "/worker") // of old: it has no session, so it is lost as soon as its connection is
		w.say(`{"action":"RegisterTask","name":"crash"}`)
		w.say(`{"action":"GetTask"}`)
		w.hear()
		_ = w.conn.Close()
	}
	if d := a.ended(id); d.State != "dead" || d.Lost != 5 {
		t.Errorf("%+v", d)
	}
}

// TestRedrive: the dead are counted, brought back and forgotten by what they are.
func TestRedrive(t *testing.T) {
	s := serve(t, nil)
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "mail", "pay")
	ids := map[string]bool{}
	for i := range 6 {
		task := []string{"mail", "pay"}[i%2]
		id := a.submit(fmt.Sprintf("%s?label=n:%d", task, i%3), "1")
		w.fail(w.take(), `"error":"no","retry":false`)
		a.is(id, "dead")
		ids[id] = task == "mail"
	}
	says := func(path, want string) {
		t.Helper()
		if got := a.do(200, "POST", path, "").body; got != want {
			t.Errorf("%s says %s, want %s", path, got, want)
		}
	}
	says("/runs/retry?dry_run=1", `{"matched":6,"retried":0}`)
	says("/runs/retry?task=mail&label=n:0&dry_run=1", `{"matched":1,"retried":0}`)
	says("/runs/retry?task=mail", `{"matched":3,"retried":3}`)
	for id, mail := range ids {
		if d := a.look(id); mail != (d.State == "pending") || !mail != (d.State == "dead") {
			t.Errorf("%s is %s", d.Task, d.State)
		}
	}
	for range 3 {
		if k := w.work("1"); !ids[k.Run] || k.Attempt != 2 {
			t.Errorf("brought back: %+v", k)
		}
	}
	says("/runs/purge?state=dead", `{"matched":3,"purged":0}`)
	says("/runs/purge?state=dead&dry_run=0", `{"matched":3,"purged":3}`)
	for id, mail := range ids {
		if got, err := a.try("GET", "/runs/"+id, ""); err != nil || mail != (got.status == 200) || !mail != (got.status == 404) {
			t.Errorf("after the purge: %v %d %s", err, got.status, got.body)
		}
	}
	if got := a.do(400, "POST", "/runs/purge?state=running&dry_run=0", ""); !strings.Contains(got.body, "running") {
		t.Errorf("what is not finished is purged: %s", got.body)
	}
}

// TestPolicies: a file says how the runs of a task are treated, the most particular name first; a request may say otherwise.
func TestPolicies(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policies.json")
	text := `{"mail":{"attempts":2,"backoff":"0s","timeout":"150ms"},"mail-*":{"attempts":7},"mail-slow*":{"attempts":9},"brief":{"keep":"0s"}}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, func(o *options) { o.Policies = file })
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "mail", "brief")
	for task, want := range map[string]int{"mail": 2, "mail-x": 7, "mail-slower": 9, "else": 5, "mail?attempts=3": 3} {
		if d := a.look(a.submit(task, "1")); d.MaxAttempts != want {
			t.Errorf("%s has %d attempts, want %d", task, d.MaxAttempts, want)
		}
	}
	for range 4 { // two runs, of two attempts and of three: all but one time out
		k := w.take()
		w.told("Cancel", k)
	}
	w.work("1")
	if got := a.get("/runs?task=mail&state=dead").body; strings.Count(got, `"state":"dead"`) != 1 {
		t.Errorf("who took too long twice, and may not more often: %s", got)
	}
	id := a.submit("brief", "1")
	b := newHand(t, s.addr(), "brief")
	b.work("1")
	waitFor(t, "a run that is not kept to be forgotten", func() bool {
		got, err := a.try("GET", "/runs/"+id, "")
		return err == nil && got.status == 404
	})
}
