package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What a request for a run is answered with, over HTTP and WebSocket, by the whole server.

// kept has a server keep its runs in a folder.
func kept(dir string) func(*options) {
	return func(o *options) { o.Memory, o.Data, o.Durability = false, dir, "fsync" }
}

// TestRespondAsync: a run is acknowledged, found, worked by a worker of old that sees nothing new, and its document
// and ETag follow.
func TestRespondAsync(t *testing.T) {
	s := serve(t, nil)
	a := askerOf(t, s.addr())
	got := a.do(202, "POST", "/task/mail?label=team:blue&label=urgent:yes&attempts=3&priority=7", `{"to":"ada"}`, "Prefer: respond-async",
		"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	id := got.run().ID
	if len(id) != 36 || got.head.Get("Location") != "/runs/"+id || got.head.Get("Preference-Applied") != "respond-async" ||
		got.body != `{"id":"`+id+`","task":"mail","state":"pending"}` {
		t.Fatalf("%v %s", got.head, got.body)
	}
	first := a.get("/runs/" + id)
	d := first.run()
	if d.State != "pending" || d.Priority != 7 || d.MaxAttempts != 3 || d.Labels["team"] != "blue" || d.Labels["urgent"] != "yes" ||
		string(d.Options) != `{"to":"ada"}` || d.Result != nil || !strings.HasPrefix(d.Traceparent, "00-0af76") {
		t.Errorf("the document: %s", first.body)
	}
	tag := first.head.Get("ETag")
	if again := a.do(304, "GET", "/runs/"+id, "", "If-None-Match: "+tag); again.body != "" || tag == "" {
		t.Errorf("a document that is known, by the tag %q: %s", tag, again.body)
	}
	old := s.socket(t, "/worker")
	old.say(`{"action":"RegisterTask","name":"mail"}`)
	old.say(`{"action":"GetTask"}`)
	task := old.hear()
	if want := `{"name":"mail","options":{"to":"ada"},"nonce":"`; !strings.HasPrefix(task, want) {
		t.Errorf("a worker of old is handed %s", task)
	}
	old.say(`{"action":"SendResult","nonce":"` + tokenOf(t, task) + `","result":{"error":"Unknown job mail"}}`)
	d = a.ended(id)
	if d.State != "succeeded" || string(d.Result) != `{"error":"Unknown job mail"}` || d.Finished == "" || len(d.Attempts) != 0 {
		t.Errorf("at the end: %+v", d)
	}
	if last := a.do(200, "GET", "/runs/"+id, "", "If-None-Match: "+tag); last.head.Get("ETag") == tag {
		t.Error("the tag of a document that has changed is the same")
	}
	a.do(404, "GET", "/runs/"+strings.Replace(id, "0", "f", 3), "").says("no-such-run")
}

// TestTraceHandedOn: a worker of today is told of the run, its attempt and its trace, with a fence that grows.
func TestTraceHandedOn(t *testing.T) {
	s := serve(t, nil)
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "mail")
	trace := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	deadline := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	id := a.submit("mail?backoff=0&deadline="+deadline.Format(time.RFC3339Nano), "1", "traceparent: "+trace)
	one := w.take()
	if one.Run != id || one.Attempt != 1 || one.Traceparent != trace || one.Deadline != deadline.Format("2006-01-02T15:04:05.000Z") || string(one.Options) != "1" {
		t.Errorf("the first hand-out: %+v", one)
	}
	w.fail(one, `"error":"no"`)
	if two := w.take(); two.Run != id || two.Attempt != 2 || two.Fence <= one.Fence {
		t.Errorf("the second: %+v behind %+v", two, one)
	}
}

