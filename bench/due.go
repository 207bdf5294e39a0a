package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// How long before the first schedule is due they begin to be set.
const (
	dueAhead = time.Second
	setTime  = 10 * time.Microsecond // and for each of them
	// dueDrain is how long the last may take to come.
	dueDrain = 10 * time.Second
)

// comeDue sets schedules, all due within the measured time, and watches them
// fire: each once, and none early.
func (g stage) comeDue(ctx context.Context) (found, error) {
	n := g.sc.Count
	first := time.Now().Add(dueAhead + time.Duration(n)*setTime).Truncate(time.Millisecond)
	window := g.pace.measure.Milliseconds()
	rate, err := g.setSchedules(ctx, func(b []byte, i int) (time.Time, []byte) {
		at := first.Add(time.Duration(rand.Int64N(max(window, 1))) * time.Millisecond)
		return at, appendAppointment(b, i, at)
	})
	if err == nil && time.Now().After(first) {
		err = fmt.Errorf("setting %d schedules took longer than the %v until the first was due, so nothing is known: try fewer (--due)",
			n, dueAhead+time.Duration(n)*setTime)
	}
	if err != nil {
		return found{}, g.target.server.explain(err)
	}
	before, err := readUsage(g.target.pid)
	if err != nil {
		return found{}, err
	}
	all, err := g.watchFire(ctx, first)
	if err != nil {
		return found{}, g.target.server.explain(err)
	}
	after, err := readUsage(g.target.pid)
	if err != nil {
		return found{}, err
	}
	lateness, err := fired(all, n)
	ms := func(p float64) float64 { return float64(lateness.ValueAtPercentile(p)) / 1000 }
	return found{extras: []extra{
		{"schedules", "", float64(n)},
		{"schedules set", "a second", rate},
		{"of them due", "a second", float64(n) / g.pace.measure.Seconds()},
		{"late, p50", "ms", ms(50)}, {"late, p99", "ms", ms(99)}, {"late, p99.9", "ms", ms(99.9)},
		{"late, max", "ms", float64(lateness.Max()) / 1000},
		{"server CPU a schedule", "µs", perTask(after.since(before), int64(n))},
	}}, err
}

// appendAppointment appends the options of the i-th schedule.
func appendAppointment(b []byte, i int, at time.Time) []byte {
	b = strconv.AppendInt(append(b, `{"i":`...), int64(i), 10)
	b = strconv.AppendInt(append(b, `,"at":`...), at.UnixMilli(), 10)
	return append(b, '}')
}

// parseAppointment reads them.
func parseAppointment(options []byte) (i int, at int64, ok bool) {
	rest, ok := bytes.CutPrefix(options, []byte(`{"i":`))
	first, rest, ok2 := bytes.Cut(rest, []byte(`,"at":`))
	second, ok3 := bytes.CutSuffix(rest, []byte(`}`))
	i, err := strconv.Atoi(string(first))
	at, err2 := strconv.ParseInt(string(second), 10, 64)
	return i, at, ok && ok2 && ok3 && err == nil && err2 == nil && i >= 0
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
		g.show.live("%s  %s of %s schedules have fired", g.label, thousands(float64(w.seen.Load())), thousands(float64(g.sc.Count)))
	}
	wait(ctx, quiet) // for what comes twice
	return w.all, nil
}

// watchers are the workers that see schedules fire, a goroutine each, until
// end.
type watchers struct {
	n       int
	all     []*firings
	callers []*caller
	seen    atomic.Int64
	over    atomic.Bool
	broke   chan error // what ended one before its time
	ended   sync.WaitGroup
}

// add connects one that asks for that many tasks at a time.
func (w *watchers) add(ctx context.Context, addr string, credits int) error {
	c, err := openCaller(ctx, addr, "/worker")
	if err != nil {
		return err
	}
	f := &firings{times: make([]uint8, w.n), lateness: newHistogram()}
	w.callers, w.all = append(w.callers, c), append(w.all, f)
	w.ended.Go(func() {
		if err := f.collect(c, credits, &w.seen); !w.over.Load() {
			w.broke <- err
		}
	})
	return nil
}

// end closes their connections and waits for them.
func (w *watchers) end() {
	w.over.Store(true)
	for _, c := range w.callers {
		c.close()
	}
	w.ended.Wait()
}

// firings are the schedules that one worker has seen fire.
type firings struct {
	times    []uint8 // each
	lateness *hdrhistogram.Histogram
	early    int
}

// collect takes and answers schedules until the connection ends.
func (f *firings) collect(c *caller, credits int, seen *atomic.Int64) error {
	messages := append([]string{`{"action":"RegisterTask","name":"later"}`}, slices.Repeat([]string{getTask}, credits)...)
	for _, m := range messages {
		if err := c.write([]byte(m)); err != nil {
			return err
		}
	}
	for {
		if !c.whole() {
			if err := c.flush(); err != nil {
				return err
			}
		}
		text, err := c.next()
		if err != nil {
			return err
		}
		nonce, err := f.see(text, time.Now())
		if err != nil {
			return err
		}
		seen.Add(1)
		c.out = c.mask.appendFrame(c.out, opText, sendHead+nonce+`","result":null}`)
		if err := c.write([]byte(getTask)); err != nil {
			return err
		}
	}
}

// see notes one schedule that has fired, and returns its nonce.
func (f *firings) see(text []byte, now time.Time) (nonce string, err error) {
	rest, ok := bytes.CutPrefix(text, []byte(`{"name":"later","options":`))
	options, rest, ok2 := bytes.Cut(rest, []byte(`,"nonce":"`))
	token, ok3 := bytes.CutSuffix(rest, []byte(`"}`))
	i, at, ok4 := parseAppointment(options)
	if !ok || !ok2 || !ok3 || !ok4 || i >= len(f.times) {
		return "", fmt.Errorf("%.300q is none of the schedules", text)
	}
	late := now.UnixNano() - at*int64(time.Millisecond)
	if late < 0 {
		f.early++
	}
	record(f.lateness, max(late, 0))
	if f.times[i] < math.MaxUint8 {
		f.times[i]++
	}
	return string(token), nil
}

// fired adds up what the workers have seen of n schedules. It is an error if
// one did not fire exactly once, or early.
func fired(all []*firings, n int) (lateness *hdrhistogram.Histogram, err error) {
	lateness = newHistogram()
	times := make([]int, n)
	early, lost, again := 0, 0, 0
	for _, f := range all {
		lateness.Merge(f.lateness)
		early += f.early
		for i, k := range f.times {
			times[i] += int(k)
		}
	}
	for _, k := range times {
		switch {
		case k == 0:
			lost++
		case k > 1:
			again++
		}
	}
	if lost+again+early > 0 {
		err = fmt.Errorf("of %d schedules %d never fired, %d more than once, %d early", n, lost, again, early)
	}
	return lateness, err
}
