package dispatch_test

import (
	"fmt"
	"slices"
	"strings"

	"workman/dispatch"
)

// What the model checks of schedules: each change of one was asked for, or is a firing with the runs that its policies want,
// counted here without any cleverness; and its rows agree.

// rulesWere is how schedules were before a step, and whether their last runs were finished.
type rulesWere struct {
	rules   map[dispatch.ID]*dispatch.StoredRule
	running map[dispatch.ID]bool
}

func (k *kept) rulesNow() (w rulesWere) {
	w = rulesWere{map[dispatch.ID]*dispatch.StoredRule{}, map[dispatch.ID]bool{}}
	for _, id := range k.ruleIDs() {
		r := k.ruleIn(k.disk.latest, id)
		w.rules[id] = r
		last := k.runs[r.Last]
		w.running[id] = last != nil && last.outcome == nil && !last.gone
	}
	return w
}

// replaces tells whether a schedule may have a run cancelled in this step.
func (w *rulesWere) replaces(run dispatch.ID) bool {
	for _, r := range w.rules {
		if r.Last == run && r.Overlap == dispatch.OverlapReplace {
			return true
		}
	}
	return false
}

// checkRules looks at every schedule that a step touched.
func (k *kept) checkRules(was *rulesWere, made []*promised) *flaw {
	ids := k.ruleIDs()
	for id := range was.rules {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b dispatch.ID) int { return slices.Compare(a[:], b[:]) })
	for _, id := range ids {
		r := k.ruleIn(k.disk.latest, id)
		mine := []*promised{}
		made = slices.DeleteFunc(made, func(p *promised) bool {
			is := r != nil && strings.HasSuffix(string(p.r.Labels), "schedule:"+string(r.Name)+"\n")
			if is {
				mine = append(mine, p)
			}
			return is
		})
		if f := k.checkRule(id, was.rules[id], r, was.running[id], mine); f != nil {
			return f
		}
	}
	if len(made) > 0 {
		return flawed("fires", "run %s is of a schedule that there is not", made[0])
	}
	if f := k.checkNameRows(); f != nil {
		return f
	}
	return k.checkDueRows()
}

// checkNameRows wants the names of the schedules that there are to be recorded, and no others.
func (k *kept) checkNameRows() *flaw {
	want := []string{}
	for _, id := range k.ruleIDs() {
		want = append(want, string(dispatch.TableNames)+string(k.ruleIn(k.disk.latest, id).Name))
	}
	slices.Sort(want)
	if got := keysOf(k.disk.latest, dispatch.TableNames, nil, nil); !slices.Equal(got, want) {
		return flawed("rules", "there are the names %q, and should be %q", got, want)
	}
	return nil
}

// checkDueRows wants each schedule to be recorded to be due when it says, and nothing else.
func (k *kept) checkDueRows() *flaw {
	due := map[string]bool{}
	for _, key := range keysOf(k.disk.latest, dispatch.TableDue, nil, nil) {
		if at, id, what, ok := dispatch.ParseDueKey([]byte(key[1:])); ok && what == dispatch.DueRule {
			due[fmt.Sprint(id, at)] = true
		}
	}
	want := 0
	for _, id := range k.ruleIDs() {
		if r := k.ruleIn(k.disk.latest, id); r.Next > 0 {
			if want++; !due[fmt.Sprint(id, r.Next)] || r.Paused {
				return flawed("rules", "schedule %s is not recorded to be due at %d, or is paused: %v", r.Name, r.Next, r.Paused)
			}
		}
	}
	if len(due) != want {
		return flawed("rules", "%d are recorded to be due, and should be %d", len(due), want)
	}
	return nil
}

// isTrueOf tells whether what an event's At says of a schedule is so; nil: there is none.
func isTrueOf(old *dispatch.StoredRule, at int64) bool {
	switch at {
	case 0:
		return true
	case dispatch.RuleIsThere:
		return old != nil
	case dispatch.RuleIsOther:
		return false
	}
	return old != nil && old.Rev == uint64(at)
}

