package protocol

import (
	"errors"
	"net/http"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"workman/dispatch"
)

// Message makes an event of one message of a producer or a worker.
func (f *Front) Message(s *Session, base []byte, at dispatch.Span, text bool) {
	if t := f.known.find(s, base[at.Off:at.Off+at.Len]); t == nil || !f.familiar(s, base, at.Off, t) {
		f.message(s, base, at, text)
	}
	if int(at.Len) == len(base) {
		f.Flush() // what is all of its base was assembled, and is gone after the call
	}
}

// familiar makes an event of the message at off, which fits a template, and reports false if it is to be decoded after all.
func (f *Front) familiar(s *Session, base []byte, off uint32, t *template) bool {
	if t.hello && s.Tag&tagHello == 0 {
		return false
	}
	switch t.event.Kind {
	case dispatch.GetTask:
		f.ready(s, t.event.Count)
	case dispatch.SendResult:
		token, ok := dispatch.ParseToken(base[off+t.token:][:dispatch.TokenLen])
		if !ok {
			return false
		}
		e := f.event(s, base)
		e.Kind, e.Body, e.Token, e.Count = dispatch.SendResult, moved(t.event.Body, off), token, t.event.Count
	default:
		if s.Tag&tagSlow != 0 {
			return false
		}
		e := f.event(s, base)
		e.Kind, e.Name = dispatch.RunTask, moved(t.event.Name, off)
		e.Nonce, e.Body = moved(t.event.Nonce, off), moved(t.event.Body, off)
	}
	f.known.used(s)
	s.Tag &^= tagStrikes
	return true
}

func (f *Front) message(s *Session, base []byte, at dispatch.Span, text bool) {
	err := DecodeMessage(base, at, &f.msg)
	if err != nil && text && !utf8.Valid(at.Of(base)) {
		s.Close(ws.StatusInvalidFramePayloadData, "a text message must be UTF-8")
		return
	}
	if err == nil && s.Tag&tagLearned != tagLearned && f.known.learn(s, base, at, &f.msg) {
		s.Tag += tagLearn
	}
	if s.Tag&tagEndpoint == tagWorker {
		f.worker(s, base, err)
		return
	}
	if err != nil {
		f.invalid(s, base, problemOf(err), err.Error())
		return
	}
	f.producer(s, base)
}

// problemOf is the problem's type for an error of DecodeMessage.
func problemOf(err error) string {
	if _, ok := errors.AsType[*JSONError](err); ok {
		return ProblemBadJSON
	}
	return ProblemBadMessage
}

// valid makes an event of a message that makes sense.
func (f *Front) valid(s *Session, base []byte, kind dispatch.Kind) *dispatch.Event {
	s.Tag &^= tagStrikes
	e := f.event(s, base)
	e.Kind = kind
	return e
}

// isNew tells whether a producer's message says something that the original does not know. Its answers have the form of
// today then.
func (f *Front) isNew() bool {
	switch f.msg.Action {
	case ActionGetRun, ActionCancelRun, ActionRetryRun:
		return true
	}
	return f.msg.Has&anyTerm != 0
}

// invalid tells a producer what is wrong with its message.
func (f *Front) invalid(s *Session, base []byte, kind, text string) {
	f.invalidAs(s, base, &refusal{status: http.StatusBadRequest, typ: kind, detail: text})
}

func (f *Front) invalidAs(s *Session, base []byte, bad *refusal) {
	if nonce := f.msg.Nonce.Of(base); f.isNew() {
		sendProblem(s, nonce, bad.status, bad.typ, bad.detail, nil)
	} else {
		f.wrong(s, nonce, "Bad request, "+bad.detail)
	}
	f.strike(s)
}

// strike counts an invalid message, and closes a WebSocket that sends nothing else.
func (f *Front) strike(s *Session) {
	if s.Tag += tagStrike; s.Tag&tagStrikes > MaxInvalid*tagStrike {
		s.Close(ws.StatusPolicyViolation, "too many invalid messages")
	}
}

func (f *Front) producer(s *Session, base []byte) {
	m := &f.msg
	if s.Tag&tagSlow != 0 && m.Action != ActionUnscheduleTask {
		f.refuseSlow(s, m.Nonce.Of(base))
		return
	}
	switch m.Action {
	case ActionRunTask:
		f.requestOf(s, base, dispatch.RunTask, 0)
	case ActionScheduleTask:
		at, err := ParseWhen(m.When.Of(base))
		if err != nil {
			f.invalid(s, base, ProblemBadTime, "\"when\": "+err.Error())
			return
		}
		f.requestOf(s, base, dispatch.ScheduleTask, at)
	case ActionGetTasks:
		f.valid(s, base, dispatch.ListTasks).Nonce = m.Nonce
	case ActionUnscheduleTask:
		f.unschedule(s, base)
	case ActionGetRun:
		f.askRunOf(s, base, dispatch.ReadRun)
	case ActionCancelRun:
		f.askRunOf(s, base, dispatch.CancelRun)
	case ActionRetryRun:
		f.askRunOf(s, base, dispatch.RetryRun)
	case ActionNone:
		if m.Has&HasID != 0 {
			f.unschedule(s, base)
			return
		}
		f.invalid(s, base, ProblemBadMessage, `no action: "action" is missing`)
	default:
		f.invalid(s, base, ProblemBadMessage, "unknown action "+actionText(m.ActionText.Of(base)))
	}
}

// refuseSlow takes nothing that needs an answer from a producer that does not read.
func (f *Front) refuseSlow(s *Session, nonce []byte) {
	const text = "you do not read the answers that wait for you; read them, then try again"
	if f.isNew() {
		sendProblem(s, nonce, http.StatusServiceUnavailable, ProblemOverloaded, text, nil)
		return
	}
	f.wrong(s, nonce, "Refused: "+text)
}

// requestOf makes an event of a message that asks to run a task.
func (f *Front) requestOf(s *Session, base []byte, kind dispatch.Kind, at int64) {
	m := &f.msg
	if err := CheckName(m.Name.Of(base)); err != nil {
		f.invalid(s, base, ProblemBadName, "\"name\": "+err.Error())
		return
	}
	if m.Has&anyTerm != 0 {
		f.requestWithTerms(s, base, kind, at)
		return
	}
	e := f.valid(s, base, kind)
	e.At = at
	e.Name, e.Nonce, e.Body = m.Name, m.Nonce, m.Options
}

func (f *Front) unschedule(s *Session, base []byte) {
	e := f.valid(s, base, dispatch.UnscheduleTask)
	e.Nonce = f.msg.Nonce
	*e.Run() = f.runOf(base)
}

// wrong answers a producer's message with an error, and the connection stays.
func (f *Front) wrong(s *Session, nonce []byte, text string) {
	body := append(make([]byte, 0, len(text)+16), `{"error":`...)
	body = append(AppendQuoted(body, []byte(text)), '}')
	answer(s, nonce, body)
}

// actionText is a value of "action" for people: strings bare, all cut short.
func actionText(raw []byte) string {
	if n := len(raw); n >= 2 && raw[0] == '"' {
		raw = raw[1 : n-1]
	}
	if len(raw) > 64 {
		cut := 64
		for cut > 0 && !utf8.RuneStart(raw[cut]) {
			cut--
		}
		return string(raw[:cut]) + "…"
	}
	return string(raw)
}
