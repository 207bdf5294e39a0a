package dispatch

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Sink is where the effects of a combiner's run go: each goroutine that submits brings its own. Its methods are called
// while that goroutine holds the dispatcher, so no two sinks are ever called at once.
type Sink interface {
	// Begin is called once the dispatcher is held, before any Deliver of this run.
	Begin()
	// Deliver is called with what one input came to; more than once, if that is more than Config.MaxBatch for the store.
	// Nothing of it may be kept.
	Deliver(b *Batch)
	// End is called before the dispatcher is let go. sleep is what Dispatcher.Sleep said.
	End(sleep int64)
	// Panicked is called when running an input of that connection panicked. What the input came to is not delivered.
	Panicked(from Conn, p any)
	// Left is called after the dispatcher was let go, if inputs wait that nobody is about to look at: somebody must call
	// Combiner.Help soon.
	Left()
}

// Combiner lets many goroutines share one dispatcher without a lock and without handing over to a goroutine of its own:
// each pushes what it has into a ring, and whoever finds the dispatcher idle runs it for all (flat combining: Hendler,
// Incze, Shavit and Tzafrir, SPAA 2010).
//
// Why nothing is left lying: an input is published before its pusher tries to take the dispatcher, and a holder looks at
// the ring after it let go. All of these are sequentially consistent. So if the pusher's try failed, the holder's letting
// go came after it, and its look afterwards finds the input. A holder that stops for having done enough says so, after it
// let go, to its sink, which wakes somebody.
type Combiner struct {
	ring   *Ring
	d      *Dispatcher
	clock  func() Now
	batch  Batch
	_      [64]byte
	held   atomic.Bool
	behind atomic.Int64 // events of inputs that were copied, and are not run yet
	_      [64]byte
}

// enough is how many events of others one call runs, beyond the caller's own.
const enough = 256

// NewCombiner shares d. size is how many inputs may wait in the ring. clock must be safe for concurrent use.
func NewCombiner(d *Dispatcher, size int, clock func() Now) *Combiner {
	return &Combiner{ring: newRing(size), d: d, clock: clock}
}

// Submit passes an input on, in order with everything this goroutine submitted before. If the dispatcher is idle, the
// input has been dealt with when Submit returns, together with what others left; otherwise it was copied. Either way
// the caller may use its bytes again. It reports false, and took nothing, if the ring is full.
func (c *Combiner) Submit(in Input, sink Sink) bool {
	if !c.held.CompareAndSwap(false, true) {
		if !c.Post(in) {
			return false
		}
		c.Help(sink)
		c.catchUp(sink)
		return true
	}
	var extra int
	pos, ok := c.ring.push(in, nil)
	if ok {
		extra = c.run(sink, pos+1, &in, 0)
	} else { // full: make room for the next
		extra = c.run(sink, 0, nil, 0)
	}
	c.lookAgain(sink, extra)
	return ok
}

// Post is Submit for a goroutine that does not run the dispatcher: the input is copied, and waits until somebody calls Help,
// which the caller must see to, or Submit.
func (c *Combiner) Post(in Input) bool {
	own := own(in)
	if _, ok := c.ring.push(own.input(in.From), own); !ok {
		own.free()
		return false
	}
	c.behind.Add(int64(len(in.Events)))
	return true
}

// Exclusive calls f while nobody else runs the dispatcher, and waits for that. It is for what is done once, before there is
// anything to do.
func (c *Combiner) Exclusive(f func(d *Dispatcher)) {
	for !c.held.CompareAndSwap(false, true) {
		runtime.Gosched()
	}
	defer c.held.Store(false)
	f(c.d)
}

// mostBehind is how many events may wait for somebody else to run them, and patience how long one who has just added some
// helps to make them fewer. Without that an event loop would go on reading from a peer that sends much, while somebody else
// has the dispatcher, and all others would wait behind what it has read.
const (
	mostBehind = 256
	patience   = 20 // milliseconds
)

