package dispatch_test

import (
	"fmt"
	"slices"

	"workman/dispatch"
)

// handOutChecks look at each hand-out before the model follows it. Each says what is wrong, or nothing.
var handOutChecks = []struct {
	name  string
	check func(*model, *dispatch.Effect) string
}{
	{"stopped", checkStopped},
	{"gone", checkThere},
	{"blocked", checkBlocked},
	{"burst", checkBurst},
	{"credits", checkCredits},
	{"names", checkName},
	{"limits", checkLimit},
	{"fifo", checkFIFO},
	{"oldest", checkOldest},
	{"bytes", checkOptions},
	{"tokens", checkToken},
}

// handOut checks a hand-out, and follows it.
func (m *model) handOut(e *dispatch.Effect) *flaw {
	for _, c := range handOutChecks {
		if what := c.check(m, e); what != "" {
			return flawed(c.name, "%s", what)
		}
	}
	m.lease(m.meant(e), e.To, e.Token)
	return nil
}

// meant is the run that a hand-out is about: the head of its name's line. When time is over for several, they come back one
// after the other, and each may be handed on before the next: so any of these, if only others of these are before it.
func (m *model) meant(e *dispatch.Effect) *run {
	q := m.lines[string(e.Name)].queue
	for _, r := range q {
		if r.body == string(e.Body) {
			return r
		}
		if !slices.Contains(m.freed, r) {
			break
		}
	}
	return q[0]
}

func checkLimit(m *model, e *dispatch.Effect) string {
	if m.isFull(m.peers[e.To], string(e.Name)) {
		return "handed out to a worker that has as many of the name as it takes at once"
	}
	return ""
}

func checkStopped(m *model, _ *dispatch.Effect) string {
	if m.stopped {
		return "handed out after Stop"
	}
	return ""
}

func checkThere(m *model, e *dispatch.Effect) string {
	if m.peers[e.To] == nil {
		return "handed out to a connection that is not there"
	}
	return ""
}

func checkBlocked(m *model, e *dispatch.Effect) string {
	if m.peers[e.To].blocked {
		return "handed out to a worker that does not read"
	}
	return ""
}

// full says whether a worker has been handed so much that its loop must be asked first.
func (m *model) full(p *peer) bool {
	return p.burst >= m.cfg.Burst
}

func checkBurst(m *model, e *dispatch.Effect) string {
	if m.full(m.peers[e.To]) {
		return "handed out to a worker that has much on its way"
	}
	return ""
}

// paused follows an effect that stops hand-outs to a worker.
func (m *model) paused(e *dispatch.Effect) *flaw {
	p := m.peers[e.To]
	if p == nil || p.blocked || !m.full(p) {
		return flawed("burst", "paused without a reason")
	}
	p.blocked = true
	return nil
}

func checkCredits(m *model, e *dispatch.Effect) string {
	if m.peers[e.To].credits < 1 {
		return "handed out to a worker that did not ask"
	}
	return ""
}

func checkName(m *model, e *dispatch.Effect) string {
	if !slices.Contains(m.peers[e.To].names, string(e.Name)) {
		return "handed out to a worker that did not register the name"
	}
	return ""
}

// checkFIFO wants the head of the name's line. Bodies tell runs apart, nearly always.
func checkFIFO(m *model, e *dispatch.Effect) string {
	q := m.lines[string(e.Name)].queue
	if len(q) == 0 {
		return "handed out, and nobody queues for it"
	}
	at := slices.IndexFunc(q, func(r *run) bool { return r.body == string(e.Body) })
	if at > 0 && q[at] != m.meant(e) {
		return fmt.Sprintf("handed out number %d of the line, and not the first, %s", at, q[0].body)
	}
	return ""
}

func checkOldest(m *model, e *dispatch.Effect) string {
	head := m.meant(e)
	if first := m.oldest(m.peers[e.To]); first != head && !slices.Contains(m.freed, first) {
		return fmt.Sprintf("handed out place %d, and the worker could do place %d, %s of %s",
			head.place, first.place, first.body, first.name)
	}
	return ""
}

func checkOptions(m *model, e *dispatch.Effect) string {
	if head := m.meant(e); head.body != string(e.Body) {
		return fmt.Sprintf("options should be %s", head.body)
	}
	return ""
}

func checkToken(m *model, e *dispatch.Effect) string {
	if m.leases[e.Token] != nil {
		return fmt.Sprintf("%v already names something", e.Token)
	}
	return ""
}
