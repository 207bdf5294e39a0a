package conform

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// leaseBeginning are the checks of how a worker that leases over HTTP comes to its first tasks.
var leaseBeginning = []check{
	{name: "takes", raw: true, needs: []string{"connects"}, expected: "POST /lease with the names of the tasks that it does, in JSON",
		section: postLease, run: takes},
	{name: "answers", needs: []string{"takes"}, task: "echo", expected: "POST /lease/{nonce}/result with the result in JSON",
		section: ofLease, run: answersLease},
	{name: "nonce", needs: []string{"answers"}, task: "echo", raw: true, expected: "the answer has the nonce of its task, all 40 letters of it, and no other nonce is made up",
		section: ofLease, run: rightNonce},
	{name: "asks again", needs: []string{"nonce"}, task: "echo", raw: true, expected: "POST /lease for the next tasks, when those of the last are answered",
		section: postLease, run: leasesAgain},
	{name: "once", needs: []string{"asks again"}, task: "echo", expected: "one answer to each task",
		section: ofLease, run: once},
}

// leaseDisturbances are the checks of what it has to take.
var leaseDisturbances = []check{
	{name: "unknown members", needs: []string{"asks again"}, task: "echo", expected: "members of a task, and of the answer, that it does not know are ignored",
		section: postLease, run: unknownOfLease},
	{name: "no tasks", needs: []string{"asks again"}, expected: "it asks again when there was nothing to do",
		section: postLease, run: noTasks},
	{name: "several", needs: []string{"no tasks"}, task: "echo", expected: "each task of a lease is answered, if it asks for more than one at once",
		section: postLease, run: answersSeveral},
	{name: "backs off", needs: []string{"no tasks"}, expected: "503 and 429 are no end: it asks again after Retry-After, and not more than ten times a second",
		section: tooBusy, run: waitsItsTurn},
}

// leaseLosses are the checks of what it does when it loses its connection, its server or its lease.
var leaseLosses = []check{
	{name: "reset", needs: []string{"asks again"}, expected: "it asks again after its connection was reset (RST) while it waited",
		section: overHTTP, run: resetOfLease},
	{name: "away", needs: []string{"reset"}, expected: "it comes back to a server on whose port nobody listened for a while",
		section: comingBack, run: awayOfLease},
	{name: "stale", needs: []string{"once", "no tasks"}, task: "sleep", expected: "409 to what it says of a lease that is over is no end: it drops the answer, and goes on",
		section: ofLease, run: staleLease},
	{name: "restart", needs: []string{"away"}, expected: "it goes on with a server that was started anew, which knows nothing of its leases",
		section: overHTTP, run: restarted},
}

func takes(ctx context.Context, x *exam) finding {
	err := x.await(ctx, func(j *judge) bool {
		return j.faults["takes"] != nil || slices.ContainsFunc(j.asked, func(a *asking) bool { return len(a.names) > 0 })
	})
	if err != nil {
		return failed("no POST /lease with names came: %v", err)
	}
	x.settle(ctx) // there may be more
	x.recording.look(func(j *judge) { x.names = j.offers(0) })
	return ok("does %s", counted(len(x.names), "task"))
}

func answersLease(ctx context.Context, x *exam) finding {
	soon, cancel := x.soon(ctx)
	defer cancel()
	result := x.producer.call(soon, "echo", []byte(firstOptions))
	err := x.await(ctx, func(j *judge) bool {
		return j.faults["nonce"] != nil || slices.ContainsFunc(j.order, func(h *hand) bool { return h.told != 0 })
	})
	if err != nil {
		return failed("no result came (%v): %s", err, x.whatOfIt())
	}
	if x.settle(ctx); x.recording.fault("nonce") == nil {
		x.first = x.same(firstOptions, <-result)
	}
	return ok("")
}

func leasesAgain(ctx context.Context, x *exam) finding {
	const inARow = 3
	for i := range inARow {
		if f := x.echo(ctx, `"again"`); f.result != OK {
			return failed("task %d in a row: %s", i+1, f.seen)
		}
	}
	return ok("%d tasks in a row", inARow)
}

// answersSeveral has so many tasks be there when the worker asks.
func answersSeveral(ctx context.Context, x *exam) finding {
	const all = 3
	count := 1
	x.recording.look(func(j *judge) {
		for _, a := range j.asked {
			count = max(count, a.count)
		}
	})
	if count == 1 {
		return untried("it takes one at a time")
	}
	hold := make(chan struct{})
	x.proxy.set(func(p *proxy) { p.hold = hold })
	err := x.askAnew(ctx)
	given := x.given()
	var runs []run
	for i := range all {
		if err == nil {
			var r run
			r, err = x.producer.submit(ctx, "echo", fmt.Sprintf("[%d]", i), "attempts=1")
			runs = append(runs, r)
		}
	}
	x.proxy.set(func(p *proxy) { p.hold = nil })
	close(hold)
	if err != nil {
		return failed("it does not ask for more: %v", err)
	}
	for i, r := range runs {
		end, err := x.producer.finished(ctx, r.ID, x.cfg.Timeout)
		if err != nil {
			return broken(err)
		}
		if end.State != "succeeded" {
			return failed("of %d tasks, handed out in leases of up to %d, the one with the number %d is %q", all, count, i+1, end.State)
		}
	}
	return ok("%d, in leases of up to %d", x.given()-given, count)
}

