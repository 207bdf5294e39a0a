package dispatch_test

import (
	"bytes"
	"math"
	"slices"

	"workman/dispatch"
)

// onto changes effects of one kind.
func onto(kind dispatch.EffectKind, change func(*saboteur, *dispatch.Effect)) func(*saboteur, *dispatch.Effect) fate {
	return func(s *saboteur, e *dispatch.Effect) fate {
		if e.Kind == kind {
			change(s, e)
		}
		return keep
	}
}

// when lets effects of one kind meet a fate.
func when(kind dispatch.EffectKind, f fate) func(*saboteur, *dispatch.Effect) fate {
	return func(_ *saboteur, e *dispatch.Effect) fate {
		if e.Kind == kind {
			return f
		}
		return keep
	}
}

// hears changes events of one kind.
func hears(kind dispatch.Kind, change func(*dispatch.Event)) func(*saboteur, *dispatch.Now, *dispatch.Event) bool {
	return func(_ *saboteur, _ *dispatch.Now, ev *dispatch.Event) bool {
		if ev.Kind == kind {
			change(ev)
		}
		return false
	}
}

// toward hands out to a worker of the wrong sort.
func toward(is func(*peer, string) bool) func(*saboteur, *dispatch.Effect) fate {
	return onto(dispatch.HandOut, func(s *saboteur, e *dispatch.Effect) {
		if c := s.other(func(p *peer) bool { return is(p, string(e.Name)) }); c != 0 {
			e.To = c
		}
	})
}

