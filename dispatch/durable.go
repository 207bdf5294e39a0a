package dispatch

import "crypto/sha256"

// durable is what waits for the store. Changes are numbered by batch; effects that promise something are parked until the
// store says that the batch is safe, and nothing else waits for it.
type durable struct {
	batches   uint64 // numbered so far
	committed uint64 // of these, the last that is safe
	sizes     fifo[batchSize]
	unsafe    int64 // bytes of batches that are not safe, and of what is parked
	parked    fifo[parked]
	settling  fifo[settled] // by batch
	drained   fifo[settled] // safe, and waiting for the loads that were asked before
	turns     uint64        // slots that settled so far
	keys      map[[16]byte]liveKey
	keyOrder  fifo[keyOrder] // by batch
	keyDrain  fifo[keyOrder] // as drained
	held      fifo[held]     // by batch
	used      bool           // the store has something of this dispatcher, or had something for it
	failed    bool
	low       bool
}

type batchSize struct {
	n     uint64
	bytes int64
}

// parked is an effect that waits for a batch. Its bytes are in data, one after the other. It holds no pointer: a slow disk may
// have gathered many, and the collector is to pass them by.
type parked struct {
	n                          uint64
	to                         Conn
	seq                        uint64
	token                      Token
	data                       block
	nonceLen, nameLen, bodyLen uint32
	kind                       EffectKind
	found, hasNonce, hasBody   bool
	call                       ID // of a callback, instead of an effect
}

// settled is a slot that is free once the store has the batch n; among those drained, once the load n is answered.
type settled struct {
	n, turn uint64
	slot    uint32
}

// hashOf is the first half of a SHA-256: two inputs with the same one cannot be made.
func hashOf(parts ...[]byte) (h [16]byte) {
	var sum [32]byte
	if len(parts) == 1 {
		sum = sha256.Sum256(parts[0])
	} else {
		w := sha256.New()
		for _, p := range parts {
			w.Write(p)
		}
		w.Sum(sum[:0])
	}
	copy(h[:], sum[:])
	return h
}

// number makes sure that the batch has one.
func (d *Dispatcher) number(out *Batch) {
	if out.N == 0 {
		d.durable.batches++
		d.durable.used = true
		out.N = d.durable.batches
		d.durable.sizes.push(batchSize{n: out.N})
	}
}

func bytesOf(b []byte) func([]byte) []byte {
	return func(dst []byte) []byte { return append(dst, b...) }
}

// put writes a key; value appends what it is set to. It returns how many bytes that has.
func (d *Dispatcher) put(out *Batch, table byte, key []byte, value func(dst []byte) []byte) int {
	d.number(out)
	at := uint32(len(out.Data))
	out.Data = append(out.Data, key...)
	mid := uint32(len(out.Data))
	if value != nil {
		out.Data = value(out.Data)
	}
	end := uint32(len(out.Data))
	out.Ops = append(out.Ops, Op{Table: table, Key: Span{at, mid - at}, Value: Span{mid, end - mid}})
	d.weigh(int(end - at))
	return int(end - mid)
}

// del deletes a key.
func (d *Dispatcher) del(out *Batch, table byte, key []byte) {
	d.number(out)
	at := uint32(len(out.Data))
	out.Data = append(out.Data, key...)
	out.Ops = append(out.Ops, Op{Table: table, Delete: true, Key: Span{at, uint32(len(key))}})
	d.weigh(len(key))
}

// weigh counts bytes of the last batch.
func (d *Dispatcher) weigh(n int) {
	q := &d.durable
	q.unsafe += int64(n)
	q.sizes.last().bytes += int64(n)
}

func (d *Dispatcher) putQueue(out *Batch, name []byte, place uint64, id ID) {
	d.key = AppendQueueKey(d.key[:0], name, uint8(place>>rankShift), place&stampMask)
	d.put(out, TableQueue, d.key, bytesOf(id[:]))
}

func (d *Dispatcher) delQueue(out *Batch, name []byte, place uint64) {
	d.key = AppendQueueKey(d.key[:0], name, uint8(place>>rankShift), place&stampMask)
	d.del(out, TableQueue, d.key)
}

func (d *Dispatcher) putDue(out *Batch, at int64, id ID, what, rank byte, name []byte) {
	d.key = AppendDueKey(d.key[:0], at, id, what)
	d.put(out, TableDue, d.key, func(dst []byte) []byte { return append(append(dst, rank), name...) })
}

func (d *Dispatcher) delDue(out *Batch, at int64, id ID, what byte) {
	d.key = AppendDueKey(d.key[:0], at, id, what)
	d.del(out, TableDue, d.key)
}

// park keeps an effect until all that was written so far is safe.
func (d *Dispatcher) park(e Effect, out *Batch) {
	q := &d.durable
	if q.failed {
		d.stats.Refused++
		refuse(out, e.To, e.Seq, e.Nonce, NotStored)
		return
	}
	if q.batches == q.committed {
		out.Effects = append(out.Effects, d.ownEffect(e))
		return
	}
	p := parked{
		n: q.batches, to: e.To, seq: e.Seq, token: e.Token, kind: e.Kind, found: e.Found, hasNonce: e.Nonce != nil, hasBody: e.Body != nil,
		nonceLen: uint32(len(e.Nonce)), nameLen: uint32(len(e.Name)), bodyLen: uint32(len(e.Body)),
	}
	p.data = d.bytes.putAll(e.Nonce, e.Name, e.Body)
	q.parked.push(p)
	q.unsafe += p.weight()
}

// noBody marks that there is a body, when it is elsewhere.
var noBody = []byte{}

