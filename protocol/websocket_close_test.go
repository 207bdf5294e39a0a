package protocol_test

import (
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"workman/protocol"
)

// RFC 6455 7: the peer closes.
func TestPeerCloses(t *testing.T) {
	for in, want := range map[string]string{
		"":                                    "\x88\x00",
		"\x03\xe8":                            "\x88\x02\x03\xe8",
		"\x03\xe9going away":                  "\x88\x02\x03\xe9",
		"\x03\xf6":                            "\x88\x02\x03\xf6", // 1014
		"\x0b\xb8own":                         "\x88\x02\x0b\xb8",
		"\x13\x87\u00e4":                      "\x88\x02\x13\x87",
		"\x03\xeb" + strings.Repeat("r", 123): "\x88\x02\x03\xeb",
	} {
		for _, step := range []int{1, 1000} {
			r := upgraded(t, nil)
			all := masked(ws.OpText, false, "half") + masked(ws.OpClose, true, in) + masked(ws.OpPing, true, "unread")
			for rest := all; rest != ""; rest = rest[min(step, len(rest)):] {
				r.feed(rest[:min(step, len(rest))])
			}
			if string(r.out) != want {
				t.Errorf("%q: %q, want %q", in, r.out, want)
			}
			r.wantCalls("ended")
			r.wantPhase(protocol.PhaseDone)
			if r.s.Held() != 0 {
				t.Errorf("%d bytes held", r.s.Held())
			}
		}
	}
}

// RFC 6455 7: we close, and take nothing but the peer's close.
func TestWeClose(t *testing.T) {
	before := map[string]string{
		"idle":             "",
		"half a header":    "\x81",
		"half a message":   masked(ws.OpText, false, "half"),
		"half a frame":     masked(ws.OpText, true, "whole")[:8],
		"half a ping":      masked(ws.OpPing, true, "ping")[:7],
		"message and half": masked(ws.OpText, false, "half") + masked(ws.OpContinuation, true, "b")[:3],
	}
	after := map[string]string{
		"idle":             "",
		"half a header":    masked(ws.OpText, true, "abc")[1:],
		"half a message":   masked(ws.OpContinuation, true, "rest"),
		"half a frame":     masked(ws.OpText, true, "whole")[8:],
		"half a ping":      masked(ws.OpPing, true, "ping")[7:],
		"message and half": masked(ws.OpContinuation, true, "b")[3:],
	}
	for name, first := range before {
		r := upgraded(t, nil)
		r.feed(first)
		r.s.Close(ws.StatusGoingAway, "bye")
		r.s.Close(ws.StatusGoingAway, "again")
		r.s.Ping()
		r.s.Send(ws.OpText, []byte("late"))
		if out := r.turn(); out != "\x88\x05\x03\xe9bye" {
			t.Errorf("%s: %q", name, out)
		}
		r.wantCalls("ended")
		r.wantPhase(protocol.PhaseClosing)
		out := r.feed(after[name] + masked(ws.OpText, true, "ignored") + masked(ws.OpPing, true, "ignored") + masked(ws.OpBinary, false, "x"))
		if r.s.Held() != 0 || out != "" {
			t.Errorf("%s: %d bytes held, %q", name, r.s.Held(), out)
		}
		r.wantPhase(protocol.PhaseClosing)
		if out := r.feed(masked(ws.OpClose, true, "\x03\xe9")); out != "" {
			t.Errorf("%s: %q", name, out)
		}
		r.wantPhase(protocol.PhaseDone)
		r.wantCalls("ended")
	}
}

func TestCloseFrame(t *testing.T) {
	for _, c := range []struct {
		code   ws.StatusCode
		reason string
		want   string
	}{
		{1000, "", "\x88\x02\x03\xe8"},
		{1005, "x", "\x88\x00"},
		{0, "", "\x88\x00"},
		{1008, strings.Repeat("\u20ac", 50), "\x88\x7d\x03\xf0" + strings.Repeat("\u20ac", 41)},
		{1008, strings.Repeat("a", 121) + "\u20ac", "\x88\x7b\x03\xf0" + strings.Repeat("a", 121)},
		{1008, "a\xffb", "\x88\x07\x03\xf0a\ufffdb"},
	} {
		r := upgraded(t, nil)
		r.s.Close(c.code, c.reason)
		if out := r.turn(); out != c.want {
			t.Errorf("%d %q: %q", c.code, c.reason, out)
		}
	}
}

// A service may close any session from within a call for any.
func TestClosingFromWithin(t *testing.T) {
	for _, step := range []int{1, 1000} {
		r := upgraded(t, nil)
		r.svc.on = func(s *protocol.Session, m wsMessage) {
			s.Close(1000, "")
			if r.svc.ended > 0 {
				t.Error("ended within the call")
			}
			if got := string(m.At.Of(m.Base)); got != "abc" {
				t.Errorf("%q", got)
			}
		}
		in := masked(ws.OpText, false, "ab") + masked(ws.OpContinuation, true, "c") + masked(ws.OpText, true, "d")
		for rest := in; rest != ""; rest = rest[min(step, len(rest)):] {
			r.feed(rest[:min(step, len(rest))])
		}
		r.wantCalls(`message true "abc"`, "ended")
		if r.s.Held() != 0 {
			t.Errorf("%d bytes held", r.s.Held())
		}
	}
}
