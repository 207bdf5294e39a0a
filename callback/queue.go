package callback

import (
	"container/heap"
	"time"
)

// hostShare is what part of the memory one host may have.
const hostShare = 4

// delivery is a run that is kept in memory. It is in one place: with a worker, in ready, in delayed, or with its host.
type delivery struct {
	run     [16]byte
	host    *host     // nil until the Source was asked
	calls   int       // that were made
	due     time.Time // of the next one, while it is in delayed
	calling bool      // it counts in host.calling
}

// host is one that is to be called for runs in memory.
type host struct {
	name    string
	calling int // calls at this moment
	held    int // deliveries, wherever they are
	parked  []*delivery
}

// queue is what waits. Whoever uses it holds the pool's mutex.
type queue struct {
	max, perHost int
	known        map[[16]byte]struct{}
	hosts        map[string]*host
	ready        []*delivery
	delayed      byDue
	missed       bool // something was not taken, and is to be found again in the Source
}

func newQueue(most, perHost int) queue {
	return queue{max: most, perHost: perHost, known: map[[16]byte]struct{}{}, hosts: map[string]*host{}, missed: true}
}

// add takes a run, if it is not here already and there is room.
func (q *queue) add(run [16]byte) bool {
	if _, here := q.known[run]; here {
		return false
	}
	if len(q.known) >= q.max {
		q.missed = true
		return false
	}
	q.known[run] = struct{}{}
	q.ready = append(q.ready, &delivery{run: run})
	return true
}

// room is how many runs may be read from the Source: half of the memory is for those that are added.
func (q *queue) room() int {
	return max(1, q.max/2) - len(q.known)
}

// pop is the next one that may be called for; nil if there is none. Those whose host has its calls are parked.
func (q *queue) pop() *delivery {
	for len(q.ready) > 0 {
		d := q.ready[0]
		q.ready[0] = nil
		q.ready = q.ready[1:]
		if d.host == nil || q.begin(d) {
			return d
		}
	}
	return nil
}

// enter tells the host of a delivery, which is with a worker. It reports whether it may be called for now: otherwise it is
// parked, or, if its host has its share of the memory, forgotten.
func (q *queue) enter(d *delivery, name string) bool {
	h := q.hosts[name]
	if h == nil {
		h = &host{name: name}
		q.hosts[name] = h
	}
	d.host = h
	h.held++
	if h.held > max(1, q.max/hostShare) {
		q.missed = true
		q.forget(d)
		return false
	}
	return q.begin(d)
}

// begin counts a call, or parks the delivery.
func (q *queue) begin(d *delivery) bool {
	if d.host.calling >= q.perHost {
		d.host.parked = append(d.host.parked, d)
		return false
	}
	d.host.calling++
	d.calling = true
	return true
}

// end gives the call's place to another of the same host.
func (q *queue) end(d *delivery) {
	if !d.calling {
		return
	}
	d.calling = false
	h := d.host
	h.calling--
	if len(h.parked) > 0 {
		q.ready = append(q.ready, h.parked[0])
		h.parked[0] = nil
		h.parked = h.parked[1:]
	}
}

// later is to be called for again.
func (q *queue) later(d *delivery, due time.Time) {
	q.end(d)
	d.due = due
	heap.Push(&q.delayed, d)
}

// forget lets go of a delivery that is with a worker.
func (q *queue) forget(d *delivery) {
	q.end(d)
	delete(q.known, d.run)
	if h := d.host; h != nil {
		h.held--
		if h.held == 0 {
			delete(q.hosts, h.name)
		}
	}
}

// wake makes ready what is due, and says when the next one is.
func (q *queue) wake(now time.Time) (next time.Time, more bool) {
	for len(q.delayed) > 0 {
		d := q.delayed[0]
		if d.due.After(now) {
			return d.due, true
		}
		heap.Pop(&q.delayed)
		q.ready = append(q.ready, d)
	}
	return time.Time{}, false
}

// byDue is a heap.
type byDue []*delivery

func (b byDue) Len() int           { return len(b) }
func (b byDue) Less(i, j int) bool { return b[i].due.Before(b[j].due) }
func (b byDue) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }

// Push and Pop are container/heap's.
func (b *byDue) Push(x any) { *b = append(*b, x.(*delivery)) }

// Pop takes the last one.
func (b *byDue) Pop() any {
	last := len(*b) - 1
	d := (*b)[last]
	(*b)[last] = nil
	*b = (*b)[:last]
	return d
}
