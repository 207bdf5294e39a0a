package prove

import (
	"slices"
	"time"
)

// rule is a schedule that recurs, and what was told of it.
type rule struct {
	asked   Rule
	set     bool         // somebody was told so
	said    RuleDocument // last
	drops   int          // times that its end was asked for
	dropped time.Time    // when that was acknowledged; zero: it was not
	lost    bool         // blamed already
	fired   int          // times before the next, as was said last, that have their run
	skipped int          // and that have none, rightly
}

// next is the time up to which, as was told last, each has been seen to.
func (u *rule) next() time.Time {
	if !u.set {
		return time.Time{}
	}
	return u.said.Next[0].UTC
}

// BeginRule enters a schedule that is about to be set, and gives it its number.
func (b *Book) BeginRule(r Rule) Rule {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.Number = len(b.rules)
	b.rules = append(b.rules, &rule{asked: r})
	return r
}

// Rules returns all of them.
func (b *Book) Rules() []Rule {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]Rule, len(b.rules))
	for i, u := range b.rules {
		all[i] = u.asked
	}
	return all
}

// RuleIs judges what the server says of a schedule, be it that it is set now. Whoever asks has no other question about it
// under way.
func (b *Book) RuleIs(number int, d RuleDocument) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.rules[number]
	r, was := u.asked, u.next()
	switch {
	case d.Name != r.name() || d.Cron != r.cron() || d.Overlap != r.Overlap || d.CatchUp != r.CatchUp || u.set && !d.Created.Equal(u.said.Created):
		b.faults.blame(Wrong, "schedule %s is %+v, and was set to be %+v", r.name(), d, r)
		return
	case !u.dropped.IsZero():
		b.faults.blame(Undone, "schedule %s was deleted, and is there again", r.name())
	case d.Next[0].UTC.Before(was):
		b.faults.blame(Undone, "schedule %s was said to be due at %v next, and now at %v", r.name(), was, d.Next[0].UTC)
	}
	u.set, u.said = true, d
}

// DropRule notes that the end of a schedule is about to be asked for.
func (b *Book) DropRule(number int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rules[number].drops++
}

// RuleDropped notes that it has ended for good.
func (b *Book) RuleDropped(number int, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rules[number].dropped = now
}

// NoRule notes that the server does not know a schedule. That is right if its end was asked for before, and perhaps only the
// answer did not come. It returns whether it is.
func (b *Book) NoRule(number, drops int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.rules[number]
	if gone := !u.set || u.drops > drops; gone || u.lost {
		return gone
	}
	u.lost = true
	b.faults.blame(Lost, "schedule %s was acknowledged, and the server does not know it", u.asked.name())
	return false
}

// span is when the runs of a schedule can have been made; ok is false if nobody was told of it.
func (b *Book) span(number int, now time.Time) (from, to time.Time, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.rules[number]
	if to = now; !u.dropped.IsZero() {
		to = u.dropped
	}
	return u.said.Created, to, u.set
}

// Account judges all runs that the server lists of a schedule: each of its times up to the next has one, if the last was
// finished or that does not matter, and whatever its catch-up policy: the server was never away for the minute after which
// that counts.
func (b *Book) Account(number int, runs []RuleRun) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.rules[number]
	if !u.set || u.lost {
		return
	}
	slices.SortStableFunc(runs, func(a, b RuleRun) int { return a.For.Compare(b.For) })
	at, last := u.said.Created, (*RuleRun)(nil)
	for i := range runs {
		run := &runs[i]
		if !b.isTimely(u, run) {
			continue
		}
		if last != nil && run.For.Equal(last.For) {
			b.faults.blame(Refired, "runs %s and %s are both of schedule %s for %v", last.ID, run.ID, u.asked.name(), run.For)
			continue
		}
		b.leftOut(u, at, run.For, last)
		b.judgeOverlap(u, run, last)
		at, last = run.For, run
		u.fired += one(at.Before(u.next()))
	}
	b.leftOut(u, at, u.next(), last)
	if u.fired != u.said.Runs || u.skipped != u.said.Skipped || u.said.Missed != 0 {
		b.faults.blame(Wrong, "of the times before its next one, schedule %s had %d runs and skipped %d, and is said to be %+v",
			u.asked.name(), u.fired, u.skipped, u.said)
	}
}

// isTimely judges whether a run is for a time that its schedule has, which had come, and was still to be seen to.
func (b *Book) isTimely(u *rule, run *RuleRun) bool {
	after := run.For.Sub(u.said.Created)
	switch {
	case after <= 0 || after%u.asked.Every != 0:
		b.faults.blame(Wrong, "run %s is of schedule %s for %v, which is none of its times", run.ID, u.asked.name(), run.For)
		return false
	case run.Created.Before(run.For):
		b.faults.blame(Early, "run %s of schedule %s was made at %v, before its time %v", run.ID, u.asked.name(), run.Created, run.For)
	case !u.dropped.IsZero() && run.Created.After(u.dropped):
		b.faults.blame(Undone, "run %s is of schedule %s, which had been deleted for %v", run.ID, u.asked.name(), run.Created.Sub(u.dropped))
	}
	return true
}

// judgeOverlap sees that a schedule that skips has one run at a time.
func (b *Book) judgeOverlap(u *rule, run, last *RuleRun) {
	if u.asked.Overlap == skip && last != nil && (last.Finished.IsZero() || last.Finished.After(run.Created)) {
		b.faults.blame(Wrong, "schedule %s skips, and made run %s while %s was not finished", u.asked.name(), run.ID, last.ID)
	}
}

// leftOut judges the times between two that have no run. last is the run before them.
func (b *Book) leftOut(u *rule, after, to time.Time, last *RuleRun) {
	for at := after.Add(u.asked.Every); at.Before(to); at = at.Add(u.asked.Every) {
		if u.asked.Overlap == skip && last != nil && (last.Finished.IsZero() || !last.Finished.Before(at)) {
			u.skipped += one(at.Before(u.next()))
			continue
		}
		b.faults.blame(Missed, "schedule %s has no run for %v", u.asked.name(), at)
	}
}
