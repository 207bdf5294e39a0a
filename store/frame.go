package store

import (
	"encoding/binary"
	"hash/crc32"
)

// A frame is what one write puts into a segment. It begins at a page and fills whole pages, so that no write touches a
// page that holds a frame already acknowledged: whatever a power cut does to a write, it does to that frame only.
//
// It is written in sectors. The last four bytes of each are the frame's stamp, the others hold, one after the other, the
// head, the payload, and zeros. The stamps tell a write that was interrupted from damage: a disk writes a sector whole or
// not at all, and from its front to its end. So if a frame's checksum is wrong and one of its sectors has not got its
// stamp, that sector was never written, hence the write never ended, and nobody was told. If all of them have it, the
// frame had been written, and has been changed since.
const (
	page   = 4096
	sector = 512
	room   = sector - 4 // bytes of a sector beside the stamp
)

// kind says what a frame is.
type kind byte

const (
	opening kind = iota + 1 // the first of a segment: which store, which version
	data                    // operations
	seal                    // the last of a segment: the next one has been opened
)

// head is a frame's head. On the disk it is, little-endian: CRC32C of the rest of the head (4 bytes), CRC32C of the
// payload (4), length of the payload (4), kind (1), unsynced (3), number of the segment (8), number of the frame in it (8).
type head struct {
	sum      uint32
	length   uint32
	kind     kind
	unsynced uint32 // how many of the frames before it were not known to be durable when it was written
	segment  uint64
	number   uint64
}

const (
	headLen     = 32
	maxUnsynced = 1<<24 - 1
)

// sure is how many frames of the segment were known to be durable when this one was written. If one of them is missing,
// that is damage; others may be missing after a power cut, whatever is behind them.
func (h head) sure() uint64 { return h.number - uint64(h.unsynced) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

func (h head) append(dst []byte) []byte {
	le := binary.LittleEndian
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = le.AppendUint32(dst, h.sum)
	dst = le.AppendUint32(dst, h.length)
	dst = le.AppendUint32(dst, uint32(h.kind)|h.unsynced<<8)
	dst = le.AppendUint64(dst, h.segment)
	dst = le.AppendUint64(dst, h.number)
	le.PutUint32(dst[at:], checksum(dst[at+4:]))
	return dst
}

// parseHead reads the head from the first sector of a frame. It reports false if that is none.
func parseHead(b []byte) (h head, ok bool) {
	le := binary.LittleEndian
	if le.Uint32(b) != checksum(b[4:headLen]) {
		return h, false
	}
	return head{
		sum: le.Uint32(b[4:]), length: le.Uint32(b[8:]), kind: kind(b[12]), unsynced: le.Uint32(b[12:]) >> 8,
		segment: le.Uint64(b[16:]), number: le.Uint64(b[24:]),
	}, true
}

// stamp is in every sector of the frame, and in no other frame that was ever in its place. It is never zero, which is
// what a sector holds that was never written.
func (h head) stamp() uint32 {
	var b [17]byte
	b[0] = byte(h.kind)
	binary.LittleEndian.PutUint64(b[1:], h.segment)
	binary.LittleEndian.PutUint64(b[9:], h.number)
	return checksum(b[:]) | 1
}

// frameSize is how many bytes of a segment a payload takes.
func frameSize(payload int) int {
	sectors := (headLen + payload + room - 1) / room
	return (sectors*sector + page - 1) / page * page
}

// maxPayload is what fits into so many bytes of a segment, which are whole pages.
func maxPayload(size int) int { return size/sector*room - headLen }

// putFrame writes a frame into dst, which has the size of the frame, and fills in the head's sum and length.
func putFrame(dst []byte, h head, payload []byte) {
	h.sum = checksum(payload)
	h.length = uint32(len(payload))
	stamp := h.stamp()
	at := len(h.append(dst[:0]))
	for i := 0; i < len(dst); i += sector {
		n := copy(dst[i+at:i+room], payload)
		payload = payload[n:]
		clear(dst[i+at+n : i+room])
		binary.LittleEndian.PutUint32(dst[i+room:], stamp)
		at = 0
	}
}

// takePayload appends the payload of the frame b, of that length, to dst.
func takePayload(dst, b []byte, length int) []byte {
	at := headLen
	for i := 0; length > 0; i += sector {
		n := min(length, room-at)
		dst = append(dst, b[i+at:i+at+n]...)
		length -= n
		at = 0
	}
	return dst
}

// stamped reports whether the sector at the start of b has the frame's stamp.
func (h head) stamped(b []byte) bool {
	return binary.LittleEndian.Uint32(b[room:]) == h.stamp()
}

// complete reports whether all sectors of the frame b have its stamp.
func (h head) complete(b []byte) bool {
	for ; len(b) > 0; b = b[sector:] {
		if !h.stamped(b) {
			return false
		}
	}
	return true
}
