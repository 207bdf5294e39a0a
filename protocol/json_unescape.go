package protocol

import "unicode/utf8"

// nextRune decodes the character of a valid JSON string's contents at i and returns the index behind it. A lone
// surrogate comes as it is: then utf8.ValidRune is false.
func nextRune(s []byte, i int) (rune, int) {
	if s[i] != '\\' {
		r, n := utf8.DecodeRune(s[i:])
		return r, i + n
	}
	switch c := s[i+1]; c {
	case 'b':
		return '\b', i + 2
	case 'f':
		return '\f', i + 2
	case 'n':
		return '\n', i + 2
	case 'r':
		return '\r', i + 2
	case 't':
		return '\t', i + 2
	case 'u':
		r := hexRune(s[i+2:])
		i += 6
		// RFC 8259, section 7: beyond the Basic Multilingual Plane a character is two escapes, a surrogate pair.
		if 0xd800 <= r && r < 0xdc00 && i+6 <= len(s) && s[i] == '\\' && s[i+1] == 'u' {
			if low := hexRune(s[i+2:]); 0xdc00 <= low && low < 0xe000 {
				return (r-0xd800)<<10 + (low - 0xdc00) + 0x10000, i + 6
			}
		}
		return r, i
	default:
		return rune(c), i + 2
	}
}

func hexRune(s []byte) (r rune) {
	for _, c := range s[:4] {
		r = r<<4 | rune(hexValue(c))
	}
	return r
}

// AppendUnescaped appends the text that a valid JSON string means, given its contents (what is between the quotes).
// ok is false if it holds a lone surrogate: that is no text. The text is never longer than the contents, so dst may be
// contents[:0].
func AppendUnescaped(dst, contents []byte) (text []byte, ok bool) {
	for i := 0; i < len(contents); {
		if c := contents[i]; c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		var r rune
		if r, i = nextRune(contents, i); !utf8.ValidRune(r) {
			return dst, false
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, true
}

// sameText reports whether the contents of two JSON strings mean the same text, however each is escaped.
func sameText(a, b []byte) bool {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		var r, q rune
		r, i = nextRune(a, i)
		q, j = nextRune(b, j)
		if r != q {
			return false
		}
	}
	return i == len(a) && j == len(b)
}

// hashText is the same for contents that mean the same text (FNV-1a over characters), so that long keys that begin alike
// are not compared with each other at length.
func hashText(contents []byte) uint64 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(contents); {
		var r rune
		r, i = nextRune(contents, i)
		h = (h ^ uint64(r)) * 1099511628211
	}
	return h
}

// hasLoneSurrogate reports whether a JSON string's contents are no text: see [AppendUnescaped].
func hasLoneSurrogate(contents []byte) bool {
	for i := 0; i < len(contents); {
		var r rune
		if r, i = nextRune(contents, i); !utf8.ValidRune(r) {
			return true
		}
	}
	return false
}
