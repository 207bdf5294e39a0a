package dispatch

// What is done about one run that somebody names. What is stored of it is loaded first, whether it is in memory or not; what
// is in memory is newer.

// aboutRun takes an event that names a run.
func (d *Dispatcher) aboutRun(from Conn, ev *Event, base []byte, out *Batch) {
	id := ev.Run().id(base)
	nonce := ev.Nonce.Of(base)
	a := ask{kind: askRun, event: ev.Kind, conn: from, seq: ev.Seq, at: ev.At, id: id}
	switch {
	case id == ID{} || !d.cfg.Durable:
		d.noRun(&a, nonce, out)
	case from != 0 && d.peer(from).calls >= d.cfg.ConnTasks:
		d.stats.Refused++
		refuse(out, from, ev.Seq, nonce, TooManyHere)
	case d.durable.failed && ev.Kind != ReadRun && ev.Kind != ExplainRun:
		d.stats.Refused++
		refuse(out, from, ev.Seq, nonce, NotStored)
	case !d.askFor(a, nonce, nil, nil, nil, out):
		d.stats.Refused++
		refuse(out, from, ev.Seq, nonce, NoMemory)
	}
}

// noRun answers about a run that there is not.
func (d *Dispatcher) noRun(a *ask, nonce []byte, out *Batch) {
	if a.event == UnscheduleTask {
		out.Effects = append(out.Effects, Effect{Kind: Unscheduled, To: a.conn, Seq: a.seq, Nonce: nonce})
		return
	}
	refuse(out, a.conn, a.seq, nonce, NoRun)
}

// storedRun takes apart what a load found of a run that is not in memory. It reports false if there is none, or it is
// finished.
func (d *Dispatcher) storedRun(id ID, w *row) (k stored, r StoredRun, ok bool) {
	if w.also[0] == nil || w.also[2] != nil {
		return k, r, false
	}
	r, err := DecodeRun(w.also[0])
	if err != nil {
		d.stats.Unread++
		return k, r, false
	}
	k = stored{id: id, place: uint64(r.Rank)<<rankShift | id.Stamp(), due: r.Due > 0, size: len(w.also[0])}
	if w.also[1] != nil {
		if k.status, err = DecodeStatus(w.also[1]); err != nil {
			d.stats.Unread++
			return k, r, false
		}
		k.due = k.status.Due > 0
		if k.status.Place > 0 {
			k.place = uint64(r.Rank)<<rankShift | k.status.Place
		}
	}
	return k, r, true
}

// dueOf is what a run that is recorded under TableDue waits for.
func (k *stored) dueOf(r *StoredRun) (at int64, what byte) {
	if k.status.Due > 0 {
		return k.status.Due, DueRetry
	}
	return r.Due, DueStart
}

// unrecord deletes where a run that is not in memory is recorded.
func (d *Dispatcher) unrecord(now Now, k *stored, r *StoredRun, out *Batch) {
	if k.due {
		at, what := k.dueOf(r)
		d.delDue(out, at, k.id, what)
		return
	}
	d.delQueue(out, r.Name, k.place)
	num := d.names.find(r.Name, 0)
	if num == 0 {
		return
	}
	if l := d.names.all[num].queue.lane(r.Rank); l.gap != nil && l.gap.stored > 0 {
		l.gap.stored--
		d.stats.Stored--
		d.closeEmpty(now, num, l, out)
	}
}

// endStored ends a run that is not in memory.
func (d *Dispatcher) endStored(now Now, k *stored, r *StoredRun, state RunState, out *Batch) {
	d.unrecord(now, k, r, out)
	o := Outcome{
		State: state, Finished: now.Wall, Attempts: k.status.Attempts, Failures: k.status.Failures, Losses: k.status.Losses,
		History: k.status.History,
	}
	kept := kept{id: k.id, name: r.Name, rank: r.Rank, limits: limits(r), status: true, calls: len(r.Callback) > 0, size: k.size}
	d.recordEnd(now, &kept, &o, &r.Policy, out)
	d.shadow(k, r, true)
}

