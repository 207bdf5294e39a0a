package protocol_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"workman/dispatch"
	"workman/protocol"
)

// heard is an event with its bytes, to compare.
type heard struct {
	kind                          dispatch.Kind
	name, run, nonce, body, terms string
	at                            int64
	token                         dispatch.Token
	count                         uint32
}

// desk is one connection, of which events are noted and answers read.
type desk struct {
	t       testing.TB
	front   *protocol.Front
	framing *protocol.Framing
	session protocol.Session
	host    framingHost
	events  []heard
}

// newDesk makes a desk that speaks HTTP, or WebSocket at an endpoint.
func newDesk(t testing.TB, endpoint string) *desk {
	t.Helper()
	d := &desk{t: t}
	d.front = protocol.NewFront(func(in dispatch.Input) {
		for i := range in.Events {
			d.note(&in.Events[i], in.Base)
		}
	})
	d.front.CheckCallback = func(url string) error {
		if !strings.HasPrefix(url, "https://") {
			return errors.New("want https")
		}
		return nil
	}
	var err error
	if d.framing, err = protocol.NewFraming(protocol.DefaultConfig(), &d.host, d.front); err != nil {
		t.Fatal(err)
	}
	d.framing.Start(&d.session, 1)
	if endpoint != "" {
		d.session.Feed([]byte(strings.Replace(handshake, "GET /ws", "GET "+endpoint, 1)))
		d.session.Out = nil
	}
	return d
}

func (d *desk) note(e *dispatch.Event, base []byte) {
	h := heard{kind: e.Kind, nonce: string(e.Nonce.Of(base)), body: string(e.Body.Of(base)), terms: string(e.Terms.Of(base)),
		at: e.At, token: e.Token, count: e.Count}
	switch e.Kind {
	case dispatch.ReadRun, dispatch.CancelRun, dispatch.RetryRun, dispatch.ExplainRun, dispatch.UnscheduleTask:
		var id dispatch.ID
		if copy(id[:], e.Run().Of(base)) == len(id) {
			h.run = id.String()
		}
	default:
		h.name = string(e.Name.Of(base))
	}
	d.events = append(d.events, h)
}

// ask sends a request and returns what was answered at once.
func (d *desk) ask(target, head, body string) string {
	d.events, d.session.Out = nil, nil
	d.session.Feed(fmt.Appendf(nil, "%s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s",
		target, strings.ReplaceAll(head, "\n", "\r\n"), len(body), body))
	d.front.Flush()
	return string(d.session.Out)
}

// say sends messages in one read, and returns what was answered at once.
func (d *desk) say(messages ...string) string {
	d.events, d.session.Out = nil, nil
	raw := ""
	for _, m := range messages {
		raw += masked(ws.OpText, true, m)
	}
	d.session.Feed([]byte(raw))
	d.front.Flush()
	return d.texts()
}

// texts are the messages that wait to be written.
func (d *desk) texts() string {
	var all []string
	for in := bytes.NewReader(d.session.Out); in.Len() > 0; {
		h, err := ws.ReadHeader(in)
		payload := make([]byte, h.Length)
		if err == nil {
			_, err = io.ReadFull(in, payload)
		}
		if err != nil {
			d.t.Fatal(err)
		}
		if h.OpCode == ws.OpText {
			all = append(all, string(payload))
		}
	}
	return strings.Join(all, "\n")
}

// one is the only event that came.
func (d *desk) one() heard {
	d.t.Helper()
	if len(d.events) != 1 {
		d.t.Fatalf("%d events, want 1: %+v", len(d.events), d.events)
	}
	return d.events[0]
}

// said encodes the terms that set makes of none.
func said(set func(*dispatch.Terms)) string {
	t := dispatch.NewTerms()
	set(&t)
	return string(t.Append(nil))
}

