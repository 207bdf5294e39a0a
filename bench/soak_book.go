package main

import (
	"fmt"
	"hash/crc32"
	"maps"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// faultKind is something that no correct server does, as reports name it.
type faultKind string

// The kinds.
const (
	faultWrong    faultKind = "wrong"      // answered with something else than the result
	faultDouble   faultKind = "duplicated" // answered twice
	faultStray    faultKind = "stray"      // answered to somebody who had not asked
	faultLost     faultKind = "lost"       // never answered, or a schedule that never ran
	faultTwoHands faultKind = "two hands"  // given to a worker while another still had it
	faultSchedule faultKind = "schedule"   // ran too early, twice, or though it was cancelled
	faultConduct  faultKind = "conduct"    // something invalid was not answered as docs/protocol.md says
	faultBroken   faultKind = "broken"     // a client that did nothing wrong lost its connection, or got none
)

const (
	// maxLosses is how many workers the soak lets die with one task: the
	// server gives a task up after five, and that would be no fault of it.
	maxLosses = 3
	// overdue is how long an answer, or a schedule that is due, may take.
	overdue = time.Minute
	// maxSoakFaults is how many faults of a kind are described.
	maxSoakFaults = 5
)

// counts is what has happened since the start.
type counts struct {
	Sent      int64 `json:"sent"`      // tasks
	Answered  int64 `json:"answered"`  // rightly
	Refused   int64 `json:"refused"`   // told no, with a reason
	Unread    int64 `json:"unread"`    // told no because the producer did not read
	Abandoned int64 `json:"abandoned"` // whose producer left on purpose
	Losses    int64 `json:"losses"`    // times that a worker died with a task in hand
	Scheduled int64 `json:"scheduled"` // schedules promised
	Fired     int64 `json:"fired"`     // of them
	Cancelled int64 `json:"cancelled"` // of them
	Skipped   int64 `json:"skipped"`   // not sent, since too many were unanswered
	Opened    int64 `json:"opened"`    // connections
}

// unanswered is a task that a producer waits for.
type unanswered struct {
	owner  *client
	holder *client // the worker that was given it last
	sent   time.Time
	want   uint32 // checksum of the result
	size   int    // and its length
	timed  bool   // its latency counts
	losses int
}

// appointment is a schedule until a while after it has run.
type appointment struct {
	when      time.Time
	fired     bool
	cancelled bool
}

// book knows all tasks that are under way and judges each answer. All clients
// of a soak share it.
type book struct {
	mu        sync.Mutex
	last      uint64 // id given out
	open      map[uint64]*unanswered
	schedules map[uint64]*appointment
	counts    counts
	latency   *hdrhistogram.Histogram // since the last sample
	visits    map[string]int64
	faults    map[faultKind]int64
	examples  []string
	began     time.Time
}

// newBook makes an empty one.
func newBook() *book {
	return &book{open: map[uint64]*unanswered{}, schedules: map[uint64]*appointment{}, latency: newHistogram(),
		visits: map[string]int64{}, faults: map[faultKind]int64{}, began: time.Now()}
}

// fault counts one and keeps its description.
func (b *book) fault(kind faultKind, format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.blame(kind, format, args...)
}

// blame is fault for those who hold the lock.
func (b *book) blame(kind faultKind, format string, args ...any) {
	b.faults[kind]++
	if b.faults[kind] <= maxSoakFaults {
		b.examples = append(b.examples, fmt.Sprintf("%s at %s: %s", kind,
			time.Since(b.began).Round(time.Millisecond), fmt.Sprintf(format, args...)))
	}
}

// count changes the counts.
func (b *book) count(change func(c *counts)) {
	b.mu.Lock()
	change(&b.counts)
	b.mu.Unlock()
}

// newID is a number for a new task or schedule.
func (b *book) newID() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	return b.last
}

// send notes a task that is about to be sent.
func (b *book) send(o order, owner *client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Sent++
	b.open[o.id] = &unanswered{owner: owner, sent: time.Now(), want: o.want, size: o.size, timed: o.timed}
}

// answer judges a result that owner got for a task.
func (b *book) answer(owner *client, id uint64, result []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.find(owner, id, result)
	if e == nil {
		return
	}
	delete(b.open, id)
	if len(result) != e.size || crc32.ChecksumIEEE(result) != e.want {
		b.blame(faultWrong, "task %d was answered with %d bytes, not the %d of its result: %.200q", id, len(result), e.size, result)
		return
	}
	b.counts.Answered++
	if us := time.Since(e.sent).Microseconds(); e.timed {
		b.latency.RecordValue(min(us, maxLatency)) //nolint:errcheck // it is within the range
	}
}

// find is the open task of an answer; if there is none, that is a fault.
func (b *book) find(owner *client, id uint64, result []byte) *unanswered {
	e := b.open[id]
	switch {
	case e == nil && id >= 1 && id <= b.last:
		b.blame(faultDouble, "task %d, of which nothing was outstanding, was answered: %.200q", id, result)
		return nil
	case e == nil || e.owner != owner:
		b.blame(faultStray, "an answer to task %d came to somebody else: %.200q", id, result)
		return nil
	}
	return e
}

