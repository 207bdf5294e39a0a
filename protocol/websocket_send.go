package protocol

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Text begins a text frame of exactly n bytes in Out, and makes room for them; the caller then appends exactly n bytes to
// Out. It returns false, and has written nothing, if the session is no open WebSocket (any more): then nothing may be
// appended.
func (s *Session) Text(n int) bool {
	if s.mode != modeFrames {
		return false
	}
	s.room()
	const longest = 10 // of a header
	s.Out = appendFrame(slices.Grow(s.Out, longest+n), ws.OpText, n)
	return true
}

// text is Text, and returns the n bytes that the caller is to write; nil instead of false.
func (s *Session) text(n int) []byte {
	if !s.Text(n) {
		return nil
	}
	at := len(s.Out)
	s.Out = s.Out[:at+n]
	return s.Out[at:]
}

// Send writes a whole message, or a ping or pong of at most 125 bytes. It does nothing if the session is no open
// WebSocket (any more).
func (s *Session) Send(op ws.OpCode, p []byte) {
	if s.mode != modeFrames || op.IsControl() && len(p) > ws.MaxControlFramePayloadSize {
		return
	}
	s.room()
	s.Out = append(appendFrame(s.Out, op, len(p)), p...)
}

// Ping asks an open WebSocket for a pong, which sets Heard. It also renews the peer's allowance of control frames
// (Config.MaxControls), so a host calls it at intervals, for connections in use as well.
func (s *Session) Ping() {
	s.controls = 0
	s.Send(ws.OpPing, nil)
}

// Close begins the closing handshake of a WebSocket (RFC 6455 7.1.2): a close frame is sent, and nothing taken but the
// peer's. The service is told that the session has ended, at once or as soon as its call returns. A code that must not
// be sent makes a close frame without one; a reason is cut to what a frame holds.
func (s *Session) Close(code ws.StatusCode, reason string) {
	if s.mode != modeFrames {
		return
	}
	if !isCloseCode(uint16(code)) {
		s.room()
		s.Out = appendFrame(s.Out, ws.OpClose, 0)
	} else {
		s.sendClose(code, closeReason(reason))
	}
	s.mode = modeClosing
	if s.flags&flagBusy == 0 {
		s.dropMessage()
	}
	s.settle()
}

// closeReason cuts a reason between two characters.
func closeReason(reason string) string {
	const most = ws.MaxControlFramePayloadSize - 2
	reason = strings.ToValidUTF8(reason, "\uFFFD")
	if len(reason) <= most {
		return reason
	}
	n := most
	for !utf8.RuneStart(reason[n]) {
		n--
	}
	return reason[:n]
}

// dropMessage lets go of the message that is being assembled, and keeps the beginning of a frame behind it.
func (s *Session) dropMessage() {
	var part [14 + ws.MaxControlFramePayloadSize]byte
	n := 0
	if s.buf != nil {
		n = copy(part[:], s.buf[s.mark:])
	}
	s.drop()
	if n > 0 {
		s.keep(part[:n], noEnd)
	}
}
