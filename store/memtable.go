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
// One goroutine adds; the overlay's lock keeps readers away meanwhile. What a [snapshot] shows never changes. Whoever looks
// up a key indexes what is not indexed yet: most of what is written is never looked up while it is here, and an index costs
// as much as all the rest of adding.
type memtable struct {
	segment uint64
	slot    string
	snapshot
	index index
}

// index finds a memtable's entries by their keys.
type index struct {
	mu     sync.Mutex // of readers among themselves
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
	sorted  []uint32 // the entries that are in order already, by key and then newest first
}

// entry is one operation.
type entry struct {
	prefix uint64 // the first bytes of the key: most comparisons need no more
	frame  uint32 // in which
	at     uint32 // and where
}

var seed = maphash.MakeSeed()

// add takes the operations of one frame, which have been checked. It keeps the slice.
func (m *memtable) add(ops []byte) {
	frame := uint32(len(m.frames))
	m.frames = append(m.frames, ops)
	for at := 0; at < len(ops); {
		op, n, err := parse(ops[at:])
		if err != nil {
			panic("store: operations were not checked: " + err.Error())
		}
		m.entries = append(m.entries, entry{prefix: prefixOf(op.key), frame: frame, at: uint32(at)})
		at += n
	}
}

// indexStep is how many entries are indexed in one go: adding waits meanwhile.
const indexStep = 4096

// extend indexes some more entries, and reports whether that is all of them.
func (m *memtable) extend() bool {
	x := &m.index
	x.mu.Lock()
	defer x.mu.Unlock()
	for range min(indexStep, len(m.entries)-len(x.of)) {
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

// key is an entry's. It was checked when it was added.
func (s *snapshot) key(i uint32) []byte {
	e := &s.entries[i]
	b := s.frames[e.frame][e.at:]
	size, n := binary.Uvarint(b)
	_, m := binary.Uvarint(b[n:])
	return b[n+m:][:size]
}

// fewer is how many times fewer entries there must be that are new for a search of each to cost less than a merge.
const fewer = 32

// sort brings all entries into order, and reports whether they were not. It leaves other snapshots alone.
func (s *snapshot) sort() bool {
	done := len(s.sorted)
	if done == len(s.entries) {
		return false
	}
	if added := s.byTable(done); len(added) < done/fewer {
		s.sorted = s.insert(s.sorted, added)
	} else {
		s.sorted = s.merge(s.sorted, added)
	}
	return true
}

// byTable sorts the entries from one number on. Their tables come first: within one, most come in order.
func (s *snapshot) byTable(from int) []uint32 {
	var ends [257]int // of each table's entries, one further on
	for _, e := range s.entries[from:] {
		ends[e.prefix>>56+1]++
	}
	for i := 1; i < len(ends); i++ {
		ends[i] += ends[i-1]
	}
	sorted := make([]uint32, len(s.entries)-from)
	for i, e := range s.entries[from:] {
		end := &ends[e.prefix>>56]
		sorted[*end] = uint32(from + i)
		*end++
	}
	begin := 0
	for _, end := range ends[:256] {
		s.sortPiles(sorted[begin:end])
		begin = end
	}
	return sorted
}

// maxPiles is how many ascending sequences may be mixed for sortPiles to take them apart.
const maxPiles = 16

// sortPiles sorts entries that are a few ascending sequences mixed, as the keys of runs are that come, go on and end, in
// the order in which they began: it takes them apart and merges them, with a third of the comparisons of sorting. Keys are
// all over the memory, so each is looked at once for that.
func (s *snapshot) sortPiles(all []uint32) {
	var piles [][]uint32
	var tops [][]byte // the last key of each
next:
	for _, n := range all {
		key := s.key(n)
		for i, top := range tops {
			if bytes.Compare(top, key) < 0 {
				piles[i], tops[i] = append(piles[i], n), key
				continue next
			}
		}
		if len(piles) == maxPiles {
			slices.SortFunc(all, s.compare)
			return
		}
		piles, tops = append(piles, append(make([]uint32, 0, len(all)/(len(piles)+1)), n)), append(tops, key)
	}
	for len(piles) > 1 {
		piles = append(piles[2:], s.merge(piles[0], piles[1]))
	}
	if len(piles) == 1 {
		copy(all, piles[0])
	}
}

// merge makes one ascending sequence of two.
func (s *snapshot) merge(a, b []uint32) []uint32 {
	if len(a) == 0 || len(b) == 0 || s.compare(a[len(a)-1], b[0]) < 0 { // as it is with ascending ids
		return append(slices.Clip(a), b...)
	}
	merged := make([]uint32, 0, len(a)+len(b))
	first, second := s.key(a[0]), s.key(b[0])
	for {
		c := bytes.Compare(first, second)
		if c < 0 || c == 0 && a[0] > b[0] {
			merged = append(merged, a[0])
			if a = a[1:]; len(a) == 0 {
				return append(merged, b...)
			}
			first = s.key(a[0])
		} else {
			merged = append(merged, b[0])
			if b = b[1:]; len(b) == 0 {
				return append(merged, a...)
			}
			second = s.key(b[0])
		}
	}
}

// compare orders entries by key, and those of one key from the newest to the oldest.
func (s *snapshot) compare(a, b uint32) int {
	if c := cmp.Compare(s.entries[a].prefix, s.entries[b].prefix); c != 0 {
		return c
	}
	if c := bytes.Compare(s.key(a), s.key(b)); c != 0 {
		return c
	}
	return cmp.Compare(b, a)
}

// search says how many of the sorted entries have keys before this one.
func (s *snapshot) search(key []byte) int {
	n, _ := slices.BinarySearchFunc(s.sorted, key, func(i uint32, key []byte) int {
		return cmp.Or(bytes.Compare(s.key(i), key), 1) // never equal: we want the first of several
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
