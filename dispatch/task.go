package dispatch

import (
	"unsafe"

	"workman/schedule"
)

// state says where a task is; each state but free has one list or wheel that holds the task.
type state uint8

const (
	free      state = iota // on the table's free list
	scheduled              // in the wheel; runs only
	queued                 // in its name's queue
	tailed                 // in the tail of a lane with a gap; runs only
	leased                 // in its worker's hand
	settling               // finished, or on the disk only; kept until the store knows. Runs only
	ghost                  // taken out of a heap, and still in it
)

// task is one call or run in memory, from the moment it is asked for until it is answered. It holds no pointer: a million of
// them are nothing to the garbage collector. Lists are threaded through it by slot number.
type task struct {
	next, prev uint32 // in the list that its state names
	name       uint32
	nonceLen   uint32
	bodyLen    uint32
	data       block  // of a call the nonce, of a run the traceparent; then the options
	from       Conn   // who waits for the answer; 0: nobody
	seq        uint64 // which of the waiting connection's requests it is
	with       uint64 // leased: the worker, a Conn. scheduled: the Timer
	secret     uint64 // leased: of the nonce
	place      uint64 // in line: see queue.go
	promise    uint32 // what a run has beside, and a call with a deadline; 0 is none
	state      state
	losses     uint8 // workers lost with it in hand
	returned   bool  // queued: in the heap of those that came out of order
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