// wasAsked tells whether somebody waits for an answer of that kind about a schedule, as it was.
func (k *kept) wasAsked(id dispatch.ID, old *dispatch.StoredRule, kinds ...dispatch.Kind) bool {
	for _, r := range k.asked {
		if r.ask.rule == id && slices.Contains(kinds, r.ask.kind) && isTrueOf(old, r.ask.at) {
			return true
		}
	}
	return false
}

// checkRule follows one schedule through a step; mine are the runs of it that the step made.
func (k *kept) checkRule(id dispatch.ID, old, r *dispatch.StoredRule, running bool, mine []*promised) *flaw {
	switch {
	case old == nil && r == nil:
		return nil
	case r == nil:
		k.dropped[id] = old
		if !k.wasAsked(id, old, dispatch.DropRule) || len(mine) > 0 {
			return flawed("rules", "nobody asked to delete schedule %s", old.Name)
		}
		return nil
	case old != nil && string(old.Append(nil)) == string(r.Append(nil)):
		if len(mine) > 0 {
			return flawed("fires", "run %s is of schedule %s, which does not know of it", mine[0], r.Name)
		}
		return nil
	case old == nil || old.Rev != r.Rev:
		return k.checkSet(id, old, r, mine)
	}
	if string(old.Body) != string(r.Body) || old.Overlap != r.Overlap || old.CatchUp != r.CatchUp || old.Paused != r.Paused ||
		string(old.Cron) != string(r.Cron) || string(old.Task) != string(r.Task) || string(old.Terms) != string(r.Terms) {
		return flawed("rules", "schedule %s is another, and nobody said so", r.Name)
	}
	for _, run := range mine {
		if run.name != string(r.Task) || string(run.r.Body) != string(r.Body) {
			return flawed("fires", "run %s is not what schedule %s says", run, r.Name)
		}
	}
	if old.Next == r.Next && k.wasAsked(id, old, dispatch.FireRule) {
		if len(mine) != 1 || r.Last != mine[0].id || r.Runs != old.Runs+1 || r.LastAt != k.now.Wall || mine[0].r.ScheduledFor() != r.LastAt {
			return flawed("fires", "schedule %s was to run at once: %+v", r.Name, mine)
		}
		return nil
	}
	return k.checkFired(old, r, running, mine)
}

// checkSet follows what people change.
func (k *kept) checkSet(id dispatch.ID, old, r *dispatch.StoredRule, mine []*promised) *flaw {
	if !k.wasAsked(id, old, dispatch.SetRule, dispatch.PauseRule, dispatch.ResumeRule) || len(mine) > 0 {
		return flawed("rules", "nobody asked to change schedule %s", r.Name)
	}
	after, want := k.now.Wall, int64(0)
	if old != nil && old.From == r.From {
		after = max(after, old.Passed)
	}
	if !r.Paused {
		want = simNext(r.Cron, r.Zone, r.From, after)
	}
	if r.Next != want || old != nil && (r.Rev <= old.Rev || r.Runs != old.Runs || r.Last != old.Last) {
		return flawed("rules", "schedule %s is due at %d, and should be at %d: %+v", r.Name, r.Next, want, r)
	}
	return nil
}

