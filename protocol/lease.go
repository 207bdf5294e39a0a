package protocol

import (
	"encoding/binary"

	"workman/dispatch"
)

// leaseLen is the length of a lease's nonce as text: that of a token, and 16 letters of its ticket's secret.
const leaseLen = dispatch.TokenLen + 16

// appendLease appends the nonce of a leased task.
func appendLease(dst []byte, t dispatch.Token, secret uint64) []byte {
	dst = t.Append(dst)
	both := len(dst)
	dst = dispatch.Token{Secret: secret}.Append(dst)
	return append(dst[:both], dst[both+dispatch.TokenLen-16:]...)
}

// parseLease reads it; false if it cannot be one. The secret is its eight bytes, as the dispatcher takes them.
func parseLease(text []byte) (t dispatch.Token, secret [8]byte, ok bool) {
	if len(text) != leaseLen {
		return t, secret, false
	}
	t, ok = dispatch.ParseToken(text[:dispatch.TokenLen])
	rest, ok2 := dispatch.ParseToken(append([]byte("aaaaaaaa"), text[dispatch.TokenLen:]...))
	binary.BigEndian.PutUint64(secret[:], rest.Secret)
	return t, secret, ok && ok2 && t != dispatch.Token{}
}
