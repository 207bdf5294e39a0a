package dispatch

// asks are the questions to the store that are not answered. An answer says what the store had at some moment since the
// question, so whoever takes it looks first at what is in memory, which is newer: see seen.
type asks struct {
	asked uint64    // numbered so far
	open  fifo[ask] // in the order of their numbers; those done stay until those before are
	busy  int       // Loads of these that are not answered
	wait  fifo[ask] // for room among them
	later fifo[ask] // until the store has their batch
	held  int       // all of those that somebody waits for
}

// askKind is what an answer is wanted for.
type askKind uint8

const (
	askKey     askKind = iota // a submit whose key may be known
	askRun                    // an event about a run, by its kind
	askLane                   // the next runs behind a gap
	askDue                    // what is due soon
	askExpired                // what is to be forgotten
	askLimit                  // whether a run that is not in memory is to expire
	askRule                   // an event about a schedule, by its kind
	askFire                   // a schedule whose time has come
)

// ask is one question, and who wants to know.
type ask struct {
	kind      askKind
	event     Kind
	done      bool
	last      bool   // of its Load
	more      bool   // the next one is of the same request
	n         uint64 // its number, or the batch it waits for
	committed uint64 // what was safe when it was asked
	conn      Conn
	seq       uint64
	at        int64
	id        ID
	from, to  []byte // of a page
	limit     int
	num       uint32 // lane; of an event about a schedule, its Count
	rank      uint8
	hash      [16]byte

	data                               block // nonce, name, terms, body
	nonceLen, nameLen, rawLen, bodyLen int
	hasNonce                           bool
}

// maxLoads is how many Loads the store has at once, and pageBytes about how much one answer may bring. Keys are looked up
// together, so many at most unless they are of one request, whose runs are to be one batch: so keyBytes of them are answered
// together, which is what a request may have.
const (
	maxLoads    = 256
	pageRows    = 256
	pageBytes   = 1 << 20
	keysAtATime = 256
	keyBytes    = 16 << 20
)

// oldest is the number of the oldest question that is not answered; of the next one, if all are.
func (q *asks) oldest() uint64 {
	if q.open.len() == 0 {
		return q.asked + 1
	}
	return q.open.head().n
}

// ask asks the store, or waits for room to.
func (d *Dispatcher) ask(a ask, out *Batch) {
	q := &d.asks
	with := q.joins(&a, out)
	if with == nil && q.busy >= maxLoads {
		q.wait.push(a)
		return
	}
	q.asked++
	a.n, a.committed, a.last = q.asked, d.durable.committed, true
	if with != nil {
		q.open.last().last = false
		with.Keys = append(with.Keys, a.hash)
		q.open.push(a)
		return
	}
	q.busy++
	l := Load{N: a.n, From: a.from, To: a.to, Limit: a.limit, Bytes: pageBytes, ID: a.id}
	switch a.kind {
	case askKey:
		l.Table, l.Keys, l.Bytes, l.Also = TableKeys, [][16]byte{a.hash}, keyBytes, "raf"
	case askRun, askLimit:
		l.Also = "raf"
	case askRule, askFire:
		l.Table, l.From, l.To, l.Limit, l.Also = TableRules, a.id[:], append(a.id[:], 0), 1, "raf"
	case askLane:
		l.Table, l.Also = TableQueue, "ra"
		l.From, l.To = d.laneBounds(a.num, a.rank)
	case askDue:
		l.Table, l.Also = TableDue, "ra"
	case askExpired:
		l.Table, l.Also = TableExpiry, "rf"
	}
	q.open.push(a)
	out.Loads = append(out.Loads, l)
}

// joins returns the Load that a key is looked up with: the last one of the batch, if that is of keys too. Those of one request
// are one Load, however many. What little comes beside it has a Load of its own, so that it does not wait for all of these.
func (q *asks) joins(a *ask, out *Batch) *Load {
	if a.kind != askKey || len(out.Loads) == 0 {
		return nil
	}
	l := &out.Loads[len(out.Loads)-1]
	if n := len(l.Keys); n == 0 || !q.open.last().more && (a.more || n >= keysAtATime) {
		return nil
	}
	return l
}

// askFor is ask for somebody who waits for the answer. It reports false if there is no memory for that.
func (d *Dispatcher) askFor(a ask, nonce, name, raw, body []byte, out *Batch) bool {
	if d.asks.held >= d.cfg.MaxTasks {
		return false
	}
	data, ok := d.bytes.putParts(nonce, name, raw, body)
	if !ok {
		return false
	}
	a.data, a.nonceLen, a.nameLen, a.rawLen, a.bodyLen = data, len(nonce), len(name), len(raw), len(body)
	a.hasNonce = nonce != nil
	d.asks.held++
	if a.conn != 0 {
		d.peer(a.conn).calls++
	}
	d.ask(a, out)
	return true
}

// forgetAsk lets go of what an ask held.
func (d *Dispatcher) forgetAsk(a *ask) {
	d.bytes.release(a.data)
	d.asks.held--
	if d.here(a.conn) {
		d.peer(a.conn).calls--
	}
}

