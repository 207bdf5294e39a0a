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
		in.seq = c.seq
		c.seq++
	} else {
		in.nonce = w.nonce()
	}
	return w.do(c.conn, in)
}

// askRun asks for a call; now and then with a priority, or only if somebody is there who can do it.
func (w *world) askRun() *flaw {
	in := input{kind: dispatch.RunTask, name: w.name(), body: w.options()}
	if w.urgent && w.rng.IntN(2) == 0 {
		in.hasTerms, in.terms = true, dispatch.NewTerms()
		in.terms.Priority = w.rng.IntN(11) - 1
		in.terms.Staffed = w.rng.IntN(8) == 0
	}
	return w.ask(in)
}

func (w *world) askList() *flaw { return w.ask(input{kind: dispatch.ListTasks}) }
