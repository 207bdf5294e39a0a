package protocol

import "workman/dispatch"

// A body that has not come whole is assembled behind a copy of its head, which is read again when it has: nothing else
// about the request need be remembered meanwhile.

// hold keeps a head until its body has come.
func (s *Session) hold(raw []byte) {
	if len(s.buf) == 0 {
		s.keep(raw, noEnd)
	}
	s.mark = uint32(len(raw))
}

// await makes the session take a body. arrived: some of it is there.
func (s *Session) await(m mode, flags uint8, arrived bool) {
	x := s.open()
	s.mode = m
	x.coming, x.chunk, x.extra, x.digits = flags, chunkSize, 0, 0
	if h := &s.f.head; h.minor > 0 && h.has(fieldExpect) && !arrived {
		x.expected = true
		if x.outstanding() == 0 {
			s.proceed()
		}
	}
}

// proceed tells the peer to send the body (RFC 9110 15.2.1), now that it is this request's turn.
func (s *Session) proceed() {
	s.x.expected = false
	s.room()
	s.Out = append(s.Out, "HTTP/1.1 100 Continue\r\n\r\n"...)
}

// feedBody takes what belongs to a body with a Content-Length.
func (s *Session) feedBody(in []byte, at int) int {
	s.x.expected = false
	at = s.bodyBytes(in, at, len(s.buf)+int(s.left))
	if s.left == 0 {
		s.bodyEnd()
	}
	return at
}

// bodyBytes keeps as much as there is of the next s.left bytes; want is as in keep.
func (s *Session) bodyBytes(in []byte, at, want int) int {
	n := min(int(s.left), len(in)-at)
	s.keep(in[at:at+n], want)
	s.left -= uint32(n)
	return at + n
}

// bodyEnd gives the request to the service.
func (s *Session) bodyEnd() {
	raw := s.buf[:s.mark:s.mark]
	if bad := s.f.head.scan(raw); bad != nil { // it was read before
		panic("protocol: a head that was accepted is refused")
	}
	s.deliver(raw, s.buf, dispatch.Span{Off: s.mark, Len: uint32(len(s.buf)) - s.mark})
}

// chunkState is where in a chunked body (RFC 9112 7.1) the next byte stands.
type chunkState uint8

const (
	chunkSize      chunkState = iota
	chunkExt                  // behind a semicolon: the first byte of an extension's name
	chunkExtName              // in the name
	chunkExtEq                // behind its equals sign
	chunkExtValue             // in a value that is a token
	chunkExtQuote             // in one that is quoted
	chunkExtEscape            // behind a backslash there
	chunkExtEnd               // behind the closing quote
	chunkSizeLF               // the LF behind a size
	chunkData
	chunkCR     // the CR behind the data
	chunkLF     // and its LF
	trailer     // the first byte of a trailer's line
	trailerName // before the colon
	trailerText // behind it
	trailerLF   // the LF behind a trailer
	chunkEnd    // the LF that ends it all
)

var (
	badChunk   = malformed("a chunk does not have the form that RFC 9112 7.1 gives it")
	badTrailer = malformed("a trailer is not a header field")

	framingTrailer = malformed("a trailer bears the name of a field that frames or routes the message (RFC 9110 6.5.1)")
)

// feedChunks takes what belongs to a chunked body.
func (s *Session) feedChunks(in []byte, at int) int {
	x := s.x
	x.expected = false
	for at < len(in) && s.mode == modeChunks {
		if x.chunk == chunkData {
			if at = s.bodyBytes(in, at, noEnd); s.left == 0 {
				x.chunk = chunkCR
			}
			continue
		}
		if x.chunk == chunkEnd && in[at] == '\n' {
			s.bodyEnd()
			return at + 1
		}
		if bad := s.chunkByte(in[at]); bad != nil {
			s.refuse(bad, x.coming)
			return len(in)
		}
		at++
	}
	return at
}

// chunkByte takes one byte of what stands around the data.
func (s *Session) chunkByte(c byte) *refusal {
	x := s.x
	var next chunkState
	switch x.chunk {
	case chunkSize:
		return s.sizeByte(c)
	case chunkExt, chunkExtName, chunkExtEq, chunkExtValue, chunkExtQuote, chunkExtEscape, chunkExtEnd:
		if next = x.chunk.ext(c); next == chunkSize {
			return badChunk
		}
		x.extra++
	case chunkSizeLF:
		if c != '\n' {
			return badChunk
		}
		if next = chunkData; s.left == 0 {
			next = trailer
		}
		x.digits = 0
	case chunkCR:
		if c != '\r' {
			return badChunk
		}
		next = chunkLF
	case chunkLF:
		if c != '\n' {
			return badChunk
		}
		next = chunkSize
	default:
		return s.trailerByte(c)
	}
	x.chunk = next
	if x.extra > s.f.cfg.MaxHeader {
		return &s.f.trailersTooLarge
	}
	return nil
}

