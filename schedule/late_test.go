package schedule_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestManyLate cancels from the midst of a heap that's deep enough for an entry to move either way, before and after
// the clock is set back.
func TestManyLate(t *testing.T) {
	const now, count = 2000, 3000
	random := rand.New(rand.NewPCG(1, 2))
	w := newWheel(t, now, count)
	list := make([]waiting, count)
	for i := range list {
		at := random.Int64N(now)
		list[i] = waiting{at, uint32(i), add(t, w, at, uint32(i))}
	}
	cancel := func(n int) {
		for range n {
			i := random.IntN(len(list))
			if !w.Cancel(list[i].timer) {
				t.Fatalf("Cancel of %d", list[i].value)
			}
			list = slices.Delete(list, i, i+1)
			if err := w.Check(); err != nil {
				t.Fatal(err)
			}
		}
	}
	cancel(300)
	w.Rebase(now / 2)
	if w.Late() == 0 || w.Late() == len(list) {
		t.Fatalf("%d of %d are still late", w.Late(), len(list))
	}
	cancel(300)
	slices.SortStableFunc(list, func(a, b waiting) int { return cmp.Compare(a.at, b.at) })
	for _, want := range list {
		wantFired(t, w, now, want.at, want.value)
	}
	wantNone(t, w, now)
}
