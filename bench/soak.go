package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// soakConfig is the command line of bench soak.
type soakConfig struct {
	Duration time.Duration `help:"How long the load lasts: 2m shows a leak that matters, hours a slow one." default:"2m"`
	Rate     float64       `help:"Tasks a second, of all producers that stay together." default:"3000"`
	Addr     string        `help:"Drive the server that listens there, instead of building and starting one. Nobody else may use it meanwhile." placeholder:"HOST:PORT"`
	PID      int           `name:"pid" help:"That server's process, to look at. Needed with --addr." placeholder:"PID"`
	SVG      string        `name:"svg" help:"Draw it all over time to this file." placeholder:"FILE"`
	JSON     string        `name:"json" help:"Write all samples and the verdict to this file." placeholder:"FILE"`
}

// The bounds of the flags.
const (
	minSoak     = time.Second
	maxSoak     = 30 * 24 * time.Hour
	minSoakRate = 100
	maxSoakRate = 100_000
)

// Help is the long text of bench soak --help.
func (soakConfig) Help() string {
	return `Starts a server and, for a while, has everything happen to it that clients do: producers over WebSocket, over HTTP kept alive and closed; workers; clients that come and go all the time, some in the middle of a frame, a result, a handshake, a head or a body, some with tasks in hand; such that do not read for seconds; payloads up to 1 MB; names that are used once; schedules that run and that are taken back; fragments; invalid messages, frames and requests, each of which must be answered as docs/protocol.md says. Then it says whether the server leaks, and whether it was always right.

The verdict (exit status 1 if any fails):

  answers      Every task whose producer stayed was answered once, with the right result byte
               for byte, those of dead workers too; every schedule ran once and not early, or
               was taken back; nothing was given to two workers at a time; no client that did
               nothing wrong lost its connection; at most 1 % of the tasks were refused.
  memory       A line is fitted to RSS over the last two thirds. It fails if the line rises by
               more than 15 % and 16 MiB over them, and surely does rise (with 97.5 %).
  descriptors  As many are open after the load (within 20 s of the last client) as before it.
  threads      The last third has at most 4 more than the third before.
  goroutines   Likewise, if the server tells.
  log          The server, if the bench started it, has logged no error and no panic.

The table (a line for each quarter of the time: the mean of its samples, percentiles of its tasks):

  tasks/s      Tasks answered a second. The rate is given (--rate): this is no measure of what
               the server can do.
  p50, p99,    From sending to the answer, of small tasks of producers that stay (WebSocket and
  p99.9 µs     HTTP keep-alive) for names whose workers stay. Tasks that may meet a dying worker
               are checked, but not in here. The clients share the machine with the server.
  RSS MB       The server's resident memory, from /proc/PID/status.
  anon MB      What of it is heap and stacks (RssAnon: no mapped files).
  fds          Entries of /proc/PID/fd.
  threads      As /proc/PID/status has them.
  goroutines   What the last line of statistics in the log says, if the bench started the server.
  clients      Connections that the bench holds at the time.
  server CPU   Of the server process, bench CPU of this program, other CPU of all else that runs
               on the machine; 100% is one core.

There is a sample a second; above an hour fewer, 3600 in all.`
}

// validate finds what cannot be meant.
func (c soakConfig) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Duration >= minSoak && c.Duration <= maxSoak, "--duration is %v: give %v to %v", c.Duration, minSoak, maxSoak)
	check(c.Rate >= minSoakRate && c.Rate <= maxSoakRate, "--rate is %g: give %d to %d tasks a second", c.Rate, minSoakRate, maxSoakRate)
	check(c.PID >= 0, "--pid is %d: give the server's process id", c.PID)
	check((c.PID == 0) == (c.Addr == ""), "--addr and --pid go together: a soak looks at the server's memory and descriptors")
	if c.Addr != "" {
		_, _, err := net.SplitHostPort(c.Addr)
		check(err == nil, "--addr is %q: give host:port, as 127.0.0.1:9999", c.Addr)
	}
	return errors.Join(errs...)
}

