package keeper_test

import (
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"workman/dispatch"
	"workman/keeper"
)

// brittle is a source of random numbers that panics when its turn comes: it is asked for an id, and for each hand-out.
type brittle struct{ left int }

func (b *brittle) Uint64() uint64 {
	if b.left--; b.left == 0 {
		panic("brittle: no number")
	}
	return 4
}

// shop is a dispatcher with its keeper, and a sink that remembers what everybody is told.
type shop struct {
	t        *testing.T
	keeper   *keeper.Keeper
	random   *brittle // of whoever holds the dispatcher
	combiner *dispatch.Combiner

	mu      sync.Mutex
	changed chan struct{}
	told    []dispatch.Effect // their slices are their own
	panics  int
	stopped bool
}

func newShop(t *testing.T, fs vfs.FS) *shop {
	t.Helper()
	s := &shop{t: t, random: new(brittle), changed: make(chan struct{}, 1), keeper: open(t, config(t, fs))}
	clock := func() dispatch.Now { return dispatch.Now{Mono: 1, Wall: 1_800_000_000_000} }
	cfg := dispatch.DefaultConfig()
	cfg.Durable = true
	d, err := dispatch.New(cfg, s.random, clock())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.keeper.Restore(d, nil); err != nil {
		t.Fatal(err)
	}
	s.combiner = dispatch.NewCombiner(d, 64, clock)
	s.keeper.Start(s, nil)
	return s
}

// Submit and Help are keeper.Submitter.
func (s *shop) Submit(in dispatch.Input, _ <-chan struct{}) bool { return s.combiner.Submit(in, s) }
func (s *shop) Help() bool                                       { return false }

// Begin and the others are dispatch.Sink.
func (s *shop) Begin()    {}
func (s *shop) End(int64) {}
func (s *shop) Left()     {}

func (s *shop) Panicked(dispatch.Conn, any) { s.note(func() { s.panics++ }) }

func (s *shop) Deliver(b *dispatch.Batch) {
	s.keeper.Keep(b)
	s.note(func() {
		s.stopped = s.stopped || b.Fault == dispatch.Stopped
		for _, e := range b.Effects {
			s.told = append(s.told, dispatch.Effect{Kind: e.Kind, To: e.To, Seq: e.Seq, Reason: e.Reason, Token: e.Token})
		}
	})
}

