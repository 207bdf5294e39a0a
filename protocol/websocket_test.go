package protocol_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"workman/protocol"
)

// Requirement 1: every length form, in one piece and byte by byte, masked by any key.
func TestMessages(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 31, 32, 33, 107, 125, 126, 127, 255, 256, 257, 65535, 65536, 100_000} {
		for _, op := range []ws.OpCode{ws.OpText, ws.OpBinary} {
			want := strings.Repeat("0123456789abcdefghi", n/19+1)[:n]
			frame := masked(op, true, want)
			for _, step := range []int{len(frame), 1, 3, 1000} {
				r := upgraded(t, nil)
				for rest := frame; rest != ""; rest = rest[min(step, len(rest)):] {
					r.feed(rest[:min(step, len(rest))])
				}
				r.wantCalls(fmt.Sprintf("message %v %q", op == ws.OpText, want))
				if r.s.Held() != 0 || len(r.out) > 0 {
					t.Errorf("%d bytes held, output %q", r.s.Held(), r.out)
				}
			}
		}
	}
}

// A message that is whole in what was read is not copied; one that is not is the session's.
func TestMessagesAreInPlace(t *testing.T) {
	in := []byte(masked(ws.OpText, true, "first") + masked(ws.OpText, true, strings.Repeat("s", 300)) + masked(ws.OpText, true, "third"))
	r := upgraded(t, nil)
	r.svc.on = func(_ *protocol.Session, m wsMessage) {
		if &m.Base[0] != &in[0] || len(m.Base) != len(in) {
			t.Errorf("copied: %q", m.At.Of(m.Base))
		}
	}
	r.s.Feed(in)
	if len(r.svc.calls) != 3 {
		t.Errorf("%q", r.svc.calls)
	}
	// Its header came before: the payload is still whole.
	r = upgraded(t, nil)
	frame := []byte(masked(ws.OpText, true, "first"))
	r.svc.on = func(_ *protocol.Session, m wsMessage) {
		if &m.Base[0] != &frame[3] {
			t.Error("copied")
		}
	}
	r.s.Feed(frame[:3])
	r.s.Feed(frame[3:])
	r.wantCalls(`message true "first"`)
}

// The header rules, all of the first two bytes, against the library's.
func TestFrameHeaders(t *testing.T) {
	for _, fragmented := range []bool{false, true} {
		for b := range 1 << 16 {
			b0, b1 := byte(b>>8), byte(b)
			h := ws.Header{Fin: b0&0x80 != 0, Rsv: b0 >> 4 & 7, OpCode: ws.OpCode(b0 & 0xf), Masked: b1&0x80 != 0, Length: int64(b1 & 0x7f)}
			state := ws.StateServerSide
			if fragmented {
				state = state.Set(ws.StateFragmented)
			}
			want := ws.CheckHeader(h, state) != nil
			r := cheapRig()
			if fragmented {
				r.s.Feed([]byte(masked(ws.OpBinary, false, "")))
			}
			r.s.Feed([]byte{b0, b1})
			if got := r.s.Phase() == protocol.PhaseDone; got != want {
				t.Fatalf("%08b %08b, fragmented %v: refused %v, want %v", b0, b1, fragmented, got, want)
			}
			if want && closing(t, string(r.s.Out)) != ws.StatusProtocolError {
				t.Fatalf("%q", r.s.Out)
			}
			if r.s.End(); r.s.Held() != 0 {
				t.Fatal("held")
			}
		}
	}
}

var cheap *rig

// cheapRig is upgraded without a handshake of its own's cost: the framing is shared.
func cheapRig() *rig {
	if cheap == nil {
		cheap = &rig{}
		cfg := protocol.DefaultConfig()
		cheapFraming, _ = protocol.NewFraming(cfg, &cheap.host, &cheap.svc)
	}
	cheap.svc.calls = nil
	cheapFraming.Start(&cheap.s, 1)
	cheap.s.Feed([]byte(handshake))
	cheap.s.Out = nil
	return cheap
}

var cheapFraming *protocol.Framing

