package conform

import (
	"context"
	"fmt"
	"time"

	"github.com/gobwas/ws"
)

// The sections of docs/protocol.md below Hello.
const (
	several  = protocol + "Several at once"
	failing  = protocol + "A task that fails"
	stopping = protocol + "Cancel and Late"
	longOnes = protocol + "Long tasks"
	leaving  = protocol + "Going away"
	resuming = protocol + "A lost connection"
)

// optIn are the checks of a worker that says Hello.
var optIn = []check{
	{name: "hello", needs: []string{"asks"}, hello: true, expected: "Hello is the first message of a connection, with version 1",
		section: hello, run: saysHello},
	{name: "credits", needs: []string{"hello"}, hello: true, expected: "count and concurrency are whole numbers from 1 to 65536, credit from 0 to 65536",
		section: several, run: credits},
	{name: "errors", needs: []string{"hello"}, hello: true, task: "fail", expected: "SendError with an error, a string or an object; with \"retry\":false if the task says that no other attempt would help",
		section: failing, run: sendsErrors},
	{name: "extends", needs: []string{"hello"}, hello: true, task: "sleep", expected: "Extend before the attempt's deadline, so that it is not given up",
		section: longOnes, run: extends},
	{name: "progress", needs: []string{"hello"}, hello: true, task: "count", expected: "Progress with a value, a note or both, 1024 bytes in all, while the task runs",
		section: longOnes, run: tellsProgress},
	{name: "cancels", needs: []string{"hello"}, hello: true, task: "sleep", expected: "a task of which it is told Cancel is stopped, and answered, and the next one asked for",
		section: stopping, run: cancels},
	{name: "late", needs: []string{"progress"}, hello: true, task: "count", expected: "a task of which it is told Late is stopped: nothing more is said of it",
		section: stopping, run: heedsLate},
	{name: "resumes", needs: []string{"hello", "reset"}, hello: true, task: "sleep", expected: "Hello with its session on the next connection, and what it still has in hand is answered there",
		section: resuming, run: resumes},
	{name: "never arrived", needs: []string{"resumes"}, hello: true, task: "echo", expected: "a nonce in resumed that it knows nothing of, since the task was lost on the way, is handed back: Drain with the nonce",
		section: resuming, run: neverArrived},
	{name: "server drains", needs: []string{"hello"}, hello: true, task: "sleep", expected: "told Drain it finishes what it has, and comes back when the server is there again",
		section: hello, run: serverDrains},
}

func saysHello(ctx context.Context, x *exam) finding {
	err := x.await(ctx, func(j *judge) bool { return j.last().welcome })
	if err != nil {
		return failed("it was not answered: %v", err)
	}
	return ok("")
}

// credits tells what a worker asks for. Whether that may be is the judge's.
func credits(_ context.Context, x *exam) finding {
	var asked, handed int
	x.recording.look(func(j *judge) { asked, handed = j.last().asked, j.last().handed })
	return ok("ready for %d at once", asked-handed)
}

// runs makes a run and waits until the worker has it.
func (x *exam) runs(ctx context.Context, task, options, terms string) (r run, nonce string, f finding) {
	given := x.given()
	r, err := x.producer.submit(ctx, task, options, terms)
	if err != nil {
		return r, "", broken(err)
	}
	if nonce, err = x.handed(ctx, task, given); err != nil {
		return r, "", failed("the task is not taken: %v", err)
	}
	return r, nonce, ok("")
}

func sendsErrors(ctx context.Context, x *exam) finding {
	for _, t := range []struct {
		options  string
		attempts int
	}{{`{"message":"no network"}`, 2}, {`{"message":"no such mailbox","retry":false}`, 1}} {
		r, nonce, f := x.runs(ctx, "fail", t.options, "attempts=2&backoff=0.1")
		if f.result != OK {
			return f
		}
		end, err := x.producer.finished(ctx, r.ID, x.cfg.Timeout)
		if err != nil {
			return broken(err)
		}
		h := x.hand(nonce)
		switch {
		case h.answered != "SendError":
			return failed("fail of %s was answered with %s", t.options, orNothing(h.answered))
		case end.State != "dead" || len(end.Attempts) != t.attempts:
			return failed("fail of %s came to %q after %d attempts, and should be dead after %d", t.options, end.State, len(end.Attempts), t.attempts)
		}
	}
	return ok("")
}

