package protocol

import (
	"crypto/sha1"
	"encoding/base64"

	"github.com/gobwas/ws"
	"github.com/valyala/fasthttp"
)

var (
	badMethod = handshakeProblem("a WebSocket handshake is a GET without a body")
	badKey    = handshakeProblem("a WebSocket handshake has one Sec-WebSocket-Key, of 16 bytes in base64")
	badMoment = handshakeProblem("a WebSocket handshake has to wait until the requests before it are answered")
	// RFC 6455 4.4, RFC 9110 15.5.22
	badWebSocket = &refusal{status: fasthttp.StatusUpgradeRequired, typ: ProblemWebSocketVersion,
		detail: "the server speaks version 13 of WebSocket (RFC 6455)",
		extra:  "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"}
)

func handshakeProblem(detail string) *refusal {
	return &refusal{status: fasthttp.StatusBadRequest, typ: ProblemHandshake, detail: detail}
}

// upgrades tells whether a request asks for a WebSocket. An Upgrade to anything else is ignored, as is one over
// HTTP/1.0 (RFC 9110 7.8).
func (h *head) upgrades() bool { return h.websocket && h.upgrade && h.minor > 0 }

// checkHandshake is RFC 6455 4.2.1; Host, the version of HTTP and the Origin were seen to before.
func (h *head) checkHandshake() *refusal {
	switch {
	case string(h.method) != "GET" || h.chunked || h.length > 0:
		return badMethod
	case string(h.value[fieldVersion]) != "13":
		return badWebSocket
	}
	var nonce [18]byte
	key := h.value[fieldKey]
	if len(key) != 24 {
		return badKey
	}
	if n, err := base64.StdEncoding.Decode(nonce[:], key); err != nil || n != 16 {
		return badKey
	}
	return nil
}

// handshake makes a WebSocket of the connection, if the service agrees. No extension is negotiated and no subprotocol
// chosen. What follows the handshake is frames.
func (s *Session) handshake(raw, in []byte, at int) int {
	f, h := s.f, &s.f.head
	bad := h.checkHandshake()
	if bad == nil && s.outstanding() > 0 {
		bad = badMoment
	}
	if bad != nil {
		s.refuse(bad, h.turnFlags())
		return len(in)
	}
	if !f.readHeader(raw) {
		s.refuse(unreadable, h.turnFlags())
		return len(in)
	}
	seq := s.turn(h.turnFlags())
	s.flags |= flagTold
	f.request = h.request(seq, &f.header)
	f.request.IsUpgrade = true
	switch accepted := f.svc.Upgrade(s, &f.request); {
	case accepted && s.outstanding() == 1 && s.mode != modeDone:
		shut := s.mode == modeDrain // the service asked for it meanwhile
		s.x.turns = s.x.turns[:0]
		f.giveExchange(s.x)
		s.x, s.mode = nil, modeFrames
		s.accept(h.value[fieldKey])
		if shut {
			s.Close(ws.StatusGoingAway, "")
		}
	case s.mode == modeHead && h.close:
		s.drain()
	}
	s.drop()
	return at
}

// accept writes the answer to a handshake (RFC 6455 4.2.2).
func (s *Session) accept(key []byte) {
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455 1.3
	var text [24 + len(guid)]byte
	copy(text[:], key)
	copy(text[24:], guid)
	sum := sha1.Sum(text[:])
	s.room()
	s.Out = append(s.Out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: "...)
	s.Out = base64.StdEncoding.AppendEncode(s.Out, sum[:])
	s.Out = append(s.Out, "\r\n\r\n"...)
}
