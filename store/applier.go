package store

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// retryAfter is when the applier tries again what it could not do, for want of space most likely.
var retryAfter = time.Second // a variable for tests

// memory are the memtables of the segments that Pebble does not have, oldest first; the last one is being filled.
type memory struct {
	readers   sync.RWMutex
	memtables []*memtable
}

// add makes the operations of a frame visible, so many.
func (m *memory) add(ops []byte, count int) {
	m.readers.Lock()
	defer m.readers.Unlock()
	m.memtables[len(m.memtables)-1].add(ops, count)
}

// begin goes on with a new memtable, and returns the one before.
func (m *memory) begin(next *memtable) *memtable {
	m.readers.Lock()
	defer m.readers.Unlock()
	full := m.memtables[len(m.memtables)-1]
	m.memtables = append(m.memtables, next)
	return full
}

// drop forgets a memtable that Pebble has.
func (m *memory) drop(t *memtable) {
	m.readers.Lock()
	defer m.readers.Unlock()
	m.memtables = slices.DeleteFunc(slices.Clone(m.memtables), func(o *memtable) bool { return o == t })
}

// publish keeps what somebody has sorted, so that it need not be done again.
func (m *memory) publish(t *memtable, s *snapshot) {
	m.readers.Lock()
	defer m.readers.Unlock()
	if t.done < s.done {
		t.sorted, t.done = s.sorted, s.done
	}
}

// applyAll is the applier: it gives sealed segments to Pebble, and their slots back.
func (s *Store) applyAll() {
	for m := range s.sealed {
		if !s.apply(m) {
			return
		}
		s.drop(m)
		s.journal.free <- m.slot
		s.nowApplied(m.segment)
	}
}

// apply tries until it has done it. It reports false if it was stopped.
func (s *Store) apply(m *memtable) bool {
	m.enterAll()
	s.readers.RLock()
	sorted := m.snapshot
	s.readers.RUnlock()
	sorted.sort()
	s.publish(m, &sorted)
	for {
		select {
		case <-s.stop:
			return false
		default:
		}
		err := s.state.apply(m.segment, &sorted)
		if err == nil {
			return true
		}
		err = fmt.Errorf("segment %d: %w", m.segment, err)
		s.cfg.Log.Error("a segment cannot be made tables yet", "error", err, "again", retryAfter)
		s.giveUp(err)
		select {
		case <-s.stop:
			return false
		case <-time.After(retryAfter):
		}
	}
}

// giveUp lets a committer that waits for the applier end if the store is being closed.
func (s *Store) giveUp(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		return
	}
	select {
	case s.stuck <- err:
	default:
	}
}

// grow is the grower: it makes another slot when the committer is about to miss one.
func (s *Store) grow() {
	for {
		select {
		case <-s.stop:
			return
		case <-s.wantSlot:
		}
		if len(s.journal.names) >= s.cfg.Segments {
			continue
		}
		if err := s.journal.grow(); err != nil {
			s.cfg.Log.Error("the journal cannot grow", "error", err)
		}
		request(s.grown)
	}
}