// shadow keeps the place of a run that is not in memory, and of which the store is not to be believed until it has what was
// written so far.
func (d *Dispatcher) shadow(k *stored, r *StoredRun, gone bool) {
	slot := d.runs[k.id]
	if slot == 0 {
		num := d.numberOf(r.Name)
		var t *task
		slot, t = d.tasks.take()
		t.promise, _ = d.promises.take()
		t.name = num
		d.names.all[num].refs++
		d.runs[k.id] = slot
		*d.promises.at(t.promise) = promise{id: k.id}
	}
	t := d.tasks.at(slot)
	p := d.promises.at(t.promise)
	t.place = k.place
	p.gone, p.dueRow = gone, k.due
	if k.due {
		p.due, p.what = k.dueOf(r)
	}
	d.settle(slot, t)
}

// asked does what an event wants of a run, now that it is known.
func (d *Dispatcher) asked(now Now, a *ask, nonce []byte, w row, out *Batch) {
	slot := d.runs[a.id]
	if slot != 0 && d.tasks.at(slot).state == settling {
		slot = 0 // the store knows better by now
	}
	if w.also[0] == nil { // not even if it is in memory: nobody was told of it yet
		d.noRun(a, nonce, out)
		return
	}
	switch a.event {
	case ReadRun:
		d.show(now, a, slot, nonce, &w, out)
	case CancelRun, UnscheduleTask:
		d.cancel(now, a, slot, nonce, &w, out)
	case RetryRun:
		d.retry(now, a, slot, nonce, &w, out)
	case ForgetRun:
		d.forgetRun(a, slot, nonce, &w, out)
	case ExplainRun:
		d.explain(a, slot, nonce, &w, out)
	}
}

// view is a run as it is: in memory at slot, or only as w has it.
func (d *Dispatcher) view(id ID, slot uint32, w *row) (v View) {
	v = View{ID: id, Run: w.also[0], Status: w.also[1], Outcome: w.also[2]}
	if r, err := DecodeRun(v.Run); err == nil {
		v.Name = r.Name
	}
	if slot != 0 {
		t := d.tasks.at(slot)
		p := d.promises.at(t.promise)
		v.State, v.Outcome = d.stateOf(t), nil
		v.Name = d.names.all[t.name].text
		if p.attempts > 0 { // the store may not have the last of them yet
			s := d.status(t, p)
			v.Status = s.Append(nil)
		}
		switch t.state {
		case scheduled:
			if v.State != Pending {
				v.Due = p.due
			}
		case leased:
			v.Progress, v.Said = d.bytes.bytes(p.progress, int(p.progressN)), p.progressAt
		}
		return v
	}
	if v.Outcome != nil {
		if o, err := DecodeOutcome(v.Outcome); err == nil {
			v.State, v.Status = o.State, nil
		}
		return v
	}
	if k, r, ok := d.storedRun(id, w); ok {
		v.State = Pending
		if k.due {
			var what byte
			if v.Due, what = k.dueOf(&r); what == DueRetry {
				v.State = Retrying
			} else {
				v.State = Waiting
			}
		}
	}
	return v
}

// stateOf is the state of a run in memory; 0 if only the store knows.
func (d *Dispatcher) stateOf(t *task) RunState {
	switch t.state {
	case scheduled:
		switch {
		case d.promises.at(t.promise).what == DueRetry:
			return Retrying
		case t.with == 0: // held until it is durable
			return Pending
		}
		return Waiting
	case queued, tailed:
		return Pending
	case leased:
		return Running
	}
	return 0
}

func (d *Dispatcher) send(kind EffectKind, a *ask, nonce []byte, v *View, out *Batch) {
	d.scratch = v.Append(d.scratch[:0])
	out.Effects = append(out.Effects, d.ownEffect(Effect{Kind: kind, To: a.conn, Seq: a.seq, Nonce: nonce, Body: d.scratch}))
}

// show shows a run: as it is, or once it is finished, if there is patience for that.
func (d *Dispatcher) show(now Now, a *ask, slot uint32, nonce []byte, w *row, out *Batch) {
	v := d.view(a.id, slot, w)
	if a.at > 0 && a.conn != 0 && !v.State.Finished() && !d.durable.failed && !d.stopped && d.waits.used() < d.cfg.MaxTasks {
		d.wait(now, a.id, waiter{conn: a.conn, seq: a.seq, shows: true}, nonce, nil, a.at)
		return
	}
	d.send(Shown, a, nonce, &v, out)
}

