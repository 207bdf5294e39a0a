package protocol_test

import (
	"fmt"
	"strings"
	"testing"

	"workman/dispatch"
	"workman/protocol"
)

// someLease is the nonce of a leased task, and leaseSecret the second half of it as the dispatcher takes it.
const (
	someLease   = someNonce + "aaaaaaaaaaaaaabc"
	leaseSecret = "\x00\x00\x00\x00\x00\x00\x00\x12"
)

func TestTakeLease(t *testing.T) {
	usual := heard{kind: dispatch.TakeLease, body: "a\n", count: 1, at: 30_000, token: dispatch.Token{Secret: 60_000}}
	with := func(set func(*heard)) heard { h := usual; set(&h); return h }
	for body, want := range map[string]heard{
		`{"tasks":["a"]}`: usual,
		`{"tasks":["a"],"count":null,"wait":null,"for":null}`: usual,
		` { "tasks" : [ "a" , "b\u00e9" ] , "count" : 100 } `: with(func(h *heard) { h.body, h.count = "a\nbé\n", 100 }),
		`{"wait":0,"for":"1h","tasks":["a"]}`:                 with(func(h *heard) { h.at, h.token.Secret = 0, 3600_000 }),
		`{"wait":"10m","for":1,"tasks":["a"]}`:                with(func(h *heard) { h.at, h.token.Secret = 600_000, 1000 }),
		`{"tasks":[` + strings.Repeat(`"a",`, 99) + `"a"]}`:   with(func(h *heard) { h.body = strings.Repeat("a\n", 100) }),
	} {
		d := newDesk(t, "")
		if out := d.ask("POST /lease", "", body); out != "" || d.one() != want {
			t.Errorf("%s: %q\n%+v, want\n%+v", body, out, d.events, want)
		}
	}
}

func TestTakeLeaseIsRefused(t *testing.T) {
	d := newDesk(t, "")
	for body, want := range map[string]string{
		``:                              `422 bad-term…tasks is missing: want the names`,
		`nope`:                          `400 bad-json…the body is not JSON`,
		`["a"]`:                         `422 bad-term…want an object`,
		`{"tasks":"a"}`:                 `422 bad-term…want the names of the tasks`,
		`{"tasks":[]}`:                  `422 bad-term…tasks is empty`,
		`{"tasks":[1]}`:                 `422 bad-term…tasks has \"1\" as number 1`,
		`{"tasks":["a",""]}`:            `400 bad-name…tasks: `,
		`{"tasks":["a\n"]}`:             `400 bad-name…tasks: `,
		`{"tasks":["\ud800"]}`:          `400 bad-name…tasks: `,
		`{"tasks":["a\ud800b"]}`:        `400 bad-name…half of a surrogate pair`,
		`{"tasks":["a"],"tasks":["a"]}`: `422 bad-term…\"tasks\" is given twice`,
		`{"tasks":["a"],"name":"a"}`:    `422 bad-term…\"name\" is no member of this request's body; there are count, for, tasks, wait`,
		`{"tasks":["a"],"count":101}`:   `422 bad-term…is no value for count: want a whole number from 1 to 100`,
		`{"tasks":["a"],"count":0}`:     `422 bad-term…`,
		`{"tasks":["a"],"wait":"11m"}`:  `422 bad-term…is no value for wait: want from 0s to 10m0s`,
		`{"tasks":["a"],"wait":[]}`:     `422 bad-term…is no value for wait: want a duration`,
		`{"tasks":["a"],"for":0.5}`:     `422 bad-term…is no value for for: want from 1s to 24h0m0s`,
		`{"tasks":["a"],"for":"25h"}`:   `422 bad-term…`,
		`{"tasks":[` + strings.Repeat(`"a",`, 100) + `"b"]}`: `422 bad-term…tasks has \"\"b\"\" as number 101`,
	} {
		status, rest, _ := strings.Cut(want, " ")
		kind, detail, _ := strings.Cut(rest, "…")
		out := d.ask("POST /lease", "", body)
		if !strings.HasPrefix(out, "HTTP/1.1 "+status) || !strings.Contains(out, `"type":"urn:workman:problem:`+kind+`"`) ||
			!strings.Contains(strings.ReplaceAll(out, `\\`, ``), strings.ReplaceAll(detail, `\\`, ``)) || len(d.events) > 0 {
			t.Errorf("%s: %+v, want %s in\n%s", body, d.events, want, out)
		}
	}
	for target, status := range map[string]string{
		"GET /lease": "405", "POST /lease?wait=1": "422", "POST /lease/": "404", "POST /lease/" + someLease: "405", "DELETE /lease/x": "404",
		"POST /lease/" + someLease + "/bogus": "404", "GET /lease/" + someLease + "/result": "405", "POST /lease/" + someNonce + "/result": "404",
		"POST /lease/" + strings.ToUpper(someLease) + "/result": "404", "POST /lease/" + strings.Repeat("a", 40) + "/result": "404",
		"POST /lease/" + someLease + "/result/x": "404", "POST /lease/" + someLease + "/error?retry=false": "422",
	} {
		if out := d.ask(target, "", "1"); !strings.HasPrefix(out, "HTTP/1.1 "+status) || len(d.events) > 0 {
			t.Errorf("%s: %+v, want %s in\n%s", target, d.events, status, out)
		}
	}
}

