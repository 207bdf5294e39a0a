package conform

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"
)

// losses are the checks of what a worker does when its connection is lost.
var losses = []check{
	{name: "returns", needs: []string{"asks"}, expected: "a new connection, and GetTask on it, once the server has closed the old one with 1001",
		section: comingBack, run: returns},
	{name: "registers anew", raw: true, needs: []string{"returns"}, expected: "the same names are registered on each connection, unless its session goes on",
		section: comingBack, run: registersAnew},
	{name: "backs off", needs: []string{"registers anew"}, expected: "125 ms before the first attempt to connect, doubled up to 2 s; not more than ten attempts a second",
		section: comingBack, run: backsOff},
	{name: "away", needs: []string{"registers anew"}, expected: "it comes back to a server on whose port nobody listened for a while",
		section: comingBack, run: away},
	{name: "reset", needs: []string{"registers anew"}, expected: "it comes back after its connection was reset (RST)",
		section: comingBack, run: reset},
	{name: "lost task", needs: []string{"registers anew", "asks again"}, task: "sleep", expected: "a task that it had in hand when the connection was lost comes again, and is done",
		section: workerLost, run: lostTask},
	{name: "silence", needs: []string{"registers anew"}, expected: "a connection on which nothing comes, no ping either, is given up: after twice the heartbeat that Hello is told, or 90 s",
		section: inGeneral, run: silence},
}

// back waits for a new connection that is ready, and tells how long that took.
func (x *exam) back(ctx context.Context, old int) (took time.Duration, err error) {
	began := time.Now()
	err = x.await(ctx, func(j *judge) bool {
		c := j.last()
		return c.number > old && c.ready() && registered(c, x.names)
	})
	return time.Since(began).Round(time.Millisecond), err
}

func returns(ctx context.Context, x *exam) finding {
	old, mark := x.conn(), x.recording.mark()
	if err := x.proxy.current().leave(ws.StatusGoingAway); err != nil {
		return failed("the connection is lost: %v", err)
	}
	began := time.Now()
	err := x.await(ctx, func(j *judge) bool { return j.last().number > old && j.last().asked > 0 })
	if err != nil {
		return failed("it does not: %v", err)
	}
	took := time.Since(began).Round(time.Millisecond)
	_, closed := x.recording.find(mark, func(e entry) bool { return !e.toWorker && e.conn == old && e.op == ws.OpClose })
	if !closed {
		return hint("after %v; but the close frame was not answered with one (RFC 6455 section 5.5.1)", took)
	}
	return ok("after %v", took)
}

func registersAnew(ctx context.Context, x *exam) finding {
	if err := x.ready(ctx); err != nil {
		var names []string
		x.recording.look(func(j *judge) {
			for name := range j.last().names {
				names = append(names, name)
			}
		})
		return failed("on the new connection %q are registered, and %q were on the first (%v)", names, x.names, err)
	}
	return x.works(ctx)
}

// How a worker is refused, and what is too often.
const (
	refusal    = 3 * time.Second
	maxPerSec  = 10
	slowReturn = 4 * time.Second
)

func backsOff(ctx context.Context, x *exam) finding {
	old := x.conn()
	x.proxy.set(func(p *proxy) { p.refusing, p.attempts = true, nil })
	x.proxy.cut()
	whole := sleep(ctx, refusal)
	var attempts []time.Time
	x.proxy.set(func(p *proxy) { p.refusing, attempts = false, p.attempts })
	if !whole {
		return failed("it ended while it was refused, after %s", counted(len(attempts), "attempt"))
	}
	if n := busiest(attempts); n > maxPerSec {
		return failed("%d attempts in a second, %d in %v", n, len(attempts), refusal)
	}
	took, err := x.back(ctx, old)
	if err != nil {
		return failed("it was refused for %v, and did not come back then: %v", refusal, err)
	}
	seen := fmt.Sprintf("%s in %v, and back %v later", counted(len(attempts), "attempt"), refusal, took)
	switch gaps := between(attempts); {
	case took > slowReturn:
		return hint("%s: 2 s between attempts are enough", seen)
	case len(gaps) > 1 && gaps[0] < time.Second && gaps[len(gaps)-1] < gaps[0]*13/10:
		return hint("%s: the time between them does not grow", seen)
	}
	return ok("%s", seen)
}

