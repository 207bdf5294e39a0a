package dispatch

// Bounds of what is done for one schedule at once.
const (
	lateAfter  = 60_000  // milliseconds: times that have passed by more are caught up with, or not
	fireRuns   = 16      // runs in one batch; the rest come in the next ones
	fireBytes  = 1 << 20 // of options in one batch, after which there is no further run in it
	countMost  = 1000    // times that are counted of those that are not caught up with
	laterAfter = 1000    // milliseconds after which is tried again what cannot be done now
)

// ruleFires takes what a load found of a schedule whose time has come.
func (d *Dispatcher) ruleFires(now Now, a *ask, how uint32, rows []byte, out *Batch) {
	switch {
	case d.durable.failed || d.draining:
		return // it is recorded to be due: the next start finds it
	case how == LoadFailed:
		d.fireLater(now, a)
		return
	case d.isOldRule(a, out):
		return
	}
	w := (&reader{b: rows}).row(3)
	if w.value == nil {
		return // it is deleted
	}
	r, err := DecodeRule(w.value)
	switch {
	case err != nil:
		d.stats.Unread++
	case r.Next != a.at: // it was changed, or has fired
	case r.Next > now.Wall: // the clock was set back
		d.awaitRule(now, a.id, r.Next)
	case d.mayRun(&r) != 0:
		d.fireLater(now, a)
	default:
		d.fire(now, a, &r, &w, out)
	}
}

// fireLater tries once more in a while.
func (d *Dispatcher) fireLater(now Now, a *ask) {
	if d.stats.Schedule+d.due.limits.used() >= d.cfg.Near {
		d.due.further(a.at)
		d.due.pause = max(d.due.pause, now.Mono+laterAfter)
		return
	}
	n, l := d.due.limits.take()
	*l = limit{id: a.id, at: a.at, rule: true}
	d.follow(now)
	d.wheel.Add(now.Wall+laterAfter, n|timerDoom)
}

// mayRun says why no run of a schedule can be made now; 0 if one can.
func (d *Dispatcher) mayRun(r *StoredRule) Reason {
	why := d.mayPromise()
	if why == 0 && d.names.find(r.Task, 0) == 0 && len(d.names.index) >= d.cfg.MaxNames {
		why = TooManyName
	}
	return why
}

// fire makes the runs of a schedule whose time has come, and says when that is next.
func (d *Dispatcher) fire(now Now, a *ask, old *StoredRule, w *row, out *Batch) {
	r := *old
	times := d.timesOf(now, &r)
	last := lastRun{d: d, id: r.Last, w: w}
	running := last.isUnfinished()
	if running && r.Overlap == OverlapReplace && len(times) > 0 && d.mustAskAgain(a, r.Last, out) {
		return
	}
	all := len(times)
	switch {
	case all == 0 || r.Overlap == OverlapAllow:
	case r.Overlap == OverlapReplace:
		times = times[all-1:] // the others would be replaced at once
		if running {
			last.cancel(now, out)
		}
	case running:
		times = nil
	default:
		times = times[:1] // of which the others would have to wait
	}
	r.Skipped += uint64(all - len(times))
	for _, at := range times {
		r.Last, r.LastAt = d.runOf(now, &r, at, out), at
		r.Runs++
	}
	d.writeRule(now, a.id, old, &r, out)
}

// timesOf are the times of a schedule that have come, and are to have a run each as far as the last one allows it. It notes
// when it is due next.
func (d *Dispatcher) timesOf(now Now, r *StoredRule) (times []int64) {
	at, late := r.Next, now.Wall-lateAfter
	if at < late {
		switch r.CatchUp {
		case CatchUpNone:
			at = d.nextOf(r, late-1)
		case CatchUpOne:
			at = d.latest(r, now.Wall, 1)
		default:
			at = d.latest(r, now.Wall, MaxCatchUp)
		}
		end := at - 1
		if at == 0 {
			end = late - 1
		}
		r.Missed += uint64(d.count(r, r.Next-1, end, countMost))
		r.Passed = max(r.Passed, end)
	}
	for bytes := 0; at != 0 && at <= now.Wall && len(times) < fireRuns && bytes < fireBytes; bytes += len(r.Body) {
		times = append(times, at)
		r.Passed = max(r.Passed, at)
		at = d.nextOf(r, at)
	}
	r.Next = at
	return times
}

