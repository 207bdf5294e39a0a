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
	ready   uint64 // the batch that must be safe before it is loaded: until then a run may be found whose predecessor is not
	tail    list
	tailLen int
	loading bool
	hungry  bool // it is among the dispatcher's
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
	d.behind(now, k, r, l, out)
}

// behind puts a run that has just been recorded in line on the disk only, behind all others of its lane.
func (d *Dispatcher) behind(now Now, k *stored, r *StoredRun, l *lane, out *Batch) {
	d.spill(now, k.num, l, k.place, out)
	d.doomed(now, k.id, k.pending(r), out)
}

// hasRoom tells whether a lane takes a newcomer into memory.
func (d *Dispatcher) hasRoom(l *lane) bool {
	switch g := l.gap; {
	case d.draining:
		return false
	case g == nil:
		return l.runs+l.held < d.cfg.Window
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
	d.doomed(now, p.id, p.pending(), out)
	d.settle(slot, t)
}

// stand puts a run in memory at its place in line.
func (d *Dispatcher) stand(now Now, slot uint32, t *task, l *lane, out *Batch) {
	if g := l.gap; g != nil {
		// Should it have to go to the disk, a load must not find one behind it and not it itself: so rows are written in the
		// order of their places.
		d.moveToQueue(t, d.promises.at(t.promise), out)
		t.state = tailed
		g.tail.push(&d.tasks, slot, t)
		g.tailLen++
		d.stats.Queued++
		return
	}
	d.offer(now, slot, t, out)
}

// inQueue puts a task into the queue of its name, at its place.
func (d *Dispatcher) inQueue(slot uint32, t *task, n *name) {
	t.state = queued
	d.stats.Queued++
	q := &n.queue
	q.push(&d.tasks, slot, t)
	newest := t.place > q.last
	q.last = max(q.last, t.place)
	switch {
	case q.len > 1 && q.head(&d.tasks) != slot:
	case newest: // no class can think of an older head than there was
		n.headIs(t.place)
	default:
		n.headFell(t.place)
	}
}

// spill leaves a run that has this place on the disk only, and with it the tail, which came before it.
func (d *Dispatcher) spill(now Now, num uint32, l *lane, place uint64, out *Batch) {
	if l.gap == nil {
		d.openGap(num, l, place&stampMask-1)
	}
	g := l.gap
	d.dropTail(now, g, out)
	g.stored++
	d.stats.Stored++
	g.last = d.durable.batches
	d.want(now, num, l, uint8(place>>rankShift), out)
}

// dropTail leaves the runs of the tail on the disk only.
func (d *Dispatcher) dropTail(now Now, g *gap, out *Batch) {
	for slot := g.tail.head; slot != 0; slot = g.tail.head {
		d.leave(now, g, d.unline(slot, d.tasks.at(slot)), out)
	}
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
	now := d.status(t, p)
	now.Due, now.Place = s.Due, s.Place
	d.put(out, TableStatus, p.id[:], now.Append)
	p.status = true
}

// status is what a run in memory went through.
func (d *Dispatcher) status(t *task, p *promise) Status {
	return Status{
		Attempts: p.attempts, Failures: p.failures, Losses: int(t.losses), Freed: p.freed,
		History: d.bytes.bytes(p.history, int(p.historyN)),
	}
}

// wants tells whether the next runs behind a gap are to be loaded: there are workers for them, and few are left in memory.
// While runs of a higher priority are on their way they are not: they might come first, and be handed out first.
func (d *Dispatcher) wants(num uint32, l *lane, rank uint8) bool {
	return l.gap != nil && !l.gap.loading && l.runs <= d.cfg.Window/2 && d.names.all[num].workers > 0 &&
		!d.draining && !d.durable.failed && !d.names.all[num].queue.loadsBefore(rank)
}

// loadsBefore tells whether runs of a higher priority than this rank's are on their way from the disk.
func (q *queue) loadsBefore(rank uint8) bool {
	for before := range rank {
		if before == usualRank || q.others != nil {
			if g := q.lane(before).gap; g != nil && g.loading {
				return true
			}
		}
	}
	return false
}

// want asks for the next runs behind a gap, if they are to be loaded.
func (d *Dispatcher) want(now Now, num uint32, l *lane, rank uint8, out *Batch) {
	switch {
	case !d.wants(num, l, rank):
	case !d.roomForRuns():
		d.starve(now, num, l, rank, out)
	default:
		a := ask{kind: askLane, num: num, rank: rank, limit: pageRows}
		l.gap.loading = true
		d.names.all[num].refs++ // until it is answered
		if l.gap.ready > d.durable.committed {
			d.again(a, out)
		} else {
			d.ask(a, out)
		}
	}
}

// laneBounds are between which keys a lane's next runs are.
func (d *Dispatcher) laneBounds(num uint32, rank uint8) (from, to []byte) {
	name, g := d.names.all[num].text, d.names.all[num].queue.lane(rank).gap
	from, to = laneKey(name, rank, g.after+1), laneKey(name, rank+1, 0)
	if g.tail.head != 0 {
		to = laneKey(name, rank, d.tasks.at(g.tail.head).stamp())
	}
	return from, to
}

// hungry is a lane that could not be loaded, and is to be in a while.
type hungry struct {
	num  uint32
	rank uint8
}

// feedAfter is how many milliseconds what is hungry waits.
const feedAfter = 100

// starve notes that a lane cannot be loaded now. Its tail is no use meanwhile, and takes room.
func (d *Dispatcher) starve(now Now, num uint32, l *lane, rank uint8, out *Batch) {
	d.dropTail(now, l.gap, out)
	d.makeRoom(now, out)
	if l.gap.hungry {
		return
	}
	l.gap.hungry = true
	if len(d.hungry) == 0 {
		d.feedAt = now.Mono + feedAfter
	}
	d.hungry = append(d.hungry, hungry{num, rank})
}

// feed asks for what could not be loaded a while ago.
func (d *Dispatcher) feed(now Now, out *Batch) {
	if len(d.hungry) == 0 || now.Mono < d.feedAt {
		return
	}
	all := d.hungry
	d.hungry = nil
	for _, h := range all {
		if n := d.names.all[h.num]; n != nil {
			if l := n.queue.lane(h.rank); l.gap != nil {
				l.gap.hungry = false
			}
			d.wantFrom(now, h.num, h.rank, out)
		}
	}
}

func laneKey(name []byte, rank uint8, place uint64) []byte {
	return AppendQueueKey(make([]byte, 0, len(name)+10), name, rank, place)
}

// wantFrom is want for the lanes of a name from a rank on. One that is wanted keeps those behind it waiting for its answer.
func (d *Dispatcher) wantFrom(now Now, num uint32, first uint8, out *Batch) {
	q := &d.names.all[num].queue
	for rank := first; rank < ranks; rank++ {
		if rank == usualRank || q.others != nil {
			d.want(now, num, q.lane(rank), rank, out)
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
	if d.draining || d.durable.failed {
		return
	}
	if how == LoadFailed {
		d.starve(now, a.num, l, a.rank, out)
		d.wantFrom(now, a.num, a.rank+1, out)
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
			d.starve(now, a.num, l, a.rank, out)
			return
		}
		g.after = stamp
	}
	switch {
	case d.closeEmpty(now, a.num, l, out):
	case how == LoadPart:
		d.want(now, a.num, l, a.rank, out)
	case g.last <= a.committed:
		d.closeGap(now, a.num, l, out)
	default:
		g.ready = g.last // the store does not know it yet
		d.want(now, a.num, l, a.rank, out)
	}
	d.wantFrom(now, a.num, a.rank+1, out) // they waited for this answer
}

// closeEmpty closes a gap in which nothing is left, unless an answer is still to come.
func (d *Dispatcher) closeEmpty(now Now, num uint32, l *lane, out *Batch) bool {
	if l.gap.stored > 0 || l.gap.loading {
		return false
	}
	d.closeGap(now, num, l, out)
	return true
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
	d.offer(now, slot, t, out)
	return true
}

// offer gives a task that stands nowhere to a worker, or lets it wait for one at its place.
func (d *Dispatcher) offer(now Now, slot uint32, t *task, out *Batch) {
	n := d.names.all[t.name]
	if w := n.spare(); w != nil && !d.stopped {
		d.handOut(now, w, slot, t, n, out)
		return
	}
	d.inQueue(slot, t, n)
}

// closeGap joins the tail to what is before it.
func (d *Dispatcher) closeGap(now Now, num uint32, l *lane, out *Batch) {
	g := l.gap
	l.gap = nil
	d.stats.Stored -= g.stored
	for slot := g.tail.head; slot != 0; slot = g.tail.head {
		t := d.tasks.at(slot)
		g.tail.remove(&d.tasks, t)
		d.stats.Queued--
		d.offer(now, slot, t, out)
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
