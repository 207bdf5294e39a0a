package protocol_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/gobwas/ws"

	"workman/dispatch"
	"workman/protocol"
)

// framingHost lends buffers like an event loop.
type framingHost struct {
	borrowed int
	spare    []byte
}

func (h *framingHost) Borrow(*protocol.Session) []byte {
	h.borrowed++
	return h.spare[:0:cap(h.spare)]
}

func (h *framingHost) Date() []byte { return framingDate }

var framingDate = []byte("Mon, 23 Nov 2026 12:00:00 GMT")

// framingService notes its calls. It answers each request with its method, path, query and body; those for /later when
// release is called or, in reverse order, before the next request that is for something else.
type framingService struct {
	calls  []string
	later  []uint64
	ended  int
	accept func(*protocol.Session, *protocol.Request) bool
	on     func(*protocol.Session, wsMessage)
	ask    func(*protocol.Session, *protocol.Request)
}

func (v *framingService) note(format string, args ...any) {
	v.calls = append(v.calls, fmt.Sprintf(format, args...))
}

func (v *framingService) Request(s *protocol.Session, r *protocol.Request) {
	body := r.Body.Of(r.Base)
	v.note("request %d %s %s?%s %q", r.Seq, r.Method, r.Path, r.Query, body)
	if got := r.Header.Method(); !bytes.Equal(got, r.Method) {
		panic("fasthttp reads another method")
	}
	if v.ask != nil {
		v.ask(s, r)
		return
	}
	if string(r.Path) == "/later" {
		v.later = append(v.later, r.Seq)
		return
	}
	text := fmt.Sprintf("%s %s?%s %s", r.Method, r.Path, r.Query, body)
	v.release(s)
	s.Respond(r.Seq, protocol.Answer{Status: 200, Type: "text/plain", Body: []byte(text)})
}

func (v *framingService) release(s *protocol.Session) {
	for i := len(v.later) - 1; i >= 0; i-- {
		s.Respond(v.later[i], protocol.Answer{Status: 200, Body: fmt.Appendf(nil, "later %d", v.later[i])})
	}
	v.later = nil
}

func (v *framingService) Upgrade(s *protocol.Session, r *protocol.Request) bool {
	v.note("upgrade %d %s %v", r.Seq, r.Path, r.IsUpgrade)
	if v.accept != nil {
		return v.accept(s, r)
	}
	if string(r.Path) == "/ws" {
		return true
	}
	s.Respond(r.Seq, protocol.Answer{Status: 404})
	return false
}

// wsMessage is what a service is told of a message.
type wsMessage struct {
	Base []byte
	At   dispatch.Span
	Text bool
}

func (v *framingService) Message(s *protocol.Session, base []byte, at dispatch.Span, text bool) {
	m := wsMessage{base, at, text}
	v.note("message %v %q", m.Text, m.At.Of(m.Base))
	if v.on != nil {
		v.on(s, m)
	}
}

func (v *framingService) Ended(*protocol.Session) {
	v.note("ended")
	v.ended++
}

// rig is a session with all that it needs.
type rig struct {
	t    testing.TB
	host framingHost
	svc  framingService
	s    protocol.Session
	out  []byte // all output so far

	framing *protocol.Framing
}

func newRig(t testing.TB, change func(*protocol.Config)) *rig {
	cfg := protocol.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	r := &rig{t: t}
	f, err := protocol.NewFraming(cfg, &r.host, &r.svc)
	if err != nil {
		t.Fatal(err)
	}
	f.Start(&r.s, 1)
	r.framing = f
	return r
}

// feed gives bytes to the session, a copy of them, and returns what it says to them.
func (r *rig) feed(in string) string {
	r.s.Feed([]byte(in))
	return r.turn()
}

// turn takes the output as an event loop does at the end of a turn.
func (r *rig) turn() string {
	out := string(r.s.Out)
	r.out = append(r.out, out...)
	r.s.Out = nil
	return out
}

