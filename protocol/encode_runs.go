package protocol

import (
	"encoding/hex"
	"net/http"

	"github.com/gobwas/ws"

	"workman/dispatch"
	"workman/document"
)

// keptBody is the most room for making an answer that a loop keeps.
const keptBody = 64 << 10

// keep keeps the room of an answer that was made in f.body.
func (f *Framing) keep(body []byte) {
	if cap(body) <= keptBody {
		f.body = body
	}
}

// sendMembers answers a producer of today: an object with its nonce, if it gave one, and a member; then others, each with
// a comma in front.
func sendMembers(s *Session, nonce []byte, member string, value []byte, others ...[]byte) {
	b := append(s.f.body[:0], '{')
	if nonce != nil {
		b = append(append(append(b, `"nonce":`...), nonce...), ',')
	}
	b = append(append(b, member...), value...)
	for _, o := range others {
		b = append(b, o...)
	}
	b = append(b, '}')
	s.Send(ws.OpText, b)
	s.f.keep(b)
}

// sendProblem tells a producer of today what went wrong. more is as in document.AppendProblem.
func sendProblem(s *Session, nonce []byte, status int, kind, detail string, more []byte) {
	s.f.problem = document.AppendProblem(s.f.problem[:0], status, kind, detail, more)
	sendMembers(s, nonce, `"error":`, s.f.problem)
}

// fail tells whoever asked what went wrong, in the form that its endpoint has for that.
func fail(s *Session, e *dispatch.Effect, status int, kind, detail string, more []byte, extra string) {
	if s.Tag&tagEndpoint != 0 {
		own, _ := cutMark(e.Nonce)
		sendProblem(s, own, status, kind, detail, more)
		return
	}
	s.f.problem = document.AppendProblem(s.f.problem[:0], status, kind, detail, more)
	s.Respond(e.Seq, Answer{Status: status, Type: ProblemType, Extra: extra, Body: s.f.problem})
}

const unreadableDetail = "what is stored of this run cannot be read: it is damaged, or was written by a newer version"

// unreadableRun is answered in place of what cannot be decoded.
func unreadableRun(s *Session, e *dispatch.Effect) {
	fail(s, e, http.StatusInternalServerError, ProblemStored, unreadableDetail, nil, "")
}

// encodeRun answers with a run.
func encodeRun(s *Session, e *dispatch.Effect) {
	if e.Kind == dispatch.Accepted && encodeMember(s, e) {
		return
	}
	v, err := dispatch.DecodeView(e.Body)
	if err == nil {
		switch e.Kind {
		case dispatch.Scheduled:
			reply(s, e, append(v.ID.Append([]byte(`{"id":"`)), `"}`...))
		case dispatch.Accepted:
			encodeAccepted(s, e, &v)
		case dispatch.Done:
			err = encodeDone(s, e, &v)
		default:
			err = encodeShown(s, e, &v)
		}
	}
	if err != nil {
		unreadableRun(s, e)
	}
}

// location is the field that says where a run is found.
func location(v *dispatch.View) string { return "Location: /runs/" + v.ID.String() + "\r\n" }

// encodeAccepted says that a run is stored.
func encodeAccepted(s *Session, e *dispatch.Effect, v *dispatch.View) {
	s.f.run = document.AppendShort(s.f.run[:0], v)
	if s.Tag&tagEndpoint != 0 {
		own, _ := cutMark(e.Nonce)
		sendMembers(s, own, `"run":`, s.f.run)
		return
	}
	n := noteOf(e.Nonce)
	s.Respond(e.Seq, Answer{Status: http.StatusAccepted, Type: jsonType, Extra: location(v) + n.applied(false), Body: s.f.run})
}

// encodeDone answers whoever waited for a run.
func encodeDone(s *Session, e *dispatch.Effect, v *dispatch.View) error {
	o, err := dispatch.DecodeOutcome(v.Outcome)
	if err != nil {
		return err
	}
	if o.State != dispatch.Succeeded {
		return encodeUnsuccessful(s, e, v, &o)
	}
	if o.Result == nil {
		o.Result = null
	}
	if s.Tag&tagEndpoint != 0 {
		own, _ := cutMark(e.Nonce)
		s.f.run = document.AppendShort(append(s.f.run[:0], `,"run":`...), v)
		sendMembers(s, own, `"result":`, o.Result, s.f.run)
		return nil
	}
	n := noteOf(e.Nonce)
	s.Respond(e.Seq, Answer{Status: http.StatusOK, Type: jsonType, Extra: location(v) + n.applied(true), Body: o.Result})
	return nil
}

// encodeUnsuccessful answers whoever waited for a run that came to no result.
func encodeUnsuccessful(s *Session, e *dispatch.Effect, v *dispatch.View, o *dispatch.Outcome) error {
	more := append(v.ID.Append([]byte(`"run":"`)), `","attempts":`...)
	more, err := document.AppendAttempts(more, o.History)
	if err != nil {
		return err
	}
	n := noteOf(e.Nonce)
	extra := ""
	if s.Tag&tagEndpoint == 0 {
		extra = location(v) + n.applied(true)
	}
	switch o.State {
	case dispatch.Cancelled:
		fail(s, e, http.StatusConflict, ProblemRunCancelled, "the run was cancelled", more, extra)
	case dispatch.Expired:
		fail(s, e, http.StatusGatewayTimeout, ProblemRunExpired, "the run's deadline or time to live came before it was done", more, extra)
	default:
		fail(s, e, http.StatusBadGateway, ProblemRunFailed,
			"the run is dead: its attempts failed, or its workers were lost, as often as they may; attempts says how they failed", more, extra)
	}
	return nil
}

// encodeShown answers with a run's document.
func encodeShown(s *Session, e *dispatch.Effect, v *dispatch.View) error {
	doc, err := document.Append(s.f.run[:0], v, true)
	if err != nil {
		return err
	}
	if cap(doc) <= keptBody {
		s.f.run = doc
	}
	switch {
	case s.Tag&tagEndpoint != 0:
		own, _ := cutMark(e.Nonce)
		sendMembers(s, own, `"run":`, doc)
	case e.Kind == dispatch.Changed:
		s.Respond(e.Seq, Answer{Status: http.StatusAccepted, Type: jsonType, Body: doc})
	default:
		tag, n := tagOf(doc), noteOf(e.Nonce)
		status := http.StatusOK
		if n.knows(tag) {
			status = http.StatusNotModified
		}
		extra := `ETag: "` + hex.EncodeToString(tag[:]) + "\"\r\n"
		s.Respond(e.Seq, Answer{Status: status, Type: jsonType, Extra: extra, Body: doc})
	}
	return nil
}

// encodeWhy answers why a run is where it is.
func encodeWhy(s *Session, e *dispatch.Effect) {
	w, err := dispatch.DecodeWhy(e.Body)
	if err != nil {
		unreadableRun(s, e)
		return
	}
	reply(s, e, document.AppendWhy(nil, &w))
}
