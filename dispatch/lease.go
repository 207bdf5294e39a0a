package dispatch

import "encoding/binary"

// MaxProgress is how many bytes of JSON a worker may say of how far it is.
const MaxProgress = 1024

// Bounds of a lease: of the tasks that one takes, and how long it lasts, in milliseconds.
const (
	MaxLeased    = 100
	DefaultLease = 60_000
	MaxLease     = 24 * 3600 * 1000
)

// AppendTokens encodes hand-outs, for the Body of Welcome.
func AppendTokens(dst []byte, t Token) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(dst, t.Slot), t.Secret)
}

// NextToken takes one off what AppendTokens wrote; false if none is left.
func NextToken(b []byte) (t Token, rest []byte, ok bool) {
	if len(b) < 12 {
		return Token{}, nil, false
	}
	return Token{Slot: binary.BigEndian.Uint32(b), Secret: binary.BigEndian.Uint64(b[4:])}, b[12:], true
}
