package dispatch_test

import (
	"slices"

	"workman/dispatch"
)

// grain is the most that holding a few more bytes may cost beyond them: memory is taken a page at a time.
const grain = 64 << 10

// judge says whether a request was refused, and whether it had to be or was free to be.
func (m *model) judge(in *input, s *seen, against []dispatch.Reason) (refused bool, f *flaw) {
	if s.refusal == nil {
		if len(against) > 0 {
			return false, flawed("bounds", "accepted, and should be refused with one of %v", against)
		}
		return false, nil
	}
	r := s.refusal.Reason
	switch {
	case slices.Contains(against, r):
	case r == dispatch.NoMemory && m.short(in):
	default:
		return true, flawed("refusals", "refused with %v, and only %v would be right", r, against)
	}
	return true, nil
}

func reasonOf(s *seen) dispatch.Reason {
	if s.refusal == nil {
		return 0
	}
	return s.refusal.Reason
}

// short says whether the budget of bytes may be too small for a request.
func (m *model) short(in *input) bool {
	n := len(in.body) + len(in.nonce)
	return m.bytes+int64(n)+grain > m.cfg.MaxBytes
}

func (m *model) againstRun(from dispatch.Conn, in *input) (against []dispatch.Reason) {
	if m.draining {
		against = append(against, dispatch.Draining)
	}
	if m.queued()+len(m.leases) >= m.cfg.MaxTasks {
		against = append(against, dispatch.TooMany)
	}
	if m.calls(from) >= m.cfg.ConnTasks {
		against = append(against, dispatch.TooManyHere)
	}
	if in.hasTerms && in.terms.Staffed && (m.lines[string(in.name)] == nil || m.lines[string(in.name)].workers == 0) {
		against = append(against, dispatch.Nobody)
	}
	return m.againstName(in, against)
}

// calls counts what a connection waits for.
func (m *model) calls(from dispatch.Conn) (n int) {
	for _, l := range m.lines {
		for _, r := range l.queue {
			if r.to == from {
				n++
			}
		}
	}
	for _, r := range m.leases {
		if r.to == from {
			n++
		}
	}
	for _, p := range m.peers {
		if p.lease != nil && p.lease.waiting && p.lease.to == from {
			n++
		}
	}
	return n
}

func (m *model) againstName(in *input, against []dispatch.Reason) []dispatch.Reason {
	if m.lines[string(in.name)] == nil && len(m.lines) >= m.cfg.MaxNames {
		against = append(against, dispatch.TooManyName)
	}
	return against
}
