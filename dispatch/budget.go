package dispatch

import "sync/atomic"

// Budget is how many bytes the server may hold for its peers, whatever for: tasks that wait, messages that have come in
// part, output that is not read. It may be used from any goroutine.
type Budget struct {
	limit int64
	used  atomic.Int64
}

// NewBudget allows so many bytes.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// Take takes n bytes off, unless fewer are left.
func (b *Budget) Take(n int64) bool {
	if b.used.Add(n) <= b.limit {
		return true
	}
	b.used.Add(-n)
	return false
}

// Note takes n bytes off that are held already, or gives them back if n is negative. It reports whether the budget is
// kept; if not, whoever holds much must let go of it.
func (b *Budget) Note(n int64) bool { return b.used.Add(n) <= b.limit }

// Spent reports whether more is held than may be.
func (b *Budget) Spent() bool { return b.used.Load() > b.limit }

// Used is how many bytes are held now.
func (b *Budget) Used() int64 { return b.used.Load() }