// cancel cancels a run that waits, and asks the worker of one that runs.
func (d *Dispatcher) cancel(now Now, a *ask, slot uint32, nonce []byte, w *row, out *Batch) {
	v := d.view(a.id, slot, w)
	only := a.event == UnscheduleTask // what is not scheduled any more is not found
	switch {
	case only && v.State != Waiting:
		d.noRun(a, nonce, out)
		return
	case v.State.Finished():
		refuse(out, a.conn, a.seq, nonce, RunFinished)
		return
	case v.State == Running:
		t := d.tasks.at(slot)
		p := d.promises.at(t.promise)
		if !p.stop {
			p.stop = true
			d.askToStop(d.peer(t.holder()).worker, slot, t, out)
		}
		d.send(Changed, a, nonce, &v, out)
		return
	case slot != 0:
		d.endRun(now, slot, d.tasks.at(slot), Cancelled, nil, out)
	default:
		k, r, ok := d.storedRun(a.id, w)
		if !ok {
			refuse(out, a.conn, a.seq, nonce, NotStored)
			return
		}
		d.endStored(now, &k, &r, Cancelled, out)
	}
	v.State, v.Due, v.Status, v.Outcome = Cancelled, 0, nil, outcomeIn(out)
	d.promise202(a, nonce, &v, out)
}

// outcomeIn is the outcome that a batch wrote down last.
func outcomeIn(b *Batch) []byte {
	for i := len(b.Ops) - 1; i >= 0; i-- {
		if op := &b.Ops[i]; op.Table == TableOutcomes && !op.Delete {
			return op.Value.Of(b.Data)
		}
	}
	return nil
}

// revives makes a view that of a run that was just put in line again, with what it went through.
func (v *View) revives() {
	if o, err := DecodeOutcome(v.Outcome); err == nil {
		s := Status{Attempts: o.Attempts, History: o.History}
		v.Status = s.Append(nil)
	}
	v.State, v.Due, v.Outcome = Pending, 0, nil
}

// promise202 tells of a change once it is safe.
func (d *Dispatcher) promise202(a *ask, nonce []byte, v *View, out *Batch) {
	e := Effect{Kind: Changed, To: a.conn, Seq: a.seq, Nonce: nonce}
	switch a.event {
	case UnscheduleTask:
		e.Kind, e.Found = Unscheduled, true
	case ForgetRun:
		e.Kind = Forgotten
	default:
		d.scratch = v.Append(d.scratch[:0])
		e.Body = d.scratch
	}
	d.park(e, out)
}

// retry has a run tried once more that failed, and at once one that waits for its next attempt.
func (d *Dispatcher) retry(now Now, a *ask, slot uint32, nonce []byte, w *row, out *Batch) {
	v := d.view(a.id, slot, w)
	if why := d.mayPromise(); why != 0 {
		refuse(out, a.conn, a.seq, nonce, why)
		return
	}
	switch v.State {
	case Retrying, Dead, Cancelled, Expired:
	default:
		refuse(out, a.conn, a.seq, nonce, RunNotFailed)
		return
	}
	if slot != 0 { // retrying, and near
		t := d.tasks.at(slot)
		d.wheel.Cancel(t.timer())
		d.unscheduled(t)
		t.state = free
		t.place = uint64(t.rank())<<rankShift | d.stamp(now)
		d.moveToQueue(t, d.promises.at(t.promise), out)
		d.standOrSpill(now, slot, t, out)
	} else if !d.revive(now, a.id, w, out) {
		refuse(out, a.conn, a.seq, nonce, NotStored)
		return
	}
	v.revives()
	d.promise202(a, nonce, &v, out)
}

// revive puts a run in line again that is on the disk only.
func (d *Dispatcher) revive(now Now, id ID, w *row, out *Batch) bool {
	r, err := DecodeRun(w.also[0])
	if err != nil {
		return false
	}
	k := stored{id: id}
	if w.also[2] != nil {
		o, err := DecodeOutcome(w.also[2])
		if err != nil {
			return false
		}
		d.delOutcome(id, &r, &o, len(w.also[0])+len(w.also[2]), out)
		k.status = Status{Attempts: o.Attempts, History: o.History, Freed: true} // its limits have come, or would at once
	} else {
		old, _, ok := d.storedRun(id, w)
		if !ok {
			return false
		}
		d.unrecord(now, &old, &r, out)
		k.status = old.status
	}
	k.size = len(w.also[0])
	d.lineAgain(now, &k, &r, out)
	return true
}

