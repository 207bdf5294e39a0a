package conform

import (
	"context"
	"syscall"
	"time"
)

// ending are the last checks.
var ending = []check{
	{name: "ends", needs: []string{"asks"}, ends: true, expected: "it ends within --timeout of SIGTERM, having finished what it has in hand or handed it back",
		section: workerLost, run: ends},
	{name: "messages", needs: []string{"text"}, raw: true, ends: true, expected: "each message is one that docs/protocol.md has",
		section: forWorkers, run: nothingElse},
}

func ends(ctx context.Context, x *exam) finding {
	soon, cancel := x.soon(ctx)
	defer cancel()
	var nonce string
	if x.does("sleep") {
		given := x.given()
		x.producer.call(soon, "sleep", []byte(`{"seconds":2}`))
		var err error
		if nonce, err = x.handed(ctx, "sleep", given); err != nil {
			return failed("a task for it to have in hand is not taken: %v", err)
		}
		x.settle(ctx)
	}
	began := time.Now()
	x.worker.signal(syscall.SIGTERM)
	select {
	case <-x.worker.ended:
	case <-soon.Done():
		return failed("it still runs %v after SIGTERM", time.Since(began).Round(time.Millisecond))
	}
	took, how := time.Since(began).Round(time.Millisecond), x.worker.cmd.ProcessState
	if nonce == "" {
		return ok("after %v, %v", took, how)
	}
	for x.connected() && sleep(soon, 5*time.Millisecond) { // its last words may be on their way still
		continue
	}
	switch h := x.hand(nonce); {
	case h.answers > 0:
		return ok("after %v, %v, having done the task it had in hand", took, how)
	case h.handedBack:
		return ok("after %v, %v, having handed back the task it had", took, how)
	}
	return hint("after %v, %v, with a task in hand: it is begun again elsewhere; finish it first, or hand it back (Drain, or DELETE of its lease)", took, how)
}
