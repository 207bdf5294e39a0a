package dispatch

// schedule accepts a task for later. A time that has passed is one that comes at the next Tick.
func (d *Dispatcher) schedule(now Now, from Conn, ev *Event, base []byte, out *Batch) {
	refuse(out, from, ev.Seq, ev.Nonce.Of(base), NotStored)
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
