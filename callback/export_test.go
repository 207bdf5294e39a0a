package callback

import (
	"fmt"
	"time"
)

var (
	Sign       = sign
	Backoff    = backoff
	RetryAfter = retryAfter
	Public     = public
)

// Closing is closed when Close has begun.
func (p *Pool) Closing() <-chan struct{} { return p.stop }

// Queue is a queue whose workers are played by the test.
type Queue struct {
	queue
	working []*delivery
}

// NewQueue makes one.
func NewQueue(most, perHost int) *Queue { return &Queue{queue: newQueue(most, perHost)} }

// Add is queue.add, and tells whether it has lost the run.
func (q *Queue) Add(run [16]byte) (lost bool) {
	_, here := q.known[run]
	q.missed = false
	taken := q.add(run)
	return !taken && !here && !q.missed
}

// Pop gives a worker something to do, as Pool.deliver does.
func (q *Queue) Pop(host func(run [16]byte) string) bool {
	d := q.pop()
	if d != nil && (d.host != nil || q.enter(d, host(d.run))) {
		q.working = append(q.working, d)
	}
	return d != nil
}

// End ends what worker i does, for good or until due.
func (q *Queue) End(i int, due time.Time) {
	d := q.working[i]
	q.working = append(q.working[:i], q.working[i+1:]...)
	if due.IsZero() {
		q.forget(d)
	} else {
		q.later(d, due)
	}
}

// Working is how many workers are at work.
func (q *Queue) Working() int { return len(q.working) }

// Wake is queue.wake.
func (q *Queue) Wake(now time.Time) { q.wake(now) }

// Idle tells whether nothing is here.
func (q *Queue) Idle() bool { return len(q.known) == 0 && len(q.hosts) == 0 }

// Check says what does not hold, if anything.
func (q *Queue) Check() error {
	at, held, calling := map[[16]byte]int{}, map[*host]int{}, map[*host]int{}
	count := func(d *delivery, busy bool) error {
		at[d.run]++
		if d.host != nil {
			held[d.host]++
		}
		if d.calling {
			calling[d.host]++
		}
		if d.calling != busy {
			return fmt.Errorf("%x counts as a call: %v", d.run, d.calling)
		}
		return nil
	}
	for _, d := range append(append([]*delivery{}, q.ready...), q.delayed...) {
		if err := count(d, false); err != nil {
			return err
		}
	}
	for _, d := range q.working {
		if err := count(d, true); err != nil {
			return err
		}
	}
	for name, h := range q.hosts {
		for _, d := range h.parked {
			if err := count(d, false); err != nil {
				return err
			}
		}
		coming := 0
		for _, d := range q.ready {
			if d.host == h {
				coming++
			}
		}
		if h.held != held[h] || h.calling != calling[h] || h.calling > q.perHost || h.held < 1 || h.held > max(1, q.max/hostShare) {
			return fmt.Errorf("%s has %d held (counted %d), %d calling (counted %d)", name, h.held, held[h], h.calling, calling[h])
		}
		if len(h.parked) > 0 && h.calling+coming == 0 {
			return fmt.Errorf("%s has %d parked, and nothing that will end", name, len(h.parked))
		}
	}
	for run, n := range at {
		if _, known := q.known[run]; n != 1 || !known {
			return fmt.Errorf("%x is in %d places, known: %v", run, n, known)
		}
	}
	if len(at) != len(q.known) || len(at) > q.max {
		return fmt.Errorf("%d are here, %d known, and %d is the most", len(at), len(q.known), q.max)
	}
	return nil
}
