package dispatch

// Schedules that recur. One is a row of TableRules, has its name in TableNames, from which lists are made, and while it is
// due at some time a row of TableDue, which is on the timetable when that is soon (due.go). When its time comes, the schedule is loaded, together with its last run; then one
// batch holds the new runs, how far the schedule is, and when it is due next. So a time has its run once, whatever crashes.
//
// Nothing of a schedule is kept in memory but which batch changed it last, until the store can be believed again.

// rules is what is known of schedules whose rows in the store may be older than what was written.
type rules struct {
	written map[ID]uint64     // the batch that changed it last
	order   fifo[ruleWritten] // by batch
	drained fifo[ruleWritten] // safe, and waiting for the loads that were asked before
}

type ruleWritten struct {
	n, load uint64
	id      ID
}

// What an event SetRule asks for beyond that, in its Count.
const (
	RuleIsNew      = 1 << iota // refuse it with RuleThere if there is one of that name
	RulePausedSaid             // whether it is paused is as it says; otherwise that stays as it is
)

// What an event about a schedule asks for, in its At, if that is no Rev: there is to be one, or the event is in vain, since what
// is said of it is true of none.
const (
	RuleIsThere int64 = -1
	RuleIsOther int64 = -2
)

// aboutRule takes an event about a schedule: what is stored of it is loaded first.
func (d *Dispatcher) aboutRule(from Conn, ev *Event, base []byte, out *Batch) {
	body := ev.Body.Of(base)
	a := ask{kind: askRule, event: ev.Kind, conn: from, seq: ev.Seq, at: ev.At, num: ev.Count}
	why := Reason(0)
	if ev.Kind == SetRule {
		if r, err := DecodeRule(body); err == nil {
			a.id = RuleID(r.Name)
		}
	} else {
		a.id = ev.Run().id(base)
	}
	switch {
	case a.id == ID{}:
		why = NoRule
	case !d.cfg.Durable || d.cfg.Next == nil || d.durable.failed:
		why = NotStored
	case !d.askFor(a, nil, nil, nil, body, out):
		why = NoMemory
	}
	if why != 0 {
		d.stats.Refused++
		refuse(out, from, ev.Seq, nil, why)
	}
}

// isOldRule tells whether an answer may be older than what was written of a schedule, and asks once more then.
func (d *Dispatcher) isOldRule(a *ask, out *Batch) bool {
	if d.rules.written[a.id] <= a.committed {
		return false
	}
	d.again(*a, out)
	return true
}

// ruleAsked does what an event wants of a schedule, now that it is known. It reports false if it has to be asked once more.
func (d *Dispatcher) ruleAsked(now Now, a *ask, body []byte, w *row, out *Batch) bool {
	if d.isOldRule(a, out) {
		return false
	}
	var old *StoredRule
	if w.value != nil {
		r, err := DecodeRule(w.value)
		if err != nil {
			d.stats.Unread++
			refuse(out, a.conn, a.seq, nil, NotStored)
			return true
		}
		old = &r
	}
	why := Reason(0)
	switch {
	case !a.isOf(old):
		why = RuleChanged
	case a.event == SetRule:
		why = d.setRule(now, a, old, body, out)
	case old == nil:
		why = NoRule
	case a.event == DropRule:
		d.dropRule(a, old, out)
	case a.event == FireRule:
		why = d.runNow(now, a, old, out)
	default:
		why = d.pauseRule(now, a, old, a.event == PauseRule, out)
	}
	if why != 0 {
		d.stats.Refused++
		refuse(out, a.conn, a.seq, nil, why)
	}
	return true
}

// isOf tells whether an event wants something of a schedule as it is now; nil: there is none.
func (a *ask) isOf(old *StoredRule) bool {
	return a.at == 0 || old != nil && (a.at == RuleIsThere || uint64(a.at) == old.Rev)
}

// setRule makes or changes a schedule. The same once more changes nothing, unless the schedule has stopped since its zone was
// not known, and is now: then it goes on.
func (d *Dispatcher) setRule(now Now, a *ask, old *StoredRule, body []byte, out *Batch) Reason {
	r, err := DecodeRule(body)
	switch {
	case err != nil:
		return NoRule
	case old != nil && a.num&RuleIsNew != 0:
		return RuleThere
	case len(r.Body) > d.cfg.MaxRun:
		return TooLarge
	}
	if why := d.mayPromise(); why != 0 {
		return why
	}
	r = StoredRule{ // what people say of it, and nothing of how far it is
		Created: now.Wall, From: now.Wall, Rev: uint64(max(now.Wall, 1)), Paused: r.Paused, Overlap: r.Overlap, CatchUp: r.CatchUp,
		Name: r.Name, Cron: r.Cron, Zone: r.Zone, Task: r.Task, Terms: r.Terms, Body: r.Body,
	}
	if old != nil {
		if a.num&RulePausedSaid == 0 {
			r.Paused = old.Paused
		}
		if r.isAs(old) && (old.Paused || old.Next > 0 || d.nextOf(old, max(now.Wall, old.Passed)) == 0) {
			d.tellRule(a, old, false, out)
			return 0
		}
		r.Last, r.LastAt, r.Runs, r.Skipped, r.Missed = old.Last, old.LastAt, old.Runs, old.Skipped, old.Missed
		r.Created, r.From, r.Passed, r.Rev = old.Created, old.From, old.Passed, d.nextRev(now, old)
		if !r.isTimedAs(old) {
			r.From, r.Passed = now.Wall, 0
		}
	}
	d.goOn(now, &r)
	d.writeRule(now, a.id, old, &r, out)
	d.tellRule(a, &r, old == nil, out)
	return 0
}

