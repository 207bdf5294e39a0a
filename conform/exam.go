package conform

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

// exam is one worker with all that it is checked by.
type exam struct {
	cfg       Config
	recording *recording
	proxy     *proxy
	server    *server
	producer  *producer
	worker    *process
	names     []string // that the worker registered at first
	results   map[string]Result
	stale     bool    // something failed: server and worker are started anew before the next
	first     finding // what came of the first task
	pings     atomic.Int64
	way       Way
}

// errEnded is returned when the worker ends by itself.
var errEnded = errors.New("the worker has ended by itself")

// begin starts all of it anew.
func (x *exam) begin(ctx context.Context) (err error) {
	x.end()
	server, err := startServer(ctx, x.cfg.Binary)
	if err != nil {
		return err
	}
	x.server, x.producer = server, newProducer(server.addr)
	x.proxy.away()
	x.proxy.set(func(p *proxy) {
		p.target, p.rewrite, p.refusing, p.instead, p.change = server.addr, nil, false, nil, nil
	})
	if err := x.proxy.listen(ctx); err != nil {
		return err
	}
	x.stale = false
	return x.hire()
}

// hire starts the worker.
func (x *exam) hire() (err error) {
	host, port, err := net.SplitHostPort(x.proxy.addr)
	if err != nil {
		return err
	}
	place := strings.NewReplacer("{url}", "ws://"+x.proxy.addr+"/worker", "{host}", host, "{port}", port)
	command := slices.Clone(x.cfg.Command)
	for i := range command {
		command[i] = place.Replace(command[i])
	}
	x.proxy.set(func(p *proxy) { p.fresh = true })
	x.worker, err = start(environment("WORKMAN_URL=ws://"+x.proxy.addr, "HOST="+host, "PORT="+port), nil, command...)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrCommand, err)
	}
	return err
}

// end ends the processes.
func (x *exam) end() {
	if x.worker != nil {
		x.worker.kill()
	}
	x.proxy.cut()
	if x.server != nil {
		x.server.kill()
		x.producer.all.Wait()
	}
	x.worker, x.server = nil, nil
}

// examine makes a check.
func (x *exam) examine(ctx context.Context, c check) finding {
	x.recording.begin(c.name)
	if why := x.missing(c); why != "" {
		return untried("%s", why)
	}
	if x.stale {
		if err := x.begin(ctx); err != nil {
			return broken(err)
		}
	}
	f := x.attempt(ctx, c)
	if how, gone := x.worker.gone(); gone && !c.ends && f.err == nil {
		f = failed("the worker ended by itself (%s)", how)
	}
	if wrong := x.recording.fault(c.name); wrong != nil && f.result != Failed {
		f = failed("%s", wrong.what)
		f.entry = wrong.entry
	}
	if how, gone := x.server.gone(); gone && f.err == nil {
		f = broken(fmt.Errorf("%w: it has ended (%s) and said: %s", ErrServer, how, x.server.said))
	}
	x.stale = f.result == Failed || f.anew
	return f
}

// missing says why a check cannot be made.
func (x *exam) missing(c check) string {
	if c.hello && len(x.names) > 0 && !x.saidHello() {
		return "the worker says no Hello"
	}
	for _, need := range c.needs {
		if r := x.results[need]; r == Failed || r == NotTried {
			return fmt.Sprintf("it needs %q", need)
		}
	}
	if c.task != "" && !x.does(c.task) {
		return fmt.Sprintf("the worker does no task %q", c.task)
	}
	return ""
}

// attempt makes a check with a worker that is ready, or is to be.
func (x *exam) attempt(ctx context.Context, c check) finding {
	if wrong := x.recording.fault(c.name); wrong != nil {
		return finding{result: Failed, seen: wrong.what, entry: wrong.entry}
	}
	if !c.ends {
		var stop context.CancelFunc
		ctx, stop = x.whileItLives(ctx)
		defer stop()
	}
	if !c.raw {
		if err := x.ready(ctx); err != nil {
			return failed("a new worker, or one that did all of the checks before, does not become ready for a task: %v", err)
		}
	}
	return c.run(ctx, x)
}

// whileItLives is a context that ends with the worker.
func (x *exam) whileItLives(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	worker := x.worker
	go func() {
		select {
		case <-worker.ended:
			end(errEnded)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { end(nil) }
}

// soon is a context for one step of the worker.
func (x *exam) soon(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, x.cfg.Timeout, fmt.Errorf("%w: %v", errSilent, x.cfg.Timeout))
}

// await waits for a step of the worker.
func (x *exam) await(ctx context.Context, f func(j *judge) bool) error {
	ctx, cancel := x.soon(ctx)
	defer cancel()
	return x.recording.await(ctx, f)
}

// ready waits until the worker has asked for a task, and has registered what it did at first.
func (x *exam) ready(ctx context.Context) error {
	if x.way == Leases {
		return x.asksSince(ctx, x.asked())
	}
	return x.await(ctx, func(j *judge) bool {
		c := j.last()
		return c.ready() && registered(c, x.names)
	})
}

func registered(c *conn, names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !c.names[name] })
}

