package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// fleet is all producers and workers of a round, spread over loops.
type fleet struct {
	loops   []*loop
	debtors []debtor
	phase   atomic.Int32
	failed  chan error // what ended a loop early
	ended   sync.WaitGroup
	pings   atomic.Int64 // that idle clients have answered
}

// newFleet connects a scenario's clients to the target. No task is sent before
// start.
func newFleet(sc scenario, t *target, threads int) (*fleet, error) {
	f := &fleet{failed: make(chan error, threads)}
	for range threads {
		l, err := newLoop(&f.phase, len(sc.parts()))
		if err != nil {
			f.close()
			return nil, err
		}
		l.spins = sc.Spin
		f.loops = append(f.loops, l)
		l.epoch = f.loops[0].epoch // a run may be submitted by one loop and worked by another
	}
	if err := f.connect(sc, t); err != nil {
		f.close()
		return nil, fmt.Errorf("connecting %d producers, %d workers and %d idle clients: %w", sc.Producers, sc.Workers, sc.Idle, err)
	}
	return f, nil
}

// connect opens the workers, then the producers, so that a loop starts them in
// this order.
func (f *fleet) connect(sc scenario, t *target) error {
	random := source(rand.Uint64() | 1)
	for i := range sc.Workers {
		s, w, err := t.clients.worker(sc, t.addr, i, &random)
		if err != nil {
			return fmt.Errorf("worker %d: %w", i, err)
		}
		l := f.loop(i)
		if w, ok := w.(counting); ok {
			w.count(l.ledgers[0])
		}
		l.add(s, w)
		l.conns[len(l.conns)-1].single = sc.Single
	}
	for i := range sc.Idle {
		s, err := dial(t.addr, "/websocket")
		if err != nil {
			return fmt.Errorf("idle client %d: %w", i, err)
		}
		f.loop(i).add(s, &idler{i, newMask(random.next()), &f.pings})
	}
	for n, part := range sc.parts() {
		for range part.Producers {
			own, i := source(random.next()), len(f.debtors)
			l := f.loop(i)
			s, p, err := t.clients.producer(part, t.addr, i, l.ledgers[n], &own)
			if err != nil {
				return fmt.Errorf("producer %d: %w", i, err)
			}
			l.add(s, p)
			f.debtors = append(f.debtors, p)
		}
	}
	return nil
}

// loop is the one that drives the i-th client of a kind.
func (f *fleet) loop(i int) *loop { return f.loops[i%len(f.loops)] }

// start starts the loops: one goroutine each, which ends when the phase is
// stopped or a connection breaks.
func (f *fleet) start() {
	for _, l := range f.loops {
		f.ended.Go(func() {
			if err := l.run(); err != nil {
				f.failed <- err
			}
		})
	}
}

// enter begins a phase. The loops see it after what they are doing, or within
// maxWait.
func (f *fleet) enter(phase int32) { f.phase.Store(phase) }

// answered is how many tasks were answered so far, warm-up included.
func (f *fleet) answered() (n int64) {
	for _, l := range f.loops {
		n += l.answered.Load()
	}
	return n
}

// outstanding is how many tasks wait for their answer.
func (f *fleet) outstanding() (n int64) {
	for _, l := range f.loops {
		n += l.outstanding.Load()
	}
	return n
}

// stop ends the loops and waits for them.
func (f *fleet) stop() {
	f.enter(stopped)
	f.ended.Wait()
}

// close closes all connections. The loops must have ended.
func (f *fleet) close() {
	for _, l := range f.loops {
		l.close()
	}
}

// tally adds up what the loops have counted, for each part of the scenario.
// They must have ended.
func (f *fleet) tally() []*ledger {
	for _, d := range f.debtors {
		d.lost()
	}
	all := make([]*ledger, len(f.loops[0].ledgers))
	for i := range all {
		all[i] = newLedger()
		for _, l := range f.loops {
			all[i].merge(l.ledgers[i])
		}
	}
	return all
}
