package dispatch_test

import "workman/dispatch"

// step is one step as the checkers see it, after the model followed it.
type step struct {
	in    *input
	out   *dispatch.Batch
	now   dispatch.Now
	sleep int64
	stats dispatch.Stats
}

// stepChecks look at the whole after each step.
var stepChecks = []func(*model, *step) *flaw{
	checkAnswered, checkNothingStored, checkIdle, checkSleep, checkBounds, checkBytes, checkCounts, checkHeld,
	checkReport,
}

// checkIdle wants nobody to wait beside a worker that could serve.
func checkIdle(m *model, _ *step) *flaw {
	for c, p := range m.peers {
		if !m.ready(p) {
			continue
		}
		if r := m.oldest(p); r != nil {
			return flawed("idle", "%s waits (place %d), and worker %s is idle", r.body, r.place, showConn(c))
		}
	}
	return nil
}

// checkSleep wants not to be called for nothing, and to be called in time: no call waits for a time, but a session does that
// lost its connection, and a lease.
func checkSleep(m *model, s *step) *flaw {
	next, is := m.next()
	switch late := max(0, next-m.now.Mono); {
	case !is && s.sleep >= 0:
		return flawed("sleep", "it sleeps %d ms, and nothing is to come", s.sleep)
	case is && (s.sleep < 0 || s.sleep > late):
		return flawed("sleep", "it sleeps %d ms, and something is to come in %d", s.sleep, late)
	case s.in.kind == dispatch.Tick && s.sleep == 0:
		return flawed("sleep", "it wants another Tick at once")
	}
	return nil
}

// checkBounds holds the dispatcher to what it says it holds. (What it accepted, the model judged.)
func checkBounds(m *model, s *step) *flaw {
	st := &s.stats
	switch {
	case st.Bytes > m.cfg.MaxBytes+m.beyond:
		return flawed("bounds", "%d bytes are held, and %d may be", st.Bytes, m.cfg.MaxBytes)
	case st.Names > m.cfg.MaxNames:
		return flawed("bounds", "%d names are known, and %d may be", st.Names, m.cfg.MaxNames)
	case st.Queued+st.Leased > m.cfg.MaxTasks:
		return flawed("bounds", "%d tasks are held, and %d may be", st.Queued+st.Leased, m.cfg.MaxTasks)
	}
	return nil
}

// checkBytes wants the bytes held to be counted: at least what is still to be sent.
func checkBytes(m *model, s *step) *flaw {
	m.bytes = s.stats.Bytes
	if held := m.held(); m.bytes < held {
		return flawed("memory", "%d bytes are counted, and at least %d are held", m.bytes, held)
	}
	return nil
}

// checkCounts compares what only grows.
func checkCounts(m *model, s *step) *flaw {
	w, g := &m.count, &s.stats
	for _, c := range []struct {
		name      string
		want, got uint64
	}{
		{"Submitted", w.Submitted, g.Submitted}, {"Refused", w.Refused, g.Refused},
		{"HandedOut", w.HandedOut, g.HandedOut}, {"Requeued", w.Requeued, g.Requeued},
		{"Finished", w.Finished, g.Finished}, {"BadResults", w.BadResults, g.BadResults}, {"GivenUp", w.GivenUp, g.GivenUp},
	} {
		if c.want != c.got {
			return flawed("stats", "%s is %d, and should be %d", c.name, c.got, c.want)
		}
	}
	return nil
}

// checkHeld compares what is held now.
func checkHeld(m *model, s *step) *flaw {
	workers, perhaps := m.workers()
	g := &s.stats
	for _, c := range []struct {
		name          string
		from, to, got int
	}{
		{"Queued", m.queued(), m.queued(), g.Queued},
		{"Leased", len(m.leases), len(m.leases), g.Leased},
		{"Schedule", 0, 0, g.Schedule},
		{"Names", len(m.lines), len(m.lines), g.Names},
		{"Waiting", 0, 0, g.Waiting},
		{"Workers", workers, perhaps, g.Workers},
	} {
		if c.got < c.from || c.got > c.to {
			return flawed("stats", "%s is %d, and should be %d (to %d)", c.name, c.got, c.from, c.to)
		}
	}
	return nil
}

// workers counts the workers there are: those that surely are, and with those that may be taken for some.
func (m *model) workers() (surely, perhaps int) {
	for _, p := range m.peers {
		if p.worker {
			surely++
		}
		if p.maybe || p.worker {
			perhaps++
		}
	}
	return surely, perhaps
}

// checkReport wants a report when it was asked for, and only then.
func checkReport(_ *model, s *step) *flaw {
	switch {
	case (s.out.Stats != nil) != (s.in.kind == dispatch.Report):
		return flawed("report", "reported: %v", s.out.Stats != nil)
	case s.out.Stats != nil && *s.out.Stats != s.stats:
		return flawed("report", "reported %+v, and holds %+v", *s.out.Stats, s.stats)
	}
	return nil
}