// ownEffect gives an effect's body a place of its own: it may be in scratch.
func (d *Dispatcher) ownEffect(e Effect) Effect {
	if len(e.Body) > 0 {
		b := d.bytes.putAll(e.Body, nil, nil)
		e.Body = d.bytes.bytes(b, len(e.Body))
		d.bytes.release(b)
	}
	return e
}

func (p *parked) weight() int64 { return int64(p.nonceLen+p.nameLen+p.bodyLen) + 128 }

// unpark appends a parked effect as it is now.
func (d *Dispatcher) unpark(p *parked, out *Batch) {
	d.durable.unsafe -= p.weight()
	if p.call != (ID{}) {
		out.Calls = append(out.Calls, p.call)
		return
	}
	b := d.bytes.bytes(p.data, int(p.nonceLen+p.nameLen+p.bodyLen))
	e := Effect{Kind: p.kind, Found: p.found, To: p.to, Seq: p.seq, Token: p.token}
	if p.hasBody {
		e.Body = noBody
	}
	if p.hasNonce {
		e.Nonce = b[:p.nonceLen:p.nonceLen]
	}
	if p.nameLen > 0 {
		e.Name = b[p.nonceLen : p.nonceLen+p.nameLen]
	}
	if p.bodyLen > 0 {
		e.Body = b[p.nonceLen+p.nameLen:]
	}
	out.Effects = append(out.Effects, e)
	d.bytes.release(p.data)
}

// committedTo goes on with what waited for the batches up to n.
func (d *Dispatcher) committedTo(now Now, n uint64, out *Batch) {
	d.safe(n, out)
	d.unhold(now, out)
	d.askLater(out)
	d.lookAhead(now, out)
}

// safe keeps the promises that waited for the batches up to n.
func (d *Dispatcher) safe(n uint64, out *Batch) {
	q := &d.durable
	q.committed = max(q.committed, n)
	for q.sizes.len() > 0 && q.sizes.head().n <= n {
		q.unsafe -= q.sizes.head().bytes
		q.sizes.pop()
	}
	d.releaseParked(releaseStep, out)
	for q.settling.len() > 0 && q.settling.head().n <= n {
		s := *q.settling.head()
		s.n = d.asks.asked
		q.drained.push(s)
		q.settling.pop()
	}
	for q.keyOrder.len() > 0 && q.keyOrder.head().n <= n {
		k := *q.keyOrder.head()
		k.n = d.asks.asked
		q.keyDrain.push(k)
		q.keyOrder.pop()
	}
	d.rules.safe(n, d.asks.asked)
	d.drain()
}

// releaseStep is how many parked effects leave in one step: a slow disk may have gathered many, and nothing else is done
// meanwhile.
const releaseStep = 1024

// releaseParked releases effects whose batches are safe, so many at most. A Tick goes on with the rest.
func (d *Dispatcher) releaseParked(most int, out *Batch) {
	for q := &d.durable; most > 0 && q.isReleasable(); most-- {
		d.unpark(q.parked.head(), out)
		q.parked.pop()
	}
}

func (q *durable) isReleasable() bool { return q.parked.len() > 0 && q.parked.head().n <= q.committed }

// drain frees what no load that is not answered can be older than.
func (d *Dispatcher) drain() {
	q, oldest := &d.durable, d.asks.oldest()
	d.rules.drain(oldest)
	for q.drained.len() > 0 && q.drained.head().n < oldest {
		s := *q.drained.head()
		q.drained.pop()
		d.free(s)
	}
	for q.keyDrain.len() > 0 && q.keyDrain.head().n < oldest {
		k := *q.keyDrain.head()
		q.keyDrain.pop()
		if q.keys[k.hash].id == k.id {
			delete(q.keys, k.hash)
		}
	}
}

// commitFailed keeps the promises up to n, takes back those after it, and makes none any more. Runs are forgotten, since
// nothing that becomes of them can be kept: the store still has them, as they were, for the next start.
func (d *Dispatcher) commitFailed(n uint64, out *Batch) {
	if d.durable.failed {
		return
	}
	d.safe(n, out)
	q := &d.durable
	d.releaseParked(q.parked.len(), out)
	q.failed = true
	for ; q.parked.len() > 0; q.parked.pop() {
		p := q.parked.head()
		if p.call != (ID{}) {
			continue
		}
		d.stats.Refused++
		p.kind, p.found, p.token, p.nameLen, p.bodyLen, p.hasBody = Refused, false, Token{}, 0, 0, false
		d.unpark(p, out)
		out.Effects[len(out.Effects)-1].Reason = NotStored
	}
	for ; q.held.len() > 0; q.held.pop() {
		d.names.drop(q.held.head().num)
	}
	q.unsafe, q.sizes = 0, fifo[batchSize]{}
	d.rules = rules{} // the store is all there is
	d.asks.giveUp(d, NotStored, out)
	d.waits.refuseAll(d, NotStored, out)
	d.forgetRuns()
	out.Fault = Stopped
}

// forgetRuns drops every run from memory, but for those that workers have: these are dropped with their answer.
func (d *Dispatcher) forgetRuns() {
	for slot := uint32(1); slot < d.tasks.made; slot++ {
		t := d.tasks.at(slot)
		if t.state == free || t.state == ghost || !d.isRun(t) {
			continue
		}
		switch t.state {
		case queued, tailed:
			end := d.unline(slot, t)
			d.settle(end, d.tasks.at(end))
		case scheduled:
			d.wheel.Cancel(t.timer())
			d.unscheduled(t)
			d.settle(slot, t)
		}
	}
}
