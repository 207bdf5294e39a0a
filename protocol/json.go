package protocol

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"workman/dispatch"
)

// MaxDepth is how deep arrays and objects may be nested in a value: the options and the result of a task, a nonce. A
// number or a string has depth 0, an empty array 1; the envelope around the value does not count. It can't be more:
// the scanner remembers one bit a level in a word.
const MaxDepth = 64

// JSONError is returned when bytes are no JSON value, or one nested deeper than [MaxDepth].
type JSONError struct {
	Offset int    // of the byte that is wrong, from the start of the body or message
	Reason string // what is wrong with it; empty if there was nothing but white space
}

// Error says what is wrong and where. It holds one character of the input at most, and that one escaped.
func (e *JSONError) Error() string {
	if e.Reason == "" {
		return "not JSON: empty"
	}
	return "not JSON: " + e.Reason + " at byte " + strconv.Itoa(e.Offset)
}

// fault is why a scanner stopped; the index that comes with it says where. It becomes a JSONError only at the end, so
// that nothing allocates before.
type fault uint8

const (
	faultNone fault = iota
	faultEnd
	faultByte
	faultDeep
	faultUTF8
	faultControl
	faultEscape
)

// error explains the fault at index i of b, counted from origin.
func (f fault) error(b []byte, origin, i int) *JSONError {
	i = min(i, len(b)) // of what has no end, the scanners may have looked behind it
	e := &JSONError{Offset: i - origin}
	switch f {
	case faultEnd:
		if skipWhite(b, origin) < len(b) {
			e.Reason = "unexpected end"
		}
	case faultByte:
		e.Reason = "unexpected " + quoteChar(b[i:])
	case faultDeep:
		e.Reason = fmt.Sprintf("nested deeper than %d", MaxDepth)
	case faultUTF8:
		e.Reason = "invalid UTF-8 in a string"
	case faultControl:
		e.Reason = "unescaped control character " + quoteChar(b[i:]) + " in a string"
	case faultEscape:
		e.Reason = "bad escape in a string: unexpected " + quoteChar(b[i:])
	}
	return e
}

// quoteChar is the first character of b for an error text, in ASCII.
func quoteChar(b []byte) string {
	r, n := utf8.DecodeRune(b)
	if r == utf8.RuneError && n <= 1 {
		return fmt.Sprintf("byte 0x%02x", b[:n])
	}
	return fmt.Sprintf("%+q", r)
}

// ValidJSON checks that b is one JSON value (RFC 8259) with nothing but white space around it, nested at most
// [MaxDepth] deep, and returns its span without that white space. What the grammar allows passes, whatever it means:
// numbers of any size, doubled keys, escaped lone surrogates. The error is a [*JSONError]. Bytes between b's length and
// its capacity may be looked at, but never matter.
func ValidJSON(b []byte) (dispatch.Span, error) {
	start := skipWhite(b, 0)
	end, f := scanValue(b, start, MaxDepth)
	if f == faultNone {
		if i := skipWhite(b, end); i < len(b) {
			end, f = faultAt(b, i)
		}
	}
	if f != faultNone {
		return dispatch.Span{}, f.error(b, 0, end)
	}
	return spanOf(start, end), nil
}

func spanOf(start, end int) dispatch.Span {
	return dispatch.Span{Off: uint32(start), Len: uint32(end - start)}
}

// scanValue takes an index before a value, white space allowed, and returns the index behind the value; in case of a
// fault, the index of that. depth is at most 64.
//
// It is a state machine without recursion, so that no input can make it use more stack: the states are its labels, and
// open remembers a bit for each array or object that is not closed yet, the innermost lowest, set for an object.
func scanValue(b []byte, i, depth int) (int, fault) { //nolint:funlen // its states are its labels
	var (
		open  uint64
		level int
		f     fault
	)
value:
	if i = skipWhite(b, i); uint(i) >= uint(len(b)) {
		return i, faultEnd
	}
	switch b[i] {
	case '"':
		if i, f = scanText(b, i+1); f != faultNone {
			return i, f
		}
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if i, f = scanNumber(b, i); f != faultNone {
			return i, f
		}
	case '{', '[':
		if level == depth {
			return i, faultDeep
		}
		level++
		object := b[i] == '{'
		open <<= 1
		if i = skipWhite(b, i+1); uint(i) >= uint(len(b)) {
			return i, faultEnd
		}
		switch {
		case object:
			open |= 1
			if b[i] != '}' {
				goto key
			}
		case b[i] != ']':
			goto value
		}
		open >>= 1
		level--
		i++
	case 't', 'f', 'n':
		if i, f = scanWord(b, i); f != faultNone {
			return i, f
		}
	default:
		return i, faultByte
	}
after:
	if level == 0 {
		return i, faultNone
	}
	if i = skipWhite(b, i); uint(i) >= uint(len(b)) {
		return i, faultEnd
	}
	switch c := b[i]; {
	case c == ',':
		i++
		if open&1 == 0 {
			goto value
		}
	case c == ']' && open&1 == 0, c == '}' && open&1 == 1:
		i++
		open >>= 1
		level--
		goto after
	default:
		return i, faultByte
	}
key:
	if uint(i) < uint(len(b)) && b[i] == '"' { // scanKey, for short keys without white space around
		n := i + 1 + firstIn(notPlain(load8(b, i+1)))
		if n+1 < len(b) && b[n] == '"' && b[n+1] == ':' {
			i = n + 2
			goto value
		}
	}
	if i, f = scanKey(b, i); f != faultNone {
		return i, f
	}
	goto value
}

// scanKey takes an index before an object's key, white space allowed, and returns the index behind the colon after it.
func scanKey(b []byte, i int) (next int, f fault) {
	if i = skipWhite(b, i); uint(i) >= uint(len(b)) || b[i] != '"' {
		return faultAt(b, i)
	}
	if i, f = scanText(b, i+1); f != faultNone {
		return i, f
	}
	if i = skipWhite(b, i); uint(i) >= uint(len(b)) || b[i] != ':' {
		return faultAt(b, i)
	}
	return i + 1, faultNone
}
