package protocol_test

import (
	"fmt"
	"strings"
	"testing"

	"workman/dispatch"
	"workman/protocol"
)

const (
	workersHello = `{"action":"Hello","version":1}`
	someNonce    = "abcdefghijklmnopabcdefgh"
)

var someToken, _ = dispatch.ParseToken([]byte(someNonce))

// newWorker is the desk of a worker that said Hello, and was answered.
func newWorker(t testing.TB) *desk {
	t.Helper()
	d := newDesk(t, "/worker")
	d.say(workersHello)
	if got := d.tell(dispatch.Effect{Kind: dispatch.Welcome, Token: someToken}); !strings.HasPrefix(got, `{"event":"Hello",`) {
		t.Fatalf("Hello is answered with %q", got)
	}
	return d
}

// tell sends an effect, and returns what is written.
func (d *desk) tell(e dispatch.Effect) string {
	d.session.Out = nil
	e.To = d.session.ID
	protocol.Encode(&d.session, &e)
	return d.texts()
}

var nothing = heard{kind: dispatch.SendResult} // what makes no sense, as it is counted

func TestHello(t *testing.T) {
	d := newDesk(t, "/worker")
	// Before Hello nobody is answered, and what came with it is counted as what makes no sense.
	const of = `"nonce":"` + someNonce + `"`
	for _, m := range []string{
		`{"action":"SendError",` + of + `,"error":"no"}`, "not JSON", `{"action":"Bogus"}`, `{"action":"RegisterTask","name":""}`,
		`{"action":"Extend",` + of + `,"for":"30s"}`, `{"action":"Progress",` + of + `,"value":1}`, `{"action":"Drain"}`, `{"action":"Drain",` + of + `}`,
		`{"action":"RunTasks","name":"a","options":[]}`,
	} {
		if out := d.say(m); out != "" || d.one() != nothing {
			t.Errorf("%s before Hello: %q, %+v", m, out, d.events)
		}
	}
	// But who wants to say it is told how.
	for m, want := range map[string]string{
		`{"action":"Hello"}`: "is no value for version: want 1", `{"action":"Hello","version":1,"session":7}`: "is no value for session",
	} {
		if out := d.say(m); !strings.HasPrefix(out, `{"event":"Error","error":{"type":"urn:workman:problem:bad-term"`) || !strings.Contains(out, want) || d.one() != nothing {
			t.Errorf("%s: %q, %+v, want %s", m, out, d.events, want)
		}
	}
	if out := d.say(workersHello); out != "" || d.one() != (heard{kind: dispatch.SayHello}) {
		t.Errorf("Hello: %q, %+v", out, d.events)
	}
	const answer = `{"event":"Hello","version":1,"heartbeat":30,"session":"` + someNonce + `","grace":5`
	if out := d.tell(dispatch.Effect{Kind: dispatch.Welcome, Token: someToken}); out != answer+`}` {
		t.Errorf("its answer: %q", out)
	}
	other := dispatch.Token{Slot: 1, Secret: 2}
	for _, c := range []struct {
		with []dispatch.Token
		want string
	}{
		{nil, `[]`}, {[]dispatch.Token{someToken}, `["` + someNonce + `"]`},
		{[]dispatch.Token{other, someToken}, `["aaaaaaabaaaaaaaaaaaaaaac","` + someNonce + `"]`},
	} {
		var body []byte
		for _, k := range c.with {
			body = dispatch.AppendTokens(body, k)
		}
		if out := d.tell(dispatch.Effect{Kind: dispatch.Welcome, Token: someToken, Found: true, Body: body}); out != answer+`,"resumed":`+c.want+`}` {
			t.Errorf("resumed with %v: %q", c.with, out)
		}
	}
}

// TestHelloNamesItsSession: a text that cannot be one is a session that is over.
func TestHelloNamesItsSession(t *testing.T) {
	for session, want := range map[string]dispatch.Token{`"` + someNonce + `"`: someToken, `"x"`: {}, `""`: {}, `null`: {}} {
		d := newDesk(t, "/worker")
		d.say(`{"action":"Hello","version":7,"session":` + session + `}`)
		if got := d.one(); got != (heard{kind: dispatch.SayHello, token: want}) {
			t.Errorf("session %s: %+v", session, got)
		}
	}
}

// TestNothingOvertakesHello: what is wrong with messages right behind Hello is said behind its answer; of a connection
// that has gone, never.
func TestNothingOvertakesHello(t *testing.T) {
	d, gone := newDesk(t, "/worker"), protocol.Session{}
	d.framing.Start(&gone, 2)
	gone.Feed([]byte(strings.Replace(handshake, "GET /ws", "GET /worker", 1)))
	gone.Feed([]byte(masked(1, true, workersHello) + masked(1, true, "{}")))
	if out := d.say(workersHello, `{"action":"Bogus"}`, `{"action":"RegisterTask","name":"a"}`, "no"); out != "" || len(d.events) != 4+2 {
		t.Fatalf("before the answer: %q, %+v", out, d.events)
	}
	gone.End()
	lines := strings.Split(d.tell(dispatch.Effect{Kind: dispatch.Welcome, Token: someToken}), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], `{"event":"Hello"`) || !strings.Contains(lines[1], "Bogus") || !strings.Contains(lines[2], "bad-json") {
		t.Errorf("Hello and two errors: %q", lines)
	}
	if out := d.tell(dispatch.Effect{Kind: dispatch.Welcome, Token: someToken}); strings.Contains(out, "Error") {
		t.Errorf("and again: %q", out)
	}
}