func (d *Dispatcher) nextRev(now Now, old *StoredRule) uint64 {
	return max(old.Rev+1, uint64(max(now.Wall, 1)))
}

// goOn has a schedule go on from now, or not at all while it is paused. What has passed does not come again.
func (d *Dispatcher) goOn(now Now, r *StoredRule) {
	if r.Next = 0; !r.Paused {
		r.Next = d.nextOf(r, max(now.Wall, r.Passed))
	}
}

// nextOf is the first time of a schedule after another; 0 if there is none.
func (d *Dispatcher) nextOf(r *StoredRule, after int64) int64 {
	if at := d.cfg.Next(r.Cron, r.Zone, r.From, after); at > after {
		return at
	}
	return 0
}

// pauseRule pauses a schedule, or has it go on.
func (d *Dispatcher) pauseRule(now Now, a *ask, old *StoredRule, pause bool, out *Batch) Reason {
	if old.Paused == pause {
		d.tellRule(a, old, false, out)
		return 0
	}
	if why := d.mayPromise(); why != 0 && !pause {
		return why
	}
	r := *old
	r.Paused, r.Rev = pause, d.nextRev(now, old)
	d.goOn(now, &r)
	d.writeRule(now, a.id, old, &r, out)
	d.tellRule(a, &r, false, out)
	return 0
}

func (d *Dispatcher) dropRule(a *ask, old *StoredRule, out *Batch) {
	if old.Next > 0 {
		d.delDue(out, old.Next, a.id, DueRule)
	}
	d.del(out, TableRules, a.id[:])
	d.del(out, TableNames, old.Name)
	d.ruleIsWritten(a.id, out)
	d.park(Effect{Kind: RuleGone, To: a.conn, Seq: a.seq}, out)
}

// runNow makes a run of a schedule beside its times, whether the last is finished or not.
func (d *Dispatcher) runNow(now Now, a *ask, old *StoredRule, out *Batch) Reason {
	if why := d.mayRun(old); why != 0 {
		return why
	}
	r := *old
	r.Last, r.LastAt = d.runOf(now, &r, now.Wall, out), now.Wall
	r.Runs++
	d.writeRule(now, a.id, old, &r, out)
	v := View{ID: r.Last, State: Pending, Name: r.Task}
	d.scratch = v.Append(d.scratch[:0])
	d.park(Effect{Kind: Accepted, To: a.conn, Seq: a.seq, Body: d.scratch}, out)
	return 0
}

// tellRule shows a schedule once what was written of it is safe.
func (d *Dispatcher) tellRule(a *ask, r *StoredRule, isNew bool, out *Batch) {
	d.scratch = r.Append(d.scratch[:0])
	d.park(Effect{Kind: RuleIs, To: a.conn, Seq: a.seq, Found: isNew, Body: d.scratch}, out)
}

// writeRule records a schedule as it is now, and when it is due. old is how it was; nil if it is new.
func (d *Dispatcher) writeRule(now Now, id ID, old, r *StoredRule, out *Batch) {
	d.put(out, TableRules, id[:], r.Append)
	d.ruleIsWritten(id, out)
	switch {
	case old == nil:
		d.put(out, TableNames, r.Name, nil)
	case old.Next == r.Next:
		return
	case old.Next > 0:
		d.delDue(out, old.Next, id, DueRule)
	}
	if r.Next > 0 {
		d.putDue(out, r.Next, id, DueRule, 0, nil)
		d.awaitRule(now, id, r.Next)
	}
}

// awaitRule puts a schedule that is recorded under TableDue on the timetable, if its time is soon and there is room.
func (d *Dispatcher) awaitRule(now Now, id ID, at int64) {
	if !d.onTimetable(at) {
		d.due.further(at)
		return
	}
	n, l := d.due.limits.take()
	*l = limit{id: id, at: at, rule: true}
	d.follow(now)
	d.wheel.Add(at, n|timerDoom)
}

func (d *Dispatcher) ruleIsWritten(id ID, out *Batch) {
	q := &d.rules
	if q.written == nil {
		q.written = map[ID]uint64{}
	}
	q.written[id] = out.N
	q.order.push(ruleWritten{n: out.N, id: id})
}

// safe notes that batches up to n are.
func (q *rules) safe(n, asked uint64) {
	for ; q.order.len() > 0 && q.order.head().n <= n; q.order.pop() {
		w := *q.order.head()
		w.load = asked
		q.drained.push(w)
	}
}

// drain forgets what no load that is not answered can be older than.
func (q *rules) drain(oldest uint64) {
	for ; q.drained.len() > 0 && q.drained.head().load < oldest; q.drained.pop() {
		if w := q.drained.head(); q.written[w.id] == w.n {
			delete(q.written, w.id)
		}
	}
}
