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
	t, err := dispatch.DecodeTicket(e.Nonce)
	if err == nil {
		if l.body[len(l.body)-1] != '[' {
			l.body = append(l.body, ',')
		}
		l.body = appendTask(l.body, s.f.opening.of(e.Name), e.Body, &t)
		l.body = appendLease(append(l.body, nonceKey[:]...), e.Token, t.Secret)
		l.body = append(l.body, closing[:]...)
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
