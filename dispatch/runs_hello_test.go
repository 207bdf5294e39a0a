package dispatch_test

import (
	"encoding/binary"
	"fmt"
	"slices"

	"workman/dispatch"
)

// What workers do in a world of runs that said hello, and those that borrow tasks over HTTP; and what they are to be told.

// lent is what a lease had.
type lent struct {
	token  dispatch.Token
	secret uint64
}

// resume says hello with the name of a session that has lost its connection, perhaps too late, or with a wrong one.
func (k *kept) resume() *flaw {
	if len(k.order) >= k.ends+4 {
		return nil
	}
	a := ask{kind: dispatch.SayHello, token: dispatch.Token{Slot: k.rng.Uint32N(6), Secret: k.rng.Uint64()}}
	if len(k.lost) > 0 && k.rng.IntN(8) > 0 {
		a.token = k.lost[k.rng.IntN(len(k.lost))].session
		if k.rng.IntN(16) == 0 {
			a.token.Secret ^= 1 << k.rng.IntN(64)
		}
	}
	return k.arrive(a)
}

// takeOver says hello with the name of a session whose connection seems to be there still.
func (k *kept) takeOver() *flaw {
	p := k.one(true)
	if p == nil || !p.hello || len(k.order) >= k.ends+4 {
		return nil
	}
	a := ask{kind: dispatch.SayHello, token: p.session}
	if k.rng.IntN(4) == 0 { // from a connection that has said something: that begins anew
		if o := k.one(true); o != nil {
			return k.do(o.conn, a)
		}
	}
	return k.arrive(a)
}

func (k *kept) arrive(a ask) *flaw {
	for {
		at := dispatch.MakeConn(0, k.rng.Uint32N(uint32(k.ends)+8), 0)
		if k.peers[at|dispatch.Conn(k.gens[at])] != nil {
			continue
		}
		k.gens[at]++
		p := &end{conn: at | dispatch.Conn(k.gens[at]), worker: true}
		k.peers[p.conn] = p
		k.order = append(k.order, p.conn)
		return k.do(p.conn, a)
	}
}

// sayMore extends an attempt or says how far it is, perhaps one that the worker does not have.
func (k *kept) sayMore() *flaw {
	p := k.one(true)
	if p == nil {
		return nil
	}
	return k.do(p.conn, k.aboutHand(k.aToken(p)))
}

// aToken is of something in a worker's hand, as a rule.
func (k *kept) aToken(p *end) dispatch.Token {
	switch {
	case len(p.held) > 0 && k.rng.IntN(6) > 0:
		return p.held[k.rng.IntN(len(p.held))].token
	case len(p.stale) > 0:
		return p.stale[k.rng.IntN(len(p.stale))]
	}
	return dispatch.Token{Slot: 1 + k.rng.Uint32N(20), Secret: k.rng.Uint64()}
}

// aboutHand is Extend or Progress.
func (k *kept) aboutHand(t dispatch.Token) ask {
	if k.rng.IntN(2) == 0 {
		return ask{kind: dispatch.Extend, token: t, at: k.rng.Int64N(1 << (8 + k.rng.IntN(8)))}
	}
	k.counter++
	return ask{kind: dispatch.Progress, token: t, body: fmt.Appendf(nil, `{"value":%d}`, k.counter)}
}

// handBack gives something back that a worker has not begun, or says that it wants no more.
func (k *kept) handBack() *flaw {
	p := k.one(true)
	if p == nil {
		return nil
	}
	a := ask{kind: dispatch.HandBack}
	if k.rng.IntN(2) == 0 {
		a.token = k.aToken(p)
	} else {
		a.count = k.rng.Uint32N(2)
	}
	return k.do(p.conn, a)
}

// takeLease asks for tasks over HTTP.
func (k *kept) takeLease() *flaw {
	p := k.one(false)
	if p == nil || !p.http {
		return nil
	}
	a := ask{kind: dispatch.TakeLease, count: 1 + k.rng.Uint32N(4)}
	for range 1 + k.rng.IntN(3) {
		a.body = append(append(a.body, k.task()...), '\n')
	}
	if k.rng.IntN(4) > 0 {
		a.at = k.rng.Int64N(20_000)
	}
	a.token.Secret = 1 + k.rng.Uint64N(1<<(8+k.rng.IntN(7)))
	return k.request(p, a)
}

// aLent draws a task that is lent, rather one whose worker is asked to stop.
func (k *kept) aLent() (e *end, h hand) {
	for range 5 {
		e = k.lent[k.rng.IntN(len(k.lent))]
		if h = e.held[k.rng.IntN(len(e.held))]; h.run != nil && h.run.stop {
			break
		}
	}
	return e, h
}

