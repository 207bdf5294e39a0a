package main

import (
	"context"
	"fmt"
	"time"
)

// How long before the first schedule is due they begin to be set.
const (
	dueAhead = time.Second
	setTime  = 60 * time.Microsecond // and for each of them
	// dueDrain is how long the last may take to come.
	dueDrain = 30 * time.Second
)

// comeDue sets schedules, all due within the measured time, and watches them
// fire: each once, and none early.
func (g stage) comeDue(ctx context.Context) (got found, err error) {
	n := g.sc.Count
	ahead := dueAhead + time.Duration(n)*setTime
	first := time.Now().Add(ahead).Truncate(time.Millisecond)
	window := uint64(max(g.pace.measure.Milliseconds(), 1))
	err = g.observe(ctx, &got.extras, "before")
	if err != nil {
		return got, err
	}
	setting, ids, err := g.setSchedules(ctx, func(b []byte, i int, random *source) (time.Time, []byte) {
		at := first.Add(time.Duration(random.next()%window) * time.Millisecond)
		return at, appendAppointment(b, i, at)
	})
	got.extras = append(got.extras, setting...)
	if err == nil && time.Now().After(first) {
		err = fmt.Errorf("setting %d schedules took longer than the %v until the first was due, so nothing is known: try fewer (--due)", n, ahead)
	}
	if err == nil {
		err = g.observe(ctx, &got.extras, "all set")
	}
	if err == nil {
		err = g.fire(ctx, &got, first)
	}
	if err == nil {
		err = g.observe(ctx, &got.extras, "all fired")
	}
	if err == nil {
		err = verifySchedules(ctx, g.target.addr, ids, "succeeded", "null")
	}
	if err != nil {
		err = g.target.server.explain(err)
	}
	return got, err
}

// fire watches the schedules fire, and tells how late they were.
func (g stage) fire(ctx context.Context, got *found, first time.Time) error {
	before, err := readUsage(g.target.pid)
	if err != nil {
		return err
	}
	all, err := g.watchFire(ctx, first)
	if err != nil {
		return err
	}
	after, err := readUsage(g.target.pid)
	if err != nil {
		return err
	}
	n := g.sc.Count
	late, err := fired(all, n)
	ms := func(p float64) float64 { return float64(late.ValueAtPercentile(p)) / 1000 }
	got.lateness = late
	got.extras = append(got.extras,
		extra{"of them due", "a second", float64(n) / g.pace.measure.Seconds()},
		extra{"late, p50", "ms", ms(50)}, extra{"late, p99", "ms", ms(99)}, extra{"late, p99.9", "ms", ms(99.9)},
		extra{"late, max", "ms", float64(late.Max()) / 1000},
		extra{"server CPU a schedule fired", "µs", perTask(after.since(before), int64(n))})
	return err
}

// watchFire has workers take the schedules until all have fired, or have had
// the time to.
func (g stage) watchFire(ctx context.Context, first time.Time) ([]*firings, error) {
	late := time.NewTimer(time.Until(first.Add(g.pace.measure + dueDrain)))
	defer late.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	w := watchers{n: g.sc.Count, broke: make(chan error, g.sc.Workers)}
	defer w.end()
	for range g.sc.Workers {
		if err := w.add(ctx, g.target.addr, g.sc.Credits); err != nil {
			return nil, err
		}
	}
	for w.seen.Load() < int64(g.sc.Count) {
		select {
		case <-look.C:
		case <-late.C:
			return w.all, nil // what has not come is lost
		case err := <-w.broke:
			return nil, err
		case <-ctx.Done():
			return nil, errInterrupted
		}
		if in := time.Until(first); in > 0 {
			g.show.live("%s  the first of %s schedules is due in %.0f s", g.label, thousands(float64(g.sc.Count)), in.Seconds())
			continue
		}
		g.show.live("%s  %s of %s schedules have fired", g.label, thousands(float64(w.seen.Load())), thousands(float64(g.sc.Count)))
	}
	wait(ctx, quiet) // for what comes twice
	return w.all, nil
}