// parts are the bytes that an ask holds.
func (d *Dispatcher) parts(a *ask) (nonce, name, raw, body []byte) {
	b := d.bytes.bytes(a.data, a.nonceLen+a.nameLen+a.rawLen+a.bodyLen)
	cut := func(n int) []byte {
		part := b[:n:n]
		b = b[n:]
		return part
	}
	nonce, name, raw, body = cut(a.nonceLen), cut(a.nameLen), cut(a.rawLen), cut(a.bodyLen)
	if !a.hasNonce {
		nonce = nil
	}
	if a.bodyLen == 0 {
		body = nil
	}
	return nonce, name, raw, body
}

// again asks once more, when all that was written so far is safe.
func (d *Dispatcher) again(a ask, out *Batch) {
	if a.n = d.durable.batches; a.n == d.durable.committed {
		d.ask(a, out)
		return
	}
	d.asks.later.push(a)
}

// askLater asks what waited for the store to be so far.
func (d *Dispatcher) askLater(out *Batch) {
	for q := &d.asks; q.later.len() > 0 && q.later.head().n <= d.durable.committed; {
		a := *q.later.head()
		q.later.pop()
		d.ask(a, out)
	}
}

// loaded takes an answer.
func (d *Dispatcher) loaded(now Now, ev *Event, base []byte, out *Batch) {
	q := &d.asks
	i := int(ev.Seq - q.oldest())
	if ev.Seq < q.oldest() || i >= q.open.len() || q.open.at(i).done {
		return
	}
	a := *q.open.at(i)
	d.durable.used = d.durable.used || ev.Body.Len > 0
	q.open.at(i).done = true
	if a.last {
		q.busy--
	}
	for q.open.len() > 0 && q.open.head().done {
		q.open.pop()
	}
	d.answer(now, &a, ev.Count, ev.Body.Of(base), out)
	d.drain()
	for q.wait.len() > 0 && (q.busy < maxLoads || q.joins(q.wait.head(), out) != nil) {
		a := *q.wait.head()
		q.wait.pop()
		d.ask(a, out)
	}
}

func (d *Dispatcher) answer(now Now, a *ask, how uint32, rows []byte, out *Batch) {
	switch a.kind {
	case askLane:
		d.laneLoaded(now, a, how, rows, out)
	case askDue:
		d.dueLoaded(now, a, how, rows, out)
	case askExpired:
		d.expiredLoaded(now, a, how, rows, out)
	case askFire:
		d.ruleFires(now, a, how, rows, out)
	case askLimit:
		if how != LoadFailed && !d.durable.failed {
			d.limitLoaded(now, a, rows, out)
		}
	default:
		d.answerFor(now, a, how, rows, out)
	}
}

// answerFor takes an answer that somebody waits for.
func (d *Dispatcher) answerFor(now Now, a *ask, how uint32, rows []byte, out *Batch) {
	nonce, name, raw, body := d.parts(a)
	if how == LoadFailed || d.durable.failed && a.event != ReadRun {
		d.stats.Refused++
		refuse(out, a.conn, a.seq, nonce, NotStored)
		d.forgetAsk(a)
		return
	}
	w := (&reader{b: rows}).row(3)
	if a.kind == askRun {
		if d.mustAskAgain(a, a.id, out) {
			return
		}
		d.asked(now, a, nonce, w, out)
		d.forgetAsk(a)
		return
	}
	if a.kind == askRule {
		if d.ruleAsked(now, a, body, &w, out) {
			d.forgetAsk(a)
		}
		return
	}
	s := submit{Terms: NewTerms(), from: a.conn, seq: a.seq, nonce: nonce, name: name, body: body, at: a.at, hash: a.hash, raw: raw}
	if len(raw) > 0 {
		_ = s.decode(raw) // it was decoded before
	}
	if a.event == ScheduleTask {
		s.Promise, s.Reply = true, ReplyID
	}
	if d.keyLoaded(now, a, &s, w, out) {
		d.forgetAsk(a)
	}
}

// mustAskAgain asks once more, later, if what became of a run may be newer than the answer, and is not in memory any more.
func (d *Dispatcher) mustAskAgain(a *ask, id ID, out *Batch) bool {
	if d.durable.failed { // what became of runs since is in the store or nowhere
		if a.committed == d.durable.committed {
			return false
		}
		d.ask(*a, out)
		return true
	}
	slot := d.runs[id]
	if slot == 0 {
		return false
	}
	t := d.tasks.at(slot)
	if t.state != settling || d.promises.at(t.promise).n <= a.committed {
		return false
	}
	d.again(*a, out)
	return true
}

// giveUp refuses whoever waits for an answer: there will be none.
func (q *asks) giveUp(d *Dispatcher, why Reason, out *Batch) {
	for _, f := range [...]*fifo[ask]{&q.wait, &q.later} {
		for ; f.len() > 0; f.pop() {
			a := f.head()
			if a.kind != askKey && a.kind != askRun && a.kind != askRule {
				continue
			}
			nonce, _, _, _ := d.parts(a)
			d.stats.Refused++
			refuse(out, a.conn, a.seq, nonce, why)
			d.forgetAsk(a)
		}
	}
}