// checkFired wants the runs that the policies ask for, and no others.
func (k *kept) checkFired(old, r *dispatch.StoredRule, running bool, mine []*promised) *flaw {
	if old.Next == 0 || old.Next > k.now.Wall || old.Paused {
		return flawed("fires", "schedule %s fires at %d, and is due at %d", r.Name, k.now.Wall, old.Next)
	}
	times, next := timesDue(old, k.now.Wall)
	k.met[fmt.Sprintf("fires, %s, late %v", dispatch.OverlapNames[r.Overlap], old.Next < k.now.Wall-60_000)]++
	k.met[fmt.Sprintf("catch-up %s, running %v", dispatch.CatchUpNames[r.CatchUp], running)]++
	if len(times) == 16 {
		k.met["many times at once"]++
	}
	made := times
	switch {
	case len(times) == 0:
	case r.Overlap == dispatch.OverlapSkip && running:
		made = nil
	case r.Overlap == dispatch.OverlapSkip:
		made = times[:1]
	case r.Overlap == dispatch.OverlapReplace:
		made = times[len(times)-1:]
		if last := k.runs[old.Last]; running && last.outcome == nil {
			if last.holder == nil {
				return flawed("fires", "schedule %s replaces run %s, which waits on", r.Name, last)
			}
			last.stop = true
		}
	}
	switch {
	case r.Next != next:
		return flawed("fires", "schedule %s is due at %d next, and should be at %d", r.Name, r.Next, next)
	case len(mine) != len(made) || r.Runs != old.Runs+uint64(len(made)) || r.Skipped != old.Skipped+uint64(len(times)-len(made)):
		return flawed("fires", "schedule %s has %d runs for %d of %d times: %+v, was %+v", r.Name, len(mine), len(made), len(times), r, old)
	case len(made) > 0 && (r.Last != mine[len(mine)-1].id || r.LastAt != made[len(made)-1]):
		return flawed("fires", "schedule %s has another last run than it made", r.Name)
	case !slices.EqualFunc(mine, made, func(run *promised, at int64) bool { return run.r.ScheduledFor() == at }):
		return flawed("fires", "schedule %s has runs %+v for the times %v", r.Name, mine, made)
	case r.Passed < old.Passed || len(times) > 0 && r.Passed != times[len(times)-1] || r.Next > 0 && r.Next <= r.Passed:
		return flawed("fires", "times of schedule %s may come again: %+v", r.Name, r)
	case r.Missed < old.Missed || r.Missed > old.Missed && (old.Next >= k.now.Wall-60_000):
		return flawed("fires", "schedule %s has missed %d times, and had %d", r.Name, r.Missed, old.Missed)
	}
	return nil
}

// timesDue are the times that are to be seen to now, as the catch-up policy has it, and the one after.
func timesDue(r *dispatch.StoredRule, now int64) (times []int64, next int64) {
	at := r.Next
	for ; at > 0 && at <= now; at = simNext(r.Cron, r.Zone, r.From, at) {
		times = append(times, at)
	}
	next = at
	if late := now - 60_000; r.Next < late {
		switch r.CatchUp {
		case dispatch.CatchUpNone:
			times = slices.DeleteFunc(times, func(at int64) bool { return at < late })
		case dispatch.CatchUpOne:
			times = times[len(times)-1:]
		default:
			times = times[max(0, len(times)-dispatch.MaxCatchUp):]
		}
	}
	if len(times) > 16 { // in one batch; the rest follows
		times, next = times[:16], times[16]
	}
	return times, next
}

// checkRulesLate wants no schedule to be forgotten while nothing is under way.
func (k *kept) checkRulesLate(sleep int64) *flaw {
	c := k.bare.Census()
	if k.draining || k.disk.failed || k.low || k.disk.told != k.disk.last || len(k.disk.pending)+len(k.disk.loads)+c.Asks+c.Parked > 0 || k.out.N > k.disk.last {
		return nil
	}
	for _, id := range k.ruleIDs() {
		r := k.ruleIn(k.disk.latest, id)
		switch {
		case r.Next == 0:
		case sleep < 0:
			return flawed("late", "it sleeps for ever, and schedule %s is due at %d", r.Name, r.Next)
		case r.Next <= k.now.Wall && sleep > 0 && !k.fails && k.cfg.MaxTasks > 100 && k.cfg.MaxUnsafe > 1<<20 && k.now.Mono-k.lowUntil > 1500:
			return flawed("late", "it sleeps for %d, and schedule %s is due since %d", sleep, r.Name, k.now.Wall-r.Next)
		}
	}
	return nil
}
