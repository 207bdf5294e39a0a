package dispatch

import "encoding/binary"

// A class is all the workers that registered the same set of names. Matching is between names and classes, so that its
// cost grows neither with the workers a name has nor with the names a worker has: what a class or a name must know of
// the other is kept lazily, and each entry is paid for by the one removal that made it necessary.
//
// For each name of a class there is one member. It says two things to two sides:
//   - to the name: this class may have a worker to spare. The member is then in name.ready, otherwise in class.unoffered.
//     It leaves name.ready when somebody looks there and finds no worker, and comes back when the class gets one.
//   - to the class: this name's queue may hold a task, and its head is no older than key. The member is then in
//     class.heap, otherwise in name.unaware. It leaves the heap when somebody looks and finds the queue empty, and comes
//     back when the queue gets a task.
type class struct {
	key       string
	workers   int
	ready     *worker // ring of those with credit that are not blocked; the one whose turn it is
	members   []*member
	unoffered members
	heap      []*member // by key, the oldest first
}

type member struct {
	class      *class
	name       *name
	at         int    // index in name.members
	key        uint64 // in the heap: a place at or before that of the queue's head
	heap       int    // index in class.heap, or -1
	offered    bool   // in name.ready rather than class.unoffered
	offer, tip link   // in name.ready or class.unoffered; in name.unaware
}

type link struct{ prev, next *member }

// members is a list of members threaded through one of their two links.
type members struct {
	head, tail *member
	tips       bool // through tip, not offer
}

func (l *members) link(m *member) *link {
	if l.tips {
		return &m.tip
	}
	return &m.offer
}

func (l *members) push(m *member) {
	*l.link(m) = link{prev: l.tail}
	if l.tail == nil {
		l.head = m
	} else {
		l.link(l.tail).next = m
	}
	l.tail = m
}

func (l *members) remove(m *member) {
	k := l.link(m)
	if k.prev == nil {
		l.head = k.next
	} else {
		l.link(k.prev).next = k.next
	}
	if k.next == nil {
		l.tail = k.prev
	} else {
		l.link(k.next).prev = k.prev
	}
	*k = link{}
}

// worker is a connection that registered a name or asked for a task.
type worker struct {
	conn       Conn
	credit     int
	turn       int    // tasks it may still have before the next in the ring: the credit it came with
	burst      int    // bytes handed out since its loop last said Unblock,
	input      uint64 // or since this input, the last in which it said something: what came before is written
	blocked    bool
	hello      bool   // it understands what workers of old do not
	special    bool   // it has shares, or a lease
	seat       uint32 // of its session or lease; 0: it has neither
	inHand     list   // its tasks, in the order they were handed out
	leased     int
	class      *class   // nil until it has both a name and a credit
	prev, next *worker  // in the ring class.ready; nil when not in it
	names      []uint32 // registered, in ascending order
	shares     []share  // of each of them, if it said how many it takes at once of any; otherwise nil
	lease      *lease   // it borrows tasks over HTTP
}

// joinClass puts a worker into the class of its names, made if it is the first: of those that are not at their limit. It
// reports false if all are.
func (d *Dispatcher) joinClass(w *worker) bool {
	d.key = d.key[:0]
	for i, n := range w.names {
		if w.isOpen(i) {
			d.key = binary.LittleEndian.AppendUint32(d.key, n)
		}
	}
	if len(d.key) == 0 {
		return false
	}
	c := d.classes[string(d.key)]
	if c == nil {
		c = &class{key: string(d.key), members: make([]*member, len(d.key)/4)}
		for i := range c.members {
			n := d.names.all[binary.LittleEndian.Uint32(d.key[4*i:])]
			m := &member{class: c, name: n, at: len(n.members), heap: -1}
			c.members[i] = m
			n.members = append(n.members, m)
			c.unoffered.push(m)
			if head := n.queue.head(&d.tasks); head != 0 {
				c.heapPush(m, d.tasks.at(head).place)
			} else {
				n.unaware.push(m)
			}
		}
		d.classes[c.key] = c
	}
	w.class = c
	c.workers++
	return true
}

// leaveClass takes a worker out of its class, and the class away with the last.
func (d *Dispatcher) leaveClass(w *worker) {
	c := w.class
	if c == nil {
		return
	}
	c.notReady(w)
	w.class = nil
	if c.workers--; c.workers > 0 {
		return
	}
	for _, m := range c.members {
		n := m.name
		if m.offered {
			n.ready.remove(m)
		}
		if m.heap < 0 {
			n.unaware.remove(m)
		}
		last := n.members[len(n.members)-1]
		n.members[m.at], last.at = last, m.at
		n.members[len(n.members)-1] = nil
		n.members = n.members[:len(n.members)-1]
	}
	delete(d.classes, c.key)
}

