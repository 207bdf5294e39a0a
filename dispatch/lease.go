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

// takeLease lends tasks of some names: those that are there at once, as many as were asked for, or else the first that comes
// in the time that the request may wait.
func (d *Dispatcher) takeLease(now Now, from Conn, ev *Event, base []byte, out *Batch) {
	p := d.peer(from)
	if !d.here(from) {
		return
	}
	why := Reason(0)
	switch {
	case d.draining:
		why = Draining
	case p.calls >= d.cfg.ConnTasks:
		why = TooManyHere
	case d.leasing >= d.cfg.Leases:
		why = TooMany
	}
	w := &worker{hello: true, lease: &lease{from: from, seq: ev.Seq, lasts: min(max(int64(ev.Token.Secret), 1), MaxLease)}}
	if why == 0 && !d.takeSeat(w) {
		why = TooMany
	}
	if why == 0 {
		w.conn = d.pseudoConn(w.seat)
		d.peer(w.conn).worker = w
		d.stats.Workers++
		if !d.nameLease(from, w, ev.Body.Of(base)) {
			why = TooManyName
			d.gone(now, w.conn, out)
		}
	}
	if why != 0 {
		d.stats.Refused++
		refuse(out, from, ev.Seq, nil, why)
		return
	}
	d.fillLease(now, w, ev, out)
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
	w.credit = int(min(ev.Count, MaxLeased))
	d.serve(now, w, out)
	w.credit = min(w.credit, 1)
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
		d.leaveClass(w)
		return
	}
	d.waitForLease(now, w, max(ev.At, 0))
	for _, num := range w.names {
		d.wantAll(now, num, out)
	}
	if ev.At <= 0 && w.lease.waiting {
		d.noLease(now, w, out)
	}
}

// waitForLease puts a lease among those that wait, of its connection too.
func (d *Dispatcher) waitForLease(now Now, w *worker, patience int64) {
	p := d.peer(w.lease.from)
	w.lease.waiting = true
	d.leasing++
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
	d.leasing--
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
	switch e := (Effect{Kind: LeaseTaken, To: from, Seq: ev.Seq}); {
	case !ev.ofLease():
	case safe:
		d.park(e, out)
	default:
		out.Effects = append(out.Effects, e)
	}
}
