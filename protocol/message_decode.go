package protocol

import (
	"bytes"
)

// The known keys with the quote and, where it fits, the colon after them, as load8 reads them.
const (
	keyAction  = 'a' | 'c'<<8 | 't'<<16 | 'i'<<24 | 'o'<<32 | 'n'<<40 | '"'<<48 | ':'<<56
	keyName    = 'n' | 'a'<<8 | 'm'<<16 | 'e'<<24 | '"'<<32 | ':'<<40
	keyOptions = 'o' | 'p'<<8 | 't'<<16 | 'i'<<24 | 'o'<<32 | 'n'<<40 | 's'<<48 | '"'<<56
	keyNonce   = 'n' | 'o'<<8 | 'n'<<16 | 'c'<<24 | 'e'<<32 | '"'<<40 | ':'<<48
	keyCredit  = 'c' | 'r'<<8 | 'e'<<16 | 'd'<<24 | 'i'<<32 | 't'<<40 | '"'<<48 | ':'<<56
	keyResult  = 'r' | 'e'<<8 | 's'<<16 | 'u'<<24 | 'l'<<32 | 't'<<40 | '"'<<48 | ':'<<56
)

// decodeObject is the fast path: it checks the whole message and fills m. In case of a fault it returns its index.
//
// Offsets that are constants, not the outcome of a search, let the processor run ahead: hence comparisons of whole words
// for keys (and, in frequentAction, for actions).
func decodeObject(b []byte, i int, m *Message, odd *oddities) (int, fault) {
	if i = skipWhite(b, i); i >= len(b) || b[i] != '{' {
		return faultAt(b, i)
	}
	if i = skipWhite(b, i+1); i < len(b) && b[i] == '}' {
		return onlySpace(b, i+1)
	}
	for {
		if uint(i) >= uint(len(b)) || b[i] != '"' {
			return faultAt(b, i)
		}
		var field Field
		var f fault
		switch x := load8(b, i+1); {
		case x == keyAction:
			field, i = HasAction, i+9
			if a, end := frequentAction(b, i); a != ActionNone && m.Has&HasAction == 0 {
				m.Has |= HasAction
				m.Action, m.ActionText = a, spanOf(i, end)
				i = end
				goto next
			}
		case x&(1<<48-1) == keyName:
			field, i = HasName, i+7
		case x&(1<<56-1) == keyNonce:
			field, i = HasNonce, i+8
		case x == keyOptions && i+9 < len(b) && b[i+9] == ':':
			field, i = HasOptions, i+10
		case x == keyResult:
			field, i = HasResult, i+9
		case x == keyCredit:
			field, i = HasCredit, i+9
		default:
			if field, i, f = envelopeKey(b, i); f != faultNone {
				return i, f
			}
		}
		if i, f = m.take(b, skipWhite(b, i), field, odd); f != faultNone {
			return i, f
		}
	next:
		if i = skipWhite(b, i); uint(i) >= uint(len(b)) {
			return i, faultEnd
		}
		if c := b[i]; c == '}' {
			return onlySpace(b, i+1)
		} else if c != ',' {
			return i, faultByte
		}
		i = skipWhite(b, i+1)
	}
}

// onlySpace makes sure that nothing but white space is left.
func onlySpace(b []byte, i int) (int, fault) {
	if i = skipWhite(b, i); i < len(b) {
		return i, faultByte
	}
	return i, faultNone
}

// envelopeKey takes the index of a key's quote and returns which key it is, 0 for one that is not known, and the index
// behind the colon after it.
func envelopeKey(b []byte, i int) (field Field, next int, f fault) {
	if next, f = scanKey(b, i); f != faultNone {
		return 0, next, f
	}
	end, _ := scanText(b, i+1)
	return keyOf(b[i+1 : end-1]), next, faultNone
}

// keyOf finds which key a string's contents are, escaped or not.
func keyOf(contents []byte) Field {
	escaped := bytes.IndexByte(contents, '\\') >= 0
	for i, name := range fieldNames {
		if string(contents) == name || escaped && sameText(contents, []byte(name)) {
			return 1 << i
		}
	}
	return 0
}

// textKind is what decodeObject must know of a value.
type textKind uint8

const (
	notText textKind = iota
	plainText
	escapedText
)

// envelopeText is scanText, and tells whether there are escapes.
func envelopeText(b []byte, start int) (i int, text textKind, f fault) {
	i = start
	for range 4 {
		if m := notPlain(load8(b, i)); m != 0 {
			if i += firstIn(m); i < len(b) && b[i] == '"' {
				return i + 1, plainText, faultNone
			}
			break
		}
		if i += 8; i >= len(b) {
			break
		}
	}
	if i, f = scanString(b, i); f != faultNone {
		return i, notText, f
	}
	if bytes.IndexByte(b[start:i], '\\') >= 0 {
		return i, escapedText, faultNone
	}
	return i, plainText, faultNone
}

