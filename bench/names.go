package main

import "encoding/binary"

// Names: with more than one, a task's name is "work" and four octal digits,
// and the first four digits of its options are the same ones. So a worker sees
// at once whether a task came under its own name.

// maxNames is how many four octal digits make, and how many a worker may
// register.
const maxNames = 1 << 12

// nameAt is where a RunTask has the name.
const nameAt = len(`{"action":"RunTask","name":"`)

// taskNames are the names of a scenario's tasks.
type taskNames struct {
	count int // 0 or 1: only "work"
}

// many says whether there is more than one.
func (n taskNames) many() bool { return n.count > 1 }

// length is that of each name, in bytes.
func (n taskNames) length() int {
	if n.many() {
		return len("work") + 4
	}
	return len("work")
}

// at is the i-th name.
func (n taskNames) at(i int) string {
	if !n.many() {
		return "work"
	}
	return "work" + string(binary.LittleEndian.AppendUint32(nil, octal(i)))
}

// octal is a number below maxNames as four characters in memory.
func octal(i int) uint32 {
	const zero = 0x30303030
	return zero + uint32(i>>9&7) + uint32(i>>6&7)<<8 + uint32(i>>3&7)<<16 + uint32(i&7)<<24
}

// sign makes the digits those of a task of the i-th name.
func (n taskNames) sign(d digits, i int) digits {
	d.lo = d.lo&^0xffffffff | uint64(octal(i))
	return d
}

// put writes the name that the digits tell into a masked RunTask.
func (n taskNames) put(text []byte, d digits, m mask) {
	const at = nameAt + len("work")
	binary.LittleEndian.PutUint32(text[at:], uint32(d.lo)^uint32(m.at(at)))
}

// signed says whether a task's name is one of these, and the one that its
// digits tell.
func (n taskNames) signed(name []byte, d digits) bool {
	if !n.many() {
		return string(name) == "work"
	}
	return len(name) == n.length() && string(name[:4]) == "work" && binary.LittleEndian.Uint32(name[4:]) == uint32(d.lo)
}
