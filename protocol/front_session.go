package protocol

import (
	"net/http"

	"workman/dispatch"
)

// In the tag of a worker: it said Hello, so it understands more than tasks, and may say more; and it has been answered.
const (
	tagHello   uint32 = 1 << 24
	tagWelcome uint32 = 1 << 25
)

// protocolVersion is the one that is spoken after Hello.
const protocolVersion = 1

// maxCredit is how many tasks a worker may ask for in one message, and how many of a name it may want to have at once.
const maxCredit = 65_536

// hello makes an event of what a worker says that it understands. A later version than ours will do: it is told which is
// spoken. It is answered with the dispatcher's Welcome; a session that cannot be one of ours is one that is over.
func (f *Front) hello(s *Session, base []byte) *refusal {
	version := 0
	if raw := f.msg.Value(HasVersion).Of(base); !parseCount(raw, protocolVersion, 1e8, &version) {
		return wrongTerm(quoteCapped(raw) + " is no value for version: want 1")
	}
	var session dispatch.Token
	if raw := f.msg.said(base, HasSession); raw != nil {
		if raw[0] != '"' {
			return wrongTerm(quoteCapped(raw) + " is no value for session: want the text that Hello was answered with before")
		}
		session, _ = dispatch.ParseToken(raw[1 : len(raw)-1])
	}
	f.valid(s, base, dispatch.SayHello).Token = session
	s.Tag |= tagHello
	return nil
}

// work makes an event of a message of a worker that said Hello.
func (f *Front) work(s *Session, base []byte) *refusal {
	switch f.msg.Action {
	case ActionRegisterTask:
		var limit uint32
		if bad := f.msg.number(base, HasConcurrency, 1, &limit); bad != nil {
			return bad
		}
		return f.register(s, base, limit)
	case ActionGetTask:
		count := uint32(1)
		if bad := f.msg.number(base, HasCount, 1, &count); bad != nil {
			return bad
		}
		s.Tag &^= tagStrikes
		f.ready(s, count)
		return nil
	case ActionSendResult:
		return f.done(s, base)
	case ActionSendError:
		return f.failed(s, base)
	case ActionExtend:
		return f.extend(s, base)
	case ActionProgress:
		return f.progress(s, base)
	case ActionDrain:
		return f.handBack(s, base)
	}
	return f.noWork(base)
}

// done makes an event of a SendResult.
func (f *Front) done(s *Session, base []byte) *refusal {
	var credit uint32
	if bad := f.msg.number(base, HasCredit, 0, &credit); bad != nil {
		return bad
	}
	token, bad := f.token(base)
	if bad != nil {
		return bad
	}
	e := f.valid(s, base, dispatch.SendResult)
	e.Token, e.Body, e.Count = token, f.msg.Result, credit
	return nil
}

// failed makes an event of a SendError.
func (f *Front) failed(s *Session, base []byte) *refusal {
	var credit uint32
	at, bad := nextAttempt(f.msg.said(base, HasRetry), f.msg.said(base, HasAfter), &f.asked)
	if bad == nil {
		bad = f.msg.number(base, HasCredit, 0, &credit)
	}
	if bad != nil {
		return bad
	}
	token, bad := f.token(base)
	if bad != nil {
		return bad
	}
	s.Tag &^= tagStrikes
	f.ownBase(s)
	e := f.event(s, nil)
	e.Kind, e.Token, e.At, e.Count = dispatch.SendError, token, at, credit
	start := len(f.scratch)
	f.scratch = appendError(f.scratch, f.msg.Value(HasError).Of(base))
	e.Body = spanOf(start, len(f.scratch))
	f.base = f.scratch
	return nil
}

