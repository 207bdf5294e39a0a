package dispatch

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// MaxProgress is how many bytes of JSON a worker may say of how far it is.
const MaxProgress = 1024

// Bounds of a lease: of the tasks that one takes, and how long it lasts, in milliseconds.
const (
	MaxLeased    = 100
	DefaultLease = 60_000
	MaxLease     = 24 * 3600 * 1000
)

// AppendTokens encodes hand-outs, for the Body of Welcome.
func AppendTokens(dst []byte, t Token) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(dst, t.Slot), t.Secret)
}

// NextToken takes one off what AppendTokens wrote; false if none is left.
func NextToken(b []byte) (t Token, rest []byte, ok bool) {
	if len(b) < 12 {
		return Token{}, nil, false
	}
	return Token{Slot: binary.BigEndian.Uint32(b), Secret: binary.BigEndian.Uint64(b[4:])}, b[12:], true
}

// lease is what a worker has that borrows tasks over HTTP: it lives at a pseudo connection from the request until the last of
// what it was lent is answered, or its time is over.
type lease struct {
	from       Conn // who asked
	seq        uint64
	lasts      int64 // milliseconds, from the hand-out
	waiting    bool  // not answered
	next, prev uint32
}

// LeasePart is which part of Config.MaxTasks may be lent by a lease each: one takes far more than a task.
const LeasePart = 8

// leases is what is known of all of them.
type leases struct {
	all     int       // that wait, or have tasks
	waiting int       // for a task
	names   int       // of these
	spares  []*worker // of leases that have gone
}

// takeLease lends tasks of some names: those that are there at once, as many as were asked for, or else the first that comes
// in the time that the request may wait.
func (d *Dispatcher) takeLease(now Now, from Conn, ev *Event, base []byte, out *Batch) {
	p := d.peer(from)
	if !d.here(from) {
		return
	}
	why := d.mayLease(p)
	var w *worker
	if why == 0 {
		switch w = d.newLease(from, ev); {
		case w == nil:
			why = TooManyLeases
		case !d.nameLease(from, w, ev.Body.Of(base)):
			why = TooManyName
		case d.leases.names+len(w.names) > d.cfg.LeaseNames:
			why = TooManyLeases
		}
	}
	if why != 0 {
		if w != nil {
			d.gone(now, w.conn, out)
		}
		d.stats.Refused++
		refuse(out, from, ev.Seq, nil, why)
		return
	}
	d.fillLease(now, w, ev, out)
}

// mayLease says why there can be no other lease of a connection; 0 if there can.
func (d *Dispatcher) mayLease(p *peer) Reason {
	switch {
	case d.draining:
		return Draining
	case p.calls >= d.cfg.ConnTasks:
		return TooManyHere
	case d.leases.waiting >= d.cfg.Leases, d.leases.all >= max(d.cfg.Leases, d.cfg.MaxTasks/LeasePart):
		return TooManyLeases
	}
	return 0
}

// newLease makes a worker of a lease; nil if there is no seat for it.
func (d *Dispatcher) newLease(from Conn, ev *Event) *worker {
	var w *worker
	if n := len(d.leases.spares); n > 0 {
		w, d.leases.spares = d.leases.spares[n-1], d.leases.spares[:n-1]
	} else {
		w = &worker{lease: &lease{}}
	}
	*w.lease = lease{from: from, seq: ev.Seq, lasts: min(max(int64(ev.Token.Secret), 1), MaxLease)}
	if w.hello, w.special = true, true; !d.takeSeat(w) {
		d.spareLease(w)
		return nil
	}
	w.conn = d.pseudoConn(w.seat)
	d.peer(w.conn).worker = w
	d.stats.Workers++
	d.leases.all++
	return w
}

// maxSpares is how many workers of leases that have gone are kept for the next.
const maxSpares = 1024

// spareLease keeps the worker of a lease that has gone for the next.
func (d *Dispatcher) spareLease(w *worker) {
	*w = worker{lease: w.lease, names: w.names[:0]}
	if len(d.leases.spares) < maxSpares {
		d.leases.spares = append(d.leases.spares, w)
	}
}

// nameLease registers the names of a lease, each followed by a newline. It reports false if there are too many in all; what is
// more than one worker may register is ignored.
func (d *Dispatcher) nameLease(from Conn, w *worker, names []byte) bool {
	for line := range bytes.Lines(names) {
		if len(w.names) >= d.cfg.WorkerNames {
			break
		}
		num := d.nameOf(from, bytes.TrimSuffix(line, []byte("\n")))
		if num == 0 {
			return false
		}
		if at, known := slices.BinarySearch(w.names, num); !known {
			d.staff(w, at, num)
		}
	}
	return true
}

