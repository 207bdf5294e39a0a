package dispatch

import "workman/schedule"

// promise is what a run in memory has beside its task, and a call that has a deadline or a traceparent, or is lent: that one
// has no id.
type promise struct {
	id       ID
	policy   Policy
	created  int64
	deadline int64 // wall clock; 0: none
	due      int64 // while recorded under TableDue: when
	what     byte  // and what for; recorded says whether it is
	dueRow   bool  // it is recorded under TableDue, not under TableQueue
	status   bool  // there is something of it under TableStatus
	freed    bool  // its limits do not count any more
	gone     bool  // settling: it is finished, or forgotten
	calls    bool  // somebody is to be called with the outcome
	stop     bool  // its worker was asked to stop
	began    int64
	attempts int // that are over
	failures int
	history  block
	historyN uint32
	size     int            // bytes that the run takes in the store
	safe     uint64         // the batch that must be safe before a worker gets it, if it came with a key
	n, turn  uint64         // settling: the batch that the store must have, and which of those that settled it is
	limit    schedule.Timer // of its time to live or its deadline, on the wall clock
	limited  bool
	lapse    schedule.Timer // of its attempt, on the other
	lapses   bool
	timeout  int64 // with a worker: when the attempt has taken too long, on that clock; 0: never
	lent     int64 // and when its lease is over; 0: it is not lent

	progress   block // what the worker said last of how far it is
	progressN  uint32
	progressAt int64 // wall clock
	trace      block // of a call: its traceparent. That of a run is with its options
	traceN     uint32
}

// promiseOf is a task's promise, or nil.
func (d *Dispatcher) promiseOf(t *task) *promise {
	if t.promise == 0 {
		return nil
	}
	return d.promises.at(t.promise)
}

// isRun tells a run from a call.
func (d *Dispatcher) isRun(t *task) bool {
	return t.promise != 0 && d.promises.at(t.promise).id != ID{}
}

// request takes a request that says more than the seed's could.
func (d *Dispatcher) request(now Now, from Conn, ev *Event, base []byte, out *Batch) {
	s := submit{from: from, seq: ev.Seq, nonce: ev.Nonce.Of(base), name: ev.Name.Of(base), body: ev.Body.Of(base), raw: ev.Terms.Of(base), more: ev.Count != 0}
	if ev.Terms.Len > 0 {
		if err := s.decode(ev.Terms.Of(base)); err != nil {
			d.turnDown(&s, TooLarge, out)
			return
		}
	} else {
		s.Terms = NewTerms()
	}
	if ev.Kind == ScheduleTask {
		s.Promise, s.Reply, s.at = true, ReplyID, ev.At
	}
	switch {
	case d.peer(from).calls >= d.cfg.ConnTasks:
		d.turnDown(&s, TooManyHere, out)
	case s.Staffed && !d.staffed(s.name):
		d.turnDown(&s, Nobody, out)
	case !s.Promise:
		d.limitedCall(now, ev, base, &s, out)
	case len(s.Key) > 0:
		d.runOfKey(now, &s, out)
	default:
		d.promise(now, &s, out)
	}
}

// submit is a request for a run, whole. Its slices are somebody else's.
type submit struct {
	Terms
	from  Conn
	seq   uint64
	nonce []byte
	name  []byte
	body  []byte
	at    int64    // of a schedule; 0: now
	more  bool     // the next one is of the same request
	hash  [16]byte // of name and key
	raw   []byte   // the terms as they came
}

func (d *Dispatcher) turnDown(s *submit, why Reason, out *Batch) {
	d.stats.Refused++
	refuse(out, s.from, s.seq, s.nonce, why)
}

func (d *Dispatcher) staffed(name []byte) bool {
	num := d.names.find(name, 0)
	return num != 0 && d.names.all[num].workers > 0
}