// Requirements 1 to 3, 13: what fails, and with which code.
func TestFailures(t *testing.T) {
	header := func(b ...byte) string { return string(b) }
	long := func(n uint64) string {
		return string(binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, n)) + "\x00\x00\x00\x00"
	}
	for _, c := range []struct {
		name, in string
		want     ws.StatusCode
	}{
		{"not masked", header(0x81, 5) + "hello", 1002},
		{"RSV1", header(0xc1, 0x80), 1002},
		{"RSV2", header(0xa1, 0x80), 1002},
		{"RSV3", header(0x91, 0x80), 1002},
		{"opcode 3", header(0x83, 0x80), 1002},
		{"opcode 7", header(0x87, 0x80), 1002},
		{"opcode 11", header(0x8b, 0x80), 1002},
		{"opcode 15", header(0x8f, 0x80), 1002},
		{"ping in fragments", header(0x09, 0x80), 1002},
		{"long ping", header(0x89, 0xfe), 1002},
		{"very long close", header(0x88, 0xff), 1002},
		{"continuation of nothing", masked(ws.OpContinuation, true, "a"), 1002},
		{"text within text", masked(ws.OpText, false, "a") + masked(ws.OpText, true, "b"), 1002},
		{"length 125 in two bytes", header(0x81, 0xfe, 0, 125, 0, 0, 0, 0), 1002},
		{"length 65535 in eight", long(65535), 1002},
		{"top bit", long(1 << 63), 1002},
		{"all bits", long(1<<64 - 1), 1002},
		{"huge", long(1<<63 - 1), 1009},
		{"over by one", long(16<<20 + 1), 1009},
		{"over together", masked(ws.OpBinary, false, "a") + header(0x80, 0xff, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0), 1009},
		{"not UTF-8", masked(ws.OpText, true, "a\xffb"), 1007},
		{"half a character", masked(ws.OpText, true, "a\xc3"), 1007},
		{"half a character in the last fragment", masked(ws.OpText, false, "a") + masked(ws.OpContinuation, true, "\xe2\x82"), 1007},
		{"surrogate", masked(ws.OpText, true, "\xed\xa0\x80"), 1007},
		{"overlong", masked(ws.OpText, false, "\xc0\xaf"), 1007},
		{"beyond Unicode", masked(ws.OpText, false, "\xf4\x90\x80\x80"), 1007},
		{"close of one byte", masked(ws.OpClose, true, "\x03"), 1002},
		{"close 0", masked(ws.OpClose, true, "\x00\x00"), 1002},
		{"close 999", masked(ws.OpClose, true, "\x03\xe7"), 1002},
		{"close 1004", masked(ws.OpClose, true, "\x03\xec"), 1002},
		{"close 1005", masked(ws.OpClose, true, "\x03\xed"), 1002},
		{"close 1006", masked(ws.OpClose, true, "\x03\xee"), 1002},
		{"close 1015", masked(ws.OpClose, true, "\x03\xf7"), 1002},
		{"close 2999", masked(ws.OpClose, true, "\x0b\xb7"), 1002},
		{"close 5000", masked(ws.OpClose, true, "\x13\x88"), 1002},
		{"close with a reason not UTF-8", masked(ws.OpClose, true, "\x03\xe8\xff"), 1007},
		{"empty fragments", masked(ws.OpText, false, "") + strings.Repeat(masked(ws.OpContinuation, false, ""), 1024), 1008},
		{"pings", strings.Repeat(masked(ws.OpPing, true, ""), 1025), 1008},
		{"pongs", strings.Repeat(masked(ws.OpPong, true, "x"), 1025), 1008},
	} {
		for _, whole := range []bool{true, false} {
			r := upgraded(t, nil)
			if in := c.in + masked(ws.OpText, true, "unread"); whole {
				r.feed(in)
			} else {
				for i := range len(in) {
					r.feed(in[i : i+1])
				}
			}
			out := string(r.out)
			if i := strings.LastIndexByte(out, 0x88); i < 0 || closing(t, out[i:]) != c.want {
				t.Errorf("%s: %q, want %d", c.name, out, c.want)
			}
			r.wantCalls("ended")
			r.wantPhase(protocol.PhaseDone)
			if r.s.Held() != 0 {
				t.Errorf("%s: %d bytes held", c.name, r.s.Held())
			}
			if r.s.Text(1) || r.s.Out != nil {
				t.Errorf("%s: text behind the close", c.name)
			}
		}
	}
}

// Requirement 2: refused by what is declared, before anything is allocated; and what may be is let pass.
func TestDeclaredLengthCostsNothing(t *testing.T) {
	r := upgraded(t, nil)
	r.feed("\x82\xff\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00")
	if r.s.Phase() != protocol.PhaseWS || r.s.Held() > 512 {
		t.Errorf("phase %d, %d bytes held", r.s.Phase(), r.s.Held())
	}
	part := strings.Repeat("\x00", 60_000)
	for sent := 0; sent < 16<<20; sent += len(part) {
		if held := r.s.Held(); held > 4*sent+512 {
			t.Fatalf("after %d bytes %d are held", sent, held)
		}
		r.feed(part[:min(len(part), 16<<20-sent)])
	}
	if len(r.svc.calls) != 1 || r.s.Held() != 0 {
		t.Errorf("%d messages, %d bytes held", len(r.svc.calls), r.s.Held())
	}
}

