package dispatch_test

import (
	"encoding/binary"
	"slices"

	"workman/dispatch"
)

// What a world of runs knows of what is in whose hand: of workers, of sessions without a connection, and of leases.

// isFull tells whether it has as many of a name as it takes at once.
func (p *end) isFull(name string) bool { return p.isFullWith(name, nil) }

// mayBeFull tells whether it was so at some moment of the step.
func (p *end) mayBeFull(name string) bool { return p.isFullWith(name, p.left) }

func (p *end) isFullWith(name string, others []string) bool {
	most, n := p.most[name], 0
	for _, h := range p.held {
		if h.name() == name {
			n++
		}
	}
	for _, o := range others {
		if o == name {
			n++
		}
	}
	return most > 0 && n >= most
}

func (h *hand) name() string {
	if h.run != nil {
		return h.run.name
	}
	return string(h.call.ask.name)
}

// hands are all that have some: in an order that a seed repeats.
func (k *kept) hands() (all []*end) {
	for _, c := range k.order {
		all = append(all, k.peers[c])
	}
	return append(append(all, k.lost...), k.lent...)
}

// holds notes that what an end has in hand is its own.
func (k *kept) holds(p *end) {
	for _, h := range p.held {
		if h.run != nil {
			h.run.holder = p
		} else {
			h.call.holder = p
		}
	}
}

// lentNow is how many tasks are lent.
func (k *kept) lentNow() (n int) {
	for _, l := range k.lent {
		n += len(l.held)
	}
	return n
}

// handsOf is in whose hand an event says that a task is: over HTTP, of which lease. It may be nobody.
func (k *kept) handsOf(p *end, a *ask) *end {
	if !a.ofLease() {
		return p
	}
	for _, l := range k.lent {
		if len(a.nonce) == 8 && binary.BigEndian.Uint64(a.nonce) == l.secret {
			return l
		}
	}
	return nil
}

// says follows Extend and Progress.
func (k *kept) says(p *end, a *ask, was *prior) {
	if p == nil {
		return
	}
	i := slices.IndexFunc(p.held, func(h hand) bool { return h.token == a.token })
	if i < 0 {
		return
	}
	h := &p.held[i]
	was.mine, was.about = true, h.run
	if a.kind == dispatch.Progress {
		h.said, h.saids = string(a.body), h.saids+1
		return
	}
	end := after(k.now.Mono, min(a.at, dispatch.MaxLease))
	if h.ends > 0 {
		h.ends = max(h.ends, end)
	}
	if h.until > 0 {
		h.until = max(h.until, end)
	}
}

// backs follows HandBack.
func (k *kept) backs(p *end, a *ask, was *prior) {
	if p == nil {
		return
	}
	every := a.token == dispatch.Token{} && !a.ofLease()
	if every {
		p.credits, was.mine = 0, true
	}
	for i := 0; i < len(p.held); {
		if h := p.held[i]; h.token == a.token || every && a.count != 0 {
			was.mine = true
			if h.run != nil {
				was.back[h.run] = k.statusOf(h.run)
			}
			k.drops(p, i)
			continue
		}
		i++
	}
}

// observe sees what was taken out of a hand that did not give it, and wants there to have been a reason.
func (k *kept) observe(was *prior) *flaw {
	for _, p := range k.hands() {
		p.left = p.left[:0]
		for i := 0; i < len(p.held); {
			h := p.held[i]
			if k.bare.PlaceOf(h.token) != 0 {
				i++
				continue
			}
			if f := k.taken(p, &h, was); f != nil {
				return f
			}
			p.left = append(p.left, h.name())
			k.drops(p, i)
		}
	}
	k.lost = slices.DeleteFunc(k.lost, func(p *end) bool {
		return (p.until <= k.now.Mono || k.event.kind == dispatch.Stop) && len(p.held) == 0
	})
	k.lent = slices.DeleteFunc(k.lent, func(p *end) bool { return p.lease.done && len(p.held) == 0 })
	return nil
}

