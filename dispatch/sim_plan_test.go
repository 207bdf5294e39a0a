package dispatch_test

import "workman/dispatch"

func (m *model) scheduleTask(from dispatch.Conn, in *input, s *seen) *flaw {
	m.peer(from)
	if refused, f := m.judge(in, s, m.againstSchedule(in)); refused || f != nil {
		m.refuse(in.caller(from), reasonOf(s))
		return f
	}
	p := &plan{at: in.at, name: string(in.name), body: string(in.body)}
	a := answer{caller: in.caller(from), kind: dispatch.Scheduled}
	if f := m.name(p, &a, s); f != nil {
		return f
	}
	m.addPlan(p)
	m.promise(a, dispatch.Record{Kind: dispatch.RecordAdded, Token: p.token, At: p.at, Name: in.name, Body: in.body})
	p.record = m.record
	if s.fired > 0 {
		return m.fire(p)
	}
	return nil
}

// name learns which token the dispatcher chose, from the record or from the answer.
func (m *model) name(p *plan, a *answer, s *seen) *flaw {
	switch {
	case m.cfg.Durable && s.added != nil:
		p.token = s.added.Token
	case !m.cfg.Durable && s.told != nil:
		p.token = s.told.Token
	default:
		return flawed("answers", "a schedule was accepted, and nothing tells its token")
	}
	a.token = p.token
	return m.fresh(p.token)
}

// fresh checks that a token means nothing else.
func (m *model) fresh(t dispatch.Token) *flaw {
	if m.leases[t] != nil || m.plan(t) != nil {
		return flawed("tokens", "%v already names something", t)
	}
	return nil
}

// promise owes an answer that a record must be durable for.
func (m *model) promise(a answer, r dispatch.Record) {
	if !m.cfg.Durable {
		m.owe(a)
		return
	}
	a.record = m.write(r)
	m.parked = append(m.parked, a)
}

// write expects a record.
func (m *model) write(r dispatch.Record) uint64 {
	m.record++
	r.N = m.record
	m.records = append(m.records, r)
	return r.N
}

func (m *model) fire(p *plan) *flaw {
	if p.at > m.now.Wall {
		return flawed("early", "fired at %d, and its time is %d", m.now.Wall, p.at)
	}
	m.dropPlan(p)
	m.count.Fired++
	if m.cfg.Durable {
		m.gone[p.token] = m.write(dispatch.Record{Kind: dispatch.RecordRemoved, Token: p.token})
	}
	m.enqueue(&run{name: p.name, body: p.body})
	return nil
}

// tick fires what is due, but no more than may be at once.
func (m *model) tick(s *seen) *flaw {
	due := m.due()
	due = due[:min(len(due), m.cfg.FirePerStep)]
	if m.stopped {
		due = nil
	}
	switch {
	case s.fired < len(due):
		return flawed("late", "%d fired, and %d were due; the first at %d", s.fired, len(due), due[0].at)
	case s.fired > len(due):
		return flawed("early", "%d fired, and %d were due or may fire in one step", s.fired, len(due))
	}
	for _, p := range due {
		if f := m.fire(p); f != nil {
			return f
		}
	}
	return nil
}

func (m *model) unscheduleTask(from dispatch.Conn, in *input, s *seen) *flaw {
	m.peer(from)
	p := m.plan(in.token)
	if p == nil {
		return m.unscheduleUnknown(from, in, s)
	}
	var against []dispatch.Reason
	if m.failed {
		against = append(against, dispatch.NotStored)
	}
	if refused, f := m.judge(in, s, against); refused || f != nil {
		m.refuse(in.caller(from), reasonOf(s))
		return f
	}
	m.dropPlan(p)
	a := answer{caller: in.caller(from), kind: dispatch.Unscheduled, found: true}
	m.promise(a, dispatch.Record{Kind: dispatch.RecordRemoved, Token: in.token})
	m.gone[in.token] = m.record
	return nil
}

// unscheduleUnknown asks the store, unless there is none, or it is known to be wrong.
func (m *model) unscheduleUnknown(from dispatch.Conn, in *input, s *seen) *flaw {
	a := answer{caller: in.caller(from), kind: dispatch.Unscheduled}
	removing := m.gone[in.token] > m.durable && !m.failed // the store still believes in it, but not for long
	switch {
	case !m.cfg.Durable, removing && s.told != nil:
		m.owe(a)
	case s.refusal != nil && (m.failed || m.short(in)):
		m.refuse(in.caller(from), reasonOf(s))
	case m.failed && m.gone[in.token] > m.durable && s.told != nil:
		return flawed("found", "%v is said not to be there, but the failed store has it still", showToken(in.token))
	case s.loads == 0:
		return flawed("loads", "%v is unknown, and the store was not asked", in.token)
	default:
		a.token = in.token
		m.asked[m.load+1] = a
	}
	return nil
}

// loaded answers who asked. What has fired or was removed must not be found again, however late the store learns of it:
// who is told "found" relies on it not to run.
func (m *model) loaded(in *input) *flaw {
	a, ok := m.asked[in.seq]
	if !ok {
		return nil
	}
	delete(m.asked, in.seq)
	a.found = in.count == 1
	m.owe(a)
	if n := m.gone[a.token]; a.found && n != 0 {
		return flawed("found", "%v is found in the store, and ended with record %d", showToken(a.token), n)
	}
	return nil
}

// commit releases what waited for records up to n.
func (m *model) commit(n uint64) {
	m.durable = max(m.durable, n)
	for len(m.parked) > 0 && m.parked[0].record <= n {
		m.owe(m.parked[0])
		m.parked = m.parked[1:]
	}
}

// fail releases what was still made durable, and refuses the rest.
func (m *model) fail(n uint64) {
	m.commit(n)
	m.failed = true
	for _, a := range m.parked {
		if p := m.plan(a.token); p != nil && a.kind == dispatch.Scheduled {
			m.dropPlan(p)
		}
		m.refuse(a.caller, dispatch.NotStored)
	}
	m.parked = nil
}
