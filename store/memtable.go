package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"sync"
)

// memtable is what one segment holds, to be read from memory until Pebble has it. It keeps the operations as they were
// committed, and for each an entry without a pointer, so that a million of them are nothing to the collector.
//
// One goroutine adds; the overlay's lock keeps readers away meanwhile. What a [snapshot] shows never changes. Whoever reads
// enters what is not entered yet, and whoever looks up a key indexes it: most of what is written is never read while it is
// here, but once when it is sorted, and an index costs as much as all the rest.
type memtable struct {
	segment uint64
	slot    string
	snapshot
	count   int // of operations, as far as it is known
	entered int // frames whose operations have entries
	index   index
}

// index finds a memtable's entries by their keys.
type index struct {
	mu     sync.Mutex // of readers among themselves, and those who enter
	newest []uint32   // hash table with open addressing: for each hash its newest entry, counted from 1; 0 is none
	hashes int        // that are in it: at most half as many as there is room for
	of     []hashed   // by entry, as far as they are indexed
}

// hashed is what an entry has in the index.
type hashed struct {
	hash  uint32 // of the key
	older uint32 // the entry with the same hash before it, counted from 1; 0 is none
}

// snapshot is a memtable as it was at one moment.
type snapshot struct {
	frames  [][]byte
	entries []entry
	once    string   // as in Config
	done    int      // entries that are in order already
	sorted  []uint32 // these, by key and then newest first, without those that annihilate each other
}

// entry is one operation.
type entry struct {
	frame uint32 // in which
	at    uint32 // and where
}

var seed = maphash.MakeSeed()

// newMemtable is that of a segment in a slot. once is as in Config.
func newMemtable(segment uint64, slot, once string) *memtable {
	return &memtable{segment: segment, slot: slot, snapshot: snapshot{once: once}}
}

// add takes the operations of one frame, which have been checked, and are so many. It keeps the slice.
func (m *memtable) add(ops []byte, count int) {
	m.frames = append(m.frames, ops)
	m.count += count
}

// readStep is how many operations are entered or indexed in one go: adding waits meanwhile. Those of one frame are entered
// together.
const readStep = 4096

// enter makes entries of some more operations, and reports whether that is all of them.
func (m *memtable) enter() bool {
	m.index.mu.Lock()
	defer m.index.mu.Unlock()
	if m.entries == nil {
		m.entries = make([]entry, 0, m.count)
	}
	for last := len(m.entries) + readStep; m.entered < len(m.frames) && len(m.entries) < last; m.entered++ {
		ops := m.frames[m.entered]
		for at := 0; at < len(ops); {
			_, n, err := parse(ops[at:])
			if err != nil {
				panic("store: operations were not checked: " + err.Error())
			}
			m.entries = append(m.entries, entry{frame: uint32(m.entered), at: uint32(at)})
			at += n
		}
	}
	return m.entered == len(m.frames)
}

// enterAll does it for one to which nothing is added any more.
func (m *memtable) enterAll() {
	for !m.enter() {
		continue
	}
}

// extend indexes some more entries, and reports whether that is all of them. All are entered.
func (m *memtable) extend() bool {
	x := &m.index
	x.mu.Lock()
	defer x.mu.Unlock()
	for range min(readStep, len(m.entries)-len(x.of)) {
		n := uint32(len(x.of))
		hash := uint32(maphash.Bytes(seed, m.op(n).key))
		if 2*x.hashes >= len(x.newest) {
			x.rehash(max(1024, 2*len(x.newest)))
		}
		place := x.find(hash)
		if *place == 0 {
			x.hashes++
		}
		x.of = append(x.of, hashed{hash: hash, older: *place})
		*place = n + 1
	}
	return len(x.of) == len(m.entries)
}

// find is the place of a hash: where its newest entry is, or would be. There is always one.
func (x *index) find(hash uint32) *uint32 {
	mask := uint32(len(x.newest) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if n := x.newest[i]; n == 0 || x.of[n-1].hash == hash {
			return &x.newest[i]
		}
	}
}

// rehash makes room for twice as many hashes. The size is a power of two.
func (x *index) rehash(size int) {
	old := x.newest
	x.newest = make([]uint32, size)
	for _, n := range old {
		if n != 0 {
			*x.find(x.of[n-1].hash) = n
		}
	}
}

// get finds the newest operation on a key. All is indexed.
func (m *memtable) get(key []byte) (op operation, ok bool) {
	x := &m.index
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.newest) == 0 {
		return op, false
	}
	for i := *x.find(uint32(maphash.Bytes(seed, key))); i != 0; i = x.of[i-1].older {
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

// key is an entry's, and whether it is deleted. It was checked when it was added.
func (s *snapshot) key(i uint32) (key []byte, deleted bool) {
	e := &s.entries[i]
	b := s.frames[e.frame][e.at:]
	size, n := binary.Uvarint(b)
	value, m := binary.Uvarint(b[n:])
	return b[n+m:][:size], value == 0
}

// fewer is how many times fewer entries there must be that are new for a search of each to cost less than a merge.
const fewer = 32

// sort brings all entries into order, and reports whether they were not. It leaves other snapshots alone.
func (s *snapshot) sort() bool {
	if s.done == len(s.entries) {
		return false
	}
	if added := s.byTable(s.done); len(added) < s.done/fewer {
		s.sorted = s.insert(s.sorted, added)
	} else {
		s.sorted = s.merge(s.sorted, added)
	}
	s.done = len(s.entries)
	return true
}

// merge makes one ascending sequence of two.
func (s *snapshot) merge(a, b []uint32) []uint32 {
	if len(a) == 0 {
		return b
	}
	merged := make([]uint32, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if s.compare(a[0], b[0]) < 0 {
			merged, a = append(merged, a[0]), a[1:]
		} else {
			merged, b = append(merged, b[0]), b[1:]
		}
	}
	return append(append(merged, a...), b...)
}

// search says how many of the sorted entries have keys before this one.
func (s *snapshot) search(key []byte) int {
	n, _ := slices.BinarySearchFunc(s.sorted, key, func(i uint32, key []byte) int {
		of, _ := s.key(i)
		return cmp.Or(bytes.Compare(of, key), 1) // never equal: we want the first of several
	})
	return n
}
