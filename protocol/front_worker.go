package protocol

import (
	"net/http"

	"workman/dispatch"
)

// worker makes an event of a worker's message. What is wrong with it is counted, and answered only if the worker said
// Hello, or wanted to: one of old takes every message for a task, would answer it, and so on in a circle.
func (f *Front) worker(s *Session, base []byte, err error) {
	var bad *refusal
	understands := s.Tag&tagHello != 0
	switch {
	case err != nil:
		bad = &refusal{status: http.StatusBadRequest, typ: problemOf(err), detail: err.Error()}
	case f.msg.Action == ActionHello:
		bad, understands = f.hello(s, base), true
	case s.Tag&tagHello != 0:
		bad = f.work(s, base)
	default:
		bad = f.workOfOld(s, base)
	}
	if bad != nil {
		f.invalidWork(s, bad, understands)
	}
}

// workOfOld makes an event of a message of a worker that did not say Hello. What such workers do not know is not looked at.
func (f *Front) workOfOld(s *Session, base []byte) *refusal {
	m := &f.msg
	switch m.Action {
	case ActionGetTask:
		s.Tag &^= tagStrikes
		f.ready(s, 1)
	case ActionSendResult:
		e := f.valid(s, base, dispatch.SendResult)
		e.Body = m.Result
		e.Token, _ = m.NonceToken(base)
	case ActionRegisterTask:
		return f.register(s, base, 0)
	default:
		return f.noWork(base)
	}
	return nil
}

// register makes an event of a RegisterTask. limit is how many of the name the worker may have in hand; 0 is no limit.
func (f *Front) register(s *Session, base []byte, limit uint32) *refusal {
	if err := CheckName(f.msg.Name.Of(base)); err != nil {
		return &refusal{status: http.StatusBadRequest, typ: ProblemBadName, detail: "\"name\": " + err.Error()}
	}
	e := f.valid(s, base, dispatch.RegisterTask)
	e.Name, e.Count = f.msg.Name, limit
	return nil
}

// noWork is what is wrong with an action that workers have not.
func (f *Front) noWork(base []byte) *refusal {
	return wrongMessage("this action is none of a worker's: " + actionText(f.msg.ActionText.Of(base)))
}

// invalidWork counts a message of a worker that makes no sense, and says so to one who understands it.
func (f *Front) invalidWork(s *Session, bad *refusal, understands bool) {
	f.event(s, nil).Kind = dispatch.SendResult // of no task: counted as a bad one
	if understands {
		s.tellWrong(bad)
	}
	f.strike(s)
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

// ready notes that a worker is ready for n more tasks. Behind a result that belongs to the same event: it is done with one
// and ready for the next.
func (f *Front) ready(s *Session, n uint32) {
	if k := len(f.events); k > 0 && f.from == s.ID {
		last := &f.events[k-1]
		if (last.Kind == dispatch.SendResult || last.Kind == dispatch.GetTask || last.Kind == dispatch.SendError) && last.Count < maxCredit {
			last.Count += n
			return
		}
	}
	e := f.event(s, nil)
	e.Kind, e.Count = dispatch.GetTask, n
}