func orNothing(action string) string {
	if action == "" {
		return "nothing"
	}
	return action
}

func extends(ctx context.Context, x *exam) finding {
	r, nonce, f := x.runs(ctx, "sleep", `{"seconds":3,"extend":"10s"}`, "attempts=1&timeout=2s")
	if f.result != OK {
		return f
	}
	end, err := x.producer.finished(ctx, r.ID, 3*time.Second+x.cfg.Timeout)
	if err != nil {
		return broken(err)
	}
	h := x.hand(nonce)
	switch {
	case h.times("Extend") == 0:
		return hint("a task of 3 s with a timeout of 2 s came to %q without an Extend", end.State)
	case end.State != "succeeded":
		return failed("it was extended %d times, the first time after %v, and came to %q", h.times("Extend"), h.first("Extend"), end.State)
	}
	return ok("after %v", h.first("Extend").Round(time.Millisecond))
}

// first is when the worker first said something of it, after it had it.
func (h *hand) first(action string) time.Duration {
	for _, s := range h.said {
		if s.action == action {
			return s.at - h.at
		}
	}
	return 0
}

func tellsProgress(ctx context.Context, x *exam) finding {
	r, nonce, f := x.runs(ctx, "count", `{"to":5,"every":0.1}`, "attempts=1")
	if f.result != OK {
		return f
	}
	end, err := x.producer.finished(ctx, r.ID, x.cfg.Timeout)
	if err != nil {
		return broken(err)
	}
	h := x.hand(nonce)
	switch {
	case end.State != "succeeded":
		return failed("counting to 5 came to %q", end.State)
	case h.times("Progress") == 0 && x.way == Leases:
		return hint("nothing was said while it counted to 5: nobody sees how far it is, and it is not told if the run is cancelled")
	case h.times("Progress") == 0:
		return failed("nothing was said while it counted to 5")
	case string(end.Result) != "5":
		return failed("counting to 5 gave %s", brief(end.Result))
	}
	return ok("%s", counted(h.times("Progress"), "time"))
}

func cancels(ctx context.Context, x *exam) finding {
	r, nonce, f := x.runs(ctx, "sleep", `{"seconds":60}`, "attempts=1")
	if f.result != OK {
		return f
	}
	began := time.Now()
	if err := x.producer.cancel(ctx, r.ID); err != nil {
		return broken(err)
	}
	if err := x.await(ctx, func(j *judge) bool { return j.hands[nonce].answers > 0 }); err != nil {
		f := hint("a task that takes a minute is not answered after Cancel (%v): it goes on with what nobody wants", err)
		f.anew = true
		return f
	}
	took := time.Since(began).Round(time.Millisecond)
	if f := x.works(ctx); f.result != OK {
		return f
	}
	return ok("%s after %v", x.hand(nonce).answered, took)
}

// How soon a task of which Late was told is to be silent, and how long that is looked at.
const (
	lateGrace = time.Second
	lateWatch = time.Second
)

func heedsLate(ctx context.Context, x *exam) finding {
	x.proxy.set(func(p *proxy) {
		p.rewrite = func(m message, _ []byte) ([]ws.Frame, bool) { return nil, m.text("event") == "Cancel" }
	})
	defer x.proxy.set(func(p *proxy) { p.rewrite = nil })
	_, nonce, f := x.runs(ctx, "count", `{"to":600,"every":0.1}`, "attempts=1&timeout=1s")
	if f.result != OK {
		return f
	}
	if err := x.await(ctx, func(j *judge) bool { return j.hands[nonce].late > 0 }); err != nil {
		return failed("the attempt's time was up after 1 s, and nothing was said of it that could be late: %v", err)
	}
	if !sleep(ctx, lateGrace+lateWatch) {
		return failed("it ended meanwhile")
	}
	h := x.hand(nonce)
	for _, s := range h.said {
		if s.at > h.late+lateGrace {
			f := hint("%v after Late it still said %s of it: that counts for nothing", (s.at - h.late).Round(time.Millisecond), s.action)
			f.anew = true
			return f
		}
	}
	return x.works(ctx)
}

