package dispatch_test

import "workman/dispatch"

// input is an event as the world makes it: with bytes of its own. A nil slice is the zero span.
type input struct {
	kind              dispatch.Kind
	count             uint32
	seq               uint64
	name, nonce, body []byte
	terms             dispatch.Terms // if it has any
	hasTerms          bool
	token             dispatch.Token
	at                int64
}

func (in *input) caller(from dispatch.Conn) caller {
	return caller{to: from, seq: in.seq, nonce: string(in.nonce)}
}

// answer is an effect that the model waits for.
type answer struct {
	caller
	kind    dispatch.EffectKind
	reason  dispatch.Reason
	body    string
	hasBody bool
	token   dispatch.Token
}

// seen is what the dispatcher chose in a step where it had a choice.
type seen struct {
	refusal *dispatch.Effect // of the caller's request
}

// apply takes an event into the model: what it changes, and what must leave because of it. Hand-outs come after, one
// by one, as the dispatcher chooses.
func (m *model) apply(from dispatch.Conn, in *input, s *seen) *flaw {
	switch in.kind {
	case dispatch.RunTask:
		return m.runTask(from, in, s)
	case dispatch.ListTasks:
		m.listTasks(from, in)
	case dispatch.RegisterTask:
		p := m.peer(from)
		m.speaks(p)
		if !m.register(p, string(in.name), int(in.count)) && p.hello {
			m.refuse(caller{to: from}, dispatch.TooManyName)
		}
		if len(p.names) > 0 {
			p.worker = true
		}
		p.maybe, p.spoke = true, true
	case dispatch.GetTask:
		m.credit(from, in.count, true)
	case dispatch.SendResult:
		m.sendResult(from, in)
	case dispatch.SayHello:
		m.sayHello(from, in)
	case dispatch.Extend, dispatch.Progress, dispatch.HandBack:
		m.ofHand(from, in)
	case dispatch.TakeLease:
		return m.takeLease(from, in, s)
	case dispatch.Tick:
		m.tick()
	case dispatch.Block, dispatch.Unblock:
		p := m.peer(from)
		p.blocked, p.burst = in.kind == dispatch.Block, 0
		m.peer(from).maybe = true
	case dispatch.Gone:
		m.leave(from)
	case dispatch.Drain:
		m.drain()
	case dispatch.Stop:
		m.stop()
	}
	return nil
}

func (m *model) owe(a answer) { m.owed = append(m.owed, a) }

func (m *model) refuse(c caller, r dispatch.Reason) {
	if r != dispatch.WorkersLost {
		m.count.Refused++
	}
	m.owe(answer{caller: c, kind: dispatch.Refused, reason: r})
}

func (m *model) runTask(from dispatch.Conn, in *input, s *seen) *flaw {
	m.peer(from)
	if refused, f := m.judge(in, s, m.againstRun(from, in)); refused || f != nil {
		m.refuse(in.caller(from), reasonOf(s))
		return f
	}
	m.count.Submitted++
	rank := usualRank
	if in.hasTerms && in.terms.Priority >= 0 {
		rank = 9 - in.terms.Priority
	}
	m.enqueue(&run{caller: in.caller(from), name: string(in.name), body: string(in.body)}, rank)
	return nil
}

func (m *model) listTasks(from dispatch.Conn, in *input) {
	m.peer(from)
	a := answer{caller: in.caller(from), kind: dispatch.Listed}
	for _, name := range m.listed {
		a.body += name + "\n"
	}
	m.owe(a)
}

// speaks notes that a worker says something: what it was handed in inputs before is written.
func (m *model) speaks(p *peer) {
	if p.input != m.input {
		p.input, p.burst = m.input, 0
	}
}

func (m *model) credit(from dispatch.Conn, n uint32, asked bool) {
	p := m.peer(from)
	p.maybe = true
	p.worker = p.worker || n > 0
	p.spoke = p.spoke || n > 0 || asked
	if n > 0 || asked {
		m.speaks(p)
	}
	p.credits = min(p.credits+int(n), m.cfg.WorkerCredit)
}

func (m *model) sendResult(from dispatch.Conn, in *input) {
	m.peer(from)
	if !in.ofLease() {
		m.peer(from).maybe = true
		m.credit(from, in.count, false)
	}
	r := m.mine(from, in)
	if r == nil {
		return
	}
	m.release(in.token)
	m.count.Finished++
	m.owe(answer{caller: r.caller, kind: dispatch.Result, body: string(in.body), hasBody: in.body != nil})
}

// leave ends a connection. A session has its grace then; what others had goes back.
func (m *model) leave(from dispatch.Conn) {
	p := m.peers[from]
	if p == nil {
		return
	}
	for c, l := range m.peers {
		if l.lease != nil && l.lease.waiting && l.lease.to == from {
			m.end(c)
		}
	}
	if p.hello && len(m.leasedTo(from)) > 0 && m.cfg.Grace > 0 && !m.stopped {
		m.move(from, m.fake())
		p.lost, p.until = true, m.now.Mono+m.cfg.Grace
		return
	}
	m.end(from)
}

// end forgets a peer: what it had goes back.
func (m *model) end(c dispatch.Conn) {
	for _, t := range m.leasedTo(c) {
		m.lose(t)
	}
	m.unregister(m.peers[c])
	delete(m.peers, c)
}

// lose takes back what its worker is lost with, unless that was so too often.
func (m *model) lose(t dispatch.Token) {
	r := m.release(t)
	if r.losses++; r.losses < m.cfg.Losses {
		m.count.Requeued++
		m.insert(r)
		return
	}
	m.count.GivenUp++
	m.refuse(r.caller, dispatch.WorkersLost)
}

// stop ends every run, and answers whoever waits for one.
func (m *model) stop() {
	m.drain()
	m.stopped = true
	for _, l := range m.lines {
		for _, r := range l.queue {
			m.abandon(r)
		}
		l.queue, l.leased = nil, 0
	}
	for _, r := range m.leases {
		m.abandon(r)
	}
	clear(m.leases)
	for c, p := range m.peers {
		if p.lost {
			m.end(c)
		}
	}
}

// abandon ends a run of which nothing comes any more. It counts as neither finished nor refused.
func (m *model) abandon(r *run) {
	m.owe(answer{caller: r.caller, kind: dispatch.Refused, reason: dispatch.Draining})
}
