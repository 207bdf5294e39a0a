package dispatch_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"workman/dispatch"
)

// temper is what a seed makes of its world: the bounds, the names, and how its people behave.
type temper struct {
	cfg       dispatch.Config
	names     []string
	producers int // at most, at once
	workers   int
	body      int  // bytes of options, usually
	batch     int  // steps to one batch, at most
	leaps     bool // the wall clock is set now and then
	hybrids   bool // a worker may ask for runs too
	urgent    bool // some calls have a priority
	churn     bool // names are used up
	modern    bool // some workers say hello, and some have no WebSocket
	mood      [actionKinds]int
}

func newTemper(rng *rand.Rand) *temper {
	t := &temper{
		cfg:       dispatch.DefaultConfig(),
		names:     someNames(rng),
		producers: 1 + rng.IntN(8),
		workers:   1 + rng.IntN([]int{4, 10, 40}[rng.IntN(3)]),
		body:      []int{20, 60, 60, 200, 3000}[rng.IntN(5)],
		batch:     []int{1, 1, 1, 12}[rng.IntN(4)],
		leaps:     rng.IntN(2) == 0,
		hybrids:   rng.IntN(4) == 0,
		urgent:    rng.IntN(3) == 0,
		churn:     rng.IntN(4) == 0,
		modern:    rng.IntN(2) == 0,
	}
	t.cfg.Grace = []int64{0, 1, 5000, 5000}[rng.IntN(4)]
	t.cfg.MaxBytes = 64 << 20
	t.cfg.Losses = 1 + rng.IntN(5)
	if rng.IntN(2) == 0 {
		t.tighten(rng)
	}
	t.turn(rng)
	return t
}

// tighten makes bounds so small that they are met; each for itself, so that one does not hide the others.
func (t *temper) tighten(rng *rand.Rand) {
	for _, b := range []struct {
		bound *int
		most  int
	}{
		{&t.cfg.MaxTasks, 20}, {&t.cfg.ConnTasks, 6}, {&t.cfg.MaxNames, 6}, {&t.cfg.WorkerNames, 3},
		{&t.cfg.WorkerCredit, 5}, {&t.cfg.Burst, 500}, {&t.cfg.Leases, 2},
	} {
		if rng.IntN(3) == 0 {
			*b.bound = 1 + rng.IntN(b.most)
		}
	}
	if rng.IntN(3) == 0 {
		t.cfg.MaxBytes = 1 << (16 + rng.IntN(6)) // a page of one size, or of many
	}
	if rng.IntN(6) == 0 {
		t.cfg.LeaseNames = 1 + rng.IntN(4)
	}
}

// turn changes the mood: what happens often now and what rarely, so that queues fill up and run dry.
func (t *temper) turn(rng *rand.Rand) {
	for i := range t.mood {
		t.mood[i] = actions[i].weight * (1 + rng.IntN(8))
		if rng.IntN(8) == 0 {
			t.mood[i] = 0
		}
	}
}

// pick chooses what to do next.
func (t *temper) pick(rng *rand.Rand) int {
	sum := 0
	for _, m := range t.mood {
		sum += m
	}
	if sum == 0 {
		return 0
	}
	n := rng.IntN(sum)
	for i, m := range t.mood {
		if n -= m; n < 0 {
			return i
		}
	}
	panic("unreachable")
}

// someNames are like those that people give, and like those that are easily taken for each other.
func someNames(rng *rand.Rand) []string {
	all := []string{
		"a", "b", "ab", "aa", "work", "work2", "wor", "großer Auftrag", "\x00", "1234567", "12345678", "123456789",
		strings.Repeat("n", 200), strings.Repeat("n", 200) + "m", "sixteen bytes ok", "A",
	}
	for i := range rng.IntN(3) * 12 {
		all = append(all, fmt.Sprint("task", i))
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:1+rng.IntN(len(all))]
}

// name is one of the names, or one never used before.
func (w *world) name() []byte {
	if w.churn && w.rng.IntN(3) == 0 {
		w.counter++
		return fmt.Appendf(nil, "once-%d", w.counter)
	}
	return []byte(w.names[w.rng.IntN(len(w.names))])
}

// options are JSON that no other run has, of a length that meets the edges of what buffers usually are.
func (w *world) options() []byte {
	w.counter++
	b := fmt.Appendf(nil, `{"n":%d}`, w.counter)
	switch w.rng.IntN(40) {
	case 0:
		return nil
	case 1:
		return append(b, strings.Repeat(" ", 1<<(4+w.rng.IntN(9))-len(b)%8)...)
	case 2:
		if w.body > 1000 {
			return append(b, strings.Repeat(" ", w.rng.IntN(70_000))...)
		}
	}
	return append(b, strings.Repeat(" ", w.rng.IntN(w.body))...)
}

// nonce is what a producer may send as one: any JSON, or nothing; the same one twice is its own affair.
func (w *world) nonce() []byte {
	switch w.rng.IntN(8) {
	case 0:
		return nil
	case 1:
		return []byte("null")
	case 2:
		return []byte(`"same"`)
	case 3:
		return fmt.Appendf(nil, `{"a":[%d],"b":"%s"}`, w.counter, strings.Repeat("x", w.rng.IntN(300)))
	}
	return fmt.Appendf(nil, `"%x"`, w.rng.Uint32())
}
