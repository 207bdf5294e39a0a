package dispatch

import (
	"encoding/binary"
	"encoding/json"
)

// endRun ends a run in memory, wherever it stands: what it came to is recorded, and told once that is safe. result is nil
// if there is none.
func (d *Dispatcher) endRun(now Now, slot uint32, t *task, state RunState, result []byte, out *Batch) {
	p := d.promises.at(t.promise)
	name := d.names.all[t.name].text
	switch t.state {
	case leased:
		w := d.peer(t.holder()).worker
		d.over(p)
		if state == Expired && w.hello {
			d.askToStop(w, slot, t, out)
		}
		d.release(w, t)
	case queued, tailed:
		slot = d.unline(slot, t)
		t = d.tasks.at(slot)
		d.want(now, t.name, d.names.all[t.name].queue.lane(t.rank()), t.rank(), out)
	case scheduled:
		d.wheel.Cancel(t.timer())
		d.unscheduled(t)
	}
	if !d.durable.failed {
		rank := t.rank()
		if p.dueRow {
			d.delDue(out, p.due, p.id, p.what)
		} else {
			d.delQueue(out, name, t.place)
		}
		o := Outcome{
			State: state, Finished: now.Wall, Attempts: p.attempts, Failures: p.failures, Losses: int(t.losses),
			History: d.bytes.bytes(p.history, int(p.historyN)), Result: result,
		}
		if state == Succeeded {
			o.Attempts++
		}
		kept := kept{id: p.id, name: name, limits: p.limits(), status: p.status, calls: p.calls, size: p.size, rank: rank}
		d.recordEnd(now, &kept, &o, &p.policy, out)
	}
	p.gone = true
	d.settle(slot, t)
}

// kept is what has to be known of a run to record its end.
type kept struct {
	id     ID
	name   []byte
	rank   uint8
	limits [2]int64
	status bool // there may be one
	calls  bool
	size   int
}

// recordEnd writes down what a run came to; what it was recorded under is deleted already.
func (d *Dispatcher) recordEnd(now Now, k *kept, o *Outcome, policy *Policy, out *Batch) {
	keep := policy.Keep
	if o.State == Dead {
		keep = policy.KeepDead
		d.stats.Died++
	} else if o.State == Succeeded {
		d.stats.Succeeded++
	}
	o.Expires = now.Wall + keep
	if k.status {
		d.del(out, TableStatus, k.id[:])
	}
	for i, at := range k.limits {
		if at > 0 {
			d.delDue(out, at, k.id, byte(i)+DueTTL)
		}
	}
	size := k.size + d.put(out, TableOutcomes, k.id[:], o.Append)
	outcome := out.Ops[len(out.Ops)-1].Value
	d.key = AppendExpiryKey(d.key[:0], o.Expires, k.id)
	d.put(out, TableExpiry, d.key, func(dst []byte) []byte { return binary.AppendUvarint(dst, uint64(size)) })
	if o.State != Succeeded {
		d.key = AppendFailedKey(d.key[:0], o.State, k.name, k.id)
		d.put(out, TableFailed, d.key, nil)
	}
	d.keptIs(o.Expires, size)
	if d.waits.of[k.id] != 0 {
		d.tellWaiters(k.id, o.State, k.name, outcome.Of(out.Data), out)
	}
	if k.calls {
		d.put(out, TableCalls, k.id[:], nil)
		d.durable.parked.push(parked{n: d.durable.batches, call: k.id})
		d.durable.unsafe += (&parked{}).weight()
	}
}

// runResult takes a worker's answer to a run that it holds.
func (d *Dispatcher) runResult(now Now, slot uint32, t *task, body []byte, out *Batch) {
	d.stats.Finished++
	if len(body) > d.cfg.MaxRun {
		d.attemptFailed(now, slot, t, tooLargeProblem, Never, out)
		return
	}
	d.endRun(now, slot, t, Succeeded, body, out)
}

// attemptFailed takes a worker's word that it could not do what it holds. after is milliseconds, Usually or Never.
func (d *Dispatcher) attemptFailed(now Now, slot uint32, t *task, problem []byte, after int64, out *Batch) {
	p := d.promises.at(t.promise)
	d.stats.Failures++
	d.over(p)
	d.release(d.peer(t.holder()).worker, t)
	t.state = free
	d.remembers(now, p, problem)
	p.failures++
	switch {
	case d.durable.failed:
		d.settle(slot, t)
	case p.stop:
		d.endFree(now, slot, t, Cancelled, out)
	case after == Never || p.failures >= p.policy.Attempts:
		d.endFree(now, slot, t, Dead, out)
	default:
		at := later(now.Wall, after)
		if after < 0 {
			at = now.Wall + d.backOff(p)
		}
		d.retryAt(now, slot, t, at, out)
	}
}

