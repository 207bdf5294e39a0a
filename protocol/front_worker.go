package protocol

import (
	"net/http"
	"strconv"

	"github.com/gobwas/ws"

	"workman/dispatch"
	"workman/document"
)

// tagHello is set in the tag of a worker that said Hello: it understands more than tasks.
const tagHello uint32 = 1 << 24

// worker makes an event of a worker's message. What is wrong with it is counted, and answered only if the worker said
// Hello: one of old takes every message for a task, would answer it, and so on in a circle.
func (f *Front) worker(s *Session, base []byte, err error) {
	m := &f.msg
	switch {
	case err != nil:
		f.invalidWork(s, &refusal{status: http.StatusBadRequest, typ: problemOf(err), detail: err.Error()})
	case m.Action == ActionGetTask:
		s.Tag &^= tagStrikes
		f.ready(s)
	case m.Action == ActionSendResult:
		e := f.valid(s, base, dispatch.SendResult)
		e.Body = m.Result
		e.Token, _ = m.NonceToken(base)
	case m.Action == ActionRegisterTask:
		if bad := CheckName(m.Name.Of(base)); bad != nil {
			f.invalidWork(s, &refusal{status: http.StatusBadRequest, typ: ProblemBadName, detail: "\"name\": " + bad.Error()})
			return
		}
		f.valid(s, base, dispatch.RegisterTask).Name = m.Name
	case m.Action == ActionHello:
		f.hello(s, base)
	case m.Action == ActionSendError && s.Tag&tagHello != 0:
		f.failed(s, base)
	default:
		f.invalidWork(s, &refusal{status: http.StatusBadRequest, typ: ProblemBadMessage,
			detail: "this action is none of a worker's: " + actionText(m.ActionText.Of(base))})
	}
}

// invalidWork counts a message of a worker that makes no sense.
func (f *Front) invalidWork(s *Session, bad *refusal) {
	f.event(s, nil).Kind = dispatch.SendResult // of no task: counted as a bad one
	if s.Tag&tagHello != 0 {
		s.f.problem = document.AppendProblem(append(s.f.problem[:0], `{"event":"Error","error":`...), bad.status, bad.typ, bad.detail, nil)
		s.f.problem = append(s.f.problem, '}')
		s.Send(ws.OpText, s.f.problem)
	}
	f.strike(s)
}

// protocolVersion is the one that is spoken after Hello.
const protocolVersion = 1

// hello answers a worker that says what it understands. A later version than ours will do: it is told which is spoken.
func (f *Front) hello(s *Session, base []byte) {
	version := 0
	if raw := f.msg.Value(HasVersion).Of(base); !parseCount(raw, protocolVersion, 1e8, &version) {
		f.invalidWork(s, wrongTerm(quoteCapped(raw)+" is no value for version: want 1"))
		return
	}
	f.valid(s, base, dispatch.SayHello)
	s.Tag |= tagHello
	b := append(s.f.body[:0], `{"event":"Hello","version":`...)
	b = strconv.AppendInt(b, protocolVersion, 10)
	b = strconv.AppendInt(append(b, `,"heartbeat":`...), int64(f.Heartbeat), 10)
	b = append(b, '}')
	s.Send(ws.OpText, b)
	s.f.keep(b)
}

// failed makes an event of a worker's SendError.
func (f *Front) failed(s *Session, base []byte) {
	m := &f.msg
	at, bad := f.nextAttempt(base)
	if bad != nil {
		f.invalidWork(s, bad)
		return
	}
	s.Tag &^= tagStrikes
	f.ownBase(s)
	e := f.event(s, nil)
	e.Kind, e.At = dispatch.SendError, at
	e.Token, _ = m.NonceToken(base)
	start := len(f.scratch)
	f.scratch = appendError(f.scratch, m.Value(HasError).Of(base))
	e.Body = spanOf(start, len(f.scratch))
	f.base = f.scratch
}

// nextAttempt is what a worker says about the attempt after the one that failed.
func (f *Front) nextAttempt(base []byte) (at int64, bad *refusal) {
	m := &f.msg
	retry, after := string(m.Value(HasRetry).Of(base)), m.Value(HasAfter).Of(base)
	switch retry {
	case "", "null", "true", "false":
	default:
		return 0, wrongTerm(quoteCapped([]byte(retry)) + " is no value for retry: want true or false")
	}
	at = dispatch.Usually
	if len(after) > 0 && string(after) != "null" {
		f.asked.reset()
		value, ok := f.asked.plain(&terms[2], after)
		if !ok || !parseDuration(value, &at) {
			return 0, wrongTerm(quoteCapped(after) + " is no value for after: want " + wantDuration)
		}
	}
	if retry == "false" {
		at = dispatch.Never
	}
	return at, nil
}

// appendError appends an error as an object with the members of RFC 9457, whatever a worker sends as one.
func appendError(dst, raw []byte) []byte {
	switch {
	case len(raw) > 0 && raw[0] == '{':
		return append(dst, raw...)
	case len(raw) > 0 && raw[0] == '"':
		return append(append(append(dst, `{"detail":`...), raw...), '}')
	case len(raw) == 0 || string(raw) == "null":
		return append(dst, `{"detail":"the worker did not say why"}`...)
	}
	return append(AppendQuoted(append(dst, `{"detail":`...), raw), '}')
}

// ready notes that a worker is ready for one more task. Behind a result that belongs to the same event: it is done with
// one and ready for the next.
func (f *Front) ready(s *Session) {
	if k := len(f.events); k > 0 && f.from == s.ID {
		last := &f.events[k-1]
		if last.Kind == dispatch.SendResult || last.Kind == dispatch.GetTask || last.Kind == dispatch.SendError {
			last.Count++
			return
		}
	}
	e := f.event(s, nil)
	e.Kind, e.Count = dispatch.GetTask, 1
}
