package dispatch_test

import (
	"testing"

	"workman/dispatch"
)

// TestRunsDueBehindAFullTimetable has more runs come due than the timetable has room for, set in an order that is not that
// of their times. They are loaded before they are due, as room becomes free: none has to wait for the store.
func TestRunsDueBehindAFullTimetable(t *testing.T) {
	k, err := newKept(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	must := func(f *flaw) {
		t.Helper()
		if f != nil {
			t.Fatalf("%v\n%s", f, k.log)
		}
	}
	k.cfg = dispatch.DefaultConfig()
	k.cfg.Durable, k.cfg.Near, k.batch, k.fails = true, 64, 1, false
	must(k.crash()) // and begin with these
	worker, f := k.enter(true)
	must(f)
	must(k.do(worker.conn, ask{kind: dispatch.RegisterTask, name: []byte("a")}))
	const count = 640
	must(k.do(worker.conn, ask{kind: dispatch.GetTask, count: count}))
	first := k.now.Wall + 40_000
	for i := range int64(count) {
		must(k.request(nil, ask{kind: dispatch.ScheduleTask, name: []byte("a"), body: k.newBody(), at: first + i*7%count}))
	}
	waited := 0 // were handed out when the store answered, not when their time came
	for k.now.Wall < first+count {
		before := len(worker.held)
		for len(k.disk.loads) > 0 || len(k.disk.pending) > 0 || len(k.out.Loads) > 0 || len(k.out.Ops) > 0 {
			must(k.storeAnswers())
		}
		waited += len(worker.held) - before
		sleep := max(k.sut.Sleep(k.now), 1)
		k.now.Mono += sleep
		k.now.Wall += sleep
		must(k.do(0, ask{kind: dispatch.Tick}))
	}
	if len(worker.held) != count || waited > 0 {
		t.Errorf("%d of %d were handed out, %d of them late", len(worker.held), count, waited)
	}
}
