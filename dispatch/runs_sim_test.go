package dispatch_test

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestSimRuns simulates worlds of runs, with a store and crashes, and holds the dispatcher to what it promises. For a million
// steps: go test ./dispatch -run SimRuns -steps=1000000
func TestSimRuns(t *testing.T) {
	if *seedFlag != 0 {
		liveKept(t, *seedFlag, *stepsFlag)
		return
	}
	steps := *stepsFlag
	switch {
	case steps > 0:
	case testing.Short():
		steps = 20_000
	default:
		steps = 60_000
	}
	began := time.Now()
	t.Run("worlds", func(t *testing.T) {
		for seed := uint64(1); seed <= uint64((steps+keptLife-1)/keptLife); seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				liveKept(t, seed, keptLife)
			})
		}
	})
	t.Logf("%d steps, %.0f a second", steps, float64(steps)/time.Since(began).Seconds())
}

// keptLife is how many steps a world of runs lives, before it is brought to its end.
const keptLife = 1000

func liveKept(t *testing.T, seed uint64, steps int) (hash uint64) {
	t.Helper()
	if steps == 0 {
		steps = keptLife
	}
	k, err := newKept(seed, nil)
	if err != nil {
		t.Fatal(err)
	}
	if f := k.live(steps); f != nil {
		t.Fatalf("seed %d, step %d: %v\n%+v\n%s\nto see it again: go test ./dispatch -run 'SimRuns$' -seed=%d -steps=%d",
			seed, k.steps, f, k.cfg, k.log, seed, steps)
	}
	return k.log.hash.Sum64()
}

// TestSimRunsRepeats holds the dispatcher to being deterministic: the same events, the same transcript.
func TestSimRunsRepeats(t *testing.T) {
	for seed := uint64(2000); seed < 2008; seed++ {
		if a, b := liveKept(t, seed, keptLife), liveKept(t, seed, keptLife); a != b {
			t.Errorf("seed %d: two lives differ: %x and %x", seed, a, b)
		}
	}
}

// TestSimRunsCatches plants defects, and wants each to be caught by the checker that is there for it.
func TestSimRunsCatches(t *testing.T) {
	if testing.Short() {
		t.Skip("it lives through hundreds of worlds")
	}
	for i := range wrongs {
		t.Run(wrongs[i].name, func(t *testing.T) {
			t.Parallel()
			w := &wrongs[i]
			others := map[string]int{}
			for seed := uint64(1); seed <= tries; seed++ {
				f := w.live(t, seed)
				if f != nil && f.check == w.caught {
					return
				}
				if f != nil {
					others[f.check]++
				}
			}
			t.Errorf("not caught by %q in %d worlds, but by %v", w.caught, tries, others)
		})
	}
}

func (w *wrong) live(t *testing.T, seed uint64) *flaw {
	t.Helper()
	k, err := newKept(seed, w.plant(seed))
	if err != nil {
		t.Fatal(err)
	}
	return k.live(keptLife)
}

// TestSimRunsCatchesAll wants a defect for every checker.
func TestSimRunsCatchesAll(t *testing.T) {
	for _, c := range keptCheckers {
		if !slices.ContainsFunc(wrongs, func(w wrong) bool { return w.caught == c }) {
			t.Errorf("no defect is planted for the checker %q", c)
		}
	}
}

// TestSimRunsMeets wants the worlds of every day to meet everything there is.
func TestSimRunsMeets(t *testing.T) {
	met := map[string]int{}
	for seed := uint64(1); seed <= tries; seed++ {
		k, err := newKept(seed, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = k.live(keptLife) // TestSimRuns minds its flaws
		for what, n := range k.met {
			met[what] += n
		}
	}
	rare := []string{"?", "Refused", "Overloaded", "TooManyName", "TooLarge", "Listed", "ListTasks", "Report",
		"ListWorkerInfo", "ListRunning", "ListRunStates"}
	for _, what := range slices.Concat(kinds, effects, reasons, []string{"crash", "StoreLow", "resumed", "grace or lease over", "lease to stop"}) {
		if met[what] < 5 && !slices.Contains(rare, what) {
			t.Errorf("%s: met %d times in %d worlds", what, met[what], tries)
		}
	}
	t.Log(met)
}