// count is how many times of a schedule there are after one, up to another; so many at most.
func (d *Dispatcher) count(r *StoredRule, after, to int64, most int) (n int) {
	for n < most {
		if after = d.nextOf(r, after); after == 0 || after > to {
			break
		}
		n++
	}
	return n
}

// latest is the first of the latest times of a schedule, so many at most, that have come since it was due.
func (d *Dispatcher) latest(r *StoredRule, now int64, most int) int64 {
	low, high := r.Next-1, now // after high there are few enough
	if d.count(r, low, now, most+1) <= most {
		return r.Next
	}
	for high-low > 1 {
		if middle := low + (high-low)/2; d.count(r, middle, now, most+1) <= most {
			high = middle
		} else {
			low = middle
		}
	}
	return d.nextOf(r, high)
}

// runOf makes a run of a schedule, for one of its times. No worker gets it before it is durable: after a crash, its time makes another.
func (d *Dispatcher) runOf(now Now, rule *StoredRule, at int64, out *Batch) ID {
	terms, err := DecodeTerms(rule.Terms)
	if err != nil {
		d.stats.Unread++ // it runs as if nothing was said
	}
	num := d.numberOf(rule.Task)
	n := d.names.all[num]
	n.refs++ // until it stands somewhere
	stamp := d.stamp(now)
	d.labels = append(append(append(append(d.labels[:0], terms.Labels...), "schedule:"...), rule.Name...), '\n')
	r := StoredRun{
		Policy: terms.policy(d.cfg.policy(n.text)), Created: now.Wall, Due: at, Rank: rank(terms.Priority),
		Name: n.text, Callback: terms.Callback, Labels: d.labels, Body: rule.Body,
	}
	k := stored{id: newID(stamp, d.random.Uint64()), num: num, place: uint64(r.Rank)<<rankShift | stamp, due: true}
	d.recordRun(&k, &r, &submit{}, out)
	d.stats.Accepted++
	d.hold(now, &k, &r, out)
	d.names.drop(num)
	return k.id
}

// lastRun is the run of a schedule that came before.
type lastRun struct {
	d  *Dispatcher
	id ID
	w  *row // what was found of it in the store
}

// live is its slot, if it is in memory.
func (l *lastRun) live() (uint32, *task) {
	if slot := l.d.runs[l.id]; slot != 0 {
		return slot, l.d.tasks.at(slot)
	}
	return 0, nil
}

// isUnfinished tells whether it is not finished. What is in memory is newer than what was found.
func (l *lastRun) isUnfinished() bool {
	switch _, t := l.live(); {
	case l.id == ID{}:
		return false
	case t != nil && t.state == settling:
		return !l.d.promises.at(t.promise).gone
	case t != nil:
		return true
	}
	return l.w.also[0] != nil && l.w.also[2] == nil
}

// cancel cancels it if it waits, and asks its worker to stop if it runs.
func (l *lastRun) cancel(now Now, out *Batch) {
	d := l.d
	switch slot, t := l.live(); {
	case t == nil || t.state == settling:
		if k, r, ok := d.storedRun(l.id, l.w); ok {
			d.endStored(now, &k, &r, Cancelled, out)
		}
	case t.state != leased:
		d.endRun(now, slot, t, Cancelled, nil, out)
	default:
		if p := d.promises.at(t.promise); !p.stop {
			p.stop = true
			d.askToStop(d.peer(t.holder()).worker, slot, t, out)
		}
	}
}
