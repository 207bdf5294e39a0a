package dispatch_test

import (
	"fmt"
	"strconv"
	"strings"

	"workman/dispatch"
)

// simNext is when schedules of the worlds are due: "every N" milliseconds from where it counts, or once "at T".
func simNext(cron, _ []byte, from, after int64) int64 {
	what, text, _ := strings.Cut(string(cron), " ")
	n, _ := strconv.ParseInt(text, 10, 64)
	switch {
	case what == "every" && after < from:
		return from + n
	case what == "every":
		return from + ((after-from)/n+1)*n
	case n > after:
		return n
	}
	return 0
}

// askOfRule has somebody say something about one of few schedules. The server's pages ask.
func (k *kept) askOfRule() *flaw {
	r := k.rng
	name := fmt.Appendf(nil, "rule%d", r.IntN(4))
	id := dispatch.RuleID(name)
	a := ask{rule: id}
	if there := k.ruleIn(k.disk.latest, id); there != nil && !there.Paused && r.IntN(3) > 0 {
		return k.pass() // it is to fire now and then
	}
	switch n := r.IntN(24); {
	case n < 14:
		return k.request(nil, k.someRule(name))
	case n < 15:
		a.kind = dispatch.DropRule
	case n < 17:
		a.kind = dispatch.PauseRule
	case n < 22:
		a.kind = dispatch.ResumeRule
	default:
		a.kind = dispatch.FireRule
	}
	a.run, a.at = &id, k.someCondition(k.ruleIn(k.disk.latest, id))
	return k.request(nil, a)
}

// someRule is a schedule that somebody makes or changes, and sometimes as it is.
func (k *kept) someRule(name []byte) ask {
	r := k.rng
	a := ask{kind: dispatch.SetRule, rule: dispatch.RuleID(name), count: uint32(r.IntN(4))}
	if r.IntN(4) > 0 {
		a.count &^= dispatch.RuleIsNew
	}
	old := k.ruleIn(k.disk.latest, a.rule)
	a.at = k.someCondition(old)
	def := dispatch.StoredRule{
		Name: name, Zone: []byte("z"), Task: k.task(), Body: fmt.Appendf(nil, `{"rule":"%s","v":%d}`, name, r.IntN(3)),
		Overlap: dispatch.Overlap(r.IntN(3)), CatchUp: dispatch.CatchUp(r.IntN(3)), Paused: r.IntN(12) == 0,
	}
	def.Cron = fmt.Appendf(nil, "every %d", []int64{1_500, 1_500, 7_000, 61_000}[r.IntN(4)])
	if r.IntN(6) == 0 {
		def.Cron = fmt.Appendf(nil, "at %d", k.later())
	}
	if t := k.someTerms(); r.IntN(2) == 0 {
		*t = dispatch.Terms{
			Priority: t.Priority, Attempts: t.Attempts, Backoff: t.Backoff, BackoffMax: t.BackoffMax, Timeout: t.Timeout, TTL: t.TTL,
			Keep: t.Keep, Callback: t.Callback, Labels: t.Labels,
		}
		def.Terms = t.Append(nil)
	}
	if old != nil && r.IntN(4) == 0 { // as it is
		def = *old
	}
	a.body = def.Append(nil)
	return a
}

// someCondition is what is said of a schedule of which something is wanted: mostly nothing.
func (k *kept) someCondition(old *dispatch.StoredRule) int64 {
	switch r := k.rng; {
	case r.IntN(3) > 0:
		return 0
	case old == nil || r.IntN(4) == 0:
		return -1 - int64(r.IntN(2)) // RuleIsThere, RuleIsOther
	default:
		return int64(old.Rev) - int64(r.IntN(2))
	}
}

// ruleIn is a schedule as one state of the store has it; nil if there is none.
func (k *kept) ruleIn(m map[string]string, id dispatch.ID) *dispatch.StoredRule {
	v, ok := m[string(dispatch.TableRules)+string(id[:])]
	if !ok {
		return nil
	}
	r, err := dispatch.DecodeRule([]byte(v))
	if err != nil {
		return nil
	}
	return &r
}

// ruleIDs are the schedules that there are, in an order that does not depend on chance.
func (k *kept) ruleIDs() (all []dispatch.ID) {
	for _, key := range keysOf(k.disk.latest, dispatch.TableRules, nil, nil) {
		all = append(all, dispatch.ID([]byte(key[1:])))
	}
	return all
}

// dropRules has every schedule deleted, at the end of the world.
func (k *kept) dropRules() *flaw {
	for n := 0; len(k.ruleIDs()) > 0 || k.isAskedOfRules(); n++ {
		if n > 1000 {
			return flawed("stuck", "schedules cannot be deleted")
		}
		for _, id := range k.ruleIDs() {
			if f := k.request(nil, ask{kind: dispatch.DropRule, rule: id, run: &id}); f != nil {
				return f
			}
		}
		for range 8 {
			if f := k.storeAnswers(); f != nil {
				return f
			}
		}
	}
	return nil
}

func (k *kept) isAskedOfRules() bool {
	for _, r := range k.asked {
		if r.ask.rule != (dispatch.ID{}) {
			return true
		}
	}
	return false
}

// ruleTold checks an answer about a schedule.
func (k *kept) ruleTold(r *request, e *dispatch.Effect) *flaw {
	id := r.ask.rule
	safe := k.ruleIn(k.disk.safe, id)
	switch e.Kind {
	case dispatch.RuleGone:
		if gone := k.dropped[id]; safe != nil && gone != nil && safe.Created == gone.Created && safe.Rev <= gone.Rev {
			return flawed("durable", "schedule %s is not deleted for good", gone.Name)
		}
		return nil
	case dispatch.Accepted:
		v, err := dispatch.DecodeView(e.Body)
		run := k.runs[v.ID]
		if err != nil || run == nil || run.batch > k.disk.told {
			return flawed("durable", "a schedule's run %s is told, and not safe: %v", v.ID, err)
		}
		run.acked = run.acked || !run.gone
		return nil
	}
	told, err := dispatch.DecodeRule(e.Body)
	if err != nil {
		return flawed("answers", "it shows a schedule: %v", err)
	}
	if gone := k.dropped[id]; (safe == nil || safe.Rev < told.Rev) && (gone == nil || gone.Rev < told.Rev) {
		return flawed("durable", "schedule %s is told, and not safe", told.Name)
	}
	return nil
}
