package protocol

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"

	"workman/dispatch"
)

// Field is a set of an envelope's known keys.
type Field uint64

// The known keys. An envelope may hold others, which are ignored.
const (
	HasAction Field = 1 << iota
	HasName
	HasOptions
	HasNonce
	HasResult
	HasWhen
	HasID

	// The terms of a run, in the order of the table terms.
	HasKey
	HasDurable
	HasWait
	HasPriority
	HasDeadline
	HasTTL
	HasAttempts
	HasBackoff
	HasBackoffMax
	HasTimeout
	HasKeep
	HasLabels
	HasCallback
	HasTraceparent
	HasUnstaffed

	// What only a worker says that said Hello, or says with it.
	HasVersion
	HasError
	HasRetry
	HasAfter
	HasSession
	HasCount
	HasCredit
	HasConcurrency
	HasFor
	HasValue
	HasNote
	HasReturn

	firstMore = HasKey              // from here on values are kept as they are, see Message.Value
	anyTerm   = HasVersion - HasKey // each that a producer may say of a run
	plainKeys = HasWhen - 1         // those of messages that repeat themselves
)

var fieldNames = [...]string{
	"action", "name", "options", "nonce", "result", "when", "id",
	"key", "durable", "wait", "priority", "deadline", "ttl", "attempts", "backoff", "backoff_max", "timeout", "keep", "labels",
	"callback", "traceparent", "unstaffed",
	"version", "error", "retry", "after", "session", "count", "credit", "concurrency", "for", "value", "note", "return",
}

// String is the key of a set of one.
func (f Field) String() string {
	for i, name := range fieldNames {
		if f == 1<<i {
			return name
		}
	}
	return "Field(" + strconv.Itoa(int(f)) + ")"
}

// Action is what an envelope asks for.
type Action uint8

// ActionNone is an envelope without an action, ActionUnknown one with an action that is none of the others.
const (
	ActionNone Action = iota
	ActionUnknown
	ActionGetTasks
	ActionRunTask
	ActionScheduleTask
	ActionUnscheduleTask
	ActionRegisterTask
	ActionGetTask
	ActionSendResult
	ActionGetRun
	ActionCancelRun
	ActionRetryRun
	ActionHello
	ActionSendError
	ActionExtend
	ActionProgress
	ActionDrain
	ActionRunTasks
)

// MaxUnknownKeys is how many keys that workman does not know an envelope may hold. Without a bound, doubled keys could
// not be found without memory.
const MaxUnknownKeys = 32

// ErrNotObject is returned when a message is JSON but no object. Its text goes to who sent the message, as those of the
// errors below do.
var ErrNotObject = errors.New(`a message is a JSON object such as {"action":"GetTasks"}`)

// FieldError is returned when an envelope is JSON, but can't be taken for a message.
type FieldError struct{ Reason string }

// Error is the reason. It repeats nothing of the message but the start of a doubled key, in ASCII.
func (e *FieldError) Error() string { return e.Reason }

// Message is an envelope taken apart. Its spans are parts of the bytes it was decoded from; those of keys that are not
// in Has are zero.
type Message struct {
	envelope
	more [len(fieldNames) - 7]dispatch.Span // from firstMore on, those in Has only: they are not cleared for each message
}

type envelope struct {
	Has          Field
	Action       Action
	NonceEscaped bool // NonceText holds escapes: see AppendUnescaped

	ActionText             dispatch.Span // JSON as sent, whatever its type
	Name, When, ID         dispatch.Span // text
	Nonce, Options, Result dispatch.Span // JSON as sent, without white space around it
	NonceText              dispatch.Span // if Nonce is a string, what is between its quotes

	plain bool // nothing about the message is odd: it may serve as a template
}

// Value is the value of a key from "key" on, as JSON without white space around it; the zero Span if it is not there.
func (m *Message) Value(f Field) dispatch.Span {
	if f < firstMore || m.Has&f == 0 {
		return dispatch.Span{}
	}
	return *m.value(f)
}

func (m *Message) value(f Field) *dispatch.Span {
	return &m.more[bits.TrailingZeros64(uint64(f/firstMore))]
}

// said is a value from "key" on, as JSON; nil if it is left out or null.
func (m *Message) said(base []byte, f Field) []byte {
	if raw := m.Value(f).Of(base); string(raw) != "null" {
		return raw
	}
	return nil
}

// number reads a whole number from low to maxCredit; what is left out or null leaves n.
func (m *Message) number(base []byte, f Field, low int, n *uint32) *refusal {
	if raw := m.said(base, f); raw != nil {
		return wholeNumber(f.String(), raw, low, maxCredit, n)
	}
	return nil
}

