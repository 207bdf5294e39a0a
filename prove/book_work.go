package prove

import (
	"cmp"
	"time"
)

// maxLosses is how many workers prove lets die with one run, and maxFailures how many attempts it lets fail: after five
// of either the run would be dead, and that would be no fault.
const (
	maxLosses   = 2
	maxFailures = 2
)

// Task is what a worker is given.
type Task struct {
	Number int
	Run    string // empty: the worker speaks the old protocol
	Fence  uint64 // 0: the same
}

// Leave notes that a worker's connection has ended: what it had may go to others. It returns whether that is news.
func (b *Book) Leave(s *Session) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := s.gone
	s.gone = true
	return !was
}

// Cut asks whether a worker may die with the runs that it has in hand, and notes that it is about to. It may not if one of
// them has lost as many workers as may be.
func (b *Book) Cut(s *Session) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	var inHand []*entry
	for _, h := range s.given {
		if e := b.entries[h.order]; !h.sent && !h.failed {
			inHand = append(inHand, e)
			if e.losses >= maxLosses {
				return false
			}
		}
	}
	for _, e := range inHand {
		e.losses++
	}
	s.gone = true
	b.counts.cuts++
	return true
}

// Take notes that a worker was given a run. It returns nil if the worker has left, and must not do it.
func (b *Book) Take(s *Session, t Task, now time.Time) *Hand {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.gone {
		return nil
	}
	e := b.find(t.Number)
	if e == nil {
		return nil
	}
	b.hands++
	h := &Hand{Number: b.hands, order: t.Number, by: s, fence: t.Fence}
	b.judgeRun(e, t)
	b.judgeTime(e, s, now)
	if e.told.state != "" && s.Life >= e.told.life {
		b.faults.blame(Undone, "run %s was told to be %s, and is handed out again", cmp.Or(e.id, t.Run), e.told.state)
	}
	for _, earlier := range e.given {
		b.judgeAgain(e, earlier, h)
	}
	e.given = append(e.given, h)
	s.given = append(s.given, h)
	return h
}

// judgeRun sees that a request has one run.
func (b *Book) judgeRun(e *entry, t Task) {
	switch {
	case t.Run == "" || t.Run == e.id:
	case e.id == "":
		e.id = t.Run // nobody was promised it, but from now on it is the one
	case !e.foreignRun:
		e.foreignRun = true
		b.faults.blame(Doubled, "request %d (key %q) %s, and a worker was given it as run %s", t.Number, e.asked.Key, e.became(), t.Run)
	}
}

// judgeTime sees that a schedule is not early, and notes how late it is.
func (b *Book) judgeTime(e *entry, s *Session, now time.Time) {
	due := e.asked.Due
	if due.IsZero() || e.took {
		e.took = true
		return
	}
	e.took = true
	late := now.Sub(due)
	switch {
	case late < 0:
		b.faults.blame(Early, "a schedule for %s ran %v before its time", due.Format(time.RFC3339Nano), -late)
	case s.Life == b.life && due.Sub(b.readyAt) > settled:
		b.times.late.record(late)
	default:
		b.times.lateCrash.record(late)
	}
}

// settled is how long after the server is ready workers are back for sure.
const settled = 500 * time.Millisecond

// judgeAgain sees that a run is handed out again for a reason, and that the later hand-out has the higher fence. What is
// read from a server that is dead is older than it looks.
func (b *Book) judgeAgain(e *entry, earlier, h *Hand) {
	first, second := earlier, h
	if h.by.Life < earlier.by.Life {
		first, second = h, earlier
	}
	if first.by.Life == second.by.Life && !first.by.gone && !first.failed {
		b.faults.blame(Needless, "run %s was handed out again while the worker that had it was there", e.id)
	}
	if first.fence != 0 && second.fence != 0 && second.fence <= first.fence {
		b.faults.blame(Unfenced, "run %s was handed out with fence %d, and later with %d", e.id, first.fence, second.fence)
	}
}

// Send notes that a worker is about to send its result. It returns false if it must not, since it has left.
func (b *Book) Send(h *Hand) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h.by.gone {
		return false
	}
	h.sent = true
	return true
}

// Fail asks whether a worker may send an error instead of its result, and notes that it will.
func (b *Book) Fail(h *Hand) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[h.order]
	if h.by.gone || e.failures >= min(e.asked.Fail, maxFailures) {
		return false
	}
	e.failures++
	h.failed = true
	return true
}

// Consent notes that a worker sends an error since the server told it that its run is cancelled. It returns false if it
// must not, since it has left.
func (b *Book) Consent(h *Hand) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h.by.gone {
		return false
	}
	if e := b.entries[h.order]; !e.cancelled {
		b.faults.blame(Wrong, "a worker was told that run %s is cancelled, and nobody asked for it", e.id)
	}
	h.failed = true
	return true
}