// isReady puts a worker into the ring, behind all others. Its turn will be as long as the credit it has by the time that
// another comes behind it: so tasks go to the worker that asked first, as many as it asked for, and what one read brings
// goes to few workers, in few writes.
func (c *class) isReady(w *worker) {
	if w.next != nil {
		if c.ready.prev == w {
			w.turn = w.credit
		}
		return
	}
	w.turn = w.credit
	if c.ready == nil {
		w.prev, w.next, c.ready = w, w, w
	} else {
		w.prev, w.next = c.ready.prev, c.ready
		w.prev.next, w.next.prev = w, w
	}
	for m := c.unoffered.head; m != nil; m = c.unoffered.head {
		c.unoffered.remove(m)
		m.offered = true
		m.name.ready.push(m)
	}
}

func (c *class) notReady(w *worker) {
	if w.next == nil {
		return
	}
	if w.next == w {
		c.ready = nil
	} else {
		w.prev.next, w.next.prev = w.next, w.prev
		if c.ready == w {
			c.ready = w.next
		}
	}
	w.prev, w.next = nil, nil
}

// took notes that a worker in the ring was given a task of a name. With its turn it goes behind the others, of its own
// class and of others.
func (c *class) took(w *worker, n *name) {
	w.turn--
	switch {
	case w.credit == 0:
		c.notReady(w)
	case w.turn == 0:
		c.ready, w.turn = w.next, w.credit
	default:
		return
	}
	if m := n.ready.head; m != nil && m.class == c && m != n.ready.tail {
		n.ready.remove(m)
		n.ready.push(m)
	}
}

// spare returns a worker that is ready for the name, or nil.
func (n *name) spare() *worker {
	for m := n.ready.head; m != nil; m = n.ready.head {
		if w := m.class.ready; w != nil {
			return w
		}
		n.ready.remove(m)
		m.offered = false
		m.class.unoffered.push(m)
	}
	return nil
}

// oldest returns the name of the class whose queue has the oldest head, or nil if all are empty.
func (c *class) oldest(t *table) *name {
	for len(c.heap) > 0 {
		m := c.heap[0]
		head := m.name.queue.head(t)
		if head == 0 {
			c.heapPop()
			m.name.unaware.push(m)
			continue
		}
		if place := t.at(head).place; place != m.key {
			m.key = place
			c.siftDown(0)
			continue
		}
		return m.name
	}
	return nil
}

// headIs tells the classes of a name that the head of its queue is now the task with this place, where it is older than
// they may think.
func (n *name) headIs(place uint64) {
	for m := n.unaware.head; m != nil; m = n.unaware.head {
		n.unaware.remove(m)
		m.class.heapPush(m, place)
	}
}

// headFell is headIs for a queue that was not empty and has got an older head.
func (n *name) headFell(place uint64) {
	n.headIs(place)
	for _, m := range n.members {
		if m.key > place {
			m.key = place
			m.class.siftUp(m.heap)
		}
	}
}

func (c *class) heapPush(m *member, key uint64) {
	m.key, m.heap = key, len(c.heap)
	c.heap = append(c.heap, m)
	c.siftUp(m.heap)
}

func (c *class) heapPop() {
	m, last := c.heap[0], len(c.heap)-1
	c.heap[0] = c.heap[last]
	c.heap[0].heap = 0
	c.heap[last] = nil
	c.heap = c.heap[:last]
	m.heap = -1
	if last > 0 {
		c.siftDown(0)
	}
}

func (c *class) siftUp(i int) {
	for i > 0 {
		up := (i - 1) / 2
		if c.heap[up].key <= c.heap[i].key {
			return
		}
		c.swap(i, up)
		i = up
	}
}

func (c *class) siftDown(i int) {
	for {
		least := 2*i + 1
		if least >= len(c.heap) {
			return
		}
		if right := least + 1; right < len(c.heap) && c.heap[right].key < c.heap[least].key {
			least = right
		}
		if c.heap[i].key <= c.heap[least].key {
			return
		}
		c.swap(i, least)
		i = least
	}
}

func (c *class) swap(i, j int) {
	c.heap[i], c.heap[j] = c.heap[j], c.heap[i]
	c.heap[i].heap, c.heap[j].heap = i, j
}
