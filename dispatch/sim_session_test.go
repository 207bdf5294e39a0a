package dispatch_test

import (
	"encoding/binary"

	"workman/dispatch"
)

// What workers do that said hello, and those that borrow tasks over HTTP.

// greet has a client know its session, and what it has in hand.
func (w *world) greet(e *dispatch.Effect) {
	c := find(w.workers, e.To)
	if c == nil {
		return
	}
	c.session = e.Token
	if !e.Found {
		return
	}
	w.met["resumed"]++
	c.held = nil
	for t, rest, ok := dispatch.NextToken(e.Body); ok; t, rest, ok = dispatch.NextToken(rest) {
		c.held = append(c.held, t)
	}
}

// resume says hello with the name of a session: one that lost its connection, perhaps long ago, one that has it still, or none.
func (w *world) resume() *flaw {
	if !w.modern || len(w.workers) >= w.temper.workers+2 {
		return nil
	}
	in := input{kind: dispatch.SayHello, token: w.forged()}
	switch o := w.one(w.workers); {
	case len(w.lost) > 0 && w.rng.IntN(3) > 0:
		in.token = w.lost[max(0, len(w.lost)-1-w.rng.IntN(3))]
	case o != nil && w.rng.IntN(3) > 0:
		in.token = o.session
	}
	if w.rng.IntN(10) == 0 {
		in.token.Secret ^= 1 << w.rng.IntN(64)
	}
	if c := w.worker(); c != nil && w.rng.IntN(8) == 0 { // which has said something, as a rule
		return w.do(c.conn, in)
	}
	c := w.join()
	w.workers = append(w.workers, c)
	return w.do(c.conn, in)
}

// aToken is of something in a worker's hand, as a rule.
func (w *world) aToken(c *client) dispatch.Token {
	switch n := w.rng.IntN(8); {
	case n == 0:
		return w.forged()
	case n == 1 && len(w.stale) > 0:
		return w.stale[w.rng.IntN(len(w.stale))]
	case len(c.held) > 0:
		return c.held[w.rng.IntN(len(c.held))]
	}
	return dispatch.Token{}
}

// aboutHand extends what a worker has, or says how far it is.
func (w *world) aboutHand() *flaw {
	c := w.worker()
	if c == nil || !w.modern {
		return nil
	}
	return w.do(c.conn, w.extension(w.aToken(c)))
}

func (w *world) extension(t dispatch.Token) input {
	if w.rng.IntN(2) == 0 {
		return input{kind: dispatch.Progress, token: t, body: []byte(`{"value":1}`)}
	}
	return input{kind: dispatch.Extend, token: t, at: w.rng.Int64N(1 << w.rng.IntN(15))}
}

// handBack gives back one thing or all, or says that no more is wanted.
func (w *world) handBack() *flaw {
	c := w.worker()
	if c == nil || !w.modern {
		return nil
	}
	in := input{kind: dispatch.HandBack, token: w.aToken(c)}
	if w.rng.IntN(2) == 0 {
		in.token, in.count = dispatch.Token{}, w.rng.Uint32N(2)
	}
	for i, t := range c.held {
		if t == in.token {
			c.held = append(c.held[:i:i], c.held[i+1:]...)
			w.stale = append(w.stale, t)
			break
		}
	}
	if in.count != 0 {
		c.held = nil
	}
	return w.do(c.conn, in)
}

// takeLease asks for tasks over HTTP.
func (w *world) takeLease() *flaw {
	c := w.producer()
	if c == nil || !c.http || !w.modern {
		return nil
	}
	in := input{kind: dispatch.TakeLease, seq: c.seq, count: 1 + w.rng.Uint32N(4)}
	c.seq++
	for range 1 + w.rng.IntN(3) {
		in.body = append(append(in.body, w.name()...), '\n')
	}
	if w.rng.IntN(4) > 0 {
		in.at = w.rng.Int64N(1 << w.rng.IntN(15))
	}
	in.token.Secret = 1 + w.rng.Uint64N(1<<w.rng.IntN(15))
	return w.do(c.conn, in)
}

// ofLease says something of a lease, or of what is none any more or never was.
func (w *world) ofLease() *flaw {
	c := w.producer()
	if c == nil || !c.http || len(w.lent) == 0 {
		return nil
	}
	l := w.lent[max(0, len(w.lent)-1-w.rng.IntN(6))]
	switch o := w.one(w.workers); {
	case w.rng.IntN(10) == 0:
		l.secret ^= 1 << w.rng.IntN(64)
	case o != nil && len(o.held) > 0 && w.rng.IntN(10) == 0: // what a worker with a WebSocket has is not lent
		l.token = o.held[0]
	}
	in := input{kind: dispatch.SendResult, token: l.token, body: []byte(`"lent"`)}
	switch w.rng.IntN(4) {
	case 0:
		in = w.extension(l.token)
	case 1:
		in = input{kind: dispatch.HandBack, token: l.token}
	}
	in.nonce = binary.BigEndian.AppendUint64(nil, l.secret)
	in.seq = c.seq
	c.seq++
	return w.do(c.conn, in)
}
