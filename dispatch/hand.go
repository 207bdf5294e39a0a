package dispatch

import (
	"cmp"
	"slices"
)

// What a worker may say of a task in its hand, beside its result, and what becomes of one that leaves the hand unanswered.

// stepWorker takes the events of workers that said hello, and of leases.
func (d *Dispatcher) stepWorker(now Now, from Conn, ev *Event, base []byte, out *Batch) {
	if ev.Kind == TakeLease {
		d.takeLease(now, from, ev, base, out)
		return
	}
	if ev.Kind == HandBack && ev.Token == (Token{}) && !ev.ofLease() {
		d.noMore(now, d.worker(from), ev.Count != 0, out)
		return
	}
	t := d.holds(now, from, ev, base, out)
	if t == nil {
		return
	}
	stop := d.isToStop(t)
	switch ev.Kind {
	case Extend:
		d.extend(now, ev.Token.Slot, t, ev.At)
	case Progress:
		d.progress(now, t, ev.Body.Of(base))
	case HandBack:
		d.release(d.peer(t.holder()).worker, t)
		d.handBack(now, ev.Token.Slot, t, out)
		stop = false // it has
	}
	if ev.ofLease() {
		out.Effects = append(out.Effects, Effect{Kind: LeaseTaken, To: from, Seq: ev.Seq, Found: stop})
	}
}

// isToStop tells whether the worker of a task is asked to stop.
func (d *Dispatcher) isToStop(t *task) bool {
	p := d.promiseOf(t)
	return p != nil && p.stop
}

// over forgets what was known of an attempt while it lasted.
func (d *Dispatcher) over(p *promise) {
	if p.lapses {
		d.clock.Cancel(p.lapse)
		p.lapses = false
	}
	p.timeout, p.lent = 0, 0
	d.bytes.release(p.progress)
	p.progress, p.progressN, p.progressAt = block{}, 0, 0
}

// setLapse sets the timer of an attempt: for its timeout or the end of its lease, whichever comes first.
func (d *Dispatcher) setLapse(slot uint32, p *promise) {
	if p.lapses {
		d.clock.Cancel(p.lapse)
		p.lapses = false
	}
	at := p.timeout
	if at == 0 || p.lent != 0 && p.lent < at {
		at = p.lent
	}
	if at != 0 {
		p.lapse, p.lapses = d.clock.Add(at, slot)
	}
}

// extend gives an attempt so many milliseconds from now, if it has not as many left.
func (d *Dispatcher) extend(now Now, slot uint32, t *task, more int64) {
	p := d.promiseOf(t)
	if p == nil || !p.lapses {
		return
	}
	end := later(now.Mono, min(max(more, 0), MaxLease))
	if p.timeout != 0 {
		p.timeout = max(p.timeout, end)
	}
	if p.lent != 0 {
		p.lent = max(p.lent, end)
	}
	d.setLapse(slot, p)
}

// progress remembers what the worker of a run said last of how far it is, if there is memory for it.
func (d *Dispatcher) progress(now Now, t *task, said []byte) {
	if !d.isRun(t) || len(said) > MaxProgress {
		return
	}
	b, ok := d.bytes.put(said, nil)
	if !ok {
		return
	}
	p := d.promises.at(t.promise)
	d.bytes.release(p.progress)
	p.progress, p.progressN, p.progressAt = b, uint32(len(said)), now.Wall
}

// lapsed ends an attempt that took too long, or a lease that was not answered: that one is like a worker that is lost.
func (d *Dispatcher) lapsed(now Now, slot uint32, t *task, out *Batch) {
	p := d.promises.at(t.promise)
	p.lapses = false
	w := d.peer(t.holder()).worker
	if p.timeout == 0 || p.lent != 0 && p.lent < p.timeout {
		d.release(w, t)
		d.lose(now, slot, t, leaseOverProblem, out)
		return
	}
	d.askToStop(w, slot, t, out)
	d.attemptFailed(now, slot, t, timeoutProblem, Usually, out)
}

