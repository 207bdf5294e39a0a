package protocol

import (
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
	switch t.event.Kind {
	case dispatch.GetTask:
		f.ready(s)
	case dispatch.SendResult:
		token, ok := dispatch.ParseToken(base[off+t.token:][:dispatch.TokenLen])
		if !ok {
			return false
		}
		e := f.event(s, base)
		e.Kind, e.Body, e.Token = dispatch.SendResult, moved(t.event.Body, off), token
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
		f.invalid(s, f.msg.Nonce.Of(base), err.Error())
		return
	}
	f.producer(s, base)
}

// valid makes an event of a message that makes sense.
func (f *Front) valid(s *Session, base []byte, kind dispatch.Kind) *dispatch.Event {
	s.Tag &^= tagStrikes
	e := f.event(s, base)
	e.Kind = kind
	return e
}

// invalid tells a producer what is wrong with its message.
func (f *Front) invalid(s *Session, nonce []byte, text string) {
	f.wrong(s, nonce, "Bad request, "+text)
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
	nonce := m.Nonce.Of(base)
	if s.Tag&tagSlow != 0 && m.Action != ActionUnscheduleTask {
		f.wrong(s, nonce, "Refused: you do not read the answers that wait for you; read them, then try again")
		return
	}
	kind, at := dispatch.RunTask, int64(0)
	switch m.Action {
	case ActionRunTask:
	case ActionScheduleTask:
		kind = dispatch.ScheduleTask
		var err error
		if at, err = ParseWhen(m.When.Of(base)); err != nil {
			f.invalid(s, nonce, "\"when\": "+err.Error())
			return
		}
	case ActionGetTasks:
		f.valid(s, base, dispatch.ListTasks).Nonce = m.Nonce
		return
	case ActionUnscheduleTask:
		f.unschedule(s, base)
		return
	case ActionNone:
		if m.Has&HasID != 0 {
			f.unschedule(s, base)
			return
		}
		f.invalid(s, nonce, `no action: "action" is missing`)
		return
	default:
		f.invalid(s, nonce, "unknown action "+actionText(m.ActionText.Of(base)))
		return
	}
	if err := CheckName(m.Name.Of(base)); err != nil {
		f.invalid(s, nonce, "\"name\": "+err.Error())
		return
	}
	e := f.valid(s, base, kind)
	e.At = at
	e.Name, e.Nonce, e.Body = m.Name, m.Nonce, m.Options
}

func (f *Front) unschedule(s *Session, base []byte) {
	e := f.valid(s, base, dispatch.UnscheduleTask)
	e.Nonce = f.msg.Nonce
	e.Token, _ = dispatch.ParseToken(f.msg.ID.Of(base))
}

// worker makes an event of a worker's message. What is wrong with it is counted and not answered: a worker of old takes
// every message for a task, would answer it, and so on in a circle.
func (f *Front) worker(s *Session, base []byte, err error) {
	m := &f.msg
	switch {
	case err != nil:
	case m.Action == ActionGetTask:
		s.Tag &^= tagStrikes
		f.ready(s)
		return
	case m.Action == ActionSendResult:
		e := f.valid(s, base, dispatch.SendResult)
		e.Body = m.Result
		e.Token, _ = m.NonceToken(base)
		return
	case m.Action == ActionRegisterTask && CheckName(m.Name.Of(base)) == nil:
		f.valid(s, base, dispatch.RegisterTask).Name = m.Name
		return
	}
	f.event(s, nil).Kind = dispatch.SendResult // of no task: counted as a bad one
	f.strike(s)
}

// ready notes that a worker is ready for one more task. Behind a result that belongs to the same event: it is done with
// one and ready for the next.
func (f *Front) ready(s *Session) {
	if k := len(f.events); k > 0 && f.from == s.ID {
		last := &f.events[k-1]
		if last.Kind == dispatch.SendResult || last.Kind == dispatch.GetTask {
			last.Count++
			return
		}
	}
	e := f.event(s, nil)
	e.Kind, e.Count = dispatch.GetTask, 1
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
