package dispatch

import "encoding/binary"

// call takes a call, in no list yet. It returns nil if it was refused.
func (d *Dispatcher) call(from Conn, ev *Event, base []byte, out *Batch) (uint32, *task) {
	p := d.peer(from)
	slot, t, why := uint32(0), (*task)(nil), TooManyHere
	if p.calls < d.cfg.ConnTasks || d.draining {
		slot, t, why = d.accept(from, ev, base)
	}
	if why != 0 {
		d.stats.Refused++
		refuse(out, from, ev.Seq, ev.Nonce.Of(base), why)
		return 0, nil
	}
	d.stats.Submitted++
	t.from, t.seq = from, ev.Seq
	p.calls++
	return slot, t
}

// accept makes a task of what a producer sent, in no state yet.
func (d *Dispatcher) accept(from Conn, ev *Event, base []byte) (uint32, *task, Reason) {
	if d.draining {
		return 0, nil, Draining
	}
	if !d.roomForCall() {
		return 0, nil, TooMany
	}
	num := d.nameOf(from, ev.Name.Of(base))
	if num == 0 {
		return 0, nil, TooManyName
	}
	nonce, body := ev.Nonce.Of(base), ev.Body.Of(base)
	data, ok := d.bytes.put(nonce, body)
	if !ok {
		if n := d.names.all[num]; n.refs == 0 {
			n.refs = 1
			d.names.drop(num)
		}
		return 0, nil, NoMemory
	}
	slot, t := d.tasks.take()
	d.calls++
	t.name, t.data, t.nonceLen, t.bodyLen = num, data, uint32(len(nonce)), uint32(len(body))
	d.names.all[num].refs++
	return slot, t, 0
}

// nameOf finds a name's number, or gives it one; 0 if there are too many. The caller counts its reference at once.
func (d *Dispatcher) nameOf(from Conn, text []byte) uint32 {
	p := d.peer(from)
	num := d.names.find(text, p.hint)
	if num == 0 {
		if len(d.names.index) >= d.cfg.MaxNames {
			return 0
		}
		num = d.names.add(text)
	}
	p.hint = num
	return num
}

// enqueue gives a task its place in line: with a worker at once, if one is ready.
func (d *Dispatcher) enqueue(now Now, slot uint32, t *task, rank uint8, out *Batch) {
	t.place = uint64(rank)<<rankShift | d.stamp(now)
	d.offer(now, slot, t, out)
}

// taskMessage is about how many bytes a task takes on the wire, beside its options.
const taskMessage = 64

// handOut gives a task that is in no list to a worker that is ready.
func (d *Dispatcher) handOut(now Now, w *worker, slot uint32, t *task, n *name, out *Batch) {
	t.state, t.with, t.secret = leased, uint64(w.conn), d.random.Uint64()
	w.inHand.push(&d.tasks, slot, t)
	w.leased++
	n.leased++
	d.stats.Leased++
	d.stats.HandedOut++
	w.credit--
	if w.next != nil {
		w.class.took(w, n)
	}
	if w.special {
		d.takesShare(w, t.name)
	}
	e := out.add(HandOut, w.conn)
	e.Token = Token{Slot: slot, Secret: t.secret}
	e.Name = n.text
	e.Body = d.bytes.bytes(t.data, int(t.nonceLen+t.bodyLen))[t.nonceLen:]
	if t.promise != 0 || w.hello {
		d.begin(now, w, slot, t, e, out)
	}
	if w.burst += int(t.bodyLen) + taskMessage; w.burst >= d.cfg.Burst {
		d.pause(w, out)
	}
}