// NonceToken is the token that a worker's nonce spells; false if it is none.
func (m *Message) NonceToken(base []byte) (dispatch.Token, bool) {
	text := m.NonceText.Of(base)
	if !m.NonceEscaped {
		return dispatch.ParseToken(text)
	}
	var buf [dispatch.TokenLen * len(`\u0030`)]byte
	if len(text) > len(buf) {
		return dispatch.Token{}, false
	}
	text, _ = AppendUnescaped(buf[:0], text)
	return dispatch.ParseToken(text)
}

// DecodeMessage checks a WebSocket message, the part of base that at names, and takes it apart in one pass. It is a JSON
// object whose keys may come in any order; a key that comes twice is refused, and so is a name, when, id or action that
// is not a string, and a value nested deeper than [MaxDepth].
//
// Name, When and ID are unescaped in place where they hold escapes: the message can't be decoded again then. Bytes up to
// base's capacity may be looked at, but never matter.
//
// The error is a [*JSONError] (its offset counts from the start of the message), [ErrNotObject] or a [*FieldError]. With
// the latter, the message was valid JSON, and Nonce and Action are as they were sent (the first, of two), so that the
// refusal can be addressed. What is refused is not written to.
func DecodeMessage(base []byte, at dispatch.Span, m *Message) error {
	m.envelope = envelope{}
	var odd oddities
	start := int(at.Off)
	b := base[:start+int(at.Len)]
	i, f := decodeObject(b, start, m, &odd)
	switch {
	case f != faultNone:
		m.envelope = envelope{}
		return notMessage(b, start, i, f)
	case odd != oddities{}:
		return odd.settle(b, start, m)
	}
	m.plain = !m.NonceEscaped
	return nil
}

// notMessage explains why decodeObject stopped at i. It stops at once at what is no object; that is looked at again, to
// tell other JSON from what is none at all.
func notMessage(b []byte, start, i int, f fault) error {
	if f == faultByte && i == skipWhite(b, start) {
		if _, err := ValidJSON(b[start:]); err != nil {
			return err
		}
		return ErrNotObject
	}
	return f.error(b, start, i)
}

// oddities are what decodeObject leaves for later, since messages hardly ever have it.
type oddities struct {
	escaped Field // Name, When, ID that are still to be unescaped
	mistype Field // keys whose values should have been strings
	twice   Field // keys that came again
	unknown int   // keys that are not known
}

// settle does what decodeObject left over, or says what is wrong.
func (o *oddities) settle(b []byte, start int, m *Message) error {
	if o.unknown > 1 {
		if err := checkUnknownKeys(b, start); err != nil {
			return err
		}
	}
	for i, name := range fieldNames {
		switch f := Field(1 << i); {
		case o.twice&f != 0:
			return &FieldError{fmt.Sprintf("%q is given twice", name)}
		case o.mistype&f != 0:
			return &FieldError{fmt.Sprintf("%q must be a string", name)}
		}
	}
	texts := [...]struct {
		field Field
		*dispatch.Span
	}{{HasName, &m.Name}, {HasWhen, &m.When}, {HasID, &m.ID}}
	for _, t := range texts {
		if o.escaped&t.field != 0 && hasLoneSurrogate(t.Of(b)) {
			return &FieldError{fmt.Sprintf("%q holds half a surrogate pair", t.field)}
		}
	}
	for _, t := range texts { // nothing is refused from here on, so what is refused stays as it was
		if o.escaped&t.field != 0 {
			raw := t.Of(b)
			text, _ := AppendUnescaped(raw[:0], raw)
			t.Len = uint32(len(text))
		}
	}
	return nil
}

// checkUnknownKeys walks a valid message once more, to refuse the same unknown key twice. Known keys are settled
// already; with those unknown ones it would cost the fast path memory to remember, and they are rare.
func checkUnknownKeys(b []byte, i int) error {
	var seen [MaxUnknownKeys]struct {
		key  dispatch.Span
		hash uint64
	}
	n := 0
	i = skipWhite(b, i)
	for b[i] != '}' {
		i = skipWhite(b, i+1)
		end, _ := scanText(b, i+1)
		contents := b[i+1 : end-1]
		field, next, _ := envelopeKey(b, i)
		if field == 0 {
			if n == len(seen) {
				return &FieldError{fmt.Sprintf("more than %d unknown keys", n)}
			}
			hash := hashText(contents)
			for _, s := range seen[:n] {
				if s.hash == hash && sameText(s.key.Of(b), contents) {
					return &FieldError{quoteCapped(contents) + " is given twice"}
				}
			}
			seen[n].key, seen[n].hash = spanOf(i+1, end-1), hash
			n++
		}
		i, _ = scanValue(b, next, MaxDepth)
		i = skipWhite(b, i)
	}
	return nil
}