func (s *shop) note(change func()) {
	s.mu.Lock()
	change()
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// until waits for what somebody is told.
func (s *shop) until(what string, is func() bool) {
	s.t.Helper()
	limit := time.After(10 * time.Second)
	for {
		s.mu.Lock()
		yes := is()
		s.mu.Unlock()
		if yes {
			return
		}
		select {
		case <-s.changed:
		case <-limit:
			s.mu.Lock()
			defer s.mu.Unlock()
			s.t.Fatalf("waited in vain for %s; %d panics, stopped: %v, told %+v", what, s.panics, s.stopped, s.told)
		}
	}
}

// answer waits for the answer to a request.
func (s *shop) answer(from dispatch.Conn, seq uint64) (got dispatch.Effect) {
	s.t.Helper()
	s.until("an answer", func() bool {
		for _, e := range s.told {
			if e.To == from && e.Seq == seq && e.Kind != dispatch.HandOut {
				got = e
				return true
			}
		}
		return false
	})
	return got
}

// ask submits requests in one input: of a run if its options are true, or of a call. Their numbers count from seq.
func (s *shop) ask(from dispatch.Conn, seq uint64, tasks ...string) {
	in := dispatch.Input{From: from}
	terms := dispatch.NewTerms()
	terms.Promise, terms.Reply = true, dispatch.ReplyAccepted
	add := func(b []byte) dispatch.Span {
		in.Base = append(in.Base, b...)
		return dispatch.Span{Off: uint32(len(in.Base) - len(b)), Len: uint32(len(b))}
	}
	for i, task := range tasks {
		ev := dispatch.Event{Kind: dispatch.RunTask, Seq: seq + uint64(i), Name: add([]byte(task)), Body: add([]byte("1"))}
		if task != "call" {
			ev.Terms = add(terms.Append(nil))
		}
		in.Events = append(in.Events, ev)
	}
	s.combiner.Submit(in, s)
}

// work makes a worker of a name, which asks for so many tasks.
func (s *shop) work(from dispatch.Conn, name string, tasks uint32) {
	s.combiner.Submit(dispatch.Input{From: from, Base: []byte(name), Events: []dispatch.Event{
		{Kind: dispatch.RegisterTask, Name: dispatch.Span{Len: uint32(len(name))}}, {Kind: dispatch.GetTask, Count: tasks},
	}}, s)
}

// TestPanicLosesABatch has the dispatcher panic in the midst of what it writes down. What it has in memory may differ from
// the disk from then on: so durable work stops, at once and aloud, rather than with the next run; whoever waits for a promise is told
// that there is none; calls go on. What was acknowledged is there after the restart, and nothing else.
func TestPanicLosesABatch(t *testing.T) {
	fs := vfs.NewMem()
	s := newShop(t, fs)
	q, w := dispatch.MakeConn(0, 1, 1), dispatch.MakeConn(0, 2, 1)
	s.ask(q, 1, "mail")
	if e := s.answer(q, 1); e.Kind != dispatch.Accepted {
		t.Fatalf("before the panic: %+v", e)
	}
	s.work(w, "work", 1)
	s.combiner.Exclusive(func(*dispatch.Dispatcher) { s.random.left = 3 }) // two ids, and a hand-out
	s.ask(q, 2, "mail", "work")
	s.until("the end of durable work", func() bool { return s.stopped })
	if e := s.answer(q, 2); e.Kind != dispatch.Refused || e.Reason != dispatch.NotStored {
		t.Errorf("a run whose record was lost: %+v", e)
	}
	s.ask(q, 4, "mail")
	if e := s.answer(q, 4); e.Kind != dispatch.Refused || e.Reason != dispatch.NotStored {
		t.Errorf("a run after the panic: %+v", e)
	}
	s.work(dispatch.MakeConn(0, 3, 1), "call", 1)
	s.ask(q, 5, "call")
	s.until("a call to be handed out after the panic", func() bool {
		last := s.told[len(s.told)-1]
		return last.Kind == dispatch.HandOut && last.To == dispatch.MakeConn(0, 3, 1)
	})
	s.mu.Lock()
	if s.panics != 1 {
		t.Errorf("%d panics", s.panics)
	}
	s.mu.Unlock()
	if err := s.keeper.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, config(t, fs))
	stored := new(memory)
	if err := again.Restore(stored, nil); err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if len(stored.lanes) != 1 || stored.lanes["mail/4"] != 1 {
		t.Errorf("after the restart there is %v, and one run was acknowledged", stored.lanes)
	}
}

// TestPanicBesideRuns has it panic where it writes nothing, and a run is in its hands: it is in no list any more, and would
// wait for ever. And where no run was ever seen: that is none of the store's business.
func TestPanicBesideRuns(t *testing.T) {
	s := newShop(t, vfs.NewMem())
	defer func() { _ = s.keeper.Close() }()
	q, w := dispatch.MakeConn(0, 1, 1), dispatch.MakeConn(0, 2, 1)
	s.work(w, "call", 2)
	s.combiner.Exclusive(func(*dispatch.Dispatcher) { s.random.left = 1 })
	s.ask(q, 1, "call")
	s.ask(q, 2, "mail")
	if e := s.answer(q, 2); e.Kind != dispatch.Accepted {
		t.Fatalf("a run after a panic of a call: %+v", e)
	}
	s.until("the panic of a call", func() bool { return s.panics == 1 && !s.stopped })
	s.combiner.Exclusive(func(*dispatch.Dispatcher) { s.random.left = 1 })
	s.work(dispatch.MakeConn(0, 3, 1), "mail", 1)
	s.until("the end of durable work", func() bool { return s.stopped })
	s.ask(q, 3, "mail")
	if e := s.answer(q, 3); e.Kind != dispatch.Refused || e.Reason != dispatch.NotStored {
		t.Errorf("a run after the panic: %+v", e)
	}
}
