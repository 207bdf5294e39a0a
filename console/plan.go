package console

import (
	"bytes"
	"errors"
	"fmt"

	"workman/dispatch"
	"workman/store"
)

// Sizes of what is read at once, and how many lanes are merged at most: with more names than that, runs are found by going
// through all of them.
const (
	wideLane   = 256
	narrowLane = 16
	mostLanes  = 1000
)

// dueSoon is how many milliseconds ahead of its time a run may be in line: clocks differ, and a run that has a key is recorded
// as due a moment later than it is.
const dueSoon = 2000

var errCursor = errors.New("cursor is of another list than this one: begin anew, without it")

// plan says where to look for the runs that are asked for: in these lanes, and then in those. now is in milliseconds of Unix
// time, and running makes the lanes of what is with a worker.
func (f *filter) plan(s *store.Store, now int64, running func() (lanes, error)) (all, then lanes, err error) {
	switch {
	case len(f.cursor) > 0 && f.cursor[0] == dispatch.TableRuns:
	case f.key != nil && f.task != nil:
		all, err = f.ofKey(s)
		return all, nil, err
	case f.state == dispatch.Waiting || f.state == dispatch.Retrying:
		all = lanes{{table: dispatch.TableDue, forward: true, size: wideLane}}
	case f.state == dispatch.Running:
		all, err = running()
	case f.state == dispatch.Pending:
		if all, err = f.perName(s, dispatch.TableQueue, nil); err == nil && all != nil && !f.isAt(dispatch.TableQueue) {
			// What came due while it was in memory is in line, and still where it was in the store.
			all, then = lanes{{
				table: dispatch.TableDue, forward: true, size: wideLane, to: dispatch.AppendDueKey(nil, now+dueSoon, dispatch.ID{}, 0),
			}}, all
		}
	case f.state == dispatch.Dead || f.state == dispatch.Cancelled || f.state == dispatch.Expired:
		all, err = f.perName(s, dispatch.TableFailed, []byte{byte(f.state)})
	}
	if all == nil {
		all = lanes{{table: dispatch.TableRuns, size: wideLane}}
	}
	for _, l := range all {
		if l.table == dispatch.TableRuns || l.table == dispatch.TableFailed {
			f.bound(l)
		}
		if len(f.cursor) > 0 && !f.isAt(l.table) {
			return nil, nil, errCursor
		}
		if len(f.cursor) > 0 {
			l.goOn(f.cursor[1:])
		}
	}
	return all, then, err
}

// isAt tells whether the page begins in a table.
func (f *filter) isAt(table store.Table) bool {
	return len(f.cursor) > 0 && store.Table(f.cursor[0]) == table
}

// bound leaves out what was asked for too early or too late, in a lane that is in the order of ids.
func (f *filter) bound(l *lane) {
	prefix := l.from[:l.prefix:l.prefix]
	if f.after != 0 {
		l.from = append(prefix, stampBound(f.after)...)
	}
	if f.before != 0 {
		l.to = append(prefix, stampBound(f.before)...)
	}
}

// goOn leaves out what comes up to a place.
func (l *lane) goOn(order []byte) {
	key := append(bytes.Clone(l.from[:l.prefix]), order...)
	switch {
	case l.ended: // its rows are all there
		for len(l.rows) > 0 && bytes.Compare(l.rows[0].order, order) <= 0 {
			l.rows = l.rows[1:]
		}
	case l.forward && bytes.Compare(key, l.from) >= 0:
		l.from = append(key, 0)
	case !l.forward && (l.to == nil || bytes.Compare(key, l.to) < 0):
		l.to = key
	}
}

// perName makes a lane of each name, or name and rank, that has rows in a table; of the task's only, if one is asked for.
// It makes none if there are too many. Rows of a lane differ in the end of their keys, an id, or in the queue a place.
func (f *filter) perName(s *store.Store, table store.Table, from []byte) (all lanes, err error) {
	order := len(dispatch.ID{})
	if table == dispatch.TableQueue {
		order = 8
	}
	to := []byte(nil)
	if len(from) > 0 {
		to = []byte{from[0] + 1}
	}
	if f.task != nil {
		from = append(append(bytes.Clone(from), f.task...), 0)
		to = after(from)
	}
	for {
		var prefix []byte
		short := false
		err := s.ScanBack(table, from, to, func(key, _ []byte) bool {
			short = len(key) < order
			prefix = append([]byte{}, key[:max(0, len(key)-order)]...)
			return false
		})
		switch {
		case err != nil:
			return nil, err
		case short:
			return nil, fmt.Errorf("%w: a key of table %q", dispatch.ErrStored, table)
		case prefix == nil:
			return notNil(all), nil
		case len(all) == mostLanes:
			return nil, nil
		}
		all = append(all, &lane{
			table: table, prefix: len(prefix), from: prefix, to: after(prefix), size: narrowLane,
		})
		to = prefix
	}
}

// notNil makes none of nothing.
func notNil(all lanes) lanes {
	if all == nil {
		return lanes{}
	}
	return all
}

// after is the lowest key behind all that begin with a prefix, whose last byte is not the highest.
func after(prefix []byte) []byte {
	to := bytes.Clone(prefix)
	to[len(to)-1]++
	return to
}

// ofKey finds the one run of an idempotency key of a task.
func (f *filter) ofKey(s *store.Store) (lanes, error) {
	hash := dispatch.KeyHash(f.task, f.key)
	value, ok, err := s.Get(dispatch.TableKeys, hash[:])
	if err != nil || !ok || len(f.cursor) > 0 || len(value) != len(dispatch.ID{}) {
		return lanes{}, err
	}
	return lanes{{table: dispatch.TableKeys, ended: true, rows: []row{{order: hash[:], id: dispatch.ID(value)}}}}, nil
}
