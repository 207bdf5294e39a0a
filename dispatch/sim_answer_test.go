package dispatch_test

import (
	"bytes"

	"workman/dispatch"
)

// follow checks what a step appended against what the model owes, and takes it off.
func (m *model) follow(out *dispatch.Batch) *flaw {
	m.released = 0
	for i := range out.Effects {
		e := &out.Effects[i]
		var f *flaw
		switch e.Kind {
		case dispatch.HandOut:
			f = m.handOut(e)
		case dispatch.Paused:
			f = m.paused(e)
		default:
			f = m.settle(e)
		}
		if f != nil {
			return flawed(f.check, "%s: %s", f.what, showEffect(e))
		}
	}
	return nil
}

// settle finds who was owed an effect, and checks that those that waited for a record leave in order.
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
		if a.record != 0 && a.record < m.released {
			return flawed("order", "released before record %d, after that of record %d", a.record, m.released)
		}
		m.released = max(m.released, a.record)
		m.owed = append(m.owed[:i], m.owed[i+1:]...)
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
	case a.kind == dispatch.Refused && a.reason != e.Reason:
		return "reason"
	case a.kind == dispatch.Unscheduled && a.found != e.Found:
		return "found"
	case a.kind == dispatch.Scheduled && a.token != e.Token:
		return "token"
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

// checkRecords wants exactly the records expected, in order. When the store has failed they mean nothing any more.
func checkRecords(m *model, s *step) *flaw {
	want, got := m.records, s.out.Records
	m.records = nil
	if m.failed && len(got) == 0 {
		m.record -= uint64(len(want))
		return nil
	}
	if len(got) != len(want) {
		return flawed("records", "%d records, and there should be %d", len(got), len(want))
	}
	for i := range got {
		g, w := &got[i], &want[i]
		if g.Kind != w.Kind || g.N != w.N || g.Token != w.Token || g.At != w.At ||
			!bytes.Equal(g.Name, w.Name) || !bytes.Equal(g.Body, w.Body) {
			return flawed("records", "%s, and it should be %s", showRecord(g), showRecord(w))
		}
	}
	return nil
}

// checkLoads wants one question to the store for each answer that waits for one.
func checkLoads(m *model, s *step) *flaw {
	for _, l := range s.out.Loads {
		m.load++
		a, ok := m.asked[m.load]
		if !ok || l.N != m.load || l.Token != a.token {
			return flawed("loads", "load %d of %v was not to be asked for as number %d", l.N, l.Token, m.load)
		}
	}
	return nil
}
