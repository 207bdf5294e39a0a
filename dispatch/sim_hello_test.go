package dispatch_test

import (
	"encoding/binary"
	"slices"

	"workman/dispatch"
)

// What the model knows of sessions, of leases, and of what workers say of tasks in their hand.

// fake is the address of a peer that has no connection.
func (m *model) fake() dispatch.Conn {
	m.fakes++
	return dispatch.MakeConn(255, 0, uint32(m.fakes))
}

// move has a peer be somewhere else, ready for nothing.
func (m *model) move(from, to dispatch.Conn) {
	for _, t := range m.leasedTo(from) {
		m.leases[t].worker = to
	}
	p := m.peers[from]
	delete(m.peers, from)
	p.credits, p.blocked, p.burst, p.lost = 0, false, 0, false
	m.peers[to] = p
}

// ofLease tells whether what a worker says is said of a lease.
func (in *input) ofLease() bool {
	switch in.kind {
	case dispatch.SendResult, dispatch.Extend, dispatch.Progress, dispatch.HandBack:
		return in.nonce != nil
	}
	return false
}

// mine is the run that a worker speaks of, if it has it. Otherwise it is told so, if it understands that. Of a lease it is told
// either way.
func (m *model) mine(from dispatch.Conn, in *input) *run {
	r := m.leases[in.token]
	if !in.ofLease() {
		if r != nil && r.worker == from {
			return r
		}
		m.count.BadResults++
		if m.peer(from).hello && in.token != (dispatch.Token{}) {
			m.owe(answer{caller: caller{to: from}, kind: dispatch.Late, token: in.token})
		}
		return nil
	}
	of := caller{to: from, seq: in.seq}
	if r != nil {
		if l := m.peers[r.worker].lease; l != nil && binary.BigEndian.Uint64(in.nonce) == l.secret {
			m.owe(answer{caller: of, kind: dispatch.LeaseTaken})
			return r
		}
	}
	m.count.BadResults++
	m.owe(answer{caller: of, kind: dispatch.Refused, reason: dispatch.StaleLease})
	return nil
}

// ofHand takes Extend, Progress and HandBack.
func (m *model) ofHand(from dispatch.Conn, in *input) {
	p := m.peer(from)
	if in.kind == dispatch.HandBack && in.token == (dispatch.Token{}) && !in.ofLease() {
		p.credits, p.worker, p.spoke = 0, true, true
		m.speaks(p)
		for _, t := range m.leasedTo(from) {
			if in.count != 0 {
				m.back(t)
			}
		}
		return
	}
	r := m.mine(from, in)
	switch {
	case r == nil:
	case in.kind == dispatch.HandBack:
		m.back(in.token)
	case in.kind == dispatch.Extend && r.until > 0:
		r.until = max(r.until, after(m.now.Mono, min(in.at, dispatch.MaxLease)))
	}
}

// back takes back what was not begun.
func (m *model) back(t dispatch.Token) {
	m.count.Requeued++
	m.insert(m.release(t))
}

// sayHello greets a worker. Its session goes on if it is the first that the connection says, and names one.
func (m *model) sayHello(from dispatch.Conn, in *input) {
	p := m.peer(from)
	for c, o := range m.peers {
		if o.session == (dispatch.Token{}) || o.session != in.token || o != p && p.spoke {
			continue
		}
		m.resumed = true
		if c == from {
			break
		}
		lost, blocked := o.lost, o.blocked
		m.move(c, from)
		o.blocked, o.until = p.blocked, 0
		p = o
		if !lost { // its connection seems to be there
			m.peers[c] = &peer{blocked: blocked}
			m.owe(answer{caller: caller{to: c}, kind: dispatch.Hangup})
		}
		break
	}
	m.greeting, p.hello, p.worker, p.spoke = p, true, true, true
	m.speaks(p)
	if m.resumed {
		m.finds = m.inHand(from)
	}
	if m.draining {
		m.owe(answer{caller: caller{to: from}, kind: dispatch.NoMoreTasks})
	}
}

// welcomed checks the answer to a hello.
func (m *model) welcomed(e *dispatch.Effect) *flaw {
	p := m.greeting
	if p == nil || m.peers[e.To] != p {
		return flawed("sessions", "nobody said hello there")
	}
	m.greeting = nil
	var list []dispatch.Token
	for t, rest, ok := dispatch.NextToken(e.Body); ok; t, rest, ok = dispatch.NextToken(rest) {
		list = append(list, t)
	}
	fresh := p.session == dispatch.Token{}
	switch {
	case e.Found != m.resumed:
		return flawed("sessions", "the session goes on: %v, and should: %v", e.Found, m.resumed)
	case !slices.Equal(list, m.finds):
		return flawed("sessions", "it has %v in hand, and is told %v", m.finds, list)
	case fresh && m.names[e.Token] || !fresh && p.session != e.Token:
		return flawed("sessions", "that is another's name")
	}
	p.session, m.names[e.Token] = e.Token, true
	return nil
}

// drain tells who understands it, and who waits for a lease.
func (m *model) drain() {
	if m.draining {
		return
	}
	m.draining = true
	for c, p := range m.peers {
		switch {
		case p.lease != nil:
			m.noLease(c, p)
		case p.hello && !p.lost:
			m.owe(answer{caller: caller{to: c}, kind: dispatch.NoMoreTasks})
		}
	}
}

