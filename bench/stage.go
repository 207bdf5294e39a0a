package main

import (
	"context"
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The kinds of scenarios that are more than a load.
const (
	idleKind      = "idle"      // connections that do nothing
	pendingKind   = "pending"   // a load while tasks wait that nobody takes
	schedulesKind = "schedules" // a load while schedules wait
	dueKind       = "due"       // schedules that come due
	durableKind   = "durable"   // runs that are submitted
	lifeKind      = "life"      // runs that are submitted, worked and finished
)

// stage is a scenario on a target, to be measured once.
type stage struct {
	sc      scenario
	target  *target
	threads int
	pace    pace
	label   string
	show    *progress
}

// found is what a stage has measured.
type found struct {
	entries  []entry
	extras   []extra
	lateness *hdrhistogram.Histogram // of schedules, in µs; nil: none came due
}

// extra is a figure that has no column in the table.
type extra struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit,omitempty"`
	Value float64 `json:"value"`
}

// run measures.
func (g stage) run(ctx context.Context) (found, error) {
	switch g.sc.Kind {
	case idleKind:
		return g.idleAlone(ctx)
	case pendingKind:
		return g.besides(ctx, g.fillPending)
	case schedulesKind:
		return g.holdFarOff(ctx)
	case dueKind:
		return g.comeDue(ctx)
	case durableKind, lifeKind:
		return g.storeRuns(ctx)
	}
	entries, err := g.load(ctx, g.sc.Name)
	return found{entries: entries}, err
}

// load measures the load alone. Its rows begin with a name.
func (g stage) load(ctx context.Context, name string) ([]entry, error) {
	sc := g.sc
	sc.Name = name
	return runRound(ctx, sc, g.target, g.threads, g.pace, g.label, g.show)
}

// besides measures the load on an empty server, then while the server holds
// what fill brings.
func (g stage) besides(ctx context.Context, fill func(context.Context) ([]extra, func(), error)) (got found, err error) {
	if g.sc.Point == nil { // a sweep has a point for it
		if got.entries, err = g.load(ctx, g.sc.Name+": empty"); err != nil {
			return found{}, err
		}
	}
	if g.sc.Count > 0 {
		extras, release, err := fill(ctx)
		if err != nil {
			return found{}, g.target.server.explain(err)
		}
		defer release()
		got.extras = extras
	}
	full, err := g.load(ctx, g.sc.Name)
	got.entries = append(got.entries, full...)
	return got, err
}

// memory is what a server holds.
type memory struct {
	rss  int64
	held int64 // heap and stacks in use; 0: it does not tell
}

// look reads what the server holds now.
func (g stage) look(ctx context.Context) (m memory, err error) {
	f, known, err := g.target.footprint(ctx)
	if err != nil {
		return m, err
	}
	if known {
		m.held = f.held
	}
	m.rss, err = readRSS(g.target.pid)
	return m, err
}

// observe adds what the server holds at a time that it names.
func (g stage) observe(ctx context.Context, extras *[]extra, when string) error {
	m, err := g.look(ctx)
	if err != nil {
		return err
	}
	*extras = append(*extras, extra{"memory, " + when, "MB of RSS", float64(m.rss) / 1e6})
	if m.held > 0 {
		*extras = append(*extras, extra{"memory, " + when, "MB of heap and stacks", float64(m.held) / 1e6})
	}
	return nil
}

// each is how much more memory there is for each of n things, beyond what they
// carry.
func (m memory) each(thing string, after memory, n, carried int) (all []extra) {
	name := "memory a " + thing
	if carried > 0 {
		name += fmt.Sprintf(", beyond %d bytes of options", carried)
	}
	each := func(now, before int64) float64 { return float64(now-before)/float64(n) - float64(carried) }
	all = append(all, extra{name, "bytes of RSS", each(after.rss, m.rss)})
	if m.held > 0 && after.held > 0 {
		all = append(all, extra{name, "bytes of heap and stacks", each(after.held, m.held)})
	}
	return all
}
