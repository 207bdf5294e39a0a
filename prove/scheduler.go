package prove

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	ruleEvery = 100 * time.Millisecond // between a scheduler's requests
	rulesOfIt = 5                      // schedules that it has at once
	ruleLives = 8                      // requests from one that deletes to the next, about
)

// scheduler sets schedules that recur, looks whether they are there, and deletes them again. One works at a time on any of them.
type scheduler struct {
	caller *caller
	rand   *rand.Rand
	pace   pace
	mine   []Rule
	ended  []Rule // deleted
}

// run goes on until load ends.
func (p *scheduler) run(ctx, load context.Context) {
	defer p.caller.close()
	for p.pace.wait(load) {
		switch n := p.rand.IntN(ruleLives); {
		case len(p.mine) < rulesOfIt:
			r := p.caller.book.BeginRule(newRule(p.rand))
			if p.until(ctx, r, p.caller.setRule) {
				p.mine = append(p.mine, r)
			}
		case n == 0:
			i := p.rand.IntN(len(p.mine))
			r := p.mine[i] // as it is to the end
			if p.until(ctx, r, p.caller.readRule) && p.until(ctx, r, p.caller.dropRule) {
				p.ended = append(p.ended, r)
				p.mine = slices.Delete(p.mine, i, i+1)
			}
		case n == 1 && len(p.ended) > 0:
			p.until(ctx, p.ended[p.rand.IntN(len(p.ended))], p.caller.readRule)
		default:
			p.until(ctx, p.mine[p.rand.IntN(len(p.mine))], p.caller.readRule)
		}
	}
}

// until asks until there is an answer. It returns false if there is none in time.
func (p *scheduler) until(ctx context.Context, r Rule, ask func(context.Context, Rule) error) bool {
	again := backoff{rand: p.rand}
	for {
		err := ask(ctx, r)
		if err == nil {
			return true
		}
		if !again.wait(ctx) {
			if errors.Is(context.Cause(ctx), errSilent) {
				p.caller.book.Fault(Broken, "a request about schedule %s was not answered, or refused all the time, though it was sent again and again: %v", r.name(), err)
			}
			return false
		}
	}
}
