// Workman is a task server: web backends and WebSocket producers hand it tasks, workers pull them when they are ready,
// and results go back to whoever asked.
package main

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
	_ "time/tzdata" // the zones, for where the system has none

	"github.com/alecthomas/kong"
	"github.com/cockroachdb/pebble/v2/vfs"

	"workman/callback"
	"workman/dispatch"
	"workman/footprint"
	"workman/keeper"
	"workman/reactor"
	"workman/schedule"
)

func main() {
	var c commands
	kctx := kong.Parse(&c, usage...)
	if err := kctx.Run(); err != nil {
		if !errors.Is(err, errSaid) {
			c.Serve.logger(os.Stderr).Error("workman cannot go on", "error", err)
		}
		os.Exit(1)
	}
}

// cores is how many the process may use.
var cores = runtime.GOMAXPROCS(0)

// spareProcessors are Ps beyond the cores (Go's word for what a goroutine needs to run), while the store works. The committer
// of the journal waits in system calls with one, and the applier, the collector and Pebble's compactions may each keep one
// busy for a while; with no more Ps than cores an event loop that wakes would wait behind them for 10 ms at a time, where the
// operating system lets it go first. Measured on two cores: a third more submits, half more lives. Without durable work they
// would cost single tasks a tenth (docs/benchmarks.md, settings that were tried).
const spareProcessors = 4

// spare makes room for the store's goroutines, unless the user has said how many Ps there are to be.
func spare(working bool) {
	switch {
	case os.Getenv("GOMAXPROCS") != "":
	case working:
		runtime.GOMAXPROCS(cores + spareProcessors)
	default:
		runtime.GOMAXPROCS(cores)
	}
}

// run serves until a signal asks for the end: the first drains, a second ends at once.
func run(o options, log *slog.Logger) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer footprint.Watch(log)()
	debug.SetMemoryLimit(memoryLimit() / 10 * 8) // the collector may be late
	if o.fit(memoryLimit()) {
		log.Warn("the memory there is does not hold as many tasks, runs and names as may be; fewer are taken",
			"max-tasks", o.MaxTasks, "max-runs", o.MaxRuns, "max-names", o.MaxNames)
	}
	s, err := listen(o, log)
	if err != nil {
		return err
	}
	log.Info("workman is listening", "addresses", addresses(s.server), "pid", os.Getpid())
	if !s.server.Loopback() {
		log.Warn("other machines can reach this server, and whoever reaches it may run and take tasks: it has no tokens yet; "+
			"put a firewall or a proxy that authenticates in front, or leave HOST at localhost", "host", o.Host)
	}
	if err := s.open(signals); err != nil {
		return errors.Join(err, s.server.Close())
	}
	if !s.report(signals) {
		return s.end()
	}
	return nil
}

// service is a running workman.
type service struct {
	o        options
	log      *slog.Logger
	combiner *dispatch.Combiner
	server   *reactor.Server
	tasks    *reactor.Tasks
	keeper   *keeper.Keeper
	calls    *callback.Pool
	pages    http.Handler // once the store is open: nothing is taken before
	said     time.Time    // when it was last logged how far the opening is
	files    vfs.FS       // nil: the machine's own. Tests put one here that fails
}

