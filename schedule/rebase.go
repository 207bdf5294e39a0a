package schedule

import "math/bits"

// Rebase tells the wheel that the clock was set back: its time becomes now, in milliseconds, and every timer keeps its
// deadline. A now at or after the wheel's time does nothing, since forward leaps are Expire's; a negative one counts
// as 0.
//
// It moves whole lists, not timers, so its cost does not depend on how many there are, but for the late ones, which
// are sorted: O(n log n) of those. The next Expires pay for cascades that had been done already.
func (w *Wheel) Rebase(now int64) {
	now = max(now, 0)
	if now >= w.now {
		return
	}
	// Let depth be the highest level whose digit changes. Timers on it and above differ from the old time in a digit
	// that's greater still than the new one's: their places remain. Those below share the old time's digit here, so
	// from the new time they all belong to that one slot.
	depth, slot := position(now, w.now)
	for below := range depth {
		w.raise(below, depth, slot)
	}
	w.now = now
	// All on the wheel are later than any of these, so nothing with the same deadline is there before them.
	for _, entry := range w.late.split(&w.slab, now) {
		w.place(entry.ref, w.slab.at(entry.ref))
	}
}

// raise is a cascade backwards: it appends all lists of a level to one slot further up.
func (w *Wheel) raise(below, depth, slot int) {
	from, to := &w.levels[below], &w.levels[depth]
	for ; from.occupied != 0; from.occupied &= from.occupied - 1 {
		lowest := bits.TrailingZeros64(from.occupied)
		moved, target := from.slots[lowest], &to.slots[slot]
		from.slots[lowest] = list{}
		if target.tail == 0 {
			target.head = moved.head
			to.occupied |= 1 << slot
		} else {
			w.slab.at(target.tail).next = moved.head
			w.slab.at(moved.head).prev = target.tail
		}
		target.tail = moved.tail
	}
}
