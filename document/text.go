package document

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// AppendText appends s as a JSON string. Quotes, backslashes and control characters are escaped, and what is not UTF-8
// becomes U+FFFD: a document may quote anybody.
func AppendText[T string | []byte](dst []byte, s T) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range string(s) {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < 0x20 || r == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// AppendTime appends a time (milliseconds of Unix time) as a JSON string: RFC 3339 in UTC with milliseconds. Years that it
// does not know, before 0 or past 9999, are written as JavaScript's toISOString() does: a sign and six digits.
func AppendTime(dst []byte, ms int64) []byte {
	at := time.UnixMilli(ms).UTC()
	dst = append(dst, '"')
	if year := at.Year(); year >= 0 && year <= 9999 {
		dst = at.AppendFormat(dst, "2006")
	} else {
		dst = fmt.Appendf(dst, "%+07d", year)
	}
	return at.AppendFormat(dst, `-01-02T15:04:05.000Z"`)
}
