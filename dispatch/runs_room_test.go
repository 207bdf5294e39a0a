package dispatch_test

import (
	"testing"

	"workman/dispatch"
)

// roomWorld is a world of runs in which so many tasks may be in memory, a producer, and a worker of the task "a".
func roomWorld(t *testing.T, tasks int) (k *kept, producer, worker *end, must func(*flaw)) {
	t.Helper()
	k, err := newKept(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	must = func(f *flaw) {
		t.Helper()
		if f != nil {
			t.Fatalf("%v\n%s", f, k.log)
		}
	}
	k.cfg = dispatch.DefaultConfig()
	k.cfg.Durable, k.cfg.MaxTasks, k.batch, k.fails = true, tasks, 1, false
	must(k.crash()) // and begin with these
	producer, f := k.enter(false)
	must(f)
	worker, f = k.enter(true)
	must(f)
	must(k.do(worker.conn, ask{kind: dispatch.RegisterTask, name: []byte("a")}))
	return k, producer, worker, must
}

// answered lets the store answer, and time pass, until nothing more follows.
func (k *kept) answered(must func(*flaw)) {
	for range 20 {
		must(k.storeAnswers())
		k.now.Mono += 100
		k.now.Wall += 100
		must(k.tick())
	}
}

// TestRunsBesideCallsThatFillMemory has calls that no worker takes fill all the memory there is for them. Runs of another
// name go on: those that wait on the disk, and new ones.
func TestRunsBesideCallsThatFillMemory(t *testing.T) {
	for _, tasks := range []int{2, 7, 40} {
		k, producer, worker, must := roomWorld(t, tasks)
		terms := dispatch.NewTerms()
		terms.Promise, terms.Reply = true, dispatch.ReplyAccepted
		run := func() {
			must(k.request(producer, ask{kind: dispatch.RunTask, name: []byte("a"), body: k.newBody(), terms: &terms}))
		}
		for range tasks * 2 {
			run() // the first are in memory, the others on the disk only
		}
		for range tasks * 2 {
			must(k.request(producer, ask{kind: dispatch.RunTask, name: []byte("nobody's"), body: k.newBody()}))
		}
		done := 0
		for range tasks * 3 {
			if done == tasks {
				run()
			}
			must(k.do(worker.conn, ask{kind: dispatch.GetTask, count: 1}))
			k.answered(must)
			if len(worker.held) == 0 {
				break
			}
			must(k.do(worker.conn, ask{kind: dispatch.SendResult, token: worker.held[0].token, body: []byte("1")}))
			done++
			for range 2 { // what becomes free is wanted by calls
				must(k.request(producer, ask{kind: dispatch.RunTask, name: []byte("nobody's"), body: k.newBody()}))
			}
		}
		if want := tasks*2 + 1; done != want {
			t.Errorf("of %d tasks: %d runs were done beside calls that fill memory, want %d", tasks, done, want)
		}
	}
}

// TestCallsBesideRunsThatFillMemory is the other way round: runs fill their part, and calls still come in.
func TestCallsBesideRunsThatFillMemory(t *testing.T) {
	for _, tasks := range []int{2, 7, 40} {
		k, producer, worker, must := roomWorld(t, tasks)
		terms := dispatch.NewTerms()
		terms.Promise, terms.Reply = true, dispatch.ReplyAccepted
		for range tasks * 2 {
			must(k.request(producer, ask{kind: dispatch.RunTask, name: []byte("nobody's"), body: k.newBody(), terms: &terms}))
		}
		k.answered(must)
		must(k.do(worker.conn, ask{kind: dispatch.GetTask, count: 1}))
		must(k.request(producer, ask{kind: dispatch.RunTask, name: []byte("a"), body: k.newBody()}))
		if len(worker.held) != 1 {
			t.Errorf("of %d tasks: a call was not taken beside runs that fill memory", tasks)
		}
	}
}

// TestRunThatIsNotLoaded says of a run why it is not handed out though a worker is ready: there is no room for it in memory.
func TestRunThatIsNotLoaded(t *testing.T) {
	k, producer, worker, must := roomWorld(t, 4)
	terms := dispatch.NewTerms()
	terms.Promise, terms.Reply = true, dispatch.ReplyAccepted
	other, f := k.enter(true)
	must(f)
	must(k.do(other.conn, ask{kind: dispatch.RegisterTask, name: []byte("b")}))
	must(k.do(other.conn, ask{kind: dispatch.GetTask, count: 3}))
	for range 3 {
		must(k.request(producer, ask{kind: dispatch.RunTask, name: []byte("b"), body: k.newBody(), terms: &terms}))
	}
	must(k.do(worker.conn, ask{kind: dispatch.GetTask, count: 1}))
	must(k.request(producer, ask{kind: dispatch.RunTask, name: []byte("a"), body: k.newBody(), terms: &terms}))
	k.answered(must)
	last := k.ids()[3]
	why := func() dispatch.WhyCode {
		t.Helper()
		must(k.request(producer, ask{kind: dispatch.ExplainRun, run: &last}))
		for range 3 {
			must(k.storeAnswers())
		}
		return k.why.Code
	}
	if got := why(); got != dispatch.WhyNotLoaded {
		t.Errorf("while there is no room: %s", got)
	}
	must(k.do(other.conn, ask{kind: dispatch.SendResult, token: other.held[0].token, body: []byte("1")}))
	k.answered(must)
	if got := why(); got != dispatch.WhyRunning {
		t.Errorf("once there is: %s", got)
	}
}