// conn is the number of the worker's connection; 0 if it has none.
func (x *exam) conn() (number int) {
	x.recording.look(func(j *judge) {
		if c := j.last(); !c.ended {
			number = c.number
		}
	})
	return number
}

// connected reports whether the worker has a connection, of either kind.
func (x *exam) connected() (yes bool) {
	x.proxy.set(func(p *proxy) { yes = len(p.callers) > 0 })
	return yes || x.conn() != 0
}

func (x *exam) does(task string) bool { return slices.Contains(x.names, task) }

func (x *exam) saidHello() (yes bool) {
	x.recording.look(func(j *judge) {
		yes = slices.ContainsFunc(j.conns, func(c *conn) bool { return c.hello })
	})
	return yes
}

// settle waits for a moment until the worker has taken in what was sent and has said what it says to that: a pong overtakes
// nothing in most workers.
func (x *exam) settle(ctx context.Context) {
	if x.way == Leases {
		sleep(ctx, leaseTime)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, min(time.Second, x.cfg.Timeout))
	defer cancel()
	_ = x.ping(ctx) // there is a check for that
}

// ping sends one and waits for its pong.
func (x *exam) ping(ctx context.Context) error {
	l := x.proxy.current()
	if l == nil {
		return errors.New("the worker has no connection")
	}
	text := "check " + strconv.FormatInt(x.pings.Add(1), 10)
	mark := x.recording.mark()
	if err := l.send(ws.NewPingFrame([]byte(text))); err != nil {
		return err
	}
	return x.recording.await(ctx, func(*judge) bool { return x.recording.holds(mark, ws.OpPong, text) })
}

// echo runs the task echo, and holds what comes back against what was sent.
func (x *exam) echo(ctx context.Context, options string) finding {
	ctx, cancel := x.soon(ctx)
	defer cancel()
	return x.same(options, <-x.producer.call(ctx, "echo", []byte(options)))
}

// same holds an answer against what was sent.
func (x *exam) same(options string, a answer) finding {
	switch {
	case a.err != nil:
		return failed("no result of echo for %s (%v): %s", brief([]byte(options)), cause(a.err), x.whatOfIt())
	case a.status != http.StatusOK:
		return failed("echo of %s was answered with %d %s", brief([]byte(options)), a.status, brief(a.body))
	}
	if d := differ([]byte(options), a.body); d != "" {
		return failed("%s", d)
	}
	return ok("%d bytes", len(a.body))
}

// cause is an error without what net/http says around it.
func cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// whatOfIt says what has become of the task that was handed out last.
func (x *exam) whatOfIt() (text string) {
	x.recording.look(func(j *judge) {
		c := j.last()
		switch {
		case x.way == Leases && (len(j.order) == 0 || j.order[len(j.order)-1].answers > 0):
			text = fmt.Sprintf("the task is not handed out; the worker has asked %d times", len(j.asked))
		case x.way == Leases:
			text = "the worker has the task, and does not answer it"
		case c.ended:
			text = "the worker has no connection"
		case len(j.order) == 0 || j.order[len(j.order)-1].answers > 0:
			text = fmt.Sprintf("the task is not handed out; the worker has asked for %d and was given %d", c.asked, c.handed)
		default:
			text = "the worker has the task, and does not answer it"
		}
	})
	return text
}

// works sees that the worker still does what it is there for.
func (x *exam) works(ctx context.Context) finding {
	if err := x.ready(ctx); err != nil {
		return failed("afterwards it does not ask for a task: %v", err)
	}
	if x.results["asks again"] != OK {
		return ok("")
	}
	if f := x.echo(ctx, `"still here"`); f.result != OK {
		return failed("afterwards: %s", f.seen)
	}
	return ok("")
}

// handed waits until the worker is given a task, of those after the first so many, and tells its nonce.
func (x *exam) handed(ctx context.Context, task string, after int) (nonce string, err error) {
	err = x.await(ctx, func(j *judge) bool {
		for _, h := range j.order[min(after, len(j.order)):] {
			if h.task == task {
				nonce = h.nonce
				return true
			}
		}
		return false
	})
	return nonce, err
}

// hand is what is known of a task that was handed out.
func (x *exam) hand(nonce string) (h hand) {
	x.recording.look(func(j *judge) {
		h = *j.hands[nonce]
		h.said = slices.Clone(h.said)
	})
	return h
}

// given is how many tasks were handed out so far.
func (x *exam) given() (n int) {
	x.recording.look(func(j *judge) { n = len(j.order) })
	return n
}
