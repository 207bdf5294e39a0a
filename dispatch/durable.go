package dispatch

// durable is what waits for the store. Effects that promise something are parked, in the order of their records, until
// the store says that the records are safe; nothing else waits for them.
type durable struct {
	records uint64   // numbered so far
	parked  []parked // from first on; what is before has left
	first   int
	removed map[Token]struct{} // schedules that records not committed yet remove: the store may still find these,
	order   []Record           // and those records
	loads   map[uint64]parked  // asked of the store, by number
	loaded  uint64             // loads numbered so far
	failed  bool
}

// parked is an effect that waits for a record.
type parked struct {
	n        uint64
	effect   Effect // its Nonce is in data
	data     block
	nonceLen int
}

// record numbers a record and appends it.
func (d *Dispatcher) record(r Record, out *Batch) {
	d.durable.records++
	r.N = d.durable.records
	out.Records = append(out.Records, r)
	if r.Kind == RecordRemoved {
		if d.durable.removed == nil {
			d.durable.removed = map[Token]struct{}{}
		}
		d.durable.removed[r.Token] = struct{}{}
		d.durable.order = append(d.durable.order, r)
	}
}

// isRemoved reports whether a schedule was removed by a record that the store may not know yet.
func (d *Dispatcher) isRemoved(t Token) bool {
	_, ok := d.durable.removed[t]
	return ok
}

// park keeps an effect; it reports false if there is no memory for its nonce.
func (d *Dispatcher) park(e Effect) (parked, bool) {
	data, ok := d.bytes.put(e.Nonce, nil)
	p := parked{n: d.durable.records + 1, effect: e, data: data, nonceLen: len(e.Nonce)}
	p.effect.Nonce = nil
	return p, ok
}

// unpark appends a parked effect as it is now.
func (d *Dispatcher) unpark(p parked, out *Batch) {
	p.effect.Nonce = d.bytes.bytes(p.data, p.nonceLen)
	out.Effects = append(out.Effects, p.effect)
	d.bytes.release(p.data)
}

// committed releases what waited for the records up to n.
func (d *Dispatcher) committed(n uint64, out *Batch) {
	q := &d.durable
	for len(q.order) > 0 && q.order[0].N <= n {
		delete(q.removed, q.order[0].Token)
		q.order = q.order[1:]
	}
	for ; q.first < len(q.parked) && q.parked[q.first].n <= n; q.first++ {
		d.unpark(q.parked[q.first], out)
		q.parked[q.first] = parked{}
	}
	if q.first*2 >= len(q.parked) { // each is moved at most once for each that left
		q.parked = append(q.parked[:0], q.parked[q.first:]...)
		q.first = 0
	}
}

// commitFailed keeps the promises up to n, takes back those after it, and makes none any more.
func (d *Dispatcher) commitFailed(n uint64, out *Batch) {
	d.committed(n, out)
	d.durable.failed = true
	for _, p := range d.durable.parked[d.durable.first:] {
		if p.effect.Kind == Scheduled {
			if t := d.tasks.find(p.effect.Token, scheduled); t != nil {
				d.wheel.Cancel(t.timer())
				d.forget(p.effect.Token.Slot, t)
			}
		}
		d.stats.Refused++
		p.effect = Effect{Kind: Refused, To: p.effect.To, Seq: p.effect.Seq, Reason: NotStored}
		d.unpark(p, out)
	}
	d.durable.parked, d.durable.first = nil, 0
}

// load asks the store for a schedule that memory does not know.
func (d *Dispatcher) load(e Effect, out *Batch) bool {
	p, ok := d.park(e)
	if !ok {
		return false
	}
	if d.durable.loads == nil {
		d.durable.loads = map[uint64]parked{}
	}
	d.durable.loaded++
	d.durable.loads[d.durable.loaded] = p
	out.Loads = append(out.Loads, Load{N: d.durable.loaded, Token: e.Token})
	return true
}

// loaded answers who waited for a load.
func (d *Dispatcher) loaded(ev *Event, out *Batch) {
	p, ok := d.durable.loads[ev.Seq]
	if !ok {
		return
	}
	delete(d.durable.loads, ev.Seq)
	p.effect.Found = ev.Count == 1
	d.unpark(p, out)
}