// noLease ends a lease that waits.
func (m *model) noLease(c dispatch.Conn, p *peer) {
	if p.lease.waiting {
		m.owe(answer{caller: p.lease.caller, kind: dispatch.NoLease})
		m.end(c)
	}
}

// takeLease makes a lease a peer: it gets what is there, or waits.
func (m *model) takeLease(from dispatch.Conn, in *input, s *seen) *flaw {
	m.peer(from)
	if refused, f := m.judge(in, s, m.againstLease(from, in)); refused || f != nil {
		m.refuse(caller{to: from, seq: in.seq}, reasonOf(s))
		return f
	}
	p := &peer{hello: true, worker: true, spoke: true, lease: &borrows{
		caller: caller{to: from, seq: in.seq}, lasts: int64(in.token.Secret), open: true,
	}}
	for _, name := range in.names() {
		m.register(p, name, 0)
	}
	c := m.fake()
	m.peers[c] = p
	if m.oldest(p) != nil {
		p.credits = int(in.count)
		return nil
	}
	p.lease.waiting, p.until, p.credits = true, m.now.Mono+in.at, 1
	if in.at == 0 {
		m.noLease(c, p)
	}
	return nil
}

// names are those that a lease asks for.
func (in *input) names() []string {
	r := request{ask: ask{body: in.body}}
	return r.names()
}

func (m *model) againstLease(from dispatch.Conn, in *input) (against []dispatch.Reason) {
	if m.draining {
		against = append(against, dispatch.Draining)
	}
	if m.calls(from) >= m.cfg.ConnTasks {
		against = append(against, dispatch.TooManyHere)
	}
	all, waiting, names := 0, 0, 0
	for _, p := range m.peers {
		if p.lease == nil {
			continue
		}
		if all++; p.lease.waiting {
			waiting++
			names += len(p.names)
		}
	}
	known, distinct := len(m.lines), []string{}
	for _, name := range in.names() {
		if slices.Contains(distinct, name) || len(distinct) >= m.cfg.WorkerNames {
			continue
		}
		distinct = append(distinct, name)
		if m.lines[name] == nil {
			known++
		}
	}
	if waiting >= m.cfg.Leases || names+len(distinct) > m.cfg.LeaseNames || all >= max(m.cfg.Leases, m.cfg.MaxTasks/dispatch.LeasePart) {
		against = append(against, dispatch.TooManyLeases)
	}
	if known > m.cfg.MaxNames && known > len(m.lines) {
		against = append(against, dispatch.TooManyName)
	}
	return against
}

// leased checks a task that is lent, as a hand-out to the lease.
func (m *model) leased(e *dispatch.Effect) *flaw {
	at, p := dispatch.Conn(0), (*peer)(nil)
	for c, o := range m.peers {
		if l := o.lease; l != nil && l.open && l.to == e.To && l.seq == e.Seq {
			at, p = c, o
		}
	}
	ticket, err := dispatch.DecodeTicket(e.Nonce)
	switch {
	case p == nil || m.pouring != nil && m.pouring != p:
		return flawed("answers", "nobody waits for it, or something else comes first")
	case err != nil || p.lease.secret != 0 && p.lease.secret != ticket.Secret || ticket.Deadline != m.now.Wall+p.lease.lasts:
		return flawed("answers", "its ticket is %+v: %v", ticket, err)
	}
	p.lease.secret, p.lease.waiting, p.until = ticket.Secret, false, 0
	as := *e
	as.To = at
	if f := m.handOut(&as); f != nil {
		return f
	}
	if m.pouring = p; e.Found {
		return nil
	}
	if m.ready(p) && !m.full(p) && m.oldest(p) != nil {
		return flawed("idle", "there is more for the lease: %s", m.oldest(p).body)
	}
	m.pouring, p.lease.open, p.credits = nil, false, 0
	return nil
}

// clearLeases forgets those of which nothing is in a hand any more.
func (m *model) clearLeases() {
	for c, p := range m.peers {
		if p.due && p.lease.waiting {
			m.owe(answer{caller: p.lease.caller, kind: dispatch.NoLease})
		}
		if p.lease != nil && !p.lease.open && len(m.leasedTo(c)) == 0 {
			m.end(c)
		}
	}
}

// next is when time is over for something, on the clock that nobody sets.
func (m *model) next() (at int64, is bool) {
	note := func(v int64) {
		if v > 0 && (!is || v < at) {
			at, is = v, true
		}
	}
	if m.stopped {
		return 0, false
	}
	for _, p := range m.peers {
		note(p.until)
	}
	for _, r := range m.leases {
		note(r.until)
	}
	return at, is
}

// tick takes back what time is over for.
func (m *model) tick() {
	if m.stopped {
		return
	}
	for t, r := range m.leases {
		if p := m.peers[r.worker]; r.until > 0 && r.until <= m.now.Mono || p.lost && p.until <= m.now.Mono {
			m.freed = append(m.freed, r)
			m.lose(t)
		}
	}
	for c, p := range m.peers {
		if p.until == 0 || p.until > m.now.Mono {
			continue
		}
		if p.lost {
			m.end(c)
		} else {
			p.due = true // and something may come at the same time
		}
	}
}

// nothingToLend follows the end of a lease that waited long enough.
func (m *model) nothingToLend(e *dispatch.Effect) bool {
	for c, p := range m.peers {
		if p.due && p.lease.waiting && p.lease.to == e.To && p.lease.seq == e.Seq {
			m.end(c)
			return true
		}
	}
	return false
}