// refuse notes that the server would not take a task.
func (b *book) refuse(owner *client, id uint64, unread bool, why []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.find(owner, id, why) == nil {
		return
	}
	delete(b.open, id)
	if unread {
		b.counts.Unread++
		return
	}
	b.counts.Refused++
	if b.counts.Refused <= 3 {
		b.examples = append(b.examples, fmt.Sprintf("refused (no fault by itself): task %d: %.200q", id, why))
	}
}

// abandon forgets the tasks of a producer that leaves.
func (b *book) abandon(owner *client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, e := range b.open {
		if e.owner == owner {
			delete(b.open, id)
			b.counts.Abandoned++
		}
	}
}

// take notes that a worker was given a task.
func (b *book) take(id uint64, worker *client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.open[id]
	if e == nil {
		return // its producer has left
	}
	if e.holder != nil && !e.holder.leaving.Load() {
		b.blame(faultTwoHands, "task %d was given to a second worker while the first was there and had not answered", id)
	}
	e.holder = worker
}

// give notes that a worker is about to answer a task.
func (b *book) give(id uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.open[id]; e != nil {
		e.holder = nil
	}
}

// lose asks whether a worker may die with a task, and notes that it will.
func (b *book) lose(id uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.open[id]; e != nil {
		if e.losses >= maxLosses {
			return false
		}
		e.losses++
	}
	b.counts.Losses++
	return true
}

// visited counts a visit of this kind.
func (b *book) visited(kind string) {
	b.mu.Lock()
	b.visits[kind]++
	b.mu.Unlock()
}

// schedule notes what is about to be scheduled.
func (b *book) schedule(id uint64, when time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Scheduled++
	if now := time.Now(); when.Before(now) {
		when = now // it runs at once
	}
	b.schedules[id] = &appointment{when: when}
}

// unschedule notes that the server says a schedule is (not) taken back.
func (b *book) unschedule(id uint64, found bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.schedules[id]
	if a == nil || !found {
		return // if it was not found it has run, or will: fire and check see to that
	}
	b.counts.Cancelled++
	if a.fired {
		b.blame(faultSchedule, "schedule %d was taken back (found: true), but has run", id)
	}
	a.cancelled = true
	if now := time.Now(); now.Before(a.when) {
		a.when = now // remembered for a while, not until its time
	}
}

// unpromise forgets a schedule whose promise did not come.
func (b *book) unpromise(id uint64) {
	b.mu.Lock()
	delete(b.schedules, id)
	b.mu.Unlock()
}

// fire notes that a schedule has reached a worker.
func (b *book) fire(id uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, now := b.schedules[id], time.Now()
	switch {
	case a == nil:
		b.blame(faultSchedule, "schedule %d ran, and is none, or ran long ago", id)
		return
	case a.cancelled:
		b.blame(faultSchedule, "schedule %d ran, though it was taken back (found: true)", id)
	case a.fired:
		b.blame(faultSchedule, "schedule %d ran twice", id)
	case now.Before(a.when):
		b.blame(faultSchedule, "schedule %d ran %v too early", id, a.when.Sub(now))
	}
	a.fired = true
	b.counts.Fired++
}

// due is how much the server still owes: answers, and schedules to run.
func (b *book) due() (tasks, schedules int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.schedules {
		if !a.fired && !a.cancelled {
			schedules++
		}
	}
	return len(b.open), schedules
}

// check blames what is long overdue, and forgets old schedules. It returns how
// long the oldest task has been waiting.
func (b *book) check(now time.Time, patience time.Duration) (oldest time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, e := range b.open {
		waits := now.Sub(e.sent)
		oldest = max(oldest, waits)
		if waits >= patience {
			b.blame(faultLost, "task %d was not answered in %v (%s, given to %d dying workers)", id, waits.Round(time.Millisecond), e.owner, e.losses)
			delete(b.open, id)
		}
	}
	for id, a := range b.schedules {
		if now.Sub(a.when) < patience {
			continue
		}
		if !a.fired && !a.cancelled {
			b.blame(faultLost, "schedule %d is %v late", id, now.Sub(a.when).Round(time.Millisecond))
		}
		delete(b.schedules, id)
	}
	return oldest
}

// cut returns the latencies since the last cut, and all counts.
func (b *book) cut() (*hdrhistogram.Histogram, counts) {
	b.mu.Lock()
	defer b.mu.Unlock()
	latency := b.latency
	b.latency = newHistogram()
	return latency, b.counts
}

// close is what the book says at the end.
func (b *book) close() (c counts, faults map[faultKind]int64, visits map[string]int64, examples []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts, maps.Clone(b.faults), maps.Clone(b.visits), append([]string(nil), b.examples...)
}
