package protocol

import (
	"unicode/utf8"

	"github.com/gobwas/ws"

	"workman/dispatch"
)

// Message makes an event of one message of a producer or a worker.
func (f *Front) Message(s *Session, m WSMessage) {
	f.message(s, m)
	if int(m.At.Len) == len(m.Base) {
		f.Flush() // what is all of its base was assembled, and is gone after the call
	}
}

func (f *Front) message(s *Session, m WSMessage) {
	err := DecodeMessage(m.Base, m.At, &f.msg)
	if err != nil && m.Text && !utf8.Valid(m.At.Of(m.Base)) {
		s.Close(ws.StatusInvalidFramePayloadData, "a text message must be UTF-8")
		return
	}
	if s.Tag&tagEndpoint == tagWorker {
		f.worker(s, m.Base, err)
		return
	}
	if err != nil {
		f.wrong(s, f.msg.Nonce.Of(m.Base), "Bad request, "+err.Error())
		return
	}
	f.producer(s, m.Base)
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
			f.wrong(s, nonce, "Bad request, \"when\": "+err.Error())
			return
		}
	case ActionGetTasks:
		e := f.event(s, base)
		e.Kind, e.Nonce = dispatch.ListTasks, m.Nonce
		return
	case ActionUnscheduleTask:
		f.unschedule(s, base)
		return
	case ActionNone:
		if m.Has&HasID != 0 {
			f.unschedule(s, base)
			return
		}
		f.wrong(s, nonce, `Bad request, no action: "action" is missing`)
		return
	default:
		f.wrong(s, nonce, "Bad request, unknown action "+actionText(m.ActionText.Of(base)))
		return
	}
	if err := CheckName(m.Name.Of(base)); err != nil {
		f.wrong(s, nonce, "Bad request, \"name\": "+err.Error())
		return
	}
	e := f.event(s, base)
	e.Kind, e.At = kind, at
	e.Name, e.Nonce, e.Body = m.Name, m.Nonce, m.Options
}

func (f *Front) unschedule(s *Session, base []byte) {
	e := f.event(s, base)
	e.Kind, e.Nonce = dispatch.UnscheduleTask, f.msg.Nonce
	e.Token, _ = dispatch.ParseToken(f.msg.ID.Of(base))
}

// worker makes an event of a worker's message. What is wrong with it is counted and not answered: a worker of old takes
// every message for a task, would answer it, and so on in a circle.
func (f *Front) worker(s *Session, base []byte, err error) {
	m := &f.msg
	switch {
	case err != nil:
	case m.Action == ActionGetTask:
		// Behind a result it belongs to the same event: the worker is done with one and ready for the next.
		if k := len(f.events); k > 0 && f.from == s.ID {
			last := &f.events[k-1]
			if last.Kind == dispatch.SendResult || last.Kind == dispatch.GetTask {
				last.Count++
				return
			}
		}
		e := f.event(s, nil)
		e.Kind, e.Count = dispatch.GetTask, 1
		return
	case m.Action == ActionSendResult:
		e := f.event(s, base)
		e.Kind, e.Body = dispatch.SendResult, m.Result
		e.Token, _ = m.NonceToken(base)
		return
	case m.Action == ActionRegisterTask && CheckName(m.Name.Of(base)) == nil:
		e := f.event(s, base)
		e.Kind, e.Name = dispatch.RegisterTask, m.Name
		return
	}
	f.event(s, nil).Kind = dispatch.SendResult // of no task: counted as a bad one
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