// takeHand takes all tasks out of a worker's hand. The oldest come first, so that a worker who waits for several names gets
// the oldest of them. What is returned is good until the next call.
func (d *Dispatcher) takeHand(w *worker) []uint32 {
	d.lost = d.lost[:0]
	for slot := w.inHand.head; slot != 0; slot = w.inHand.head {
		d.lost = append(d.lost, slot)
		d.release(w, d.tasks.at(slot))
	}
	slices.SortFunc(d.lost, func(a, b uint32) int {
		return cmp.Compare(d.tasks.at(a).place, d.tasks.at(b).place)
	})
	return d.lost
}

// takeBack finds another worker, or the old place in line, for each task that a lost worker held.
func (d *Dispatcher) takeBack(now Now, w *worker, out *Batch) {
	for _, slot := range d.takeHand(w) {
		d.lose(now, slot, d.tasks.at(slot), workerLostProblem, out)
	}
}

// lose does so for one task, which is in no list, or ends it if it has lost too many workers.
func (d *Dispatcher) lose(now Now, slot uint32, t *task, problem []byte, out *Batch) {
	t.state, t.with, t.secret = free, 0, 0
	t.losses++
	if d.isRun(t) {
		if !d.workerLost(now, slot, t, problem, out) {
			return
		}
	} else {
		d.unlend(t)
		if int(t.losses) >= d.cfg.Losses {
			d.stats.GivenUp++
			d.giveUp(slot, t, WorkersLost, out)
			return
		}
	}
	d.stats.Requeued++
	d.offer(now, slot, t, out)
}

// unlend takes from a call what it has for as long as it is in a hand.
func (d *Dispatcher) unlend(t *task) {
	p := d.promiseOf(t)
	if p == nil {
		return
	}
	d.over(p)
	if p.deadline == 0 && p.policy.TTL == 0 && p.traceN == 0 {
		d.promises.give(t.promise)
		t.promise = 0
	}
}

// noMore makes a worker ready for nothing, and takes back all it has if it gives that back.
func (d *Dispatcher) noMore(now Now, w *worker, all bool, out *Batch) {
	w.credit = 0
	if w.class != nil {
		w.class.notReady(w)
	}
	if !all {
		return
	}
	for _, slot := range d.takeHand(w) {
		d.handBack(now, slot, d.tasks.at(slot), out)
	}
}

// handBack finds another worker, or the old place in line, for a task that its worker has not begun: it costs no attempt, and
// is no loss. The task is in no list.
func (d *Dispatcher) handBack(now Now, slot uint32, t *task, out *Batch) {
	t.state, t.with, t.secret = free, 0, 0
	if d.isRun(t) {
		if !d.runBack(now, slot, t, out) {
			return
		}
	} else if d.callBack(now, slot, t, out) {
		return
	}
	d.stats.Requeued++
	d.offer(now, slot, t, out)
}

// callBack has the limits of a call count again, and reports whether they have ended it.
func (d *Dispatcher) callBack(now Now, slot uint32, t *task, out *Batch) bool {
	d.unlend(t)
	if t.promise == 0 {
		return false
	}
	d.setLimit(now, slot, d.promises.at(t.promise))
	return d.expireIfLate(now, slot, t, out)
}

// runBack sees to it that a run that is handed back waits again, and reports whether it is in memory still, and in no list.
func (d *Dispatcher) runBack(now Now, slot uint32, t *task, out *Batch) bool {
	p := d.promises.at(t.promise)
	d.over(p)
	switch {
	case d.durable.failed:
	case p.stop:
		d.endFree(now, slot, t, Cancelled, out)
		return false
	default:
		d.moveToQueue(t, p, out)
		d.setLimit(now, slot, p) // its time to live counts again
		if d.expireIfLate(now, slot, t, out) {
			return false
		}
		if !d.draining {
			return true
		}
	}
	d.settle(slot, t)
	return false
}
