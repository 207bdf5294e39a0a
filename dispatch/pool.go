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

// fifo is first in, first out.
type fifo[T any] struct {
	all   []T
	first int
}

func (q *fifo[T]) push(v T) { q.all = append(q.all, v) }

func (q *fifo[T]) len() int { return len(q.all) - q.first }

func (q *fifo[T]) head() *T { return &q.all[q.first] }

// pop lets go of the head. Each element is moved at most once for each that left.
func (q *fifo[T]) pop() {
	var zero T
	q.all[q.first] = zero
	if q.first++; q.first*2 >= len(q.all) {
		n := copy(q.all, q.all[q.first:])
		clear(q.all[n:])
		q.all, q.first = q.all[:n], 0
	}
}
