package dispatch

// due is what is to happen at a time, as far as it is soon. All of it is recorded under TableDue; what is recorded for a time
// up to through is in memory too. The rest is on the disk only, and is loaded when it is nearer.
//
// A load cannot find what is not committed yet. So it begins with an aim: from then on what is recorded for a time up to the
// aim goes into memory, and the load is asked once everything that was recorded before is safe.
type due struct {
	through int64
	next    int64 // the earliest time for which there may be something on the disk only; endless: there is none
	aiming  bool
	aim     int64
	ready   uint64 // the batch that must be safe before the load is asked
	loading bool
	from    []byte // where the next page begins; nil: behind through
	cramped bool   // not all could be taken: what is next is loaded no sooner than it must
	full    bool   // there was no room on the timetable: or as soon as there is
	taking  bool   // a page is being taken
	pause   int64  // on the clock that nobody sets: until then the store is not asked, which failed to answer
	limits  pool[limit]
}

// limit is the time at which a run that is not in memory may expire, or at which a schedule is due.
type limit struct {
	id   ID
	at   int64
	rule bool
}

const (
	endless = int64(1)<<62 - 1
	horizon = 60_000 // milliseconds: what is further off is on the disk only
)

// What a timer of the wall clock's wheel is for, in the upper bits of its value.
const (
	timerLimit = 1 << 31 // a task: it is to expire, perhaps. Without: it is scheduled, and becomes pending
	timerDoom  = 1 << 30 // a limit: the same of a run that is not in memory
	timerValue = timerDoom - 1
)

// isSoon tells whether what is recorded for a time now has to be in memory.
func (q *due) isSoon(at int64) bool { return at <= q.through || q.aiming && at <= q.aim }

// further notes that something is on the disk only.
func (q *due) further(at int64) {
	if q.isSoon(at) { // there was no room for it: from there on everything has to be looked at again
		q.through = min(q.through, at-1)
		q.aim = min(q.aim, at-1)
		q.from, q.cramped = nil, true
	}
	q.next = min(q.next, at)
}

// onTimetable tells whether a time is soon, and there is room for it.
func (d *Dispatcher) onTimetable(at int64) bool {
	if !d.due.isSoon(at) || d.draining {
		return false
	}
	if d.roomThere() <= 0 {
		d.due.full = true
		return false
	}
	return true
}

// roomThere is for how many more there is room on the timetable. A quarter of it is for what is loaded, the soonest first:
// what is new comes in any order, and would leave nothing.
func (d *Dispatcher) roomThere() int {
	room := d.cfg.Near - d.stats.Schedule - d.due.limits.used()
	if !d.due.taking {
		room -= d.cfg.Near / 4
	}
	return room
}

// await puts a run that is recorded under TableDue on the timetable, if its time is soon and there is room.
func (d *Dispatcher) await(now Now, k *stored, r *StoredRun, out *Batch) {
	at, _ := k.dueOf(r)
	if d.onTimetable(at) {
		if slot, t, ok := d.remember(k, r); ok {
			if len(r.Key) > 0 {
				d.promises.at(t.promise).safe = d.durable.batches
			}
			d.limitOf(now, slot, t)
			d.setStart(now, slot, t)
			return
		}
	}
	d.due.further(at)
	d.doomed(now, k.id, k.pending(r), out)
}

// mayHold tells whether a run that is to be held has room in memory then. One that has not needs not be held: it is recorded
// in line, on the disk only, where nobody finds it before it is durable. A tail is of use only if there are workers.
func (d *Dispatcher) mayHold(n *name, l *lane) bool {
	return d.hasRoom(l) && (l.gap == nil || n.workers > 0)
}

// hold keeps a run that has a key, or is of a schedule that recurs, from workers until it is durable: else a crash may forget
// one that a worker has seen, and who asks again with the key would get another. So it is recorded as scheduled for now, and its time is when it is safe.
func (d *Dispatcher) hold(now Now, k *stored, r *StoredRun, out *Batch) {
	if !d.onTimetable(r.Due) {
		d.await(now, k, r, out)
		return
	}
	slot, t, ok := d.remember(k, r)
	if !ok {
		d.await(now, k, r, out)
		return
	}
	d.limitOf(now, slot, t)
	t.state = scheduled
	d.stats.Schedule++
	d.names.all[t.name].scheduled++
	d.untilSafe(slot, t, false)
}

