package dispatch_test

import (
	"testing"

	"workman/dispatch"
)

// TestRunsDueBehindAFullTimetable has more runs come due than the timetable has room for, set in an order that is not that
// of their times. They are loaded before they are due, as room becomes free: none has to wait for the store.
func TestRunsDueBehindAFullTimetable(t *testing.T) {
	s := newStage(t, func(c *dispatch.Config) { c.Near = 64 })
	worker := s.arrives(true)
	const count = 640
	s.works(worker, count)
	first := s.now.Wall + 40_000
	for i := range int64(count) {
		s.must(s.request(nil, ask{kind: dispatch.ScheduleTask, name: []byte("a"), body: s.newBody(), at: first + i*7%count}))
	}
	waited := 0 // were handed out when the store answered, not when their time came
	for s.now.Wall < first+count {
		before := len(worker.held)
		s.settles()
		waited += len(worker.held) - before
		s.passes(max(s.sut.Sleep(s.now), 1))
	}
	if len(worker.held) != count || waited > 0 {
		t.Errorf("%d of %d were handed out, %d of them late", len(worker.held), count, waited)
	}
}
