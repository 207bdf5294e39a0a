package protocol

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"

	"workman/dispatch"
)

// parseDuration reads a duration, 30s or 2m30s or a bare number of seconds, as milliseconds, rounded up; at most
// dispatch.MaxKeep. It reports false, and leaves ms, if it is none.
func parseDuration(b []byte, ms *int64) bool {
	if len(b) == 0 || len(b) > 32 || !isDigit(b[0]) {
		return false
	}
	var d time.Duration
	if bytes.IndexFunc(b, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }) < 0 {
		seconds, err := strconv.ParseFloat(string(b), 64)
		if err != nil || seconds > dispatch.MaxKeep/1000 {
			return false
		}
		d = time.Duration(seconds * float64(time.Second))
	} else {
		var err error
		if d, err = time.ParseDuration(string(b)); err != nil {
			return false
		}
	}
	v := int64((d + time.Millisecond - 1) / time.Millisecond)
	if v > dispatch.MaxKeep {
		return false
	}
	*ms = v
	return true
}

// parseCount reads a whole number from low to high: digits alone, and no zeros in front.
func parseCount(b []byte, low, high int, to *int) bool {
	n := 0
	for i, c := range b {
		if !isDigit(c) || i == 9 || n == 0 && i > 0 {
			return false
		}
		n = n*10 + int(c-'0')
	}
	if len(b) == 0 || n < low || n > high {
		return false
	}
	*to = n
	return true
}

// wholeNumber reads a value of a message: a whole number from low to high.
func wholeNumber(name string, raw []byte, low, high int, to *uint32) *refusal {
	var n int
	if !parseCount(raw, low, high, &n) {
		return wrongTerm(quoteCapped(raw) + " is no value for " + name + ": want a whole number from " + strconv.Itoa(low) + " to " + strconv.Itoa(high))
	}
	*to = uint32(n)
	return nil
}

// duration reads a value of a message, from low to high milliseconds. nil is one that is missing.
func (a *asked) duration(name string, raw []byte, low, high int64, ms *int64) *refusal {
	if raw == nil {
		return wrongTerm(name + " is missing: want " + wantDuration)
	}
	a.reset()
	v := int64(-1)
	value, ok := a.plain(&term{json: jsonText | jsonNumber}, raw)
	if !ok || !parseDuration(value, &v) {
		return wrongTerm(quoteCapped(raw) + " is no value for " + name + ": want " + wantDuration)
	}
	if v < low || v > high {
		return wrongTerm(quoteCapped(raw) + " is no value for " + name + ": want from " + spell(low) + " to " + spell(high))
	}
	*ms = v
	return nil
}

// spell is a number of milliseconds for people.
func spell(ms int64) string { return (time.Duration(ms) * time.Millisecond).String() }

// maxKey is how long an idempotency key may be, in bytes.
const maxKey = 255

func isKey(b []byte) bool { return len(b) > 0 && len(b) <= maxKey && isText8(b) }

// isText8 tells whether b is UTF-8 without the control characters of ASCII.
func isText8(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}

// appendKey appends the key that an Idempotency-Key field names: a string as in RFC 8941 3.3.3, or bare as it is.
func appendKey(dst, field []byte) ([]byte, bool) {
	start := len(dst)
	b := trim(field)
	if len(b) == 0 || b[0] != '"' {
		dst = append(dst, b...)
		return dst, isKey(b)
	}
	for i := 1; i < len(b); i++ {
		c := b[i]
		switch {
		case c == '"':
			return dst, i == len(b)-1 && isKey(dst[start:])
		case c == '\\':
			if i++; i == len(b) || b[i] != '"' && b[i] != '\\' {
				return dst, false
			}
			c = b[i]
		case c < 0x20 || c > 0x7e:
			return dst, false
		}
		dst = append(dst, c)
	}
	return dst, false // it has no end
}

// traceLen is how much of b is a traceparent (W3C Trace Context 3.2): 55 bytes, behind which versions that are still to
// come may have more; 0 if it is none.
func traceLen(b []byte) int {
	const length = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if len(b) < length || b[2] != '-' || b[35] != '-' || b[52] != '-' {
		return 0
	}
	for _, part := range [...][]byte{b[:2], b[3:35], b[36:52], b[53:55]} {
		for _, c := range part {
			if !isDigit(c) && (c < 'a' || c > 'f') {
				return 0
			}
		}
	}
	version := string(b[:2])
	switch {
	case version == "ff" || onlyZeros(b[3:35]) || onlyZeros(b[36:52]):
		return 0
	case len(b) > length && (version == "00" || b[length] != '-'):
		return 0
	}
	return length
}

func onlyZeros(b []byte) bool {
	for _, c := range b {
		if c != '0' {
			return false
		}
	}
	return true
}