// busiest is the most attempts in any one second.
func busiest(attempts []time.Time) (most int) {
	for i, first := range attempts {
		n := 0
		for _, t := range attempts[i:] {
			if t.Sub(first) < time.Second {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

func between(attempts []time.Time) (gaps []time.Duration) {
	for i := 1; i < len(attempts); i++ {
		gaps = append(gaps, attempts[i].Sub(attempts[i-1]))
	}
	return gaps
}

// awayTime is how long nobody listens.
const awayTime = 2 * time.Second

func away(ctx context.Context, x *exam) finding {
	old := x.conn()
	x.proxy.away()
	x.proxy.cut()
	whole := sleep(ctx, awayTime)
	if err := x.proxy.listen(context.WithoutCancel(ctx)); err != nil {
		return broken(err)
	}
	if !whole {
		return failed("it ended while nobody listened")
	}
	return x.backAndWorks(ctx, old)
}

func reset(ctx context.Context, x *exam) finding {
	old := x.conn()
	x.proxy.cut()
	return x.backAndWorks(ctx, old)
}

func (x *exam) backAndWorks(ctx context.Context, old int) finding {
	took, err := x.back(ctx, old)
	if err != nil {
		return failed("it does not come back: %v", err)
	}
	if f := x.works(ctx); f.result != OK {
		return f
	}
	return ok("back after %v", took)
}

func lostTask(ctx context.Context, x *exam) finding {
	if x.saidHello() {
		return untried(`after Hello that is for "resumes"`)
	}
	old, given := x.conn(), x.given()
	long, cancel := context.WithTimeout(ctx, 2*x.cfg.Timeout)
	defer cancel()
	result := x.producer.call(long, "sleep", []byte(`{"seconds":2}`))
	nonce, err := x.handed(ctx, "sleep", given)
	if err != nil {
		return failed("the task is not taken: %v", err)
	}
	x.settle(ctx)
	x.proxy.cut()
	if _, err := x.back(ctx, old); err != nil {
		return failed("it does not come back: %v", err)
	}
	if a := <-result; a.err != nil || a.status != http.StatusOK {
		return failed("the task came to %d %s (%v): %s", a.status, brief(a.body), a.err, x.whatOfIt())
	}
	if f := x.works(ctx); f.result != OK {
		return f
	}
	if h := x.hand(nonce); h.times("stale SendResult") > 0 {
		return hint("it answered on the new connection what it had been given on the old one, too: that is ignored")
	}
	return ok("")
}

// How long a worker has to notice silence.
const (
	silenceTime = 90 * time.Second
	heartbeat   = time.Second
)

func silence(ctx context.Context, x *exam) finding {
	wait := silenceTime
	if x.saidHello() {
		if err := x.hasten(ctx); err != nil {
			return failed("with a heartbeat of %v: %v", heartbeat, err)
		}
		wait = max(x.cfg.Timeout, 4*heartbeat)
	} else if !x.cfg.Long {
		return untried("--long waits %v for it", silenceTime)
	}
	old := x.conn()
	l := x.proxy.current()
	if l == nil {
		return failed("the worker has no connection")
	}
	l.freeze()
	defer l.reset()
	began := time.Now()
	long, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err := x.recording.await(long, func(j *judge) bool { return j.last().number > old }); err != nil {
		return hint("it stays on a connection that was silent for %v: whoever pulled the plug keeps it for good", wait)
	}
	return ok("after %v", time.Since(began).Round(time.Millisecond))
}

// hasten has the worker come back to a server whose heartbeat is short.
func (x *exam) hasten(ctx context.Context) error {
	x.proxy.set(func(p *proxy) {
		p.rewrite = func(m message, text []byte) ([]ws.Frame, bool) {
			if m.text("event") != "Hello" {
				return nil, false
			}
			is := fmt.Appendf(nil, `"heartbeat":%s`, strings.TrimSpace(string(m["heartbeat"])))
			short := fmt.Appendf(nil, `"heartbeat":%d`, int(heartbeat.Seconds()))
			return []ws.Frame{ws.NewTextFrame(bytes.Replace(text, is, short, 1))}, true
		}
	})
	defer x.proxy.set(func(p *proxy) { p.rewrite = nil })
	old := x.conn()
	x.proxy.cut()
	_, err := x.back(ctx, old)
	return err
}
