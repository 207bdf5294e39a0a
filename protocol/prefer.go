package protocol

import (
	"bytes"

	"workman/dispatch"
)

// preferences are those of RFC 7240 that are met here: respond-async and wait.
type preferences struct {
	async    bool
	wait     int64 // seconds; -1 if it was not said
	hadAsync bool  // of what comes more than once the first counts (RFC 7240 2)
	hadWait  bool
}

// add reads one field. What is not known or makes no sense is ignored, as the standard asks.
func (p *preferences) add(field []byte) {
	for len(field) > 0 {
		var one []byte
		one, field = cutUnquoted(field, ',')
		one, _ = cutUnquoted(one, ';') // its parameters: none are known
		name, value, _ := bytes.Cut(one, []byte("="))
		name, value = trim(name), unquoted(trim(value))
		switch {
		case fold(name, "respond-async") && !p.hadAsync:
			p.hadAsync, p.async = true, len(value) == 0
		case fold(name, "wait") && !p.hadWait:
			p.hadWait, p.wait = true, seconds(value)
		}
	}
}

// seconds reads what wait is given as; -1 if it is no number. More than the longest time there is comes to that.
func seconds(b []byte) int64 {
	const most = dispatch.MaxKeep / 1000
	n := int64(0)
	for _, c := range b {
		if !isDigit(c) {
			return -1
		}
		n = min(n*10+int64(c-'0'), most)
	}
	if len(b) == 0 {
		return -1
	}
	return n
}

// cutUnquoted splits b at the first sep that stands in no quoted string (RFC 9110 5.6.4).
func cutUnquoted(b []byte, sep byte) (before, after []byte) {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == sep && !quoted:
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

// unquoted takes the quotes off; what is within has no escapes if it means anything here.
func unquoted(b []byte) []byte {
	if n := len(b); n >= 2 && b[0] == '"' && b[n-1] == '"' {
		return b[1 : n-1]
	}
	return b
}
