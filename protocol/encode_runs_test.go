package protocol_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"workman/dispatch"
	"workman/protocol"
)

// view encodes a view of the run that the tests show.
func view(state dispatch.RunState, full bool) []byte {
	id, _ := dispatch.ParseID([]byte(someRun))
	v := dispatch.View{ID: id, State: state, Name: []byte("mail")}
	failed := dispatch.Attempt{Number: 1, Began: 1000, Ended: 2000, Error: []byte(`{"title":"no"}`)}
	if full {
		run := dispatch.StoredRun{Policy: dispatch.DefaultPolicy(), Created: 1000, Rank: 4, Name: v.Name, Body: []byte(`{"to": 1}`)}
		v.Run = run.Append(nil)
	}
	if state.Finished() {
		o := dispatch.Outcome{State: state, Finished: 3000, Failures: 1, History: failed.Append(nil)}
		if state == dispatch.Succeeded {
			o.Result = []byte(`[1.0e+2 , 0]`)
		}
		v.Outcome = o.Append(nil)
	}
	return v.Append(nil)
}

const (
	shortMail   = `{"id":"` + someRun + `","task":"mail","state":"`
	locationRun = "Location: /runs/" + someRun + "\r\n"
	attemptOne  = `"run":"` + someRun + `","attempts":[{"number":1,"began":"1970-01-01T00:00:01.000Z","ended":"1970-01-01T00:00:02.000Z","error":{"title":"no"}}]}`
)

var why = dispatch.Why{Code: dispatch.WhyBusy, Ahead: 12, AtLeast: true, Workers: 3, View: dispatch.View{State: dispatch.Pending, Name: []byte("mail")}}

