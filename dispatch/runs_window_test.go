package dispatch_test

import (
	"testing"

	"workman/dispatch"
)

// TestRunsBehindACancelledWindow has all runs of a window cancelled while the only worker is busy: those behind them, on the
// disk, come next.
func TestRunsBehindACancelledWindow(t *testing.T) {
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
	k.cfg.Durable, k.cfg.Window, k.batch, k.fails = true, 2, 1, false
	must(k.crash()) // and begin with these
	producer, f := k.enter(false)
	must(f)
	worker, f := k.enter(true)
	must(f)
	must(k.do(worker.conn, ask{kind: dispatch.RegisterTask, name: []byte("a")}))
	terms := dispatch.NewTerms()
	terms.Promise, terms.Reply = true, dispatch.ReplyAccepted
	for range 4 {
		must(k.request(producer, ask{kind: dispatch.RunTask, name: []byte("a"), body: k.newBody(), terms: &terms}))
	}
	must(k.storeAnswers())
	ids := k.ids()
	for _, id := range ids[:2] {
		must(k.request(nil, ask{kind: dispatch.CancelRun, run: &id}))
	}
	for range 8 { // an answer may take three turns
		must(k.storeAnswers())
	}
	must(k.do(worker.conn, ask{kind: dispatch.GetTask, count: 1}))
	for range 8 {
		must(k.storeAnswers())
	}
	if len(worker.held) != 1 || worker.held[0].run.id != ids[2] {
		t.Fatalf("the worker has %v, and should have run %s\n%s", worker.held, ids[2], k.log)
	}
}
