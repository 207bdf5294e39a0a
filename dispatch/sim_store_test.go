package dispatch_test

import (
	"math/rand/v2"

	"workman/dispatch"
)

// store stands for the real one: it makes records durable late, in batches, and answers what it is asked later still.
// It is honest: what it finds is what was durable then, and it removes what it found.
type store struct {
	written []dispatch.Record // not yet durable; of them Kind, N and Token only
	has     map[dispatch.Token]bool
	old     []dispatch.Token // from a life before: in the store, and in nobody's memory
	loads   []dispatch.Load
	durable uint64
	failed  bool
}

func newStore(rng *rand.Rand) *store {
	s := &store{has: map[dispatch.Token]bool{}}
	for range 8 {
		t := dispatch.Token{Secret: rng.Uint64(), Slot: rng.Uint32N(64)}
		s.has[t] = true
		s.old = append(s.old, t)
	}
	return s
}

// take keeps what a step wrote and asked.
func (s *store) take(out *dispatch.Batch) {
	for _, r := range out.Records {
		if !s.failed {
			s.written = append(s.written, dispatch.Record{Kind: r.Kind, N: r.N, Token: r.Token})
		}
	}
	s.loads = append(s.loads, out.Loads...)
}

// commit makes up to n records durable, and returns the last one's number.
func (s *store) commit(n int) uint64 {
	n = min(n, len(s.written))
	for _, r := range s.written[:n] {
		s.has[r.Token] = r.Kind == dispatch.RecordAdded
		s.durable = r.N
	}
	s.written = s.written[n:]
	return s.durable
}

// fail ends the store: what is not yet durable never will be. What it returns is the last record that is.
func (s *store) fail() uint64 {
	s.failed = true
	s.written = nil
	return s.durable
}

// answer answers one of the questions, any.
func (s *store) answer(rng *rand.Rand) (n uint64, found bool) {
	i := rng.IntN(len(s.loads))
	l := s.loads[i]
	s.loads = append(s.loads[:i], s.loads[i+1:]...)
	found = s.has[l.Token] && !s.failed
	if found {
		delete(s.has, l.Token)
	}
	return l.N, found
}
