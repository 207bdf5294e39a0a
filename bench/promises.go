package main

import (
	"math/rand/v2"
	"sync/atomic"
)

// promises is the account of one load of runs: how many were submitted, and
// which of them workers have had. The loops share its two counters; all else
// belongs to one producer or worker each, and is put together once the loops
// have ended.
type promises struct {
	tag   string  // of its keys, so that they are new: 8 characters
	most  int64   // runs to submit, about; 0: no bound
	ahead int64   // runs that may be submitted and not worked yet, about; 0: nobody works them
	keyed float64 // share of them that has a key

	issued atomic.Int64
	worked atomic.Int64

	submitters []*submits
	finishers  []*finished
	samples    []func() []runSample // of workman's producers
}

// aheadTurns is how far producers may be ahead of workers, in as much as they
// have under way: so what waits is bounded, and workers never want for runs.
const aheadTurns = 8

// newPromises opens the account of a scenario's load.
func newPromises(sc scenario) *promises {
	random := source(rand.Uint64() | 1)
	p := &promises{tag: nonceText(makeNonce(int(random.next()), int(random.next()), uint32(random.next()))), keyed: sc.Keyed}
	for _, part := range sc.parts() {
		if sc.Workers > 0 {
			p.ahead += int64(aheadTurns * part.Producers * part.Outstanding)
		}
	}
	return p
}

// room says whether one more may be submitted now.
func (p *promises) room() bool {
	n := p.issued.Load()
	return (p.most == 0 || n < p.most) && (p.ahead == 0 || n-p.worked.Load() < p.ahead)
}

// acknowledged is how many runs the system has promised to keep. The loops
// must have ended.
func (p *promises) acknowledged() (n int64) {
	for _, s := range p.submitters {
		n += s.acknowledged
	}
	return n
}

// left is how many of them no worker has had.
func (p *promises) left() int64 { return p.acknowledged() - p.worked.Load() }

// check looks whether each run that was acknowledged was worked once, and none
// twice, if somebody worked at all. The loops must have ended.
func (p *promises) check() error {
	if p.ahead == 0 {
		return nil
	}
	var f faults
	for _, s := range p.submitters {
		all := make([]uint64, (s.issued+63)/64)
		for _, w := range p.finishers {
			for i, word := range w.seenOf(s.id) {
				if i >= len(all) {
					f.add(&f.Stray, "%s had a run of %s that was never submitted", w, s)
					break
				}
				if twice := all[i] & word; twice != 0 {
					f.add(&f.Duplicated, "of the runs %d to %d of %s some went to two workers, %s last (bits %#x)", 64*i, 64*i+63, s, w, twice)
				}
				all[i] |= word
			}
		}
		for n := range s.issued {
			if all[n/64]>>(n%64)&1 == 0 {
				f.add(&f.Lost, "no worker ever got run %d of %s", n, s)
			}
		}
	}
	return f.err()
}