const (
	someRun   = "019abc00-0000-7000-8000-0000000000ff"
	someTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

func TestTermsOverHTTP(t *testing.T) {
	promised := func(set func(*dispatch.Terms)) string {
		return said(func(t *dispatch.Terms) { t.Promise = true; set(t) })
	}
	async := promised(func(t *dispatch.Terms) { t.Reply = dispatch.ReplyAccepted })
	for _, c := range []struct{ query, head, terms, nonce string }{
		{"", "", "", ""},
		{"?", "", "", ""},
		{"", "Prefer: return=minimal, wait=soon\n", "", ""},
		{"", "traceparent: nonsense\n", "", ""},
		{"", "traceparent: " + someTrace + "\ntraceparent: " + someTrace + "\n", "", ""},
		{"", "TraceParent: " + someTrace + "\n", said(func(t *dispatch.Terms) { t.Traceparent = []byte(someTrace) }), ""},
		{"", "Prefer: respond-async\n", async, "\x02\x01\x00"},
		{"", "Prefer: wait=20\n", promised(func(t *dispatch.Terms) { t.Wait = 20_000 }), "\x02\x02\x14"},
		{"", "Prefer: respond-async\nprefer: wait=20\n", promised(func(t *dispatch.Terms) { t.Wait = 20_000 }), "\x02\x03\x14"},
		{"", "Prefer: wait=0\n", async, "\x02\x02\x00"},
		{"", "Idempotency-Key: \"a b\"\n", promised(func(t *dispatch.Terms) { t.Key = []byte("a b") }), ""},
		{"?priority=9", "", said(func(t *dispatch.Terms) { t.Priority = 9 }), ""},
		{"?priority=0&ttl=30&deadline=2027-01-31T12%3A00%3A00Z&unstaffed=refuse", "", said(func(t *dispatch.Terms) {
			t.Priority, t.TTL, t.Deadline, t.Staffed = 0, 30_000, 1801396800000, true
		}), ""},
		{"?unstaffed=wait&", "", said(func(*dispatch.Terms) {}), ""},
		{"?deadline=1960-01-01T00:00:00Z", "", said(func(t *dispatch.Terms) { t.Deadline = 1 }), ""},
		{"?attempts=3&backoff=1.5s&backoff_max=2m30s&timeout=0&keep=48h", "", promised(func(t *dispatch.Terms) {
			t.Attempts, t.Backoff, t.BackoffMax, t.Timeout, t.Keep = 3, 1500, 150_000, 0, 48*3600_000
		}), ""},
		{"?label=team:blue&label=n%6fte:a+b:%2B", "", promised(func(t *dispatch.Terms) { t.Labels = []byte("team:blue\nnote:a b:+\n") }), ""},
		{"?callback=https%3A%2F%2Fa.example%2F", "Prefer: respond-async\n", promised(func(t *dispatch.Terms) {
			t.Reply, t.Callback = dispatch.ReplyAccepted, []byte("https://a.example/")
		}), "\x02\x01\x00"},
	} {
		d := newDesk(t, "")
		if out := d.ask("POST /task/a%20b"+c.query, c.head, `{"x":1}`); out != "" {
			t.Errorf("%s %s is refused: %s", c.query, c.head, out)
			continue
		}
		want := heard{kind: dispatch.RunTask, name: "a b", body: `{"x":1}`, terms: c.terms, nonce: c.nonce}
		if got := d.one(); got != want {
			t.Errorf("%s %s:\n%+v, want\n%+v", c.query, c.head, got, want)
		}
	}
}

func TestTermsOfSchedules(t *testing.T) {
	d := newDesk(t, "")
	d.ask("POST /schedule/2099-01-01T00:00:00Z/x", "Prefer: return=minimal\n", "")
	want := heard{kind: dispatch.ScheduleTask, name: "x", body: "null", at: 4070908800000}
	if got := d.one(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	d.ask("POST /schedule/2099-01-01T00:00:00Z/x?attempts=2", "Prefer: wait=5\nIdempotency-Key: k\n", "")
	want.terms = said(func(t *dispatch.Terms) {
		t.Promise, t.Reply, t.Attempts, t.Key = true, dispatch.ReplyID, 2, []byte("k")
	})
	if got := d.one(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestTermsAreRefused: what a request says and is not understood is refused, with the name and the value in the text.
func TestTermsAreRefused(t *testing.T) {
	many := "?"
	for i := range 17 {
		many += fmt.Sprintf("label=a%d:b&", i)
	}
	for _, c := range []struct{ query, head, status, detail string }{
		{"?priorty=3", "Prefer: respond-async\n", "422", `\"priorty\" is no parameter of this request; there are priority, `},
		{"?key=a&priority=5", "", "422", `\"key\" is no parameter`},
		{"?priority=10", "", "422", `\"10\" is no value for priority: want a whole number from 0 to 9`},
		{"?priority=05", "", "422", `\"05\" is no value for priority`},
		{"?priority", "", "422", `\"\" is no value for priority`},
		{"?priority=5&priority=5", "", "422", "priority is given twice"},
		{"?attempts=0", "", "422", "from 1 to 100"}, {"?attempts=101", "", "422", "from 1 to 100"},
		{"?ttl=-1s", "", "422", `\"-1s\" is no value for ttl: want a duration such as`},
		{"?deadline=tomorrow", "", "422", `\"tomorrow\" is no value for deadline: want a time such as`},
		{"?unstaffed=no", "", "422", `want \"refuse\"`},
		{"?label=blue", "", "422", `\"blue\" is no label`}, {"?label=:x", "", "422", "is no label"},
		{"?label=a:1&label=a:2", "", "422", `\"a:2\" is no label`}, {"?label=a:%0a", "", "422", "is no label"},
		{many, "", "422", `\"a16:b\" is no label, or one too many`},
		{"?label=" + strings.Repeat("x", 65) + ":", "", "422", "of 1 to 64 bytes"},
		{"?callback=http://a.example/", "", "422", "is no value for callback: want https"},
		{"?callback=https://" + strings.Repeat("a", 2048), "", "422", "at most 2048 bytes"},
		{"?ttl=%zz", "", "422", "percent sign"},
		{"", "Idempotency-Key: \"abc\n", "400", `\"\\\"abc\" is no idempotency key`},
		{"", "Idempotency-Key: a\nIdempotency-Key: a\n", "400", "is no idempotency key"},
		{"", "Idempotency-Key:\n", "400", `urn:workman:problem:bad-key`},
	} {
		d := newDesk(t, "")
		out := d.ask("POST /task/x"+c.query, c.head, "1")
		kind := map[string]string{"422": "bad-term", "400": "bad-key"}[c.status]
		if !strings.HasPrefix(out, "HTTP/1.1 "+c.status) || !strings.Contains(out, c.detail) || !strings.Contains(out, ":"+kind+`"`) {
			t.Errorf("%s %s: want %s and %s in\n%s", c.query, c.head, c.status, c.detail, out)
		}
		if len(d.events) > 0 {
			t.Errorf("%s %s: it is refused, and still %+v", c.query, c.head, d.events)
		}
	}
	d := newDesk(t, "")
	d.front.CheckCallback = nil
	if out := d.ask("POST /task/x?callback=https://a.example/", "", "1"); !strings.HasPrefix(out, "HTTP/1.1 422") {
		t.Errorf("a callback where there are none: %s", out)
	}
}

func TestRunsOverHTTP(t *testing.T) {
	for _, c := range []struct {
		target, head string
		want         heard
	}{
		{"GET /runs/" + someRun, "", heard{kind: dispatch.ReadRun, run: someRun}},
		{"HEAD /runs/" + strings.ToUpper(someRun), "", heard{kind: dispatch.ReadRun, run: someRun}},
		{"GET /runs/" + someRun + "?wait=30s", "If-None-Match: \"0001020304050607\", W/\"x\"\n",
			heard{kind: dispatch.ReadRun, run: someRun, at: 30_000, nonce: "\x02\x00\x00\x00\x01\x02\x03\x04\x05\x06\x07"}},
		{"GET /runs/" + someRun, "If-None-Match: *\n", heard{kind: dispatch.ReadRun, run: someRun, nonce: "\x02\x04\x00"}},
		{"DELETE /runs/" + someRun, "", heard{kind: dispatch.CancelRun, run: someRun}},
		{"POST /runs/" + someRun + "/retry", "", heard{kind: dispatch.RetryRun, run: someRun}},
		{"GET /runs/" + someRun + "/why", "", heard{kind: dispatch.ExplainRun, run: someRun}},
		{"DELETE /scheduled/" + someRun, "", heard{kind: dispatch.UnscheduleTask, run: someRun}},
		{"DELETE /scheduled/15d7b577015.87d", "", heard{kind: dispatch.UnscheduleTask, run: dispatch.ID{}.String()}},
	} {
		d := newDesk(t, "")
		if out := d.ask(c.target, c.head, ""); out != "" {
			t.Errorf("%s is refused: %s", c.target, out)
		} else if got := d.one(); got != c.want {
			t.Errorf("%s:\n%+v, want\n%+v", c.target, got, c.want)
		}
	}
	for target, want := range map[string]string{
		"GET /runs/nothing": "404", "POST /runs/15d7b577015.87d/retry": "404", "DELETE /runs/" + someRun[1:]: "404",
		"GET /runs/" + someRun + "?wait=x": "422", "GET /runs/" + someRun + "?wait=1&wait=1": "422",
		"GET /runs/" + someRun + "?watch=1": "422", "DELETE /runs/" + someRun + "?wait=1": "422",
		"POST /runs/" + someRun: "405", "GET /runs/" + someRun + "/retry": "405", "POST /runs/" + someRun + "/why": "405",
		"GET /runs/" + someRun + "/": "404", "GET /runs/" + someRun + "/why/not": "404", "GET /runs/": "404",
		"POST /runs": "405", "GET /runs/retry": "405", "GET /backup": "405",
	} {
		d := newDesk(t, "")
		if out := d.ask(target, "", ""); !strings.HasPrefix(out, "HTTP/1.1 "+want) || len(d.events) > 0 {
			t.Errorf("%s: %+v, want %s in %s", target, d.events, want, out)
		}
	}
}

// TestPagesOfRuns: lists and what is done to many runs leave for somebody else, with their query and body.
func TestPagesOfRuns(t *testing.T) {
	for _, target := range []string{"GET /runs?task=x", "GET /scheduled", "POST /runs/retry?task=x&dry_run=1", "POST /runs/purge", "POST /backup"} {
		d := newDesk(t, "")
		moved := ""
		d.front.Elsewhere = func(s *protocol.Session, r *protocol.Request) bool {
			raw, ok := s.Detach(r)
			moved = string(raw)
			return ok
		}
		d.ask(target, "", `{"dir":"/x"}`)
		if !strings.HasPrefix(moved, target+" HTTP/1.1\r\n") || !strings.HasSuffix(moved, "\r\n\r\n{\"dir\":\"/x\"}") {
			t.Errorf("%s moved as %q", target, moved)
		}
	}
}

// TestPipelinedTerms: the events of one read share their base, however it grew meanwhile.
func TestPipelinedTerms(t *testing.T) {
	d := newDesk(t, "")
	raw := ""
	for i := range 50 {
		raw += fmt.Sprintf("POST /task/t%d HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: key-%d\r\nContent-Length: 2\r\n\r\n%02d", i, i, i)
		raw += "GET /runs/" + someRun + " HTTP/1.1\r\nHost: localhost\r\n\r\n"
	}
	d.session.Feed([]byte(strings.ReplaceAll(raw, "\r\n\r\n0", "\r\n\r\n1")))
	d.front.Flush()
	if len(d.events) != 100 {
		t.Fatalf("%d events, want 100", len(d.events))
	}
	for i := range 50 {
		e, read := d.events[2*i], d.events[2*i+1]
		terms := said(func(t *dispatch.Terms) { t.Promise, t.Key = true, fmt.Appendf(nil, "key-%d", i) })
		if e.name != fmt.Sprint("t", i) || e.terms != terms || read.run != someRun {
			t.Errorf("request %d: %+v, %+v", i, e, read)
		}
	}
}
