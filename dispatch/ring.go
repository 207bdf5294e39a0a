package dispatch

import "sync/atomic"

// Input is what one connection's read came to: events, and the bytes that their spans are parts of.
type Input struct {
	From   Conn
	Base   []byte
	Events []Event
}

// Ring is a bounded queue of inputs that any number of goroutines push into and one at a time takes from, without
// locks. Each cell carries a turn number that says whose it is: pushing claims a position by adding to tail, fills the
// cell, and publishes it by advancing its turn; taking waits for nobody, it stops at a cell that is claimed and not yet
// published. Nobody steps past such a cell, so the inputs of one connection, pushed by one goroutine one after another,
// stay in order.
//
// Source: Dmitry Vyukov, "Bounded MPMC queue" (1024cores.net), with a single taker.
type Ring struct {
	cells []cell
	mask  uint64
	_     [64]byte
	tail  atomic.Uint64 // next position to claim
	_     [64]byte
	head  atomic.Uint64 // next position to take; written only by the taker
	_     [64]byte
}

type cell struct {
	turn atomic.Uint64 // position: free for that push. position+1: published
	in   Input
	own  *owned // what in lives in, if it was copied
	_    [56]byte
}

// newRing makes a ring for at least size inputs.
func newRing(size int) *Ring {
	n := 1
	for n < size {
		n *= 2
	}
	r := &Ring{cells: make([]cell, n), mask: uint64(n - 1)}
	for i := range r.cells {
		r.cells[i].turn.Store(uint64(i))
	}
	return r
}

// push puts an input in and returns its position; false if the ring is full. own is what the input's bytes live in, nil
// if they are borrowed: only the taker itself may push such a one.
func (r *Ring) push(in Input, own *owned) (uint64, bool) {
	pos := r.tail.Load()
	for {
		c := &r.cells[pos&r.mask]
		switch turn := c.turn.Load(); {
		case turn == pos:
			if r.tail.CompareAndSwap(pos, pos+1) {
				c.in, c.own = in, own
				c.turn.Store(pos + 1) // publishes in and own
				return pos, true
			}
			pos = r.tail.Load()
		case turn < pos: // still holds what was pushed a round ago
			return 0, false
		default:
			pos = r.tail.Load()
		}
	}
}

// next is the oldest input, if it is published. It stays in its cell until drop. Only the taker may call it.
func (r *Ring) next() (*cell, uint64) {
	pos := r.head.Load()
	c := &r.cells[pos&r.mask]
	if c.turn.Load() != pos+1 {
		return nil, pos
	}
	return c, pos
}

// drop frees the cell that next returned.
func (r *Ring) drop(c *cell, pos uint64) {
	c.in, c.own = Input{}, nil
	r.head.Store(pos + 1)
	c.turn.Store(pos + r.mask + 1)
}

// waiting reports whether the oldest input is published. Anybody may ask; the answer may be old.
func (r *Ring) waiting() bool {
	pos := r.head.Load()
	return r.cells[pos&r.mask].turn.Load() == pos+1
}
