package dispatch_test

import (
	"flag"
	"fmt"
	"testing"
	"time"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "the one world to simulate; 0: many")
	stepsFlag = flag.Int("steps", 0, "steps of that world, or of all together; 0: as many as are right for every day")
)

// life is how many steps a world lives, one of many.
const life = 2000

// TestSim simulates worlds, and holds the dispatcher to its specification after every step. For a million steps:
// go test ./dispatch -run Sim -steps=1000000
func TestSim(t *testing.T) {
	if *seedFlag != 0 {
		live(t, *seedFlag, max(*stepsFlag, 0))
		return
	}
	steps := *stepsFlag
	switch {
	case steps > 0:
	case testing.Short():
		steps = 20_000
	default:
		steps = 100_000
	}
	began, first := time.Now(), uint64(1)
	t.Run("worlds", func(t *testing.T) {
		for seed := first; seed < first+uint64((steps+life-1)/life); seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				live(t, seed, life)
			})
		}
	})
	t.Logf("%d steps, %.0f a second", steps, float64(steps)/time.Since(began).Seconds())
}

// live simulates one world, and says how to see it again if it fails.
func live(t *testing.T, seed uint64, steps int) (hash uint64) {
	t.Helper()
	if steps == 0 {
		steps = life
	}
	w, err := newWorld(seed, nil)
	if err != nil {
		t.Fatal(err)
	}
	if f := w.run(steps); f != nil {
		t.Fatalf("seed %d, step %d: %v\n%+v\n%s\nto see it again: go test ./dispatch -run 'TestSim$' -seed=%d -steps=%d",
			seed, w.steps, f, w.cfg, w.log, seed, steps)
	}
	return w.log.hash.Sum64()
}

// TestSimRepeats holds the dispatcher to being deterministic: the same events, the same transcript.
func TestSimRepeats(t *testing.T) {
	for seed := uint64(1000); seed < 1008; seed++ {
		if a, b := live(t, seed, life), live(t, seed, life); a != b {
			t.Errorf("seed %d: two lives differ: %x and %x", seed, a, b)
		}
	}
}