// untilSafe has a run start once all that was written so far is safe.
func (d *Dispatcher) untilSafe(slot uint32, t *task, late bool) {
	n := d.names.all[t.name]
	n.refs++ // until it is held no more
	n.queue.lane(t.rank()).held++
	d.durable.held.push(held{n: d.durable.batches, slot: slot, id: d.promises.at(t.promise).id, num: t.name, rank: t.rank(), late: late})
}

// held is a run that starts when a batch is safe.
type held struct {
	n    uint64
	slot uint32
	id   ID
	num  uint32
	rank uint8
	late bool // its time came before it was safe: it has its place in line from when it starts
}

// unhold starts what was held for batches that are safe now.
func (d *Dispatcher) unhold(now Now, out *Batch) {
	for q := &d.durable.held; q.len() > 0 && q.head().n <= d.durable.committed; {
		h := *q.head()
		q.pop()
		l := d.names.all[h.num].queue.lane(h.rank)
		l.held--
		t := d.tasks.at(h.slot)
		switch {
		case t.state != scheduled || t.with != 0 || d.runs[h.id] != h.slot || d.draining:
		case !h.late && l.gap != nil && t.stamp() <= l.gap.after:
			d.startBefore(now, h.slot, t, out)
		default:
			d.start(now, h.slot, t, out)
		}
		d.names.drop(h.num)
	}
}

// startBefore is start for a run that has its place in line already, before those that are on the disk only.
func (d *Dispatcher) startBefore(now Now, slot uint32, t *task, out *Batch) {
	d.unscheduled(t)
	t.state = free
	if !d.expireIfLate(now, slot, t, out) {
		d.stats.Fired++
		d.offer(now, slot, t, out)
	}
}

// setStart has a run wait for its time.
func (d *Dispatcher) setStart(now Now, slot uint32, t *task) {
	t.state = scheduled
	d.follow(now)
	timer, _ := d.wheel.Add(d.promises.at(t.promise).due, slot)
	t.with = uint64(timer)
	d.stats.Schedule++
	d.names.all[t.name].scheduled++
}

// unschedule takes a run from the timetable.
func (d *Dispatcher) unscheduled(t *task) {
	t.with = 0
	d.stats.Schedule--
	d.names.all[t.name].scheduled--
}

// start makes a run pending whose time has come.
func (d *Dispatcher) start(now Now, slot uint32, t *task, out *Batch) {
	d.unscheduled(t)
	t.state = free
	if d.expireIfLate(now, slot, t, out) {
		return
	}
	d.stats.Fired++
	d.rejoin(now, slot, t, out)
}

// timeHasCome starts a run that is on the timetable, or has it wait until it is safe: see hold.
func (d *Dispatcher) timeHasCome(now Now, slot uint32, t *task, out *Batch) {
	if d.promises.at(t.promise).safe > d.durable.committed {
		t.with = 0 // the timer is gone
		d.untilSafe(slot, t, true)
		return
	}
	d.start(now, slot, t, out)
}

// rejoin gives a run in memory a new place in line, behind all others.
func (d *Dispatcher) rejoin(now Now, slot uint32, t *task, out *Batch) {
	t.place = uint64(t.rank())<<rankShift | d.stamp(now)
	d.standOrSpill(now, slot, t, out)
}

// limits are when the run may expire, as limits has it.
func (p *promise) limits() (at [2]int64) {
	if p.policy.TTL > 0 {
		at[0] = later(p.created, p.policy.TTL)
	}
	at[1] = p.deadline
	return at
}

// pending are those of them that are still to come.
func (p *promise) pending() (at [2]int64) {
	at = p.limits()
	if p.attempts > 0 {
		at[0] = 0
	}
	return at
}

// limitOf sets the timer of a run in memory that may expire.
func (d *Dispatcher) limitOf(now Now, slot uint32, t *task) {
	d.setLimit(now, slot, d.promises.at(t.promise))
}

