package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What the tests of runs share: somebody who asks over HTTP, and a worker of today.

// asker asks a server over HTTP, on a new connection each time.
type asker struct {
	t    testing.TB
	addr string
	http *http.Client
}

func askerOf(t testing.TB, addr string) asker {
	return asker{t, addr, &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}}
}

// reply is an answer, read to its end.
type reply struct {
	t      testing.TB
	status int
	head   http.Header
	body   string
}

// try sends a request with header fields like "Prefer: wait=1".
func (a asker) try(method, path, body string, fields ...string) (reply, error) {
	r, err := http.NewRequestWithContext(a.t.Context(), method, "http://"+a.addr+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Set(name, value)
	}
	res, err := a.http.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return reply{a.t, res.StatusCode, res.Header, string(text)}, err
}

// do is try, where there must be an answer, with this status.
func (a asker) do(status int, method, path, body string, fields ...string) reply {
	a.t.Helper()
	got, err := a.try(method, path, body, fields...)
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, path, err)
	}
	if got.status != status {
		a.t.Fatalf("%s %s: status %d, want %d: %s", method, path, got.status, status, got.body)
	}
	return got
}

func (a asker) get(path string) reply { a.t.Helper(); return a.do(200, "GET", path, "") }

// submit asks for a run, and returns its id once it is acknowledged.
func (a asker) submit(task, body string, fields ...string) string {
	a.t.Helper()
	return a.do(202, "POST", "/task/"+task, body, append(fields, "Prefer: respond-async")...).run().ID
}

// schedule asks for a run at a time.
func (a asker) schedule(at time.Time, task, body string) string {
	a.t.Helper()
	return a.do(200, "POST", "/schedule/"+at.UTC().Format(time.RFC3339Nano)+"/"+task, body).run().ID
}

// look is a run's document as it is now, and ended as it is when it is finished.
func (a asker) look(id string) doc  { a.t.Helper(); return a.get("/runs/" + id).run() }
func (a asker) ended(id string) doc { a.t.Helper(); return a.get("/runs/" + id + "?wait=30s").run() }

// is waits until a run is in a state.
func (a asker) is(id, state string) {
	a.t.Helper()
	waitFor(a.t, id+" to be "+state, func() bool { return a.look(id).State == state })
}

// doc is a run's document.
type doc struct {
	ID, Task, State, Created, Due, Finished, Key, Deadline, Traceparent, Callback string

	Priority    int
	MaxAttempts int `json:"max_attempts"`
	Lost        int
	For         string `json:"scheduled_for"`
	Labels      map[string]string
	Attempts    []struct {
		Number       int
		Began, Ended time.Time
		Error        struct{ Type, Title, Detail string }
	}
	Options, Result json.RawMessage
	Progress        *struct {
		Value json.RawMessage
		Note  string
		At    time.Time
	}
}

func (r reply) run() (d doc) { r.t.Helper(); r.into(&d); return d }

// into reads JSON of which every member must be known.
func (r reply) into(to any) {
	r.t.Helper()
	in := json.NewDecoder(bytes.NewReader([]byte(r.body)))
	in.DisallowUnknownFields()
	if err := in.Decode(to); err != nil {
		r.t.Fatalf("%v in %s", err, r.body)
	}
}

// says fails the test unless it is a problem of this kind.
func (r reply) says(kind string) {
	r.t.Helper()
	if got := r.head.Get("Content-Type"); got != "application/problem+json" || !strings.Contains(r.body, `"type":"urn:workman:problem:`+kind+`"`) {
		r.t.Errorf("%d %s %s, want the problem %s", r.status, got, r.body, kind)
	}
}

// hand is a worker that said Hello.
type hand struct{ *socket }

// ticket is a task as it is handed to one.
type ticket struct {
	Name, Run, Nonce, Deadline, Traceparent, Event string

	Options json.RawMessage
	Attempt int
	Fence   uint64
}

func newHand(t testing.TB, addr string, names ...string) hand {
	t.Helper()
	w := hand{openSocket(t, addr, "/worker")}
	w.hello("")
	for _, n := range names {
		w.say(`{"action":"RegisterTask","name":"` + n + `"}`)
	}
	return w
}

// greeting is what Hello is answered with.
type greeting struct {
	Event, Session   string
	Version          int
	Heartbeat, Grace float64
	Resumed          []string // nil: it is a new session
}

// hello says Hello, to go on with a session if there is one.
func (w hand) hello(session string) (got greeting) {
	w.t.Helper()
	m := `{"action":"Hello","version":1}`
	if session != "" {
		m = `{"action":"Hello","version":1,"session":"` + session + `"}`
	}
	w.say(m)
	text := w.hear()
	if err := json.Unmarshal([]byte(text), &got); err != nil || got.Event != "Hello" || got.Version != 1 || len(got.Session) != 24 {
		w.t.Fatalf("Hello is answered with %s: %v", text, err)
	}
	return got
}

// next is the next thing it is told: a task or an event.
func (w hand) next() (got ticket) {
	w.t.Helper()
	text := w.hear()
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		w.t.Fatalf("%v in %s", err, text)
	}
	return got
}

// take asks for a task, and waits for it.
func (w hand) take() ticket {
	w.t.Helper()
	w.say(`{"action":"GetTask"}`)
	got := w.next()
	if got.Nonce == "" || got.Event != "" {
		w.t.Fatalf("no task, but %+v", got)
	}
	return got
}

func (w hand) done(k ticket, result string) {
	w.t.Helper()
	w.say(`{"action":"SendResult","nonce":"` + k.Nonce + `","result":` + result + `}`)
}

// fail says that it failed. rest is JSON members: `"error":"…","retry":false`.
func (w hand) fail(k ticket, rest string) {
	w.t.Helper()
	w.say(`{"action":"SendError","nonce":"` + k.Nonce + `",` + rest + `}`)
}

// told wants the next message to be an event about a task.
func (w hand) told(event string, k ticket) {
	w.t.Helper()
	if m := w.next(); m.Event != event || m.Nonce != k.Nonce {
		w.t.Errorf("the worker is told %+v, and should be told %s of %s", m, event, k.Nonce)
	}
}

// work takes a task and finishes it.
func (w hand) work(result string) ticket {
	w.t.Helper()
	k := w.take()
	w.done(k, result)
	return k
}
