package protocol_test

import (
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"workman/protocol"
)

// RFC 6455 4.2.
func TestHandshake(t *testing.T) {
	edit := func(from, to string) string { return strings.Replace(handshake, from, to, 1) }
	for _, c := range []struct {
		name, in string
		want     int
	}{
		{"good", handshake, 101},
		{"case", edit("Upgrade: websocket\r\nConnection: Upgrade", "uPGRADE: WebSocket\r\nCONNECTION: keep-alive, UPGRADE"), 101},
		{"several protocols", edit("Upgrade: websocket", "Upgrade: h2c, websocket"), 101},
		{"extensions offered", edit("Upgrade:", "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: a\r\nUpgrade:"), 101},
		{"empty body", edit("Upgrade:", "Content-Length: 0\r\nUpgrade:"), 101},
		{"and close", edit("Connection: ", "Connection: close, "), 101},
		{"not on this path", edit("/ws", "/other"), 404},
		{"no Connection", edit("Connection: Upgrade\r\n", ""), 200},
		{"other Connection", edit("Connection: Upgrade", "Connection: upgraded"), 200},
		{"no Upgrade", edit("Upgrade: websocket\r\n", ""), 200},
		{"other Upgrade", edit("websocket", "h2c"), 200},
		{"HTTP/1.0", edit("HTTP/1.1", "HTTP/1.0"), 200},
		{"POST", edit("GET", "POST"), 400},
		{"HEAD", edit("GET", "HEAD"), 400},
		{"body", edit("Upgrade:", "Content-Length: 1\r\nUpgrade:"), 400},
		{"chunked body", edit("Upgrade:", "Transfer-Encoding: chunked\r\nUpgrade:"), 400},
		{"no version", edit("Sec-WebSocket-Version: 13\r\n", ""), 426},
		{"version 8", edit("Version: 13", "Version: 8"), 426},
		{"two versions", edit("Upgrade:", "Sec-WebSocket-Version: 13\r\nUpgrade:"), 400},
		{"no key", edit("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), 400},
		{"two keys", edit("Upgrade:", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUpgrade:"), 400},
		{"short key", edit("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j"), 400},
		{"long key", edit("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZWFh"), 400},
		{"17 bytes", edit("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZWE="), 400},
		{"no base64", edit("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j*Q=="), 400},
		{"behind an unanswered request", get("/later") + handshake, 400},
		{"behind an answered request", get("/") + handshake, 101},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			out := r.feed(c.in)
			r.svc.release(&r.s)
			out += r.turn()
			if status(out) != c.want {
				t.Fatalf("status %d, want %d: %q", status(out), c.want, out)
			}
			switch c.want {
			case 101:
				if !strings.HasSuffix(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
					"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n") {
					t.Errorf("%q", out)
				}
				r.wantPhase(protocol.PhaseWS)
			case 426:
				if !strings.Contains(out, "\r\nSec-WebSocket-Version: 13\r\n") || !strings.Contains(out, "\r\nUpgrade: websocket\r\n") {
					t.Errorf("%q", out)
				}
			}
			if c.want >= 400 && c.want != 404 {
				r.wantPhase(protocol.PhaseDone)
			}
		})
	}
}

// W1: bytes behind the handshake belong to the WebSocket.
func TestFramesBehindHandshake(t *testing.T) {
	r := newRig(t, nil)
	out := r.feed(handshake + masked(ws.OpText, true, "hello") + masked(ws.OpPing, true, "x"))
	r.wantCalls("upgrade 0 /ws true", `message true "hello"`)
	if !strings.HasSuffix(out, "\r\n\r\n\x8a\x01x") {
		t.Errorf("%q", out)
	}
}

func TestRefusedUpgradeGoesOn(t *testing.T) {
	r := newRig(t, nil)
	r.feed(strings.Replace(handshake, "/ws", "/no", 1) + get("/next"))
	r.wantCalls("upgrade 0 /no true", `request 1 GET /next? ""`)
	r.wantPhase(protocol.PhaseIdle)

	r = newRig(t, nil) // refused later, and the last request of its connection
	r.svc.accept = func(*protocol.Session, *protocol.Request) bool { return false }
	r.feed(strings.Replace(handshake, "Connection: ", "Connection: close, ", 1) + get("/next"))
	r.wantPhase(protocol.PhaseWaiting)
	r.s.Respond(0, protocol.Answer{Status: 404})
	if out := r.turn(); !strings.Contains(out, "Connection: close\r\n") {
		t.Errorf("%q", out)
	}
	r.wantCalls("upgrade 0 /ws true", "ended")
}

// What a service does to the session while it is asked.
func TestUpgradeIsReentrant(t *testing.T) {
	r := newRig(t, nil)
	r.svc.accept = func(s *protocol.Session, _ *protocol.Request) bool { s.Shutdown(); return true }
	out := r.feed(handshake + masked(ws.OpText, true, "unread"))
	if _, frames, _ := strings.Cut(out, "\r\n\r\n"); closing(t, frames) != ws.StatusGoingAway {
		t.Errorf("%q", out)
	}
	r.wantCalls("upgrade 0 /ws true", "ended")
	r.wantPhase(protocol.PhaseClosing)

	r = newRig(t, nil)
	r.svc.accept = func(s *protocol.Session, _ *protocol.Request) bool { s.End(); return true }
	if out := r.feed(handshake); out != "" {
		t.Errorf("%q", out)
	}
	r.wantCalls("upgrade 0 /ws true", "ended")

	r = newRig(t, nil)
	r.svc.accept = func(s *protocol.Session, _ *protocol.Request) bool {
		if s.Text(1) || s.IsWebSocket() {
			t.Error("text before the handshake was answered")
		}
		return true
	}
	r.feed(handshake)
	if !r.s.Text(1) {
		t.Error("no text afterwards")
	}
}
