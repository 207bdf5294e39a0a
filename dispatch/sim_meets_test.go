package dispatch_test

import (
	"testing"

	"workman/dispatch"
)

var reasons = []string{
	"?", "TooMany", "TooManyName", "NoMemory", "Draining", "NotStored", "Overloaded", "WorkersLost", "TooManyHere",
	"StoreFull", "Nobody", "TooLate", "KeyReused", "NoRun", "RunFinished", "RunNotFailed", "RunNotFinished", "TooLarge",
	"NoRule", "RuleThere", "RuleChanged", "TooManyLeases", "StaleLease",
}

// situation names what an effect shows to have happened.
func situation(e *dispatch.Effect) string {
	if e.Kind == dispatch.Refused && int(e.Reason) < len(reasons) {
		return reasons[e.Reason]
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
	}
	for _, what := range []string{
		"RunTask", "ListTasks", "RegisterTask", "GetTask", "SendResult", "Block", "Unblock", "Gone", "Tick", "Report", "Drain", "Stop",
		"HandOut", "Result", "Listed", "Paused", "TooMany", "TooManyName", "NoMemory", "Draining", "WorkersLost", "TooManyHere", "Nobody",
		"requeued", "bad result", "SayHello", "Extend", "Progress", "HandBack", "TakeLease", "Welcome", "Late", "NoMoreTasks", "Hangup",
		"Leased", "NoLease", "LeaseTaken", "TooManyLeases", "StaleLease", "resumed",
	} {
		if met[what] < 5 {
			t.Errorf("%s: met %d times in %d worlds", what, met[what], tries)
		}
	}
	t.Log(met)
}