func unknownOfLease(ctx context.Context, x *exam) finding {
	f := x.with(func(p *proxy) {
		p.change = func(c *call, body []byte) []byte {
			if !c.isLease() {
				return body
			}
			body = bytes.Replace(body, []byte(`{"tasks":`), []byte(`{"later":[{}],"tasks":`), 1)
			return bytes.ReplaceAll(body, []byte(`{"name":`), []byte(`{"later":{"x":[1,null]},"alsoLater":"y","name":`))
		}
	}, func() finding { return x.echo(ctx, `"with more"`) })
	if f.result != OK {
		return f
	}
	return x.works(ctx)
}

func noTasks(ctx context.Context, x *exam) finding {
	for range 3 {
		if err := x.askAnew(ctx); err != nil {
			return failed("it does not: %v", err)
		}
	}
	return x.works(ctx)
}

func waitsItsTurn(ctx context.Context, x *exam) finding {
	var n atomic.Int64
	since := x.asked()
	f := x.with(func(p *proxy) {
		p.instead = func(c *call) *reply {
			if !c.isLease() {
				return nil
			}
			a := busy([]int{http.StatusServiceUnavailable, http.StatusTooManyRequests}[n.Add(1)%2])
			return &a
		}
	}, func() finding {
		for began := time.Now(); time.Since(began) < refusal; {
			x.proxy.interrupt(busy(http.StatusServiceUnavailable))
			if !sleep(ctx, leaseTime) {
				return failed("it ended while it was refused, after %s", counted(int(n.Load()), "attempt"))
			}
		}
		return ok("")
	})
	if f.result != OK {
		return f
	}
	var attempts []time.Time
	var askers int
	x.recording.look(func(j *judge) {
		askers = j.askers()
		for _, a := range j.asked[since:] {
			attempts = append(attempts, x.recording.began.Add(a.at))
		}
	})
	if most := busiest(attempts); most > maxPerSec*askers {
		return failed("%d attempts in a second, %d in %v, of %d who ask at once", most, len(attempts), refusal, askers)
	}
	if f := x.comesBack(ctx, x.asked()-1, "refused for a while,"); f.result != OK {
		return f
	}
	if n := len(attempts); n > askers*(1+int(refusal/retryAfter)) {
		return hint("%s in %v: Retry-After was %v", counted(n, "attempt"), refusal, retryAfter)
	}
	return ok("%s in %v", counted(len(attempts), "attempt"), refusal)
}

func resetOfLease(ctx context.Context, x *exam) finding {
	since := x.asked()
	x.proxy.cut()
	return x.comesBack(ctx, since, "")
}

func awayOfLease(ctx context.Context, x *exam) finding {
	x.proxy.away()
	x.proxy.cut()
	whole := sleep(ctx, awayTime)
	since := x.asked()
	if err := x.proxy.listen(context.WithoutCancel(ctx)); err != nil {
		return broken(err)
	}
	if !whole {
		return failed("it ended while nobody listened")
	}
	return x.comesBack(ctx, since, "after nobody listened for a while")
}

// staleLease has a lease end before its task is done.
func staleLease(ctx context.Context, x *exam) finding {
	const d = time.Second
	var result <-chan answer
	long, cancel := context.WithTimeout(ctx, 2*x.cfg.Timeout+3*d)
	defer cancel()
	given := x.given()
	var nonce string
	f := x.with(lasting(d), func() finding {
		if err := x.askAnew(ctx); err != nil {
			return failed("it does not ask again: %v", err)
		}
		result = x.producer.call(long, "sleep", []byte(`{"seconds":2}`))
		var err error
		if nonce, err = x.handed(ctx, "sleep", given); err != nil {
			return failed("the task is not taken: %v", err)
		}
		return ok("")
	})
	if f.result != OK {
		return f
	}
	if err := x.await(ctx, func(j *judge) bool { return j.hands[nonce].told != 0 || j.hands[nonce].handedBack }); err != nil {
		return failed("it says nothing of a task of 2 s: %v", err)
	}
	if h := x.hand(nonce); h.told != http.StatusConflict {
		return untried("it had the lease last longer: its answer after 2 s came to %d", h.told)
	}
	if a := <-result; a.err != nil || a.status != http.StatusOK {
		return failed("afterwards the task, which is handed out again, came to %d %s (%v): %s", a.status, brief(a.body), a.err, x.whatOfIt())
	}
	return x.works(ctx)
}

// restarted has a server go, with what the worker has of it, and another come.
func restarted(ctx context.Context, x *exam) finding {
	if x.does("sleep") && x.results["stale"] != Failed {
		given := x.given()
		x.producer.call(ctx, "sleep", []byte(`{"seconds":1}`))
		if _, err := x.handed(ctx, "sleep", given); err != nil {
			return failed("a task for it to have in hand is not taken: %v", err)
		}
	}
	if err := x.restart(ctx); err != nil {
		return broken(err)
	}
	return x.works(ctx)
}