// fillLease hands out what there is, or has the lease wait.
func (d *Dispatcher) fillLease(now Now, w *worker, ev *Event, out *Batch) {
	first := len(out.Effects)
	w.credit = int(min(max(ev.Count, 1), MaxLeased))
	for n := d.oldestOf(w); n != nil && w.credit > 0; n = d.oldestOf(w) {
		d.handHead(now, w, n, out)
	}
	if w.leased > 0 {
		w.credit = 0
		last := (*Effect)(nil)
		for i := first; i < len(out.Effects); i++ {
			if e := &out.Effects[i]; e.Kind == Leased {
				e.Found = true
				last = e
			}
		}
		last.Found = false
		return
	}
	w.credit = 1
	d.serve(now, w, out) // in vain: it is ready from now on
	d.waitForLease(now, w, max(ev.At, 0))
	for _, num := range w.names {
		d.wantFrom(now, num, 0, out)
	}
	if ev.At <= 0 && w.lease.waiting {
		d.noLease(now, w, out)
	}
}

// oldestOf is the name of a lease whose queue has the oldest head, or nil if all are empty. A class, which knows that faster,
// is made only for those that wait: most find something, and are gone before another has the same names.
func (d *Dispatcher) oldestOf(w *worker) (oldest *name) {
	place := uint64(0)
	for _, num := range w.names {
		n := d.names.all[num]
		if head := n.queue.head(&d.tasks); head != 0 && (oldest == nil || d.tasks.at(head).place < place) {
			oldest, place = n, d.tasks.at(head).place
		}
	}
	return oldest
}

// waitForLease puts a lease among those that wait, of its connection too.
func (d *Dispatcher) waitForLease(now Now, w *worker, patience int64) {
	p := d.peer(w.lease.from)
	w.lease.waiting = true
	d.leases.waiting++
	d.leases.names += len(w.names)
	p.calls++
	if w.lease.next = p.leases; p.leases != 0 {
		d.seats.at(p.leases).worker.lease.prev = w.seat
	}
	p.leases = w.seat
	d.seatTimer(now, w, patience)
}

// waitsNoMore takes it out of these.
func (d *Dispatcher) waitsNoMore(w *worker) {
	l := w.lease
	if !l.waiting {
		return
	}
	l.waiting = false
	d.leases.waiting--
	d.leases.names -= len(w.names)
	d.unseat(w)
	p := d.peer(l.from)
	p.calls--
	if l.next != 0 {
		d.seats.at(l.next).worker.lease.prev = l.prev
	}
	if l.prev != 0 {
		d.seats.at(l.prev).worker.lease.next = l.next
	} else {
		p.leases = l.next
	}
	l.next, l.prev = 0, 0
}

// noLease answers a lease that found nothing to do.
func (d *Dispatcher) noLease(now Now, w *worker, out *Batch) {
	out.add(NoLease, w.lease.from).Seq = w.lease.seq
	d.gone(now, w.conn, out)
}

// lendTask makes a hand-out one of a lease, and returns how many milliseconds that lasts.
func (d *Dispatcher) lendTask(w *worker, ticket *Ticket, e *Effect) int64 {
	d.waitsNoMore(w)
	d.stats.Lent++
	e.Kind, e.To, e.Seq = Leased, w.lease.from, w.lease.seq
	ticket.Secret = d.seats.at(w.seat).secret
	return w.lease.lasts
}

// borrowed tells whether a task is lent to whoever has a lease's secret, the eight bytes of an event's Nonce.
func (d *Dispatcher) borrowed(t *task, nonce []byte) bool {
	w := d.peer(t.holder()).worker
	return w.lease != nil && len(nonce) == 8 && binary.BigEndian.Uint64(nonce) == d.seats.at(w.seat).secret
}

// counts answers whoever said something of a lease that it has: once all that was written so far is safe, if it is to be.
func (d *Dispatcher) counts(from Conn, ev *Event, safe bool, out *Batch) {
	e := Effect{Kind: LeaseTaken, To: from, Seq: ev.Seq}
	if safe {
		d.park(e, out)
	} else {
		out.Effects = append(out.Effects, e)
	}
}