// setLimit sets it for the time to live, while that counts, or else for the deadline.
func (d *Dispatcher) setLimit(now Now, slot uint32, p *promise) {
	d.unlimit(p)
	at := int64(0)
	for i, v := range p.limits() {
		if v > 0 && (at == 0 || v < at) && !(i == 0 && (p.attempts > 0 || v <= now.Wall)) {
			at = v
		}
	}
	if at == 0 {
		return
	}
	d.follow(now)
	p.limit, p.limited = d.wheel.Add(at, slot|timerLimit)
}

func (d *Dispatcher) unlimit(p *promise) {
	if p.limited {
		d.wheel.Cancel(p.limit)
		p.limited = false
	}
}

// doomed sees to it that a run expires that is not in memory: at once, if its time has come.
func (d *Dispatcher) doomed(now Now, id ID, at [2]int64, out *Batch) {
	for _, v := range at {
		if v > now.Wall {
			d.doomedAt(now, id, v)
		} else if v > 0 {
			d.ask(ask{kind: askLimit, id: id}, out)
		}
	}
}

func (d *Dispatcher) doomedAt(now Now, id ID, at int64) {
	if !d.onTimetable(at) {
		d.due.further(at)
		return
	}
	n, l := d.due.limits.take()
	*l = limit{id: id, at: at}
	d.follow(now)
	d.wheel.Add(at, n|timerDoom)
}

// maxTimers is how many timers there are at most.
const maxTimers = 1 << 28

// limitReached expires what is in memory and has gone beyond its time.
func (d *Dispatcher) limitReached(now Now, slot uint32, t *task, out *Batch) {
	p := d.promises.at(t.promise)
	p.limited = false
	if !d.expireIfLate(now, slot, t, out) {
		d.setLimit(now, slot, p)
	}
}

// expireIfLate reports whether a run or a call has gone beyond its time, and ends it then.
func (d *Dispatcher) expireIfLate(now Now, slot uint32, t *task, out *Batch) bool {
	p := d.promiseOf(t)
	if p == nil {
		return false
	}
	at := p.limits()
	if !(at[1] > 0 && at[1] <= now.Wall || at[0] > 0 && at[0] <= now.Wall && t.state != leased && p.attempts == 0 && t.losses == 0) {
		return false
	}
	if p.id == (ID{}) {
		d.callTooLate(now, slot, t, out)
	} else {
		d.endRun(now, slot, t, Expired, nil, out)
	}
	return true
}

// doom asks about a run that is not in memory, or a schedule, whose time has come.
func (d *Dispatcher) doom(n uint32, out *Batch) {
	l := *d.due.limits.at(n)
	d.due.limits.give(n)
	if l.rule {
		d.ask(ask{kind: askFire, id: l.id, at: l.at}, out)
		return
	}
	if slot := d.runs[l.id]; slot != 0 && d.tasks.at(slot).state != settling {
		return // it has a timer of its own
	}
	d.ask(ask{kind: askLimit, id: l.id}, out)
}

// limitLoaded expires a run that is on the disk only.
func (d *Dispatcher) limitLoaded(now Now, a *ask, rows []byte, out *Batch) {
	if slot := d.runs[a.id]; slot != 0 {
		if d.tasks.at(slot).state == settling && d.mustAskAgain(a, a.id, out) {
			return
		} else if d.tasks.at(slot).state != settling {
			return
		}
	}
	w := (&reader{b: rows}).row(3)
	if k, r, ok := d.storedRun(a.id, &w); ok && k.late(now, &r) {
		d.endStored(now, &k, &r, Expired, out)
	}
}

// limits are when a run may expire, as far as that counts.
func (k *stored) limits(r *StoredRun) (at [2]int64) {
	if k.status.Freed {
		return at
	}
	return limits(r)
}

// pending are those of them that are still to come: its time to live counts until its first attempt is over.
func (k *stored) pending(r *StoredRun) (at [2]int64) {
	at = k.limits(r)
	if k.status.Attempts > 0 {
		at[0] = 0
	}
	return at
}

// late tells whether a run that no worker has has gone beyond its time.
func (k *stored) late(now Now, r *StoredRun) bool {
	at := k.pending(r)
	return at[1] > 0 && at[1] <= now.Wall || at[0] > 0 && at[0] <= now.Wall
}

// mayLook tells whether the store may be asked what is soon.
func (d *Dispatcher) mayLook() bool {
	q := &d.durable
	return d.cfg.Durable && !q.failed && !d.draining && !d.due.loading && q.unsafe < d.cfg.MaxUnsafe
}

