package dispatch

import (
	"encoding/binary"
	"encoding/hex"
)

// ID names a run for ever: a UUIDv7 (RFC 9562 5.7). Ids of one store are in the order in which the runs were asked for,
// also across restarts and clocks that are set back. The zero ID is none.
type ID [16]byte

// IDLen is the length of an id as text.
const IDLen = 36

// newID makes the id of a stamp: its upper 48 bits are the milliseconds of Unix time, its lower 12 tell apart what has the
// same millisecond.
func newID(stamp, random uint64) (id ID) {
	binary.BigEndian.PutUint64(id[:], stamp>>12<<16|0x7000|stamp&0xfff)
	binary.BigEndian.PutUint64(id[8:], random>>2|1<<63)
	return id
}

// Append appends the id's text: 8-4-4-4-12 lower-case hexadecimal digits.
func (id ID) Append(dst []byte) []byte {
	for i, end := range [...]int{4, 6, 8, 10, 16} {
		start := [...]int{0, 4, 6, 8, 10}[i]
		if start > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, id[start:end])
	}
	return dst
}

// String is the id's text.
func (id ID) String() string { return string(id.Append(nil)) }

// ParseID reads an id's text, with digits in either case. It does not say whether there is such a run.
func ParseID(text []byte) (id ID, ok bool) {
	if len(text) != IDLen || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return ID{}, false
	}
	digits := make([]byte, 0, 32)
	for _, part := range [...][]byte{text[:8], text[9:13], text[14:18], text[19:23], text[24:]} {
		digits = append(digits, part...)
	}
	if _, err := hex.Decode(id[:], digits); err != nil {
		return ID{}, false
	}
	return id, true
}

// id is a raw id in an event's bytes; the zero ID if it is none.
func (s Span) id(base []byte) (id ID) {
	if s.Len == uint32(len(id)) {
		copy(id[:], s.Of(base))
	}
	return id
}

// Stamp is the id's place in the order of all: milliseconds of Unix time times 4096, and a counter.
func (id ID) Stamp() uint64 {
	v := binary.BigEndian.Uint64(id[:])
	return v>>16<<12 | v&0xfff
}
