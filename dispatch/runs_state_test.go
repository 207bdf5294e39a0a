package dispatch_test

import (
	"slices"

	"workman/dispatch"
)

// checkState looks at the whole after each step.
func (k *kept) checkState(a *ask, out *dispatch.Batch, sleep int64) *flaw {
	c, s := k.bare.Census(), k.sut.Stats()
	for _, same := range []struct {
		what      string
		got, want int
	}{
		{"queued", s.Queued, c.Queued + c.Tailed}, {"with workers", s.Leased, c.Leased}, {"lent", s.Lent, k.lentNow()}, {"on the timetable", s.Schedule, c.Scheduled},
		{"tasks in no list", c.Odd, 0}, {"promises", c.Promises, c.PromisesOf}, {"runs known", c.Runs, c.RunsOf}, {"calls", c.Calls, c.CallsOf},
	} {
		if same.got != same.want {
			return flawed("stats", "%s: %d, and should be %d: %+v", same.what, same.got, same.want, c)
		}
	}
	switch {
	case s.Stored < 0 || c.Unsafe < 0:
		return flawed("stats", "below zero: %+v %+v", s, c)
	case c.Limits+c.Scheduled > k.cfg.Near:
		return flawed("bounds", "%d on the timetable, and %d may be", c.Limits+c.Scheduled, k.cfg.Near)
	case c.Queued+c.Leased+c.Tailed+c.Scheduled > k.cfg.MaxTasks:
		return flawed("bounds", "%d tasks in memory, and %d may be", c.Queued+c.Leased+c.Tailed+c.Scheduled, k.cfg.MaxTasks)
	case c.Calls > k.share() || c.Runs-c.Settling > k.share():
		return flawed("bounds", "%d calls and %d runs in memory, and %d of each may be", c.Calls, c.Runs-c.Settling, k.share())
	case c.Runs-c.Settling > k.cfg.MaxRuns:
		return flawed("bounds", "%d runs in memory, and %d may be", c.Runs-c.Settling, k.cfg.MaxRuns)
	case !k.disk.failed && (c.KeptRuns != k.keptRuns || c.KeptBytes != k.keptSize):
		return flawed("stats", "%d runs and %d bytes are kept: %+v", k.keptRuns, k.keptSize, c)
	}
	if f := k.checkIdle(); f != nil {
		return f
	}
	if f := k.checkStored(s.Stored); f != nil {
		return f
	}
	if f := k.checkOverdue(a, sleep); f != nil {
		return f
	}
	if c.Asks+c.Hungry == 0 && c.Keys+c.Parked == 0 {
		if f := k.checkLoaded(); f != nil {
			return f
		}
	}
	if f := k.checkRulesLate(sleep); f != nil {
		return f
	}
	return k.checkRest(a, out, sleep)
}

// share is how many calls may be in memory, and how many runs: a part is left for the others.
func (k *kept) share() int {
	left := k.cfg.MaxTasks / 8
	if left == 0 && k.cfg.MaxTasks > 1 {
		left = 1
	}
	return k.cfg.MaxTasks - min(left, k.cfg.Window)
}

// checkIdle wants nobody to wait in memory beside a worker that could serve.
func (k *kept) checkIdle() *flaw {
	if k.stopped {
		return nil
	}
	for _, s := range k.bare.Line() {
		for _, p := range k.peers {
			if p.credits > 0 && !p.blocked && slices.Contains(p.names, s.Name) && !p.isFull(s.Name) {
				return flawed("idle", "a task of %s waits, and worker %s is idle", s.Name, showConn(p.conn))
			}
		}
		for _, r := range k.asked {
			if r.wants(s.Name) {
				return flawed("idle", "a task of %s waits, and so does a lease: %s", s.Name, &r.ask)
			}
		}
	}
	return nil
}

// checkLoaded wants nobody to wait on the disk either beside such a worker, if there is nothing that the store is still to say.
func (k *kept) checkLoaded() *flaw {
	if k.stopped || k.draining || k.disk.failed {
		return nil
	}
	for id, run := range k.runs {
		if run.outcome != nil || run.gone || k.bare.Whereabouts(id) != "" || !k.inLine(id) {
			continue
		}
		for c, p := range k.peers {
			if p.credits > 0 && !p.blocked && slices.Contains(p.names, run.name) && !p.isFull(run.name) {
				return flawed("idle", "run %s waits on the disk, and worker %s is idle", run, showConn(c))
			}
		}
		for _, r := range k.asked {
			if r.wants(run.name) {
				return flawed("idle", "run %s waits on the disk, and so does a lease: %s", run, &r.ask)
			}
		}
	}
	return nil
}

// inLine tells whether a run is recorded to be in line.
func (k *kept) inLine(id dispatch.ID) bool {
	for key := range k.rows[id] {
		if key[0] == dispatch.TableQueue {
			return true
		}
	}
	return false
}

// checkStored wants the runs that wait on the disk only to be counted.
func (k *kept) checkStored(stored int) *flaw {
	if k.draining || k.disk.failed {
		return nil
	}
	want := 0
	for id, run := range k.runs {
		if run.outcome != nil || run.gone {
			continue
		}
		if at := k.bare.Whereabouts(id); at != "" && at != "settling" {
			continue
		}
		if k.inLine(id) {
			want++
		}
	}
	if stored != want {
		return flawed("stats", "%d runs wait on the disk only, and should be %d", stored, want)
	}
	return nil
}

// checkRest wants neither Ticks nor answers to be wanted for nothing.
func (k *kept) checkRest(a *ask, out *dispatch.Batch, sleep int64) *flaw {
	if k.loads += len(out.Loads); len(out.Effects)+len(out.Ops) > 0 || k.loadsAt != k.now {
		k.loads, k.loadsAt = 0, k.now
	}
	if k.loads > 1000 {
		return flawed("sleep", "it asks the store all the time, and does nothing")
	}
	if a.kind != dispatch.Tick || sleep != 0 || len(out.Effects)+len(out.Ops)+len(out.Loads) > 0 {
		k.idle = 0
		return nil
	}
	if k.idle++; k.idle > 300 {
		return flawed("sleep", "it wants Ticks all the time, and does nothing")
	}
	return nil
}
