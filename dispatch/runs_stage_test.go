package dispatch_test

import (
	"testing"

	"workman/dispatch"
)

// stage is a world in which nothing happens by chance, to show one thing at a time: all that its model wants holds here too.
type stage struct {
	*kept
	t *testing.T
}

// newStage makes one with batches of one event, a store that does not fail, and what else a test wants of its configuration.
func newStage(t *testing.T, change func(*dispatch.Config)) *stage {
	t.Helper()
	k, err := newKept(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{k, t}
	k.cfg = dispatch.DefaultConfig()
	k.cfg.Durable, k.batch, k.fails = true, 1, false
	k.cfg.Next = simNext
	if change != nil {
		change(&k.cfg)
	}
	s.must(k.crash()) // and begin with these
	return s
}

func (s *stage) must(f *flaw) {
	s.t.Helper()
	if f != nil {
		s.t.Fatalf("%v\n%s", f, s.log)
	}
}

// arrives opens a connection; a worker's can do "a".
func (s *stage) arrives(worker bool) *end {
	s.t.Helper()
	p, f := s.enter(worker)
	s.must(f)
	if worker {
		s.must(s.do(p.conn, ask{kind: dispatch.RegisterTask, name: []byte("a")}))
	}
	return p
}

// works has a worker take so many more tasks.
func (s *stage) works(p *end, count uint32) {
	s.t.Helper()
	s.must(s.do(p.conn, ask{kind: dispatch.GetTask, count: count}))
}

// submits asks for a run of "a", perhaps with some terms.
func (s *stage) submits(p *end, say func(*dispatch.Terms)) {
	s.t.Helper()
	terms := dispatch.NewTerms()
	terms.Promise, terms.Reply = true, dispatch.ReplyAccepted
	if say != nil {
		say(&terms)
	}
	s.must(s.request(p, ask{kind: dispatch.RunTask, name: []byte("a"), body: s.newBody(), terms: &terms}))
}

// settles lets the store keep and answer everything.
func (s *stage) settles() {
	s.t.Helper()
	for len(s.disk.loads) > 0 || len(s.disk.pending) > 0 || len(s.out.Loads) > 0 || len(s.out.Ops) > 0 {
		s.must(s.storeAnswers())
	}
}

// passes lets time pass.
func (s *stage) passes(ms int64) {
	s.t.Helper()
	s.now.Mono += ms
	s.now.Wall += ms
	s.must(s.do(0, ask{kind: dispatch.Tick}))
}
