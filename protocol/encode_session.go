package protocol

import (
	"slices"
	"strconv"
	"time"

	"github.com/gobwas/ws"

	"workman/dispatch"
	"workman/document"
)

// welcome answers Hello, and then says what was held back until it is answered.
func welcome(s *Session, e *dispatch.Effect) {
	b := append(s.f.body[:0], `{"event":"Hello","version":`...)
	b = strconv.AppendInt(b, protocolVersion, 10)
	b = appendSeconds(append(b, `,"heartbeat":`...), s.f.cfg.Heartbeat)
	b = e.Token.Append(append(b, `,"session":"`...))
	b = appendSeconds(append(b, `","grace":`...), s.f.cfg.Grace)
	if e.Found {
		b = appendResumed(append(b, `,"resumed":`...), e.Body)
	}
	b = append(b, '}')
	s.Send(ws.OpText, b)
	s.f.keep(b)
	s.Tag |= tagWelcome
	s.f.early = slices.DeleteFunc(s.f.early, func(w early) bool {
		if w.to == s.ID {
			s.Send(ws.OpText, w.text)
		}
		return w.to == s.ID
	})
}

// appendResumed makes a JSON array of hand-outs' nonces.
func appendResumed(dst, tokens []byte) []byte {
	dst = append(dst, '[')
	for t, rest, ok := dispatch.NextToken(tokens); ok; t, rest, ok = dispatch.NextToken(rest) {
		if dst[len(dst)-1] != '[' {
			dst = append(dst, ',')
		}
		dst = append(t.Append(append(dst, '"')), '"')
	}
	return append(dst, ']')
}

// appendSeconds appends a number of seconds, with as many decimals as it has.
func appendSeconds(dst []byte, d time.Duration) []byte {
	return strconv.AppendFloat(dst, d.Seconds(), 'f', -1, 64)
}

// early is an Error event for a worker that said Hello, and has no answer to that yet: the dispatcher may be in other hands.
// Nothing overtakes the answer.
type early struct {
	to   dispatch.Conn
	text []byte
}

// maxEarly is how many of them one event loop holds. What is more than that is only counted, as before Hello.
const maxEarly = 256

// tellWrong tells a worker what is wrong with its message: one that said Hello, behind the answer to that.
func (s *Session) tellWrong(bad *refusal) {
	b := document.AppendProblem(append(s.f.problem[:0], `{"event":"Error","error":`...), bad.status, bad.typ, bad.detail, nil)
	s.f.problem = append(b, '}')
	switch {
	case s.Tag&(tagHello|tagWelcome) != tagHello:
		s.Send(ws.OpText, s.f.problem)
	case len(s.f.early) < maxEarly:
		s.f.early = append(s.f.early, early{s.ID, slices.Clone(s.f.problem)})
	}
}

// forgetEarly lets go of what a session has not been told.
func (s *Session) forgetEarly() {
	if s.Tag&(tagHello|tagWelcome) == tagHello {
		s.f.early = slices.DeleteFunc(s.f.early, func(w early) bool { return w.to == s.ID })
	}
}

// encodeCancel tells a worker that it may stop, encodeLate that what it said of a task counts for nothing.
func encodeCancel(s *Session, e *dispatch.Effect) { sendEvent(s, `{"event":"Cancel"`, e.Token) }
func encodeLate(s *Session, e *dispatch.Effect)   { sendEvent(s, `{"event":"Late"`, e.Token) }

func sendEvent(s *Session, event string, about dispatch.Token) {
	b := append(append(s.f.body[:0], event...), nonceKey[:]...)
	b = append(about.Append(b), closing[:]...)
	s.Send(ws.OpText, b)
	s.f.keep(b)
}

// encodeNoMore tells a worker that the server is ending: it should finish what it has, no more will come.
func encodeNoMore(s *Session) { s.Send(ws.OpText, []byte(`{"event":"Drain"}`)) }

// hangUp closes a connection whose session has gone on with another.
func hangUp(s *Session) {
	s.Close(ws.StatusPolicyViolation, "another connection has gone on with this session")
}
