package protocol_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"workman/dispatch"
	"workman/protocol"
)

// A listener notes what a front makes of the messages of one WebSocket.
type listener struct {
	session *protocol.Session
	front   *protocol.Front
	host    framingHost
	events  []string
}

func newListener(tb testing.TB, endpoint string) *listener {
	l := &listener{session: &protocol.Session{}}
	l.front = protocol.NewFront(func(in dispatch.Input) {
		for _, e := range in.Events {
			l.events = append(l.events, fmt.Sprintf("%d %d %q %q %q %v %v", e.Kind, e.Count,
				e.Name.Of(in.Base), e.Nonce.Of(in.Base), e.Body.Of(in.Base), e.Token, e.Name == dispatch.Span{}))
		}
	})
	cfg := protocol.DefaultConfig()
	cfg.CheckUTF8 = false
	f, err := protocol.NewFraming(cfg, &l.host, l.front)
	if err != nil {
		tb.Fatal(err)
	}
	f.Start(l.session, 1)
	path, hello := strings.CutSuffix(endpoint, " after Hello")
	l.session.Feed([]byte(strings.Replace(handshake, "GET /ws", "GET "+path, 1)))
	if hello {
		l.session.Feed([]byte(masked(ws.OpText, true, workersHello)))
		l.front.Flush()
		protocol.Encode(l.session, &dispatch.Effect{Kind: dispatch.Welcome, To: l.session.ID})
	}
	l.session.Out = nil
	return l
}

// hear feeds one message behind some other bytes, and returns what came of it.
func (l *listener) hear(message string) string {
	l.events, l.session.Out = nil, nil
	l.session.Feed([]byte(masked(ws.OpText, true, message)))
	l.front.Flush()
	return fmt.Sprintf("%q, answered %q, phase %v", l.events, l.session.Out, l.session.Phase())
}

// repeated are messages that a client sends again and again, of all kinds that may be learned.
var repeated = map[string][]string{
	"/websocket": {
		runTaskMessage,
		`{"action": "RunTask", "name": "work", "nonce": 12, "options": [10, -1.50e+07, 0, "text", null, {"key": true}]}`,
		`{"name":"ähnlich","nonce":"a\nb","options":{"ö":"x\u0041"},"action":"RunTask"}`,
		` {"options":"","nonce":"","name":"n","action":"RunTask"} `,
		`{"action":"RunTask","name":"work"}`,
	},
	"/worker": {
		sendResultMessage,
		getTaskMessage,
		`{"action": "SendResult", "nonce": "abcdefghijklmnopabcdefgh"}`,
		`{"result":[100,{"a":1e5}],"nonce":"abcdefghijklmnopabcdefgh","action":"SendResult"}`,
		combinedMessage, // which says no more than the others here
		`{"action":"GetTask","count":16}`,
	},
	"/worker after Hello": {
		sendResultMessage,
		getTaskMessage,
		combinedMessage,
		`{"credit":250,"result":[100,{"a":1e5}],"nonce":"abcdefghijklmnopabcdefgh","action":"SendResult"}`,
		`{"action":"GetTask","count":16}`,
		`{"action":"GetTask","count":null}`,
	},
}

// mutate changes a few bytes of a message, to such as matter.
func mutate(r *rand.Rand, message string) string {
	b := []byte(message)
	for range 1 + r.IntN(3) {
		const interesting = "0123456789\"\\{}[]:,.-+eE \n\x00\x1f\x7f\x80\xc3\xa4azAZnt"
		b[r.IntN(len(b))] = interesting[r.IntN(len(interesting))]
	}
	return string(b)
}

// TestTemplates: what a session has learned changes nothing about what comes of a message.
func TestTemplates(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for endpoint, messages := range repeated {
		learned := map[string]*listener{}
		for _, m := range messages {
			l := newListener(t, endpoint)
			for range 2 {
				l.hear(m)
			}
			learned[m] = l
		}
		for range 20_000 {
			m := messages[r.IntN(len(messages))]
			other := mutate(r, m)
			if r.IntN(4) == 0 {
				other = messages[r.IntN(len(messages))]
			}
			want, l := newListener(t, endpoint).hear(other), learned[m]
			if got := l.hear(other); got != want {
				t.Fatalf("%q after %q:\n %s, want\n %s", other, m, got, want)
			}
			if l.session.Phase() != protocol.PhaseWS || r.IntN(10) == 0 { // before it has learned as much as it may
				l = newListener(t, endpoint)
				learned[m] = l
			}
			for range 2 {
				l.hear(m)
			}
		}
	}
}

// FuzzTemplates is TestTemplates for any two messages.
func FuzzTemplates(f *testing.F) {
	endpoints := []string{"/websocket", "/worker", "/worker after Hello"}
	for i, endpoint := range endpoints {
		for _, m := range repeated[endpoint] {
			f.Add(uint8(i), m, m)
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, first, second string) {
		endpoint := endpoints[int(i)%len(endpoints)]
		l := newListener(t, endpoint)
		if l.hear(first); l.session.Phase() != protocol.PhaseWS {
			return
		}
		l.hear(first)
		if got, want := l.hear(second), newListener(t, endpoint).hear(second); got != want {
			t.Fatalf("%q after %q:\n %s, want\n %s", second, first, got, want)
		}
	})
}

// TestTemplatesAreUsed: without it the test above would find no fault in templates that never fit.
func TestTemplatesAreUsed(t *testing.T) {
	for endpoint, messages := range repeated {
		for _, m := range messages {
			if strings.Contains(m, `\n`) {
				continue // a nonce with an escape is odd
			}
			l := newListener(t, endpoint)
			for i := range 20 { // what is never learned does not keep anything from being learned
				l.hear(fmt.Sprintf(`{"action":"RegisterTask","name":"task%d"}`, i))
			}
			l.hear(m)
			if !protocol.Fits(l.front, l.session, []byte(m)) {
				t.Errorf("%s is not expected after itself", m)
			}
			other := slices.Clone([]byte(m))
			other[strings.Index(m, "action")] = 'A'
			if protocol.Fits(l.front, l.session, other) {
				t.Errorf("%s is expected after %s", other, m)
			}
		}
	}
}

// TestLearningIsBounded: a peer whose messages always differ has few templates made, and those that others use stay.
func TestLearningIsBounded(t *testing.T) {
	l := newListener(t, "/websocket")
	for i := range 100 {
		m := fmt.Sprintf(`{"action":"RunTask","name":"work","options":"%s"}`, strings.Repeat("x", i))
		l.hear(m)
		l.hear(m) // a use, which must not make up for it
	}
	if protocol.Fits(l.front, l.session, []byte(`{"action":"RunTask","name":"work","options":"`+strings.Repeat("x", 99)+`"}`)) {
		t.Error("the hundredth layout was learned too")
	}
	l.hear(runTaskMessage)
	if protocol.Fits(l.front, l.session, []byte(runTaskMessage)) {
		t.Error("and the one after it")
	}
}
