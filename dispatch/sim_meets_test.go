package dispatch_test

import (
	"slices"
	"testing"

	"workman/dispatch"
)

var reasons = []string{
	"?", "TooMany", "TooManyTime", "TooManyName", "NoMemory", "Draining", "NotStored", "Overloaded", "WorkersLost", "TooManyHere",
}

// situation names what an effect shows to have happened.
func situation(e *dispatch.Effect) string {
	if e.Kind == dispatch.Refused && int(e.Reason) < len(reasons) {
		return reasons[e.Reason]
	}
	if e.Kind == dispatch.Unscheduled && e.Found {
		return "Found"
	}
	return effects[e.Kind]
}

// TestSimMeets wants the worlds of every day to meet everything there is, so that no checker is idle for want of work.
func TestSimMeets(t *testing.T) {
	met := map[string]int{}
	for seed := uint64(1); seed <= tries; seed++ {
		w, err := newWorld(seed, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = w.run(life / 2) // TestSim minds its flaws
		for what, n := range w.met {
			met[what] += n
		}
		g := w.sut.Stats()
		met["requeued"] += int(g.Requeued)
		met["bad result"] += int(g.BadResults)
		met["fired"] += int(g.Fired)
	}
	for _, what := range slices.Concat(kinds[1:], effects[1:], reasons[1:], []string{"Found", "requeued", "bad result", "fired"}) {
		if met[what] < 5 && what != "Overloaded" && what != "Refused" {
			t.Errorf("%s: met %d times in %d worlds", what, met[what], tries)
		}
	}
	t.Log(met)
}
