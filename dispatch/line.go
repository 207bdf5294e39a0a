package dispatch

// gap is what a lane has on the disk only: the runs behind those in memory, and before a tail of the newest, which are in
// memory again. It begins when there is no room for a newcomer, and ends when all that was in it has been loaded; until then
// newcomers go behind it, so that order holds.
//
//	lane.fresh  |  on the disk, from after on  |  tail
type gap struct {
	after   uint64 // the stamp of the last run that is before it
	stored  int    // how many are in it
	last    uint64 // the batch that put the last one there
	tail    list
	tailLen int
	loading bool
}

// line puts a run that has just been recorded in line: into a worker's hand, into memory, or on the disk only.
func (d *Dispatcher) line(now Now, k *stored, r *StoredRun, out *Batch) {
	l := d.names.all[k.num].queue.lane(r.Rank)
	if d.hasRoom(l) {
		if slot, t, ok := d.remember(k, r); ok {
			d.limitOf(now, slot, t)
			d.stand(now, slot, t, l, out)
			return
		}
	}
	d.spill(now, k.num, l, k.place, out)
	d.doomed(now, k.id, limits(r))
}

// hasRoom tells whether a lane takes a newcomer into memory.
func (d *Dispatcher) hasRoom(l *lane) bool {
	switch g := l.gap; {
	case d.draining:
		return false
	case g == nil:
		return l.len < d.cfg.Window
	default: // a tail is of use only if what is before it will soon be in memory
		return g.tailLen < d.cfg.Window && g.stored <= d.cfg.Window
	}
}

// standOrSpill puts a run in memory, whose place is a new one, in line.
func (d *Dispatcher) standOrSpill(now Now, slot uint32, t *task, out *Batch) {
	l := d.names.all[t.name].queue.lane(t.rank())
	if d.hasRoom(l) {
		d.stand(now, slot, t, l, out)
		return
	}
	p := d.promises.at(t.promise)
	d.moveToQueue(t, p, out)
	d.spill(now, t.name, l, t.place, out)
	d.doomed(now, p.id, p.limits())
	d.settle(slot, t)
}

// stand puts a run in memory at its place in line.
func (d *Dispatcher) stand(now Now, slot uint32, t *task, l *lane, out *Batch) {
	n := d.names.all[t.name]
	if g := l.gap; g != nil {
		t.state = tailed
		g.tail.push(&d.tasks, slot, t)
		g.tailLen++
		d.stats.Queued++
		return
	}
	if w := n.spare(); w != nil && !d.stopped {
		d.handOut(now, w, slot, t, n, out)
		return
	}
	d.inQueue(slot, t, n)
}

// inQueue puts a task that has just got its place into the queue of its name.
func (d *Dispatcher) inQueue(slot uint32, t *task, n *name) {
	t.state = queued
	d.stats.Queued++
	n.queue.push(&d.tasks, slot, t)
	if n.queue.head() != slot {
		return
	}
	if n.queue.len == 1 {
		n.headIs(t.place)
	} else {
		n.headFell(t.place)
	}
}

// spill leaves a run that has this place on the disk only, and with it the tail, which came before it.
func (d *Dispatcher) spill(now Now, num uint32, l *lane, place uint64, out *Batch) {
	g := l.gap
	if g == nil {
		g = &gap{after: place&stampMask - 1}
		l.gap = g
		d.names.all[num].refs++
	}
	for g.tail.head != 0 {
		d.dropTail(now, g, g.tail.head, out)
	}
	g.stored++
	d.stats.Stored++
	g.last = d.durable.batches
	d.want(num, l, uint8(place>>rankShift), out)
}

// dropTail leaves a run of the tail on the disk only.
func (d *Dispatcher) dropTail(now Now, g *gap, slot uint32, out *Batch) {
	t := d.tasks.at(slot)
	p := d.promises.at(t.promise)
	g.tail.remove(&d.tasks, t)
	g.tailLen--
	d.stats.Queued--
	g.stored++
	d.stats.Stored++
	d.moveToQueue(t, p, out)
	g.last = d.durable.batches
	d.doomed(now, p.id, p.limits())
	d.settle(slot, t)
}

// moveToQueue records a run under TableQueue, where its place is, if it is still under TableDue.
func (d *Dispatcher) moveToQueue(t *task, p *promise, out *Batch) {
	if !p.dueRow {
		return
	}
	name := d.names.all[t.name].text
	d.delDue(out, p.due, p.id, p.what)
	d.putQueue(out, name, t.place, p.id)
	d.putStatus(out, t, p, Status{Place: t.stamp()})
	p.dueRow = false
}

// putStatus writes down what became of a run so far; s says where it is.
func (d *Dispatcher) putStatus(out *Batch, t *task, p *promise, s Status) {
	s.Attempts, s.Failures, s.Losses, s.Freed = p.attempts, p.failures, int(t.losses), p.freed
	s.History = d.bytes.bytes(p.history, int(p.historyN))
	d.put(out, TableStatus, p.id[:], s.Append)
}

// want asks for the next runs behind a gap, if there are workers for them and few left in memory.
func (d *Dispatcher) want(num uint32, l *lane, rank uint8, out *Batch) {
	g := l.gap
	if g == nil || g.loading || l.len > d.cfg.Window/2 || d.names.all[num].workers == 0 || d.draining || d.durable.failed {
		return
	}
	if d.held() >= d.cfg.MaxTasks {
		d.hungry = append(d.hungry, hungry{num, rank})
		return
	}
	g.loading = true
	name := d.names.all[num].text
	a := ask{kind: askLane, num: num, rank: rank, limit: min(d.cfg.Window-l.len, pageRows)}
	a.from = laneKey(name, rank, g.after+1)
	a.to = laneKey(name, rank+1, 0)
	if g.tail.head != 0 {
		a.to = laneKey(name, rank, d.tasks.at(g.tail.head).stamp())
	}
	d.names.all[num].refs++ // until it is answered
	d.ask(a, out)
}

