package protocol

import (
	"bytes"
	"net/http"
	"strconv"

	"workman/dispatch"
)

const jsonType = "application/json; charset=utf-8"

// Encode writes an effect to the output of the session that it is for.
func Encode(s *Session, e *dispatch.Effect) {
	switch e.Kind {
	case dispatch.HandOut:
		handOut(s, e)
	case dispatch.Result:
		body := e.Body
		if body == nil {
			body = null
		}
		reply(s, e, body)
	case dispatch.Listed:
		reply(s, e, appendNames(nil, e.Body))
	case dispatch.Unscheduled:
		reply(s, e, append(strconv.AppendBool([]byte(`{"found":`), e.Found), '}'))
	case dispatch.Refused:
		encodeRefused(s, e)
	case dispatch.Failed:
		encodeFailed(s, e)
	case dispatch.Welcome:
		welcome(s, e)
	case dispatch.Cancel:
		encodeCancel(s, e)
	case dispatch.Late:
		encodeLate(s, e)
	case dispatch.NoMoreTasks:
		encodeNoMore(s)
	case dispatch.Hangup:
		hangUp(s)
	case dispatch.Leased:
		encodeLeased(s, e)
	case dispatch.NoLease:
		s.Respond(e.Seq, Answer{Status: http.StatusOK, Type: jsonType, Body: []byte(`{"tasks":[]}`)})
	case dispatch.LeaseTaken:
		encodeTaken(s, e)
	case dispatch.Explained:
		encodeWhy(s, e)
	case dispatch.Scheduled, dispatch.Accepted, dispatch.Done, dispatch.Shown, dispatch.Changed:
		encodeRun(s, e)
	}
}

var null = []byte("null")

// handOut writes {"name":…,"options":…,"nonce":"…"}, straight into the session's output, and for a worker that said Hello what
// its ticket says. Options that the producer left out are left out.
func handOut(s *Session, e *dispatch.Effect) {
	const options = `,"options":`
	name := s.f.opening.of(e.Name)
	n := len(name) + len(nonceKey) + dispatch.TokenLen + len(closing)
	if len(e.Body) > 0 {
		n += len(options) + len(e.Body)
	}
	var more []byte
	if len(e.Nonce) > 0 {
		more = s.f.ticket(e.Nonce)
	}
	out := s.text(n + len(more))
	if out == nil {
		return
	}
	out = out[copy(out, name):]
	if len(e.Body) > 0 {
		out = out[copy(out, options):]
		out = out[copy(out, e.Body):]
	}
	if len(more) > 0 {
		out = out[copy(out, more):]
	}
	*(*[len(nonceKey)]byte)(out) = nonceKey
	out = out[len(nonceKey):]
	e.Token.Put(out)
	*(*[len(closing)]byte)(out[dispatch.TokenLen:]) = closing
}

// Arrays are stored where a call to copy a string would cost more.
var (
	nonceKey  = [10]byte([]byte(`,"nonce":"`))
	closing   = [2]byte{'"', '}'}
	nonceOpen = [9]byte([]byte(`{"nonce":`))
	resultKey = [10]byte([]byte(`,"result":`))
)

// opening is how a task's message begins, {"name":…, kept for the name that had the last task.
type opening struct{ name, text []byte }

func (o *opening) of(name []byte) []byte {
	if string(o.name) != string(name) {
		o.name, o.text = append(o.name[:0], name...), AppendQuoted(append(o.text[:0], `{"name":`...), name)
	}
	return o.text
}

// reply sends a JSON value to whoever asked.
func reply(s *Session, e *dispatch.Effect, body []byte) {
	if s.Tag&tagEndpoint != 0 {
		if len(e.Nonce) > 0 && e.Nonce[0] == markNew {
			own, _ := cutMark(e.Nonce)
			sendMembers(s, own, `"result":`, body)
			return
		}
		answer(s, e.Nonce, body)
		return
	}
	s.Respond(e.Seq, Answer{Status: http.StatusOK, Type: jsonType, Body: body})
}

// answer writes a producer's answer: the bare value, or {"nonce":N,"result":R} for one who gave a nonce.
func answer(s *Session, nonce, body []byte) {
	if nonce == nil {
		if s.Text(len(body)) {
			s.Out = append(s.Out, body...)
		}
		return
	}
	out := s.text(len(nonceOpen) + len(nonce) + len(resultKey) + len(body) + 1)
	if out == nil {
		return
	}
	*(*[len(nonceOpen)]byte)(out) = nonceOpen
	out = out[len(nonceOpen):]
	out = out[copy(out, nonce):]
	*(*[len(resultKey)]byte)(out) = resultKey
	out = out[len(resultKey):]
	out[copy(out, body)] = '}'
}

// appendNames makes a JSON array of names that each end with a newline.
func appendNames(dst, lines []byte) []byte {
	dst = append(dst, '[')
	for len(lines) > 0 {
		n := bytes.IndexByte(lines, '\n')
		if len(dst) > 1 {
			dst = append(dst, ',')
		}
		dst = AppendQuoted(dst, lines[:n])
		lines = lines[n+1:]
	}
	return append(dst, ']')
}
