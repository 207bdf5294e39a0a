package schedule

import (
	"cmp"
	"slices"
)

// lateHeap holds the timers whose deadline was past when they were added, which have no place on a wheel that only
// looks ahead. Few ever are (what a restart finds overdue; a deadline computed before a long drain), yet they too fire
// in order of deadline, and must find their way back to the wheel if the clock is set back. It is a binary heap by
// (at, order); a timer on it knows its index, so that Cancel needs no search. Unlike the slab it is copied as it grows.
type lateHeap struct {
	entries []lateEntry
	added   uint64
}

type lateEntry struct {
	at    int64
	order uint64 // of Add, among the late
	ref   uint32
}

func (e lateEntry) compare(other lateEntry) int {
	return cmp.Or(cmp.Compare(e.at, other.at), cmp.Compare(e.order, other.order))
}

func (h *lateHeap) push(s *slab, at int64, ref uint32) {
	h.added++
	h.entries = append(h.entries, lateEntry{})
	h.up(s, len(h.entries)-1, lateEntry{at, h.added, ref})
}

// pop removes the earliest of at least one.
func (h *lateHeap) pop(s *slab) (ref uint32) {
	ref = h.entries[0].ref
	h.remove(s, 0)
	return ref
}

// remove fills the hole with the last entry, which may belong above or below it.
func (h *lateHeap) remove(s *slab, hole int) {
	end := len(h.entries) - 1
	last := h.entries[end]
	h.entries = h.entries[:end]
	if hole < end {
		h.up(s, h.down(s, hole, last), last)
	}
}

// up moves a hole towards the root until the entry fits in it.
func (h *lateHeap) up(s *slab, hole int, entry lateEntry) {
	for hole > 0 {
		parent := (hole - 1) / 2
		if h.entries[parent].compare(entry) <= 0 {
			break
		}
		h.set(s, hole, h.entries[parent])
		hole = parent
	}
	h.set(s, hole, entry)
}

// down moves a hole away from the root while a child comes before the entry, and returns where it ends.
func (h *lateHeap) down(s *slab, hole int, entry lateEntry) int {
	for {
		child := 2*hole + 1
		if child >= len(h.entries) {
			return hole
		}
		if right := child + 1; right < len(h.entries) && h.entries[right].compare(h.entries[child]) < 0 {
			child = right
		}
		if entry.compare(h.entries[child]) <= 0 {
			return hole
		}
		h.set(s, hole, h.entries[child])
		hole = child
	}
}

func (h *lateHeap) set(s *slab, index int, entry lateEntry) {
	h.entries[index] = entry
	s.at(entry.ref).prev = uint32(index)
}

// split removes those that are not late at an earlier now, and returns them in order. They are valid until the next
// push.
func (h *lateHeap) split(s *slab, now int64) []lateEntry {
	slices.SortFunc(h.entries, lateEntry.compare) // sorted is a heap too
	keep, _ := slices.BinarySearchFunc(h.entries, now, func(e lateEntry, now int64) int { return cmp.Compare(e.at, now) })
	early := h.entries[keep:]
	h.entries = h.entries[:keep]
	for index, entry := range h.entries {
		s.at(entry.ref).prev = uint32(index)
	}
	return early
}
