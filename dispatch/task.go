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
	holder     Conn   // leased: the worker
	secret     uint64 // leased: of the nonce. scheduled: of the id
	place      uint64 // queued, leased: its place in line, for as long as it lives
	timer      schedule.Timer
	state      state
	losses     uint8 // workers lost with it in hand
}

const taskPage = 4096 // tasks a page

const taskSize = unsafe.Sizeof(task{})

// table is where tasks live, in pages so that growing moves none of them. Slot 0 is never used: it means no task.
type table struct {
	pages []*[taskPage]task
	free  uint32 // first free slot; the others follow by next
	made  uint32 // slots ever used, slot 0 included
}

func (t *table) at(slot uint32) *task { return &t.pages[slot/taskPage][slot%taskPage] }

// take returns a free slot. Nothing of its last use is left in it.
func (t *table) take() uint32 {
	if slot := t.free; slot != 0 {
		k := t.at(slot)
		t.free = k.next
		k.next = 0
		return slot
	}
	if t.made == 0 {
		t.made = 1
	}
	if int(t.made/taskPage) == len(t.pages) {
		t.pages = append(t.pages, new([taskPage]task))
	}
	t.made++
	return t.made - 1
}

func (t *table) give(slot uint32) {
	*t.at(slot) = task{next: t.free}
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

func (l *list) pushTail(t *table, slot uint32) { l.insertAfter(t, l.tail, slot) }

// insertAfter puts slot behind another of the list, or first if after is 0.
func (l *list) insertAfter(t *table, after, slot uint32) {
	k := t.at(slot)
	k.prev = after
	if after == 0 {
		k.next, l.head = l.head, slot
	} else {
		a := t.at(after)
		k.next, a.next = a.next, slot
	}
	if k.next == 0 {
		l.tail = slot
	} else {
		t.at(k.next).prev = slot
	}
}

func (l *list) remove(t *table, slot uint32) {
	k := t.at(slot)
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
