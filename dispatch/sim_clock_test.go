package dispatch_test

import "workman/dispatch"

// pass lets time pass, but no further than to when the timer rings: then it is Tick's turn, as a rule.
func (w *world) pass() *flaw {
	d := w.rng.Int64N(1 << w.rng.IntN(13))
	rings := w.wake >= 0 && w.now.Mono+d >= w.wake
	if rings {
		d = max(0, w.wake-w.now.Mono)
	}
	w.now.Mono += d
	w.now.Wall += d
	if rings && w.rng.IntN(10) > 0 {
		return w.tick()
	}
	return nil
}

// leap sets the wall clock, as people and time servers do: by moments, days, or from nonsense to sense.
func (w *world) leap() *flaw {
	if !w.leaps {
		return nil
	}
	const day = 24 * 3600 * 1000
	switch w.rng.IntN(8) {
	case 0:
		w.now.Wall = w.rng.Int64N(1 << 42)
	case 1, 2:
		w.now.Wall += w.rng.Int64N(8*day) - 4*day
	case 3, 4:
		w.now.Wall += w.rng.Int64N(4000) - 2000
	default:
		w.now.Wall -= w.rng.Int64N(60_000)
	}
	return nil
}

// tick is the timer's ring, or an early one.
func (w *world) tick() *flaw { return w.do(0, input{kind: dispatch.Tick}) }

func (w *world) report() *flaw { return w.do(0, input{kind: dispatch.Report}) }
