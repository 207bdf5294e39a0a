package dispatch

import "workman/schedule"

// waiter is somebody who wants to know when a run is finished.
type waiter struct {
	conn         Conn // 0: the slot is free
	seq          uint64
	id           ID
	data         block // its nonce, and the task's name
	nonceLen     int
	nameLen      int
	hasNonce     bool
	shows        bool   // it asked to see the run, finished or not; otherwise for the result
	n            uint64 // the batch that must be safe before it is told that the run is accepted
	timer        schedule.Timer
	timed        bool
	next, prev   uint32 // of the same run
	after, other uint32 // of the same connection
}

// waits are all waiters. Those of a run, and those of a connection, are lists.
type waits struct {
	pool[waiter]
	of map[ID]uint32
}

// wait makes somebody wait for a run, for so many milliseconds; 0 is for as long as it takes. Who has gone does not.
func (d *Dispatcher) wait(now Now, id ID, w waiter, nonce, name []byte, patience int64) {
	if !d.here(w.conn) {
		return
	}
	w.id, w.nonceLen, w.nameLen, w.hasNonce = id, len(nonce), len(name), nonce != nil
	w.data = d.bytes.putAll(nonce, name, nil)
	n, slot := d.waits.take()
	*slot = w
	if d.waits.of == nil {
		d.waits.of = map[ID]uint32{}
	}
	if slot.next = d.waits.of[id]; slot.next != 0 {
		d.waits.at(slot.next).prev = n
	}
	d.waits.of[id] = n
	p := d.peer(w.conn)
	p.calls++
	if slot.after = p.waits; p.waits != 0 {
		d.waits.at(p.waits).other = n
	}
	p.waits = n
	if patience > 0 {
		slot.timer, slot.timed = d.clock.Add(now.Mono+patience, n|timerWait)
	}
}

// timerWait marks a waiter among the timers of the clock that nobody sets; the others are seats, and tasks, whose attempt has
// an end.
const timerWait = 1 << 31

// unwait takes a waiter out of everything, and returns it.
func (d *Dispatcher) unwait(n uint32) waiter {
	w := *d.waits.at(n)
	if w.timed {
		d.clock.Cancel(w.timer)
	}
	if w.next != 0 {
		d.waits.at(w.next).prev = w.prev
	}
	if w.prev != 0 {
		d.waits.at(w.prev).next = w.next
	} else if w.next != 0 {
		d.waits.of[w.id] = w.next
	} else {
		delete(d.waits.of, w.id)
	}
	if w.after != 0 {
		d.waits.at(w.after).other = w.other
	}
	p := d.peer(w.conn)
	if w.other != 0 {
		d.waits.at(w.other).after = w.after
	} else {
		p.waits = w.after
	}
	p.calls--
	d.bytes.release(w.data)
	d.waits.give(n)
	return w
}

func (d *Dispatcher) nonceOf(w *waiter) []byte {
	if !w.hasNonce {
		return nil
	}
	if w.nonceLen == 0 {
		return noBody
	}
	return d.bytes.bytes(w.data, w.nonceLen)
}

// tellWaiters tells those who wait for a run that it is finished, once that is safe. outcome is as it is stored.
func (d *Dispatcher) tellWaiters(id ID, state RunState, name, outcome []byte, out *Batch) {
	for n := d.waits.of[id]; n != 0; n = d.waits.of[id] {
		w := d.unwait(n)
		if w.shows { // the run itself is in the store by then
			d.showLater(&w, out)
			continue
		}
		v := View{ID: id, State: state, Name: name, Outcome: outcome}
		d.scratch = v.Append(d.scratch[:0])
		d.park(Effect{Kind: Done, To: w.conn, Seq: w.seq, Nonce: d.nonceOf(&w), Body: d.scratch}, out)
	}
}

// showLater shows a run to somebody when all that was written so far is safe.
func (d *Dispatcher) showLater(w *waiter, out *Batch) {
	nonce := d.nonceOf(w)
	data := d.bytes.putAll(nonce, nil, nil)
	a := ask{kind: askRun, event: ReadRun, conn: w.conn, seq: w.seq, id: w.id, data: data, nonceLen: len(nonce), hasNonce: nonce != nil}
	d.asks.held++
	d.peer(w.conn).calls++
	if d.durable.failed {
		d.ask(a, out)
	} else {
		d.again(a, out)
	}
}

// impatient answers a waiter who waits no longer.
func (d *Dispatcher) impatient(n uint32, out *Batch) {
	d.waits.at(n).timed = false
	w := d.unwait(n)
	if w.shows {
		d.showLater(&w, out)
		return
	}
	d.tellAccepted(&w, out)
}

// tellAccepted tells a waiter that its run is accepted, and not finished.
func (d *Dispatcher) tellAccepted(w *waiter, out *Batch) {
	v := View{ID: w.id, State: Pending, Name: d.bytes.bytes(w.data, w.nonceLen+w.nameLen)[w.nonceLen:]}
	if slot := d.runs[w.id]; slot != 0 {
		if s := d.stateOf(d.tasks.at(slot)); s != 0 {
			v.State = s
		}
	}
	d.scratch = v.Append(d.scratch[:0])
	e := Effect{Kind: Accepted, To: w.conn, Seq: w.seq, Nonce: d.nonceOf(w), Body: d.scratch}
	if w.n <= d.durable.committed {
		out.Effects = append(out.Effects, d.ownEffect(e))
	} else {
		d.park(e, out)
	}
}

// refuseAll refuses everybody who waits.
func (w *waits) refuseAll(d *Dispatcher, why Reason, out *Batch) {
	for n := uint32(1); n < w.made; n++ {
		if w.at(n).conn == 0 {
			continue
		}
		one := d.unwait(n)
		d.stats.Refused++
		refuse(out, one.conn, one.seq, d.nonceOf(&one), why)
	}
}

// end answers everybody who waits, since the server is about to: the runs stay.
func (w *waits) end(d *Dispatcher, out *Batch) {
	for n := uint32(1); n < w.made; n++ {
		one := w.at(n)
		switch {
		case one.conn == 0:
		case one.n > d.durable.committed || one.shows:
			gone := d.unwait(n)
			refuse(out, gone.conn, gone.seq, d.nonceOf(&gone), Draining)
		default:
			gone := d.unwait(n)
			d.tellAccepted(&gone, out)
		}
	}
}