// ofLease says something of a lease, from whatever connection: as a rule one that there is.
func (k *kept) ofLease() *flaw {
	p := k.one(false)
	if p == nil || !p.http {
		return nil
	}
	var l lent
	kinds := 6
	switch o := k.one(true); {
	case len(k.lent) > 0 && k.rng.IntN(8) > 0:
		e, h := k.aLent()
		switch {
		case h.run == nil:
		case h.run.stop:
			kinds = 24 // more is said of it before it is answered
		case k.rng.IntN(5) == 0: // nobody wants it any more
			return k.request(p, ask{kind: dispatch.CancelRun, run: &h.run.id})
		}
		l = lent{h.token, e.secret}
		if k.rng.IntN(16) == 0 {
			l.secret ^= 1 << k.rng.IntN(64)
		}
	case len(k.over) > 0 && k.rng.IntN(4) > 0:
		l = k.over[max(0, len(k.over)-1-k.rng.IntN(8))]
	case o != nil && len(o.held) > 0: // what a worker with a WebSocket has is not lent
		l.token = o.held[0].token
	}
	a := k.result(l.token)
	switch k.rng.IntN(kinds) {
	case 0:
		a.kind, a.at = dispatch.SendError, dispatch.Usually
	case 1:
		a.kind, a.body = dispatch.HandBack, nil
	case 2, 3: // its result
	default:
		a = k.aboutHand(l.token)
	}
	a.count = 0
	a.nonce = binary.BigEndian.AppendUint64(nil, l.secret)
	return k.request(p, a)
}

// ofLease tells whether an event is said of a lease.
func (a *ask) ofLease() bool {
	switch a.kind {
	case dispatch.SendResult, dispatch.SendError, dispatch.Extend, dispatch.Progress, dispatch.HandBack:
		return a.nonce != nil
	}
	return false
}

// key is of the request that an event is.
func (a *ask) key(from dispatch.Conn) string {
	if a.ofLease() { // its secret is not sent back
		return requestKey(from, a.seq, nil)
	}
	return requestKey(from, a.seq, a.nonce)
}

// hellos follows SayHello: the session that it names moves to the connection, if there is one and it is the first that this
// one says.
func (k *kept) hellos(p *end, a *ask, was *prior) {
	fresh := !p.hello && len(p.names) == 0 && !p.spoke
	for _, s := range k.hands() {
		if s.lease == nil && s.session != (dispatch.Token{}) && s.session == a.token && (fresh || s == p) {
			was.hello = s
		}
	}
	if s := was.hello; s != nil && s != p {
		k.lost = slices.DeleteFunc(k.lost, func(o *end) bool { return o == s })
		if s.until == 0 {
			was.hung = s.conn
			old := &end{conn: s.conn, worker: true, blocked: s.blocked}
			k.peers[s.conn] = old
		}
		moved := *s
		moved.conn, moved.until, moved.credits, moved.blocked = p.conn, 0, 0, p.blocked
		*p = moved
		k.holds(p)
	}
	p.hello = true
	for _, h := range p.held {
		was.line = append(was.line, h.token)
	}
}

// told checks what a worker is told that said hello.
func (k *kept) told(p *end, e *dispatch.Effect, was *prior) *flaw {
	if p == nil {
		return flawed("gone", "told to who is not there")
	}
	switch e.Kind {
	case dispatch.Late:
		if was.late++; p != was.from || e.Token != k.event.token {
			return flawed("words", "late is what somebody else said")
		}
	case dispatch.NoMoreTasks:
		was.told[e.To]++
	case dispatch.Hangup:
		if was.hung != e.To {
			return flawed("sessions", "nobody has taken over")
		}
		was.hung = 0
	case dispatch.Welcome:
		return k.welcomed(p, e, was)
	}
	return nil
}

// welcomed checks the answer to a hello: the session that it names goes on, with what it has in hand, or a new one begins.
func (k *kept) welcomed(p *end, e *dispatch.Effect, was *prior) *flaw {
	if p != was.from || k.event.kind != dispatch.SayHello {
		return flawed("sessions", "nobody said hello")
	}
	var list []dispatch.Token
	for t, rest, ok := dispatch.NextToken(e.Body); ok; t, rest, ok = dispatch.NextToken(rest) {
		list = append(list, t)
	}
	switch on := was.hello != nil; {
	case e.Found != on:
		return flawed("sessions", "the session that it named goes on: %v, and should: %v", e.Found, on)
	case on && (!slices.Equal(list, was.line) || e.Token != p.session):
		return flawed("sessions", "it has %v in hand, and is told %v", was.line, list)
	case !on && len(list) > 0:
		return flawed("sessions", "a new session has something in hand")
	case !on && p.session != e.Token && k.names[e.Token]:
		return flawed("sessions", "a new session has an old name")
	}
	if e.Found {
		k.met["resumed"]++
	}
	p.session, k.names[e.Token] = e.Token, true
	was.from = nil // not twice
	return nil
}

