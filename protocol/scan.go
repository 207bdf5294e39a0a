package protocol

import "encoding/binary"

// tokens tells which bytes make a token (RFC 9110 5.6.2).
var tokens = func() (t [256]bool) {
	for c := range t {
		t[c] = '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()

func isToken[T []byte | string](b T) bool {
	for i := range len(b) {
		if !tokens[b[i]] {
			return false
		}
	}
	return len(b) > 0
}

// isFieldValue tells whether b holds what a field value may (RFC 9110 5.5): visible bytes, space, tab and obs-text.
func isFieldValue[T []byte | string](b T) bool {
	for i := range len(b) {
		if c := b[i]; c < 0x20 && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isClean is isFieldValue at eight bytes a step.
func isClean(b []byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		v := binary.LittleEndian.Uint64(b)
		del := v ^ 0x7f*ones
		// A byte below 0x20, or one that became zero above, leaves its top bit set. A borrow may add another such bit,
		// but only beside a true one; those, and tabs, are told apart below.
		if ((v-0x20*ones)&^v|(del-ones)&^del)&tops != 0 && !isFieldValue(b[:8]) {
			return false
		}
	}
	return isFieldValue(b)
}

// fold compares b with a name in lower case, without regard to case (ASCII).
func fold[T []byte | string](b T, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range len(lower) {
		if lowered(b[i]) != lower[i] {
			return false
		}
	}
	return true
}

func lowered(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// listed tells whether a comma-separated list (RFC 9110 5.6.1) holds a name given in lower case.
func listed(list []byte, lower string) bool {
	for len(list) > 0 {
		i := 0
		for i < len(list) && list[i] != ',' {
			i++
		}
		if fold(trim(list[:i]), lower) {
			return true
		}
		list = list[min(i+1, len(list)):]
	}
	return false
}
