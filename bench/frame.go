package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// The opcodes of RFC 6455, section 5.2.
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xa
)

// maxFrame is the longest payload taken from a server, in bytes: what a loop's
// read buffer holds, with its header.
const maxFrame = readBuffer - 10

// errClosed is returned when the server ended the WebSocket.
var errClosed = errors.New("the server closed the WebSocket")

// frame is one WebSocket frame as it lies in the read buffer.
type frame struct {
	opcode  byte
	payload []byte
}

// nextFrame reads the server's next frame from the start of b. size is its
// whole length, 0 if b holds only a part of it. Frames that a server must not
// send (masked, with reserved bits: RFC 6455 sections 5.1 and 5.2), or that
// this one has no reason to send (fragments), are errors.
func nextFrame(b []byte) (f frame, size int, err error) {
	if len(b) < 2 {
		return frame{}, 0, nil
	}
	head, length := 2, int(b[1])
	if b[0] != 0x80|opText || length > 125 {
		head, length, err = oddHeader(b)
		if head == 0 || err != nil {
			return frame{}, 0, err
		}
	}
	if len(b) < head+length {
		return frame{}, 0, nil
	}
	return frame{b[0] & 0xf, b[head : head+length]}, head + length, nil
}

// oddHeader reads the header of any frame but a short text. head is 0 if b
// does not hold all of it.
func oddHeader(b []byte) (head, length int, err error) {
	switch {
	case b[0]&0x70 != 0:
		return 0, 0, fmt.Errorf("a frame with reserved bits (first byte %#x), though no extension was agreed on", b[0])
	case b[0]&0x80 == 0 || b[0]&0xf == 0:
		return 0, 0, fmt.Errorf("a fragment (first byte %#x): the bench takes whole messages only", b[0])
	case b[1]&0x80 != 0:
		return 0, 0, errors.New("a masked frame from the server, which RFC 6455 5.1 forbids")
	}
	size := uint64(b[1])
	switch {
	case size < 126:
		return 2, int(size), nil
	case size == 126 && len(b) >= 4:
		return 4, int(binary.BigEndian.Uint16(b[2:])), nil
	case size == 127 && len(b) >= 10:
		size = binary.BigEndian.Uint64(b[2:])
		if size > maxFrame {
			return 0, 0, fmt.Errorf("a frame of %d bytes: the bench takes at most %d", size, maxFrame)
		}
		return 10, int(size), nil
	}
	return 0, 0, nil
}

// mask is the four masking bytes of a client's frames, repeated to a word. One
// for a connection's life: it exists against proxies (RFC 6455 10.3), and
// there is none on the loopback.
type mask uint64

// newMask makes a mask of 32 random bits.
func newMask(random uint64) mask {
	low := random & 0xffffffff
	return mask(low | low<<32)
}

// at is the mask as it falls on eight bytes from offset of a payload on.
func (m mask) at(offset int) uint64 {
	return bits.RotateLeft64(uint64(m), -8*(offset&3))
}

// appendFrame appends a whole frame, masked as a client's must be.
func (m mask) appendFrame(dst []byte, opcode byte, payload string) []byte {
	dst = m.appendHeader(dst, opcode, len(payload))
	start := len(dst)
	dst = append(dst, payload...)
	for i := range dst[start:] {
		dst[start+i] ^= byte(m >> (8 * (i & 3)))
	}
	return dst
}

// appendHeader appends the header of a frame with a payload of n bytes.
func (m mask) appendHeader(dst []byte, opcode byte, n int) []byte {
	dst = append(dst, 0x80|opcode)
	switch {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = append(dst, 0x80|126, byte(n>>8), byte(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	return binary.LittleEndian.AppendUint32(dst, uint32(m))
}

// ownFrame is the length of the first frame of b, which appendFrame made.
func ownFrame(b []byte) int {
	switch n := int(b[1] & 0x7f); n {
	case 126:
		return 4 + 4 + int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		return 10 + 4 + int(binary.BigEndian.Uint64(b[2:]))
	default:
		return 2 + 4 + n
	}
}

// control answers a frame that is no text: pings with a pong, pongs not at
// all. A close, or data that is not text, is an error.
func (m mask) control(f frame, out []byte) ([]byte, error) {
	switch f.opcode {
	case opPing:
		return m.appendFrame(out, opPong, string(f.payload)), nil
	case opPong:
		return out, nil
	case opClose:
		return out, closeError(f.payload)
	}
	return out, fmt.Errorf("a frame with opcode %#x: the wire has text only", f.opcode)
}

// texts has all whole texts in data taken, each with what to append its answer
// to, and answers the frames between them. It returns how much of data that was.
func (m mask) texts(data, out []byte, take func(text, out []byte) ([]byte, error)) (used int, _ []byte, err error) {
	for {
		f, size, err := nextFrame(data[used:])
		if size == 0 || err != nil {
			return used, out, err
		}
		used += size
		if f.opcode == opText {
			out, err = take(f.payload, out)
		} else {
			out, err = m.control(f, out)
		}
		if err != nil {
			return used, out, err
		}
	}
}

// closeError says why the server closed (RFC 6455 5.5.1).
func closeError(payload []byte) error {
	if len(payload) < 2 {
		return errClosed
	}
	return fmt.Errorf("%w with code %d %q", errClosed, binary.BigEndian.Uint16(payload), payload[2:])
}
