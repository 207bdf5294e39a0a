package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// Get looks up a key. The value is the caller's. An error means that it cannot be known whether the key is there.
func (s *Store) Get(t Table, key []byte) (value []byte, ok bool, err error) {
	key = append([]byte{byte(t)}, key...)
	if op, ok := s.newest(key); ok {
		return bytes.Clone(op.value), !op.delete, nil
	}
	value, ok, err = s.state.get(key)
	if err != nil {
		return nil, false, fmt.Errorf("store: looking up a key of table %q: %w", t, err)
	}
	return value, ok, nil
}

// newest looks in memory. What is dropped from there meanwhile is in Pebble already.
func (m *memory) newest(key []byte) (op operation, ok bool) {
	for {
		if op, ok, indexed := m.lookUp(key); indexed {
			return op, ok
		}
	}
}

// lookUp is newest, if all that has to be looked at is indexed. If not, it indexes some more.
func (m *memory) lookUp(key []byte) (op operation, ok, indexed bool) {
	m.readers.RLock()
	defer m.readers.RUnlock()
	for _, t := range slices.Backward(m.memtables) {
		if !t.enter() || !t.extend() {
			return op, false, false
		}
		if op, ok := t.get(key); ok {
			return op, true, true
		}
	}
	return op, false, true
}

// Scan calls each for every key of a table from one on and before another (nil: to the table's end), in order, as they
// were at one moment, until it returns false. The slices are good only during the call. If there is an error, keys may have
// been left out.
func (s *Store) Scan(t Table, from, to []byte, each func(key, value []byte) bool) error {
	return s.scan(t, from, to, false, each)
}

// ScanBack is Scan in the opposite order, beginning before to.
func (s *Store) ScanBack(t Table, from, to []byte, each func(key, value []byte) bool) error {
	return s.scan(t, from, to, true, each)
}

func (s *Store) scan(t Table, from, to []byte, back bool, each func(key, value []byte) bool) (err error) {
	lower := append([]byte{byte(t)}, from...)
	upper := append([]byte{byte(t)}, to...)
	if to == nil {
		upper = []byte{byte(t) + 1}
	}
	cursors, err := s.cursors(lower, upper, back)
	if err != nil {
		return fmt.Errorf("store: scanning table %q: %w", t, err)
	}
	defer func() {
		for _, c := range cursors {
			if closed := c.close(); err == nil && closed != nil {
				err = fmt.Errorf("store: scanning table %q: %w", t, closed)
			}
		}
	}()
	for {
		best := nearest(cursors, back)
		if best == nil {
			return nil
		}
		op := best.op()
		if !op.delete && !each(op.key[1:], op.value) {
			return nil
		}
		key := bytes.Clone(op.key) // moving on may change it
		for _, c := range cursors {
			if c.valid() && bytes.Equal(c.op().key, key) {
				c.next()
			}
		}
	}
}

// nearest is the cursor whose key comes next; of several with the same key the newest.
func nearest(cursors []cursor, back bool) (best cursor) {
	for _, c := range cursors {
		if !c.valid() {
			continue
		}
		if best == nil {
			best = c
			continue
		}
		if order := bytes.Compare(c.op().key, best.op().key); order < 0 && !back || order > 0 && back {
			best = c
		}
	}
	return best
}

// lockEntered keeps who adds away, when all that was added has been entered.
func (m *memory) lockEntered() {
	for {
		m.readers.RLock()
		if !slices.ContainsFunc(m.memtables, func(t *memtable) bool { return !t.enter() }) {
			return
		}
		m.readers.RUnlock()
	}
}

// cursors are one for each place where keys may be, the newest first, all as of one moment.
func (s *Store) cursors(lower, upper []byte, back bool) ([]cursor, error) {
	s.lockEntered()
	tables := slices.Clone(s.memtables)
	snapshots := make([]snapshot, len(tables))
	for i, t := range tables {
		snapshots[i] = t.snapshot
	}
	it, err := s.state.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	s.readers.RUnlock()
	if err != nil {
		return nil, err
	}
	var all []cursor
	for i, t := range slices.Backward(tables) {
		snapshots[i].sort()
		s.publish(t, &snapshots[i])
		all = append(all, newMemoryCursor(&snapshots[i], lower, upper, back))
	}
	p := &pebbleCursor{Iterator: it, back: back}
	if back {
		it.Last()
	} else {
		it.First()
	}
	return append(all, p), nil
}

// cursor goes through keys in one direction.
type cursor interface {
	valid() bool
	op() operation // the newest on the key; good until next
	next()
	close() error
}

// memoryCursor goes through a memtable as it was.
type memoryCursor struct {
	*snapshot
	at, end int // of sorted; forward to the end, or down to it
	step    int
}

func newMemoryCursor(s *snapshot, lower, upper []byte, back bool) *memoryCursor {
	lo := s.search(lower)
	hi := max(lo, s.search(upper))
	if back {
		c := &memoryCursor{s, hi - 1, lo - 1, -1}
		c.toNewest()
		return c
	}
	return &memoryCursor{s, lo, hi, 1}
}

func (c *memoryCursor) valid() bool   { return c.at != c.end }
func (c *memoryCursor) op() operation { return c.snapshot.op(c.sorted[c.at]) }
func (c *memoryCursor) close() error  { return nil }

func (c *memoryCursor) next() {
	key := c.op().key
	for c.valid() && bytes.Equal(c.op().key, key) {
		c.at += c.step
	}
	if c.step < 0 {
		c.toNewest()
	}
}

// toNewest goes back to the first entry of the key, which is the newest.
func (c *memoryCursor) toNewest() {
	for c.valid() && c.at-1 != c.end && bytes.Equal(c.snapshot.op(c.sorted[c.at-1]).key, c.op().key) {
		c.at--
	}
}

// pebbleCursor goes through what Pebble has.
type pebbleCursor struct {
	*pebble.Iterator
	back bool
	err  error // of a value
}

func (c *pebbleCursor) valid() bool { return c.err == nil && c.Valid() }

func (c *pebbleCursor) op() operation {
	value, err := c.ValueAndErr()
	c.err = errors.Join(c.err, err)
	return operation{key: c.Key(), value: value}
}

func (c *pebbleCursor) close() error { return errors.Join(c.err, c.Close()) }

func (c *pebbleCursor) next() {
	if c.back {
		c.Prev()
	} else {
		c.Next()
	}
}
