package dispatch_test

import (
	"math/rand/v2"

	"workman/dispatch"
)

// fault is a defect that a dispatcher might have. Each hook may be nil. They reach into what goes in and what comes out
// of a dispatcher that has no defect, and know from the model what would be wrong.
type fault struct {
	name   string
	caught string // by this checker
	often  int    // one time in so many that it could be; 0: always
	config func(*dispatch.Config)
	event  func(*saboteur, *dispatch.Now, *dispatch.Event) (skip bool)
	effect func(*saboteur, *dispatch.Effect) fate
	batch  func(*saboteur, *dispatch.Batch, mark)
	sleep  func(int64) int64
	stats  func(*dispatch.Stats)
}

// mark is where in a batch the step's own part begins: what is before has been checked already.
type mark struct{ effects int }

// fate is what becomes of an effect: it is kept as it is then, lost, or sent twice.
type fate int

const (
	keep fate = iota
	lose
	twice
)

// saboteur is a dispatcher with a fault.
type saboteur struct {
	subject
	fault *fault
	world *world
	rng   *rand.Rand
	kind  dispatch.Kind // of the step's event
	from  dispatch.Conn
}

// plant returns what newWorld takes to put a fault in: first for the bounds, then around the dispatcher.
func (f *fault) plant(seed uint64) func(*world, subject) subject {
	return func(w *world, d subject) subject {
		if d == nil {
			if f.config != nil {
				f.config(&w.cfg)
			}
			return nil
		}
		return &saboteur{subject: d, fault: f, world: w, rng: rand.New(rand.NewPCG(seed, 2))}
	}
}

// now says whether to strike this time.
func (s *saboteur) now() bool { return s.fault.often == 0 || s.rng.IntN(s.fault.often) == 0 }

func (s *saboteur) Step(now dispatch.Now, from dispatch.Conn, ev *dispatch.Event, base []byte, out *dispatch.Batch) {
	s.kind, s.from = ev.Kind, from
	own := mark{len(out.Effects)}
	if s.fault.event != nil && s.now() && s.fault.event(s, &now, ev) {
		return
	}
	s.subject.Step(now, from, ev, base, out)
	if s.fault.effect != nil {
		s.spoil(out, own.effects)
	}
	if s.fault.stats != nil && out.Stats != nil {
		s.fault.stats(out.Stats)
	}
	if s.fault.batch != nil && s.now() {
		s.fault.batch(s, out, own)
	}
}

// spoil lets the fault look at each effect of the step.
func (s *saboteur) spoil(out *dispatch.Batch, first int) {
	own := append([]dispatch.Effect(nil), out.Effects[first:]...)
	out.Effects = out.Effects[:first]
	for _, e := range own {
		f := keep
		if s.now() {
			f = s.fault.effect(s, &e)
		}
		for range [...]int{keep: 1, lose: 0, twice: 2}[f] {
			out.Effects = append(out.Effects, e)
		}
	}
}

func (s *saboteur) Sleep(now dispatch.Now) int64 {
	ms := s.subject.Sleep(now)
	if s.fault.sleep != nil {
		ms = s.fault.sleep(ms)
	}
	return ms
}

func (s *saboteur) Stats() dispatch.Stats {
	st := s.subject.Stats()
	if s.fault.stats != nil {
		s.fault.stats(&st)
	}
	return st
}

// other finds a worker that the model thinks this of, or the zero Conn.
func (s *saboteur) other(is func(*peer) bool) dispatch.Conn {
	for _, c := range s.world.workers {
		if p := s.world.model.peers[c.conn]; p != nil && is(p) {
			return c.conn
		}
	}
	return 0
}
