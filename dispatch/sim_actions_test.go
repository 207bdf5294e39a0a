package dispatch_test

import "workman/dispatch"

// actions are what may happen next, each with how often it does in a common mood.
var actions = [actionKinds]struct {
	weight int
	do     func(*world) *flaw
}{
	{20, (*world).askRun},
	{1, (*world).askList},
	{3, (*world).joinProducer},
	{1, (*world).leaveProducer},
	{3, (*world).joinWorker},
	{1, (*world).leaveWorker},
	{4, (*world).register},
	{12, (*world).get},
	{20, (*world).result},
	{2, (*world).badResult},
	{2, (*world).block},
	{3, (*world).unblock},
	{10, (*world).pass},
	{1, (*world).leap},
	{1, (*world).tick},
	{1, (*world).report},
	{2, (*world).resume},
	{2, (*world).aboutHand},
	{2, (*world).handBack},
	{4, (*world).takeLease},
	{6, (*world).ofLease},
}

const actionKinds = 21

// join opens a connection on any place, whose last one has gone: an address that was in use lives on with another
// generation.
func (w *world) join() *client {
	for {
		at := dispatch.MakeConn(w.rng.IntN(2)*254, w.rng.Uint32N(uint32(w.temper.workers)+8)*5, 0)
		if w.taken(at) {
			continue
		}
		w.generation[at]++
		return &client{conn: at | dispatch.Conn(w.generation[at]), http: w.rng.IntN(3) == 0}
	}
}

func (w *world) taken(at dispatch.Conn) bool {
	c := at | dispatch.Conn(w.generation[at])
	return find(w.producers, c) != nil || find(w.workers, c) != nil
}

// one draws a client, or nil if there is none.
func (w *world) one(cs []*client) *client {
	if len(cs) == 0 {
		return nil
	}
	return cs[w.rng.IntN(len(cs))]
}

// producer draws who asks for something: now and then it is a worker.
func (w *world) producer() *client {
	if w.hybrids && w.rng.IntN(8) == 0 {
		return w.one(w.workers)
	}
	return w.one(w.producers)
}

// worker draws a worker: now and then a producer behaves like one.
func (w *world) worker() *client {
	if w.hybrids && w.rng.IntN(30) == 0 {
		return w.one(w.producers)
	}
	return w.one(w.workers)
}

// drop takes a client off its list and returns the rest.
func drop(cs []*client, c *client) []*client {
	for i := range cs {
		if cs[i] == c {
			return append(cs[:i], cs[i+1:]...)
		}
	}
	return cs
}

// leave ends a connection. What it had in hand somebody may still try to answer.
func (w *world) leave(c *client) *flaw {
	w.producers, w.workers = drop(w.producers, c), drop(w.workers, c)
	if c.session != (dispatch.Token{}) {
		w.lost = append(w.lost, c.session)
	}
	w.stale = append(w.stale, c.held...)
	w.stale = w.stale[max(0, len(w.stale)-64):]
	return w.do(c.conn, input{kind: dispatch.Gone})
}
