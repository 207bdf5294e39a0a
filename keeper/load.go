package keeper

import (
	"bytes"
	"errors"
	"fmt"

	"workman/dispatch"
	"workman/store"
)

// errLoads says that the dispatcher did not keep to its bound.
var errLoads = errors.New("as many questions to the store wait as may; the dispatcher should ask fewer, and that is a bug")

// question is a Load that waits for a reader, and what was found so far, if it has keys.
type question struct {
	dispatch.Load
	found answer
}

// keysAtATime is how many keys of a question a reader looks up before it turns to the next question.
const keysAtATime = 16

// ask has a reader answer a question. It is called by whoever holds the dispatcher.
func (k *Keeper) ask(l dispatch.Load) {
	l.From, l.To = bytes.Clone(l.From), bytes.Clone(l.To)
	select {
	case k.loads <- question{Load: l, found: answer{n: l.N}}:
	default:
		a := answer{n: l.N}
		for range max(len(l.Keys), 1) {
			a.add(nil, dispatch.LoadFailed)
		}
		k.failed(l.N, errLoads)
		k.loaded(a)
	}
}

// read answers questions until the keeper is closed.
func (k *Keeper) read() {
	for {
		select {
		case <-k.stop:
			return
		case q := <-k.loads:
			if len(q.Keys) > 0 {
				k.keys(q)
				continue
			}
			rows, how, err := k.load(&q.Load)
			if err != nil {
				rows, how = nil, k.failed(q.N, err)
			}
			q.found.add(rows, how)
			k.loaded(q.found)
		}
	}
}

func (k *Keeper) failed(n uint64, err error) (how uint32) {
	k.cfg.Log.Error("cannot look up what the dispatcher asks for", "question", n, "error", err)
	return dispatch.LoadFailed
}

// keys looks up a few of a question's keys, and has the others wait for their turn behind the other questions. What was found
// is told once it is all, or Bytes.
func (k *Keeper) keys(q question) {
	for n := 1; len(q.Keys) > 0; n++ {
		rows, how, err := k.loadKey(q.found.rows, &q.Load, q.Keys[0][:])
		if err != nil {
			how = k.failed(q.N, err)
		}
		q.found.add(rows, how)
		q.Keys, q.N = q.Keys[1:], q.N+1
		if len(q.Keys) == 0 || q.Bytes > 0 && len(rows) >= q.Bytes {
			k.loaded(q.found)
			q.found = answer{n: q.N}
		}
		if n == keysAtATime && len(q.Keys) > 0 {
			select {
			case k.loads <- q:
				return
			default: // the dispatcher has asked more than it may
			}
		}
	}
}

// load looks up the rows of an answer.
func (k *Keeper) load(l *dispatch.Load) (rows []byte, how uint32, err error) {
	if l.Table == 0 {
		rows, err = k.row(nil, nil, nil, l.ID, l.Also)
		return rows, dispatch.LoadWhole, err
	}
	if isOneKey(l) {
		return k.loadKey(nil, l, l.From)
	}
	how, n := dispatch.LoadWhole, 0
	var failed error
	err = k.store.Scan(store.Table(l.Table), l.From, l.To, func(key, value []byte) bool {
		if n >= l.Limit || l.Bytes > 0 && len(rows) >= l.Bytes {
			how = dispatch.LoadPart
			return false
		}
		n++
		run := dispatch.ID{}
		if l.Also != "" {
			if run, failed = runOf(l.Table, key, value); failed != nil {
				return false
			}
		}
		rows, failed = k.row(rows, key, value, run, l.Also)
		return failed == nil
	})
	return rows, how, errors.Join(failed, err)
}

// isOneKey tells whether what is scanned can be but one key: looking that up costs a hundredth of a scan.
func isOneKey(l *dispatch.Load) bool {
	last := len(l.From)
	return len(l.To) == last+1 && l.To[last] == 0 && bytes.HasPrefix(l.To, l.From)
}

// loadKey is load for one key. It appends its row, if there is one.
func (k *Keeper) loadKey(rows []byte, l *dispatch.Load, key []byte) ([]byte, uint32, error) {
	value, ok, err := k.store.Get(store.Table(l.Table), key)
	if err != nil || !ok {
		return rows, dispatch.LoadWhole, err
	}
	run, err := runOf(l.Table, key, value)
	if err == nil {
		rows, err = k.row(rows, key, value, run, l.Also)
	}
	return rows, dispatch.LoadWhole, err
}

// row appends a row, with the run's value in each of the tables also.
func (k *Keeper) row(rows, key, value []byte, run dispatch.ID, also string) ([]byte, error) {
	values := make([][]byte, len(also))
	for i := range also {
		v, ok, err := k.store.Get(store.Table(also[i]), run[:])
		if err != nil {
			return rows, fmt.Errorf("look up run %s: %w", run, err)
		}
		if values[i] = v; ok && v == nil {
			values[i] = []byte{}
		}
	}
	return dispatch.AppendRow(rows, key, value, values), nil
}

// runOf is the run that a row is about; of a schedule, its last one.
func runOf(table byte, key, value []byte) (run dispatch.ID, err error) {
	from := key
	switch table {
	case dispatch.TableQueue, dispatch.TableKeys:
		from = value
	case dispatch.TableRules:
		run, ok := dispatch.RuleLast(value)
		if !ok {
			return run, fmt.Errorf("%w: a row of table %q of %d bytes", dispatch.ErrStored, table, len(value))
		}
		return run, nil
	case dispatch.TableDue:
		_, run, _, ok := dispatch.ParseDueKey(key)
		if !ok {
			return run, fmt.Errorf("%w: a key of table %q of %d bytes", dispatch.ErrStored, table, len(key))
		}
		return run, nil
	}
	if len(from) < len(run) {
		return run, fmt.Errorf("%w: a row of table %q whose run has %d bytes", dispatch.ErrStored, table, len(from))
	}
	copy(run[:], from[len(from)-len(run):])
	return run, nil
}