// limitedCall takes a call that has a priority, a deadline or a time to live.
func (d *Dispatcher) limitedCall(now Now, ev *Event, base []byte, s *submit, out *Batch) {
	end := s.Deadline
	if at := later(now.Wall, s.TTL); s.TTL > 0 && (end == 0 || at < end) {
		end = at
	}
	if end != 0 && end <= now.Wall {
		d.turnDown(s, TooLate, out)
		return
	}
	slot, t := d.call(s.from, ev, base, out)
	if t == nil {
		return
	}
	if end != 0 || len(s.Traceparent) > 0 {
		var p *promise
		t.promise, p = d.promises.take()
		p.deadline, p.created, p.policy.TTL = s.Deadline, now.Wall, max(s.TTL, 0)
		if b, ok := d.bytes.put(s.Traceparent, nil); ok { // who is short of memory does without
			p.trace, p.traceN = b, uint32(len(s.Traceparent))
		}
		d.setLimit(now, slot, p)
	}
	d.enqueue(now, slot, t, rank(s.Priority), out)
}

// mayPromise says why no run can be accepted now; 0 if one can.
func (d *Dispatcher) mayPromise() Reason {
	switch q := &d.durable; {
	case d.draining:
		return Draining
	case q.failed || !d.cfg.Durable:
		return NotStored
	case q.low || q.unsafe >= d.cfg.MaxUnsafe:
		return StoreFull
	case d.waits.used() >= d.cfg.MaxTasks:
		return TooMany
	}
	return 0
}

// promise accepts a run: it is recorded, put in line or on the timetable as far as there is memory, and acknowledged once
// the record is durable.
func (d *Dispatcher) promise(now Now, s *submit, out *Batch) {
	why := d.mayPromise()
	num := uint32(0)
	if why == 0 && len(s.body) > d.cfg.MaxRun {
		why = TooLarge
	}
	if why == 0 {
		if num = d.nameOf(s.from, s.name); num == 0 {
			why = TooManyName
		}
	}
	if why != 0 {
		d.turnDown(s, why, out)
		return
	}
	n := d.names.all[num]
	n.refs++ // until it stands somewhere
	stamp := d.stamp(now)
	r := StoredRun{
		Policy: s.policy(d.cfg.policy(s.name)), Created: now.Wall, Deadline: s.Deadline, Rank: rank(s.Priority),
		Name: n.text, Key: s.Key, Traceparent: s.Traceparent, Callback: s.Callback, Labels: s.Labels, Body: s.body,
	}
	id := newID(stamp, d.random.Uint64())
	if len(s.Key) > 0 {
		r.BodyHash = hashOf(s.body)
		if d.mayHold(n, n.queue.lane(r.Rank)) {
			r.Due = now.Wall // see hold
		}
	}
	if s.at > now.Wall {
		r.Due = s.at
	}
	k := stored{id: id, num: num, place: uint64(r.Rank)<<rankShift | stamp, due: r.Due > 0}
	d.recordRun(&k, &r, s, out)
	d.stats.Accepted++
	state := Pending
	switch {
	case s.at > now.Wall:
		state = Waiting
		d.await(now, &k, &r, out)
	case k.due:
		d.hold(now, &k, &r, out)
	case len(s.Key) > 0:
		d.behind(now, &k, &r, n.queue.lane(r.Rank), out)
	default:
		d.line(now, &k, &r, out)
	}
	d.acknowledge(now, s, id, state, false, out)
	d.names.drop(num)
}

// stored is a run that is recorded, and where.
type stored struct {
	id     ID
	num    uint32
	place  uint64
	due    bool // under TableDue as a start or a retry, at status.Due or the run's own, rather than under TableQueue
	size   int  // bytes that it takes in the store, without what becomes of it
	status Status
}

// recordRun writes down a run that is new.
func (d *Dispatcher) recordRun(k *stored, r *StoredRun, s *submit, out *Batch) {
	k.size = d.put(out, TableRuns, k.id[:], r.Append)
	if k.due {
		d.putDue(out, r.Due, k.id, DueStart, r.Rank, r.Name)
	} else {
		d.putQueue(out, r.Name, k.place, k.id)
	}
	if len(s.Key) > 0 {
		d.put(out, TableKeys, s.hash[:], bytesOf(k.id[:]))
		d.keyed(s, k.id, out)
	}
	for what, at := range limits(r) {
		if at > 0 {
			d.putDue(out, at, k.id, byte(what)+DueTTL, r.Rank, nil)
		}
	}
}

