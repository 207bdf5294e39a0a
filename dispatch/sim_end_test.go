package dispatch_test

import "workman/dispatch"

// run lets the world live for so many steps, and end in one of the ways there are.
func (w *world) run(steps int) *flaw {
	for w.steps < steps {
		if w.steps%64 == 0 && w.rng.IntN(4) == 0 {
			w.turn(w.rng)
		}
		if w.wake >= 0 && w.now.Mono >= w.wake && w.rng.IntN(4) > 0 {
			if f := w.tick(); f != nil {
				return f
			}
			continue
		}
		if f := actions[w.pick(w.rng)].do(w); f != nil {
			return f
		}
		if f := w.begin(); f != nil {
			return f
		}
	}
	return w.end()
}

// begin makes sure that somebody is there: a mood in which nobody joins would never end.
func (w *world) begin() *flaw {
	if len(w.workers) == 0 && w.rng.IntN(20) == 0 {
		if f := w.joinWorker(); f != nil {
			return f
		}
	}
	if len(w.producers) == 0 && w.rng.IntN(20) == 0 {
		return w.joinProducer()
	}
	if w.rng.IntN(50) == 0 {
		return w.report()
	}
	return nil
}

// end is one of: everything is finished; refuse new work, then finish; stop in the middle.
func (w *world) end() *flaw {
	acts := []func() *flaw{w.finish, w.checkFinished, w.quit}
	switch w.rng.IntN(4) {
	case 0:
		acts = []func() *flaw{w.drain, w.linger, w.finish, w.checkFinished, w.quit}
	case 1:
		acts = []func() *flaw{w.drain, w.linger, w.stop, w.linger, w.quit}
	case 2:
		acts = []func() *flaw{w.stop, w.linger, w.quit}
	}
	for _, act := range append(acts, w.flush) {
		if f := act(); f != nil {
			return f
		}
	}
	return nil
}

func (w *world) drain() *flaw { return w.do(0, input{kind: dispatch.Drain}) }
func (w *world) stop() *flaw  { return w.do(0, input{kind: dispatch.Stop}) }

// linger is a while longer as before.
func (w *world) linger() *flaw {
	for range 60 {
		if f := actions[w.pick(w.rng)].do(w); f != nil {
			return f
		}
	}
	return nil
}

// finish helps everything to its end: workers come for every name.
func (w *world) finish() *flaw {
	for range 10_000 {
		if w.model.empty() {
			return nil
		}
		for _, help := range []func() *flaw{w.settleWorkers, w.timePasses} {
			if f := help(); f != nil {
				return f
			}
		}
	}
	panic("the world does not come to an end, though every checker is content")
}

// settleWorkers lets everybody read and answer, and brings a worker for the first who waits.
func (w *world) settleWorkers() *flaw {
	for _, c := range append(w.workers, w.producers...) {
		if f := w.do(c.conn, input{kind: dispatch.Unblock}); f != nil {
			return f
		}
		for len(c.held) > 0 {
			t := c.held[0]
			c.held = c.held[1:]
			if f := w.answer(c, t); f != nil {
				return f
			}
		}
	}
	name, ok := w.model.anyQueued()
	if !ok {
		return nil
	}
	c := w.join()
	w.workers = append(w.workers, c)
	for _, in := range []input{{kind: dispatch.RegisterTask, name: []byte(name)}, {kind: dispatch.GetTask, count: 50}} {
		if f := w.do(c.conn, in); f != nil {
			return f
		}
	}
	for len(c.held) > 0 {
		t := c.held[0]
		c.held = c.held[1:]
		if f := w.answer(c, t); f != nil {
			return f
		}
	}
	return w.leave(c)
}

// timePasses goes to whenever something is to come.
func (w *world) timePasses() *flaw {
	for w.wake >= 0 {
		w.now.Mono = max(w.now.Mono, w.wake)
		if f := w.tick(); f != nil {
			return f
		}
	}
	return nil
}

// quit ends every connection. Nothing may stay behind.
func (w *world) quit() *flaw {
	for _, cs := range []*[]*client{&w.workers, &w.producers} {
		for len(*cs) > 0 {
			if f := w.leave((*cs)[0]); f != nil {
				return f
			}
		}
	}
	if f := w.timePasses(); f != nil {
		return f
	}
	if g := w.sut.Stats(); g.Workers != 0 {
		return flawed("end", "%d workers stay", g.Workers)
	}
	return nil
}

// stays is how many bytes an empty dispatcher may keep in reserve: a page of each size, so that a queue that swings
// about empty does not allocate at each swing.
const stays = 17 * grain

// checkFinished wants every run that somebody waits for to have ended, and nothing to be held for nobody.
func (w *world) checkFinished() *flaw {
	if f := w.flush(); f != nil {
		return f
	}
	if f := w.report(); f != nil { // a step after the flush: now it knows that its bytes are read no more
		return f
	}
	g := w.sut.Stats()
	if g.Queued+g.Leased+g.Waiting+g.Schedule != 0 || g.Bytes > stays {
		return flawed("end", "something stays: %+v", g)
	}
	if n := int64(g.Submitted - g.Finished - g.GivenUp); n != 0 {
		return flawed("end", "%d more runs began than ended: %+v", n, g)
	}
	return nil
}

// anyQueued is the name whose head has waited longest.
func (m *model) anyQueued() (name string, ok bool) {
	var first *run
	for _, l := range m.lines {
		if len(l.queue) > 0 && (first == nil || l.queue[0].place < first.place) {
			first = l.queue[0]
		}
	}
	if first == nil {
		return "", false
	}
	return first.name, true
}
