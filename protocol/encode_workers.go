package protocol

import (
	"encoding/json"
	"net/http"
	"strconv"
	"unicode/utf8"

	"workman/dispatch"
	"workman/document"
)

// ticket is what a ticket says of a task, as members of an object that follow others; nothing if it is none.
func (f *Framing) ticket(raw []byte) []byte {
	t, err := dispatch.DecodeTicket(raw)
	if err != nil {
		return nil
	}
	f.body = appendTicket(f.body[:0], &t)
	return f.body
}

func appendTicket(b []byte, t *dispatch.Ticket) []byte {
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
