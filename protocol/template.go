package protocol

import (
	"bytes"
	"encoding/binary"
	"math"

	"workman/dispatch"
)

// A template is the layout of a message: which of its bytes are always the same, which are digits of a number, which are
// the text of a string. Programs repeat themselves, so the next message most likely has the layout of the one before, and
// then a few comparisons a word show that it is valid and where everything lies: no byte is searched for, so nothing waits
// for what a search comes to.
//
// That is exact. A message of the same length, with the same bytes but for digits where digits stood, of which none is the
// first of several before a decimal point, and plain text where plain text stood, has the same grammar; and what a
// message means that [DecodeMessage] found nothing odd about depends on nothing else. What does not fit is given to
// DecodeMessage.
type template struct {
	event  dispatch.Event // what the message comes to; its spans count from the start of the message
	token  uint32         // where the text of a result's token lies
	length uint32
	hello  bool // it says what only a worker may that said Hello
	words  [templateWords]templateWord
}

// templateWord is eight bytes of the layout. Bytes that are in none of the masks may be anything.
type templateWord struct {
	same  uint64 // the bytes that are always the same,
	where uint64 // 0xff for each of them
	digit uint64 // 0x80 for each byte that is a digit
	text  uint64 // 0x80 for each byte that is plain text: of ASCII, no control character, quote or backslash
}

const templateWords = 32 // longer messages are decoded each time: it costs less beside copying them

// fits reports whether a message of the right length has the layout. Bytes between b's length and its capacity may be
// looked at, but never matter.
func (t *template) fits(b []byte) bool {
	n := (len(b) + 7) &^ 7
	if n > cap(b) {
		return t.fitsCopy(b)
	}
	b = b[:n]
	var wrong uint64
	for k := range t.words[:n/8] {
		w, x := &t.words[k], binary.LittleEndian.Uint64(b[8*k:8*k+8])
		wrong |= (x ^ w.same) & w.where
		if w.digit != 0 {
			wrong |= digitsNot(x) & w.digit
		}
		if w.text != 0 {
			wrong |= textNot(x) & w.text
		}
	}
	return wrong == 0
}

// fitsCopy is fits for a message behind which there is not enough to look at.
//
//go:noinline
func (t *template) fitsCopy(b []byte) bool {
	var copied [8 * templateWords]byte
	return t.fits(copied[:copy(copied[:], b)])
}

// digitsNot and textNot have the high bit of exactly the bytes that are no ASCII digits, and no plain text. Unlike
// notDigit and notPlain they let no byte carry into the next: seven bits are added at most to seven.
func digitsNot(x uint64) uint64 {
	y := x ^ '0'*swarOnes
	return ((y & (0x7f * swarOnes)) + 0x76*swarOnes) | y
}

func textNot(x uint64) uint64 {
	const low = 0x7f * swarOnes
	quote, slash, end := x^'"'*swarOnes, x^'\\'*swarOnes, x&low
	return ^((end + 0x60*swarOnes) & ((quote & low) + low) & ((slash & low) + low)) | (end + swarOnes) | x
}

// moved is a span that counts from elsewhere: from so many bytes further on.
func moved(sp dispatch.Span, by uint32) dispatch.Span {
	if sp != (dispatch.Span{}) {
		sp.Off += by
	}
	return sp
}

// learn makes the template of a message that was decoded to m, whose spans count from its start; false if it has none.
func (t *template) learn(b []byte, m *Message) bool {
	*t = template{length: uint32(len(b))}
	if !m.plain || len(b) > 8*len(t.words) || m.Has&^(plainKeys|HasCount|HasCredit) != 0 {
		return false
	}
	t.hello = m.Has&^plainKeys != 0
	switch m.Action {
	case ActionRunTask:
		if t.hello || CheckName(m.Name.Of(b)) != nil {
			return false
		}
		t.event = dispatch.Event{Kind: dispatch.RunTask, Name: m.Name, Nonce: m.Nonce, Body: m.Options}
	case ActionSendResult:
		if _, ok := m.NonceToken(b); !ok {
			return false
		}
		t.event = dispatch.Event{Kind: dispatch.SendResult, Body: m.Result}
		if m.number(b, HasCredit, 0, &t.event.Count) != nil {
			return false
		}
		t.token = m.NonceText.Off
	case ActionGetTask:
		t.event = dispatch.Event{Kind: dispatch.GetTask, Count: 1}
		if m.number(b, HasCount, 1, &t.event.Count) != nil {
			return false
		}
	default:
		return false
	}
	t.layOut(b, m)
	return true
}

// The classes of bytes.
const (
	classSame = iota
	classDigit
	classText
	classAny // somebody else looks at it
)