// TestNameTooMany: a worker is told which of its names is not registered, and why.
func TestNameTooMany(t *testing.T) {
	got := newWorker(t).tell(dispatch.Effect{Kind: dispatch.Refused, Reason: dispatch.TooManyName, Name: []byte("resize")})
	if !strings.HasPrefix(got, `{"event":"Error","error":{"type":"urn:workman:problem:names-full",`) || !strings.Contains(got, `resize\" is not registered: as many`) {
		t.Error(got)
	}
}

// TestWorkIsRefused: what is wrong with a message of a worker that said Hello is said, and counted.
func TestWorkIsRefused(t *testing.T) {
	const of = `"nonce":"` + someNonce + `"`
	d := newWorker(t)
	for m, want := range map[string]string{
		"not JSON": "bad-json…", `[]`: "bad-message…", `{"action":"Bogus"}`: "bad-message…none of a worker's: Bogus",
		`{"action":"RunTasks"}`:                                       "bad-message…none of a worker's: RunTasks",
		`{"action":"RegisterTask","name":""}`:                         "bad-name…",
		`{"action":"RegisterTask","name":"a","concurrency":0}`:        `bad-term…\"0\" is no value for concurrency: want a whole number from 1 to 65536`,
		`{"action":"RegisterTask","name":"a","concurrency":65537}`:    "bad-term…",
		`{"action":"GetTask","count":0}`:                              `bad-term…is no value for count: want a whole number from 1 to 65536`,
		`{"action":"GetTask","count":"2"}`:                            "bad-term…",
		`{"action":"GetTask","count":1.5}`:                            "bad-term…",
		`{"action":"SendResult","result":1}`:                          `bad-message…\"nonce\" is missing`,
		`{"action":"SendResult","nonce":"x","result":1}`:              `bad-message…is no nonce of a task`,
		`{"action":"SendResult",` + of + `,"credit":-1}`:              `bad-term…is no value for credit: want a whole number from 0 to 65536`,
		`{"action":"SendError",` + of + `,"credit":[]}`:               "bad-term…",
		`{"action":"SendError"}`:                                      `bad-message…\"nonce\" is missing`,
		`{"action":"Hello","version":"x"}`:                            "bad-term…",
		`{"action":"Hello","version":1,"session":{}}`:                 "bad-term…is no value for session",
		`{"action":"SendError","retry":1}`:                            "bad-term…",
		`{"action":"SendError","after":{}}`:                           "bad-term…is no value for after: want a duration",
		`{"action":"Extend",` + of + `}`:                              "bad-term…for is missing: want a duration",
		`{"action":"Extend",` + of + `,"for":0}`:                      "bad-term…want from 1ms to 24h0m0s",
		`{"action":"Extend",` + of + `,"for":"25h"}`:                  "bad-term…want from 1ms to 24h0m0s",
		`{"action":"Extend",` + of + `,"for":true}`:                   "bad-term…is no value for for",
		`{"action":"Extend","for":1}`:                                 `bad-message…`,
		`{"action":"Progress",` + of + `}`:                            "bad-term…a progress says how far it is",
		`{"action":"Progress",` + of + `,"note":5}`:                   "bad-term…is no value for note: want a text",
		`{"action":"Progress","value":5}`:                             `bad-message…`,
		`{"action":"Progress",` + of + `,` + progressOf(1024+1) + `}`: "bad-term…1024 bytes",
		`{"action":"Drain","return":1}`:                               "bad-term…is no value for return",
		`{"action":"Drain","nonce":"x"}`:                              "bad-message…",
		`{"action":"Drain","nonce":"aaaaaaaaaaaaaaaaaaaaaaaa"}`:       "bad-message…",
		`{"action":"Drain","nonce":null}`:                             "bad-message…",
		`{"action":"Drain",` + of + `,"return":true}`:                 "bad-term…want one of the two",
	} {
		kind, detail, _ := strings.Cut(want, "…")
		out := d.say(m)
		if !strings.HasPrefix(out, `{"event":"Error","error":{"type":"urn:workman:problem:`+kind+`",`) || !strings.Contains(out, detail) || d.one() != nothing {
			t.Errorf("%s: %q, %+v, want %s", m, out, d.events, want)
		}
	}
}

// progressOf is what an object of so many bytes says of a progress.
func progressOf(size int) string {
	return `"note":"` + strings.Repeat("x", size-len(`{"value":5,"note":""}`)) + `","value":5`
}