// Many fragments of a large message are not copied over and over.
func TestManyFragments(t *testing.T) {
	const size, each = 4 << 20, 64
	r := upgraded(t, nil)
	frame := masked(ws.OpContinuation, false, strings.Repeat("a", each))
	r.feed(masked(ws.OpText, false, ""))
	grew, held := 0, 0
	for range size / each {
		r.s.Feed([]byte(frame))
		if now := r.s.Held(); now != held {
			grew, held = grew+1, now
		}
	}
	if grew > 20 {
		t.Errorf("the buffer grew %d times", grew)
	}
	r.feed(masked(ws.OpContinuation, true, "end"))
	if len(r.svc.calls) != 1 || len(r.svc.calls[0]) < size {
		t.Errorf("%.200q", r.svc.calls)
	}
}

// RFC 6455 5.4, 5.5: control frames between fragments, answered at once.
func TestControlBetweenFragments(t *testing.T) {
	in := masked(ws.OpText, false, "a") + masked(ws.OpPing, true, "one") + masked(ws.OpContinuation, false, "") +
		masked(ws.OpPong, true, "") + masked(ws.OpContinuation, true, "b") + masked(ws.OpPing, true, strings.Repeat("p", 125))
	for _, step := range []int{1, 2, 5, 7, len(in)} {
		r := upgraded(t, nil)
		for rest := in; rest != ""; rest = rest[min(step, len(rest)):] {
			r.feed(rest[:min(step, len(rest))])
		}
		r.wantCalls(`message true "ab"`)
		if want := "\x8a\x03one\x8a\x7d" + strings.Repeat("p", 125); string(r.out) != want {
			t.Errorf("%q", r.out)
		}
		if !r.s.Heard || r.s.Held() != 0 {
			t.Errorf("heard %v, held %d", r.s.Heard, r.s.Held())
		}
	}
}

// Control frames are allowed anew by a message, and by a ping of ours.
func TestControlsAreAllowedAnew(t *testing.T) {
	r := upgraded(t, func(c *protocol.Config) { c.MaxControls = 10 })
	ten := strings.Repeat(masked(ws.OpPing, true, ""), 10)
	r.feed(ten)
	r.s.Ping()
	r.feed(ten + masked(ws.OpText, true, "x") + ten)
	r.wantPhase(protocol.PhaseWS)
	r.feed(masked(ws.OpPing, true, ""))
	r.wantPhase(protocol.PhaseDone)
}

func TestSending(t *testing.T) {
	r := upgraded(t, nil)
	for n, want := range map[int]string{
		0: "\x81\x00", 125: "\x81\x7d", 126: "\x81\x7e\x00\x7e", 65535: "\x81\x7e\xff\xff",
		65536: "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00",
	} {
		if !r.s.Text(n) {
			t.Error("closed")
		}
		if out := r.turn(); out != want {
			t.Errorf("%d: %q", n, out)
		}
	}
	r.s.Send(ws.OpBinary, []byte("ab"))
	r.s.Send(ws.OpPing, bytes.Repeat([]byte("x"), 126))
	r.s.Ping()
	if out := r.turn(); out != "\x82\x02ab\x89\x00" {
		t.Errorf("%q", out)
	}
	var idle protocol.Session
	idle.Send(ws.OpText, nil)
	idle.Close(1000, "")
	if idle.Text(1) || idle.Out != nil {
		t.Error("an HTTP session was sent text")
	}
}

// What is lent to the service for a call stays as it is, even if the call makes another session need a buffer.
func TestLentBuffersStay(t *testing.T) {
	other := func(r *rig) func() {
		var s protocol.Session
		r.framing.Start(&s, 2)
		s.Feed([]byte(handshake))
		s.Feed([]byte(masked(ws.OpText, false, strings.Repeat("other", 200)) + "\x81"))
		return func() { s.Close(1000, "") } // it keeps the last byte, in a smaller buffer than before
	}
	r := newRig(t, nil)
	disturb := other(r)
	r.svc.ask = func(s *protocol.Session, q *protocol.Request) {
		s.Shutdown()
		disturb()
		if got := string(q.Body.Of(q.Base)); got != "body" || string(q.Method) != "POST" {
			t.Errorf("%q %q", q.Method, got)
		}
		s.Respond(q.Seq, protocol.Answer{Status: 200})
	}
	r.feed("POST / HTTP/1.1\r\n" + local + "Content-Length: 4\r\n\r\nbo")
	r.feed("dy")

	r = upgraded(t, nil)
	disturb = other(r)
	r.svc.on = func(_ *protocol.Session, m wsMessage) {
		disturb()
		if got := string(m.At.Of(m.Base)); got != "abcd" {
			t.Errorf("%q", got)
		}
	}
	r.feed(masked(ws.OpText, false, "ab") + masked(ws.OpContinuation, true, "cd"))
	if len(r.svc.calls) == 0 {
		t.Error("no message")
	}
}
