package dispatch_test

import (
	"testing"

	"workman/dispatch"
)

// TestRunsBehindACancelledWindow has all runs of a window cancelled while the only worker is busy: those behind them, on the
// disk, come next.
func TestRunsBehindACancelledWindow(t *testing.T) {
	s := newStage(t, func(c *dispatch.Config) { c.Window = 2 })
	producer, worker := s.arrives(false), s.arrives(true)
	for range 4 {
		s.submits(producer, nil)
	}
	s.settles()
	ids := s.ids()
	for _, id := range ids[:2] {
		s.must(s.request(nil, ask{kind: dispatch.CancelRun, run: &id}))
	}
	s.settles()
	s.works(worker, 1)
	s.settles()
	if len(worker.held) != 1 || worker.held[0].run.id != ids[2] {
		t.Fatalf("the worker has %v, and should have run %s\n%s", worker.held, ids[2], s.log)
	}
}