// ext takes one byte of a chunk's extensions (RFC 9112 7.1.1), without the white space that is called bad there, and
// returns what comes next; chunkSize if the byte may not stand there. They mean nothing here, but a quoted string that one
// reader ends and another does not would hide a chunk.
func (k chunkState) ext(c byte) chunkState {
	switch {
	case tokens[c] && (k == chunkExt || k == chunkExtName):
		return chunkExtName
	case tokens[c] && (k == chunkExtEq || k == chunkExtValue):
		return chunkExtValue
	case k == chunkExtName && c == '=':
		return chunkExtEq
	case k == chunkExtEq && c == '"':
		return chunkExtQuote
	case k == chunkExtQuote && c == '"':
		return chunkExtEnd
	case k == chunkExtQuote && c == '\\':
		return chunkExtEscape
	case (k == chunkExtQuote || k == chunkExtEscape) && isText(c):
		return chunkExtQuote
	case (k == chunkExtName || k == chunkExtValue || k == chunkExtEnd) && c == ';':
		return chunkExt
	case (k == chunkExtName || k == chunkExtValue || k == chunkExtEnd) && c == '\r':
		return chunkSizeLF
	}
	return chunkSize
}

// sizeByte takes one byte of a chunk's size: up to 16 digits, so that it cannot overflow.
func (s *Session) sizeByte(c byte) *refusal {
	x := s.x
	switch {
	case isHex(c) && x.digits < 16:
		x.digits++
		d := uint64(lowered(c) - '0')
		if d > 9 {
			d = uint64(lowered(c)-'a') + 10
		}
		size := uint64(s.left)<<4 | d // fits: left was at most MaxBody
		if size+uint64(len(s.buf))-uint64(s.mark) > uint64(s.f.cfg.MaxBody) {
			return &s.f.bodyTooLarge
		}
		s.left = uint32(size)
		return nil
	case x.digits == 0 || c != ';' && c != '\r':
		return badChunk
	case c == ';':
		x.chunk = chunkExt
	default:
		x.chunk = chunkSizeLF
	}
	return nil
}

// trailerByte takes one byte of the trailers, which mean nothing here (RFC 9112 7.1.2).
func (s *Session) trailerByte(c byte) *refusal {
	x := s.x
	switch {
	case x.chunk == trailer && c == '\r':
		x.chunk = chunkEnd
	case (x.chunk == trailer || x.chunk == trailerName) && tokens[c]:
		if x.chunk == trailer {
			x.framing.begin()
		}
		x.framing.add(c)
		x.chunk = trailerName
	case x.chunk == trailerName && c == ':':
		if x.framing.matches() {
			return framingTrailer
		}
		x.chunk = trailerText
	case x.chunk == trailerText && c == '\r':
		x.chunk = trailerLF
	case x.chunk == trailerText && isText(c):
	case x.chunk == trailerLF && c == '\n':
		x.chunk = trailer
	default:
		return badTrailer
	}
	if x.extra++; x.extra > s.f.cfg.MaxHeader {
		return &s.f.trailersTooLarge
	}
	return nil
}

// framingNames are fields that no trailer may be (RFC 9110 6.5.1): who took them in would read another message.
var framingNames = [...]string{"content-length", "transfer-encoding", "host"}

// framing tells whether a name that comes byte by byte is one of framingNames.
type framing struct {
	could uint8 // a bit for each that it may still become
	n     uint8 // bytes so far
}

func (f *framing) begin() { *f = framing{could: 1<<len(framingNames) - 1} }

func (f *framing) add(c byte) {
	for i, name := range framingNames {
		if int(f.n) >= len(name) || lowered(c) != name[f.n] {
			f.could &^= 1 << i
		}
	}
	if f.could != 0 {
		f.n++
	}
}

func (f *framing) matches() bool {
	for i, name := range framingNames {
		if f.could&(1<<i) != 0 && int(f.n) == len(name) {
			return true
		}
	}
	return false
}

// isText tells whether c may stand in a field value.
func isText(c byte) bool { return c >= 0x20 && c != 0x7f || c == '\t' }