// answered are effects, and what becomes of them: the beginning and the end of an HTTP answer behind its Date, and a
// message to a producer that used terms.
var answered = map[string]struct {
	effect             dispatch.Effect
	nonce              string // an HTTP request's
	head, fields, tail string
	socket             string
}{
	"accepted": {dispatch.Effect{Kind: dispatch.Accepted, Body: view(dispatch.Pending, false)}, "\x02\x03\x14",
		"202 Accepted", locationRun + "Preference-Applied: respond-async, wait=20\r\n", shortMail + `pending"}`,
		`"run":` + shortMail + `pending"}}`},
	"done": {dispatch.Effect{Kind: dispatch.Done, Body: view(dispatch.Succeeded, true)}, "\x02\x03\x14",
		"200 OK", locationRun + "Preference-Applied: wait=20\r\n", `[1.0e+2 , 0]`,
		`"result":[1.0e+2 , 0],"run":` + shortMail + `succeeded"}}`},
	"done, with a key": {dispatch.Effect{Kind: dispatch.Done, Body: view(dispatch.Succeeded, false)}, "",
		"200 OK", locationRun, `[1.0e+2 , 0]`, `"result":[1.0e+2 , 0],"run":` + shortMail + `succeeded"}}`},
	"dead": {dispatch.Effect{Kind: dispatch.Done, Body: view(dispatch.Dead, true)}, "\x02\x02\x14",
		"502 Bad Gateway", locationRun + "Preference-Applied: wait=20\r\n", attemptOne,
		`"error":{"type":"urn:workman:problem:run-failed",…` + attemptOne + `}`},
	"expired": {dispatch.Effect{Kind: dispatch.Done, Body: view(dispatch.Expired, true)}, "",
		"504 Gateway Timeout", locationRun, attemptOne, `"error":{"type":"urn:workman:problem:run-expired",…` + attemptOne + `}`},
	"cancelled": {dispatch.Effect{Kind: dispatch.Done, Body: view(dispatch.Cancelled, true)}, "",
		"409 Conflict", locationRun, attemptOne, `"error":{"type":"urn:workman:problem:run-cancelled",…` + attemptOne + `}`},
	"shown": {dispatch.Effect{Kind: dispatch.Shown, Body: view(dispatch.Succeeded, true)}, "",
		"200 OK", "ETag: ", `"options":{"to": 1},"result":[1.0e+2 , 0]}`, `"run":` + shortMail + `succeeded",…"options":{"to": 1},"result":[1.0e+2 , 0]}}`},
	"changed": {dispatch.Effect{Kind: dispatch.Changed, Body: view(dispatch.Cancelled, true)}, "",
		"202 Accepted", "", `"options":{"to": 1}}`, `"run":` + shortMail + `cancelled",…"options":{"to": 1}}}`},
	"scheduled": {dispatch.Effect{Kind: dispatch.Scheduled, Body: view(dispatch.Waiting, false)}, "",
		"200 OK", "", `{"id":"` + someRun + `"}`, `"result":{"id":"` + someRun + `"}}`},
	"result":      {dispatch.Effect{Kind: dispatch.Result}, "", "200 OK", "", "null", `"result":null}`},
	"unscheduled": {dispatch.Effect{Kind: dispatch.Unscheduled, Found: true}, "", "200 OK", "", `{"found":true}`, `"result":{"found":true}}`},
	"refused": {dispatch.Effect{Kind: dispatch.Refused, Reason: dispatch.Nobody}, "", "503 Service Unavailable", "Retry-After: 5\r\n", "}",
		`"error":{"type":"urn:workman:problem:nobody-registered",…}}`},
	"failed": {dispatch.Effect{Kind: dispatch.Failed, Body: []byte(`{"title":"no","detail":"no way"}`)}, "",
		"502 Bad Gateway", "", `failed: no way","error":{"title":"no","detail":"no way"}}`,
		`"error":{"type":"urn:workman:problem:task-failed",…,"error":{"title":"no","detail":"no way"}}}`},
	"explained": {dispatch.Effect{Kind: dispatch.Explained, Body: why.Append(nil)}, "",
		"200 OK", "", `"reason":"workers-busy","detail":"each of the 3 workers that registered its task has as many as it asked for; ` +
			`at least 12 come before it","ahead":12,"at_least":true,"workers":3}`, `"result":{…"workers":3}}`},
	"malformed": {dispatch.Effect{Kind: dispatch.Shown, Body: []byte{1, 2}}, "",
		"500 Internal Server Error", "", `a newer version"}`, `"error":{"type":"urn:workman:problem:stored",…}}`},
	"malformed outcome": {dispatch.Effect{Kind: dispatch.Done, Body: view(dispatch.Pending, true)}, "",
		"500 Internal Server Error", "", `a newer version"}`, `"error":{"type":"urn:workman:problem:stored",…}}`},
	"malformed why": {dispatch.Effect{Kind: dispatch.Explained}, "",
		"500 Internal Server Error", "", `a newer version"}`, `"error":{"type":"urn:workman:problem:stored",…}}`},
}

func TestEncodeOverHTTP(t *testing.T) {
	for name, c := range answered {
		d := newDesk(t, "")
		d.ask("POST /task/mail", "", "1")
		e := c.effect
		e.Nonce = []byte(c.nonce)
		protocol.Encode(&d.session, &e)
		out := string(d.session.Out)
		if !strings.HasPrefix(out, "HTTP/1.1 "+c.head+"\r\n") || !strings.Contains(out, c.fields) || !strings.HasSuffix(out, c.tail) {
			t.Errorf("%s: want %s, %q and %s in\n%s", name, c.head, c.fields, c.tail, out)
		}
		if c.fields == "" && strings.Contains(out, "Location") {
			t.Errorf("%s: there is a Location in\n%s", name, out)
		}
		if _, body, _ := strings.Cut(out, "\r\n\r\n"); !json.Valid([]byte(body)) {
			t.Errorf("%s: no JSON in\n%s", name, out)
		}
	}
}

