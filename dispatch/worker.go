package dispatch

import (
	"cmp"
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
func (d *Dispatcher) register(now Now, from Conn, text []byte, out *Batch) {
	w := d.worker(from)
	if len(w.names) >= d.cfg.WorkerNames {
		return
	}
	num := d.nameOf(from, text)
	if num == 0 {
		return
	}
	at, known := slices.BinarySearch(w.names, num)
	if known {
		return
	}
	w.names = slices.Insert(w.names, at, num)
	d.names.all[num].refs++
	d.names.staffed(num, 1)
	d.listed = false
	d.leaveClass(w) // and joins another when it is next ready: registering a thousand names makes one class, not a thousand
	d.wantAll(now, num, out)
	d.serve(now, w, out)
}

// credit makes a worker ready for so many more tasks.
func (d *Dispatcher) credit(now Now, w *worker, count uint32, out *Batch) {
	w.credit = min(w.credit+int(count), d.cfg.WorkerCredit)
	d.serve(now, w, out)
}

// pause stops handing tasks to a worker until its loop says that those before are written. A worker may ask for more
// than should be sent in one go: it would be taken for one that does not read.
func (d *Dispatcher) pause(w *worker, out *Batch) {
	w.blocked = true
	d.peer(w.conn).blocked = true
	w.class.notReady(w)
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
	if w.class == nil {
		d.joinClass(w)
	}
	for w.credit > 0 && !w.blocked {
		n := w.class.oldest(&d.tasks)
		if n == nil {
			w.class.isReady(w)
			return
		}
		slot := n.queue.pop(&d.tasks)
		d.stats.Queued--
		t := d.tasks.at(slot)
		d.handOut(now, w, slot, t, n, out)
		if l := n.queue.lane(t.rank()); l.gap != nil {
			d.want(now, t.name, l, t.rank(), out)
		}
	}
}

// gone forgets a connection. If it was a worker, its tasks go back to where they were in line.
func (d *Dispatcher) gone(now Now, from Conn, out *Batch) {
	p := d.peer(from)
	w := p.worker
	for p.waits != 0 {
		d.unwait(p.waits)
	}
	*p = peer{conn: from + 1} // the next that can come here
	if w == nil {
		return
	}
	d.stats.Workers--
	d.leaveClass(w)
	d.takeBack(now, w, out)
	for _, num := range w.names {
		d.names.staffed(num, -1)
		d.names.drop(num)
	}
	d.listed = d.listed && len(w.names) == 0
}

// takeBack finds another worker, or the old place in line, for each task that a worker held. The oldest come first, so
// that a worker who waits for several names gets the oldest of them.
func (d *Dispatcher) takeBack(now Now, w *worker, out *Batch) {
	d.lost = d.lost[:0]
	for slot := w.inHand.head; slot != 0; slot = d.tasks.at(slot).next {
		d.lost = append(d.lost, slot)
	}
	slices.SortFunc(d.lost, func(a, b uint32) int {
		return cmp.Compare(d.tasks.at(a).place, d.tasks.at(b).place)
	})
	for _, slot := range d.lost {
		t := d.tasks.at(slot)
		t.next, t.prev, t.with, t.secret = 0, 0, 0, 0
		n := d.names.all[t.name]
		n.leased--
		d.stats.Leased--
		t.losses++
		if d.isRun(t) {
			if !d.workerLost(now, slot, t, out) {
				continue
			}
		} else if int(t.losses) >= d.cfg.Losses {
			d.stats.GivenUp++
			d.giveUp(slot, t, WorkersLost, out)
			continue
		}
		d.stats.Requeued++
		d.offer(now, slot, t, out)
	}
}
