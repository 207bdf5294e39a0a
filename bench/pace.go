package main

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// An open loop keeps a rate whatever comes back: a task is sent when it is
// due, and its latency counts from then, also if the bench came late to send
// it. So a server that stalls is charged for all that should have been sent
// meanwhile (no coordinated omission).

// How many tasks a producer of an open loop may have unanswered; what is due
// beyond is not sent, but counted. A server takes 1024 requests of an HTTP
// connection before their answers.
const (
	openSlots    = maxPair
	openRequests = 1000
)

// never is the time of what is not due.
const never = math.MaxInt64

// metronome says when a producer's tasks are due, in ns of the loop's clock.
// One that does not tick is for a closed loop: each answer brings a new task.
type metronome struct {
	every int64 // 0: it does not tick
	next  int64
}

// newMetronome is that of the i-th of n producers that share a rate (tasks a
// second, 0 for none). They take turns.
func newMetronome(i, n int, rate float64) metronome {
	if rate == 0 {
		return metronome{}
	}
	every := float64(n) / rate * float64(time.Second)
	return metronome{every: max(1, int64(every)), next: int64(every * float64(i) / float64(n))}
}

// ticks says whether it is for an open loop.
func (m *metronome) ticks() bool { return m.every > 0 }

// paced is a peer that sends when its time has come.
type paced interface {
	// due is when, in ns of the loop's clock.
	due() int64
	// fire appends what is due by now.
	fire(out []byte, now int64) []byte
}

// due is when the next task is, never if it does not tick.
func (m *metronome) due() int64 {
	if m.every == 0 {
		return never
	}
	return m.next
}

// start has the first task come due after now.
func (m *metronome) start(now int64) { m.next += now }

// miss counts a task that is due and cannot be sent.
func (l *ledger) miss() {
	if l.recording {
		l.unsent++
	}
}

// late notes how long after it was due a task was sent, both in ns.
func (l *ledger) late(due, now int64) {
	if l.recording {
		record(l.lateness, now-due)
	}
}

// pacedPeer is a paced peer and the index of its connection.
type pacedPeer struct {
	paced
	index int
}

// patience is how long the loop may sleep: until the next task is due, and no
// longer than maxWait.
func (l *loop) patience() time.Duration {
	next := int64(never)
	for _, p := range l.paced {
		next = min(next, p.due())
	}
	return max(0, min(time.Duration(next-l.now()), maxWait))
}

// fire sends what is due, unless the round is over.
func (l *loop) fire(issuing bool) error {
	if !issuing {
		l.paced = l.paced[:0]
		return nil
	}
	for _, p := range l.paced {
		now := l.now()
		if p.due() > now {
			continue
		}
		l.out = p.fire(l.out[:0], now)
		if err := l.write(p.index, l.out); err != nil {
			return err
		}
	}
	return nil
}

// writePaces tells how well the rates were held.
func writePaces(b *strings.Builder, results []result) {
	said := false
	for _, r := range results {
		late := r.of(func(r round) float64 { return r.Late })
		if late.Max == 0 {
			continue
		}
		if !said {
			b.WriteString("\nTasks that had a time, and how late the bench sent 99 of 100 of them (their latencies include it):\n")
			said = true
		}
		unsent := r.of(func(r round) float64 { return float64(r.Unsent) })
		fmt.Fprintf(b, "  %s %s: %.0f µs; %s a round were not sent, for too many were unanswered\n",
			r.Scenario, r.System, late.Median, thousands(unsent.Median))
	}
}
