package dispatch

// run takes a call: to a worker that is ready for it, or into the queue of its name.
func (d *Dispatcher) run(from Conn, ev *Event, base []byte, out *Batch) {
	p := d.peer(from)
	slot, t, why := uint32(0), (*task)(nil), TooManyHere
	if p.calls < d.cfg.ConnTasks || d.draining {
		slot, t, why = d.accept(from, ev, base, d.stats.Queued+d.stats.Leased < d.cfg.MaxTasks, TooMany)
	}
	if why != 0 {
		d.stats.Refused++
		refuse(out, from, ev.Seq, ev.Nonce.Of(base), why)
		return
	}
	d.stats.Submitted++
	t.from, t.seq = from, ev.Seq
	p.calls++
	d.enqueue(slot, t, out)
}

// accept makes a task of what a producer sent, in no state yet.
func (d *Dispatcher) accept(from Conn, ev *Event, base []byte, room bool, full Reason) (uint32, *task, Reason) {
	if d.draining {
		return 0, nil, Draining
	}
	if !room {
		return 0, nil, full
	}
	num := d.nameOf(from, ev.Name.Of(base))
	if num == 0 {
		return 0, nil, TooManyName
	}
	nonce, body := ev.Nonce.Of(base), ev.Body.Of(base)
	if ev.Kind == ScheduleTask {
		nonce = nil // answered at once, or kept with the record that the answer waits for
	}
	data, ok := d.bytes.put(nonce, body)
	if !ok {
		if n := d.names.all[num]; n.refs == 0 {
			n.refs = 1
			d.names.drop(num)
		}
		return 0, nil, NoMemory
	}
	slot, t := d.tasks.take()
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
func (d *Dispatcher) enqueue(slot uint32, t *task, out *Batch) {
	d.places++
	t.place = d.places
	n := d.names.all[t.name]
	if w := n.spare(); w != nil && !d.stopped {
		d.handOut(w, slot, t, n, out)
		return
	}
	t.state = queued
	d.stats.Queued++
	if n.queue.push(&d.tasks, slot, t); n.queue.len == 1 {
		n.headIs(t.place)
	}
}

// taskMessage is about how many bytes a task takes on the wire, beside its options.
const taskMessage = 64

// handOut gives a task that is in no list to a worker that is ready.
func (d *Dispatcher) handOut(w *worker, slot uint32, t *task, n *name, out *Batch) {
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
	e := out.add(HandOut, w.conn)
	e.Token = Token{Slot: slot, Secret: t.secret}
	e.Name = n.text
	e.Body = d.bytes.bytes(t.data, int(t.nonceLen+t.bodyLen))[t.nonceLen:]
	if w.burst += int(t.bodyLen) + taskMessage; w.burst >= d.cfg.Burst {
		d.pause(w, out)
	}
}

// result takes a worker's answer, if it is to a task that this worker holds, and passes it on.
func (d *Dispatcher) result(from Conn, ev *Event, base []byte, out *Batch) {
	t := d.tasks.find(ev.Token, leased)
	if t == nil || t.holder() != from {
		d.stats.BadResults++
		if ev.Count > 0 {
			d.credit(d.worker(from), ev.Count, out)
		}
		return
	}
	w := d.peer(from).worker
	d.release(w, t)
	d.stats.Finished++
	if t.from != 0 {
		e := out.add(Result, t.from)
		e.Seq = t.seq
		e.Nonce = d.bytes.bytes(t.data, int(t.nonceLen))
		e.Body = ev.Body.Of(base)
	}
	d.forget(ev.Token.Slot, t)
	if ev.Count > 0 {
		d.heard(w)
		d.credit(w, ev.Count, out)
	}
}

// release takes a task out of its worker's hand.
func (d *Dispatcher) release(w *worker, t *task) {
	w.inHand.remove(&d.tasks, t)
	w.leased--
	d.names.all[t.name].leased--
	d.stats.Leased--
}

// giveUp answers a call that nobody will do. The task is in no list.
func (d *Dispatcher) giveUp(slot uint32, t *task, why Reason, out *Batch) {
	if t.from != 0 {
		refuse(out, t.from, t.seq, d.bytes.bytes(t.data, int(t.nonceLen)), why)
	}
	d.forget(slot, t)
}

// forget frees a task that is in no list. Its bytes stay readable until the effects that show them are delivered.
func (d *Dispatcher) forget(slot uint32, t *task) {
	if t.from != 0 {
		if p := &d.peers[t.from.Loop()][t.from.Slot()]; p.conn == t.from {
			p.calls--
		}
	}
	d.bytes.release(t.data)
	d.names.drop(t.name)
	d.tasks.give(slot, t)
}

// stop answers everybody who waits.
func (d *Dispatcher) stop(out *Batch) {
	d.draining, d.stopped = true, true
	for slot := uint32(1); slot < d.tasks.made; slot++ {
		t := d.tasks.at(slot)
		switch t.state {
		case queued:
			d.names.all[t.name].queue = queue{} // each of its tasks comes by
			d.stats.Queued--
		case leased:
			d.release(d.peer(t.holder()).worker, t)
		default:
			continue
		}
		d.giveUp(slot, t, Draining, out)
	}
}
