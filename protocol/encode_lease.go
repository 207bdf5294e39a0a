package protocol

import (
	"net/http"

	"workman/dispatch"
)

// leased is the tasks of a lease that have come, of those that come one right after the other.
type leased struct {
	to   dispatch.Conn
	seq  uint64
	body []byte
}

// encodeLeased answers POST /lease, with the last of its tasks. If one before it was lost on the way, because the loop met
// an error, that one's lease ends in time.
func encodeLeased(s *Session, e *dispatch.Effect) {
	l := &s.f.lease
	if len(l.body) == 0 || l.to != s.ID || l.seq != e.Seq {
		l.to, l.seq, l.body = s.ID, e.Seq, append(l.body[:0], `{"tasks":[`...)
	}
	if t, err := dispatch.DecodeTicket(e.Nonce); err == nil {
		l.add(s.f.opening.of(e.Name), e.Body, e.Token, &t)
	}
	if e.Found {
		return
	}
	l.body = append(l.body, `]}`...)
	s.Respond(e.Seq, Answer{Status: http.StatusOK, Type: jsonType, Body: l.body})
	if l.body = l.body[:0]; cap(l.body) > keptBody {
		l.body = nil
	}
}

// encodeTaken answers what was said of a lease, and tells its worker if it may stop.
func encodeTaken(s *Session, e *dispatch.Effect) {
	if e.Found {
		s.Respond(e.Seq, Answer{Status: http.StatusOK, Type: jsonType, Body: mayStop})
		return
	}
	s.Respond(e.Seq, Answer{Status: http.StatusNoContent})
}

var mayStop = []byte(`{"cancel":true}`)

// add appends a task.
func (l *leased) add(opening, options []byte, token dispatch.Token, t *dispatch.Ticket) {
	b := l.body
	if b[len(b)-1] != '[' {
		b = append(b, ',')
	}
	b = append(b, opening...)
	if len(options) > 0 {
		b = append(append(b, `,"options":`...), options...)
	}
	b = append(appendTicket(b, t), nonceKey[:]...)
	l.body = append(appendLease(b, token, t.Secret), closing[:]...)
}