// endFree is endRun for a run that stands nowhere.
func (d *Dispatcher) endFree(now Now, slot uint32, t *task, state RunState, out *Batch) {
	d.endRun(now, slot, t, state, nil, out)
}

// remembers adds an attempt to a run's history. The oldest go when there are more than MaxHistory.
func (d *Dispatcher) remembers(now Now, p *promise, problem []byte) {
	p.attempts++
	history := d.bytes.bytes(p.history, int(p.historyN))
	if all, err := Attempts(history); err == nil && len(all) >= MaxHistory {
		rest := reader{b: history}
		rest.uvarint()
		rest.uvarint()
		rest.uvarint()
		rest.bytes()
		history = rest.b
	}
	if len(problem) > MaxError {
		problem = beginning(problem)
	}
	a := Attempt{Number: p.attempts, Began: p.began, Ended: now.Wall, Error: problem}
	d.scratch = a.Append(append(d.scratch[:0], history...))
	d.bytes.release(p.history)
	p.history, p.historyN = d.bytes.putAll(d.scratch, nil, nil), uint32(len(d.scratch))
}

// beginning is an error that says how one that is too long to be kept begins.
func beginning(problem []byte) []byte {
	text, err := json.Marshal(string(problem[:MaxError/8])) // each of its bytes may take six
	if err != nil {
		return nil
	}
	return append(append([]byte(`{"title":"Error too long to be kept","detail":`), text...), '}')
}

// backOff is how long a run waits for its next attempt: a random part of a time that doubles with each failure (full
// jitter: Marc Brooker, "Exponential Backoff and Jitter", 2015).
func (d *Dispatcher) backOff(p *promise) int64 {
	most := p.policy.Backoff
	for i := 1; i < p.failures && most < p.policy.BackoffMax; i++ {
		most *= 2
	}
	most = min(most, p.policy.BackoffMax)
	if most <= 0 {
		return 0
	}
	return int64(d.random.Uint64()>>1) % (most + 1)
}

// retryAt has a run that stands nowhere wait for its next attempt.
func (d *Dispatcher) retryAt(now Now, slot uint32, t *task, at int64, out *Batch) {
	p := d.promises.at(t.promise)
	name := d.names.all[t.name].text
	if p.dueRow {
		d.delDue(out, p.due, p.id, p.what)
	} else {
		d.delQueue(out, name, t.place)
	}
	p.due, p.what, p.dueRow = at, DueRetry, true
	d.putDue(out, at, p.id, DueRetry, t.rank(), name)
	d.putStatus(out, t, p, Status{Due: at})
	if d.onTimetable(at) {
		d.setStart(now, slot, t)
		return
	}
	d.due.further(at)
	d.doomed(now, p.id, p.pending(), out)
	d.settle(slot, t)
}

// workerLost takes back a run whose worker is gone, or did not answer before its lease was over, as the problem says, and reports whether it is to be tried again.
func (d *Dispatcher) workerLost(now Now, slot uint32, t *task, problem []byte, out *Batch) bool {
	p := d.promises.at(t.promise)
	d.over(p)
	t.state = free
	if d.durable.failed {
		d.settle(slot, t)
		return false
	}
	d.remembers(now, p, problem)
	switch {
	case p.stop:
		d.endFree(now, slot, t, Cancelled, out)
	case int(t.losses) >= d.cfg.Losses:
		d.stats.GivenUp++
		d.endFree(now, slot, t, Dead, out)
	default:
		if p.dueRow {
			d.moveToQueue(t, p, out)
		} else {
			d.putStatus(out, t, p, Status{Place: t.stamp()})
		}
		if d.expireIfLate(now, slot, t, out) {
			return false
		}
		if !d.draining {
			return true
		}
		d.settle(slot, t)
	}
	return false
}

var (
	workerLostProblem = []byte(`{"type":"urn:workman:problem:worker-lost","title":"Worker lost","detail":"the connection of the worker that had it ended before its answer"}`)
	leaseOverProblem  = []byte(`{"type":"urn:workman:problem:worker-lost","title":"Worker lost","detail":"the lease of the worker that had it was over before its answer"}`)
	tooLargeProblem   = []byte(`{"type":"urn:workman:problem:result-too-large","title":"Result too large","detail":"the result has more bytes than can be stored of one run"}`)
	timeoutProblem    = []byte(`{"type":"urn:workman:problem:timeout","title":"Attempt timed out","detail":"the worker did not answer within the attempt's timeout"}`)
)

// askToStop tells a worker that understands it that nobody wants a task's result any more.
func (d *Dispatcher) askToStop(w *worker, slot uint32, t *task, out *Batch) {
	if w != nil && w.hello && !w.conn.isPseudo() {
		e := out.add(Cancel, w.conn)
		e.Token = Token{Slot: slot, Secret: t.secret}
	}
}
