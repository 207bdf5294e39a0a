package protocol

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/gobwas/ws"
)

// frame is the header of a frame (RFC 6455 5.2) that a client sent.
type frame struct {
	op     ws.OpCode
	fin    bool
	mask   uint32 // little-endian: the first byte of the payload meets its lowest
	length int
}

// frameSize tells how many bytes the header has whose first two bytes are given.
func frameSize(b1 byte) int {
	switch b1 & 0x7f {
	case 126:
		return 8
	case 127:
		return 14
	default:
		return 6
	}
}

// badFrame tells by the first two bytes of a frame whether it breaks RFC 6455 5.1 to 5.5. assembling is the opcode of
// the message whose fragments are coming, or 0.
func badFrame(b0, b1 byte, assembling ws.OpCode) bool {
	op := ws.OpCode(b0 & 0x0f)
	if b0&0x70 != 0 || b1&0x80 == 0 { // reserved bits, with no extension; not masked
		return true
	}
	switch op {
	case ws.OpText, ws.OpBinary:
		return assembling != 0
	case ws.OpContinuation:
		return assembling == 0
	case ws.OpClose, ws.OpPing, ws.OpPong:
		return b0&0x80 == 0 || b1&0x7f > ws.MaxControlFramePayloadSize
	default:
		return true
	}
}

// parseFrame reads a whole header. ok is false if the length has its top bit set, or is not written in the shortest
// form.
func parseFrame(b []byte) (h frame, ok bool) {
	h.op, h.fin = ws.OpCode(b[0]&0x0f), b[0]&0x80 != 0
	switch n := b[1] & 0x7f; n {
	case 126:
		h.length = int(binary.BigEndian.Uint16(b[2:]))
		h.mask = binary.LittleEndian.Uint32(b[4:])
		return h, h.length > 125
	case 127:
		long := binary.BigEndian.Uint64(b[2:])
		h.length = int(min(long, math.MaxInt32)) // which is over every limit
		h.mask = binary.LittleEndian.Uint32(b[10:])
		return h, long > 0xffff && long>>63 == 0
	default:
		h.length = int(n)
		h.mask = binary.LittleEndian.Uint32(b[2:])
		return h, true
	}
}

// unmask undoes the masking of p (RFC 6455 5.3). For long payloads the library's vector code is worth the call.
func unmask(p []byte, mask uint32) {
	if len(p) >= 256 {
		var m [4]byte
		binary.LittleEndian.PutUint32(m[:], mask)
		ws.Cipher(p, m, 0)
		return
	}
	wide := uint64(mask)<<32 | uint64(mask)
	for len(p) >= 32 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^wide)
		binary.LittleEndian.PutUint64(p[8:], binary.LittleEndian.Uint64(p[8:])^wide)
		binary.LittleEndian.PutUint64(p[16:], binary.LittleEndian.Uint64(p[16:])^wide)
		binary.LittleEndian.PutUint64(p[24:], binary.LittleEndian.Uint64(p[24:])^wide)
		p = p[32:]
	}
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^wide)
		p = p[8:]
	}
	if len(p) >= 4 {
		binary.LittleEndian.PutUint32(p, binary.LittleEndian.Uint32(p)^mask)
		p = p[4:]
	}
	if len(p) >= 2 {
		binary.LittleEndian.PutUint16(p, binary.LittleEndian.Uint16(p)^uint16(mask))
		p, mask = p[2:], mask>>16
	}
	if len(p) == 1 {
		p[0] ^= byte(mask)
	}
}

// turned is the mask for what follows n bytes.
func turned(mask uint32, n int) uint32 { return bits.RotateLeft32(mask, -8*(n&3)) }

// appendFrame appends the header of a frame of ours: whole and unmasked.
func appendFrame(dst []byte, op ws.OpCode, n int) []byte {
	b0 := 0x80 | byte(op)
	switch {
	case n <= 125:
		return append(dst, b0, byte(n))
	case n <= 0xffff:
		return append(dst, b0, 126, byte(n>>8), byte(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, b0, 127), uint64(n))
	}
}
