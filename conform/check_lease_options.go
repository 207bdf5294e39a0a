package conform

import (
	"context"
	"time"
)

// leaseOptions are the checks of what a worker that leases may do, too.
var leaseOptions = []check{
	{name: "errors", needs: []string{"asks again"}, task: "fail", expected: "POST /lease/{nonce}/error, with \"retry\":false if the task says that no other attempt would help",
		section: ofLease, run: sendsErrors},
	{name: "extends", needs: []string{"asks again"}, task: "sleep", expected: "POST /lease/{nonce}/extend before the attempt's deadline, so that it is not given up",
		section: ofLease, run: extends},
	{name: "progress", needs: []string{"asks again"}, task: "count", expected: "POST /lease/{nonce}/progress with a value, a note or both, while the task runs",
		section: ofLease, run: tellsProgress},
	{name: "cancels", needs: []string{"progress"}, task: "count", expected: "a task of which it is told {\"cancel\":true} is stopped, and answered or handed back, and the next one asked for",
		section: ofLease, run: cancelsLease},
	{name: "late", needs: []string{"progress"}, task: "count", expected: "a task of which it is told 409 is stopped: nothing more is said of it",
		section: ofLease, run: heedsStale},
}

// silentWorker is why a worker cannot be told anything.
const silentWorker = "it says no progress, and is told only when it asks"

// leaseEnding are the last checks.
var leaseEnding = []check{
	{name: "ends", needs: []string{"takes"}, ends: true, expected: "it ends within --timeout of SIGTERM, having finished what it has in hand or handed it back",
		section: overHTTP, run: ends},
	{name: "requests", needs: []string{"takes"}, raw: true, ends: true, expected: "each request is one that docs/protocol.md has",
		section: ofLease, run: nothingElse},
}

func cancelsLease(ctx context.Context, x *exam) finding {
	if x.results["progress"] != OK {
		return untried(silentWorker)
	}
	r, nonce, f := x.runs(ctx, "count", `{"to":600,"every":0.1}`, "attempts=1")
	if f.result != OK {
		return f
	}
	if err := x.producer.cancel(ctx, r.ID); err != nil {
		return broken(err)
	}
	if err := x.await(ctx, func(j *judge) bool { return j.hands[nonce].toStop }); err != nil {
		f := untried("of a task that takes a minute it says nothing that could be answered so")
		f.anew = true
		return f
	}
	began := time.Now()
	if err := x.await(ctx, func(j *judge) bool { return j.hands[nonce].answers > 0 || j.hands[nonce].handedBack }); err != nil {
		f := hint("a task that takes a minute is neither answered nor handed back (%v): it goes on with what nobody wants", err)
		f.anew = true
		return f
	}
	took := time.Since(began).Round(time.Millisecond)
	if f := x.works(ctx); f.result != OK {
		return f
	}
	return ok("%s after %v", x.hand(nonce).said[len(x.hand(nonce).said)-1].action, took)
}

func heedsStale(ctx context.Context, x *exam) finding {
	if x.results["progress"] != OK {
		return untried(silentWorker)
	}
	return heedsLate(ctx, x)
}
