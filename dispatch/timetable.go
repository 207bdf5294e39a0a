package dispatch

// schedule accepts a task for later. A time that has passed is one that comes at the next Tick.
func (d *Dispatcher) schedule(now Now, from Conn, ev *Event, base []byte, out *Batch) {
	nonce := ev.Nonce.Of(base)
	slot, t, why := uint32(0), (*task)(nil), NotStored
	if !d.durable.failed {
		// What has come due is not refused for want of room among the tasks, so it counts here.
		all := d.wheel.Len() + d.stats.Queued + d.stats.Leased
		room := d.wheel.Len() < d.cfg.MaxSchedules && all < d.cfg.MaxSchedules+d.cfg.MaxTasks
		slot, t, why = d.accept(from, ev, base, room, TooManyTime)
	}
	if why != 0 {
		d.stats.Refused++
		refuse(out, from, ev.Seq, nonce, why)
		return
	}
	t.state, t.secret = scheduled, d.random.Uint64()
	id := Token{Slot: slot, Secret: t.secret}
	promise := Effect{Kind: Scheduled, To: from, Seq: ev.Seq, Nonce: nonce, Token: id}
	if d.cfg.Durable {
		p, ok := d.park(promise)
		if !ok {
			d.forget(slot, t)
			d.stats.Refused++
			refuse(out, from, ev.Seq, nonce, NoMemory)
			return
		}
		d.durable.parked = append(d.durable.parked, p)
		n := d.names.all[t.name]
		d.record(Record{Kind: RecordAdded, Token: id, At: ev.At, Name: n.text, Body: ev.Body.Of(base)}, out)
	} else {
		out.Effects = append(out.Effects, promise)
	}
	d.follow(now)
	timer, _ := d.wheel.Add(ev.At, slot)
	t.with = uint64(timer)
}

// unschedule forgets a schedule, if it is there and has not come due.
func (d *Dispatcher) unschedule(from Conn, ev *Event, base []byte, out *Batch) {
	e := Effect{Kind: Unscheduled, To: from, Seq: ev.Seq, Nonce: ev.Nonce.Of(base), Token: ev.Token}
	t := d.tasks.find(ev.Token, scheduled)
	e.Found = t != nil
	switch {
	case !d.cfg.Durable || t == nil && !d.durable.failed && d.isRemoved(ev.Token):
		out.Effects = append(out.Effects, e)
	case d.durable.failed:
		d.stats.Refused++
		refuse(out, from, ev.Seq, e.Nonce, NotStored)
		return
	case t == nil:
		if !d.load(e, out) {
			d.stats.Refused++
			refuse(out, from, ev.Seq, e.Nonce, NoMemory)
		}
	default:
		p, ok := d.park(e)
		if !ok {
			d.stats.Refused++
			refuse(out, from, ev.Seq, e.Nonce, NoMemory)
			return
		}
		d.durable.parked = append(d.durable.parked, p)
		d.record(Record{Kind: RecordRemoved, Token: ev.Token}, out)
	}
	if t != nil {
		d.wheel.Cancel(t.timer())
		d.forget(ev.Token.Slot, t)
	}
}

// tick makes runs of the schedules that have come due, so many at most: Sleep then asks for the next Tick at once.
func (d *Dispatcher) tick(now Now, out *Batch) {
	if d.stopped {
		return
	}
	d.follow(now)
	for range d.cfg.FirePerStep {
		slot, _, ok := d.wheel.Expire(now.Wall)
		if !ok {
			return
		}
		t := d.tasks.at(slot)
		if d.cfg.Durable && !d.durable.failed {
			d.record(Record{Kind: RecordRemoved, Token: Token{Slot: slot, Secret: t.secret}}, out)
		}
		t.with, t.secret = 0, 0
		d.stats.Fired++
		d.enqueue(slot, t, out)
	}
}

// follow brings the wheel back when the wall clock was set back, so that nothing comes early.
func (d *Dispatcher) follow(now Now) {
	if now.Wall < d.wheel.Now() {
		d.wheel.Rebase(now.Wall)
	}
}
