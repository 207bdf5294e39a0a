package protocol

import (
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"
)

// Answer is what a request is answered with. Status is a final one (200 to 999).
type Answer struct {
	Status int
	Type   string // Content-Type; none if empty
	Extra  string // further fields, each as "Name: value\r\n": the program's own words, never a peer's
	Body   []byte
}

// Flags of a turn.
const (
	turnHead  = 1 << iota // HEAD: the body is left out
	turnClose             // the last answer of its connection
	turnKeep              // HTTP/1.0 that asked for keep-alive, and is told that it has it
)

// turn is one request that is not answered yet, or whose answer waits for those before it.
type turn struct {
	out   []byte // the answer, once there is one
	flags uint8
}

// exchange is what a session needs to know while HTTP requests are under way.
type exchange struct {
	turns    []turn // in order of requests; those before first are over
	first    int
	kept     int   // capacity of the answers that wait
	extra    int   // bytes of chunk extensions and trailers of the body that is coming
	digits   uint8 // of the chunk size that is being read
	chunk    chunkState
	framing  framing // of a trailer's name that is coming
	coming   uint8   // flags of the turn of the request whose body is coming
	expected bool    // it waits for a 100 (Continue)
}

func (x *exchange) outstanding() int { return len(x.turns) - x.first }

func (x *exchange) held() int { return x.kept + cap(x.turns)*turnSize }

const turnSize = 32

// open returns the session's exchange, and makes it if there is none.
func (s *Session) open() *exchange {
	if s.x == nil {
		if k := len(s.f.exchanges); k > 0 {
			s.x = s.f.exchanges[k-1]
			s.f.exchanges = s.f.exchanges[:k-1]
		} else {
			s.x = new(exchange)
		}
	}
	return s.x
}

// giveExchange keeps x for the next session, unless it has grown.
func (f *Framing) giveExchange(x *exchange) {
	if cap(x.turns) <= 64 && len(f.exchanges) < 1024 {
		clear(x.turns)
		*x = exchange{turns: x.turns[:0]}
		f.exchanges = append(f.exchanges, x)
	}
}

func (s *Session) outstanding() int {
	if s.x == nil {
		return 0
	}
	return s.x.outstanding()
}

// turn gives the next request its place in line, and returns its Seq.
func (s *Session) turn(flags uint8) uint64 {
	x := s.open()
	if len(x.turns) == cap(x.turns) && x.first > len(x.turns)/2 { // else a line that is never empty would grow for ever
		n := copy(x.turns, x.turns[x.first:])
		clear(x.turns[n:])
		x.turns, x.first = x.turns[:n], 0
	}
	x.turns = append(x.turns, turn{flags: flags})
	s.next++
	return s.next - 1
}

// Respond answers the request that seq counts. Answers leave in the order of the requests: one whose turn it is goes
// straight into Out, one whose turn has not come is copied and kept. A second answer to one request, and one to a
// session that has ended, go nowhere.
func (s *Session) Respond(seq uint64, a Answer) {
	x := s.x
	if x == nil || s.mode == modeDone {
		return
	}
	i := len(x.turns) - int(s.next-seq)
	if seq >= s.next || i < x.first || x.turns[i].out != nil {
		return
	}
	t := &x.turns[i]
	if i != x.first {
		t.out = s.f.appendAnswer(nil, &a, t.flags)
		x.kept += cap(t.out)
		return
	}
	s.room()
	s.Out = s.f.appendAnswer(s.Out, &a, t.flags)
	x.first++
	s.advance()
	s.settle()
}

// Problem answers with a problem document: a's Type and Body are set here. See [AppendProblem].
func (s *Session) Problem(seq uint64, a Answer, typ, detail string) {
	s.f.problem = AppendProblem(s.f.problem[:0], a.Status, typ, detail)
	a.Type, a.Body = ProblemType, s.f.problem
	s.Respond(seq, a)
}

// advance sends the answers whose turn has come.
func (s *Session) advance() {
	x := s.x
	for x.first < len(x.turns) {
		t := &x.turns[x.first]
		if t.out == nil {
			return
		}
		s.Out = append(s.Out, t.out...)
		x.kept -= cap(t.out)
		t.out = nil
		x.first++
	}
	x.turns, x.first = x.turns[:0], 0
	if s.mode == modeDrain {
		s.mode = modeDone
	} else if x.expected {
		s.proceed()
	}
}

// drain ends the input: what is outstanding will still be answered, and the connection ends with the last answer.
func (s *Session) drain() {
	s.mode = modeDrain
	if s.flags&flagBusy == 0 { // else the service may be looking at it; Feed drops it after the call
		s.drop()
	}
	if s.outstanding() == 0 {
		s.mode = modeDone
		return
	}
	if t := &s.x.turns[len(s.x.turns)-1]; t.out == nil {
		t.flags |= turnClose
	}
}

// refuse answers what is coming in, in its turn, with a problem, and reads nothing more.
func (s *Session) refuse(r *refusal, flags uint8) {
	seq := s.turn(flags | turnClose)
	s.mode = modeDrain
	s.drop()
	s.Problem(seq, Answer{Status: r.status, Extra: r.extra}, r.typ, r.detail)
}

// appendAnswer appends a response (RFC 9112 4). Every one that may have a body says how long it is.
func (f *Framing) appendAnswer(dst []byte, a *Answer, flags uint8) []byte {
	status := a.Status
	if status < 200 || status > 999 {
		status = fasthttp.StatusInternalServerError
	}
	if status == fasthttp.StatusOK {
		dst = append(dst, "HTTP/1.1 200 OK\r\nDate: "...)
	} else {
		dst = append(dst, "HTTP/1.1 "...)
		dst = strconv.AppendInt(dst, int64(status), 10)
		dst = append(dst, ' ')
		dst = append(dst, fasthttp.StatusMessage(status)...)
		dst = append(dst, "\r\nDate: "...)
	}
	dst = append(dst, f.host.Date()...)
	dst = append(dst, "\r\n"...)
	dst = appendField(dst, "Content-Type", a.Type)
	if a.Extra != "" {
		dst = appendFields(dst, a.Extra)
	}
	if flags&turnClose != 0 {
		dst = append(dst, "Connection: close\r\n"...)
	} else if flags&turnKeep != 0 {
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	if status == fasthttp.StatusNoContent { // RFC 9110 8.6: no Content-Length with it
		return append(dst, "\r\n"...)
	}
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(a.Body)), 10)
	dst = append(dst, "\r\n\r\n"...)
	if flags&turnHead != 0 || status == fasthttp.StatusNotModified {
		return dst
	}
	return append(dst, a.Body...)
}

// appendFields appends the lines that are fields: nothing in them can end the head.
func appendFields(dst []byte, lines string) []byte {
	for lines != "" {
		line, rest, _ := strings.Cut(lines, "\r\n")
		if name, value, ok := strings.Cut(line, ": "); ok && isToken(name) {
			dst = appendField(dst, name, value)
		}
		lines = rest
	}
	return dst
}

// appendField appends a field, unless its value is empty or would break the head.
func appendField(dst []byte, name, value string) []byte {
	if value == "" || !isFieldValue(value) {
		return dst
	}
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}
