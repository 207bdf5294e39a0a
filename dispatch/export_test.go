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
