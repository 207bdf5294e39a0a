package dispatch

import "workman/schedule"

// A session is a worker that said hello, and outlives its connection: when that is lost with tasks in hand, the worker moves to
// a pseudo connection, and for a grace the tasks are still its own. A hello with the session's name moves it to the connection
// that says so. Whoever borrows tasks over HTTP is a worker at a pseudo connection from the first: see lease.go.
//
// So a task is always in the hand of a worker at some Conn, and what takes it back asks no more than before.

// pseudo is the loop of connections that no socket has. Real ones have an index below it.
const pseudo = 255

// seat is what names a worker that said hello or borrows tasks. Its number is the slot of the pseudo connection, and of the
// session's token.
type seat struct {
	worker *worker
	secret uint64
	timer  schedule.Timer // of the grace, or of how long a lease waits for a task; on the clock that nobody sets
	timed  bool
}

// timerSeat marks a seat among the timers of the clock that nobody sets.
const timerSeat = 1 << 30

// maxSeats is how many there are at most: their numbers are slots of connections.
const maxSeats = 1<<24 - 2

// takeSeat gives a worker a seat. It reports false if there is none.
func (d *Dispatcher) takeSeat(w *worker) bool {
	if d.seats.used() >= maxSeats {
		return false
	}
	n, s := d.seats.take()
	s.worker, s.secret = w, d.random.Uint64()
	w.seat = n
	return true
}

func (d *Dispatcher) giveSeat(w *worker) {
	if w.seat == 0 {
		return
	}
	d.unseat(w)
	d.seats.give(w.seat)
	w.seat = 0
}

// seatTimer rings for a worker's seat in so many milliseconds.
func (d *Dispatcher) seatTimer(now Now, w *worker, after int64) {
	s := d.seats.at(w.seat)
	s.timer, s.timed = d.clock.Add(now.Mono+after, w.seat|timerSeat)
}

// unseat stops that.
func (d *Dispatcher) unseat(w *worker) {
	if s := d.seats.at(w.seat); s.timed {
		d.clock.Cancel(s.timer)
		s.timed = false
	}
}

// seatDue ends what a seat's timer was for: a session that did not come back, or a lease that found nothing to do.
func (d *Dispatcher) seatDue(now Now, n uint32, out *Batch) {
	s := d.seats.at(n)
	s.timed = false
	w := s.worker
	if w.lease != nil {
		d.noLease(now, w, out)
		return
	}
	d.gone(now, w.conn, out)
}

// pseudoConn is the connection of a seat.
func (d *Dispatcher) pseudoConn(n uint32) Conn {
	if ps := d.peers[pseudo]; int(n) < len(ps) && ps[n].conn != 0 {
		return ps[n].conn // the next that can come here
	}
	return MakeConn(pseudo, n, 1)
}

// isPseudo tells whether there is no socket.
func (c Conn) isPseudo() bool { return c.Loop() == pseudo }

// move has a worker be at another connection, with all that it has in hand. It is ready for nothing there until it says so.
func (d *Dispatcher) move(w *worker, to Conn) {
	d.leaveClass(w)
	d.peer(w.conn).worker = nil
	if w.conn.isPseudo() {
		d.stats.Away -= w.leased
	}
	if to.isPseudo() {
		d.stats.Away += w.leased
	}
	p := d.peer(to)
	p.worker = w
	w.conn, w.credit, w.blocked, w.burst = to, 0, p.blocked, 0
	for slot := w.inHand.head; slot != 0; {
		t := d.tasks.at(slot)
		t.with = uint64(to)
		slot = t.next
	}
}

// mayWait tells whether a worker whose connection is lost keeps its tasks for the grace.
func (d *Dispatcher) mayWait(w *worker) bool {
	return w.seat != 0 && !w.conn.isPseudo() && w.leased > 0 && d.cfg.Grace > 0 && !d.stopped
}

// sayHello notes that a worker understands more than those of old, and tells it the name of its session. If it is the first
// that its connection says, and it names a session, that goes on.
func (d *Dispatcher) sayHello(from Conn, ev *Event, out *Batch) {
	p := d.peer(from)
	if !d.here(from) {
		return
	}
	before := d.sessionOf(ev.Token)
	resumed := before != nil && (p.worker == nil || p.worker == before)
	if resumed && p.worker == nil {
		d.resume(before, from, out)
	}
	w := d.worker(from)
	w.hello = true
	if w.seat == 0 {
		d.takeSeat(w)
	}
	d.welcome(w, resumed, out)
}

// sessionOf finds the worker whose session a token names, or nil.
func (d *Dispatcher) sessionOf(tok Token) *worker {
	if tok.Slot == 0 || tok.Slot >= d.seats.made {
		return nil
	}
	if s := d.seats.at(tok.Slot); s.worker != nil && s.worker.lease == nil && s.secret == tok.Secret {
		return s.worker
	}
	return nil
}

// resume moves a session to the connection that asks for it. The old one may seem open still: it is closed.
func (d *Dispatcher) resume(w *worker, to Conn, out *Batch) {
	old := w.conn
	d.unseat(w)
	d.move(w, to)
	if old.isPseudo() {
		*d.peer(old) = peer{conn: old.next()}
		return
	}
	out.add(Hangup, old)
}

// welcome tells a worker its session's name, and if it goes on, what it still has and what of that nobody wants any more.
func (d *Dispatcher) welcome(w *worker, resumed bool, out *Batch) {
	e := out.add(Welcome, w.conn)
	e.Found = resumed
	if w.seat != 0 {
		e.Token = Token{Slot: w.seat, Secret: d.seats.at(w.seat).secret}
	}
	if resumed {
		first := len(d.shown)
		for slot := w.inHand.head; slot != 0; slot = d.tasks.at(slot).next {
			d.shown = AppendTokens(d.shown, Token{Slot: slot, Secret: d.tasks.at(slot).secret})
		}
		e.Body = d.shown[first:len(d.shown):len(d.shown)]
		for slot := w.inHand.head; slot != 0; slot = d.tasks.at(slot).next {
			if t := d.tasks.at(slot); d.isToStop(t) {
				d.askToStop(w, slot, t, out)
			}
		}
	}
	if d.draining {
		out.add(NoMoreTasks, w.conn)
	}
}

// endSessions ends those that nobody can come back to any more, and have nothing in hand. What others have may still be
// answered.
func (d *Dispatcher) endSessions(now Now, out *Batch) {
	for n := uint32(1); n < d.seats.made; n++ {
		if w := d.seats.at(n).worker; w != nil && w.conn.isPseudo() && w.leased == 0 {
			d.gone(now, w.conn, out)
		}
	}
}

// forgetShown empties what the effects of the batch before showed, and keeps its room unless that is much.
func (d *Dispatcher) forgetShown() {
	if d.shown = d.shown[:0]; cap(d.shown) > keptData {
		d.shown = nil
	}
}

// tellOfEnd tells those who said hello that the server is ending, and those who wait for a lease that there is nothing.
func (d *Dispatcher) tellOfEnd(now Now, out *Batch) {
	for n := uint32(1); n < d.seats.made; n++ {
		w := d.seats.at(n).worker
		switch {
		case w == nil:
		case w.lease != nil && w.lease.waiting:
			d.noLease(now, w, out)
		case !w.conn.isPseudo():
			out.add(NoMoreTasks, w.conn)
		}
	}
}