// TestPreferWait: the result if it comes in time, else 202 for the very run, which goes on.
func TestPreferWait(t *testing.T) {
	s := serve(t, nil)
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "mail")
	began := time.Now()
	got := a.do(202, "POST", "/task/mail", "1", "Prefer: respond-async, wait=1")
	if took := time.Since(began); took < time.Second || took > 10*time.Second {
		t.Errorf("answered after %v, and was to wait for a second", took)
	}
	id := got.run().ID
	if began = time.Now(); a.get("/runs/"+id+"?wait=1s").run().State != "pending" || time.Since(began) < time.Second {
		t.Error("a document was waited for in vain, and came too early or says otherwise")
	}
	polled := make(chan doc, 1)
	go func() { polled <- a.ended(id) }()
	if k := w.work(`"sent"`); k.Run != id {
		t.Errorf("the worker got %+v, want run %s", k, id)
	}
	if d := <-polled; d.State != "succeeded" || string(d.Result) != `"sent"` {
		t.Errorf("whoever polled got %+v", d)
	}
	sent := make(chan reply, 1)
	go func() { sent <- a.do(200, "POST", "/task/mail", "2", "Prefer: wait=20") }()
	k := w.work(`"sent too"`)
	if got = <-sent; got.body != `"sent too"` || got.head.Get("Location") != "/runs/"+k.Run || got.head.Get("Preference-Applied") != "wait=20" {
		t.Errorf("%v %s", got.head, got.body)
	}
}

// TestKeys: a key attaches to its run before it is finished, afterwards, and after the server was started again; with
// another body it is refused; another task has keys of its own.
func TestKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s, end := serving(t, kept(dir))
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "pay")
	const field, body = "Idempotency-Key: order-7", `{"cents":100}`
	id := a.submit("pay", body, field)
	if again := a.submit("pay", body, `Idempotency-Key: "order-7"`); again != id {
		t.Errorf("before it is finished the key leads to %s, want %s", again, id)
	}
	if other := a.submit("refund", body, field); other == id {
		t.Error("two tasks share a run by their keys")
	}
	answers := make(chan reply, 2)
	for range 2 {
		go func() { answers <- a.do(200, "POST", "/task/pay", body, field) }()
	}
	if k := w.work(`"paid"`); k.Run != id {
		t.Errorf("the worker got %+v", k)
	}
	for range 2 {
		if got := <-answers; got.body != `"paid"` || got.head.Get("Location") != "/runs/"+id {
			t.Errorf("attached while it ran: %v %s", got.head, got.body)
		}
	}
	waits := a.submit("pay", "2", "Idempotency-Key: order-8")
	end()
	s, _ = serving(t, kept(dir))
	a = askerOf(t, s.addr())
	if got := a.do(200, "POST", "/task/pay", body, field); got.body != `"paid"` || got.head.Get("Location") != "/runs/"+id {
		t.Errorf("attached after a restart: %v %s", got.head, got.body)
	}
	if again := a.submit("pay", "2", "Idempotency-Key: order-8"); again != waits {
		t.Errorf("after a restart the key of a run that waits leads to %s, want %s", again, waits)
	}
	a.do(422, "POST", "/task/pay", `{"cents":999}`, field).says("key-reused")
	if d := a.look(id); d.Key != "order-7" || string(d.Result) != `"paid"` {
		t.Errorf("%+v", d)
	}
}

// TestUnstaffed: a run that is to be refused when nobody does its task.
func TestUnstaffed(t *testing.T) {
	s := serve(t, nil)
	a := askerOf(t, s.addr())
	for _, fields := range [][]string{nil, {"Prefer: respond-async"}, {"Idempotency-Key: 1"}} {
		a.do(503, "POST", "/task/mail?unstaffed=refuse", "1", fields...).says("nobody-registered")
	}
	q := s.socket(t, "/websocket")
	q.say(`{"action":"RunTask","name":"mail","nonce":1,"unstaffed":"refuse","durable":true}`)
	if got := q.hear(); !strings.HasPrefix(got, `{"nonce":1,"error":{"type":"urn:workman:problem:nobody-registered"`) {
		t.Errorf("over WebSocket: %s", got)
	}
	w := newHand(t, s.addr(), "mail")
	w.say(`{"action":"RegisterTask","name":""}`)
	w.next() // so what was said before it is known
	a.submit("mail?unstaffed=refuse", "1")
}