// catchUp waits, and helps, while much waits. It has an end, since whoever holds the dispatcher may be the caller's own
// caller.
func (c *Combiner) catchUp(sink Sink) {
	if c.behind.Load() <= mostBehind {
		return
	}
	for until := c.clock().Mono + patience; c.behind.Load() > mostBehind && c.clock().Mono < until; {
		runtime.Gosched()
		c.Help(sink)
	}
}

// Help runs what waits, unless somebody else is at it.
func (c *Combiner) Help(sink Sink) { c.lookAgain(sink, 0) }

// lookAgain runs what waits until nothing does, somebody else is at it, or enough has been done.
func (c *Combiner) lookAgain(sink Sink, extra int) {
	for c.ring.waiting() {
		if extra >= enough {
			sink.Left()
			return
		}
		if !c.held.CompareAndSwap(false, true) {
			return
		}
		extra = c.run(sink, 0, nil, extra)
	}
}

// run takes inputs up to the position until, whatever it costs, and then others' until extra events are enough; then it
// lets the dispatcher go. mine is the caller's own input, whose bytes are borrowed, at position until-1.
func (c *Combiner) run(sink Sink, until uint64, mine *Input, extra int) int {
	defer c.held.Store(false) // whatever happens
	sink.Begin()
	now := c.clock()
	for {
		cell, pos := c.ring.next()
		if cell == nil {
			if mine != nil && pos < until {
				c.keep(mine, until-1)
			}
			break
		}
		if pos >= until {
			if extra >= enough {
				break
			}
			extra += len(cell.in.Events)
		}
		events, copied := len(cell.in.Events), cell.own != nil
		c.step(now, cell, sink)
		if copied {
			c.behind.Add(-int64(events))
		}
		c.ring.drop(cell, pos)
	}
	sink.End(c.d.Sleep(now))
	return extra
}

// keep makes an input's bytes its own where it stands in the ring: it lies behind a cell that somebody has claimed and
// not published yet, so it has to wait, and its bytes are about to be used again. Only the holder reads cells, so it may
// exchange them.
func (c *Combiner) keep(mine *Input, pos uint64) {
	own := own(*mine)
	cell := &c.ring.cells[pos&c.ring.mask]
	cell.in, cell.own = own.input(mine.From), own
	c.behind.Add(int64(len(mine.Events)))
}

// step runs one input. A panic costs the connection that it came from, not the server; and durable work, if there is any. What
// the input had written is lost, and what others wait for with it. What it was about to change in memory is changed in part: a
// run may be in no list any more, or taken for stored. None of that shows by itself, and what is on the disk is right. So
// nothing is kept from then on, and the next start goes on from there.
func (c *Combiner) step(now Now, cell *cell, sink Sink) {
	in := &cell.in
	defer func() {
		if p := recover(); p != nil {
			c.batch.Reset()
			sink.Panicked(in.From, p)
			if c.d.durable.used {
				c.batch.Fault = Panicked
				sink.Deliver(&c.batch)
				c.batch.Reset()
			}
		}
	}()
	for i := range in.Events {
		c.d.Step(now, in.From, &in.Events[i], in.Base, &c.batch)
		if len(c.batch.Data) > c.d.cfg.MaxBatch {
			sink.Deliver(&c.batch)
			c.batch.Reset()
		}
	}
	if !c.batch.empty() {
		sink.Deliver(&c.batch)
		c.batch.Reset()
	}
	if cell.own != nil {
		cell.own.free()
	}
}

// owned is a copy of an input, for as long as it waits in the ring.
type owned struct {
	base   []byte
	events []Event
}

var ownedPool = sync.Pool{New: func() any { return new(owned) }}

// ownedKept and eventsKept are the largest buffers, in bytes and in events, that go back to the pool; larger ones are rare and
// left to the collector.
const (
	ownedKept  = 128 << 10
	eventsKept = 4096
)

func own(in Input) *owned {
	o := ownedPool.Get().(*owned)
	o.base = append(o.base[:0], in.Base...)
	o.events = append(o.events[:0], in.Events...)
	return o
}

func (o *owned) input(from Conn) Input { return Input{From: from, Base: o.base, Events: o.events} }

func (o *owned) free() {
	if cap(o.base) <= ownedKept && cap(o.events) <= eventsKept {
		ownedPool.Put(o)
	}
}
