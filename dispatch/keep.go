package dispatch

import (
	"encoding/binary"
	"math"
)

// keep is what is known of the finished runs that are kept.
type keep struct {
	runs    int
	bytes   int64
	next    int64 // the earliest time at which one may have to be forgotten
	loading bool
	ready   uint64 // the batch that must be safe before they are looked at again
}

// keptIs counts a run that is kept from now on.
func (d *Dispatcher) keptIs(expires int64, size int) {
	d.keep.runs++
	d.keep.bytes += int64(size)
	d.keep.next = min(d.keep.next, expires)
}

func (d *Dispatcher) keptIsNot(size int) {
	d.keep.runs--
	d.keep.bytes -= int64(size)
}

// tooMuch tells whether more is kept than may be: the earliest to be forgotten go before their time then.
func (d *Dispatcher) tooMuch() bool {
	return d.keep.bytes > d.cfg.KeepBytes && d.keep.runs > 0
}

// maySweep tells whether the store may be asked for what is to be forgotten.
func (d *Dispatcher) maySweep() bool {
	k := &d.keep
	return d.cfg.Durable && !d.durable.failed && !d.stopped && !k.loading && d.durable.committed >= k.ready
}

// unseen is after how many milliseconds is looked again, because what was not safe yet may not have been seen.
const unseen = 1000

// sweep looks for what is to be forgotten.
func (d *Dispatcher) sweep(now Now, out *Batch) {
	k := &d.keep
	if !d.maySweep() || k.next > now.Wall && !d.tooMuch() {
		return
	}
	k.loading, k.next = true, endless
	if d.durable.committed < d.durable.batches {
		k.next = now.Wall + unseen
	}
	d.ask(ask{kind: askExpired, from: []byte{}, limit: pageRows}, out)
}

// expiredLoaded forgets what is to be forgotten.
func (d *Dispatcher) expiredLoaded(now Now, a *ask, how uint32, rows []byte, out *Batch) {
	k := &d.keep
	k.loading = false
	if how == LoadFailed || d.durable.failed {
		k.next = now.Wall + horizon
		return
	}
	if len(rows) == 0 && a.committed == d.durable.batches {
		k.runs, k.bytes = 0, 0 // as it should be
	}
	in := reader{b: rows}
	for len(in.b) > 0 {
		w := in.row(2)
		at, id, ok := ParseExpiryKey(w.key)
		if in.bad || !ok {
			break
		}
		if at > now.Wall && !d.tooMuch() {
			k.next, how = min(k.next, at), LoadWhole
			break
		}
		if slot := d.runs[id]; slot != 0 && (d.tasks.at(slot).state != settling || d.promises.at(d.tasks.at(slot).promise).n > a.committed) {
			k.next = min(k.next, at) // it lives again, or is forgotten already, or the load saw more than was told
			continue
		}
		if !d.forgetStored(id, w.also[0], w.also[1], out) { // the row alone is left
			d.del(out, TableExpiry, w.key)
		}
	}
	k.ready = d.durable.batches
	if how == LoadPart {
		k.next = now.Wall
	}
}

// forgetStored deletes all there is of a finished run. It reports false if that cannot be read.
func (d *Dispatcher) forgetStored(id ID, run, outcome []byte, out *Batch) bool {
	r, err := DecodeRun(run)
	if run == nil || err != nil {
		return false
	}
	o, err := DecodeOutcome(outcome)
	if outcome == nil || err != nil {
		return false
	}
	d.delOutcome(id, &r, &o, len(run)+len(outcome), out)
	d.del(out, TableRuns, id[:])
	if len(r.Key) > 0 {
		hash := hashOf(r.Name, []byte{0}, r.Key)
		d.del(out, TableKeys, hash[:])
		if d.durable.keys[hash].id == id {
			delete(d.durable.keys, hash) // a load that still finds it finds what settles
		}
	}
	if len(r.Callback) > 0 {
		d.del(out, TableCalls, id[:])
	}
	d.put(out, TableMeta, []byte(MetaStamp), func(dst []byte) []byte { return binary.BigEndian.AppendUint64(dst, d.places) })
	k := stored{id: id, place: uint64(r.Rank)<<rankShift | id.Stamp()}
	d.shadow(&k, &r, true)
	return true
}

// delOutcome deletes what a run came to.
func (d *Dispatcher) delOutcome(id ID, r *StoredRun, o *Outcome, size int, out *Batch) {
	d.del(out, TableOutcomes, id[:])
	d.key = AppendExpiryKey(d.key[:0], o.Expires, id)
	d.del(out, TableExpiry, d.key)
	if o.State != Succeeded {
		d.key = AppendFailedKey(d.key[:0], o.State, r.Name, id)
		d.del(out, TableFailed, d.key)
	}
	d.keptIsNot(size)
}

// ExpirySize is how many bytes a run takes, from its value in TableExpiry; 0 if that says nothing.
func ExpirySize(value []byte) int64 {
	size, n := binary.Uvarint(value)
	if n <= 0 || size > math.MaxInt64 {
		return 0
	}
	return int64(size)
}
