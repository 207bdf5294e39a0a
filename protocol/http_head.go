package protocol

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"workman/dispatch"
)

// maxMethod is how long a method may be; none that anyone implements comes near.
const maxMethod = 64

var (
	notHTTP = malformed("this does not begin like an HTTP request: the server speaks plain HTTP/1.1 here, " +
		"without TLS")
	longMethod = &refusal{status: fasthttp.StatusNotImplemented, typ: ProblemNotImplemented,
		detail: "there is no method with such a long name"}
	bareLF = malformed("a line of the head ends with LF alone, not CR LF")
)

// feedHead takes what belongs to a request's head, and goes on with the request once it is whole.
func (s *Session) feedHead(in []byte, at int) int {
	if len(s.buf) > 0 {
		return s.feedRest(in, at)
	}
	n, bad := s.headEnd(in[at:])
	switch {
	case bad != nil:
		s.refuse(bad, 0)
		return len(in)
	case n == 0:
		s.keep(in[at:], noEnd)
		return len(in)
	}
	return s.begin(in[at:at+n], in, at+n)
}

// feedRest goes on with a head of which a part came earlier.
func (s *Session) feedRest(in []byte, at int) int {
	had := len(s.buf)
	s.keep(in[at:min(len(in), at+s.f.cfg.MaxHeader-had)], noEnd)
	n, bad := s.headEnd(s.buf)
	switch {
	case bad != nil:
		s.refuse(bad, 0)
		return len(in)
	case n == 0:
		return len(in) // all of it is kept: a full buffer without an end is refused
	}
	s.buf = s.buf[:n]
	at += n - had
	return s.begin(s.buf, in, at)
}

// headEnd looks for the end of the head that b begins with, from where it left off: n is its length, or 0 if more must
// come. What it refuses depends on nothing behind the byte that is wrong, so that it does not matter how a head was
// cut. One or two empty lines before the request line are let pass (RFC 9112 2.2).
func (s *Session) headEnd(b []byte) (n int, bad *refusal) {
	cfg := &s.f.cfg
	w := b[:min(len(b), cfg.MaxHeader)]
	start := 0
	for start < 4 && len(w) >= start+2 && w[start] == '\r' && w[start+1] == '\n' {
		start += 2
	}
	from := max(int(s.seen), start)
	if from <= start+maxMethod {
		if bad := startsLikeRequest(w[start:]); bad != nil {
			return 0, bad
		}
	}
	for i := from; i < len(w); {
		j := bytes.IndexByte(w[i:], '\n')
		if j < 0 {
			break
		}
		j += i
		switch {
		case s.mark == 0 && j > start+cfg.MaxTarget+lineSlack:
			return 0, &s.f.targetTooLong
		case w[j-1] != '\r':
			return 0, bareLF
		case s.mark != 0 && w[j-2] == '\n':
			s.mark, s.seen = 0, 0
			return j + 1, nil
		}
		s.mark = 1
		i = j + 1
	}
	s.seen = uint32(len(w))
	switch {
	case s.mark == 0 && len(w) > start+cfg.MaxTarget+lineSlack:
		return 0, &s.f.targetTooLong
	case len(w) == cfg.MaxHeader:
		return 0, &s.f.headTooLarge
	}
	return 0, nil
}

// lineSlack is what a request line has beside its target, at most: a method, two spaces, a version and CR.
const lineSlack = maxMethod + len(" ") + len(" HTTP/1.1\r")

// startsLikeRequest refuses at once what has no method in front: a TLS client's hello would wait for an answer, and
// never send the end of a head.
func startsLikeRequest(b []byte) *refusal {
	for i, c := range b {
		switch {
		case tokens[c]:
			if i == maxMethod {
				return longMethod
			}
		case c == ' ' && i > 0:
			return nil
		case c == '\r' && i == 0 && len(b) == 1: // half of an empty line
			return nil
		default:
			return notHTTP
		}
	}
	return nil
}

// begin goes on with a request whose head is whole; what follows it is in[at:]. It returns how far it came.
func (s *Session) begin(raw, in []byte, at int) int {
	h := &s.f.head
	bad := h.scan(raw)
	flags := h.turnFlags()
	if bad == nil {
		bad = s.admit(h)
	}
	if bad != nil {
		s.refuse(bad, flags)
		return len(in)
	}
	switch {
	case h.upgrades():
		return s.handshake(raw, in, at)
	case h.chunked:
		s.hold(raw)
		s.await(modeChunks, flags, len(in) > at)
	case h.length > len(in)-at:
		s.left = uint32(h.length)
		s.hold(raw)
		s.await(modeBody, flags, len(in) > at)
	default:
		n := max(h.length, 0)
		s.deliver(raw, in, dispatch.Span{Off: uint32(at), Len: uint32(n)})
		at += n
	}
	return at
}

// admit refuses a request by its head alone.
func (s *Session) admit(h *head) *refusal {
	cfg := &s.f.cfg
	switch {
	case len(h.target) > cfg.MaxTarget:
		return &s.f.targetTooLong
	case s.outstanding() >= cfg.MaxPipelined:
		return &s.f.tooMany
	}
	if bad := cfg.Access.check(h); bad != nil {
		return bad
	}
	switch {
	case h.length > cfg.MaxBody:
		return &s.f.bodyTooLarge
	case h.minor > 0 && h.has(fieldExpect) && !fold(h.value[fieldExpect], "100-continue"): // 1.0: RFC 9110 10.1.1
		return badExpectation
	}
	return nil
}

var badExpectation = &refusal{status: fasthttp.StatusExpectationFailed, typ: ProblemExpectation,
	detail: "the only expectation that is met here is 100-continue"}

// deliver gives a whole request to the service.
func (s *Session) deliver(raw, base []byte, body dispatch.Span) {
	f, h := s.f, &s.f.head
	if !f.readHeader(raw) {
		s.refuse(unreadable, h.turnFlags())
		return
	}
	s.mode = modeHead
	if h.ends() {
		s.mode = modeDrain
	}
	seq := s.turn(h.turnFlags())
	s.flags |= flagTold
	f.request = h.request(seq, &f.header)
	if f.request.Base = base; body.Len > 0 {
		f.request.Body = body
	}
	f.svc.Request(s, &f.request)
	s.drop()
}

var unreadable = malformed("the head cannot be read")

// readHeader gives the head to fasthttp, which is a second pair of eyes, and what services look fields up in. Its
// errors are not passed on: they quote the request, Authorization and all.
func (f *Framing) readHeader(raw []byte) bool {
	f.source.Reset(raw)
	f.reader.Reset(&f.source)
	return f.header.Read(f.reader) == nil
}

func (h *head) request(seq uint64, header *fasthttp.RequestHeader) Request {
	return Request{Seq: seq, Method: h.method, Target: h.target, Path: h.path, Query: h.query, Host: h.authority,
		Header: header, Terms: h.has(fieldTerms)}
}
