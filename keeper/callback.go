package keeper

import (
	"errors"
	"fmt"
	"sync"

	"workman/dispatch"
	"workman/document"
	"workman/store"
)

// Outcome, Waiting and Called are what a pool of callbacks needs: callback.Source and its Done.

// Outcome is the URL that a finished run's document goes to. ok is false if its callback is done, or the run is gone or not
// finished any more.
func (k *Keeper) Outcome(run [16]byte) (url string, doc []byte, ok bool, err error) {
	if k.made.has(run) {
		return "", nil, false, nil
	}
	var found [3][]byte
	for i, table := range [...]byte{dispatch.TableCalls, dispatch.TableOutcomes, dispatch.TableRuns} {
		value, there, err := k.store.Get(store.Table(table), run[:])
		if err != nil || !there {
			return "", nil, false, err
		}
		found[i] = value
	}
	r, err := dispatch.DecodeRun(found[2])
	if err != nil || len(r.Callback) == 0 {
		return "", nil, false, err
	}
	o, err := dispatch.DecodeOutcome(found[1])
	if err != nil {
		return "", nil, false, err
	}
	v := dispatch.View{ID: run, State: o.State, Name: r.Name, Run: found[2], Outcome: found[1]}
	doc, err = document.Append(nil, &v, true)
	return string(r.Callback), doc, err == nil, err
}

// Waiting lists the runs behind after whose callback is still to be made, in order, and at most so many.
func (k *Keeper) Waiting(after [16]byte, limit int) (runs [][16]byte, err error) {
	from := append(after[:], 0)
	var failed error
	err = k.store.Scan(dispatch.TableCalls, from, nil, func(key, _ []byte) bool {
		if len(runs) >= limit {
			return false
		}
		if len(key) != len(dispatch.ID{}) {
			failed = fmt.Errorf("%w: a key of table %q of %d bytes", dispatch.ErrStored, dispatch.TableCalls, len(key))
			return false
		}
		runs = append(runs, [16]byte(key))
		return true
	})
	return runs, errors.Join(failed, err)
}

// Called has the dispatcher note that a run's callback was made, or given up; from now on Outcome says so. It waits while
// the dispatcher has much else to note. Once the keeper is closed it does nothing: the callback is made again after the next
// start.
func (k *Keeper) Called(run [16]byte) {
	k.made.add(run)
	select {
	case k.called <- run:
	case <-k.stop:
	}
}

// made is the callbacks that are done and still stand in the store. It may forget some: then a callback is made twice, which
// may happen anyway.
type made struct {
	mu   sync.Mutex
	runs map[[16]byte]struct{}
	gone []gone // in the order of their batches
}

// gone is one that a batch of the store deletes there.
type gone struct {
	batch uint64
	run   [16]byte
}

// mostMade bounds it.
const mostMade = 1 << 14

func (m *made) add(run [16]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.runs == nil || len(m.runs) >= mostMade {
		m.runs = map[[16]byte]struct{}{}
	}
	m.runs[run] = struct{}{}
}

func (m *made) has(run [16]byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, is := m.runs[run]
	return is
}

// note looks for callbacks among the operations of a batch, which the store has given a number.
func (m *made) note(b *dispatch.Batch, n uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range b.Ops {
		op := &b.Ops[i]
		if op.Table != dispatch.TableCalls || op.Key.Len != uint32(len(dispatch.ID{})) {
			continue
		}
		run := [16]byte(op.Key.Of(b.Data))
		if _, is := m.runs[run]; !is {
			continue
		}
		if op.Delete {
			m.gone = append(m.gone, gone{batch: n, run: run})
		} else { // it finished once more
			delete(m.runs, run)
		}
	}
}

// forget lets go of what the store has deleted.
func (m *made) forget(told uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for ; n < len(m.gone) && m.gone[n].batch <= told; n++ {
		delete(m.runs, m.gone[n].run)
	}
	m.gone = m.gone[:copy(m.gone, m.gone[n:])]
}
