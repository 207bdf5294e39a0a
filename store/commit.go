package store

import (
	"errors"
	"fmt"
)

var errStopped = errors.New("store: stopped")

// commit is the committer: it writes what has gathered, one frame after the other. What is durable it makes visible, and says
// so. That is little: what a frame holds is looked at when it has to be, by others.
func (s *Store) commit() {
	defer s.halt()
	defer close(s.sealed)
	for {
		c, ok := s.take()
		if !ok {
			break
		}
		var err error
		if c.seal {
			err = s.roll()
		} else {
			err = s.write(c)
		}
		if err != nil {
			s.fail(err)
		} else if !c.seal && s.Err() == nil { // it may have failed meanwhile for another reason
			s.add(c.ops, c.count)
			s.announce(c)
		}
	}
	s.mu.Lock()
	told, failure := s.told, s.failure
	s.mu.Unlock()
	if failure != nil && s.cfg.Told != nil {
		s.cfg.Told(told, failure)
	}
}

// take waits for batches. It reports false when there will be no more.
func (s *Store) take() (c chunk, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.failure == nil {
		switch {
		case s.sealWanted():
			return chunk{seal: true}, true
		case len(s.gathered) > 0:
			return s.takeFirst(), true
		case s.closing:
			return c, false
		}
		s.work.Wait()
	}
	return c, false
}

func (s *Store) takeFirst() chunk {
	c := s.gathered[0]
	s.gathered[0] = chunk{}
	s.gathered = s.gathered[1:]
	return c
}

// write makes a frame of operations durable, or with Config.Async hands it over.
func (s *Store) write(c chunk) error {
	j := s.journal
	if !j.current.Load().fits(len(c.ops), c.count) {
		if err := s.roll(); err != nil {
			return err
		}
	}
	current := j.current.Load()
	if err := current.write(data, c.ops); err != nil {
		return err
	}
	current.count += c.count
	if current.later == nil {
		s.raise(c.last)
		return nil
	}
	current.later.batch.Store(c.last)
	if current.later.bytes.Load() >= syncBytes {
		request(s.wantSync)
	}
	return nil
}

// roll goes on in the next segment, as soon as a slot is free.
func (s *Store) roll() error {
	var slot string
	select {
	case slot = <-s.journal.free:
	default:
		request(s.wantSlot)
		select {
		case slot = <-s.journal.free:
		case err := <-s.stuck:
			return fmt.Errorf("no segment is free: %w", err)
		case <-s.stop:
			return errStopped
		}
	}
	if len(s.journal.free) == 0 {
		request(s.wantSlot) // before it is missed
	}
	full := s.journal.current.Load()
	if err := s.journal.roll(slot); err != nil {
		return fmt.Errorf("beginning a segment: %w", err)
	}
	if full.later != nil {
		s.raise(full.later.batch.Load())
	}
	s.sealed <- s.begin(newMemtable(full.number+1, slot, s.cfg.Once))
	return nil
}

// request asks a goroutine for something, unless that was done and it has not begun yet.
func request(want chan<- struct{}) {
	select {
	case want <- struct{}{}:
	default:
	}
}

func (s *Store) announce(c chunk) {
	s.mu.Lock()
	s.told = c.last
	s.pending -= int64(len(c.ops))
	s.news.Broadcast()
	s.mu.Unlock()
	if s.cfg.Told != nil {
		s.cfg.Told(c.last, nil)
	}
}

// fail ends all making durable. The first reason counts.
func (s *Store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil {
		return
	}
	if !errors.Is(err, ErrFailed) {
		err = fmt.Errorf("%w: %w", ErrFailed, err)
	}
	s.failure = err
	s.gathered = nil
	s.work.Signal()
	s.news.Broadcast()
	s.halt()
	s.cfg.Log.Error("the store makes nothing durable any more", "error", err)
}

// halt ends the goroutines that do not wait for the committer.
func (s *Store) halt() { s.stopOnce.Do(func() { close(s.stop) }) }