// limits are when a run's time to live and its deadline come; 0 is never.
func limits(r *StoredRun) (at [2]int64) {
	if r.TTL > 0 {
		at[0] = later(max(r.Created, r.Due), r.TTL)
	}
	at[1] = r.Deadline
	return at
}

// acknowledge sees that who asked for a run is answered. attached says that the run was there before.
func (d *Dispatcher) acknowledge(now Now, s *submit, id ID, state RunState, attached bool, out *Batch) {
	if s.Reply == ReplyResult {
		d.wait(now, id, waiter{conn: s.from, seq: s.seq, n: d.durable.batches}, s.nonce, s.name, s.Wait)
		return
	}
	kind := Accepted
	if s.Reply == ReplyID {
		kind = Scheduled
	}
	v := View{ID: id, State: state, Name: s.name, Attached: attached}
	d.scratch = v.Append(d.scratch[:0])
	d.park(Effect{Kind: kind, To: s.from, Seq: s.seq, Nonce: s.nonce, Body: d.scratch}, out)
}

// remember makes a run one in memory: a task in no list, with its bytes. It reports false if there is no room.
func (d *Dispatcher) remember(k *stored, r *StoredRun) (uint32, *task, bool) {
	if !d.roomForRuns() {
		return 0, nil, false
	}
	data, ok := d.bytes.put(r.Traceparent, r.Body)
	if !ok {
		return 0, nil, false
	}
	var history block
	if len(k.status.History) > 0 {
		if history, ok = d.bytes.put(k.status.History, nil); !ok {
			d.bytes.release(data)
			return 0, nil, false
		}
	}
	slot := d.runs[k.id] // what settles may come back
	var t *task
	if slot != 0 {
		t = d.tasks.at(slot)
	} else {
		slot, t = d.tasks.take()
		t.promise, _ = d.promises.take()
		d.runs[k.id] = slot
		t.name = k.num
		d.names.all[k.num].refs++
	}
	t.data, t.nonceLen, t.bodyLen = data, uint32(len(r.Traceparent)), uint32(len(r.Body))
	t.place, t.losses = k.place, uint8(k.status.Losses)
	p := d.promises.at(t.promise)
	*p = promise{
		id: k.id, policy: r.Policy, created: max(r.Created, r.Due), deadline: r.Deadline, calls: len(r.Callback) > 0,
		attempts: k.status.Attempts, failures: k.status.Failures,
		history: history, historyN: uint32(len(k.status.History)), size: k.size, dueRow: k.due,
		status: k.status.Place > 0 || k.status.Due > 0,
	}
	if k.due {
		p.due, p.what = k.dueOf(r)
	}
	if k.status.Freed {
		p.freed, p.policy.TTL, p.deadline = true, 0, 0
	}
	return slot, t, true
}

// settle keeps a run's slot, in no list any more, until the store has all that was written so far, and all that was loaded
// meanwhile, which may be older, has come. Its bytes go at once.
func (d *Dispatcher) settle(slot uint32, t *task) {
	p, q := d.promises.at(t.promise), &d.durable
	d.unlimit(p)
	d.bytes.release(t.data)
	d.bytes.release(p.history)
	t.data, p.history, p.historyN = block{}, block{}, 0
	t.nonceLen, t.bodyLen = 0, 0
	q.turns++
	t.state, p.n, p.turn = settling, q.batches, q.turns
	s := settled{n: p.n, turn: p.turn, slot: slot}
	switch {
	case q.failed || q.batches == q.committed && d.asks.oldest() > d.asks.asked:
		d.free(s)
	case q.batches == q.committed:
		s.n = d.asks.asked
		q.drained.push(s)
	default:
		q.settling.push(s)
	}
}

// free frees a slot that has settled, unless it is in use again.
func (d *Dispatcher) free(s settled) {
	t := d.tasks.at(s.slot)
	if t.state != settling || t.promise == 0 {
		return
	}
	p := d.promises.at(t.promise)
	if p.turn != s.turn {
		return
	}
	delete(d.runs, p.id)
	d.promises.give(t.promise)
	d.names.drop(t.name)
	d.tasks.give(s.slot, t)
}
