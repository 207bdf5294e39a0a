package protocol_test

import (
	"fmt"
	"strings"
	"testing"

	"workman/dispatch"
	"workman/protocol"
)

func TestTermsOverWebSocket(t *testing.T) {
	promised := func(set func(*dispatch.Terms)) string {
		return said(func(t *dispatch.Terms) { t.Promise = true; set(t) })
	}
	async := promised(func(t *dispatch.Terms) { t.Reply = dispatch.ReplyAccepted })
	for _, c := range []struct{ fields, nonce, terms string }{
		{`"nonce":1,"durable":true`, "\x011", async},
		{`"durable":true`, "\x01", async},
		{`"durable":false,"nonce": "a\u0062"`, "\x01\"a\\u0062\"", said(func(*dispatch.Terms) {})},
		{`"nonce":1,"durable":null`, "\x011", ""},
		{`"nonce":1,"wait":"20s"`, "\x011", promised(func(t *dispatch.Terms) { t.Wait = 20_000 })},
		{`"nonce":1,"wait":0.5,"durable":true`, "\x011", promised(func(t *dispatch.Terms) { t.Wait = 500 })},
		{`"nonce":1,"wait":0`, "\x011", async},
		{`"nonce":1,"key":"\u00e9"`, "\x011", promised(func(t *dispatch.Terms) { t.Key = []byte("é") })},
		{`"nonce":1,"priority":9,"ttl":"30s","deadline":"2027-01-31T12:00:00Z","unstaffed":"refuse","traceparent":"` + someTrace + `"`, "\x011",
			said(func(t *dispatch.Terms) {
				t.Priority, t.TTL, t.Deadline, t.Staffed, t.Traceparent = 9, 30_000, 1801396800000, true, []byte(someTrace)
			})},
		{`"attempts":3,"backoff":1.5,"backoff_max":"2m30s","timeout":60,"keep":"48h","callback":"https://a.example/"`, "\x01",
			promised(func(t *dispatch.Terms) {
				t.Attempts, t.Backoff, t.BackoffMax, t.Timeout, t.Keep = 3, 1500, 150_000, 60_000, 48*3600_000
				t.Callback = []byte("https://a.example/")
			})},
		{`"labels":{ "team" : "blue" , "n\u006fte":"a:b" }`, "\x01", promised(func(t *dispatch.Terms) { t.Labels = []byte("team:blue\nnote:a:b\n") })},
		{`"labels":{}`, "\x01", promised(func(*dispatch.Terms) {})},
	} {
		d := newDesk(t, "/websocket")
		if out := d.say(`{"action":"RunTask","name":"w\u006frk","options":{"x": 1},` + c.fields + `}`); out != "" {
			t.Errorf("%s is answered: %s", c.fields, out)
			continue
		}
		want := heard{kind: dispatch.RunTask, name: "work", body: `{"x": 1}`, terms: c.terms, nonce: c.nonce}
		if got := d.one(); got != want {
			t.Errorf("%s:\n%+v, want\n%+v", c.fields, got, want)
		}
	}
	d := newDesk(t, "/websocket")
	d.say(`{"action":"ScheduleTask","name":"x","when":"2099-01-01T00:00:00Z","key":"k","durable":true}`)
	want := heard{kind: dispatch.ScheduleTask, name: "x", at: 4070908800000, nonce: "\x01", terms: promised(func(t *dispatch.Terms) {
		t.Reply, t.Key = dispatch.ReplyID, []byte("k")
	})}
	if got := d.one(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestTermsAreRefusedOverWebSocket: with the type of the problem, apart from results.
func TestTermsAreRefusedOverWebSocket(t *testing.T) {
	const run = `{"action":"RunTask","name":"work","nonce":7,`
	for message, want := range map[string]string{
		run + `"priority":10}`:                             `bad-term…\"10\" is no value for priority: want a whole number from 0 to 9`,
		run + `"priority":"5"}`:                            `bad-term…is no value for priority`,
		run + `"durable":"yes"}`:                           `bad-term…want true or false`,
		run + `"ttl":-5}`:                                  `bad-term…\"-5\" is no value for ttl`,
		run + `"ttl":[]}`:                                  `bad-term…is no value for ttl`,
		run + `"wait":"soon"}`:                             `bad-term…is no value for wait`,
		run + `"key":5}`:                                   `bad-key…`,
		run + `"key":""}`:                                  `bad-key…`,
		run + `"key":"\ud800"}`:                            `bad-key…`,
		run + `"labels":["a"]}`:                            `bad-term…is no value for labels`,
		run + `"labels":{"a":1}}`:                          `bad-term…is no value for labels`,
		run + `"labels":{"a:b":"c"}}`:                      `bad-term…is no value for labels`,
		run + `"labels":{"a":"1","a":"2"}}`:                `bad-term…is no value for labels`,
		run + `"callback":"http://x/"}`:                    `bad-term…want https`,
		run + `"ttl":1,"ttl":1}`:                           `bad-message…\"ttl\" is given twice`,
		`{"action":"RunTask","name":"","nonce":7,"ttl":1}`: `bad-name…`,
		`{"action":"ScheduleTask","name":"x","when":"soon","nonce":7,"key":"a"}`:                   `bad-time…`,
		`{"action":"ScheduleTask","name":"x","when":"2099-01-01T00:00:00Z","nonce":7,"wait":"1s"}`: `bad-term…wait is no term of ScheduleTask`,
		`{"action":"Bogus","nonce":7,"key":"a"}`:                                                   `bad-message…unknown action Bogus`,
		`{"action":"GetRun","nonce":7}`:                                                            `no-such-run…`,
		`{"action":"GetRun","id":"15d7b577015.87d","nonce":7}`:                                     `no-such-run…`,
		`{"action":"CancelRun","id":"` + someRun + `","nonce":7,"wait":1}`:                         `bad-term…this action has no terms`,
		`{"action":"GetRun","id":"` + someRun + `","nonce":7,"priority":1}`:                        `bad-term…this action has no terms`,
		`{"action":"GetRun","id":"` + someRun + `","nonce":7,"wait":"x"}`:                          `bad-term…is no value for wait`,
	} {
		d := newDesk(t, "/websocket")
		out := d.say(message)
		kind, detail, _ := strings.Cut(want, "…")
		if !strings.HasPrefix(out, `{"nonce":7,"error":{"type":"urn:workman:problem:`+kind+`"`) || !strings.Contains(out, detail) ||
			!strings.HasSuffix(out, "}}") || len(d.events) > 0 {
			t.Errorf("%s: %+v, want %s in\n%s", message, d.events, want, out)
		}
	}
}

func TestRunsOverWebSocket(t *testing.T) {
	for message, want := range map[string]heard{
		`{"nonce":{"a":1},"action":"GetRun","id":"` + someRun + `"}`: {kind: dispatch.ReadRun, nonce: "\x01{\"a\":1}"},
		`{"action":"GetRun","id":"` + someRun + `","wait":"30s"}`:    {kind: dispatch.ReadRun, at: 30_000, nonce: "\x01"},
		`{"action":"CancelRun","id":"` + someRun + `","nonce": 2}`:   {kind: dispatch.CancelRun, nonce: "\x012"},
		`{"action":"RetryRun","id":"` + someRun + `"}`:               {kind: dispatch.RetryRun, nonce: "\x01"},
		`{"id":"\u0030` + someRun[1:] + `","nonce":3}`:               {kind: dispatch.UnscheduleTask, nonce: "3"},
	} {
		d := newDesk(t, "/websocket")
		want.run = someRun
		if out := d.say(message); out != "" {
			t.Errorf("%s is answered %s", message, out)
		} else if got := d.one(); got != want {
			t.Errorf("%s:\n%+v, want\n%+v", message, got, want)
		}
	}
	d := newDesk(t, "/websocket")
	d.say(`{"id":"15d7b577015.87d","nonce":3}`)
	if got := d.one(); got != (heard{kind: dispatch.UnscheduleTask, nonce: "3"}) {
		t.Errorf("an id of old: %+v", got)
	}
}

// TestMixedMessages: plain messages and those with terms in one read come in their order, each with its own bytes.
func TestMixedMessages(t *testing.T) {
	d := newDesk(t, "/websocket")
	var messages []string
	for i := range 40 {
		extra := []string{"", `,"durable":true`}[i/3%2]
		messages = append(messages, fmt.Sprintf(`{"action":"RunTask","name":"n%d","nonce":%d,"options":%d%s}`, i, i, i, extra))
		if i%5 == 0 {
			messages = append(messages, `{"action":"GetRun","id":"`+someRun+`"}`)
		}
	}
	d.say(messages...)
	i := 0
	for _, e := range d.events {
		if e.kind == dispatch.ReadRun {
			if e.run != someRun {
				t.Errorf("behind %d: %+v", i-1, e)
			}
			continue
		}
		mark := []string{"", "\x01"}[i/3%2]
		if e.name != fmt.Sprint("n", i) || e.nonce != mark+fmt.Sprint(i) || e.body != fmt.Sprint(i) || (e.terms != "") != (mark != "") {
			t.Errorf("event %d: %+v", i, e)
		}
		i++
	}
	if i != 40 {
		t.Errorf("%d came, want 40", i)
	}
}

func TestSendError(t *testing.T) {
	d := newWorker(t)
	token, _ := dispatch.ParseToken([]byte("abcdefghijklmnopabcdefgh"))
	for fields, want := range map[string]heard{
		`"error":"no \"way\""`:                             {at: dispatch.Usually, body: `{"detail":"no \"way\""}`},
		`"error": {"title":"no"} ,"retry":true`:            {at: dispatch.Usually, body: `{"title":"no"}`},
		`"retry":false,"after":"10s"`:                      {at: dispatch.Never, body: `{"detail":"the worker did not say why"}`},
		`"after":"10s","error":null`:                       {at: 10_000, body: `{"detail":"the worker did not say why"}`},
		`"after":0,"error":[1,"a"],"retry":null`:           {at: 0, body: `{"detail":"[1,\"a\"]"}`},
		`"after":null,"result":1,"error":5,"unknown":true`: {at: dispatch.Usually, body: `{"detail":"5"}`},
	} {
		want.kind, want.token, want.count = dispatch.SendError, token, 1
		out := d.say(`{"action":"SendError","nonce":"abcdefghijklmnopabcdefgh",`+fields+`}`, getTaskMessage)
		if out != "" || d.one() != want {
			t.Errorf("%s: %q\n%+v, want\n%+v", fields, out, d.events, want)
		}
	}
	// Among results, each with its own bytes.
	d.say(sendResultMessage, `{"action":"SendError","nonce":"abcdefghijklmnopabcdefgh","error":"no"}`, getTaskMessage, sendResultMessage)
	if len(d.events) != 3 || d.events[0].body != d.events[2].body || d.events[1].body != `{"detail":"no"}` || d.events[1].count != 1 {
		t.Errorf("%+v", d.events)
	}
}

// TestTermsAllocateNothing: at steady state a run that is asked for over WebSocket, and acknowledged, allocates nothing
// on the way in.
func TestTermsAllocateNothing(t *testing.T) {
	host := &framingHost{spare: make([]byte, 0, 64<<10)}
	n := 0
	front := protocol.NewFront(func(in dispatch.Input) { n += len(in.Events) })
	for name, c := range map[string]struct{ endpoint, text string }{
		"durable": {"/websocket", `{"action":"RunTask","name":"work","nonce":1,"options":{"a":1},"durable":true}`},
		"labels":  {"/websocket", `{"action":"RunTask","name":"work","nonce":1,"priority":3,"labels":{"team":"blue"}}`},
		"plain":   {"", usualPost},
		"GetRun":  {"/websocket", `{"action":"GetRun","nonce":1,"id":"` + someRun + `"}`},
	} {
		f, err := protocol.NewFraming(protocol.DefaultConfig(), host, front)
		if err != nil {
			t.Fatal(err)
		}
		s := &protocol.Session{}
		f.Start(s, 1)
		raw := []byte(c.text)
		if c.endpoint != "" {
			s.Feed([]byte(strings.Replace(handshake, "GET /ws", "GET "+c.endpoint, 1)))
			raw = clientText(c.text)
		}
		in, seq := make([]byte, 0, 1024), uint64(0)
		got := testing.AllocsPerRun(200, func() {
			s.Out = nil
			s.Feed(append(in, raw...))
			front.Flush()
			if c.endpoint == "" {
				s.Respond(seq, protocol.Answer{Status: 200, Body: quietBody})
				seq++
			}
		})
		if got != 0 {
			t.Errorf("%s: %v allocations, want none", name, got)
		}
	}
	if n < 800 {
		t.Errorf("%d events, want 800 at least", n)
	}
}