// graceTime is how long a session that can go on keeps its tasks from others.
const graceTime = 5 * time.Second

func resumes(ctx context.Context, x *exam) finding {
	old := x.conn()
	r, nonce, f := x.runs(ctx, "sleep", `{"seconds":2}`, "attempts=1")
	if f.result != OK {
		return f
	}
	var session string
	x.recording.look(func(j *judge) { session = j.last().session })
	x.settle(ctx)
	x.proxy.cut()
	if _, err := x.back(ctx, old); err != nil {
		return failed("it does not come back: %v", err)
	}
	end, err := x.producer.finished(ctx, r.ID, 2*time.Second+graceTime+2*x.cfg.Timeout)
	if err != nil {
		return broken(err)
	}
	var asked string
	x.recording.look(func(j *judge) { asked = j.conns[old].asksFor })
	if f := x.resumed(session, asked, nonce, end); f.result == Failed || f.result == Hint {
		return f
	}
	if f := x.works(ctx); f.result != OK {
		return f
	}
	return ok("")
}

func (x *exam) resumed(session, asked, nonce string, end run) finding {
	switch {
	case end.State != "succeeded":
		return failed("what it had in hand came to %q", end.State)
	case asked == "":
		return hint("it does not go on with its session, so what it had in hand is done again, after the grace")
	case asked != session:
		return failed("it asked to go on with the session %q, and had %q", asked, session)
	case x.hand(nonce).answers == 0:
		return failed("it went on with its session, and did not answer what it still had in hand there; it was done again")
	}
	return ok("")
}

// neverArrived loses a task on the way, and the connection with it.
func neverArrived(ctx context.Context, x *exam) finding {
	old := x.conn()
	x.proxy.set(func(p *proxy) {
		p.rewrite = func(m message, _ []byte) ([]ws.Frame, bool) { return nil, has(m["nonce"]) }
	})
	r, nonce, f := x.runs(ctx, "echo", `"lost on the way"`, "attempts=1")
	x.proxy.set(func(p *proxy) { p.rewrite = nil })
	if f.result != OK {
		return f
	}
	x.proxy.cut()
	if _, err := x.back(ctx, old); err != nil {
		return failed("it does not come back: %v", err)
	}
	end, err := x.producer.finished(ctx, r.ID, graceTime+2*x.cfg.Timeout)
	if err != nil {
		return broken(err)
	}
	h, again := x.hand(nonce), false
	x.recording.look(func(j *judge) { again = j.conns[old].resumed })
	switch {
	case !again:
		return untried("it does not go on with its session")
	case h.times("Drain") == 0:
		return failed("it went on with its session, and said nothing of a task that it has there, as the server sees it")
	case end.State != "succeeded" || end.Lost > 0:
		return failed("it handed the task back, and that came to %q, lost %d times", end.State, end.Lost)
	}
	return x.works(ctx)
}

func serverDrains(ctx context.Context, x *exam) finding {
	old, l := x.conn(), x.proxy.current()
	r, nonce, f := x.runs(ctx, "sleep", `{"seconds":1}`, "attempts=1")
	if f.result != OK {
		return f
	}
	if err := l.send(ws.NewTextFrame([]byte(`{"event":"Drain"}`))); err != nil {
		return failed("the connection is lost: %v", err)
	}
	end, err := x.producer.finished(ctx, r.ID, time.Second+x.cfg.Timeout)
	if err != nil {
		return broken(err)
	}
	if end.State != "succeeded" || x.hand(nonce).answers == 0 {
		return failed("it did not finish what it had in hand; that came to %q", end.State)
	}
	if x.conn() == old { // else it has left by itself
		_ = l.leave(ws.StatusGoingAway)
	}
	if _, err := x.back(ctx, old); err != nil {
		return failed("it does not come back: %v", fmt.Errorf("after the server has ended: %w", err))
	}
	return x.works(ctx)
}