// begin notes that an attempt begins, and tells a worker that understands it more of the task.
func (d *Dispatcher) begin(now Now, w *worker, slot uint32, t *task, e *Effect, out *Batch) {
	ticket := Ticket{Attempt: int(t.losses) + 1}
	lasts := int64(0)
	if w.lease != nil {
		lasts = d.lendTask(w, &ticket, e)
		if t.promise == 0 {
			t.promise, _ = d.promises.take()
		}
	}
	if p := d.promiseOf(t); p != nil {
		p.began = now.Wall
		ticket.Run, ticket.Deadline = p.id, p.deadline
		ticket.Traceparent = d.bytes.bytes(p.trace, int(p.traceN))
		if p.id != (ID{}) {
			ticket.Attempt = p.attempts + 1
			ticket.Traceparent = d.bytes.bytes(t.data, int(t.nonceLen))
		}
		d.setEnds(now, slot, p, lasts, &ticket)
	}
	if w.hello {
		ticket.Fence = d.nextFence(out)
		first := len(d.shown)
		d.shown = ticket.Append(d.shown)
		e.Nonce = d.shown[first:len(d.shown):len(d.shown)]
	}
}

// nextFence is higher than any before, of the starts before too. Hand-outs may be so many that they run into the next epoch: long
// before that, it is recorded to have been one.
func (d *Dispatcher) nextFence(out *Batch) uint64 {
	d.fence++
	if epoch := d.fence>>32 + 1; uint32(d.fence) == 1<<31 && d.cfg.Durable && !d.durable.failed {
		d.put(out, TableMeta, []byte(MetaEpoch), func(dst []byte) []byte { return binary.BigEndian.AppendUint64(dst, epoch) })
	}
	return d.fence
}

// setEnds notes when an attempt that begins has taken too long, and when its lease is over, if it lasts any time.
func (d *Dispatcher) setEnds(now Now, slot uint32, p *promise, lasts int64, ticket *Ticket) {
	for _, e := range [...]struct {
		at    *int64
		after int64
	}{{&p.timeout, p.policy.Timeout}, {&p.lent, lasts}} {
		if e.after <= 0 {
			continue
		}
		*e.at = later(now.Mono, e.after)
		if end := now.Wall + e.after; ticket.Deadline == 0 || end < ticket.Deadline {
			ticket.Deadline = end
		}
	}
	d.setLapse(slot, p)
}

// holds finds the task that a worker's nonce names, if this worker holds it, or the lease whose secret it knows. Otherwise it
// counts that, and the credit, and says so to who understands it.
func (d *Dispatcher) holds(now Now, from Conn, ev *Event, base []byte, out *Batch) *task {
	if t := d.tasks.find(ev.Token, leased); t != nil && !ev.ofLease() && t.holder() == from {
		return t
	} else if t != nil && ev.ofLease() && d.borrowed(t, ev.Nonce.Of(base)) {
		return t
	}
	d.doesNotHold(now, from, ev, out)
	return nil
}

func (d *Dispatcher) doesNotHold(now Now, from Conn, ev *Event, out *Batch) {
	d.stats.BadResults++
	if ev.ofLease() {
		refuse(out, from, ev.Seq, nil, StaleLease)
		return
	}
	if w := d.peer(from).worker; w != nil && w.hello && ev.Token != (Token{}) {
		out.add(Late, from).Token = ev.Token
	}
	if ev.Count > 0 && ev.Kind != HandBack {
		d.credit(now, d.worker(from), ev.Count, out)
	}
}

// result takes a worker's answer, if it is to a task that this worker holds, and passes it on.
func (d *Dispatcher) result(now Now, from Conn, ev *Event, base []byte, out *Batch) {
	t := d.holds(now, from, ev, base, out)
	if t == nil {
		return
	}
	w := d.peer(t.holder()).worker
	if t.promise != 0 && d.isRun(t) {
		d.runResult(now, ev.Token.Slot, t, ev.Body.Of(base), out)
		d.more(now, w, from, ev, true, out)
		return
	}
	d.release(w, t)
	d.stats.Finished++
	if t.from != 0 {
		e := out.add(Result, t.from)
		e.Seq = t.seq
		e.Nonce = d.bytes.bytes(t.data, int(t.nonceLen))
		e.Body = ev.Body.Of(base)
	}
	d.forget(ev.Token.Slot, t)
	d.more(now, w, from, ev, false, out)
}