// faults are defects, each with the checker that is there for it.
var faults = []fault{
	{name: "a hand-out lost", caught: "idle", often: 5, effect: when(dispatch.HandOut, lose)},
	{name: "a hand-out twice", caught: "fifo", often: 5, effect: when(dispatch.HandOut, twice)},
	{name: "a hand-out to a predecessor", caught: "gone", often: 5,
		effect: onto(dispatch.HandOut, func(_ *saboteur, e *dispatch.Effect) { e.To-- })},
	{name: "a hand-out to who cannot", caught: "names", effect: toward(func(p *peer, name string) bool {
		return p.credits > 0 && !p.blocked && !slices.Contains(p.names, name)
	})},
	{name: "a hand-out to who did not ask", caught: "credits", effect: toward(func(p *peer, name string) bool {
		return p.credits == 0 && !p.blocked && slices.Contains(p.names, name)
	})},
	{name: "a hand-out to who does not read", caught: "blocked", effect: toward(func(p *peer, name string) bool {
		return p.credits > 0 && p.blocked && slices.Contains(p.names, name)
	})},
	{name: "Block forgotten", caught: "blocked",
		event: func(_ *saboteur, _ *dispatch.Now, ev *dispatch.Event) bool { return ev.Kind == dispatch.Block }},
	{name: "a credit too many", caught: "credits", often: 5,
		event: func(_ *saboteur, _ *dispatch.Now, ev *dispatch.Event) bool {
			if ev.Kind == dispatch.GetTask && ev.Count < math.MaxUint32 {
				ev.Count++
			}
			return false
		}},
	{name: "the second in line first", caught: "fifo", effect: onto(dispatch.HandOut, secondFirst)},
	{name: "a younger task of another name first", caught: "oldest", effect: onto(dispatch.HandOut, youngerName)},
	{name: "options spoilt", caught: "bytes", often: 5,
		effect: onto(dispatch.HandOut, func(_ *saboteur, e *dispatch.Effect) { e.Body = append(bytes.Clone(e.Body), '!') })},
	{name: "a token twice", caught: "tokens", often: 5, effect: onto(dispatch.HandOut, func(s *saboteur, e *dispatch.Effect) {
		for t := range s.world.model.leases {
			e.Token = t
		}
	})},
	{name: "a result lost", caught: "answers", often: 5, effect: when(dispatch.Result, lose)},
	{name: "a result twice", caught: "answers", often: 5, effect: when(dispatch.Result, twice)},
	{name: "a result to a successor", caught: "answers", often: 5,
		effect: onto(dispatch.Result, func(_ *saboteur, e *dispatch.Effect) { e.To++ })},
	{name: "a result for another request", caught: "answers", often: 5,
		effect: onto(dispatch.Result, func(_ *saboteur, e *dispatch.Effect) { e.Seq++ })},
	{name: "a result without its nonce", caught: "answers", often: 5,
		effect: onto(dispatch.Result, func(_ *saboteur, e *dispatch.Effect) { e.Nonce = nil })},
	{name: "a result spoilt", caught: "answers", often: 5,
		effect: onto(dispatch.Result, func(_ *saboteur, e *dispatch.Effect) { e.Body = append(bytes.Clone(e.Body), '!') })},
	{name: "undefined is empty", caught: "answers", effect: onto(dispatch.Result, func(_ *saboteur, e *dispatch.Effect) {
		e.Body = append([]byte{}, e.Body...)
	})},
	{name: "names out of order", caught: "answers", effect: onto(dispatch.Listed, func(_ *saboteur, e *dispatch.Effect) {
		names := bytes.SplitAfter(bytes.Clone(e.Body), []byte("\n"))
		slices.Reverse(names)
		e.Body = bytes.Join(names, nil)
	})},
	{name: "another reason", caught: "answers", effect: onto(dispatch.Refused, func(s *saboteur, e *dispatch.Effect) {
		if s.kind == dispatch.Gone || s.kind == dispatch.Stop {
			e.Reason = dispatch.TooMany
		}
	})},
	{name: "Stop answers not everybody", caught: "answers", effect: func(s *saboteur, e *dispatch.Effect) fate {
		if s.kind == dispatch.Stop {
			return lose
		}
		return keep
	}},
	{name: "not told to be late", caught: "answers", often: 5, effect: when(dispatch.Late, lose)},
	{name: "not told that a name is too many", caught: "answers", effect: onto(dispatch.Refused, func(s *saboteur, e *dispatch.Effect) {
		if s.kind == dispatch.RegisterTask {
			e.To++
		}
	})},
	{name: "another is late", caught: "answers", often: 5,
		effect: onto(dispatch.Late, func(_ *saboteur, e *dispatch.Effect) { e.Token.Slot++ })},
	{name: "a lease that is none is taken", caught: "answers", effect: onto(dispatch.Refused, func(_ *saboteur, e *dispatch.Effect) {
		if e.Reason == dispatch.StaleLease {
			e.Kind, e.Reason = dispatch.LeaseTaken, 0
		}
	})},
	{name: "a lease in two answers", caught: "idle", effect: onto(dispatch.Leased, func(_ *saboteur, e *dispatch.Effect) { e.Found = false })},
	{name: "a lease without end", caught: "sleep", event: hears(dispatch.TakeLease, func(ev *dispatch.Event) { ev.Token.Secret *= 2 }),
		effect: onto(dispatch.Leased, func(s *saboteur, e *dispatch.Effect) { // it is said as it should be
			if t, err := dispatch.DecodeTicket(e.Nonce); err == nil {
				t.Deadline -= (t.Deadline - s.world.now.Wall) / 2
				e.Nonce = t.Append(nil)
			}
		})},
	{name: "twice the grace", caught: "sleep", config: func(c *dispatch.Config) { c.Grace *= 2 }},
	{name: "half the grace", caught: "sleep", config: func(c *dispatch.Config) { c.Grace /= 2 }},
	{name: "a lease more that waits", caught: "bounds", config: func(c *dispatch.Config) { c.Leases++ }},
	{name: "a name of a lease more that waits", caught: "bounds", config: func(c *dispatch.Config) { c.LeaseNames++ }},
	{name: "no session goes on", caught: "sessions", event: hears(dispatch.SayHello, func(ev *dispatch.Event) { ev.Token = dispatch.Token{} })},
	{name: "a session without a task", caught: "sessions", effect: onto(dispatch.Welcome, func(_ *saboteur, e *dispatch.Effect) {
		if len(e.Body) > 12 {
			e.Body = e.Body[12:]
		}
	})},
	{name: "a hello unanswered", caught: "sessions", effect: when(dispatch.Welcome, lose)},
	{name: "the old connection stays", caught: "answers", effect: when(dispatch.Hangup, lose)},
	{name: "no word of the end", caught: "answers", effect: when(dispatch.NoMoreTasks, lose)},
	{name: "more of a name than it takes", caught: "limits", event: hears(dispatch.RegisterTask, func(ev *dispatch.Event) { ev.Count = 0 })},
	{name: "less of a name than it takes", caught: "idle", event: hears(dispatch.RegisterTask, func(ev *dispatch.Event) { ev.Count = min(ev.Count, 1) })},
	{name: "not handed back", caught: "stats", event: func(_ *saboteur, _ *dispatch.Now, ev *dispatch.Event) bool {
		return ev.Kind == dispatch.HandBack && ev.Token == dispatch.Token{}
	}},
	{name: "refused for nothing", caught: "refusals", often: 20, event: refuseRun},
	{name: "a hand-out after Stop", caught: "stopped", batch: func(s *saboteur, out *dispatch.Batch, _ mark) {
		if s.world.model.stopped {
			out.Effects = append(out.Effects, dispatch.Effect{Kind: dispatch.HandOut, To: s.from})
		}
	}},
	{name: "a call that is stored", caught: "stored", often: 10, batch: func(_ *saboteur, out *dispatch.Batch, _ mark) {
		out.Ops = append(out.Ops, dispatch.Op{Table: dispatch.TableRuns})
	}},
	{name: "urgent or not is all the same", caught: "oldest", event: func(_ *saboteur, _ *dispatch.Now, ev *dispatch.Event) bool {
		ev.Terms = dispatch.Span{}
		return false
	}},
	{name: "a batch that does not keep", caught: "borrowed", batch: func(_ *saboteur, out *dispatch.Batch, own mark) {
		if own.effects > 0 {
			out.Effects[0].Nonce = []byte("spoilt")
		}
	}},
	{name: "never sleeping", caught: "sleep", sleep: func(int64) int64 { return 0 }},
	{name: "a task too many", caught: "bounds", config: func(c *dispatch.Config) { c.MaxTasks++ }},
	{name: "a call too many for a connection", caught: "bounds", config: func(c *dispatch.Config) { c.ConnTasks++ }},
	{name: "a name too many", caught: "bounds", config: func(c *dispatch.Config) { c.MaxNames++ }},
	{name: "a little more on its way to a worker", caught: "burst", config: func(c *dispatch.Config) { c.Burst += 100 }},
	{name: "a pause forgotten", caught: "idle", effect: when(dispatch.Paused, lose)},
	{name: "a name more for a worker", caught: "stats", config: func(c *dispatch.Config) { c.WorkerNames++ }},
	{name: "a credit more for a worker", caught: "credits", config: func(c *dispatch.Config) { c.WorkerCredit++ }},
	{name: "a worker more to lose", caught: "answers", config: func(c *dispatch.Config) { c.Losses++ }},
	{name: "bytes without bound", caught: "bounds", stats: func(s *dispatch.Stats) { s.Bytes += 1 << 40 }},
	{name: "bytes not counted", caught: "memory", stats: func(s *dispatch.Stats) { s.Bytes = 0 }},
	{name: "bytes that leak", caught: "end", stats: func(s *dispatch.Stats) { s.Bytes += int64(s.HandedOut) << 10 }},
	{name: "a count too high", caught: "stats", stats: func(s *dispatch.Stats) { s.HandedOut += s.HandedOut / 8 }},
	{name: "a queue miscounted", caught: "stats", stats: func(s *dispatch.Stats) { s.Queued += s.Leased / 4 }},
	{name: "a report of something else", caught: "report", batch: func(_ *saboteur, out *dispatch.Batch, _ mark) {
		if out.Stats != nil {
			out.Stats.Requeued++
		}
	}},
	{name: "reports unasked", caught: "report", often: 50, batch: func(_ *saboteur, out *dispatch.Batch, _ mark) {
		out.Stats = &dispatch.Stats{}
	}},
}

// secondFirst hands out the second of a line in place of the first.
func secondFirst(s *saboteur, e *dispatch.Effect) {
	if l := s.world.model.lines[string(e.Name)]; l != nil && len(l.queue) > 1 {
		e.Body = []byte(l.queue[1].body)
	}
}

// youngerName hands out the first of another line that the worker is in, though its own is older.
func youngerName(s *saboteur, e *dispatch.Effect) {
	p := s.world.model.peers[e.To]
	if p == nil {
		return
	}
	for _, name := range p.names {
		if q := s.world.model.lines[name].queue; len(q) > 0 && q[0] != s.world.model.oldest(p) {
			e.Name, e.Body = []byte(name), []byte(q[0].body)
			return
		}
	}
}

// refuseRun refuses a run that nothing speaks against, and keeps it from the dispatcher.
func refuseRun(s *saboteur, _ *dispatch.Now, ev *dispatch.Event) bool {
	if ev.Kind != dispatch.RunTask {
		return false
	}
	s.world.out.Effects = append(s.world.out.Effects,
		dispatch.Effect{Kind: dispatch.Refused, To: s.from, Seq: ev.Seq, Reason: dispatch.Overloaded})
	return true
}
