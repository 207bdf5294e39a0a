package keeper

import (
	"errors"
	"fmt"

	"workman/dispatch"
	"workman/store"
)

// keptRoom is the most room, in bytes, that is kept for the next batch.
const keptRoom = 1 << 20

// errPanicked says why the disk is to be believed rather than the dispatcher.
var errPanicked = errors.New("keeper: the dispatcher panicked, and what it has in memory may differ from what is on the disk")

// Keep takes what a batch of the dispatcher has for the store. Its operations become one batch of the store. If that cannot
// be, or the dispatcher is not to be trusted any more, nothing is kept from then on, and it is told so by an event.
func (k *Keeper) Keep(b *dispatch.Batch) {
	if b.Fault == dispatch.Panicked && !k.over.Load() {
		k.lost(k.base+k.kept.Load(), errPanicked)
	}
	if len(b.Ops) > 0 && !k.over.Load() {
		if err := k.append(b); err != nil {
			k.lost(k.base+k.kept.Load(), err)
		}
	}
	for i := range b.Loads {
		k.ask(b.Loads[i])
	}
	for _, run := range b.Calls {
		k.call(run)
	}
}

// append gives the operations to the store. The dispatcher and the store number batches each for itself, and what they say
// to each other is about these numbers: so they must agree.
func (k *Keeper) append(b *dispatch.Batch) error {
	if kept := k.kept.Load(); b.N != kept+1 {
		return fmt.Errorf("keeper: the dispatcher's batch %d came behind its batch %d: that is a bug", b.N, kept)
	}
	k.batch.Reset()
	calls := false
	for i := range b.Ops {
		op := &b.Ops[i]
		calls = calls || op.Table == dispatch.TableCalls
		if op.Delete {
			k.batch.Delete(store.Table(op.Table), op.Key.Of(b.Data))
		} else {
			k.batch.Put(store.Table(op.Table), op.Key.Of(b.Data), op.Value.Of(b.Data))
		}
	}
	n, err := k.store.Append(&k.batch)
	if err != nil {
		return fmt.Errorf("keep batch %d: %w", b.N, err)
	}
	if n != k.base+b.N {
		return fmt.Errorf("keeper: the store gave number %d to batch %d, and %d was due: somebody else writes to it, and that is a bug",
			n, b.N, k.base+b.N)
	}
	k.kept.Store(b.N)
	if calls {
		k.made.note(b, n)
	}
	if k.batch.Len() > keptRoom {
		k.batch = store.Batch{}
	}
	return nil
}