func TestOfLease(t *testing.T) {
	sent := heard{kind: dispatch.SendError, at: dispatch.Usually}
	failed := func(at int64, body string) heard { h := sent; h.at, h.body = at, body; return h }
	for _, c := range []struct {
		target, body string
		want         heard
	}{
		{"POST /result", ` {"a": 1} `, heard{kind: dispatch.SendResult, body: `{"a": 1}`}},
		{"POST /result", ``, heard{kind: dispatch.SendResult}},
		{"POST /result", `null`, heard{kind: dispatch.SendResult, body: "null"}},
		{"POST /error", ``, failed(dispatch.Usually, `{"detail":"the worker did not say why"}`)},
		{"POST /error", `"no way"`, failed(dispatch.Usually, `{"detail":"no way"}`)},
		{"POST /error", `{"title":"no","retry":5}`, failed(dispatch.Usually, `{"title":"no","retry":5}`)},
		{"POST /error", `{"error":{"title":"no"},"after":"5s"}`, failed(5000, `{"title":"no"}`)},
		{"POST /error", `{"error":"no","retry":false,"after":"5s"}`, failed(dispatch.Never, `{"detail":"no"}`)},
		{"POST /error", `{"error":null,"retry":true}`, failed(dispatch.Usually, `{"detail":"the worker did not say why"}`)},
		{"POST /extend", ``, heard{kind: dispatch.Extend, at: 60_000}},
		{"POST /extend", `{}`, heard{kind: dispatch.Extend, at: 60_000}},
		{"POST /extend", `{"for":"24h"}`, heard{kind: dispatch.Extend, at: 24 * 3600_000}},
		{"POST /progress", `{"note":"half","value":0.5}`, heard{kind: dispatch.Progress, body: `{"value":0.5,"note":"half"}`}},
		{"DELETE ", ``, heard{kind: dispatch.HandBack}},
	} {
		d := newDesk(t, "")
		method, rest, _ := strings.Cut(c.target, " ")
		c.want.token, c.want.nonce = someToken, leaseSecret
		if out := d.ask(method+" /lease/"+someLease+rest, "", c.body); out != "" || d.one() != c.want {
			t.Errorf("%s %s: %q\n%+v, want\n%+v", c.target, c.body, out, d.events, c.want)
		}
	}
	d := newDesk(t, "")
	for target, body := range map[string]string{
		"error": `{"error":"no","bogus":1}`, "extend": `{"for":"25h"}`, "progress": `{"value":null}`, "result": `{`,
	} {
		if out := d.ask("POST /lease/"+someLease+"/"+target, "", body); !strings.HasPrefix(out, "HTTP/1.1 4") || len(d.events) > 0 {
			t.Errorf("%s %s: %q, %+v", target, body, out, d.events)
		}
	}
}

// TestLeasesAreAnswered: the tasks of one lease make one answer, also if others are answered before all have come, and if
// two requests of a connection wait.
func TestLeasesAreAnswered(t *testing.T) {
	d := newDesk(t, "")
	ticket := dispatch.Ticket{Attempt: 2, Fence: 9, Deadline: 1000, Secret: 0x12, Traceparent: []byte(someTrace)}
	leased := func(seq uint64, name string, more bool) dispatch.Effect {
		return dispatch.Effect{Kind: dispatch.Leased, To: d.session.ID, Seq: seq, Name: []byte(name), Body: []byte(`{"x": 1}`), Token: someToken,
			Nonce: ticket.Append(nil), Found: more}
	}
	tell := func(e dispatch.Effect) string {
		d.session.Out = nil
		protocol.Encode(&d.session, &e)
		return string(d.session.Out)
	}
	for range 6 {
		d.ask("POST /lease", "", `{"tasks":["a"]}`)
	}
	task := func(name string) string {
		return fmt.Sprintf(`{"name":%q,"options":{"x": 1},"attempt":2,"fence":9,"deadline":"1970-01-01T00:00:01.000Z","traceparent":"%s","nonce":"%s"}`,
			name, someTrace, someLease)
	}
	for i, c := range []struct {
		effect    dispatch.Effect
		head, end string
	}{
		{leased(0, "a", true), "", ""},
		{leased(0, "b", false), "200 OK", "\r\n\r\n{\"tasks\":[" + task("a") + "," + task("b") + "]}"},
		{leased(1, "lost with its connection", true), "", ""}, // as it looks like to the next
		{dispatch.Effect{Kind: dispatch.NoLease, Seq: 1}, "200 OK", "\r\n\r\n{\"tasks\":[]}"},
		{leased(2, "c", false), "200 OK", "\r\n\r\n{\"tasks\":[" + task("c") + "]}"},
		{dispatch.Effect{Kind: dispatch.LeaseTaken, Seq: 3}, "204 No Content", "\r\n\r\n"},
		{dispatch.Effect{Kind: dispatch.Refused, Reason: dispatch.StaleLease, Seq: 4}, "409 Conflict", "}"},
		{dispatch.Effect{Kind: dispatch.LeaseTaken, Found: true, Seq: 5}, "200 OK", "\r\n\r\n{\"cancel\":true}"},
	} {
		c.effect.To = d.session.ID
		out := tell(c.effect)
		if c.head == "" && out != "" || c.head != "" && (!strings.HasPrefix(out, "HTTP/1.1 "+c.head) || !strings.HasSuffix(out, c.end)) {
			t.Errorf("effect %d: %q, want %s … %s", i, out, c.head, c.end)
		}
	}
}