// listen wires the rooms together. What is asked for is refused until the store is open.
func listen(o options, log *slog.Logger) (*service, error) {
	seed := [32]byte{}
	if _, err := cryptorand.Read(seed[:]); err != nil {
		return nil, fmt.Errorf("read random bytes for the tokens: %w", err)
	}
	clock, budget := newClock(), o.budget()
	d := o.dispatch(budget)
	var err error
	if d.Policies, err = o.policies(d.Usual); err != nil {
		return nil, err
	}
	d.Next = schedule.NewCalendar(time.LoadLocation).Next
	dispatcher, err := dispatch.New(d, rand.NewChaCha8(seed), clock())
	if err != nil {
		return nil, err
	}
	s := &service{o: o, log: log, combiner: dispatch.NewCombiner(dispatcher, ringSize, clock)}
	s.tasks = reactor.NewTasks(s.combiner, clock, func(what string, p any, stack string) {
		log.Error("a panic in the dispatcher was survived", "while", what, "panic", p, "stack", stack)
	})
	s.tasks.Starting("the store is about to be opened")
	access := o.access()
	s.tasks.CheckCallbacks(access.CheckURL)
	cfg, err := o.reactor(log, budget)
	if err != nil {
		return nil, err
	}
	cfg.Serve, cfg.Pages = s.tasks.Serve, http.HandlerFunc(s.page)
	s.server, err = reactor.Listen(cfg)
	return s, err
}

// ringSize is how many reads may wait for the dispatcher.
const ringSize = 4096

// newClock reads both clocks at once.
func newClock() func() dispatch.Now {
	began := time.Now()
	return func() dispatch.Now {
		now := time.Now()
		return dispatch.Now{Mono: now.Sub(began).Milliseconds(), Wall: now.UnixMilli()}
	}
}

// moment is how long each of the last steps may take.
const moment = 2 * time.Second

// end drains: no new work, and no new connections as soon as nobody needs one to say what a task came to; what was accepted gets its answer, until the deadline or a second
// signal; then those who still wait are told, and connections are closed in good order.
func (s *service) end() error {
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(again)
	ctx, cancel := context.WithTimeout(context.Background(), s.o.Drain)
	defer cancel()
	go func() {
		select {
		case <-again:
			s.log.Warn("second signal: ending at once")
			os.Exit(130)
		case <-ctx.Done():
		}
	}()
	s.log.Info("draining: refusing new work, finishing what runs", "deadline", s.o.Drain)
	soon, told := context.WithTimeout(context.Background(), moment)
	defer told()
	err := s.tasks.Drain(soon)
	s.server.Finish(true)
	left, err2 := s.untilIdle(ctx)
	s.server.StopListening()
	last, stop := context.WithTimeout(context.Background(), moment)
	defer stop()
	err = errors.Join(err, err2, s.tasks.Stop(last), s.keeper.Flush(last))
	s.server.Finish(false)
	s.untilClosed(last)
	s.tasks.Close()
	err = errors.Join(err, s.server.Close())
	s.endCalls()
	err = errors.Join(err, s.keeper.Close())
	s.log.Info("workman has ended", "unfinished calls", left.Queued, "running", left.Leased)
	return err
}

// endCalls ends the callbacks. Those that are cut off are no fault: they are made after the next start.
func (s *service) endCalls() {
	ctx, stop := context.WithTimeout(context.Background(), moment)
	defer stop()
	if err := s.calls.Close(ctx); err != nil {
		s.log.Warn("callbacks were cut off by the end", "error", err)
	}
}

// untilIdle stops listening once no task is out on a lease, or with a session that may come back. It waits until nothing is queued or with a worker, or the deadline. What is queued while nothing is with a
// worker has nobody to do it, and nobody can come any more: it does not hold up the end for longer than a moment.
func (s *service) untilIdle(ctx context.Context) (dispatch.Stats, error) {
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	var last dispatch.Stats
	for still := 0; still < 15; still++ {
		stats, err := s.tasks.Stats(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			return last, nil
		}
		if err != nil {
			return last, err
		}
		if last = stats; stats.Lent+stats.Away == 0 {
			s.server.StopListening()
		}
		if stats.Queued+stats.Leased == 0 {
			return last, nil
		}
		if stats.Leased > 0 {
			still = 0
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return last, nil
		}
	}
	return last, nil
}

func (s *service) untilClosed(ctx context.Context) {
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for s.server.Conns() > 0 {
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
	}
}

func addresses(s *reactor.Server) (all []string) {
	for _, a := range s.Addrs() {
		all = append(all, "http://"+a.String())
	}
	return all
}