// hungry is a lane that could not be loaded, and is to be in a while.
type hungry struct {
	num  uint32
	rank uint8
}

// feed asks for what could not be loaded a while ago.
func (d *Dispatcher) feed(out *Batch) {
	all := d.hungry
	d.hungry = nil
	for _, h := range all {
		if n := d.names.all[h.num]; n != nil {
			d.want(h.num, n.queue.lane(h.rank), h.rank, out)
		}
	}
}

func laneKey(name []byte, rank uint8, place uint64) []byte {
	k := AppendQueueKey(make([]byte, 0, len(name)+18), name, rank, place, ID{})
	return k[:len(k)-8]
}

// wantAll is want for every lane of a name.
func (d *Dispatcher) wantAll(num uint32, out *Batch) {
	q := &d.names.all[num].queue
	for rank := range uint8(ranks) {
		if l := q.lane(rank); rank == usualRank || q.others != nil {
			d.want(num, l, rank, out)
		}
		if q.others == nil && rank >= usualRank {
			return
		}
	}
}

// laneLoaded takes the next runs behind a gap, and closes it if those were all.
func (d *Dispatcher) laneLoaded(now Now, a *ask, how uint32, rows []byte, out *Batch) {
	n := d.names.all[a.num]
	l := n.queue.lane(a.rank)
	g := l.gap
	defer d.names.drop(a.num)
	if g == nil {
		return
	}
	g.loading = false
	if how == LoadFailed || d.durable.failed {
		d.hungry = append(d.hungry, hungry{a.num, a.rank})
		return
	}
	in := reader{b: rows}
	for len(in.b) > 0 {
		w := in.row(2)
		_, _, stamp, ok := ParseQueueKey(w.key)
		if in.bad || !ok || len(w.value) != len(ID{}) {
			break
		}
		if !d.rowLoaded(now, a, l, ID(w.value), stamp, &w, out) {
			d.hungry = append(d.hungry, hungry{a.num, a.rank}) // no room
			return
		}
		g.after = stamp
	}
	if how == LoadWhole && g.last <= a.committed {
		d.closeGap(now, a.num, l, out)
		return
	}
	d.want(a.num, l, a.rank, out)
}

// rowLoaded takes one run. It reports false if there is no room for it.
func (d *Dispatcher) rowLoaded(now Now, a *ask, l *lane, id ID, stamp uint64, w *row, out *Batch) bool {
	if slot := d.runs[id]; slot != 0 {
		t := d.tasks.at(slot)
		if t.state != settling {
			return true // it is in memory, elsewhere
		}
		if p := d.promises.at(t.promise); p.n > a.committed && (p.dueRow || p.gone || t.stamp() != stamp) {
			return true // it was here, and is not any more
		}
	}
	r, err := DecodeRun(w.also[0])
	if w.also[0] == nil || err != nil {
		d.stats.Unread++
		return true
	}
	k := stored{id: id, num: a.num, place: uint64(a.rank)<<rankShift | stamp, size: len(w.also[0])}
	if w.also[1] != nil {
		k.status, _ = DecodeStatus(w.also[1])
	}
	slot, t, ok := d.remember(&k, &r)
	if !ok {
		return false
	}
	if l.gap.stored > 0 {
		l.gap.stored--
		d.stats.Stored--
	}
	d.limitOf(now, slot, t)
	if d.expireIfLate(now, slot, t, out) {
		return true
	}
	n := d.names.all[t.name]
	if worker := n.spare(); worker != nil && !d.stopped {
		d.handOut(now, worker, slot, t, n, out)
	} else {
		d.inQueue(slot, t, n)
	}
	return true
}

// closeGap joins the tail to what is before it.
func (d *Dispatcher) closeGap(now Now, num uint32, l *lane, out *Batch) {
	g := l.gap
	l.gap = nil
	d.stats.Stored -= g.stored
	n := d.names.all[num]
	for slot := g.tail.head; slot != 0; slot = g.tail.head {
		t := d.tasks.at(slot)
		g.tail.remove(&d.tasks, t)
		d.stats.Queued--
		if w := n.spare(); w != nil && !d.stopped {
			d.handOut(now, w, slot, t, n, out)
		} else {
			d.inQueue(slot, t, n)
		}
	}
	d.names.drop(num)
}

// unline takes a run that waits for a worker out of where it stands, ready to be settled. Its slot may be another then.
func (d *Dispatcher) unline(slot uint32, t *task) uint32 {
	d.stats.Queued--
	n := d.names.all[t.name]
	if t.state == tailed {
		g := n.queue.lane(t.rank()).gap
		g.tail.remove(&d.tasks, t)
		g.tailLen--
		return slot
	}
	if n.queue.remove(&d.tasks, slot, t) {
		return slot
	}
	// It is inside the heap: what stays there is a ghost, and the run moves to another slot.
	other, o := d.tasks.take()
	o.name, o.data, o.nonceLen, o.bodyLen = t.name, t.data, t.nonceLen, t.bodyLen
	o.from, o.seq, o.place, o.promise, o.losses = t.from, t.seq, t.place, t.promise, t.losses
	t.state, t.data, t.from, t.promise = ghost, block{}, 0, 0
	if p := d.promiseOf(o); p != nil {
		if p.limited { // its timer names the old slot
			d.wheel.Cancel(p.limit)
			p.limited = false
		}
		if p.id != (ID{}) {
			d.runs[p.id] = other
		}
	}
	return other
}
