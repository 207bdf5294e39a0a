package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// item is an entry while it is sorted. It has the part of the key where it begins to tell keys of its table apart: so hardly
// a comparison has to look at the keys, which are all over the memory.
type item struct {
	hi, lo uint64
	n      uint32 // number of the entry
	delete bool
}

// itemKey is how many bytes of a key an item has.
const itemKey = 16

// order sorts entries of a snapshot.
type order struct {
	*snapshot
	items []item
	spare []item // as many
	which []byte // for each item its pile
	bins  [256]bin
	exact bool // items of the bin at hand that have the same part have the same key
}

// bin is what is known of the keys with the same first byte.
type bin struct {
	first  []byte // key that was met
	same   int    // bytes that all of them begin with
	count  int
	end    int  // of its items
	uneven bool // they are not all of one length
}

// byTable sorts the entries from one number on.
func (s *snapshot) byTable(from int) []uint32 {
	o := newOrder(s, from)
	sorted := make([]uint32, 0, len(o.items))
	begin := 0
	for i := range o.bins {
		bin := &o.bins[i]
		if bin.count == 0 {
			continue
		}
		o.exact = !bin.uneven && len(bin.first)-bin.same <= itemKey
		items := o.sort(begin, bin.end)
		if o.exact && strings.IndexByte(s.once, byte(i)) >= 0 {
			items = annihilate(items)
		}
		for j := range items {
			sorted = append(sorted, items[j].n)
		}
		begin = bin.end
	}
	return sorted
}

// annihilate leaves out what was set and deleted again, where nothing can have been set before: of each key the newest comes
// first.
func annihilate(items []item) []item {
	left := items[:0]
	for i := 0; i < len(items); {
		end := i + 1
		for end < len(items) && items[end].hi == items[i].hi && items[end].lo == items[i].lo {
			end++
		}
		if !items[i].delete || items[end-1].delete {
			left = append(left, items[i:end]...)
		}
		i = end
	}
	return left
}

// newOrder makes items of the entries from one number on, those of one table behind those of another.
func newOrder(s *snapshot, from int) *order {
	n := len(s.entries) - from
	o := &order{snapshot: s, items: make([]item, n), spare: make([]item, n), which: make([]byte, n)}
	for i := range n {
		key, _ := s.key(uint32(from + i))
		o.bins[key[0]].meet(key)
	}
	end := 0
	for i := range o.bins {
		o.bins[i].end = end
		end += o.bins[i].count
	}
	for i := range n {
		key, deleted := s.key(uint32(from + i))
		bin := &o.bins[key[0]]
		hi, lo := part(key[bin.same:])
		o.items[bin.end] = item{hi, lo, uint32(from + i), deleted}
		bin.end++
	}
	return o
}

// meet counts a key, and finds what it has in common with others.
func (b *bin) meet(key []byte) {
	if b.count++; b.count == 1 {
		b.first, b.same = key, len(key)
		return
	}
	b.uneven = b.uneven || len(key) != len(b.first)
	if len(key) >= b.same && string(key[:b.same]) == string(b.first[:b.same]) {
		return
	}
	b.same = min(b.same, len(key))
	for i := range b.same {
		if key[i] != b.first[i] {
			b.same = i
			return
		}
	}
}

// part sorts as a key does, as far as it goes.
func part(key []byte) (hi, lo uint64) {
	if len(key) < itemKey {
		var b [itemKey]byte
		copy(b[:], key)
		key = b[:]
	}
	return binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[8:])
}

// less orders items of one bin by key, and those of one key from the newest to the oldest.
func (o *order) less(a, b *item) bool {
	switch {
	case a.hi != b.hi:
		return a.hi < b.hi
	case a.lo != b.lo:
		return a.lo < b.lo
	case o.exact:
		return a.n > b.n
	}
	return o.compare(a.n, b.n) < 0
}

// compare orders entries by key, and those of one key from the newest to the oldest.
func (s *snapshot) compare(a, b uint32) int {
	first, _ := s.key(a)
	second, _ := s.key(b)
	return cmp.Or(bytes.Compare(first, second), cmp.Compare(b, a))
}

// maxPiles is how many ascending sequences may be mixed for piles to take them apart.
const maxPiles = 16

// sort sorts the items of one table, from one on up to another. They are a few ascending sequences mixed, as the keys of runs
// are that come, go on and end, in the order in which they began: so they are taken apart and merged. What it returns is good
// until the next call.
func (o *order) sort(from, to int) []item {
	items, spare := o.items[from:to], o.spare[from:to]
	ends, ok := o.piles(items, o.which[from:to])
	if !ok {
		slices.SortFunc(items, func(a, b item) int {
			switch {
			case o.less(&a, &b):
				return -1
			case a.n == b.n:
				return 0
			}
			return 1
		})
		return items
	}
	if len(ends) == 1 {
		return items
	}
	next := make([]int, len(ends))
	copy(next[1:], ends)
	for i, it := range items {
		p := o.which[from+i]
		spare[next[p]] = it
		next[p]++
	}
	for items, spare = spare, items; len(ends) > 1; items, spare = spare, items {
		ends = o.mergeAll(spare, items, ends)
	}
	return items
}

// piles says for each item which pile it is on, and where these end when they lie one behind the other. It reports false if
// there would be too many.
func (o *order) piles(items []item, which []byte) (ends []int, ok bool) {
	var tops [maxPiles]*item
	var counts [maxPiles]int
	piles := 0
	for i := range items {
		it, p := &items[i], 0
		for p < piles && !o.less(tops[p], it) {
			p++
		}
		if p == maxPiles {
			return nil, false
		}
		piles = max(piles, p+1)
		tops[p], which[i] = it, byte(p)
		counts[p]++
	}
	end := 0
	for _, n := range counts[:piles] {
		end += n
		ends = append(ends, end)
	}
	return ends, true
}

// mergeAll makes one ascending sequence of each two that end at ends, and says where these end.
func (o *order) mergeAll(dst, src []item, ends []int) []int {
	from, left := 0, ends[:0]
	for i := 0; i < len(ends); i += 2 {
		mid := ends[i]
		to := ends[min(i+1, len(ends)-1)]
		o.mergeTwo(dst[from:to], src[from:mid], src[mid:to])
		left = append(left, to)
		from = to
	}
	return left
}

func (o *order) mergeTwo(dst, a, b []item) {
	for len(a) > 0 && len(b) > 0 {
		if o.less(&b[0], &a[0]) {
			dst[0], b = b[0], b[1:]
		} else {
			dst[0], a = a[0], a[1:]
		}
		dst = dst[1:]
	}
	copy(dst[copy(dst, a):], b)
}
