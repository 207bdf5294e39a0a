package schedule

import (
	"fmt"
	"math/bits"
	"reflect"
)

// TimerType is the struct that there is one of for each timer.
var TimerType = reflect.TypeFor[timer]()

// PageSize is how many timers the slab grows by.
const PageSize = pageSize

// LevelCount is how many levels the wheel has.
const LevelCount = levelCount

// Late returns how many timers are on the heap of late ones.
func (w *Wheel) Late() int { return len(w.late.entries) }

// Slots returns how many slots of the slab were ever taken.
func (w *Wheel) Slots() int { return int(w.slab.used) }

// Exhaust makes the next timer the last that its slot can have: the one to be freed next.
func (w *Wheel) Exhaust() { w.slab.at(w.slab.spare).generation = ^uint32(1) }

// SpendReferences makes the slab believe that it has given out all references, and returns what undoes it.
func (w *Wheel) SpendReferences() (undo func()) {
	used, spare := w.slab.used, w.slab.spare
	w.slab.used, w.slab.spare = ^uint32(0), 0
	return func() { w.slab.used, w.slab.spare = used, spare }
}

// Check looks at the whole state and returns the first thing that's wrong with it.
func (w *Wheel) Check() error {
	held := 0
	for depth := range w.levels {
		if occupied := w.levels[depth].occupied; occupied != 0 {
			// On level 0 the present slot may be occupied, on the others it may not.
			present := digit(w.now, depth)
			if first := bits.TrailingZeros64(occupied); first < present || first == present && depth > 0 {
				return fmt.Errorf("level %d: slot %d is occupied, time is at %d", depth, first, present)
			}
		}
		for slot := range slotCount {
			n, err := w.checkList(depth, slot)
			if err != nil {
				return fmt.Errorf("level %d, slot %d: %w", depth, slot, err)
			}
			held += n
		}
	}
	for index, entry := range w.late.entries {
		timer := w.slab.at(entry.ref)
		switch {
		case int(timer.prev) != index:
			return fmt.Errorf("late %d: its timer says %d", index, timer.prev)
		case timer.at != entry.at || timer.at >= w.now || timer.generation&1 == 0:
			return fmt.Errorf("late %d: %+v of %+v at %d", index, entry, *timer, w.now)
		case index > 0 && w.late.entries[(index-1)/2].compare(entry) >= 0:
			return fmt.Errorf("late %d: not after its parent", index)
		}
	}
	held += len(w.late.entries)
	if held != w.count || w.count > max(w.limit, 0) {
		return fmt.Errorf("%d timers found, counted %d, limit %d", held, w.count, w.limit)
	}
	return w.checkFree(held)
}

func (w *Wheel) checkList(depth, slot int) (n int, err error) {
	list := w.levels[depth].slots[slot]
	if occupied := w.levels[depth].occupied>>slot&1 == 1; occupied != (list.head != 0) || occupied != (list.tail != 0) {
		return 0, fmt.Errorf("occupied %v, list %+v", occupied, list)
	}
	last := uint32(0)
	for ref := list.head; ref != 0; ref = w.slab.at(ref).next {
		timer := w.slab.at(ref)
		if timer.prev != last || timer.generation&1 == 0 {
			return 0, fmt.Errorf("%+v follows %d", *timer, last)
		}
		if d, s := position(w.now, timer.at); d != depth || s != slot || timer.at < w.now {
			return 0, fmt.Errorf("%d belongs on level %d, slot %d at %d", timer.at, d, s, w.now)
		}
		last = ref
		n++
	}
	if list.tail != last {
		return 0, fmt.Errorf("tail %d, last %d", list.tail, last)
	}
	return n, nil
}

func (w *Wheel) checkFree(held int) error {
	free := 0
	for ref := w.slab.spare; ref != 0; ref = w.slab.at(ref).next {
		if w.slab.at(ref).generation&1 == 1 {
			return fmt.Errorf("slot %d is free and in use", ref)
		}
		free++
	}
	retired := 0
	for ref := uint32(1); ref <= w.slab.used; ref++ {
		if w.slab.at(ref).generation == 0 {
			retired++
		}
	}
	if held+free+retired != int(w.slab.used) {
		return fmt.Errorf("%d held, %d free, %d retired of %d slots", held, free, retired, w.slab.used)
	}
	return nil
}
