package dispatch

import "math/bits"

// lane is the tasks of a name and of one priority that wait for a worker, the oldest place in line first. Nearly all arrive
// in order. Those that do not, since they come back from a lost worker, or from the disk while calls went ahead, are kept
// apart, in a pairing heap (Fredman, Sedgewick, Sleator and Tarjan, 1986) that is threaded through prev, the first child,
// and next, the next sibling.
//
// A lane has a window: what is behind its first few thousand runs is on the disk only. See gap. Calls are always in memory,
// and do not count for it.
type lane struct {
	returned uint32
	fresh    list
	len      int
	runs     int // of these, runs, and calls that have a deadline
	held     int // runs that come into it once they are durable
	gap      *gap
}

// head is the task whose turn it is; 0 if there is none.
func (l *lane) head(t *table) uint32 {
	if l.returned != 0 && (l.fresh.head == 0 || t.at(l.returned).place < t.at(l.fresh.head).place) {
		return l.returned
	}
	return l.fresh.head
}

// queue is the lanes of a name.
type queue struct {
	usual  lane // of rank usualRank
	others *[ranks]lane
	busy   uint16 // ranks with a task in memory
	len    int    // tasks in memory, but for those behind a gap
	last   uint64 // the highest place that was ever in it
}

const (
	ranks     = 10
	usualRank = 9 - usualPriority
)

func (q *queue) lane(rank uint8) *lane {
	if rank == usualRank {
		return &q.usual
	}
	if q.others == nil {
		q.others = new([ranks]lane)
	}
	return &q.others[rank]
}

// head is the task whose turn it is; 0 if there is none in memory.
func (q *queue) head(t *table) uint32 {
	if q.busy == 1<<usualRank { // nearly always
		return q.usual.head(t)
	}
	if q.busy == 0 {
		return 0
	}
	return q.lane(uint8(bits.TrailingZeros16(q.busy))).head(t)
}

// A task's place is its rank and the stamp it got: so places compare by priority first.
const (
	rankShift = 60
	stampMask = 1<<rankShift - 1
)

func (t *task) rank() uint8 { return uint8(t.place >> rankShift) }

func (t *task) stamp() uint64 { return t.place & stampMask }

// push adds a task at its place.
func (q *queue) push(t *table, slot uint32, k *task) {
	l := q.lane(k.rank())
	if l.fresh.tail == 0 || t.at(l.fresh.tail).place < k.place {
		l.fresh.push(t, slot, k)
	} else {
		k.returned = true
		l.returned = t.meld(l.returned, slot)
	}
	l.len++
	if k.promise != 0 {
		l.runs++
	}
	q.len++
	q.busy |= 1 << k.rank()
}

// remove takes a task out, wherever it stands, and reports whether its slot is free now. One inside the heap stays there as
// a ghost, until it surfaces.
func (q *queue) remove(t *table, slot uint32, k *task) (free bool) {
	rank := k.rank()
	l := q.lane(rank)
	free = true
	switch {
	case !k.returned:
		l.fresh.remove(t, k)
	case slot == l.returned:
		l.uproot(t)
	default:
		free = false
	}
	if k.promise != 0 {
		l.runs--
	}
	q.left(l, rank)
	return free
}

// left counts one task less.
func (q *queue) left(l *lane, rank uint8) {
	q.len--
	if l.len--; l.len == 0 {
		q.busy &^= 1 << rank
	}
}

// uproot takes the root out of the heap, and the ghosts that surface.
func (l *lane) uproot(t *table) {
	k := t.at(l.returned)
	l.returned = t.pair(k.prev)
	k.prev, k.returned = 0, false
	for l.returned != 0 && t.at(l.returned).state == ghost {
		slot := l.returned
		l.returned = t.pair(t.at(slot).prev)
		t.give(slot, t.at(slot))
	}
}

// pop takes the head out.
func (q *queue) pop(t *table) uint32 {
	slot := q.head(t)
	q.remove(t, slot, t.at(slot))
	return slot
}

// meld makes one heap of two; the roots have no siblings.
func (t *table) meld(a, b uint32) uint32 {
	if a == 0 || b == 0 {
		return a | b
	}
	if t.at(b).place < t.at(a).place {
		a, b = b, a
	}
	t.at(b).next, t.at(a).prev = t.at(a).prev, b
	return a
}

// pair makes one heap of siblings: of each two from the first on, then of those from the last on.
func (t *table) pair(first uint32) (root uint32) {
	pairs := uint32(0)
	for a := first; a != 0; {
		b := t.at(a).next
		t.at(a).next = 0
		next := uint32(0)
		if b != 0 {
			next = t.at(b).next
			t.at(b).next = 0
		}
		m := t.meld(a, b)
		t.at(m).next = pairs
		pairs, a = m, next
	}
	for m := pairs; m != 0; {
		next := t.at(m).next
		t.at(m).next = 0
		root = t.meld(root, m)
		m = next
	}
	return root
}
