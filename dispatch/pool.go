package dispatch

const poolPage = 1024

// pool is where values of one type live that are known by number, in pages so that growing moves none of them. Number 0 is
// never used.
type pool[T any] struct {
	pages []*[poolPage]T
	spare []uint32
	made  uint32
}

func (p *pool[T]) at(n uint32) *T { return &p.pages[n/poolPage][n%poolPage] }

// take returns a number that is free, and its value, which is zero.
func (p *pool[T]) take() (uint32, *T) {
	if k := len(p.spare); k > 0 {
		n := p.spare[k-1]
		p.spare = p.spare[:k-1]
		return n, p.at(n)
	}
	if p.made == 0 {
		p.made = 1
	}
	if int(p.made/poolPage) == len(p.pages) {
		p.pages = append(p.pages, new([poolPage]T))
	}
	p.made++
	return p.made - 1, p.at(p.made - 1)
}

// used is how many numbers are taken.
func (p *pool[T]) used() int { return max(int(p.made)-1-len(p.spare), 0) }

func (p *pool[T]) give(n uint32) {
	var zero T
	*p.at(n) = zero
	p.spare = append(p.spare, n)
}

// fifo is first in, first out. It grows by pages: what a slow disk has gathered may be much, and is never copied.
type fifo[T any] struct {
	pages []*[fifoPage]T
	spare *[fifoPage]T
	first int // of the first page
	count int
}

const fifoPage = 256

func (q *fifo[T]) len() int { return q.count }

// at is the element so many behind the head.
func (q *fifo[T]) at(i int) *T {
	i += q.first
	return &q.pages[i/fifoPage][i%fifoPage]
}

func (q *fifo[T]) head() *T { return q.at(0) }

func (q *fifo[T]) last() *T { return q.at(q.count - 1) }

func (q *fifo[T]) push(v T) {
	if q.first+q.count == len(q.pages)*fifoPage {
		page := q.spare
		if q.spare = nil; page == nil {
			page = new([fifoPage]T)
		}
		q.pages = append(q.pages, page)
	}
	q.count++
	*q.last() = v
}

// pop lets go of the head.
func (q *fifo[T]) pop() {
	var zero T
	*q.head() = zero
	q.first++
	if q.count--; q.first == fifoPage {
		q.spare = q.pages[0]
		n := copy(q.pages, q.pages[1:])
		q.pages[n] = nil
		q.pages, q.first = q.pages[:n], 0
	}
}
