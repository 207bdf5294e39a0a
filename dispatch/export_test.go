package dispatch

// Slab is the slab, for its own test.
type Slab struct{ s slab }

// NewSlab makes one with a limit.
func NewSlab(limit int64) *Slab { return &Slab{slab{budget: NewBudget(limit)}} }

// Put, Bytes, Release, Settle and Held are the slab's.
func (s *Slab) Put(a, b []byte) (SlabBlock, bool) { k, ok := s.s.put(a, b); return SlabBlock(k), ok }

// Bytes are a block's.
func (s *Slab) Bytes(b SlabBlock, n int) []byte { return s.s.bytes(block(b), n) }

// Release frees a block at the next Settle.
func (s *Slab) Release(b SlabBlock) { s.s.release(block(b)) }

// Settle frees what was released.
func (s *Slab) Settle() { s.s.settle() }

// Held is how many bytes of pages there are.
func (s *Slab) Held() int64 { return s.s.held }

// SlabBlock is a place in the slab.
type SlabBlock block

// SlabClass and SlabSize tell the size that n bytes get.
func SlabClass(n int) int       { return slabClass(n) }
func SlabSize(class int) uint32 { return slabSize(class) }

// SlabLargest is the largest size that shares a page.
const SlabLargest = slabLargest

// NewRing makes a bare ring.
func NewRing(size int) *Ring { return newRing(size) }

// Push and Take are what the combiner does with it.
func (r *Ring) Push(in Input) bool { _, ok := r.push(in, nil); return ok }

// Take takes the oldest input, if it is published.
func (r *Ring) Take() (Input, bool) {
	c, pos := r.next()
	if c == nil {
		return Input{}, false
	}
	in := c.in
	r.drop(c, pos)
	return in, true
}

// Claim claims a position without publishing it; the returned function does.
func (c *Combiner) Claim(in Input) (publish func()) {
	pos := c.ring.tail.Add(1) - 1
	cell := &c.ring.cells[pos&c.ring.mask]
	cell.in = in
	return func() { cell.turn.Store(pos + 1) }
}

// TaskSize is the size of a task without its bytes.
const TaskSize = taskSize

// Census is what a dispatcher holds, counted anew.
type Census struct {
	Queued, Tailed, Leased, Scheduled, Settling, Ghosts, Odd int // tasks by state; Odd are those in none
	Promises, PromisesOf, Runs, RunsOf                       int // as held, and as the tasks have them
	Waits, Asks, AsksHeld, Keys, Parked, Limits, Hungry      int
	WallTimers, MonoTimers, Names                            int
	Unsafe                                                   int64
	KeptRuns                                                 int
	Calls, CallsOf                                           int // as promises
	KeptBytes                                                int64
}

// Census counts what is held.
func (d *Dispatcher) Census() (c Census) {
	for slot := uint32(1); slot < d.tasks.made; slot++ {
		t := d.tasks.at(slot)
		if t.state != free && t.state != ghost && !d.isRun(t) {
			c.CallsOf++
		}
		switch t.state {
		case queued:
			c.Queued++
		case tailed:
			c.Tailed++
		case leased:
			c.Leased++
		case scheduled:
			c.Scheduled++
		case settling:
			c.Settling++
		case ghost:
			c.Ghosts++
		}
		if t.promise != 0 {
			c.PromisesOf++
			if d.isRun(t) && d.runs[d.promises.at(t.promise).id] == slot {
				c.RunsOf++
			}
		}
	}
	free := 0
	for slot := d.tasks.free; slot != 0; slot = d.tasks.at(slot).next {
		free++
	}
	c.Odd = max(int(d.tasks.made)-1, 0) - free - c.Queued - c.Tailed - c.Leased - c.Scheduled - c.Settling - c.Ghosts
	q, a := &d.durable, &d.asks
	c.Promises, c.Runs, c.Waits, c.Limits = d.promises.used(), len(d.runs), d.waits.used(), d.due.limits.used()
	c.Asks, c.AsksHeld, c.Hungry = a.open.len()+a.wait.len()+a.later.len(), a.held, len(d.hungry)
	c.Keys, c.Parked, c.Unsafe = len(q.keys)+q.keyOrder.len()+q.keyDrain.len()+len(d.rules.written)+d.rules.order.len()+d.rules.drained.len(), q.parked.len()+q.settling.len()+q.drained.len(), q.unsafe
	c.WallTimers, c.MonoTimers, c.Names = d.wheel.Len(), d.clock.Len(), len(d.names.index)
	c.KeptRuns, c.KeptBytes, c.Calls = d.keep.runs, d.keep.bytes, d.calls
	return c
}

// Standing is a task that waits for a worker, in memory.
type Standing struct {
	Slot  uint32
	Name  string
	Place uint64
}

// Line lists the tasks in memory that wait for a worker and are not behind a gap.
func (d *Dispatcher) Line() (all []Standing) {
	for slot := uint32(1); slot < d.tasks.made; slot++ {
		if t := d.tasks.at(slot); t.state == queued {
			all = append(all, Standing{slot, string(d.names.all[t.name].text), t.place})
		}
	}
	return all
}

// PlaceOf is the place in line that a task had which a worker has, or 0.
func (d *Dispatcher) PlaceOf(tok Token) uint64 {
	if t := d.tasks.find(tok, leased); t != nil {
		return t.place
	}
	return 0
}

// RunOf is the run of which a worker has this token, or the zero ID.
func (d *Dispatcher) RunOf(tok Token) ID {
	if t := d.tasks.find(tok, leased); t != nil && t.promise != 0 {
		return d.promises.at(t.promise).id
	}
	return ID{}
}

// Whereabouts says where a run is in memory; "" if it is not.
func (d *Dispatcher) Whereabouts(id ID) string {
	slot := d.runs[id]
	if slot == 0 {
		return ""
	}
	return [...]string{"free", "scheduled", "queued", "tailed", "leased", "settling", "ghost"}[d.tasks.at(slot).state]
}

// AgeSeat makes the pseudo connection of a seat that nobody has the last but one before its generations begin anew.
func (d *Dispatcher) AgeSeat(n uint32) {
	d.peers[pseudo][n] = peer{conn: MakeConn(pseudo, n, 1<<32-2)}
}

// SetFence sets the last fence.
func (d *Dispatcher) SetFence(n uint64) { d.fence = n }
