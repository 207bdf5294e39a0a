package dispatch_test

import (
	"fmt"
	"slices"

	"workman/dispatch"
)

// joinWorker opens a worker's connection, and as a rule it says at once what it can do.
func (w *world) joinWorker() *flaw {
	if len(w.workers) >= w.temper.workers {
		return nil
	}
	c := w.join()
	w.workers = append(w.workers, c)
	if w.modern && w.rng.IntN(3) > 0 {
		if f := w.do(c.conn, input{kind: dispatch.SayHello}); f != nil {
			return f
		}
	}
	for range w.rng.IntN(4) {
		if f := w.do(c.conn, w.registration()); f != nil {
			return f
		}
	}
	return nil
}

func (w *world) leaveWorker() *flaw {
	if c := w.one(w.workers); c != nil {
		return w.leave(c)
	}
	return nil
}

func (w *world) register() *flaw {
	if c := w.worker(); c != nil {
		return w.do(c.conn, w.registration())
	}
	return nil
}

// registration is of a name, now and then with how many of it the worker takes at once.
func (w *world) registration() input {
	in := input{kind: dispatch.RegisterTask, name: w.name()}
	if w.modern && w.rng.IntN(4) == 0 {
		in.count = w.rng.Uint32N(4)
	}
	return in
}

func (w *world) get() *flaw {
	c := w.worker()
	if c == nil {
		return nil
	}
	n := 1 + w.rng.Uint32N(3)
	if w.rng.IntN(50) == 0 {
		n = []uint32{0, 50, 1 << 20, 1<<32 - 1}[w.rng.IntN(4)]
	}
	return w.do(c.conn, input{kind: dispatch.GetTask, count: n})
}

// result answers a task in hand: the first as a rule, any if the worker does several at once.
func (w *world) result() *flaw {
	c := w.worker()
	if c == nil || len(c.held) == 0 {
		return nil
	}
	i := 0
	if w.rng.IntN(3) == 0 {
		i = w.rng.IntN(len(c.held))
	}
	t := c.held[i]
	c.held = slices.Delete(c.held, i, i+1)
	c.used = append(c.used, t)
	c.used = c.used[max(0, len(c.used)-8):]
	return w.answer(c, t)
}

func (w *world) answer(c *client, t dispatch.Token) *flaw {
	in := input{kind: dispatch.SendResult, token: t, count: w.rng.Uint32N(3)}
	if w.rng.IntN(8) > 0 {
		w.counter++
		in.body = fmt.Appendf(nil, `{"result":%d,"of":"%s"}`, w.counter, showToken(t))
	}
	return w.do(c.conn, in)
}

// badResult answers what this worker has no right to.
func (w *world) badResult() *flaw {
	c := w.worker()
	if c == nil {
		return nil
	}
	t := w.forged()
	switch o := w.one(w.workers); w.rng.IntN(4) {
	case 0:
		if len(c.used) > 0 { // once more
			t = c.used[w.rng.IntN(len(c.used))]
		}
	case 1:
		if o != nil && o != c && len(o.held) > 0 { // another's
			t = o.held[w.rng.IntN(len(o.held))]
		}
	case 2:
		if len(w.stale) > 0 { // of who has gone
			t = w.stale[w.rng.IntN(len(w.stale))]
		}
	}
	return w.answer(c, t)
}

// forged makes a token up: of small slots with a secret that a lazy table may hold there, or a near miss.
func (w *world) forged() dispatch.Token {
	t := dispatch.Token{Slot: w.rng.Uint32N(32)}
	if c := w.one(w.workers); c != nil && len(c.held) > 0 {
		t = c.held[0]
	}
	switch w.rng.IntN(6) {
	case 0:
		return dispatch.Token{Slot: w.rng.Uint32N(32)}
	case 1:
		return dispatch.Token{Slot: w.rng.Uint32(), Secret: w.rng.Uint64()}
	case 2:
		return dispatch.Token{Slot: 1<<32 - 1, Secret: t.Secret}
	case 3:
		t.Slot ^= 1 << w.rng.IntN(8)
	default:
		t.Secret ^= 1 << w.rng.IntN(64)
	}
	return t
}

func (w *world) block() *flaw {
	if c := w.worker(); c != nil {
		return w.do(c.conn, input{kind: dispatch.Block})
	}
	return nil
}

func (w *world) unblock() *flaw {
	if c := w.worker(); c != nil {
		return w.do(c.conn, input{kind: dispatch.Unblock})
	}
	return nil
}
