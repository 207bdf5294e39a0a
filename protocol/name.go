package protocol

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxName is the longest name of a task, in bytes.
const MaxName = 128

// maxQuoted is how many bytes of a value an error text repeats.
const maxQuoted = 48

// ValueError is returned when a value is not what it should be: a task's name, a path, a time.
type ValueError struct {
	Value  string // the value, quoted and capped
	Reason string // what is wrong with it, and what would be right
}

// Error is the value and the reason. It holds no control characters and nothing but ASCII of the value.
func (e *ValueError) Error() string { return e.Value + " " + e.Reason }

// quoteCapped is the start of b for an error text: in ASCII, without control characters, of bounded length. It is never
// cut within a character.
func quoteCapped(b []byte) string {
	if len(b) <= maxQuoted {
		return strconv.QuoteToASCII(string(b))
	}
	n := maxQuoted
	for n > maxQuoted-utf8.UTFMax && !utf8.RuneStart(b[n]) {
		n--
	}
	q := strconv.QuoteToASCII(string(b[:n]))
	return strings.TrimSuffix(q, `"`) + `..."`
}

// CheckName checks the name of a task: 1 to [MaxName] bytes of UTF-8 without control characters, which are those below
// U+0020 and from U+007F to U+009F. Else the error is a [*ValueError].
func CheckName(b []byte) error {
	if len(b) == 0 || len(b) > MaxName {
		return &ValueError{quoteCapped(b), fmt.Sprintf("is no task name: it has %d bytes; want 1 to %d", len(b), MaxName)}
	}
	for i := 0; i < len(b); {
		c := b[i]
		if c-' ' < 0x7f-' ' {
			i++
			continue
		}
		n := 0
		if c >= 0x80 {
			n = runeLen(b, i)
			if n == 0 {
				return nameError(b, i, fmt.Sprintf("invalid UTF-8 (0x%02x)", c))
			}
		}
		if n == 0 || n == 2 && c == 0xc2 && b[i+1] < 0xa0 { // U+0080 to U+009F
			r, _ := utf8.DecodeRune(b[i:])
			return nameError(b, i, fmt.Sprintf("control character %U", r))
		}
		i += n
	}
	return nil
}

func nameError(b []byte, i int, what string) error {
	return &ValueError{quoteCapped(b), fmt.Sprintf("is no task name: %s at byte %d", what, i)}
}

// DecodePathSegment appends a segment of a URL's path to dst, percent-decoded once (RFC 3986, section 2.1): %2F is a
// slash, %252F is %2F, and a plus is a plus. If a percent sign has no two hexadecimal digits behind it, the error is
// a [*ValueError]. dst may be seg[:0].
func DecodePathSegment(dst, seg []byte) ([]byte, error) {
	start := len(dst)
	for i := 0; i < len(seg); i++ {
		c := seg[i]
		if c == '%' {
			if i+2 >= len(seg) || hexValue(seg[i+1]) > 15 || hexValue(seg[i+2]) > 15 {
				reason := fmt.Sprintf("follows a percent sign at byte %d; want two hexadecimal digits", i)
				return dst[:start], &ValueError{quoteCapped(seg[i+1 : min(i+3, len(seg))]), reason}
			}
			c = hexValue(seg[i+1])<<4 | hexValue(seg[i+2])
			i += 2
		}
		dst = append(dst, c)
	}
	return dst, nil
}
