package schedule

import "math/bits"

// Time is read as a number in base 64, a digit a level: level 0 tells milliseconds apart, level 1 spans of 64 ms, and
// so on. Eleven digits hold any non-negative int64.
const (
	digitBits  = 6
	slotCount  = 1 << digitBits
	levelCount = 11
)

// level is one wheel of the hierarchy. Bit i of occupied says whether slots[i] has timers.
type level struct {
	occupied uint64
	slots    [slotCount]list
}

// list is a slot's timers, linked through the slab in order of arrival. Zero is empty.
type list struct{ head, tail uint32 }

// position says where a deadline belongs while the time is now: on the level of the highest digit in which the two
// differ, in the slot of the deadline's own digit there.
//
// This holds of every timer on the wheel at every moment (at >= now for all of them: earlier ones are late), and all
// else rests on it:
//
//   - A timer's place is computed, not stored, and Cancel finds its list without a search.
//   - Timers of one deadline are always in one list. They arrive at its tail, and a cascade takes a list from its head
//     and appends to lists that hold none of that deadline (they'd have been in the same list): so they stay in order
//     of Add, however often they move.
//   - On a level no slot before now's own digit is occupied, and on levels above 0 not that one either. So the lowest
//     bit of the lowest occupied level is the earliest slot of all.
func position(now, at int64) (depth, slot int) {
	depth = (bits.Len64(uint64(now^at)|1) - 1) / digitBits
	return depth, digit(at, depth)
}

// digit returns the digit of a time that belongs to a level.
func digit(at int64, depth int) int {
	return int(uint64(at)>>(depth*digitBits)) & (slotCount - 1)
}

// earliest returns the first occupied slot, and the time at which it begins: at or before all deadlines on the wheel,
// after the wheel's time on levels above 0.
func (w *Wheel) earliest() (depth, slot int, start int64, ok bool) {
	for depth = range w.levels {
		occupied := w.levels[depth].occupied
		if occupied == 0 {
			continue
		}
		slot = bits.TrailingZeros64(occupied)
		// The digits above the level are now's, those below are zero. At the top the mask shifts out to all ones.
		shift := depth * digitBits
		above := uint64(w.now) &^ (uint64(1)<<(shift+digitBits) - 1)
		return depth, slot, int64(above | uint64(slot)<<shift), true
	}
	return 0, 0, 0, false
}

// place appends a timer to the list that its deadline calls for.
func (w *Wheel) place(ref uint32, timer *timer) {
	depth, slot := position(w.now, timer.at)
	level := &w.levels[depth]
	list := &level.slots[slot]
	timer.next, timer.prev = 0, list.tail
	if list.tail == 0 {
		list.head = ref
		level.occupied |= 1 << slot
	} else {
		w.slab.at(list.tail).next = ref
	}
	list.tail = ref
}

// unlink takes a timer out of its list.
func (w *Wheel) unlink(timer *timer) {
	depth, slot := position(w.now, timer.at)
	level := &w.levels[depth]
	list := &level.slots[slot]
	if timer.prev == 0 {
		list.head = timer.next
	} else {
		w.slab.at(timer.prev).next = timer.next
	}
	if timer.next == 0 {
		list.tail = timer.prev
	} else {
		w.slab.at(timer.next).prev = timer.prev
	}
	if list.head == 0 {
		level.occupied &^= 1 << slot
	}
}

// cascade spreads a slot that time has just entered over the levels below, in order. O(n) of that slot, and the one
// pause that grows with the number of timers: a million take 6 ms where they lie in memory in the order of their list,
// 35 ms where they are scattered (BenchmarkCascade).
func (w *Wheel) cascade(depth, slot int) {
	level := &w.levels[depth]
	ref := level.slots[slot].head
	level.slots[slot] = list{}
	level.occupied &^= 1 << slot
	for ref != 0 {
		timer := w.slab.at(ref)
		next := timer.next
		w.place(ref, timer)
		ref = next
	}
}