// soak is one run of it.
type soak struct {
	soakConfig
	program *program
	show    *progress
	target  *target
	probe   *probe
	load    *load
	sampler *sampler
	outcome outcome

	interrupted error // set if a signal ended the load early

	finish  time.Duration // how long may pass until all that was begun is done
	settles time.Duration // and then until the server has noticed that all clients have gone
}

// newSoak makes one of a valid config.
func newSoak(c soakConfig, p *program, show *progress) *soak {
	return &soak{soakConfig: c, program: p, show: show, finish: finishTime, settles: settleTime}
}

// How long the ends may take.
const (
	baseTime   = time.Second // before the load: a server that has just started is still busy with itself
	finishTime = 30 * time.Second
	settleTime = 20 * time.Second
)

// errSoak is returned when a server did not pass.
var errSoak = errors.New("the server did not stand the soak")

// run is the command.
func (c soakConfig) run(ctx context.Context, show *progress) error {
	if err := c.validate(); err != nil {
		return err
	}
	return newSoak(c, workmanProgram(), show).run(ctx, os.Stdout)
}

// run builds, starts, soaks and reports to out.
func (s *soak) run(ctx context.Context, out io.Writer) (err error) {
	stop, err := s.begin(ctx)
	if err != nil {
		return err
	}
	stopped := false
	defer func() {
		if !stopped {
			err = errors.Join(err, stop())
		}
	}()
	if err := s.soak(ctx); err != nil {
		s.show.clear()
		return s.target.server.explain(err)
	}
	if s.target.server != nil {
		stopped = true
		if err := s.endServer(stop); err != nil {
			return err
		}
	}
	s.show.clear()
	return s.report(out)
}

// begin starts the server, or finds the one that runs.
func (s *soak) begin(ctx context.Context) (stop func() error, err error) {
	if s.Addr != "" {
		s.target = &target{system: workman, addr: s.Addr, pid: s.PID}
		return func() error { return nil }, nil
	}
	dir, err := os.MkdirTemp("", "workman-soak-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the binary: %w", err)
	}
	s.show.live("building %s", s.program.system)
	err = s.program.build(ctx, dir)
	if err == nil {
		s.target, err = s.program.start(ctx, nil, nil)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return func() error { return errors.Join(s.target.server.stop(), os.RemoveAll(dir)) }, nil
}

// endServer ends our server, which with nothing to do ends well and at once.
func (s *soak) endServer(stop func() error) error {
	server := s.target.server
	s.outcome.logged, s.outcome.alarm = server.said.alarms()
	if err := stop(); err != nil {
		return err
	}
	if server.err != nil {
		return fmt.Errorf("%w: on SIGTERM it ended with %w; it last said:\n%s", errSoak, server.err, server.said.String())
	}
	return nil
}

// soak puts the server under load and looks at it. A signal ends the load, and
// what was seen until then is judged.
func (s *soak) soak(ctx context.Context) (err error) {
	s.probe = newProbe(s.target)
	s.show.live("looking at the idle server")
	if s.outcome.before, err = s.baseLine(ctx); err != nil {
		return err
	}
	s.load = newLoad(s.target.addr, s.Rate)
	defer s.load.close()
	if s.sampler, err = newSampler(s.load, s.probe); err != nil {
		return err
	}
	s.load.start()
	if err := s.watch(ctx); err != nil {
		return err
	}
	s.show.live("the load ends")
	s.outcome.finished = s.load.finish(s.finish)
	s.outcome.tasks, s.outcome.dues = s.load.book.due()
	s.load.close()
	return s.settle(context.WithoutCancel(ctx))
}

// baseLine waits until the number of descriptors keeps still for a while.
func (s *soak) baseLine(ctx context.Context) (v vitals, err error) {
	for last := -1; v.FDs != last; {
		last = v.FDs
		wait(ctx, baseTime)
		if v, err = s.probe.read(); err != nil {
			return v, err
		}
	}
	if ctx.Err() != nil {
		return v, errInterrupted
	}
	return v, nil
}

