package schedule

import "math"

// Timer is a handle to a timer: its slot in the slab plus one in the low 32 bits, the slot's generation in the high 32.
// Zero is no timer. A handle stays good until its timer has fired or been cancelled, and never means another.
type Timer uint64

// timer is one slot of the slab. It has no pointers, so that the garbage collector never looks inside, however many
// there are. Links are references: slot plus one, zero for none.
type timer struct {
	at         int64
	value      uint32
	generation uint32 // odd while in use, even while free: a free slot matches no handle
	next       uint32 // in its list; in the free list
	prev       uint32 // in its list; while late, its index in the heap
}

// The slab grows by a page at a time, 96 KiB, so that no growth copies timers or takes longer than clearing a page.
const (
	pageBits = 12
	pageSize = 1 << pageBits
)

// slab is where timers live. Slots come from the free list first, the one freed last at its head since it is the most
// likely to be in the cache.
type slab struct {
	pages []*[pageSize]timer
	used  uint32 // slots ever taken; the highest reference given out
	spare uint32 // head of the free list
}

func handle(ref, generation uint32) Timer {
	return Timer(generation)<<32 | Timer(ref)
}

// at returns the slot of a reference that was taken before.
func (s *slab) at(ref uint32) *timer {
	index := ref - 1
	return &s.pages[index>>pageBits][index&(pageSize-1)]
}

// take returns a slot for a new timer, or 0 when all 2^32-1 references are spent.
func (s *slab) take() (ref uint32) {
	if s.spare != 0 {
		ref = s.spare
		s.spare = s.at(ref).next
	} else {
		if s.used == math.MaxUint32 {
			return 0
		}
		if s.used&(pageSize-1) == 0 {
			s.pages = append(s.pages, new([pageSize]timer))
		}
		s.used++
		ref = s.used
	}
	s.at(ref).generation++
	return ref
}

// free makes a slot available again. One whose generations are spent (2^31 timers) is retired instead: 24 bytes are
// a fair price for a stale handle never to fit again.
func (s *slab) free(ref uint32) {
	timer := s.at(ref)
	timer.generation++
	if timer.generation == 0 {
		return
	}
	timer.next = s.spare
	s.spare = ref
}

// find returns the reference in a handle whose timer is still waiting, or 0.
func (s *slab) find(t Timer) (ref uint32) {
	ref = uint32(t)
	generation := uint32(t >> 32)
	if ref == 0 || ref > s.used || generation&1 == 0 || s.at(ref).generation != generation {
		return 0
	}
	return ref
}
