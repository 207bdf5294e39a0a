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
	switch w.rng.IntN(9) {
	case 8: // while something overdue waits for its Tick, and stays overdue
		f := w.ask(input{kind: dispatch.ScheduleTask, name: w.name(), at: w.now.Wall - day})
		w.now.Wall -= w.rng.Int64N(day)
		if f != nil {
			return f
		}
		return w.report()
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

// commit makes some records durable; or none, late news; or the store fails.
func (w *world) commit() *flaw {
	switch {
	case w.store.failed || !w.cfg.Durable:
		return nil
	case w.fails && w.rng.IntN(60) == 0:
		w.store.commit(w.rng.IntN(2))
		return w.do(0, input{kind: dispatch.CommitFailed, seq: w.store.fail()})
	}
	return w.do(0, input{kind: dispatch.Committed, seq: w.store.commit(w.rng.IntN(5))})
}

func (w *world) answerLoad() *flaw {
	if len(w.store.loads) == 0 {
		return nil
	}
	n, found := w.store.answer(w.rng)
	in := input{kind: dispatch.Loaded, seq: n}
	if found {
		in.count = 1
	}
	if f := w.do(0, in); f != nil || w.rng.IntN(8) > 0 {
		return f
	}
	return w.do(0, in) // once more: it means nothing now
}
