package prove_test

import (
	"fmt"
	"testing"
	"time"

	"workman/prove"
)

// diary is a schedule that recurs every second, set at the desk's time.
type diary struct {
	*desk
	rule prove.Rule
}

func newDiary(d *desk, overlap string) diary {
	u := diary{d, d.BeginRule(prove.Rule{Every: time.Second, Overlap: overlap, CatchUp: "one"})}
	u.is(1, 0, 0)
	return u
}

func (u diary) at(n float64) time.Time { return u.now.Add(time.Duration(n * float64(time.Second))) }

// document says that its n-th time is next, and how many of those before had a run.
func (u diary) document(n, runs, skipped int) prove.RuleDocument {
	return prove.RuleDocument{
		Name: fmt.Sprintf("prove-%d", u.rule.Number), Cron: "@every 1s", Overlap: u.rule.Overlap, CatchUp: "one", Created: u.now,
		Next: []struct{ UTC time.Time }{{u.at(float64(n))}}, Runs: runs, Skipped: skipped,
	}
}

// is has the server say so.
func (u diary) is(n, runs, skipped int) { u.RuleIs(u.rule.Number, u.document(n, runs, skipped)) }

// run is one for the n-th time, made then, that took so many seconds; 0: it is not finished.
func (u diary) run(n, took float64) prove.RuleRun {
	r := prove.RuleRun{ID: fmt.Sprint("run ", n), For: u.at(n), Created: u.at(n + 0.1)}
	if took > 0 {
		r.Finished = u.at(n + 0.1 + took)
	}
	return r
}

func (u diary) account(runs ...prove.RuleRun) { u.Account(u.rule.Number, runs) }

// dropped deletes it after so many seconds.
func (u diary) dropped(n float64) {
	u.DropRule(u.rule.Number)
	u.RuleDropped(u.rule.Number, u.at(n))
}

// wrongRules are things that no server may do with a schedule that recurs.
var wrongRules = []struct {
	what    string
	kind    prove.Kind
	overlap string
	do      func(u diary)
}{
	{"it is unknown", prove.Lost, "allow", func(u diary) { u.NoRule(u.rule.Number, 0) }},
	{"it is unknown to the first that deletes it", prove.Lost, "allow", func(u diary) { u.DropRule(u.rule.Number); u.NoRule(u.rule.Number, 1) }},
	{"it is deleted, and there again", prove.Undone, "allow", func(u diary) { u.dropped(5); u.restart(); u.is(6, 5, 0) }},
	{"it is deleted, and goes on", prove.Undone, "allow", func(u diary) { u.dropped(0.5); u.account(u.run(1, 0.1)) }},
	{"its next time is one that has passed", prove.Undone, "allow", func(u diary) { u.is(5, 4, 0); u.restart(); u.is(4, 3, 0) }},
	{"a time has no run", prove.Missed, "allow", func(u diary) { u.is(4, 2, 0); u.account(u.run(1, 0.1), u.run(3, 0.1)) }},
	{"the last time has none", prove.Missed, "allow", func(u diary) { u.is(3, 1, 0); u.account(u.run(1, 0.1)) }},
	{"the first has none", prove.Missed, "skip", func(u diary) { u.is(3, 1, 1); u.account(u.run(2, 0.1)) }},
	{"a time that was never said to be past has none, and a later one has", prove.Missed, "allow", func(u diary) { u.account(u.run(1, 0.1), u.run(3, 0.1)) }},
	{"a time is skipped though the last run was finished", prove.Missed, "skip", func(u diary) { u.is(3, 1, 1); u.account(u.run(1, 0.5)) }},
	{"a time is skipped though that is not what was asked for", prove.Missed, "allow", func(u diary) { u.is(3, 1, 1); u.account(u.run(1, 0)) }},
	{"a time has two runs", prove.Refired, "allow", func(u diary) { u.is(2, 2, 0); u.account(u.run(1, 0.1), u.run(1, 0.1)) }},
	{"so has one that was never said to be past", prove.Refired, "allow", func(u diary) { u.account(u.run(1, 0.1), u.run(1, 0.1)) }},
	{"a run is made before its time", prove.Early, "allow", func(u diary) {
		r := u.run(1, 0.1)
		r.Created = u.at(0.9)
		u.account(r)
	}},
	{"a run is for no time that it has", prove.Wrong, "allow", func(u diary) { u.account(u.run(1.5, 0.1)) }},
	{"a run is for no time at all", prove.Wrong, "allow", func(u diary) { u.account(prove.RuleRun{}) }},
	{"a run is made while the last is not finished", prove.Wrong, "skip", func(u diary) { u.is(3, 2, 0); u.account(u.run(1, 5), u.run(2, 0.1)) }},
	{"it is another one", prove.Wrong, "allow", func(u diary) {
		d := u.document(1, 0, 0)
		d.CatchUp = "all"
		u.RuleIs(u.rule.Number, d)
	}},
	{"it counts runs that there are not", prove.Wrong, "allow", func(u diary) { u.is(2, 2, 0); u.account(u.run(1, 0.1)) }},
	{"it says that a time was missed", prove.Wrong, "allow", func(u diary) {
		d := u.document(2, 1, 0)
		d.Missed = 1
		u.RuleIs(u.rule.Number, d)
		u.account(u.run(1, 0.1))
	}},
}

