package protocol

import (
	"encoding/binary"
	"math/bits"
)

// The scanners look at eight bytes at a time (SWAR: SIMD within a register). Each mask below has the high bit of the
// first byte in question right; a borrow or carry can spoil only bytes after it, and only the first is ever used.
// (Go gives ^, - and | one precedence, hence the parentheses.)
const (
	swarOnes  = 0x0101010101010101
	swarHighs = 0x80 * swarOnes
)

// notPlain marks the first byte of x that is not plain text in a JSON string: a control character, a quote, a
// backslash, or a part of a character beyond ASCII. XOR with 2 swaps the quote (0x22) with the space (0x20) and leaves
// control characters below 0x20, so a single subtraction of 0x21 borrows for both.
func notPlain(x uint64) uint64 {
	return (((x ^ 0x02*swarOnes) - 0x21*swarOnes) | ((x ^ 0x5c*swarOnes) - swarOnes) | x) & swarHighs
}

// notDigit marks the first byte of x that is not an ASCII digit: XOR with '0' makes digits 0 to 9, and adding 0x76
// carries the rest into the high bit.
func notDigit(x uint64) uint64 {
	x ^= 0x30 * swarOnes
	return ((x + 0x76*swarOnes) | x) & swarHighs
}

// firstIn is the number of bytes before the first that a mask marks: 8 when it marks none.
func firstIn(mask uint64) int { return bits.TrailingZeros64(mask) >> 3 }

// load8 reads the eight bytes from i on. Those behind b's length come from its capacity, so they may be anything, or are
// zero where that ends: who uses them must compare with len(b) what comes of it. i is at most len(b).
func load8(b []byte, i int) uint64 {
	if uint(i)+8 <= uint(cap(b)) {
		return binary.LittleEndian.Uint64(b[i : i+8])
	}
	return load8Tail(b, i)
}

//go:noinline
func load8Tail(b []byte, i int) (x uint64) {
	if i >= len(b) {
		return 0
	}
	for k, c := range b[i:] {
		x |= uint64(c) << (8 * k)
	}
	return x
}

// skipWhite returns the index of the first byte from i on that is not white space (RFC 8259, section 2), or len(b).
func skipWhite(b []byte, i int) int {
	if uint(i) < uint(len(b)) && b[i] <= ' ' {
		return skipWhites(b, i)
	}
	return i
}

// skipWhites is skipWhite's slow half. Indented JSON has long runs of spaces: they go eight at a time.
//
//go:noinline
func skipWhites(b []byte, i int) int {
	for i < len(b) {
		switch b[i] {
		case ' ':
			i += firstIn(load8(b, i) ^ ' '*swarOnes)
		case '\n', '\t', '\r':
			i++
		default:
			return i
		}
	}
	return len(b)
}

// skipPlain returns the index of the first special byte from i on, or len(b).
func skipPlain(b []byte, i int) int {
	for i+32 <= len(b) {
		w := b[i : i+32]
		if notPlain(binary.LittleEndian.Uint64(w))|notPlain(binary.LittleEndian.Uint64(w[8:]))|
			notPlain(binary.LittleEndian.Uint64(w[16:]))|notPlain(binary.LittleEndian.Uint64(w[24:])) != 0 {
			break
		}
		i += 32
	}
	for i < len(b) {
		if m := notPlain(load8(b, i)); m != 0 {
			return min(i+firstIn(m), len(b))
		}
		i += 8
	}
	return len(b)
}

// skipDigits returns the index of the first byte from i on that is not a digit, or at least len(b).
func skipDigits(b []byte, i int) int {
	for i < len(b) {
		if m := notDigit(load8(b, i)); m != 0 {
			return i + firstIn(m)
		}
		i += 8
	}
	return i
}

// scanText is scanString, with a shorter way for short strings without anything special.
func scanText(b []byte, i int) (int, fault) {
	for range 4 {
		if m := notPlain(load8(b, i)); m != 0 {
			if i += firstIn(m); i < len(b) && b[i] == '"' {
				return i + 1, faultNone
			}
			break
		}
		if i += 8; i >= len(b) {
			break
		}
	}
	return scanString(b, i)
}

// scanString takes the index of any byte inside a string and returns the index behind the closing quote.
func scanString(b []byte, i int) (int, fault) {
	for {
		i = skipPlain(b, i)
		if uint(i) >= uint(len(b)) {
			return i, faultEnd
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, faultNone
		case c == '\\':
			n, f := scanEscape(b, i)
			if f != faultNone {
				return n, f
			}
			i = n
		case c < ' ':
			return i, faultControl
		default:
			if i = skipRunes(b, i); i < len(b) && b[i] >= 0x80 {
				return i, faultUTF8
			}
		}
	}
}

