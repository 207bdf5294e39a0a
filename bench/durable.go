package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
)

// keptRestart is how long a server may take until it has read what it kept.
const keptRestart = 5 * time.Minute

// storeRuns measures a load of runs: what is to be kept before, the load
// itself, and then whether all that was acknowledged is still there once the
// server was killed and started again.
func (g stage) storeRuns(ctx context.Context) (got found, err error) {
	var all []*promises
	for _, before := range []struct {
		what  string
		count int
		keyed float64
	}{{"runs kept before", g.sc.Kept, g.sc.Keyed}, {"keys stored before", g.sc.Keys, 1}} {
		if before.count == 0 {
			continue
		}
		p, rate, err := g.fillRuns(ctx, before.what, before.count, before.keyed)
		if err != nil {
			return got, g.target.server.explain(fmt.Errorf("filling the server with %d %s: %w", before.count, before.what, err))
		}
		all = append(all, p)
		got.extras = append(got.extras, extra{before.what, "", float64(p.acknowledged())}, extra{before.what + ", taken in", "a second", rate})
	}
	p := newPromises(g.sc)
	all = append(all, p)
	pace := g.pace
	pace.drain = pace.kept
	if got.entries, err = runRound(ctx, g.sc, g.target.keeping(p), g.threads, pace, g.label, g.show); err != nil {
		return got, err
	}
	if err := p.check(); err != nil {
		return got, err
	}
	got.extras = append(got.extras, got.entries[0].steadiness()...)
	after, err := g.restart(ctx, all)
	got.extras = append(got.extras, after...)
	return got, err
}

// keeping is the target with clients for a load of runs.
func (t *target) keeping(p *promises) *target {
	with := *t
	with.clients = keeping{t.keepers, p}
	return &with
}

// fillRuns submits so many runs that nobody works, a share of them with keys,
// and returns how many a second.
func (g stage) fillRuns(ctx context.Context, what string, count int, keyed float64) (p *promises, rate float64, err error) {
	sc := g.sc
	sc.Workers, sc.Keyed, sc.Beside = 0, keyed, nil
	p = newPromises(sc)
	p.most = int64(count)
	f, err := newFleet(sc, g.target.keeping(p), g.threads)
	if err != nil {
		return nil, 0, err
	}
	defer f.close()
	began := time.Now()
	f.start()
	err = g.untilFilled(ctx, f, p, what)
	rate = float64(count) / time.Since(began).Seconds()
	f.stop()
	for _, l := range f.tally() {
		if fault := l.faults.err(); fault != nil {
			err = errors.Join(err, fault)
		}
	}
	return p, rate, err
}

// untilFilled waits until all runs are submitted and acknowledged.
func (g stage) untilFilled(ctx context.Context, f *fleet, p *promises, what string) error {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for p.issued.Load() < p.most || f.answered() < p.issued.Load() {
		select {
		case <-ctx.Done():
			return errInterrupted
		case err := <-f.failed:
			return err
		case <-look.C:
		}
		g.show.live("%s  %s of %s %s", g.label, thousands(float64(f.answered())), thousands(float64(p.most)), what)
	}
	return nil
}

// steadiness is how a round's seconds compare, if there were any two whole ones.
func (e entry) steadiness() []extra {
	if len(e.PerSecond) < 2 {
		return nil
	}
	s := spreadOf(e.PerSecond)
	return []extra{{"slowest second", "a second", s.Min}, {"slowest second over the median one", "", s.Min / max(s.Median, 1)}}
}

// restart kills the server and starts it again on what it has kept, once it is
// known that it has all, and looks whether it still has.
func (g stage) restart(ctx context.Context, all []*promises) (extras []extra, err error) {
	t := g.target
	if err := t.keepers.verify(ctx, t.addr, all); err != nil {
		return nil, t.server.explain(err)
	}
	total := int64(0)
	for _, p := range all {
		total += p.acknowledged()
	}
	if extras, err = g.restartKilled(ctx, total); err != nil {
		return extras, err
	}
	if err := t.keepers.verify(ctx, t.addr, all); err != nil {
		err = fmt.Errorf("after a kill: %w", err)
		return extras, t.server.explain(err)
	}
	return extras, nil
}

// restartKilled kills the server, which keeps so many runs, and starts it again.
func (g stage) restartKilled(ctx context.Context, runs int64) (extras []extra, err error) {
	t := g.target
	size, err := folderSize(t.dir)
	if err != nil {
		return nil, err
	}
	extras = []extra{{"data folder", "MB", float64(size) / 1e6}, {"data folder, a run", "bytes", float64(size) / float64(max(runs, 1))}}
	t.server.kill()
	g.show.live("%s  starting it again", g.label)
	began := time.Now()
	again, err := t.again(ctx)
	if err != nil {
		return extras, fmt.Errorf("starting it again after a kill: %w", err)
	}
	*t = *again
	return append(extras, extra{"restart after a kill", "s", time.Since(began).Seconds()}), nil
}

// folderSize is how many bytes the files in a folder have.
func folderSize(dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the server has just removed it
		}
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("measuring the data folder %s: %w", dir, err)
	}
	return size, nil
}
