package protocol

import "unicode/utf8"

const hexDigits = "0123456789abcdef"

// AppendQuoted appends s as a JSON string. Quotes, backslashes and control characters are escaped, what is not UTF-8
// becomes U+FFFD, all else stays as it is.
func AppendQuoted(dst, s []byte) []byte {
	dst = append(dst, '"')
	for i := 0; ; {
		j := skipPlain(s, i)
		dst = append(dst, s[i:j]...)
		if j == len(s) {
			return append(dst, '"')
		}
		i = j + 1
		switch c := s[j]; {
		case c >= 0x80:
			if n := runeLen(s, j); n > 0 {
				i = j + n
				dst = append(dst, s[j:i]...)
			} else {
				dst = utf8.AppendRune(dst, utf8.RuneError)
			}
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		default:
			dst = appendControl(dst, c)
		}
	}
}

// appendControl appends the escape of a control character below 0x20 (RFC 8259, section 7).
func appendControl(dst []byte, c byte) []byte {
	switch c {
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