// checkWords wants everybody to be told what is to be told, and no more.
func (k *kept) checkWords(a *ask, was *prior) *flaw {
	p := k.peers[k.eventFrom]
	late := 0
	switch a.kind {
	case dispatch.SendResult, dispatch.SendError, dispatch.Extend, dispatch.Progress, dispatch.HandBack:
		if !a.ofLease() && p != nil && p.hello && !was.mine && a.token != (dispatch.Token{}) {
			late = 1
		}
	case dispatch.SayHello:
		if was.from != nil {
			return flawed("sessions", "nobody answered a hello")
		}
	}
	if was.late != late {
		return flawed("words", "told to be late %d times, and should be %d times", was.late, late)
	}
	if was.hung != 0 {
		return flawed("sessions", "%s is not hung up", showConn(was.hung))
	}
	for c, p := range k.peers {
		want := 0
		if p.hello && (k.drains || a.kind == dispatch.SayHello && c == k.eventFrom && k.draining) {
			want = 1
		}
		if was.told[c] != want {
			return flawed("draining", "%s is told %d times that the server ends, and should be %d times", showConn(c), was.told[c], want)
		}
	}
	return nil
}

// leased follows a task that is lent.
func (k *kept) leased(e *dispatch.Effect) *flaw {
	key := requestKey(e.To, e.Seq, nil)
	r := k.asked[key]
	if r == nil || r.ask.kind != dispatch.TakeLease {
		return flawed("answers", "nobody asked for a lease")
	}
	l := (*end)(nil)
	for _, o := range k.lent {
		if o.lease == r {
			l = o
		}
	}
	if l == nil {
		l = &end{hello: true, lease: r, credits: int(r.ask.count), names: r.names()}
		k.lent = append(k.lent, l)
	}
	secret := l.secret
	if f := k.handOut(l, e); f != nil {
		return f
	}
	if secret != 0 && secret != l.secret || l.secret == 0 {
		return flawed("answers", "the tasks of a lease have not one secret")
	}
	h := l.held[len(l.held)-1]
	if t, err := dispatch.DecodeTicket(e.Nonce); err != nil || t.Deadline <= 0 || t.Deadline > k.now.Wall+h.until-k.now.Mono {
		return flawed("answers", "the lease is said to end at %d: %v", t.Deadline, err)
	}
	if !e.Found {
		r.done, l.credits, k.more = true, 0, nil
		delete(k.asked, key)
	} else {
		k.more = r
	}
	return nil
}

// names are those that a lease asks for.
func (r *request) names() (all []string) {
	name := []byte{}
	for _, c := range r.ask.body {
		if c == '\n' {
			all, name = append(all, string(name)), name[:0]
			continue
		}
		name = append(name, c)
	}
	return all
}

// wants tells whether it is a lease that waits for a task of a name.
func (r *request) wants(name string) bool {
	return r.ask.kind == dispatch.TakeLease && slices.Contains(r.names(), name)
}

// leasing is how many leases wait.
func (k *kept) leasing() (n int) {
	for _, r := range k.asked {
		if r.ask.kind == dispatch.TakeLease {
			n++
		}
	}
	return n
}

// ofLeases checks that there was nothing to lend, or that what was said of a lease counts, and is safe, and that its worker is
// told whether it is asked to stop.
func (k *kept) ofLeases(r *request, e *dispatch.Effect, was *prior) *flaw {
	if e.Kind == dispatch.NoLease {
		if k.now.Mono < r.began+r.ask.at && !k.draining {
			return flawed("early", "the lease would have waited until %d: %s", r.began+r.ask.at, &r.ask)
		}
		return nil
	}
	switch {
	case !r.mine:
		return flawed("words", "what was said of no lease is taken: %s", &r.ask)
	case r.needs > k.disk.told:
		return flawed("durable", "what was said of a lease is taken, and not safe: %s", &r.ask)
	}
	switch run := was.about; {
	case e.Found && (run == nil || !run.stop && run.mayCancel == 0):
		return flawed("words", "told to stop what nobody cancelled: %s", &r.ask)
	case !e.Found && run != nil && run.stop:
		return flawed("words", "not told to stop: %s", &r.ask)
	case e.Found:
		k.met["lease to stop"]++
	}
	return nil
}
