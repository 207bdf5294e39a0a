package protocol

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"workman/dispatch"
)

// feedFrames takes the frames that are messages by themselves and have come whole, and then one other frame, or as much
// of it as there is.
func (s *Session) feedFrames(in []byte, at int) int {
	if s.mode == modeFrames && len(s.buf) == 0 && s.left == 0 {
		if at = s.feedTexts(in, at); at == len(in) || s.mode != modeFrames {
			return at
		}
	}
	switch {
	case s.left > 0:
		return s.payload(in, at)
	case len(s.buf) > int(s.mark):
		return s.feedHeader(in, at)
	}
	b := in[at:]
	if len(b) < 2 {
		return s.feedHeader(in, at)
	}
	size := frameSize(b[1])
	if op := b[0] & 0x0f; len(b) < size || op >= byte(ws.OpClose) && len(b) < size+int(b[1]&0x7f) {
		return s.feedHeader(in, at)
	}
	h, ok := parseFrame(b)
	if !ok || badFrame(b[0], b[1], s.op) {
		s.fail(ws.StatusProtocolError, "")
		return len(in)
	}
	at += size
	if h.op >= ws.OpClose {
		s.control(h, in[at:at+h.length])
		return at + h.length
	}
	return s.frame(h, in, at)
}

// feedTexts takes whole text frames of up to 64 KiB, for as long as there is nothing else: nearly all there is.
func (s *Session) feedTexts(in []byte, at int) int {
	for s.mode == modeFrames && s.op == 0 && len(in)-at >= 8 {
		b := in[at:]
		size, n, mask := 6, int(b[1]&0x7f), binary.LittleEndian.Uint32(b[2:])
		if n >= 126 {
			if n = int(binary.BigEndian.Uint16(b[2:])); b[1] != 0x80|126 || n < 126 {
				break
			}
			size, mask = 8, binary.LittleEndian.Uint32(b[4:])
		}
		if b[0] != 0x80|byte(ws.OpText) || b[1] < 0x80 || size+n > len(b) || n > s.f.cfg.MaxMessage {
			break
		}
		unmask(b[size:size+n], mask)
		if s.f.cfg.CheckUTF8 && !utf8.Valid(b[size:size+n]) {
			s.fail(ws.StatusInvalidFramePayloadData, "")
			return len(in)
		}
		s.message(in, at+size, n, true)
		at += size + n
	}
	return at
}

// feedHeader takes a header that did not come whole; of a control frame the payload too, which is short. They are kept
// behind the message that is being assembled, one byte after the other of those that are there and not one more.
func (s *Session) feedHeader(in []byte, at int) int {
	for {
		part := s.buf[s.mark:]
		need := 2
		if len(part) >= 2 {
			if badFrame(part[0], part[1], s.op) {
				s.fail(ws.StatusProtocolError, "")
				return len(in)
			}
			if need = frameSize(part[1]); part[0]&0x0f >= byte(ws.OpClose) {
				need += int(part[1] & 0x7f)
			}
		}
		if len(part) == need {
			break
		}
		n := min(need-len(part), len(in)-at)
		if n == 0 {
			return at
		}
		s.keep(in[at:at+n], noEnd)
		at += n
	}
	return s.keptFrame(in, at)
}

// keptFrame goes on with a frame whose header was kept.
func (s *Session) keptFrame(in []byte, at int) int {
	part := s.buf[s.mark:]
	h, ok := parseFrame(part)
	s.buf = s.buf[:s.mark]
	if h.op >= ws.OpClose {
		s.control(h, part[frameSize(part[1]):])
	}
	if s.mark == 0 {
		s.drop()
	}
	switch {
	case h.op >= ws.OpClose:
		return at
	case !ok:
		s.fail(ws.StatusProtocolError, "")
		return len(in)
	}
	return s.frame(h, in, at)
}

// frame goes on with a data frame whose header is whole: in[at:] is its payload and what follows it.
func (s *Session) frame(h frame, in []byte, at int) int {
	if h.length > s.f.cfg.MaxMessage-int(s.mark) {
		s.fail(ws.StatusMessageTooBig, s.f.messageTooBig)
		return len(in)
	}
	if !h.fin || h.op == ws.OpContinuation || h.length > len(in)-at || s.mode != modeFrames {
		return s.fragment(h, in, at)
	}
	p := in[at : at+h.length]
	unmask(p, h.mask)
	if h.op == ws.OpText && s.f.cfg.CheckUTF8 && !utf8.Valid(p) {
		s.fail(ws.StatusInvalidFramePayloadData, "")
		return len(in)
	}
	s.message(in, at, h.length, h.op == ws.OpText)
	return at + h.length
}

