package dispatch_test

import (
	"testing"

	"workman/dispatch"
)

// spans are times of which somebody says how long they are, and what happens when they are over. As the clock reads whole
// milliseconds, what is said may come at the very end of one.
var spans = []struct {
	what  string
	idle  bool // no worker takes it
	say   func(*dispatch.Terms)
	begin func(s *stage, worker *end) (over func() bool)
}{
	{"until the attempt that a worker asked for", false, nil, func(s *stage, w *end) func() bool {
		s.must(s.do(w.conn, ask{kind: dispatch.SendError, token: w.held[0].token, body: []byte(`{"detail":"no"}`), at: 400, count: 1}))
		return func() bool { return len(w.held) > 0 }
	}},
	{"of an attempt", false, func(t *dispatch.Terms) { t.Timeout = 400 }, func(_ *stage, w *end) func() bool {
		return func() bool { return len(w.held) == 0 }
	}},
	{"of one that is extended", false, func(t *dispatch.Terms) { t.Timeout = 100 }, func(s *stage, w *end) func() bool {
		s.must(s.do(w.conn, ask{kind: dispatch.Extend, token: w.held[0].token, at: 400}))
		return func() bool { return len(w.held) == 0 }
	}},
	{"to live", true, func(t *dispatch.Terms) { t.TTL = 400 }, func(s *stage, _ *end) func() bool {
		run := s.runs[s.ids()[0]]
		return func() bool { return run.outcome != nil && run.outcome.State == dispatch.Expired }
	}},
	{"of a call to live", true, func(t *dispatch.Terms) { t.TTL, t.Promise = 400, false }, func(s *stage, _ *end) func() bool {
		return func() bool { return len(s.asked) == 0 }
	}},
}

// TestNotSooner: nothing happens before the time that was said is over for sure, and all of it happens then.
func TestNotSooner(t *testing.T) {
	for _, c := range spans {
		t.Run(c.what, func(t *testing.T) {
			s := newStage(t, nil)
			worker := s.arrives(true)
			if !c.idle {
				s.works(worker, 1)
			}
			s.submits(s.arrives(false), c.say)
			s.settles()
			over := c.begin(s, worker)
			s.settles()
			s.passes(400)
			if s.settles(); over() {
				t.Fatalf("it is over after 399 ms and a bit\n%s", s.log)
			}
			s.passes(1)
			if s.settles(); !over() {
				t.Errorf("it is not over after 400 ms and a bit\n%s", s.log)
			}
		})
	}
}

// TestNotBefore: what is to happen at a time happens as soon as the clock reads it, and no sooner.
func TestNotBefore(t *testing.T) {
	s := newStage(t, nil)
	worker := s.arrives(true)
	s.works(worker, 2)
	at := s.now.Wall + 400
	s.must(s.request(nil, ask{kind: dispatch.ScheduleTask, name: []byte("a"), body: s.newBody(), at: at}))
	s.submits(s.arrives(false), func(t *dispatch.Terms) { t.Deadline = at })
	s.settles()
	ends := worker.held[0].run
	s.passes(399)
	if s.settles(); len(worker.held) != 1 || ends.outcome != nil {
		t.Fatalf("a millisecond before their time one run has begun, or one has expired\n%s", s.log)
	}
	s.passes(1)
	if s.settles(); len(worker.held) != 1 || worker.held[0].run == ends || ends.outcome == nil {
		t.Errorf("at their time one run has not begun, or one not expired\n%s", s.log)
	}
}

// TestKeyNotBeforeSafe: the time of a run under a key comes while the store has not kept it yet. A worker gets it once it has.
func TestKeyNotBeforeSafe(t *testing.T) {
	s := newStage(t, nil)
	worker := s.arrives(true)
	s.works(worker, 1)
	s.passes(1)
	s.settles() // what is due soon has been looked up: from now on it is in memory
	terms := dispatch.NewTerms()
	terms.Key = []byte("once")
	s.must(s.request(nil, ask{kind: dispatch.ScheduleTask, name: []byte("a"), body: s.newBody(), at: s.now.Wall + 5, terms: &terms}))
	s.must(s.flush())
	for len(s.disk.loads) > 0 { // whether the key is known
		s.must(s.load())
	}
	s.must(s.flush())
	if s.passes(5); len(s.disk.pending) == 0 || len(worker.held) != 0 {
		t.Fatalf("%d batches wait, and the worker has %d runs\n%s", len(s.disk.pending), len(worker.held), s.log)
	}
	if s.settles(); len(worker.held) != 1 {
		t.Errorf("when it is safe, the worker has %d runs\n%s", len(worker.held), s.log)
	}
}
