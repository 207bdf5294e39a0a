package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// quiet is how long a round listens for answers that nobody waits for any
// more, once all have come.
const quiet = 40 * time.Millisecond

// errNoAnswers is returned when there is nothing to make figures of.
var errNoAnswers = errors.New("no task was answered")

// pace is how long the parts of a round take.
type pace struct {
	warmUp  time.Duration
	measure time.Duration
	drain   time.Duration // at most: what is unanswered then is lost
	kept    time.Duration // likewise, of a load of runs: systems that sync are slow
	idle    time.Duration // of idle connections, instead
}

// trial is a round under way.
type trial struct {
	label   string
	target  *target
	threads int
	fleet   *fleet
	show    *progress
}

// entry is what a round has measured of one part of a scenario.
type entry struct {
	name string // as the table has it
	round
}

// runRound measures a scenario on a target once. Any answer that is not right
// is an error.
func runRound(ctx context.Context, sc scenario, t *target, threads int, p pace, label string, show *progress) ([]entry, error) {
	f, err := newFleet(sc, t, threads)
	if err != nil {
		return nil, t.server.explain(err)
	}
	defer f.close()
	f.start()
	r := trial{label, t, threads, f, show}
	one, err := r.measure(ctx, p)
	if err == nil {
		err = r.drain(ctx, p.drain)
	}
	f.stop()
	all := f.tally()
	var wrong faults
	answered := int64(0)
	for _, l := range all {
		wrong.merge(l.faults)
		answered += l.answered
	}
	if sc.Kind == lifeKind {
		answered = all[0].answered // a life is one task, though it is submitted too
	}
	switch {
	case errors.Is(err, errInterrupted):
		return nil, err
	case err == nil:
		err = wrong.err()
	case wrong.Wrong+wrong.Duplicated+wrong.Stray > 0:
		err = fmt.Errorf("%w; and %w", err, wrong.err())
	}
	if err != nil {
		return nil, t.server.explain(err)
	}
	if answered == 0 {
		return nil, fmt.Errorf("%w in %v: the server, or a busy machine, is too slow; try a greater --seconds", errNoAnswers, p.measure)
	}
	var entries []entry
	for i, part := range sc.parts() {
		entries = append(entries, entry{part.Name, one.figures(all[i], answered, threads)})
		entries[i].Bytes = entries[i].Rate * float64(part.bytesPerTask())
	}
	return entries, nil
}

// window is what is read at both ends of the measured time.
type window struct {
	took   time.Duration
	server time.Duration // 0: not known
	own    time.Duration
	rss    int64
	others float64 // share of the machine that other processes had
	// mallocs is how often the server has allocated memory; -1: it does not tell
	mallocs int64
}

// reading is one end of it.
type reading struct {
	at     time.Time
	server usage
	own    time.Duration
	busy   time.Duration // of all cores
	all    time.Duration // idle or not
	has    footprint
	tells  bool // what it has
}

// measure warms up, then lets answers count for a while.
func (r *trial) measure(ctx context.Context, p pace) (w window, err error) {
	if err := r.watch(ctx, p.warmUp, "warming up"); err != nil {
		return w, err
	}
	before, err := r.read(ctx)
	if err != nil {
		return w, err
	}
	r.fleet.enter(measuring)
	if err := r.watch(ctx, p.measure, "measuring"); err != nil {
		return w, err
	}
	r.fleet.enter(draining)
	after, err := r.read(ctx)
	if err != nil {
		return w, err
	}
	w = window{took: after.at.Sub(before.at), server: after.server.since(before.server), own: after.own - before.own, mallocs: -1}
	if before.tells && after.tells {
		w.mallocs = after.has.mallocs - before.has.mallocs
	}
	if r.target.pid != 0 {
		w.rss, err = readRSS(r.target.pid)
		w.others = max(0, float64(after.busy-before.busy-w.server-w.own)/float64(after.all-before.all+1))
	}
	return w, err
}

// read takes the time and what the server and the bench have used so far.
func (r *trial) read(ctx context.Context) (at reading, err error) {
	if at.has, at.tells, err = r.target.footprint(ctx); err != nil {
		return at, err
	}
	at.at, at.own = time.Now(), ownCPU()
	if r.target.pid != 0 {
		if at.server, err = readUsage(r.target.pid); err != nil {
			return at, err
		}
	}
	at.busy, at.all, err = readMachine()
	return at, err
}

// watch waits for d, showing the rate, unless something breaks before.
func (r *trial) watch(ctx context.Context, d time.Duration, doing string) error {
	end := time.NewTimer(d)
	defer end.Stop()
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	start, first := time.Now(), r.fleet.answered()
	for {
		select {
		case <-end.C:
			return nil
		case err := <-r.fleet.failed:
			return err
		case <-ctx.Done():
			return errInterrupted
		case <-look.C:
		}
		took := time.Since(start)
		r.show.live("%s  %s %.1f s  %s tasks/s", r.label, doing, took.Seconds(),
			thousands(float64(r.fleet.answered()-first)/took.Seconds()))
	}
}

// drain waits until all tasks are answered, at most for limit, and then a
// little for what comes twice.
func (r *trial) drain(ctx context.Context, limit time.Duration) error {
	end := time.NewTimer(limit)
	defer end.Stop()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for r.fleet.outstanding() > 0 {
		select {
		case <-end.C:
			return nil // they count as lost
		case err := <-r.fleet.failed:
			return err
		case <-ctx.Done():
			return errInterrupted
		case <-look.C:
		}
	}
	return r.watch(ctx, quiet, "draining")
}

// figures are the results of a window for one part of a scenario. What is said
// of a task's cost is of all tasks that were answered, whichever part's.
func (w window) figures(l *ledger, answered int64, threads int) round {
	at := func(percentile float64) float64 { return float64(l.latency.ValueAtPercentile(percentile)) }
	one := round{
		Tasks: l.answered, Seconds: w.took.Seconds(), Rate: float64(l.answered) / w.took.Seconds(),
		P50: at(50), P99: at(99), P999: at(99.9), Max: float64(l.latency.Max()),
		ServerCPU: perTask(w.server, answered), GeneratorCPU: perTask(w.own, answered),
		GeneratorBusy: w.own.Seconds() / w.took.Seconds() / float64(threads),
		RSS:           float64(w.rss),
		Others:        w.others,
		PerSecond:     l.perSecond(w.took),
		Unsent:        l.unsent, Late: float64(l.lateness.ValueAtPercentile(99)),
	}
	if w.mallocs >= 0 {
		allocations := float64(w.mallocs) / float64(max(answered, 1))
		one.Allocations = &allocations
	}
	return one
}