// taken looks for the reason: its attempt, its lease or the grace of its session is over, or its deadline came.
func (k *kept) taken(p *end, h *hand, was *prior) *flaw {
	lapsed := h.ends > 0 && h.ends <= k.now.Mono && (h.until == 0 || h.ends <= h.until)
	over := h.until > 0 && h.until <= k.now.Mono && !lapsed || p.until > 0 && p.until <= k.now.Mono
	var deadline int64
	if h.call != nil {
		deadline = h.call.until
	} else if deadline = h.run.r.Deadline; lapsed {
		was.lapsed[h.run] = true
	}
	if h.run != nil && over {
		was.lost[h.run] = k.statusOf(h.run)
	}
	if over {
		k.met["grace or lease over"]++
	}
	late := deadline > 0 && deadline <= k.now.Wall
	ticked := k.event.kind == dispatch.Tick && (lapsed || over || late)
	if !ticked && !(h.call != nil && k.event.kind == dispatch.Stop) {
		return flawed("held", "%s is taken from who has it", showToken(h.token))
	}
	return nil
}

// expectLives wants what was lost to have cost a loss, and what was handed back nothing.
func (k *kept) expectLives(was *prior) *flaw {
	if k.disk.failed {
		return nil
	}
	for run, s := range was.lost {
		if now := k.statusOf(run); run.outcome == nil && !was.lapsed[run] && (now.Losses != s.Losses+1 || now.Attempts != s.Attempts+1 || now.Failures != s.Failures) {
			return flawed("attempts", "run %s was lost, which is not written down: %+v after %+v", run.id, now, s)
		}
	}
	for run, s := range was.back {
		if run.outcome != nil {
			if run.outcome.Attempts != s.Attempts || run.outcome.Losses != s.Losses || run.outcome.Failures != s.Failures {
				return flawed("back", "run %s was handed back: %+v after %+v", run.id, run.outcome, s)
			}
			continue
		}
		if now := k.statusOf(run); now.Attempts != s.Attempts || now.Losses != s.Losses || now.Failures != s.Failures || string(now.History) != string(s.History) {
			return flawed("back", "run %s was handed back: %+v after %+v", run.id, now, s)
		}
	}
	return nil
}

// checkOverdue wants nobody to keep a task, or to wait for a lease, for longer than is due, when the dispatcher says that
// nothing is.
func (k *kept) checkOverdue(a *ask, sleep int64) *flaw {
	if a.kind != dispatch.Tick || sleep == 0 || k.stopped {
		return nil
	}
	for _, p := range k.hands() {
		if p.until > 0 && p.until <= k.now.Mono {
			return flawed("late", "session %s is over, and keeps its tasks", showToken(p.session))
		}
		for _, h := range p.held {
			if h.ends > 0 && h.ends <= k.now.Mono || h.until > 0 && h.until <= k.now.Mono {
				return flawed("late", "the time of %s is over, and it is still in a hand", showToken(h.token))
			}
		}
	}
	for _, r := range k.asked {
		if r.ask.kind == dispatch.TakeLease && r.began+r.ask.at <= k.now.Mono {
			return flawed("late", "a lease waits for longer than it said: %s", &r.ask)
		}
	}
	return nil
}

// checkProgress wants to be shown what the worker said last, in this attempt.
func (k *kept) checkProgress(v *dispatch.View, run *promised) *flaw {
	said, saids := "", 0
	if run.holder != nil && v.Run != nil {
		for _, h := range run.holder.held {
			if h.run == run {
				said, saids = h.said, h.saids
			}
		}
	}
	short := k.cfg.MaxBytes < 1<<21 && saids > 0 // it may not have been remembered
	if v.State != dispatch.Running {
		said, short = "", false
	}
	if string(v.Progress) != said && !short {
		return flawed("progress", "run %s is at %q, and was said to be at %q", run.id, v.Progress, said)
	}
	return nil
}
