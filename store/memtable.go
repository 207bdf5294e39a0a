package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"slices"
)

// memtable is what one segment holds, to be read from memory until Pebble has it. It keeps the operations as they were
// committed, and for each an entry without a pointer, so that a million of them are nothing to the collector.
//
// One goroutine adds; the overlay's lock keeps readers away meanwhile. What a [snapshot] shows never changes.
type memtable struct {
	segment uint64
	slot    string
	snapshot
	newest map[uint64]uint32 // hash of a key → its newest entry, counted from 1
}

// snapshot is a memtable as it was at one moment.
type snapshot struct {
	frames  [][]byte
	entries []entry
	sorted  []uint32 // the entries that are in order already, by key and then newest first
}

// entry is one operation.
type entry struct {
	prefix uint64 // the first bytes of the key: most comparisons need no more
	frame  uint32 // in which
	at     uint32 // and where
	older  uint32 // the entry with the same hash before it, counted from 1; 0 is none
}

var seed = maphash.MakeSeed()

// add takes the operations of one frame, which have been checked. It keeps the slice.
func (m *memtable) add(ops []byte) {
	if m.newest == nil {
		m.newest = map[uint64]uint32{}
	}
	frame := uint32(len(m.frames))
	m.frames = append(m.frames, ops)
	for at := 0; at < len(ops); {
		op, n, err := parse(ops[at:])
		if err != nil {
			panic("store: operations were not checked: " + err.Error())
		}
		h := maphash.Bytes(seed, op.key)
		m.entries = append(m.entries, entry{prefixOf(op.key), frame, uint32(at), m.newest[h]})
		m.newest[h] = uint32(len(m.entries))
		at += n
	}
}

// get finds the newest operation on a key.
func (m *memtable) get(key []byte) (op operation, ok bool) {
	for i := m.newest[maphash.Bytes(seed, key)]; i != 0; i = m.entries[i-1].older {
		if op := m.op(i - 1); bytes.Equal(op.key, key) {
			return op, true
		}
	}
	return op, false
}

func (s *snapshot) op(i uint32) operation {
	e := &s.entries[i]
	op, _, err := parse(s.frames[e.frame][e.at:])
	if err != nil {
		panic("store: operations were not checked: " + err.Error())
	}
	return op
}

// sort brings all entries into order, and reports whether they were not. It leaves other snapshots alone.
func (s *snapshot) sort() bool {
	done := len(s.sorted)
	if done == len(s.entries) {
		return false
	}
	fresh := make([]uint32, len(s.entries)-done)
	for i := range fresh {
		fresh[i] = uint32(done + i)
	}
	slices.SortFunc(fresh, s.compare)
	old := s.sorted
	s.sorted = make([]uint32, 0, len(s.entries))
	for len(old) > 0 && len(fresh) > 0 {
		if s.compare(old[len(old)-1], fresh[0]) < 0 { // as it is with ascending ids
			break
		}
		from := &old
		if s.compare(fresh[0], old[0]) < 0 {
			from = &fresh
		}
		s.sorted = append(s.sorted, (*from)[0])
		*from = (*from)[1:]
	}
	s.sorted = append(append(s.sorted, old...), fresh...)
	return true
}

// compare orders entries by key, and those of one key from the newest to the oldest.
func (s *snapshot) compare(a, b uint32) int {
	if c := cmp.Compare(s.entries[a].prefix, s.entries[b].prefix); c != 0 {
		return c
	}
	if c := bytes.Compare(s.op(a).key, s.op(b).key); c != 0 {
		return c
	}
	return cmp.Compare(b, a)
}

// search says how many of the sorted entries have keys before this one.
func (s *snapshot) search(key []byte) int {
	n, _ := slices.BinarySearchFunc(s.sorted, key, func(i uint32, key []byte) int {
		return cmp.Or(bytes.Compare(s.op(i).key, key), 1) // never equal: we want the first of several
	})
	return n
}

// prefixOf sorts as the key does, as far as it goes.
func prefixOf(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}
