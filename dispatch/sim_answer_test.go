package dispatch_test

import "workman/dispatch"

// follow checks what a step appended against what the model owes, and takes it off.
func (m *model) follow(out *dispatch.Batch) *flaw {
	for i := range out.Effects {
		e := &out.Effects[i]
		var f *flaw
		switch e.Kind {
		case dispatch.HandOut:
			f = m.handOut(e)
		case dispatch.Leased:
			f = m.leased(e)
		case dispatch.Welcome:
			f = m.welcomed(e)
		case dispatch.Paused:
			f = m.paused(e)
		default:
			f = m.settle(e)
		}
		if f != nil {
			return flawed(f.check, "%s: %s", f.what, showEffect(e))
		}
		if m.pouring != nil && e.Kind != dispatch.Leased {
			return flawed("answers", "it stands between the tasks of a lease: %s", showEffect(e))
		}
	}
	switch {
	case m.pouring != nil:
		return flawed("answers", "another task of a lease does not follow")
	case m.greeting != nil:
		return flawed("sessions", "a hello is not answered")
	}
	m.clearLeases()
	return nil
}

// settle finds who was owed an effect.
func (m *model) settle(e *dispatch.Effect) *flaw {
	near := flawed("answers", "nobody is owed it")
	for i, a := range m.owed {
		if a.kind != e.Kind || a.to != e.To {
			continue
		}
		if what := a.differs(e); what != "" {
			near = flawed("answers", "nobody is owed it; the nearest differs in its %s: %s", what, showAnswer(a))
			continue
		}
		m.owed = append(m.owed[:i], m.owed[i+1:]...)
		return nil
	}
	if e.Kind == dispatch.NoLease && m.nothingToLend(e) {
		return nil
	}
	return near
}

// differs names the first field in which an effect is not what is owed. Only fields that its kind uses count.
func (a *answer) differs(e *dispatch.Effect) string {
	switch {
	case a.seq != e.Seq:
		return "sequence"
	case a.nonce != string(e.Nonce):
		return "nonce"
	case a.kind == dispatch.Late && a.token != e.Token:
		return "token"
	case a.kind == dispatch.Refused && a.reason != e.Reason:
		return "reason"
	case (a.kind == dispatch.Result || a.kind == dispatch.Listed) && a.body != string(e.Body):
		return "body"
	case a.kind == dispatch.Result && a.hasBody != (e.Body != nil):
		return "body (undefined or not)"
	}
	return ""
}

// checkAnswered wants everything owed to have left, but what was owed to who has gone.
func checkAnswered(m *model, _ *step) *flaw {
	for _, a := range m.owed {
		if m.peers[a.to] != nil {
			return flawed("answers", "%d are missing, the first: %s", len(m.owed), showAnswer(a))
		}
	}
	m.owed = m.owed[:0]
	return nil
}

// checkNothingStored wants calls to leave nothing to the store.
func checkNothingStored(_ *model, s *step) *flaw {
	if n := len(s.out.Ops) + len(s.out.Loads) + len(s.out.Calls); n > 0 {
		return flawed("stored", "%d things for a store that there is not", n)
	}
	return nil
}