// more is the credit that comes with a result; a lease has none, and is answered. run is whether it was that of a run.
func (d *Dispatcher) more(now Now, w *worker, from Conn, ev *Event, run bool, out *Batch) {
	if ev.ofLease() {
		d.counts(from, ev, run, out)
	} else if ev.Count > 0 {
		d.heard(w)
		d.credit(now, w, ev.Count, out)
	}
}

// failed takes a worker's word that it could not do what it holds.
func (d *Dispatcher) failed(now Now, from Conn, ev *Event, base []byte, out *Batch) {
	t := d.holds(now, from, ev, base, out)
	if t == nil {
		return
	}
	w := d.peer(t.holder()).worker
	problem := ev.Body.Of(base)
	run := d.isRun(t)
	if run {
		d.attemptFailed(now, ev.Token.Slot, t, problem, ev.At, out)
	} else {
		d.release(w, t)
		d.stats.Failures++
		if t.from != 0 {
			e := out.add(Failed, t.from)
			e.Seq, e.Nonce, e.Body = t.seq, d.bytes.bytes(t.data, int(t.nonceLen)), problem
		}
		d.forget(ev.Token.Slot, t)
	}
	d.more(now, w, from, ev, run, out)
}

// callTooLate refuses a call whose time is over, wherever it stands.
func (d *Dispatcher) callTooLate(now Now, slot uint32, t *task, out *Batch) {
	switch t.state {
	case leased:
		w := d.peer(t.holder()).worker
		d.askToStop(w, slot, t, out)
		d.release(w, t)
	case queued:
		slot = d.unline(slot, t)
		t = d.tasks.at(slot)
		d.want(now, t.name, d.names.all[t.name].queue.lane(t.rank()), t.rank(), out)
	}
	d.stats.Refused++
	d.giveUp(slot, t, TooLate, out)
}

// release takes a task out of its worker's hand.
func (d *Dispatcher) release(w *worker, t *task) {
	w.inHand.remove(&d.tasks, t)
	w.leased--
	d.names.all[t.name].leased--
	d.stats.Leased--
	if w.lease == nil && w.conn.isPseudo() {
		d.stats.Away--
	}
	if w.special {
		d.eases(w, t.name)
	}
}

// giveUp answers a call that nobody will do. The task is in no list.
func (d *Dispatcher) giveUp(slot uint32, t *task, why Reason, out *Batch) {
	if t.from != 0 {
		refuse(out, t.from, t.seq, d.bytes.bytes(t.data, int(t.nonceLen)), why)
	}
	d.forget(slot, t)
}

// forget frees a call that is in no list. Its bytes stay readable until the effects that show them are delivered.
func (d *Dispatcher) forget(slot uint32, t *task) {
	if t.from != 0 {
		if p := &d.peers[t.from.Loop()][t.from.Slot()]; p.conn == t.from {
			p.calls--
		}
	}
	if p := d.promiseOf(t); p != nil {
		d.unlimit(p)
		d.over(p)
		d.bytes.release(p.trace)
		d.promises.give(t.promise)
	}
	d.calls--
	d.bytes.release(t.data)
	d.names.drop(t.name)
	d.tasks.give(slot, t)
}

// stop answers everybody who waits.
func (d *Dispatcher) stop(now Now, out *Batch) {
	d.drainRuns(now, out)
	d.stopped = true
	for slot := uint32(1); slot < d.tasks.made; slot++ {
		t := d.tasks.at(slot)
		if t.state == ghost || t.state == free || d.isRun(t) {
			continue
		}
		end := slot
		switch t.state {
		case queued:
			end = d.unline(slot, t)
		case leased:
			d.release(d.peer(t.holder()).worker, t)
		default:
			continue
		}
		d.giveUp(end, d.tasks.at(end), Draining, out)
	}
	d.asks.giveUp(d, Draining, out)
	d.waits.end(d, out)
	d.endSessions(now, out)
}
