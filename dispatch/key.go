package dispatch

// liveKey is an idempotency key that the store may not know yet.
type liveKey struct {
	id   ID
	body [16]byte
}

type keyOrder struct {
	n    uint64
	hash [16]byte
	id   ID
}

// runOfKey accepts a run under an idempotency key, or attaches to the one that has it. Keys are those of a task: the same
// key for another task is another.
func (d *Dispatcher) runOfKey(now Now, s *submit, out *Batch) {
	s.hash = KeyHash(s.name, s.Key)
	if k, ok := d.durable.keys[s.hash]; ok && !d.durable.failed {
		d.attachLive(now, s, k, out)
		return
	}
	why := d.mayPromise()
	if why == StoreFull {
		why = 0 // it may be known: that takes nothing
	}
	if why == 0 && !d.askFor(s.ask(), s.nonce, s.name, s.raw, s.body, out) {
		why = NoMemory
	}
	if why != 0 {
		d.turnDown(s, why, out)
	}
}

// ask is the question whether a submit's key is known.
func (s *submit) ask() ask {
	a := ask{kind: askKey, event: RunTask, conn: s.from, seq: s.seq, at: s.at, hash: s.hash, more: s.more}
	if s.Reply == ReplyID {
		a.event = ScheduleTask
	}
	return a
}

// keyed notes a key that is being recorded.
func (d *Dispatcher) keyed(s *submit, id ID, out *Batch) {
	q := &d.durable
	if q.keys == nil {
		q.keys = map[[16]byte]liveKey{}
	}
	q.keys[s.hash] = liveKey{id: id, body: hashOf(s.body)}
	q.keyOrder.push(keyOrder{n: out.N, hash: s.hash, id: id})
}

// attachLive attaches to a run that was accepted a moment ago.
func (d *Dispatcher) attachLive(now Now, s *submit, k liveKey, out *Batch) {
	if k.body != hashOf(s.body) {
		d.turnDown(s, KeyReused, out)
		return
	}
	slot := d.runs[k.id]
	if slot != 0 && d.tasks.at(slot).state == settling { // finished, or on the disk by now: the store will know
		if !d.laterFor(s.ask(), s, out) {
			d.turnDown(s, NoMemory, out)
		}
		return
	}
	state := Pending
	if s.at > now.Wall {
		state = Waiting
	}
	d.attach(now, s, k.id, state, out)
}

// laterFor asks about a key when all that was written so far is safe.
func (d *Dispatcher) laterFor(a ask, s *submit, out *Batch) bool {
	if d.asks.held >= d.cfg.MaxTasks {
		return false
	}
	data, ok := d.bytes.putParts(s.nonce, s.name, s.raw, s.body)
	if !ok {
		return false
	}
	a.data, a.nonceLen, a.nameLen, a.rawLen, a.bodyLen = data, len(s.nonce), len(s.name), len(s.raw), len(s.body)
	a.hasNonce = s.nonce != nil
	d.asks.held++
	d.peer(a.conn).calls++
	d.again(a, out)
	return true
}

// attach answers for a run that is not finished, or will be told that it is. stored is its state on the disk.
func (d *Dispatcher) attach(now Now, s *submit, id ID, stored RunState, out *Batch) {
	if slot := d.runs[id]; slot != 0 {
		if live := d.stateOf(d.tasks.at(slot)); live != 0 {
			stored = live
		}
	}
	d.acknowledge(now, s, id, stored, true, out)
}

// keyLoaded goes on with a submit, now that it is known whether the store has its key. It reports false if it has to be
// asked once more.
func (d *Dispatcher) keyLoaded(now Now, a *ask, s *submit, w row, out *Batch) bool {
	id := ID{}
	copy(id[:], w.value)
	if k, ok := d.durable.keys[s.hash]; ok && k.id != id { // accepted meanwhile
		d.attachLive(now, s, k, out)
		return true
	}
	if d.mustAskAgain(a, id, out) {
		return false
	}
	if w.also[0] == nil {
		d.promise(now, s, out)
		return true
	}
	r, err := DecodeRun(w.also[0])
	switch {
	case err != nil:
		d.turnDown(s, NotStored, out)
	case r.BodyHash != hashOf(s.body):
		d.turnDown(s, KeyReused, out)
	case w.also[2] == nil || d.runs[id] != 0 && d.tasks.at(d.runs[id]).state != settling:
		d.attach(now, s, id, d.view(id, 0, &w).State, out)
	default:
		d.tellStored(s, id, &r, w, out)
	}
	return true
}

// tellStored answers with what a finished run came to.
func (d *Dispatcher) tellStored(s *submit, id ID, r *StoredRun, w row, out *Batch) {
	o, err := DecodeOutcome(w.also[2])
	if err != nil {
		d.turnDown(s, NotStored, out)
		return
	}
	kind := Done
	switch s.Reply {
	case ReplyAccepted:
		kind = Accepted
	case ReplyID:
		kind = Scheduled
	}
	v := View{ID: id, State: o.State, Name: r.Name, Outcome: w.also[2], Attached: true}
	d.scratch = v.Append(d.scratch[:0])
	out.Effects = append(out.Effects, d.ownEffect(Effect{Kind: kind, To: s.from, Seq: s.seq, Nonce: s.nonce, Body: d.scratch}))
}
