package dispatch_test

import (
	"slices"
	"testing"
)

// tries is how many worlds a fault may live in before it must have been caught: some never give it a chance.
const tries = 60

// TestSimCatches plants faults, and wants each to be caught by the checker that is there for it: a checker that cannot
// fail checks nothing.
func TestSimCatches(t *testing.T) {
	if testing.Short() {
		t.Skip("it lives through hundreds of worlds")
	}
	sound := soundSeeds(t)
	for i := range faults {
		t.Run(faults[i].name, func(t *testing.T) {
			t.Parallel()
			faults[i].mustBeCaught(t, sound)
		})
	}
}

// soundSeeds are worlds in which all is well without a fault: what is caught there is the fault.
func soundSeeds(t *testing.T) (seeds []uint64) {
	t.Helper()
	for seed := uint64(1); len(seeds) < tries; seed++ {
		if seed > 4*tries {
			t.Fatalf("only %d of %d worlds are sound without a fault: see TestSim", len(seeds), seed)
		}
		if w, err := newWorld(seed, nil); err == nil && w.run(life/2) == nil {
			seeds = append(seeds, seed)
		}
	}
	return seeds
}

func (f *fault) mustBeCaught(t *testing.T, seeds []uint64) {
	t.Helper()
	others := map[string]int{}
	for _, seed := range seeds {
		w, err := newWorld(seed, f.plant(seed))
		if err != nil {
			t.Fatal(err)
		}
		switch got := w.run(life / 2); {
		case got == nil:
		case got.check == f.caught:
			return
		default:
			others[got.check]++
		}
	}
	t.Errorf("not caught by %q in %d worlds, but by %v", f.caught, len(seeds), others)
}

// TestSimCatchesAll wants a fault for every checker.
func TestSimCatchesAll(t *testing.T) {
	for _, c := range checkers {
		if !slices.ContainsFunc(faults, func(f fault) bool { return f.caught == c }) {
			t.Errorf("no fault is planted for the checker %q", c)
		}
	}
}

// TestSimHash shows that the transcript's hash sees what differs, though no checker minds: here, what is below zero is another number.
func TestSimHash(t *testing.T) {
	const seed = 1000
	restless := &fault{sleep: func(ms int64) int64 {
		if ms < 0 {
			return ms - 1
		}
		return ms
	}}
	w, err := newWorld(seed, restless.plant(seed))
	if err != nil {
		t.Fatal(err)
	}
	if f := w.run(life); f != nil {
		t.Fatal(f)
	}
	if w.log.hash.Sum64() == live(t, seed, life) {
		t.Error("two transcripts that differ have the same hash")
	}
}
