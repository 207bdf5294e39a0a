package protocol

import (
	"bytes"
	"math/bits"

	"workman/dispatch"
)

// queried reads the terms of an HTTP request, from its query and its header, into f.asked. It answers what is wrong with
// them, and reports false then.
func (f *Front) queried(s *Session, r *Request) bool {
	a := &f.asked
	a.reset()
	bad := a.readQuery(r.Query, a.parameter)
	if bad == nil && r.Terms {
		bad = f.headed(r)
	}
	if bad == nil && a.said {
		bad = a.odd // a slip. A request of old has no terms, and may have any query
	}
	if bad == nil {
		bad = f.checkCallback()
	}
	if bad != nil {
		f.refuse(s, r, bad.status, bad.typ, bad.detail)
	}
	return bad == nil
}

// headed reads the terms of its header.
func (f *Front) headed(r *Request) *refusal {
	a := &f.asked
	prefer := preferences{wait: -1}
	for _, field := range r.Header.PeekAll("Prefer") {
		prefer.add(field)
	}
	if a.async = prefer.async; prefer.wait >= 0 {
		a.wait = prefer.wait * 1000
	}
	a.said = a.said || a.async || a.wait >= 0
	switch keys := r.Header.PeekAll("Idempotency-Key"); {
	case len(keys) > 1:
		return wrongKey(bytes.Join(keys, []byte(", ")))
	case len(keys) == 1:
		start := len(a.texts)
		var ok bool
		if a.texts, ok = appendKey(a.texts, keys[0]); !ok {
			return wrongKey(keys[0])
		}
		a.Key, a.Promise, a.said = a.texts[start:], true, true
	}
	if traces := r.Header.PeekAll("Traceparent"); len(traces) == 1 && a.setTrace(traces[0]) {
		a.said = true
	}
	return nil
}

// readQuery takes a query apart and passes on each parameter, decoded to a's texts.
func (a *asked) readQuery(query []byte, take func(name, value []byte) *refusal) *refusal {
	for len(query) > 0 {
		var part []byte
		if part, query, _ = bytes.Cut(query, []byte("&")); len(part) == 0 {
			continue
		}
		name, value, _ := bytes.Cut(part, []byte("="))
		name, err := a.decoded(name)
		if err == nil {
			value, err = a.decoded(value)
		}
		if err != nil {
			return wrongTerm("the query: " + err.Error())
		}
		if bad := take(name, value); bad != nil {
			return bad
		}
	}
	return nil
}

// decoded appends a part of a query to the texts, without its percent-encoding, and returns it. A plus is a space, as in
// forms.
func (a *asked) decoded(b []byte) ([]byte, error) {
	start := len(a.texts)
	a.texts = append(a.texts, b...)
	text := a.texts[start:]
	for i, c := range text {
		if c == '+' {
			text[i] = ' '
		}
	}
	text, err := DecodePathSegment(text[:0], text)
	return text, err
}

// parameter takes one of a request to run a task.
func (a *asked) parameter(name, value []byte) *refusal {
	if string(name) == "label" {
		key, text, ok := bytes.Cut(value, []byte(":"))
		if !ok || !a.addLabel(key, text) {
			return wrongTerm(quoteCapped(value) + " is no label, or one too many: want name:text, " + wantLabels)
		}
		a.said, a.Promise = true, true
		return nil
	}
	for i := range terms {
		t := &terms[i]
		if !t.query || string(name) != t.name {
			continue
		}
		if a.seen&(1<<i) != 0 {
			return wrongTerm(t.name + " is given twice")
		}
		a.seen |= 1 << i
		return a.take(t, value)
	}
	if a.odd == nil {
		a.odd = wrongTerm(quoteCapped(name) + " is no parameter of this request; there are " + queryTerms)
	}
	return nil
}

// said reads the terms of a WebSocket message into f.asked.
func (f *Front) said(base []byte, kind dispatch.Kind) *refusal {
	a, m := &f.asked, &f.msg
	a.reset()
	if kind == dispatch.ScheduleTask && m.Has&HasWait != 0 {
		return wrongTerm("wait is no term of ScheduleTask, which is answered at once: ask with GetRun and wait")
	}
	for has := m.Has & anyTerm; has != 0; has &= has - 1 {
		t := &terms[bits.TrailingZeros64(uint64(has/firstMore))]
		raw := m.Value(has & -has).Of(base)
		if string(raw) == "null" {
			continue // as if it were left out
		}
		value, ok := a.plain(t, raw)
		if !ok {
			return t.wrong(raw)
		}
		if bad := a.take(t, value); bad != nil {
			return bad
		}
	}
	return f.checkCallback()
}

// plain is a JSON value as terms are read: strings without quotes and escapes. It reports false if it is of a kind that
// the term has not.
func (a *asked) plain(t *term, raw []byte) ([]byte, bool) {
	switch c := raw[0]; {
	case c == '"' && t.json&jsonText != 0:
		start := len(a.texts)
		var ok bool
		a.texts, ok = AppendUnescaped(a.texts, raw[1:len(raw)-1])
		return a.texts[start:], ok
	case c == '{':
		return raw, t.json&jsonObject != 0
	case c == 't' || c == 'f':
		return raw, t.json&jsonBool != 0
	case isDigit(c):
		return raw, t.json&jsonNumber != 0
	}
	return raw, false
}

// maxCallback is how long a callback's URL may be, in bytes.
const maxCallback = 2048

func (f *Front) checkCallback() *refusal {
	url := f.asked.Callback
	switch {
	case url == nil:
		return nil
	case f.CheckCallback == nil:
		return wrongTerm("callback: this server makes no callbacks")
	case len(url) > maxCallback || !isText8(url):
		return wrongTerm(quoteCapped(url) + " is no value for callback: want a URL of at most 2048 bytes")
	}
	if err := f.CheckCallback(string(url)); err != nil {
		return wrongTerm(quoteCapped(url) + " is no value for callback: " + err.Error())
	}
	return nil
}

// appendTerms appends what was asked to the scratch, as an event's Terms; the zero Span if nothing was.
func (f *Front) appendTerms(kind dispatch.Kind) dispatch.Span {
	if !f.asked.said {
		return dispatch.Span{}
	}
	f.asked.settle(kind)
	start := len(f.scratch)
	f.scratch = f.asked.Terms.Append(f.scratch)
	return spanOf(start, len(f.scratch))
}

// appendNote appends what the answer needs to know to the scratch, as an event's Nonce; the zero Span if it is nothing.
func (f *Front) appendNote(n *note) dispatch.Span {
	if n.empty() {
		return dispatch.Span{}
	}
	start := len(f.scratch)
	f.scratch = n.append(f.scratch)
	return spanOf(start, len(f.scratch))
}