func TestEncodeOverWebSocket(t *testing.T) {
	for name, c := range answered {
		for nonce, begin := range map[string]string{"\x01": "{", "\x01{\"a\":\"b\"}": `{"nonce":{"a":"b"},`} {
			d := newDesk(t, "/websocket")
			e := c.effect
			e.Nonce = []byte(nonce)
			protocol.Encode(&d.session, &e)
			out := d.texts()
			pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(begin+c.socket), "…", ".*") + "$"
			if !regexp.MustCompile(pattern).MatchString(out) || !json.Valid([]byte(out)) {
				t.Errorf("%s: got\n%s, want\n%s", name, out, begin+c.socket)
			}
		}
	}
}

// TestOldProducers: who used nothing new is answered as ever.
func TestOldProducers(t *testing.T) {
	for _, c := range []struct {
		effect dispatch.Effect
		want   string
	}{
		{dispatch.Effect{Kind: dispatch.Scheduled, Nonce: []byte("1"), Body: view(dispatch.Waiting, false)}, `{"nonce":1,"result":{"id":"` + someRun + `"}}`},
		{dispatch.Effect{Kind: dispatch.Scheduled, Body: view(dispatch.Waiting, false)}, `{"id":"` + someRun + `"}`},
		{dispatch.Effect{Kind: dispatch.Result, Nonce: []byte(`"a"`), Body: []byte("1")}, `{"nonce":"a","result":1}`},
		{dispatch.Effect{Kind: dispatch.Failed, Nonce: []byte("1"), Body: []byte(`{"detail":"no \"way\""}`)},
			`{"nonce":1,"result":{"error":"Failed: no \"way\""}}`},
		{dispatch.Effect{Kind: dispatch.Refused, Reason: dispatch.StoreFull, Nonce: []byte("1")},
			`{"nonce":1,"result":{"error":"Refused: the disk is nearly full, or more waits to be written than may; try again when there is room"}}`},
	} {
		d := newDesk(t, "/websocket")
		protocol.Encode(&d.session, &c.effect)
		if got := d.texts(); got != c.want {
			t.Errorf("got\n%s, want\n%s", got, c.want)
		}
	}
}

// TestReasons: each reason has a status, a type and a text, and those that may be tried again say when.
func TestReasons(t *testing.T) {
	seen := map[string]bool{}
	for r := dispatch.TooMany; r <= dispatch.StaleLease; r++ {
		d := newDesk(t, "")
		d.ask("POST /task/mail", "", "1")
		protocol.Encode(&d.session, &dispatch.Effect{Kind: dispatch.Refused, Reason: r})
		out := string(d.session.Out)
		kind := regexp.MustCompile(`"type":"urn:workman:problem:([a-z-]+)"`).FindStringSubmatch(out)
		if kind == nil || seen[kind[1]] {
			t.Fatalf("reason %d: %s", r, out)
		}
		seen[kind[1]] = true
		if strings.Contains(out, "Retry-After: ") != strings.HasPrefix(out, "HTTP/1.1 503") {
			t.Errorf("reason %d: %s", r, out)
		}
	}
}

// TestETag: the tag of a document makes the next answer a 304 without it; another state has another tag.
func TestETag(t *testing.T) {
	show := func(head string, state dispatch.RunState, method string) string {
		d := newDesk(t, "")
		d.ask(method+" /runs/"+someRun, head, "")
		protocol.Encode(&d.session, &dispatch.Effect{Kind: dispatch.Shown, Nonce: []byte(d.one().nonce), Body: view(state, true)})
		return string(d.session.Out)
	}
	tag := regexp.MustCompile(`ETag: ("[0-9a-f]{16}")\r\n`).FindStringSubmatch(show("", dispatch.Succeeded, "GET"))
	if tag == nil {
		t.Fatal("there is no ETag")
	}
	for _, head := range []string{tag[1], "W/" + tag[1], `"x", ` + tag[1], "*"} {
		out := show("If-None-Match: "+head+"\n", dispatch.Succeeded, "GET")
		if !strings.HasPrefix(out, "HTTP/1.1 304 ") || !strings.Contains(out, "ETag: "+tag[1]) || !strings.HasSuffix(out, "\r\n\r\n") {
			t.Errorf("If-None-Match: %s: %s", head, out)
		}
	}
	if out := show("If-None-Match: "+tag[1]+"\n", dispatch.Cancelled, "GET"); !strings.HasPrefix(out, "HTTP/1.1 200 ") || strings.Contains(out, tag[1]) {
		t.Errorf("another state: %s", out)
	}
	if out := show("", dispatch.Succeeded, http.MethodHead); !strings.Contains(out, "ETag: "+tag[1]) || !strings.HasSuffix(out, "\r\n\r\n") {
		t.Errorf("HEAD: %s", out)
	}
}

