package dispatch

import (
	"unsafe"

	"workman/schedule"
)

// state says where a task is; each state but free has one list or wheel that holds the task.
type state uint8

const (
	free      state = iota // on the table's free list
	scheduled              // in the wheel
	queued                 // in its name's queue
	leased                 // in its worker's hand
)

// task is one run, from the moment it is asked for until it is answered. It holds no pointer: a million of them are
// nothing to the garbage collector. Lists are threaded through it by slot number.
type task struct {
	next, prev uint32 // in the list that its state names
	name       uint32
	nonceLen   uint32
	bodyLen    uint32
	data       block  // the nonce, then the options
	from       Conn   // who waits for the answer; 0: nobody
	seq        uint64 // which of the waiting connection's requests it is
	with       uint64 // leased: the worker, a Conn. scheduled: the Timer
	secret     uint64 // leased: of the nonce. scheduled: of the id
	place      uint64 // queued, leased: its place in line, for as long as it lives
	state      state
	losses     uint8 // workers lost with it in hand
}

func (t *task) holder() Conn { return Conn(t.with) }

func (t *task) timer() schedule.Timer { return schedule.Timer(t.with) }

const taskPage = 4096 // tasks a page

const taskSize = unsafe.Sizeof(task{})

// table is where tasks live, in pages so that growing moves none of them. Slot 0 is never used: it means no task.
type table struct {
	pages []*[taskPage]task
	free  uint32 // first free slot; the others follow by next
	made  uint32 // slots ever used, slot 0 included
}

func (t *table) at(slot uint32) *task { return &t.pages[slot/taskPage][slot%taskPage] }

// take returns a free slot and its task. Nothing of its last use is left in it.
func (t *table) take() (uint32, *task) {
	if slot := t.free; slot != 0 {
		k := t.at(slot)
		t.free = k.next
		k.next = 0
		return slot, k
	}
	if t.made == 0 {
		t.made = 1
	}
	if int(t.made/taskPage) == len(t.pages) {
		t.pages = append(t.pages, new([taskPage]task))
	}
	t.made++
	return t.made - 1, t.at(t.made - 1)
}

// give makes a slot free, k is its task.
func (t *table) give(slot uint32, k *task) {
	*k = task{next: t.free}
	t.free = slot
}

// find returns the task that a token names, or nil if there is none in that state with that secret.
func (t *table) find(tok Token, s state) *task {
	if tok.Slot == 0 || tok.Slot >= t.made {
		return nil
	}
	if k := t.at(tok.Slot); k.state == s && k.secret == tok.Secret {
		return k
	}
	return nil
}

// list is a first-in-first-out of tasks, threaded through their next and prev.
type list struct{ head, tail uint32 }

// push appends a slot, whose task is k.
func (l *list) push(t *table, slot uint32, k *task) {
	if k.prev = l.tail; l.tail == 0 {
		l.head = slot
	} else {
		t.at(l.tail).next = slot
	}
	l.tail = slot
}

// remove takes a task out, wherever it stands.
func (l *list) remove(t *table, k *task) {
	if k.prev == 0 {
		l.head = k.next
	} else {
		t.at(k.prev).next = k.next
	}
	if k.next == 0 {
		l.tail = k.prev
	} else {
		t.at(k.next).prev = k.prev
	}
	k.next, k.prev = 0, 0
}

// queue is the tasks of a name that wait for a worker, the oldest place in line first. Those that came back from a lost
// worker are older than all that were never handed out, since those were behind them then; so they are kept apart, in a
// pairing heap (Fredman, Sedgewick, Sleator and Tarjan, 1986) that is threaded through prev, the first child, and next,
// the next sibling. The others arrive in order.
type queue struct {
	returned uint32
	fresh    list
	len      int
}

// head is the task whose turn it is; 0 if there is none.
func (q *queue) head() uint32 {
	if q.returned != 0 {
		return q.returned
	}
	return q.fresh.head
}

// push adds a task that has just got its place.
func (q *queue) push(t *table, slot uint32, k *task) {
	q.fresh.push(t, slot, k)
	q.len++
}

// putBack adds a task that had been the head before, when it was handed out.
func (q *queue) putBack(t *table, slot uint32) {
	q.returned = t.meld(q.returned, slot)
	q.len++
}

// pop takes the head out.
func (q *queue) pop(t *table) uint32 {
	slot := q.head()
	if q.len--; slot == q.returned {
		q.returned = t.pair(t.at(slot).prev)
		t.at(slot).prev = 0
	} else {
		q.fresh.remove(t, t.at(slot))
	}
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
