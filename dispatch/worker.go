package dispatch

import (
	"slices"
)

// worker returns the worker that a connection is, made at its first word as one. It has just said something.
func (d *Dispatcher) worker(c Conn) *worker {
	p := d.peer(c)
	if p.worker == nil {
		p.worker = &worker{conn: c, blocked: p.blocked}
		d.stats.Workers++
	}
	d.heard(p.worker)
	return p.worker
}

// heard notes that a worker says something in this input: what it was handed before is written.
func (d *Dispatcher) heard(w *worker) {
	if w.input != d.input {
		w.input, w.burst = d.input, 0
	}
}

// register adds a name to those that a worker can do.
func (d *Dispatcher) register(now Now, from Conn, text []byte, most uint32, out *Batch) {
	w := d.worker(from)
	num := d.names.find(text, 0)
	_, known := slices.BinarySearch(w.names, num)
	switch {
	case known && w.shares == nil && most == 0:
		return
	case known:
	case len(w.names) >= d.cfg.WorkerNames:
		d.notRegistered(w, text, out)
		return
	default:
		if num = d.nameOf(from, text); num == 0 {
			d.notRegistered(w, text, out)
			return
		}
		at, _ := slices.BinarySearch(w.names, num)
		d.staff(w, at, num)
		d.wantFrom(now, num, 0, out)
	}
	d.restrict(w, num, most)
	d.leaveClass(w) // and joins another when it is next ready: registering a thousand names makes one class, not a thousand
	d.serve(now, w, out)
}

// notRegistered tells a worker that understands it that a name is too many.
func (d *Dispatcher) notRegistered(w *worker, text []byte, out *Batch) {
	if w.hello {
		d.stats.Refused++
		out.Effects = append(out.Effects, Effect{Kind: Refused, To: w.conn, Name: text, Reason: TooManyName})
	}
}

// staff notes that a worker can do what has this name, which comes at this index of its own.
func (d *Dispatcher) staff(w *worker, at int, num uint32) {
	w.names = slices.Insert(w.names, at, num)
	if w.shares != nil {
		w.shares = slices.Insert(w.shares, at, share{})
	}
	d.names.all[num].refs++
	d.names.staffed(num, 1)
	d.listed = false
}

// credit makes a worker ready for so many more tasks.
func (d *Dispatcher) credit(now Now, w *worker, count uint32, out *Batch) {
	w.credit = min(w.credit+int(count), d.cfg.WorkerCredit)
	d.serve(now, w, out)
}

// pause stops handing tasks to a worker until its loop says that those before are written. A worker may ask for more
// than should be sent in one go: it would be taken for one that does not read.
func (d *Dispatcher) pause(w *worker, out *Batch) {
	if w.class != nil {
		w.class.notReady(w)
	}
	if w.lease != nil { // it gets one answer
		w.credit = 0
		return
	}
	w.blocked = true
	d.peer(w.conn).blocked = true
	out.Effects = append(out.Effects, Effect{Kind: Paused, To: w.conn})
}

// block keeps tasks from a connection that does not read, until it does.
func (d *Dispatcher) block(now Now, from Conn, blocked bool, out *Batch) {
	p := d.peer(from)
	p.blocked = blocked
	w := p.worker
	if w == nil {
		return
	}
	w.blocked, w.burst = blocked, 0
	if blocked && w.class != nil {
		w.class.notReady(w)
	}
	d.serve(now, w, out)
}

// serve gives a worker the oldest tasks it can do, and lets it wait for more with the credit that is left.
func (d *Dispatcher) serve(now Now, w *worker, out *Batch) {
	if w.credit == 0 || w.blocked || len(w.names) == 0 || d.stopped {
		return
	}
	for w.credit > 0 && !w.blocked {
		if w.class == nil && !d.joinClass(w) {
			return
		}
		n := w.class.oldest(&d.tasks)
		if n == nil {
			w.class.isReady(w)
			return
		}
		d.handHead(now, w, n, out)
	}
}

// handHead gives a worker the task of a name whose turn it is.
func (d *Dispatcher) handHead(now Now, w *worker, n *name, out *Batch) {
	slot := n.queue.pop(&d.tasks)
	d.stats.Queued--
	t := d.tasks.at(slot)
	d.handOut(now, w, slot, t, n, out)
	if l := n.queue.lane(t.rank()); l.gap != nil {
		d.want(now, t.name, l, t.rank(), out)
	}
}

// gone forgets a connection. If it was a worker, its tasks go back to where they were in line: after the grace, if it is one
// that may come back.
func (d *Dispatcher) gone(now Now, from Conn, out *Batch) {
	p := d.peer(from)
	w := p.worker
	for p.waits != 0 {
		d.unwait(p.waits)
	}
	for p.leases != 0 {
		d.gone(now, d.seats.at(p.leases).worker.conn, out)
	}
	if w != nil && d.mayWait(w) {
		d.move(w, d.pseudoConn(w.seat))
		d.seatTimer(now, w, d.cfg.Grace)
		w = nil
	}
	*p = peer{conn: from.next()}
	if w == nil {
		return
	}
	if w.lease != nil {
		d.waitsNoMore(w)
		d.leases.all--
		defer d.spareLease(w)
	}
	d.giveSeat(w)
	d.stats.Workers--
	d.leaveClass(w)
	d.takeBack(now, w, out)
	for _, num := range w.names {
		d.names.staffed(num, -1)
		d.names.drop(num)
	}
	d.listed = d.listed && len(w.names) == 0
}
