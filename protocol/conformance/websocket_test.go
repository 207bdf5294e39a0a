package conformance_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// wsCase is what a client sends, each string by a write of its own, and the frames that it gets back (see frame.String).
// If the last of them is no close frame, the client closes in good order; behind a close frame comes nothing more.
type wsCase struct {
	id, name string
	send     []string
	want     []string
}

// one is a case that sends all at once.
func one(id, name, send string, want ...string) wsCase {
	return wsCase{id, name, []string{send}, want}
}

// Requirements 1 to 3. The numbers are ours, the groups those of the Autobahn test suite.
func TestWebSocket(t *testing.T) {
	b := startEcho(t)
	var wrong faults
	seen := map[string]bool{}
	for _, group := range [][]wsCase{framing(), pings(), reserved(), opcodes(), fragmentation(), utf8Cases(), closing(),
		limits(), splits()} {
		for _, c := range group {
			if seen[c.id] {
				t.Errorf("there are two cases %s", c.id)
			}
			seen[c.id] = true
			t.Run(c.id+" "+c.name, func(t *testing.T) {
				t.Parallel()
				if wrong.n.Load() >= 10 {
					t.Fatal("others have failed")
				}
				if err := c.run(t, b.addr); err != nil {
					wrong.add(t, "case %s, %s: %v\nsent %s", c.id, c.name, err, c.sent())
				}
			})
		}
	}
}

var errFrame = errors.New("not the frame that was to come")

func (c wsCase) run(t *testing.T, addr string) error {
	t.Helper()
	s := openSocket(t, addr, "/")
	defer func() { _ = s.Close() }()
	want, last := c.want, ""
	if len(want) > 0 {
		last = want[len(want)-1]
	}
	send := c.send
	if !strings.HasPrefix(last, "close:") {
		send, want = append(send[:len(send):len(send)], ending(1000, "")), append(want[:len(want):len(want)], "close:1000")
	}
	var writing sync.WaitGroup // beside reading, or both ends could wait for the other to read
	writing.Go(func() {
		for _, part := range send {
			if _, err := io.WriteString(s, part); err != nil {
				return // the server may have closed: what was to come decides
			}
		}
	})
	defer writing.Wait()
	for i, w := range want {
		f, err := s.read()
		if err != nil {
			return fmt.Errorf("%w: frame %d is to be %.100q: %w", errFrame, i+1, w, err)
		}
		if got := f.String(); got != w {
			return fmt.Errorf("%w: frame %d is %.100q (%d bytes), and is to be %.100q (%d bytes)", errFrame, i+1, got, len(got), w, len(w))
		}
	}
	writing.Wait()
	// RFC 6455 7.1.1: the server closes the connection first, in good order.
	if rest, err := io.ReadAll(s.in); len(rest) > 0 || err != nil {
		return fmt.Errorf("%w: behind the close frame came %.100q (error: %s)", errFrame, rest, fmt.Sprint(err))
	}
	return nil
}

func (c wsCase) sent() string {
	out := ""
	for _, part := range c.send {
		out += fmt.Sprintf("%.200q (%d bytes) ", part, len(part))
		if len(out) > 1000 {
			return out + "..."
		}
	}
	return out
}

// chop cuts bytes into parts of n.
func chop(s string, n int) (parts []string) {
	for len(s) > n {
		parts = append(parts, s[:n])
		s = s[n:]
	}
	return append(parts, s)
}

// Requirement 1: extensions and subprotocols are offered in vain (openSocket sees to that), and then a reserved bit still
// means nothing.
func TestNoExtensions(t *testing.T) {
	b := startEcho(t)
	for _, offer := range []string{
		"Sec-WebSocket-Extensions: permessage-deflate",
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-webkit-deflate-frame",
		"Sec-WebSocket-Protocol: chat, superchat",
	} {
		s := openSocket(t, b.addr, "/", offer)
		s.say(t, masked(fin|0x40|opText, "\xf2\x48\xcd\xc9\xc9\x07\x00")) // RFC 7692 7.2.3.1
		if f, err := s.read(); err != nil || f.String() != "close:1002" {
			t.Errorf("%s: %v %v", offer, f, err)
		}
	}
}

// TestWebSocketNotices: a runner that is content with anything would be no use.
func TestWebSocketNotices(t *testing.T) {
	b := startEcho(t)
	for _, c := range []wsCase{
		one("0.1", "another text", text("a"), "text:b"),
		one("0.2", "another type", text("a"), "binary:a"),
		one("0.3", "a frame too many", text("a")+text("b"), "text:a"),
		one("0.4", "another code", masked(0x90|opText, "a"), "close:1007"),
		one("0.5", "a close instead", masked(fin|3, "a"), "text:a"),
		one("0.6", "nothing", text("a")),
	} {
		if err := c.run(t, b.addr); !errors.Is(err, errFrame) {
			t.Errorf("case %s, %s: %v", c.id, c.name, err)
		}
	}
	s := openSocket(t, b.addr, "/")
	_ = s.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := s.read(); err == nil {
		t.Error("it reads what was not sent")
	}
}
