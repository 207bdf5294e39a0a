package dispatch_test

import (
	"fmt"
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
		steps = 100_000
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
