package dispatch

import "math/bits"

// slab owns the bytes that tasks keep: their options and nonces. A million queued payloads would be a million objects
// for the garbage collector to visit, so they live in pages of equal blocks, one size a page, and a task holds a block's
// number instead of a pointer. Sizes go up in steps of a half power of two (32, 48, 64, 96, …), so that at most a third
// of a block is idle. What is larger than the largest size gets a page of its own.
//
// A page whose blocks are all free is given back to the runtime, but for one of each size, while the budget lasts: a
// queue that swings about empty does not allocate a page at each swing. While there are pages of their own, up to 1 MiB of
// such as are not needed any more wait for the next ones of their size.
//
// Pages are known by a number from 1, so that 0 is none.
type slab struct {
	budget  *Budget
	held    int64 // bytes of pages now
	pages   []slabPage
	spare   []uint32          // numbers of pages given back
	part    [slabSizes]uint32 // the first page of a size with a free block
	reserve [slabSizes]uint32 // the page of a size that is wholly free, if there is one
	later   []block           // freed, but still readable until settle
	idle    [][]byte          // what pages of their own were made of, for the next ones
	idling  int               // bytes of them, which count as held
	large   int               // pages of their own
	forced  bool              // the budget is asked in vain
}

type slabPage struct {
	buf        []byte
	size       uint32 // of a block
	class      int8   // index of the size; -1 for a page of its own
	used       uint32 // blocks taken
	carved     uint32 // blocks that were ever taken
	free       uint32 // offset+1 of the first block on the free list, which is threaded through the blocks
	prev, next uint32 // pages of the same size with a free block
	listed     bool
}

// block is a place in the slab. The zero block is none.
type block struct{ page, off uint32 }

const (
	slabPageSize = 64 << 10
	slabLargest  = 8 << 10
	slabSizes    = 17 // 32, 48, 64, … 8192
	slabIdle     = 1 << 20
)

// slabClass is the index of the smallest size that holds n bytes; n is at most slabLargest.
func slabClass(n int) int {
	if n <= 32 {
		return 0
	}
	top := bits.Len32(uint32(n - 1)) // n is in (2^(top-1), 2^top]
	class := (top - 5) * 2
	if n <= 3<<(top-2) {
		class--
	}
	return class
}

func slabSize(class int) uint32 {
	if class%2 == 0 {
		return 32 << (class / 2)
	}
	return 48 << (class / 2)
}

// put copies a and then b into a block. It reports false if that would take more memory than the budget has.
func (s *slab) put(a, b []byte) (block, bool) {
	n := len(a) + len(b)
	if n == 0 {
		return block{}, true
	}
	at, p := s.take(n)
	if p == nil {
		return block{}, false
	}
	buf := p.buf[at.off : int(at.off)+n]
	copy(buf[copy(buf, a):], b)
	return at, true
}

// putParts is put for four.
func (s *slab) putParts(a, b, c, d []byte) (block, bool) {
	n := len(a) + len(b) + len(c) + len(d)
	if n == 0 {
		return block{}, true
	}
	at, p := s.take(n)
	if p == nil {
		return block{}, false
	}
	buf := p.buf[at.off : int(at.off)+n]
	for _, part := range [...][]byte{a, b, c, d} {
		buf = buf[copy(buf, part):]
	}
	return at, true
}

// putAll is put for three, and takes what it needs whether the budget has it or not: for what must be said because it is
// promised. It is bounded by what may be promised.
func (s *slab) putAll(a, b, c []byte) block {
	s.forced = true
	at, _ := s.putParts(a, b, c, nil)
	s.forced = false
	return at
}

// bytes are the first n bytes of a block.
func (s *slab) bytes(b block, n int) []byte {
	if n == 0 {
		return nil
	}
	return s.pages[b.page-1].buf[b.off : int(b.off)+n : int(b.off)+n]
}

// release gives a block back once nobody can read it any more: at the next settle.
func (s *slab) release(b block) {
	if b.page != 0 {
		s.later = append(s.later, b)
	}
}

// settle makes what was released free for use. It is called when the effects that may still show those bytes have been
// delivered.
func (s *slab) settle() {
	for _, b := range s.later {
		s.give(b)
	}
	s.later = s.later[:0]
}