// fragment begins a frame that has not come whole, or is not all of its message.
func (s *Session) fragment(h frame, in []byte, at int) int {
	if h.op != ws.OpContinuation {
		s.op, s.frags = h.op, 0
	}
	// A message may well come in small fragments, but not in nothing but empty ones.
	if s.frags++; int(s.frags) > s.f.cfg.MaxFragments+int(s.mark)/16 {
		s.fail(ws.StatusPolicyViolation, "too many fragments")
		return len(in)
	}
	s.left, s.mask = uint32(h.length), h.mask
	if s.flags &^= flagFin; h.fin {
		s.flags |= flagFin
	}
	return s.payload(in, at)
}

// payload takes what there is of a frame's payload.
func (s *Session) payload(in []byte, at int) int {
	n := min(int(s.left), len(in)-at)
	p := in[at : at+n]
	s.left -= uint32(n)
	if s.mode == modeFrames {
		unmask(p, s.mask)
		s.mask = turned(s.mask, n)
		want := noEnd
		if s.flags&flagFin != 0 {
			want = len(s.buf) + n + int(s.left)
		}
		s.keep(p, want)
		s.mark = uint32(len(s.buf))
	}
	last := s.left == 0 && s.flags&flagFin != 0
	if s.op == ws.OpText && s.f.cfg.CheckUTF8 && s.mode == modeFrames && !s.checkText(last) {
		s.fail(ws.StatusInvalidFramePayloadData, "")
		return len(in)
	}
	if last {
		text := s.op == ws.OpText
		if s.op = 0; s.mode == modeFrames {
			s.message(s.buf, 0, len(s.buf), text)
			s.drop()
		}
	}
	return at + n
}

// checkText tells whether what is assembled can still become UTF-8; whole: that it is. What was checked is not checked
// again, but for a character of which a part is still to come.
func (s *Session) checkText(whole bool) bool {
	b := s.buf[s.seen:]
	cut := len(b)
	for i := 1; i <= min(3, len(b)) && !whole; i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				cut -= i
			}
			break
		}
	}
	if !utf8.Valid(b[:cut]) {
		return false
	}
	s.seen += uint32(cut)
	return true
}

// message gives a whole message to the service.
func (s *Session) message(base []byte, at, n int, text bool) {
	s.controls = 0
	var span dispatch.Span
	if n > 0 {
		span = dispatch.Span{Off: uint32(at), Len: uint32(n)}
	}
	s.f.svc.Message(s, base, span, text)
}

// control takes a control frame (RFC 6455 5.5), which may come between the fragments of a message.
func (s *Session) control(h frame, p []byte) {
	unmask(p, h.mask)
	if s.controls++; int(s.controls) > s.f.cfg.MaxControls {
		s.fail(ws.StatusPolicyViolation, "too many control frames")
		return
	}
	switch {
	case h.op == ws.OpClose:
		s.closed(p)
	case h.op == ws.OpPong:
		s.Heard = true
	case s.mode == modeFrames:
		s.room()
		s.Out = append(appendFrame(s.Out, ws.OpPong, len(p)), p...)
	}
}

// closed takes the peer's close frame, and answers it if it was not itself an answer (RFC 6455 5.5.1).
func (s *Session) closed(p []byte) {
	if len(p) == 1 {
		s.fail(ws.StatusProtocolError, "")
		return
	}
	if len(p) >= 2 {
		switch code := binary.BigEndian.Uint16(p); {
		case !isCloseCode(code):
			s.fail(ws.StatusProtocolError, "")
			return
		case !utf8.Valid(p[2:]):
			s.fail(ws.StatusInvalidFramePayloadData, "")
			return
		}
		p = p[:2]
	}
	if s.mode == modeFrames {
		s.room()
		s.Out = append(appendFrame(s.Out, ws.OpClose, len(p)), p...)
	}
	s.mode = modeDone
}

// isCloseCode tells whether a peer may send a code (RFC 6455 7.4, and IANA's registry: 1012 to 1014).
func isCloseCode(c uint16) bool {
	return 1000 <= c && c <= 1003 || 1007 <= c && c <= 1014 || 3000 <= c && c <= 4999
}

// fail ends a WebSocket whose peer broke the protocol; nothing more of it is looked at (RFC 6455 7.1.7).
func (s *Session) fail(code ws.StatusCode, reason string) {
	if s.mode == modeFrames {
		s.sendClose(code, reason)
	}
	s.mode = modeDone
}

func (s *Session) sendClose(code ws.StatusCode, reason string) {
	s.room()
	s.Out = appendFrame(s.Out, ws.OpClose, 2+len(reason))
	s.Out = binary.BigEndian.AppendUint16(s.Out, uint16(code))
	s.Out = append(s.Out, reason...)
}
