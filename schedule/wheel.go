package schedule

// Wheel is a hierarchical timing wheel: a bounded set of deadlines in absolute milliseconds, each with a value of the
// owner's. Make one with [New].
type Wheel struct {
	now    int64
	limit  int
	count  int
	levels [levelCount]level
	late   lateHeap
	slab   slab
}

// New returns an empty wheel whose time is now, in milliseconds, and which holds at most limit timers at once. A
// negative now counts as 0. A limit of zero or less gives a wheel that refuses every timer.
func New(now int64, limit int) *Wheel {
	return &Wheel{now: max(now, 0), limit: limit}
}

// Now returns the wheel's time in milliseconds: that of the last Expire that found nothing, or the deadline of what
// fired since.
func (w *Wheel) Now() int64 { return w.now }

// Len returns how many timers are waiting.
func (w *Wheel) Len() int { return w.count }

// Add sets a timer to fire with value when time reaches at, in milliseconds. It returns false, and changes nothing,
// when the wheel is at its limit.
//
// Any at is taken as it is. One that is not after the wheel's time, negative ones included, is due at once: the next
// Expire finds it, ahead of whatever has a later deadline, and reports the deadline that was asked for.
func (w *Wheel) Add(at int64, value uint32) (Timer, bool) {
	if w.count >= w.limit {
		return 0, false
	}
	ref := w.slab.take()
	if ref == 0 {
		return 0, false
	}
	w.count++
	timer := w.slab.at(ref)
	timer.at, timer.value = at, value
	if at < w.now {
		w.late.push(&w.slab, at, ref)
	} else {
		w.place(ref, timer)
	}
	return handle(ref, timer.generation), true
}

// Cancel removes a timer. It returns false when there is no such timer any more: it has fired, was cancelled, or t is
// zero or was never given out. O(1), but for timers that were overdue when added: O(log n) of those.
func (w *Wheel) Cancel(t Timer) bool {
	ref := w.slab.find(t)
	if ref == 0 {
		return false
	}
	timer := w.slab.at(ref)
	if timer.at < w.now {
		w.late.remove(&w.slab, int(timer.prev))
	} else {
		w.unlink(timer)
	}
	w.release(ref)
	return true
}

// Expire returns the next timer that is due at now, in order of (at, order of Add), and forgets it. The wheel's time
// is then its deadline, if that is later than before. When ok is false nothing more is due, and the wheel's time is
// now. Call it until then; Add and Cancel may be called between.
//
// A now before the wheel's time fires nothing and moves nothing: say Rebase if the clock was really set back.
func (w *Wheel) Expire(now int64) (value uint32, at int64, ok bool) {
	if now < w.now {
		return 0, 0, false
	}
	// Whatever is late has a deadline before the wheel's time, and so before all that is on the wheel.
	if len(w.late.entries) > 0 {
		value, at = w.fire(w.late.pop(&w.slab))
		return value, at, true
	}
	for {
		depth, slot, start, found := w.earliest()
		if !found || start > now {
			// No occupied slot begins in between, so no timer's place changes by this leap.
			w.now = now
			return 0, 0, false
		}
		w.now = start
		if depth == 0 {
			ref := w.levels[0].slots[slot].head
			w.unlink(w.slab.at(ref))
			value, at = w.fire(ref)
			return value, at, true
		}
		w.cascade(depth, slot)
	}
}

// Next returns when to call Expire next, in milliseconds: at that time it fires a timer, or cascades some and Next is
// later afterwards. It is never after the earliest deadline, and may be before it: at most ten times in the life of a
// timer, however far, and four for one ten minutes away. For a timer already due it is the wheel's time. ok is false
// when there are no timers.
func (w *Wheel) Next() (at int64, ok bool) {
	if len(w.late.entries) > 0 {
		return w.now, true
	}
	_, _, at, ok = w.earliest()
	return at, ok
}

// fire gives back the slot of a timer that has left its list, and what the owner wants to know of it.
func (w *Wheel) fire(ref uint32) (value uint32, at int64) {
	timer := w.slab.at(ref)
	value, at = timer.value, timer.at
	w.release(ref)
	return value, at
}

func (w *Wheel) release(ref uint32) {
	w.slab.free(ref)
	w.count--
}