// lookAt is when that is to be asked next, on the wall clock: well before it is due. If there was no room, then once an
// eighth of it is free, so that a page brings more than the few runs that have just made room.
func (d *Dispatcher) lookAt(now Now) int64 {
	q := &d.due
	at := q.next
	if free := d.cfg.Near - d.stats.Schedule - q.limits.used(); !q.cramped || q.full && free > d.cfg.Near/8 {
		at -= horizon / 2
	}
	return max(at, now.Wall+max(0, q.pause-now.Mono))
}

// lookAhead loads what is soon, if there may be some on the disk.
func (d *Dispatcher) lookAhead(now Now, out *Batch) {
	q := &d.due
	if !d.mayLook() {
		return // a commit or an answer will come by
	}
	if !q.aiming {
		if q.next == endless || now.Wall < d.lookAt(now) {
			return
		}
		q.aiming, q.cramped, q.full, q.ready = true, false, false, d.durable.batches
		q.aim = max(now.Wall+horizon, q.through)
		q.next = endless
	}
	if d.durable.committed < q.ready {
		return // the commit will come by
	}
	q.loading = true
	from := q.from
	if from == nil {
		from = AppendDueKey(nil, q.through+1, ID{}, 0)
	}
	d.ask(ask{kind: askDue, from: from, limit: pageRows}, out)
}

// dueLoaded takes a page of what is soon.
func (d *Dispatcher) dueLoaded(now Now, a *ask, how uint32, rows []byte, out *Batch) {
	q := &d.due
	q.loading = false
	if d.draining || d.durable.failed {
		return
	}
	if how == LoadFailed {
		q.aiming, q.from = false, nil
		q.next, q.pause = min(q.next, q.through+1), now.Mono+feedAfter
		return
	}
	in := reader{b: rows}
	q.taking = true
	for len(in.b) > 0 {
		w := in.row(2)
		at, id, what, ok := ParseDueKey(w.key)
		if in.bad || !ok {
			break
		}
		if at > q.aim {
			q.next = min(q.next, at)
			how = LoadWhole
			break
		}
		q.from = append(append(q.from[:0:0], w.key...), 0)
		d.dueRow(now, a, at, id, what, &w, out)
	}
	q.taking = false
	if how == LoadWhole {
		q.aiming, q.through, q.from = false, q.aim, nil
		return
	}
	d.lookAhead(now, out)
}

// dueRow takes one row. What is overdue happens at once, whether there is room on the timetable or not.
func (d *Dispatcher) dueRow(now Now, a *ask, at int64, id ID, what byte, w *row, out *Batch) {
	if what == DueRule {
		if at > now.Wall {
			d.awaitRule(now, id, at)
		} else {
			d.ask(ask{kind: askFire, id: id, at: at}, out)
		}
		return
	}
	if slot := d.runs[id]; slot != 0 {
		t := d.tasks.at(slot)
		if t.state != settling {
			return // it is in memory, with its timers
		}
		switch p := d.promises.at(t.promise); {
		case p.n <= a.committed:
		case p.gone || what <= DueRetry && (!p.dueRow || p.due != at || p.what != what):
			return // it was so, and is not any more
		default: // what is known of it may be older
			d.due.further(at)
			return
		}
	}
	if what > DueRetry && at > now.Wall {
		d.doomedAt(now, id, at)
		return
	}
	k, r, ok := d.storedRun(id, w)
	switch {
	case !ok:
	case k.late(now, &r):
		d.endStored(now, &k, &r, Expired, out)
	case what > DueRetry || !k.due:
	case at > now.Wall:
		k.num = d.numberOf(r.Name)
		d.names.all[k.num].refs++
		d.await(now, &k, &r, out)
		d.names.drop(k.num)
	default:
		d.stats.Fired++
		d.unrecord(now, &k, &r, out)
		d.lineAgain(now, &k, &r, out)
	}
}

// follow brings the wheel back when the wall clock was set back, so that nothing comes early.
func (d *Dispatcher) follow(now Now) {
	if now.Wall < d.wheel.Now() {
		d.wheel.Rebase(now.Wall)
	}
}