// skipRunes takes the index of a byte above ASCII and returns the index behind the UTF-8 characters there, or of the
// first byte above ASCII that begins none.
func skipRunes(b []byte, i int) int {
	for i < len(b) {
		switch c := b[i]; {
		case c < 0x80:
			// For one space between two words it does not pay to go back to looking at eight bytes.
			if i+1 == len(b) || b[i+1] < 0x80 || c == '"' || c == '\\' || c < ' ' {
				return i
			}
			i++
		case c-0xc2 < 0xe0-0xc2 && i+1 < len(b) && b[i+1]&0xc0 == 0x80: // two bytes: most alphabets
			i += 2
		default:
			n := runeLen(b, i)
			if n == 0 {
				return i
			}
			i += n
		}
	}
	return i
}

// scanEscape takes the index of a backslash in a string and returns the index behind the escape (RFC 8259, section 7).
// The grammar allows the escape of a lone surrogate, so it passes here: values are carried, not decoded.
func scanEscape(b []byte, i int) (int, fault) {
	if i+1 >= len(b) {
		return len(b), faultEnd
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2, faultNone
	case 'u':
		for k := i + 2; k < i+6; k++ {
			if k >= len(b) {
				return k, faultEnd
			}
			if hexValue(b[k]) > 15 {
				return k, faultEscape
			}
		}
		return i + 6, faultNone
	}
	return i + 1, faultEscape
}

// hexValue is the value of a hexadecimal digit in either case, or 255.
func hexValue(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// runeLen is the length of the UTF-8 character at i, which is not ASCII; 0 if it is none. RFC 3629, section 4: no
// overlong forms, no surrogates, nothing above U+10FFFF; all three show in the second byte.
func runeLen(b []byte, i int) int {
	b = b[i:]
	if len(b) < 2 {
		return 0
	}
	low, high := byte(0x80), byte(0xbf)
	n := 2
	switch c := b[0]; {
	case c < 0xc2:
		return 0
	case c < 0xe0:
	case c < 0xf0:
		n = 3
		if c == 0xe0 {
			low = 0xa0
		} else if c == 0xed {
			high = 0x9f
		}
	case c < 0xf5:
		n = 4
		if c == 0xf0 {
			low = 0x90
		} else if c == 0xf4 {
			high = 0x8f
		}
	default:
		return 0
	}
	if len(b) < n || b[1] < low || b[1] > high {
		return 0
	}
	for _, c := range b[2:n] {
		if c&0xc0 != 0x80 {
			return 0
		}
	}
	return n
}

// scanNumber takes the index of a number's first byte, a digit or a minus, and returns the index behind the number
// (RFC 8259, section 6). Its size does not matter: it is carried as it is.
func scanNumber(b []byte, i int) (int, fault) {
	if b[i] == '-' {
		i++
	}
	if uint(i) >= uint(len(b)) {
		return i, faultEnd
	}
	switch c := b[i]; {
	case c == '0': // no digit may follow
		i++
	case c-'1' < 9:
		i += 1 + firstIn(notDigit(load8(b, i+1)))
		if i < len(b) && b[i]-'0' <= 9 {
			i = skipDigits(b, i)
		}
	default:
		return i, faultByte
	}
	if uint(i) < uint(len(b)) && b[i] == '.' {
		i++
		from := i
		for i < len(b) {
			if m := notDigit(load8(b, i)); m != 0 {
				i += firstIn(m)
				break
			}
			i += 8
		}
		if i == from {
			return faultAt(b, i)
		}
	}
	if uint(i) < uint(len(b)) && b[i]|0x20 == 'e' {
		return scanExponent(b, i+1)
	}
	return min(i, len(b)), faultNone
}

// scanExponent takes the index behind the e of a number, and returns the index behind the number.
func scanExponent(b []byte, i int) (int, fault) {
	if i < len(b) && (b[i] == '+' || b[i] == '-') {
		i++
	}
	from := i
	if i = skipDigits(b, i); i == from {
		return faultAt(b, i)
	}
	return min(i, len(b)), faultNone
}

// scanWord takes the index of a t, f or n and returns the index behind the true, false or null there.
func scanWord(b []byte, i int) (int, fault) {
	word := "true"
	switch b[i] {
	case 'f':
		word = "false"
	case 'n':
		word = "null"
	}
	for k := range len(word) {
		if i+k >= len(b) || b[i+k] != word[k] {
			return faultAt(b, i+k)
		}
	}
	return i + len(word), faultNone
}

// faultAt is the fault of a byte that should not be there, or of no byte where one should be.
func faultAt(b []byte, i int) (int, fault) {
	if i >= len(b) {
		return i, faultEnd
	}
	return i, faultByte
}