// nextAttempt is what a worker says about the attempt after the one that failed; nil is what it did not say.
func nextAttempt(retry, after []byte, a *asked) (at int64, bad *refusal) {
	switch string(retry) {
	case "", "true", "false":
	default:
		return 0, wrongTerm(quoteCapped(retry) + " is no value for retry: want true or false")
	}
	at = dispatch.Usually
	if after != nil {
		if bad := a.duration("after", after, 0, dispatch.MaxKeep, &at); bad != nil {
			return 0, bad
		}
	}
	if string(retry) == "false" {
		at = dispatch.Never
	}
	return at, nil
}

// extend makes an event of an Extend.
func (f *Front) extend(s *Session, base []byte) *refusal {
	var lasts int64
	if bad := f.asked.duration("for", f.msg.said(base, HasFor), 1, dispatch.MaxLease, &lasts); bad != nil {
		return bad
	}
	token, bad := f.token(base)
	if bad != nil {
		return bad
	}
	e := f.valid(s, base, dispatch.Extend)
	e.Token, e.At = token, lasts
	return nil
}

// progress makes an event of a Progress.
func (f *Front) progress(s *Session, base []byte) *refusal {
	token, bad := f.token(base)
	if bad != nil {
		return bad
	}
	f.ownBase(s)
	body, bad := f.appendProgress(f.msg.said(base, HasValue), f.msg.said(base, HasNote))
	if bad != nil {
		return bad
	}
	s.Tag &^= tagStrikes
	e := f.event(s, nil)
	e.Kind, e.Token, e.Body = dispatch.Progress, token, body
	f.base = f.scratch
	return nil
}

// appendProgress appends to the scratch how far a worker is, as an object with the members value and note. nil is what it
// did not say.
func (f *Front) appendProgress(value, note []byte) (dispatch.Span, *refusal) {
	if value == nil && note == nil {
		return dispatch.Span{}, wrongTerm(`a progress says how far it is: want "value", any JSON, "note", a text, or both`)
	}
	if note != nil && note[0] != '"' {
		return dispatch.Span{}, wrongTerm(quoteCapped(note) + " is no value for note: want a text")
	}
	start := len(f.scratch)
	b := append(f.scratch, '{')
	if value != nil {
		b = append(append(b, `"value":`...), value...)
	}
	if note != nil {
		if value != nil {
			b = append(b, ',')
		}
		b = append(append(b, `"note":`...), note...)
	}
	b = append(b, '}')
	if len(b)-start > dispatch.MaxProgress {
		return dispatch.Span{}, wrongTerm("value and note are more than is kept of a progress: 1024 bytes, as an object with the two")
	}
	f.scratch = b
	return spanOf(start, len(b)), nil
}

// handBack makes an event of a Drain: of one task, or of the worker.
func (f *Front) handBack(s *Session, base []byte) *refusal {
	back := f.msg.said(base, HasReturn)
	if back != nil && string(back) != "true" && string(back) != "false" {
		return wrongTerm(quoteCapped(back) + " is no value for return: want true or false")
	}
	var token dispatch.Token
	if f.msg.Has&HasNonce != 0 {
		if back != nil {
			return wrongTerm("nonce gives back one task, and return all of them: want one of the two")
		}
		var bad *refusal
		if token, bad = f.token(base); bad != nil {
			return bad
		}
	}
	e := f.valid(s, base, dispatch.HandBack)
	if e.Token = token; string(back) == "true" {
		e.Count = 1
	}
	return nil
}

// token is the one that the message's nonce spells.
func (f *Front) token(base []byte) (dispatch.Token, *refusal) {
	t, ok := f.msg.NonceToken(base)
	if !ok || t == (dispatch.Token{}) {
		raw := f.msg.Nonce.Of(base)
		if raw == nil {
			return t, wrongMessage(`"nonce" is missing: say which task this is about`)
		}
		return t, wrongMessage(quoteCapped(raw) + " is no nonce of a task")
	}
	return t, nil
}

func wrongMessage(detail string) *refusal {
	return &refusal{status: http.StatusBadRequest, typ: ProblemBadMessage, detail: detail}
}