const handshake = "GET /ws HTTP/1.1\r\nHost: localhost:9999\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

// upgraded is a rig whose session is a WebSocket.
func upgraded(t testing.TB, change func(*protocol.Config)) *rig {
	r := newRig(t, change)
	if out := r.feed(handshake); !strings.HasPrefix(out, "HTTP/1.1 101 ") {
		t.Fatalf("no handshake: %q", out)
	}
	r.svc.calls, r.out = nil, nil
	return r
}

// masked makes a client's frame.
func masked(op ws.OpCode, fin bool, payload string) string {
	b := []byte{byte(op), 0x80}
	if fin {
		b[0] |= 0x80
	}
	switch n := len(payload); {
	case n <= 125:
		b[1] |= byte(n)
	case n <= 0xffff:
		b[1] |= 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] |= 127
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, key[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i&3])
	}
	return string(b)
}

// closing is the close frame with which the server ends, and the rest must be nothing.
func closing(t testing.TB, out string) ws.StatusCode {
	t.Helper()
	if len(out) < 4 || out[0] != 0x88 || int(out[1]) != len(out)-2 {
		t.Fatalf("not one close frame: %q", out)
	}
	return ws.StatusCode(binary.BigEndian.Uint16([]byte(out[2:])))
}

func (r *rig) wantCalls(calls ...string) {
	r.t.Helper()
	if got, want := strings.Join(r.svc.calls, "\n"), strings.Join(calls, "\n"); got != want {
		r.t.Errorf("calls:\n%s\nwant:\n%s", got, want)
	}
}

func (r *rig) wantPhase(want protocol.Phase) {
	r.t.Helper()
	if got := r.s.Phase(); got != want {
		r.t.Errorf("phase %d, want %d", got, want)
	}
}

func TestSessionIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(protocol.Session{}); n > 160 {
		t.Errorf("a session takes %d bytes, and must be at most 160", n)
	}
	r := newRig(t, nil)
	r.feed("GET / HTTP/1.1\r\nHost: localhost\r\n\r\nPOST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab")
	if r.s.Held() < 100 {
		t.Errorf("half a body is held in %d bytes", r.s.Held())
	}
	r.feed("cde")
	if r.s.Held() != 0 {
		t.Errorf("between requests %d bytes are held", r.s.Held())
	}
	r = upgraded(t, nil)
	if r.s.Held() != 0 {
		t.Errorf("an idle WebSocket holds %d bytes", r.s.Held())
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, change := range map[string]func(*protocol.Config){
		"header":    func(c *protocol.Config) { c.MaxHeader = 100 },
		"target":    func(c *protocol.Config) { c.MaxTarget = c.MaxHeader },
		"body":      func(c *protocol.Config) { c.MaxBody = -1 },
		"message":   func(c *protocol.Config) { c.MaxMessage = 1 << 40 },
		"pipelined": func(c *protocol.Config) { c.MaxPipelined = 0 },
		"fragments": func(c *protocol.Config) { c.MaxFragments = 0 },
		"controls":  func(c *protocol.Config) { c.MaxControls = 1 << 20 },
		"host":      func(c *protocol.Config) { c.Access.Hosts = []string{"name:80"} },
		"no host":   func(c *protocol.Config) { c.Access.Hosts = []string{""} },
		"origin":    func(c *protocol.Config) { c.Access.Origins = []string{"name"} },
		"path":      func(c *protocol.Config) { c.Access.Origins = []string{"https://name/"} },
	} {
		cfg := protocol.DefaultConfig()
		change(&cfg)
		if _, err := protocol.NewFraming(cfg, nil, nil); !errors.Is(err, protocol.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cfg := protocol.DefaultConfig()
	cfg.Access = protocol.Access{Hosts: []string{"Build.Example", "[fe80::1]"}, Origins: []string{"https://A.example:8443"}}
	if _, err := protocol.NewFraming(cfg, nil, nil); err != nil {
		t.Error(err)
	}
}
