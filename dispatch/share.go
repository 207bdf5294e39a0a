package dispatch

import "slices"

// A worker may say how many tasks of a name it takes at once. Of a name that is at its limit it must be handed none, though it
// is ready for others: so it leaves its class then, and joins that of the names which are still open. That costs a lookup by
// the names, and where nobody else has just those, a class made and unmade: some 100 bytes and as many nanoseconds a name. A
// worker without limits pays nothing.

// share is how many tasks of one name a worker may have in hand, and has.
type share struct{ most, has uint32 }

func (s *share) isFull() bool { return s.most != 0 && s.has >= s.most }

// restrict says how many tasks of a name a worker takes at once; 0 is as many as it asks for.
func (d *Dispatcher) restrict(w *worker, num, most uint32) {
	if w.shares == nil {
		if most == 0 {
			return
		}
		w.shares, w.special = make([]share, len(w.names)), true
		for slot := w.inHand.head; slot != 0; slot = d.tasks.at(slot).next {
			if at, known := slices.BinarySearch(w.names, d.tasks.at(slot).name); known {
				w.shares[at].has++
			}
		}
	}
	at, _ := slices.BinarySearch(w.names, num)
	w.shares[at].most = most
	d.leaveClass(w)
}

// shareOf is a worker's share of a name, or nil.
func (w *worker) shareOf(num uint32) *share {
	if w.shares == nil {
		return nil
	}
	if at, known := slices.BinarySearch(w.names, num); known {
		return &w.shares[at]
	}
	return nil
}

// isOpen tells whether a worker may be handed tasks of its name at an index.
func (w *worker) isOpen(at int) bool { return w.shares == nil || !w.shares[at].isFull() }

// takesShare counts a task that a worker with shares is handed.
func (d *Dispatcher) takesShare(w *worker, num uint32) {
	s := w.shareOf(num)
	if s == nil {
		return
	}
	if s.has++; s.has != s.most {
		return
	}
	ready := w.next != nil
	d.leaveClass(w)
	if ready && d.joinClass(w) {
		w.class.isReady(w)
	}
}

// eases counts one that left the hand of a worker with shares or a lease. What follows from that does so at the end of the
// step: the task may be in none of the lists that it has to be in, yet.
func (d *Dispatcher) eases(w *worker, num uint32) {
	d.eased = append(d.eased, w)
	if w.lease != nil {
		d.stats.Lent--
	}
	s := w.shareOf(num)
	if s == nil {
		return
	}
	full := s.isFull()
	s.has--
	if full && !s.isFull() {
		d.leaveClass(w)
	}
}

// ease looks at the workers that let go of something in this step: a lease with nothing left goes, and of a name that was at
// its limit there may be more.
func (d *Dispatcher) ease(now Now, out *Batch) {
	for i := 0; i < len(d.eased); i++ {
		w := d.eased[i]
		switch {
		case d.peer(w.conn).worker != w:
		case w.lease == nil:
			d.serve(now, w, out)
		case w.leased == 0 && !w.lease.waiting:
			d.gone(now, w.conn, out)
		}
	}
	clear(d.eased)
	d.eased = d.eased[:0]
}
