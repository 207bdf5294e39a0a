package protocol

import (
	"workman/dispatch"
)

// requestWithTerms makes an event of a message that says something of the run it asks for. All that the event needs goes
// to the scratch: its terms are written anew, and an event has one base.
func (f *Front) requestWithTerms(s *Session, base []byte, kind dispatch.Kind, at int64) {
	m := &f.msg
	if bad := f.said(base, kind); bad != nil {
		f.invalidAs(s, base, bad)
		return
	}
	s.Tag &^= tagStrikes
	f.ownBase(s)
	e := f.event(s, nil)
	e.Kind, e.At = kind, at
	e.Name = f.copied(m.Name.Of(base))
	e.Nonce = f.copied([]byte{markNew}, m.Nonce.Of(base))
	if m.Has&HasOptions != 0 {
		e.Body = f.copied(m.Options.Of(base))
	}
	e.Terms = f.appendTerms(kind)
	f.base = f.scratch
}

// copied appends bytes to the scratch.
func (f *Front) copied(parts ...[]byte) dispatch.Span {
	start := len(f.scratch)
	for _, p := range parts {
		f.scratch = append(f.scratch, p...)
	}
	return spanOf(start, len(f.scratch))
}

// askRunOf makes an event of a message about one run.
func (f *Front) askRunOf(s *Session, base []byte, kind dispatch.Kind) {
	m := &f.msg
	if other := m.Has & anyTerm &^ HasWait; other != 0 || m.Has&HasWait != 0 && kind != dispatch.ReadRun {
		f.invalidAs(s, base, wrongTerm("this action has no terms; only GetRun has one, wait"))
		return
	}
	var wait int64
	if m.Has&HasWait != 0 {
		if bad := f.said(base, kind); bad != nil {
			f.invalidAs(s, base, bad)
			return
		}
		wait = max(f.asked.wait, 0)
	}
	run := f.runOf(base)
	if run == (dispatch.Span{}) {
		none := &refusals[dispatch.NoRun]
		f.invalidAs(s, base, &refusal{status: none.status, typ: none.kind, detail: none.text})
		return
	}
	e := f.valid(s, base, kind)
	e.At = wait
	*e.Run() = run
	e.Nonce = m.marked(base)
}

// runOf is the run that a message's id names, as its bytes, which take the place of the text; the zero Span if there is
// no such text.
func (f *Front) runOf(base []byte) dispatch.Span {
	at := f.msg.ID
	id, ok := dispatch.ParseID(at.Of(base))
	if !ok {
		return dispatch.Span{}
	}
	at.Len = uint32(copy(at.Of(base), id[:]))
	return at
}

// marked puts the mark in front of the message's nonce, over the colon or the space that stands there. Without a nonce it
// takes the place of the quote in front of the action, which has been read.
func (m *Message) marked(base []byte) dispatch.Span {
	at := dispatch.Span{Off: m.ActionText.Off, Len: 1}
	if m.Has&HasNonce != 0 {
		at = dispatch.Span{Off: m.Nonce.Off - 1, Len: m.Nonce.Len + 1}
	}
	base[at.Off] = markNew
	return at
}