// watch takes samples until the time is over, or a signal comes.
func (s *soak) watch(ctx context.Context) error {
	end := time.NewTimer(s.Duration)
	defer end.Stop()
	tick := time.NewTicker(sampleEvery(s.Duration))
	defer tick.Stop()
	lines := time.Now()
	for {
		select {
		case <-end.C:
			return nil
		case <-ctx.Done():
			s.interrupted = errInterrupted
			return nil
		case <-tick.C:
		}
		one, err := s.sampler.take()
		if err != nil {
			return err
		}
		s.outcome.samples = append(s.outcome.samples, one)
		_, faults, _, _ := s.load.book.close()
		wrong := int64(0)
		for _, n := range faults {
			wrong += n
		}
		text := fmt.Sprintf("soak %s of %s  %s tasks/s  p50 %s  p99 %s µs  RSS %.1f MB  %d fds  %d threads  %d clients  server %.0f%% CPU  %d faults",
			clock(one.At), clock(s.Duration.Seconds()), thousands(one.Rate), thousands(one.P50), thousands(one.P99),
			float64(one.RSS)/1e6, one.FDs, one.Threads, one.Connections, 100*one.ServerCPU, wrong)
		if s.show.live("%s", text); !s.show.terminal && time.Since(lines) >= max(10*time.Second, s.Duration/50) {
			lines = time.Now()
			s.show.line("%s", text)
		}
	}
}

// settle waits until the server has as many descriptors as before.
func (s *soak) settle(ctx context.Context) (err error) {
	s.show.live("waiting for the server to settle")
	began := time.Now()
	for {
		if s.outcome.after, err = s.probe.read(); err != nil {
			return err
		}
		s.outcome.settled = time.Since(began)
		if !s.outcome.leaks() || s.outcome.settled > s.settles {
			return nil
		}
		wait(ctx, 50*time.Millisecond)
	}
}

// report prints and writes everything. It is an error if the server failed.
func (s *soak) report(out io.Writer) error {
	var visits map[string]int64
	s.outcome.counts, s.outcome.faults, visits, s.outcome.examples = s.load.book.close()
	all := judge(s.outcome)
	err := writeSoak(out, s.outcome, &s.sampler.latency, visits, all)
	var failed error
	for _, j := range all {
		if !j.Good {
			failed = errors.Join(failed, fmt.Errorf("%w: %s: %s", errSoak, j.What, j.Said))
		}
	}
	if s.JSON != "" {
		err = errors.Join(err, soakReport{Time: startTime, Arguments: os.Args[1:], Machine: thisMachine(), Good: failed == nil,
			Judgements: all, Counts: s.outcome.counts, Visits: visits, Faults: s.outcome.faults, Examples: s.outcome.examples,
			RSSTrend: fit(steady(s.outcome.samples), func(s sample) float64 { return float64(s.RSS) }),
			Before:   s.outcome.before, After: s.outcome.after, Samples: s.outcome.samples}.write(s.JSON))
	}
	if s.SVG != "" {
		title, below := s.title(failed == nil)
		err = errors.Join(err, drawSoak(s.SVG, title, below, s.outcome))
	}
	return errors.Join(err, failed, s.interrupted)
}

// title says what a plot shows, in two lines.
func (s *soak) title(good bool) (title, below string) {
	verdict := "passed"
	if !good {
		verdict = "FAILED"
	}
	c := s.outcome.counts
	n := func(v int64) string { return thousands(float64(v)) }
	return fmt.Sprintf("%s soak of %v: %s", s.target.system, s.Duration, verdict),
		fmt.Sprintf("%s tasks answered, %s connections opened, %s deaths of a worker with a task in hand, %s schedules",
			n(c.Answered), n(c.Opened), n(c.Losses), n(c.Scheduled))
}