// TestPriorities: 9 first; within one, first come, first served.
func TestPriorities(t *testing.T) {
	s := serve(t, nil)
	a, q := askerOf(t, s.addr()), s.socket(t, "/websocket")
	for i, priority := range []int{5, 0, 9, 5, 9, 1} {
		a.submit(fmt.Sprintf("work?priority=%d", priority), fmt.Sprint(i))
	}
	q.say(`{"action":"RunTask","name":"work","options":6,"nonce":1,"priority":9}`) // a call, in the same line
	q.say(`{"action":"RunTask","name":"work","options":7,"nonce":2}`)
	q.say(`{"action":"GetTasks","nonce":3}`)
	q.hear()
	w := newHand(t, s.addr(), "work")
	order := ""
	for range 8 {
		order += string(w.work("1").Options)
	}
	if order != "24603751" {
		t.Errorf("handed out in the order %s, want 24603751", order)
	}
}

// TestRunsOverWebSocket: durable, wait, key, GetRun and CancelRun; what fails is an error beside the result.
func TestRunsOverWebSocket(t *testing.T) {
	s := serve(t, nil)
	a, w, q := askerOf(t, s.addr()), newHand(t, s.addr(), "mail"), s.socket(t, "/websocket")
	says := func(request, want string) {
		t.Helper()
		q.say(request)
		if got := q.hear(); !strings.HasPrefix(got, want) {
			t.Fatalf("%s is answered %s, want %s", request, got, want)
		}
	}
	says(`{"action":"RunTask","name":"mail","options":{"n":1},"nonce":1,"durable":true,"key":"k","labels":{"team":"blue"}}`, `{"nonce":1,"run":{"id":"`)
	q.say(`{"action":"RunTask","name":"mail","options":{"n":1},"nonce":2,"key":"k"}`) // attaches, and waits
	k := w.work(`"sent"`)
	if got := q.hear(); got != `{"nonce":2,"result":"sent","run":{"id":"`+k.Run+`","task":"mail","state":"succeeded"}}` {
		t.Errorf("attached by its key: %s", got)
	}
	if d := a.look(k.Run); d.Key != "k" || d.Labels["team"] != "blue" {
		t.Errorf("over HTTP it is %+v", d)
	}
	says(`{"action":"RunTask","name":"mail","nonce":3,"key":"k"}`, `{"nonce":3,"error":{"type":"urn:workman:problem:key-reused"`)
	says(`{"action":"GetRun","id":"`+k.Run+`","nonce":4}`, `{"nonce":4,"run":{"id":"`+k.Run+`","task":"mail","state":"succeeded"`)
	says(`{"action":"CancelRun","id":"`+k.Run+`","nonce":5}`, `{"nonce":5,"error":{"type":"urn:workman:problem:run-finished"`)
	says(`{"action":"RunTask","name":"mail","nonce":6,"wait":"300ms"}`, `{"nonce":6,"run":{"id":"`)
	id := w.take().Run
	q.say(`{"action":"GetRun","id":"` + id + `","nonce":7,"wait":"20s"}`)
	says(`{"action":"CancelRun","id":"`+id+`","nonce":8}`, `{"nonce":8,"run":{"id":"`+id+`","task":"mail","state":"running"`)
	k = w.next()
	if k.Event != "Cancel" {
		t.Fatalf("the worker is told %+v", k)
	}
	w.fail(k, `"error":"stopped"`)
	if got := q.hear(); !strings.HasPrefix(got, `{"nonce":7,"run":{"id":"`+id+`","task":"mail","state":"cancelled"`) {
		t.Errorf("whoever waited: %s", got)
	}
	says(`{"action":"RunTask","name":"mail","nonce":9,"prio":1,"durable":true,"priority":10}`, `{"nonce":9,"error":{"type":"urn:workman:problem:bad-term"`)
}
