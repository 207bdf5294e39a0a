package dispatch_test

import "workman/dispatch"

func (w *world) joinProducer() *flaw {
	if len(w.producers) < w.temper.producers {
		w.producers = append(w.producers, w.join())
	}
	return nil // it is known by its first event
}

func (w *world) leaveProducer() *flaw {
	if c := w.one(w.producers); c != nil {
		return w.leave(c)
	}
	return nil
}

// ask sends a producer's request: over HTTP it has a number, over WebSocket perhaps a nonce.
func (w *world) ask(in input) *flaw {
	c := w.producer()
	if c == nil {
		return nil
	}
	if c.http {
		c.seq++
		in.seq = c.seq
	} else {
		in.nonce = w.nonce()
	}
	return w.do(c.conn, in)
}

func (w *world) askRun() *flaw {
	return w.ask(input{kind: dispatch.RunTask, name: w.name(), body: w.options()})
}

func (w *world) askSchedule() *flaw {
	return w.ask(input{kind: dispatch.ScheduleTask, name: w.name(), body: w.options(), at: w.when()})
}

func (w *world) askList() *flaw { return w.ask(input{kind: dispatch.ListTasks}) }

// askUnschedule names a schedule that there is, was or never was, or something else altogether.
func (w *world) askUnschedule() *flaw {
	t := w.forged()
	if n := len(w.ids); n > 0 && w.rng.IntN(8) > 0 {
		t = w.ids[w.rng.IntN(n)]
	}
	if n := len(w.ids); n > 0 && w.rng.IntN(2) == 0 {
		t = w.ids[n-1-w.rng.IntN(min(n, 4))]
	}
	if ps := w.model.plans; len(ps) > 0 && w.rng.IntN(4) == 0 { // perhaps its id was not told yet
		t = ps[w.rng.IntN(len(ps))].token
	}
	return w.ask(input{kind: dispatch.UnscheduleTask, token: t})
}
