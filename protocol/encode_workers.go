package protocol

import (
	"encoding/json"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"workman/dispatch"
	"workman/document"
)

// handOutTicket hands a task to a worker that said Hello. It reports false, and sends nothing, if the ticket is none.
func handOutTicket(s *Session, e *dispatch.Effect) bool {
	t, err := dispatch.DecodeTicket(e.Nonce)
	if err != nil {
		return false
	}
	b := appendTask(s.f.body[:0], s.f.opening.of(e.Name), e.Body, &t)
	b = append(e.Token.Append(append(b, nonceKey[:]...)), closing[:]...)
	s.Send(ws.OpText, b)
	s.f.keep(b)
	return true
}

// appendTask appends {"name":…,"options":… and what a ticket says. Its nonce, and the end, are still to come.
func appendTask(b, opening, options []byte, t *dispatch.Ticket) []byte {
	b = append(b, opening...)
	if len(options) > 0 {
		b = append(append(b, `,"options":`...), options...)
	}
	if t.Run != (dispatch.ID{}) {
		b = append(t.Run.Append(append(b, `,"run":"`...)), '"')
	}
	b = strconv.AppendInt(append(b, `,"attempt":`...), int64(t.Attempt), 10)
	b = strconv.AppendUint(append(b, `,"fence":`...), t.Fence, 10)
	if t.Deadline != 0 {
		b = document.AppendTime(append(b, `,"deadline":`...), t.Deadline)
	}
	if len(t.Traceparent) > 0 {
		b = document.AppendText(append(b, `,"traceparent":`...), t.Traceparent)
	}
	return b
}

// encodeFailed answers a call whose worker says that it failed.
func encodeFailed(s *Session, e *dispatch.Effect) {
	text := errorText(e.Body)
	own, isNew := cutMark(e.Nonce)
	if s.Tag&tagEndpoint != 0 && !isNew {
		answer(s, own, append(AppendQuoted([]byte(`{"error":`), []byte("Failed: "+text)), '}'))
		return
	}
	more := []byte(nil)
	if len(e.Body) > 0 {
		more = append([]byte(`"error":`), e.Body...)
	}
	fail(s, e, http.StatusBadGateway, ProblemTaskFailed, "the worker says that it failed: "+text, more, "")
}

// maxErrorText is how much of a worker's error stands in a text for people, in bytes.
const maxErrorText = 512

// errorText is what a worker's error says to people: the detail or the title of an object (RFC 9457), or what it is.
func errorText(raw []byte) string {
	var said struct{ Detail, Title, Type string }
	text := string(raw)
	if json.Unmarshal(raw, &said) == nil {
		for _, s := range [...]string{said.Type, said.Title, said.Detail} {
			if s != "" {
				text = s
			}
		}
	}
	if len(text) > maxErrorText {
		cut := maxErrorText
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	return text
}
