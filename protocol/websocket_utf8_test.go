package protocol_test

import (
	"bytes"
	"math/rand"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"workman/protocol"
)

// Requirement 1: UTF-8 across fragments, told as soon as it cannot become any.
func TestUTF8FailsFast(t *testing.T) {
	for text, at := range map[string]int{
		"\u03ba\u03cc\u03c3\xed\xa0\x80x": 8,
		"abc\xffdef":                      4,
		"\xe2\x28\xa1":                    2,
		"\xf4\x90\x80\x80":                2,
		"\xe0\x9f\xbf":                    2,
		"\xc1\x80":                        1,
		"0123456789\x80":                  11,
	} {
		for step := 1; step <= 3; step++ { // in fragments of so many bytes
			r := upgraded(t, nil)
			r.feed(masked(ws.OpText, false, ""))
			sent := 0
			for sent < len(text) && r.s.Phase() == protocol.PhaseWS {
				n := min(step, len(text)-sent)
				r.feed(masked(ws.OpContinuation, false, text[sent:sent+n]))
				sent += n
			}
			if want := min((at+step-1)/step*step, len(text)); sent != want || r.s.Phase() != protocol.PhaseDone {
				t.Errorf("%q by %d: failed after %d, want %d", text, step, sent, want)
			}
		}
		r := upgraded(t, nil) // within one frame, by bytes
		frame := masked(ws.OpText, true, text)
		for i := range 6 + at - 1 {
			r.feed(frame[i : i+1])
		}
		r.wantPhase(protocol.PhaseWS)
		r.feed(frame[6+at-1 : 6+at])
		r.wantPhase(protocol.PhaseDone)
	}
}

// Whatever the text and however it is cut, it is taken if and only if it is UTF-8.
func TestUTF8AgainstLibrary(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	pieces := []string{"a", "\u00e4", "\u20ac", "\U0001F600", "\x80", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xed\xa0\x80", "plain text"}
	for range 20_000 {
		text := ""
		for range rnd.Intn(6) {
			i := rnd.Intn(len(pieces))
			if i > 3 && rnd.Intn(4) > 0 {
				i = rnd.Intn(4)
			}
			text += pieces[i]
		}
		r := cheapRig()
		op := ws.OpText
		for rest := text; ; op = ws.OpContinuation {
			n := rnd.Intn(len(rest) + 1)
			frame := masked(op, n == len(rest), rest[:n])
			cut := rnd.Intn(len(frame))
			r.s.Feed([]byte(frame[:cut]))
			r.s.Feed([]byte(frame[cut:]))
			if n == len(rest) {
				break
			}
			rest = rest[n:]
		}
		if got := r.s.Phase() == protocol.PhaseWS; got != utf8.ValidString(text) {
			t.Fatalf("%q: taken %v", text, got)
		}
		r.s.End()
	}
}

func TestUTF8MayBeLeftToTheService(t *testing.T) {
	r := upgraded(t, func(c *protocol.Config) { c.CheckUTF8 = false })
	r.svc.on = func(s *protocol.Session, _ wsMessage) { s.Close(1007, "not UTF-8") }
	out := r.feed(masked(ws.OpText, true, "\xff") + masked(ws.OpText, true, "more"))
	if closing(t, out) != 1007 {
		t.Errorf("%q", out)
	}
	r.wantCalls(`message true "\xff"`, "ended")
	r.wantPhase(protocol.PhaseClosing)
}

// What was checked is not checked again with each byte that comes.
func TestUTF8IsCheckedOnce(t *testing.T) {
	frame := []byte(masked(ws.OpText, true, strings.Repeat("a", 2<<20)))
	var took time.Duration
	for range 5 { // the machine has other things to do as well
		r := upgraded(t, nil)
		last := len(frame) - 8<<10
		r.s.Feed(bytes.Clone(frame[:last]))
		start := time.Now()
		for i := last; i < len(frame)-1; i++ {
			r.s.Feed([]byte{frame[i]})
		}
		if took = time.Since(start); took < 200*time.Millisecond { // it would be a second: 2 MiB take over 100 µs
			return
		}
	}
	t.Errorf("8 KiB took %v", took)
}
