package reactor

import (
	"time"

	"workman/dispatch"
)

// Submitter is how a goroutine that has no connections reaches the dispatcher: the timer, and the one that speaks for the
// store. It is that goroutine's alone. As a sink it packs every effect for the loops.
type Submitter struct {
	tasks   *Tasks
	courier courier
	again   bool // the dispatcher has left-overs: run it again
}

// Submitter makes one for a goroutine that is about to submit.
func (t *Tasks) Submitter() *Submitter { return &Submitter{tasks: t, courier: courier{tasks: t}} }

// Submit passes an input on, in order with what this goroutine submitted before. If a loop can be woken it runs the
// dispatcher, since what comes of it is for connections: so its effects need not be carried, and the loop does not wait for
// the dispatcher meanwhile. Without one it is run here, if it is idle. While the ring is full, somebody is emptying it: it is
// tried again, until stop is closed. Then Submit reports false, and took nothing. Otherwise the input's bytes may be used
// again.
func (s *Submitter) Submit(in dispatch.Input, stop <-chan struct{}) bool {
	for !s.tasks.combiner.Post(in) {
		select {
		case <-stop:
			return false
		case <-time.After(time.Millisecond):
		}
	}
	if len(s.tasks.ends) == 0 || !s.tasks.ends[0].loop.Wake() {
		s.tasks.combiner.Help(s)
	}
	return true
}

// Help runs what the dispatcher left when it had done enough at once, and reports whether there was any.
func (s *Submitter) Help() bool {
	if !s.again {
		return false
	}
	s.again = false
	s.tasks.combiner.Help(s)
	return true
}

// Begin has nothing to take over: no loop leaves anything for it.
func (s *Submitter) Begin() {}

// Deliver packs the effects: every connection is on some loop.
func (s *Submitter) Deliver(b *dispatch.Batch) {
	if concernsKeeper(b) {
		s.tasks.keep(b)
	}
	for i := range b.Effects {
		s.courier.add(&b.Effects[i])
	}
	s.courier.note(b)
}

// End sends what is for the loops, and sees that the timer is set.
func (s *Submitter) End(sleep int64) {
	defer s.tasks.survive("passing on what the dispatcher says")
	s.courier.send()
	s.tasks.timer.set(sleep)
}

// Left asks for Help to be called.
func (s *Submitter) Left() { s.again = true }

// Panicked closes the connection that a panic came from.
func (s *Submitter) Panicked(from dispatch.Conn, p any) { s.tasks.panicked(from, p) }
