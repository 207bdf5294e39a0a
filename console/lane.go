package console

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"

	"workman/dispatch"
	"workman/store"
)

// mostOrder is how many bytes of a key say where in a list its run is.
const mostOrder = 8 + 16 + 1

// row is a place in a list.
type row struct {
	order []byte // the key's part that lists are in the order of
	id    dispatch.ID
	state dispatch.RunState // if the index says it: scheduled or retrying
	due   int64             // then
	run   []byte            // a StoredRun without its options, if the index has it
	no    bool              // the run is not asked for
}

// lane is a part of an index in which rows are in order. Read it from the front, and fill it when it is empty.
type lane struct {
	table   store.Table
	prefix  int    // bytes of each key before the order
	from    []byte // keys left: from this one on
	to      []byte // and before this one; nil is the end of the table
	forward bool   // the lowest key comes first, rather than the highest
	size    int    // of a filling
	rows    []row
	ended   bool // there are no more
}

// fill reads the next rows.
func (l *lane) fill(s *store.Store, f *filter) error {
	scan := s.ScanBack
	if l.forward {
		scan = s.Scan
	}
	var failed error
	var last []byte
	l.rows, l.ended = l.rows[:0], true
	err := scan(l.table, l.from, l.to, func(key, value []byte) bool {
		if len(l.rows) == l.size {
			l.ended = false
			return false
		}
		last = bytes.Clone(key)
		r := row{order: last[l.prefix:]}
		if failed = r.read(l.table, last, value, f); failed != nil {
			return false
		}
		l.rows = append(l.rows, r)
		return true
	})
	if err = errors.Join(failed, err); err != nil {
		return err
	}
	if l.forward {
		l.from = append(bytes.Clone(last), 0)
	} else {
		l.to = last
	}
	return nil
}

// read takes a row of an index apart.
func (r *row) read(table store.Table, key, value []byte, f *filter) error {
	switch table {
	case dispatch.TableDue:
		at, id, what, ok := dispatch.ParseDueKey(key)
		if !ok {
			return fmt.Errorf("%w: a key of table %q", dispatch.ErrStored, table)
		}
		r.id, r.due, r.state = id, at, dispatch.Retrying
		if what == dispatch.DueStart {
			r.state = dispatch.Waiting
		}
		waits := f.state == dispatch.Waiting || f.state == dispatch.Retrying
		r.no = what != dispatch.DueStart && what != dispatch.DueRetry || waits && f.state != r.state
		return nil
	case dispatch.TableQueue:
		key = value
	}
	if len(key) < len(r.id) {
		return fmt.Errorf("%w: a row of table %q", dispatch.ErrStored, table)
	}
	copy(r.id[:], key[len(key)-len(r.id):])
	if table == dispatch.TableRuns {
		return r.keep(value, f)
	}
	return nil
}

// keep keeps what is stored of a run that is asked for, without its options, which may be large.
func (r *row) keep(value []byte, f *filter) error {
	run, err := dispatch.DecodeRun(value)
	if err != nil {
		return fmt.Errorf("run %s: %w", r.id, err)
	}
	if r.no = !f.wants(r.id, &run); !r.no {
		run.Body = nil
		r.run = run.Append(nil)
	}
	return nil
}

// lanes are merged: as a heap, the lane whose first row comes next is the first.
type lanes []*lane

func (l lanes) Len() int { return len(l) }

func (l lanes) Less(i, j int) bool {
	order := bytes.Compare(l[i].rows[0].order, l[j].rows[0].order)
	return order < 0 && l[i].forward || order > 0 && !l[i].forward
}

func (l lanes) Swap(i, j int) { l[i], l[j] = l[j], l[i] }

// Push adds a lane.
func (l *lanes) Push(x any) { *l = append(*l, x.(*lane)) }

// Pop takes the last lane away.
func (l *lanes) Pop() any {
	last := len(*l) - 1
	x := (*l)[last]
	*l = (*l)[:last]
	return x
}

// start fills all lanes, and lets go of those that have nothing.
func (l *lanes) start(s *store.Store, f *filter) error {
	kept := (*l)[:0]
	for _, one := range *l {
		if one.rows == nil && !one.ended {
			if err := one.fill(s, f); err != nil {
				return err
			}
		}
		if len(one.rows) > 0 {
			kept = append(kept, one)
		}
	}
	*l = kept
	heap.Init(l)
	return nil
}

// next is the next row of all; there must be one.
func (l *lanes) next(s *store.Store, f *filter) (row, error) {
	first := (*l)[0]
	r := first.rows[0]
	if first.rows = first.rows[1:]; len(first.rows) == 0 && !first.ended {
		if err := first.fill(s, f); err != nil {
			return row{}, err
		}
	}
	if len(first.rows) == 0 {
		heap.Pop(l)
	} else {
		heap.Fix(l, 0)
	}
	return r, nil
}

// stampBound is the lowest id of a time.
func stampBound(ms int64) []byte {
	id := dispatch.ID{}
	binary.BigEndian.PutUint64(id[:], uint64(ms)<<16)
	return id[:]
}