func TestHandOutToNewWorkers(t *testing.T) {
	id, _ := dispatch.ParseID([]byte(someRun))
	token, _ := dispatch.ParseToken([]byte("abcdefghijklmnopabcdefgh"))
	for _, c := range []struct {
		ticket dispatch.Ticket
		body   string
		want   string
	}{
		{dispatch.Ticket{Run: id, Attempt: 2, Fence: 4294967297, Deadline: 1000, Traceparent: []byte(someTrace)}, `{"to": 1}`,
			`{"name":"mail","options":{"to": 1},"run":"` + someRun + `","attempt":2,"fence":4294967297,"deadline":"1970-01-01T00:00:01.000Z",` +
				`"traceparent":"` + someTrace + `","nonce":"abcdefghijklmnopabcdefgh"}`},
		{dispatch.Ticket{Attempt: 1, Fence: 1}, "", `{"name":"mail","attempt":1,"fence":1,"nonce":"abcdefghijklmnopabcdefgh"}`},
	} {
		d := newDesk(t, "/worker")
		e := dispatch.Effect{Kind: dispatch.HandOut, Name: []byte("mail"), Token: token, Body: []byte(c.body)}
		protocol.Encode(&d.session, &e)
		before := d.texts() // what a worker of old gets
		e.Nonce = c.ticket.Append(nil)
		d.session.Out = nil
		protocol.Encode(&d.session, &e)
		if got := d.texts(); got != c.want {
			t.Errorf("got\n%s, want\n%s", got, c.want)
		}
		if strings.Contains(before, "attempt") || !strings.Contains(before, "abcdefghijklmnopabcdefgh") {
			t.Errorf("a worker of old gets %s", before)
		}
		d.session.Out = nil
		e.Nonce = e.Nonce[:10]
		if protocol.Encode(&d.session, &e); d.texts() != before {
			t.Errorf("a ticket that is none: %s", d.texts())
		}
	}
	d := newDesk(t, "/worker")
	protocol.Encode(&d.session, &dispatch.Effect{Kind: dispatch.Cancel, Token: token})
	if got := d.texts(); got != `{"event":"Cancel","nonce":"abcdefghijklmnopabcdefgh"}` {
		t.Errorf("Cancel: %s", got)
	}
}

// FuzzEncode: whatever a view's bytes are, there is an answer, and nothing panics.
func FuzzEncode(f *testing.F) {
	for _, c := range answered {
		f.Add(uint8(c.effect.Kind), c.effect.Body, []byte(c.nonce))
	}
	f.Fuzz(func(t *testing.T, kind uint8, body, nonce []byte) {
		switch k := dispatch.EffectKind(kind); k {
		case dispatch.Scheduled, dispatch.Accepted, dispatch.Done, dispatch.Shown, dispatch.Changed, dispatch.Explained:
			d := newDesk(t, "")
			d.ask("POST /task/mail", "", "1")
			protocol.Encode(&d.session, &dispatch.Effect{Kind: k, Body: body, Nonce: nonce})
			if out := string(d.session.Out); !strings.HasPrefix(out, "HTTP/1.1 ") || !strings.Contains(out, "\r\n\r\n") {
				t.Fatalf("%v %q: %s", k, body, out)
			}
		}
	})
}