// layOut says of each byte what it may be.
func (t *template) layOut(b []byte, m *Message) {
	var classes [8 * templateWords]byte
	if m.Has&HasName != 0 {
		fill(classes[m.Name.Off:], b[m.Name.Off:][:m.Name.Len])
	}
	for _, v := range []dispatch.Span{m.Nonce, m.Options, m.Result} {
		classify(classes[v.Off:], v.Of(b))
	}
	if t.event.Kind == dispatch.SendResult {
		for i := range classes[t.token:][:dispatch.TokenLen] {
			classes[int(t.token)+i] = classAny
		}
	}
	for i, c := range b {
		w, shift := &t.words[i/8], 8*(i%8)
		switch classes[i] {
		case classSame:
			w.same |= uint64(c) << shift
			w.where |= 0xff << shift
		case classDigit:
			w.digit |= 0x80 << shift
		case classText:
			w.text |= 0x80 << shift
		}
	}
}

// classify gives the bytes of a JSON value their classes.
func classify(classes, v []byte) {
	for i := 0; i < len(v); {
		from := i
		switch c := v[i]; {
		case c == '"':
			end, _ := scanText(v, i+1)
			fill(classes[i+1:], v[i+1:end-1])
			i = end
		case c-'0' <= 9:
			for i < len(v) && v[i]-'0' <= 9 {
				classes[i] = classDigit
				i++
			}
			// Of several digits before a point the first must not become a zero. It may behind one, but who knows.
			if i-from > 1 && (from == 0 || v[from-1] != '.') {
				classes[from] = classSame
			}
		default:
			i++
		}
	}
}

// fill makes the text of a string one that may change, unless it has something other than plain text.
func fill(classes, text []byte) {
	plain := func(c byte) bool { return c >= ' ' && c < 0x7f && c != '\\' }
	if bytes.IndexFunc(text, func(r rune) bool { return r >= 0x7f || !plain(byte(r)) }) >= 0 {
		return
	}
	for i := range text {
		classes[i] = classText
	}
}

// templates are those of one event loop. Its sessions share them, since many clients are the same program: a session holds
// only the numbers of the two that it may need next, in its Memo, and messages of other lengths are looked up by that.
// Number 0 is none.
type templates struct {
	all      [32]template
	last     uint8  // learned
	uses     uint32 // how often a message fitted
	byLength [2][8*templateWords + 1]uint8
}

// none is a length that no message has: that of template 0.
const none = math.MaxUint32

func newTemplates() *templates {
	ts := &templates{}
	ts.all[0].length = none
	return ts
}

// find returns the template that a session's message fits, or nil.
func (ts *templates) find(s *Session, b []byte) *template {
	first, second := s.Memo[0], s.Memo[1]
	if t := &ts.all[first]; int(t.length) == len(b) && t.fits(b) {
		if second != 0 {
			s.Memo = [2]uint8{second, first} // after a worker's result comes a GetTask, and so on
		}
		return t
	}
	if t := &ts.all[second]; int(t.length) == len(b) && t.fits(b) {
		return t
	}
	if len(b) > 8*templateWords {
		return nil
	}
	if t := &ts.all[ts.byLength[s.Tag&1][len(b)]]; int(t.length) == len(b) && t.fits(b) {
		return t
	}
	return nil
}

// used notes that a session's message fitted. Now and then a session may learn one more for that. What it may learn is
// bounded, so that nobody can have templates made, and those of others replaced, all the time.
func (ts *templates) used(s *Session) {
	if ts.uses++; ts.uses%4096 == 0 && s.Tag&tagLearned != 0 {
		s.Tag -= tagLearn
	}
}

// learn has a session expect messages like this one, which was decoded to d. It reports false if that is of a kind that
// has no template.
func (ts *templates) learn(s *Session, base []byte, at dispatch.Span, d *Message) bool {
	var t template
	d2 := *d
	for _, sp := range []*dispatch.Span{&d2.Name, &d2.Nonce, &d2.NonceText, &d2.Options, &d2.Result, d2.value(HasCount), d2.value(HasCredit)} {
		*sp = moved(*sp, -at.Off)
	}
	if !t.learn(at.Of(base), &d2) || (t.event.Kind == dispatch.RunTask) != (s.Tag&tagEndpoint == tagProducer) {
		return false
	}
	k := 1
	for k < len(ts.all) && ts.all[k] != t {
		k++
	}
	if k == len(ts.all) {
		ts.last = ts.last%uint8(len(ts.all)-1) + 1
		k = int(ts.last)
		ts.all[k] = t
	}
	ts.byLength[s.Tag&1][at.Len] = uint8(k)
	if s.Memo[0] != 0 && s.Memo[1] == 0 {
		s.Memo[1] = uint8(k)
	} else {
		s.Memo[0] = uint8(k)
	}
	return true
}