func TestWork(t *testing.T) {
	const of = `"nonce":"` + someNonce + `"`
	long := progressOf(1024)
	for m, want := range map[string]heard{
		`{"action":"RegisterTask","name":"a","concurrency":7}`:          {kind: dispatch.RegisterTask, name: "a", count: 7},
		`{"action":"RegisterTask","name":"a","concurrency":null}`:       {kind: dispatch.RegisterTask, name: "a"},
		`{"action":"GetTask","count":65536}`:                            {kind: dispatch.GetTask, count: 65536},
		`{"action":"GetTask","count":null}`:                             {kind: dispatch.GetTask, count: 1},
		`{"credit":3,"action":"SendResult",` + of + `,"result":{}}`:     {kind: dispatch.SendResult, token: someToken, body: "{}", count: 3},
		`{"action":"SendResult",` + of + `,"credit":0}`:                 {kind: dispatch.SendResult, token: someToken},
		`{"action":"SendError",` + of + `,"error":"no","credit":2}`:     {kind: dispatch.SendError, token: someToken, body: `{"detail":"no"}`, count: 2, at: dispatch.Usually},
		`{"action":"Extend",` + of + `,"for":"1m30s"}`:                  {kind: dispatch.Extend, token: someToken, at: 90_000},
		`{"action":"Extend",` + of + `,"for":0.5}`:                      {kind: dispatch.Extend, token: someToken, at: 500},
		`{"action":"Progress",` + of + `,"value":[1, 2]}`:               {kind: dispatch.Progress, token: someToken, body: `{"value":[1, 2]}`},
		`{"action":"Progress",` + of + `,"note":"half\n","value":null}`: {kind: dispatch.Progress, token: someToken, body: `{"note":"half\n"}`},
		`{"note":"x","action":"Progress",` + of + `,"value":false}`:     {kind: dispatch.Progress, token: someToken, body: `{"value":false,"note":"x"}`},
		`{"action":"Drain"}`:                                            {kind: dispatch.HandBack},
		`{"action":"Drain","return":false}`:                             {kind: dispatch.HandBack},
		`{"action":"Drain","return":true}`:                              {kind: dispatch.HandBack, count: 1},
		`{"action":"Drain",` + of + `}`:                                 {kind: dispatch.HandBack, token: someToken},
		`{"action":"Progress",` + of + `,` + long + `}`:                 {kind: dispatch.Progress, token: someToken, body: `{"value":5,` + long[:len(long)-len(`,"value":5`)] + `}`},
	} {
		d := newWorker(t)
		if out := d.say(m); out != "" || d.one() != want {
			t.Errorf("%s: %q\n%+v, want\n%+v", m, out, d.events, want)
		}
	}
	// For a worker of old they are keys that nobody knows.
	for m, want := range map[string]heard{
		`{"action":"RegisterTask","name":"a","concurrency":7}`: {kind: dispatch.RegisterTask, name: "a"},
		`{"action":"GetTask","count":"x"}`:                     {kind: dispatch.GetTask, count: 1},
		`{"action":"SendResult",` + of + `,"credit":3}`:        {kind: dispatch.SendResult, token: someToken},
	} {
		d := newDesk(t, "/worker")
		for range 3 { // as decoded, and as learned
			if out := d.say(m); out != "" || d.one() != want {
				t.Errorf("%s of old: %q, %+v", m, out, d.events)
			}
		}
	}
}

// TestCreditsAddUp: results and what they ask for are one event; so are GetTasks, up to a bound.
func TestCreditsAddUp(t *testing.T) {
	d := newWorker(t)
	many := `{"action":"GetTask","count":65536}`
	d.say(combinedMessage, getTaskMessage, `{"action":"GetTask","count":5}`, sendResultMessage, many, many, many, getTaskMessage)
	var got []string
	for _, e := range d.events {
		got = append(got, fmt.Sprint(e.kind == dispatch.SendResult, " ", e.count))
	}
	if want := "[true 7 true 65536 false 65536 false 65536 false 1]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestWorkersAreTold(t *testing.T) {
	d := newWorker(t)
	for kind, want := range map[dispatch.EffectKind]string{
		dispatch.Late:        `{"event":"Late","nonce":"` + someNonce + `"}`,
		dispatch.Cancel:      `{"event":"Cancel","nonce":"` + someNonce + `"}`,
		dispatch.NoMoreTasks: `{"event":"Drain"}`,
	} {
		if got := d.tell(dispatch.Effect{Kind: kind, Token: someToken}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	d.events = nil
	protocol.Encode(&d.session, &dispatch.Effect{Kind: dispatch.Hangup, To: d.session.ID})
	d.front.Flush()
	if d.session.Phase() != protocol.PhaseClosing || !strings.Contains(string(d.session.Out), "\x03\xf0another connection") || d.one().kind != dispatch.Gone {
		t.Errorf("hung up: phase %v, %q, %+v", d.session.Phase(), d.session.Out, d.events)
	}
}
