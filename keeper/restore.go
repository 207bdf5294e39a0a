package keeper

import (
	"encoding/binary"
	"fmt"

	"workman/dispatch"
	"workman/store"
)

// Restorer learns at the start what is stored. The dispatcher is one.
type Restorer interface {
	// Stored says how many runs of a name and a rank are in the queue. The name is good only during the call.
	Stored(name []byte, rank uint8, n int)
	// Kept says how many finished runs there are, and how many bytes they take.
	Kept(runs int, bytes int64)
	// Begin is called last. epoch is higher than that of every start before; no id of a higher stamp than this one was
	// ever given out.
	Begin(epoch uint32, stamp uint64)
}

// progressEvery is how many rows are read between two words about it.
const progressEvery = 1 << 16

// Restore tells what is stored. When it returns, the new epoch is durable. progress is told now and then, and at the
// end, how many rows were read; it may be nil. It is called once, before Start and before anything is kept.
func (k *Keeper) Restore(to Restorer, progress func(rows int)) error {
	r := restore{store: k.store, to: to, progress: progress}
	for _, step := range []func() error{r.queue, r.finished, r.meta, r.newest} {
		if err := step(); err != nil {
			return fmt.Errorf("read what is stored: %w", err)
		}
	}
	if progress != nil {
		progress(r.rows)
	}
	var b store.Batch
	b.Put(dispatch.TableMeta, []byte(dispatch.MetaEpoch), binary.BigEndian.AppendUint64(nil, uint64(r.epoch)+1))
	n, err := k.store.Append(&b)
	if err == nil {
		err = k.store.Wait(n)
	}
	if err != nil {
		return fmt.Errorf("store that the server has started: %w", err)
	}
	k.base = n
	to.Begin(r.epoch+1, r.stamp)
	return nil
}

// restore is what was read so far.
type restore struct {
	store    *store.Store
	to       Restorer
	progress func(rows int)
	rows     int
	epoch    uint32
	stamp    uint64
}

func (r *restore) read() {
	if r.rows++; r.rows%progressEvery == 0 && r.progress != nil {
		r.progress(r.rows)
	}
}

// queue counts the runs in each lane. A lane's rows lie one after the other.
func (r *restore) queue() (failed error) {
	var lane []byte // the name and the rank
	n := 0
	count := func() {
		if n > 0 {
			last := len(lane) - 1
			r.to.Stored(lane[:last], lane[last], n)
		}
		n = 0
	}
	err := r.store.Scan(dispatch.TableQueue, nil, nil, func(key, _ []byte) bool {
		r.read()
		name, rank, place, ok := dispatch.ParseQueueKey(key)
		if !ok {
			failed = fmt.Errorf("%w: a key of table %q of %d bytes", dispatch.ErrStored, dispatch.TableQueue, len(key))
			return false
		}
		r.stamp = max(r.stamp, place) // one that came back has a later place than its id
		if last := len(lane) - 1; n == 0 || string(lane[:last]) != string(name) || lane[last] != rank {
			count()
			lane = append(append(lane[:0], name...), rank)
		}
		n++
		return true
	})
	if failed == nil {
		failed = err
	}
	count()
	return failed
}

// finished sums what the finished runs take.
func (r *restore) finished() error {
	runs, bytes := 0, int64(0)
	err := r.store.Scan(dispatch.TableExpiry, nil, nil, func(_, value []byte) bool {
		r.read()
		runs++
		bytes += dispatch.ExpirySize(value)
		return true
	})
	r.to.Kept(runs, bytes)
	return err
}

// meta reads what the server knows of itself.
func (r *restore) meta() error {
	for key, take := range map[string]func(v uint64){
		dispatch.MetaEpoch: func(v uint64) { r.epoch = uint32(v) },
		dispatch.MetaStamp: func(v uint64) { r.stamp = max(r.stamp, v) },
	} {
		value, ok, err := r.store.Get(dispatch.TableMeta, []byte(key))
		switch {
		case err != nil:
			return err
		case !ok:
			continue
		case len(value) != 8:
			return fmt.Errorf("%w: %s has %d bytes", dispatch.ErrStored, key, len(value))
		}
		take(binary.BigEndian.Uint64(value))
	}
	return nil
}

// newest looks at the highest id.
func (r *restore) newest() error {
	return r.store.ScanBack(dispatch.TableRuns, nil, nil, func(key, _ []byte) bool {
		id := dispatch.ID{}
		copy(id[:], key)
		r.stamp = max(r.stamp, id.Stamp())
		return false
	})
}