// take finds a block for n bytes, and returns its page too; nil if there is no memory for it.
func (s *slab) take(n int) (block, *slabPage) {
	if n > slabLargest {
		return s.takeLarge(n)
	}
	class := slabClass(n)
	num := s.part[class]
	if num == 0 {
		if num = s.grow(slabPageSize, class); num == 0 {
			return block{}, nil
		}
		s.list(num)
	}
	p := &s.pages[num-1]
	var off uint32
	if p.free != 0 {
		off = p.free - 1
		p.free = le32(p.buf[off:])
	} else {
		off = p.carved * p.size
		p.carved++
	}
	if s.reserve[class] == num {
		s.reserve[class] = 0
	}
	p.used++
	if p.free == 0 && (p.carved+1)*p.size > slabPageSize {
		s.unlist(num)
	}
	return block{num, off}, p
}

func (s *slab) takeLarge(n int) (block, *slabPage) {
	num := s.grow((n+4095)&^4095, -1)
	if num == 0 {
		return block{}, nil
	}
	s.large++
	return block{num, 0}, &s.pages[num-1]
}

func (s *slab) give(b block) {
	p := &s.pages[b.page-1]
	if p.class < 0 {
		s.drop(b.page)
		if s.large--; s.large == 0 {
			s.dropIdle()
		}
		return
	}
	putLE32(p.buf[b.off:], p.free)
	p.free = b.off + 1
	p.used--
	if !p.listed {
		s.list(b.page)
	}
	if p.used > 0 {
		return
	}
	if s.reserve[p.class] == 0 {
		s.reserve[p.class] = b.page
		return
	}
	s.unlist(b.page)
	s.drop(b.page)
}

// dropIdle gives back the idle buffers.
func (s *slab) dropIdle() {
	s.held -= int64(s.idling)
	s.budget.Note(-int64(s.idling))
	s.idle, s.idling = nil, 0
}

// dropReserves gives back the pages that nothing is in.
func (s *slab) dropReserves() {
	s.dropIdle()
	for class, num := range s.reserve {
		if num != 0 {
			s.reserve[class] = 0
			s.unlist(num)
			s.drop(num)
		}
	}
}

// grow makes a page and returns its number, or 0 if the budget forbids it.
func (s *slab) grow(size, class int) uint32 {
	buf := s.wake(size)
	if buf == nil {
		if !s.budget.Take(int64(size)) {
			if s.dropReserves(); !s.budget.Take(int64(size)) {
				if !s.forced {
					return 0
				}
				s.budget.Note(int64(size))
			}
		}
		s.held += int64(size)
		buf = make([]byte, size)
	}
	p := slabPage{buf: buf, class: int8(class)}
	if class >= 0 {
		p.size = slabSize(class)
	}
	if k := len(s.spare); k > 0 {
		num := s.spare[k-1]
		s.spare = s.spare[:k-1]
		s.pages[num-1] = p
		return num
	}
	s.pages = append(s.pages, p)
	return uint32(len(s.pages))
}

// wake returns an idle buffer of just that size, or nil.
func (s *slab) wake(size int) []byte {
	for i, buf := range s.idle {
		if len(buf) == size {
			last := len(s.idle) - 1
			s.idle[i], s.idle[last] = s.idle[last], nil
			s.idle = s.idle[:last]
			s.idling -= size
			return buf
		}
	}
	return nil
}

func (s *slab) drop(num uint32) {
	p := &s.pages[num-1]
	if n := len(p.buf); p.class < 0 && s.idling+n <= slabIdle {
		s.idle = append(s.idle, p.buf)
		s.idling += n
	} else {
		s.held -= int64(n)
		s.budget.Note(-int64(n))
	}
	s.pages[num-1] = slabPage{}
	s.spare = append(s.spare, num)
}

func (s *slab) list(num uint32) {
	p := &s.pages[num-1]
	p.listed, p.prev, p.next = true, 0, s.part[p.class]
	if p.next != 0 {
		s.pages[p.next-1].prev = num
	}
	s.part[p.class] = num
}

func (s *slab) unlist(num uint32) {
	p := &s.pages[num-1]
	if p.prev != 0 {
		s.pages[p.prev-1].next = p.next
	} else {
		s.part[p.class] = p.next
	}
	if p.next != 0 {
		s.pages[p.next-1].prev = p.prev
	}
	p.listed, p.prev, p.next = false, 0, 0
}

func le32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func putLE32(b []byte, v uint32) {
	b[0], b[1], b[2], b[3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
}