// lineAgain gives a run that is on the disk only, and recorded nowhere any more, a new place in line.
func (d *Dispatcher) lineAgain(now Now, k *stored, r *StoredRun, out *Batch) {
	stamp := d.stamp(now)
	k.place, k.due = uint64(r.Rank)<<rankShift|stamp, false
	k.status.Due, k.status.Place = 0, stamp
	d.putQueue(out, r.Name, k.place, k.id)
	d.put(out, TableStatus, k.id[:], k.status.Append)
	k.num = d.numberOf(r.Name)
	d.names.all[k.num].refs++
	d.shadow(k, r, false)
	d.line(now, k, r, out)
	d.names.drop(k.num)
}

// numberOf is a name's number. It gets one even if there are too many, since the store has runs of it.
func (d *Dispatcher) numberOf(name []byte) uint32 {
	num := d.names.find(name, 0)
	if num == 0 {
		num = d.names.add(name)
	}
	return num
}

// forgetRun deletes a finished run.
func (d *Dispatcher) forgetRun(a *ask, slot uint32, nonce []byte, w *row, out *Batch) {
	if slot != 0 || w.also[2] == nil {
		refuse(out, a.conn, a.seq, nonce, RunNotFinished)
		return
	}
	if !d.forgetStored(a.id, w.also[0], w.also[2], out) {
		refuse(out, a.conn, a.seq, nonce, NotStored)
		return
	}
	d.promise202(a, nonce, nil, out)
}

// explain says why a run is where it is.
func (d *Dispatcher) explain(a *ask, slot uint32, nonce []byte, w *row, out *Batch) {
	y := Why{View: d.view(a.id, slot, w)}
	y.Run, y.Status, y.Outcome, y.Progress = nil, nil, nil, nil
	if num := d.names.find(y.Name, 0); num != 0 {
		n := d.names.all[num]
		y.Workers, y.Ready = n.workers, n.spare() != nil
	}
	switch y.State {
	case Waiting:
		y.Code = WhyScheduled
	case Retrying:
		y.Code = WhyRetrying
	case Pending:
		d.explainPending(&y, slot, w)
	case Running:
		p := d.promises.at(d.tasks.at(slot).promise)
		y.Code, y.Since = WhyRunning, p.began
		if p.stop {
			y.Code = WhyStopping
		}
	default:
		y.Code = WhyFinished
	}
	d.scratch = y.Append(d.scratch[:0])
	out.Effects = append(out.Effects, d.ownEffect(Effect{Kind: Explained, To: a.conn, Seq: a.seq, Nonce: nonce, Body: d.scratch}))
}

// whyLook is how many tasks are counted of those ahead of a run: the dispatcher does nothing else meanwhile.
const whyLook = 10_000

// isStarved tells whether a run that is on the disk only could not be loaded when that was tried last.
func (d *Dispatcher) isStarved(w *row) bool {
	r, err := DecodeRun(w.also[0])
	if err != nil {
		return false
	}
	num := d.names.find(r.Name, 0)
	if num == 0 {
		return false
	}
	g := d.names.all[num].queue.lane(r.Rank).gap
	return g != nil && g.hungry
}

func (d *Dispatcher) explainPending(y *Why, slot uint32, w *row) {
	switch {
	case y.Workers == 0:
		y.Code = WhyNobody
	case slot == 0 && d.isStarved(w):
		y.Code = WhyNotLoaded
	case y.Ready:
		y.Code = WhyNext
	default:
		y.Code = WhyBusy
	}
	num := d.names.find(y.Name, 0)
	if num == 0 {
		return
	}
	q := &d.names.all[num].queue
	if slot == 0 || d.tasks.at(slot).state != queued {
		y.Ahead, y.AtLeast = q.len, true
		return
	}
	t := d.tasks.at(slot)
	for rank := range t.rank() {
		if rank == usualRank || q.others != nil {
			l := q.lane(rank)
			y.Ahead += l.len
			y.AtLeast = y.AtLeast || l.gap != nil
		}
	}
	if l := q.lane(t.rank()); !t.returned {
		looked := 0
		for at := l.fresh.head; at != slot && looked < whyLook; at = d.tasks.at(at).next {
			looked++
		}
		y.Ahead += looked
		y.AtLeast = y.AtLeast || looked == whyLook
	}
}