// rightRules are things that look odd, and are none of the server's faults.
var rightRules = []struct {
	what         string
	overlap      string
	fires, skips int
	do           func(u diary)
}{
	{"all is well", "allow", 3, 0, func(u diary) { u.is(4, 3, 0); u.restart(); u.account(u.run(3, 0), u.run(1, 0.1), u.run(2, 5)) }},
	{"it has fired once more since it was looked at", "allow", 1, 0, func(u diary) { u.is(2, 1, 0); u.account(u.run(1, 0.1), u.run(2, 0.1)) }},
	{"times are skipped while a run is not finished", "skip", 2, 3, func(u diary) { u.is(6, 2, 3); u.account(u.run(1, 2.9), u.run(4, 0)) }},
	{"a run was made late, when the server was back", "skip", 1, 1, func(u diary) {
		u.is(3, 1, 1)
		r := u.run(1, 1.5)
		r.Created = u.at(2.2)
		u.account(r)
	}},
	{"it is deleted, as asked", "allow", 1, 0, func(u diary) {
		u.is(2, 1, 0)
		u.dropped(2.5)
		u.NoRule(u.rule.Number, 0)
		u.account(u.run(1, 0), u.run(2, 0))
	}},
	{"it was deleted by a request that got no answer", "allow", 0, 0, func(u diary) {
		u.DropRule(u.rule.Number)
		u.restart()
		u.DropRule(u.rule.Number)
		if !u.NoRule(u.rule.Number, 1) {
			u.Fault(prove.Broken, "that is blamed")
		}
	}},
	{"or was not", "allow", 0, 0, func(u diary) { u.DropRule(u.rule.Number); u.restart(); u.is(1, 0, 0) }},
	{"one that nobody was told of is unknown", "allow", 0, 0, func(u diary) { u.NoRule(u.BeginRule(prove.Rule{}).Number, 0) }},
}

// TestRules: what is wrong about schedules that recur is noticed under its name, and nothing else.
func TestRules(t *testing.T) {
	for _, w := range wrongRules {
		u := newDiary(newDesk(prove.Order{}), w.overlap)
		w.do(u)
		if r := u.Report(); r.Faults[w.kind] == 0 || r.Good() {
			t.Errorf("%s: %v, want %s", w.what, r.Examples, w.kind)
		}
	}
	for _, w := range rightRules {
		u := newDiary(newDesk(prove.Order{}), w.overlap)
		w.do(u)
		if r := u.Report(); len(r.Faults) > 0 || r.Rules != 1 || r.Fired != w.fires || r.Skipped != w.skips {
			t.Errorf("%s: %d fired, %d skipped: %v", w.what, r.Fired, r.Skipped, r.Examples)
		}
	}
}
