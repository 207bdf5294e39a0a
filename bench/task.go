package main

import "encoding/binary"

// zeros is eight ASCII zeros.
const zeros = 0x3030303030303030

// digits are sixteen decimal digits as ASCII, in the order they have in
// memory: eight in lo, then eight in hi.
type digits struct{ lo, hi uint64 }

// digitsLen is how many bytes digits take in a message.
const digitsLen = 16

// getDigits reads sixteen bytes of b. It does not check that they are digits.
func getDigits(b []byte) digits {
	_ = b[digitsLen-1]
	return digits{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
}

// put writes d over sixteen bytes of b, each word XORed with mask (0 for none).
func (d digits) put(b []byte, mask uint64) {
	_ = b[digitsLen-1]
	binary.LittleEndian.PutUint64(b, d.lo^mask)
	binary.LittleEndian.PutUint64(b[8:], d.hi^mask)
}

// plus adds two fractions digit by digit. The digits of a task are drawn so
// that no pair exceeds nine, so this is the true decimal sum, in two additions
// instead of a parse: the worker must not be what is measured.
func (d digits) plus(e digits) digits {
	return digits{d.lo + e.lo - zeros, d.hi + e.hi - zeros}
}

// String is the fraction as it stands in a message, for error messages.
func (d digits) String() string {
	var b [digitsLen]byte
	d.put(b[:], 0)
	return "0." + string(b[:])
}

// source draws the digits of tasks: an xorshift generator, not zero.
type source uint64

// next is the next 64 random bits.
func (s *source) next() uint64 {
	x := uint64(*s)
	x ^= x << 13
	x ^= x >> 7
	x ^= x << 17
	*s = source(x)
	return x
}

// draw returns the options of a new task: digits of a from 0 to 7, of b from
// 0 to 2, so that they add up without a carry. With 10^20 of them a reply to
// another task is not taken for the right one.
func (s *source) draw() (a, b digits) {
	a.lo, b.lo = split(s.next())
	a.hi, b.hi = split(s.next())
	return a, b
}

// split makes a word of digits 0–7 and a word of digits 0–2 from random bits.
func split(x uint64) (a, b uint64) {
	const ones = 0x0101010101010101
	return x&(7*ones) + zeros, x>>3&ones + x>>4&ones + zeros
}

// nonceLen is the length of a producer's nonce.
const nonceLen = 8

// alphabet are the characters of a nonce, six bits each.
const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"

// maxPair is how many values two characters hold: the most producers a loop
// can have, and the most tasks one of them can have outstanding.
const maxPair = 1 << 12

// pairs holds two characters for each 12-bit number, values the way back
// (0xff: not of the alphabet).
var pairs, values = nonceTables()

func nonceTables() (p [maxPair]uint16, v [256]uint8) {
	for i := range v {
		v[i] = 0xff
	}
	for i := range alphabet {
		v[alphabet[i]] = uint8(i)
	}
	for i := range p {
		p[i] = uint16(alphabet[i>>6]) | uint16(alphabet[i&63])<<8
	}
	return p, v
}

// makeNonce is a nonce as its eight bytes lie in memory: two characters for
// the producer, two for the slot, four for the slot's turn (which repeats
// after 16 million: a duplicate as old as that goes unnoticed).
func makeNonce(producer, slot int, turn uint32) uint64 {
	return uint64(pairs[producer&(maxPair-1)]) |
		uint64(pairs[slot&(maxPair-1)])<<16 |
		uint64(pairs[turn>>12&(maxPair-1)])<<32 |
		uint64(pairs[turn&(maxPair-1)])<<48
}

// nonceSlot is the slot that a nonce names, -1 if its characters are not ours.
func nonceSlot(nonce uint64) int {
	hi, lo := values[uint8(nonce>>16)], values[uint8(nonce>>24)]
	if hi|lo > 63 {
		return -1
	}
	return int(hi)<<6 | int(lo)
}

// nonceText is the nonce as characters, for error messages.
func nonceText(nonce uint64) string {
	return string(binary.LittleEndian.AppendUint64(nil, nonce))
}