// take checks the value at start and stores it as that field's; 0 is a key that is not known.
func (m *Message) take(b []byte, start int, field Field, odd *oddities) (end int, f fault) {
	text := notText
	if uint(start) < uint(len(b)) && b[start] == '"' {
		end, text, f = envelopeText(b, start+1)
	} else {
		end, f = scanValue(b, start, MaxDepth)
	}
	if f != faultNone {
		return end, f
	}
	if field == 0 {
		odd.unknown++
		return end, faultNone
	}
	if m.Has&field != 0 {
		odd.twice |= field
		return end, faultNone
	}
	m.Has |= field
	raw, inside := spanOf(start, end), spanOf(start+1, end-1)
	switch field {
	case HasOptions:
		m.Options = raw
		return end, faultNone
	case HasResult:
		m.Result = raw
		return end, faultNone
	case HasNonce:
		m.Nonce = raw
		if text != notText {
			m.NonceText, m.NonceEscaped = inside, text == escapedText
		}
		return end, faultNone
	}
	if field >= firstMore {
		*m.value(field) = raw
		return end, faultNone
	}
	if text == notText {
		odd.mistype |= field
	}
	switch field {
	case HasAction:
		m.ActionText, m.Action = raw, ActionUnknown
		if text == plainText {
			m.Action = actionOf(b[start+1 : end-1])
		} else if text == escapedText {
			m.Action = escapedAction(b[start+1 : end-1])
		}
		return end, faultNone
	case HasName:
		m.Name = inside
	case HasWhen:
		m.When = inside
	case HasID:
		m.ID = inside
	}
	if text == escapedText {
		odd.escaped |= field
	}
	return end, faultNone
}

// The actions that each task takes, with the quote after them.
const (
	wordRunTask = 'R' | 'u'<<8 | 'n'<<16 | 'T'<<24 | 'a'<<32 | 's'<<40 | 'k'<<48 | '"'<<56
	wordGetTask = 'G' | 'e'<<8 | 't'<<16 | 'T'<<24 | 'a'<<32 | 's'<<40 | 'k'<<48 | '"'<<56
	wordSendRes = 'S' | 'e'<<8 | 'n'<<16 | 'd'<<24 | 'R'<<32 | 'e'<<40 | 's'<<48 | 'u'<<56
	wordUlt     = 'l' | 't'<<8 | '"'<<16
)

// frequentAction finds the actions that each task takes at an index where a value should be, and returns the index
// behind the value; ActionNone for anything else.
func frequentAction(b []byte, i int) (a Action, end int) {
	if i >= len(b) || b[i] != '"' {
		return ActionNone, i
	}
	switch load8(b, i+1) {
	case wordRunTask:
		a, end = ActionRunTask, i+9
	case wordGetTask:
		a, end = ActionGetTask, i+9
	case wordSendRes:
		if i+12 <= len(b) && load8(b, i+9)&(1<<24-1) == wordUlt {
			a, end = ActionSendResult, i+12
		}
	}
	if end > len(b) {
		return ActionNone, i
	}
	return a, end
}

func actionOf(text []byte) Action {
	switch string(text) {
	case "RunTask":
		return ActionRunTask
	case "GetTask":
		return ActionGetTask
	case "SendResult":
		return ActionSendResult
	case "GetTasks":
		return ActionGetTasks
	case "ScheduleTask":
		return ActionScheduleTask
	case "UnscheduleTask":
		return ActionUnscheduleTask
	case "RegisterTask":
		return ActionRegisterTask
	case "GetRun":
		return ActionGetRun
	case "CancelRun":
		return ActionCancelRun
	case "RetryRun":
		return ActionRetryRun
	case "Hello":
		return ActionHello
	case "SendError":
		return ActionSendError
	case "Extend":
		return ActionExtend
	case "Progress":
		return ActionProgress
	case "Drain":
		return ActionDrain
	case "RunTasks":
		return ActionRunTasks
	}
	return ActionUnknown
}

// escapedAction is actionOf for an action that is written with escapes. It is not decoded in place: error texts show
// it as it was sent.
func escapedAction(contents []byte) Action {
	var buf [len("UnscheduleTask") * len(`\u0055`)]byte
	if len(contents) > len(buf) {
		return ActionUnknown
	}
	text, _ := AppendUnescaped(buf[:0], contents)
	return actionOf(text)
}
