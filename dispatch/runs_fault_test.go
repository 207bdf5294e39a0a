package dispatch_test

import (
	"bytes"
	"math/rand/v2"

	"workman/dispatch"
)

// wrong is a defect that a dispatcher of runs might have, or a store that does not keep to its word. Each hook may be nil.
type wrong struct {
	name   string
	caught string // by this checker
	often  int    // one time in so many that it could be; 0: always
	start  func(*kept)
	event  func(*wreck, *dispatch.Now, *dispatch.Event) (skip bool)
	effect func(*wreck, *dispatch.Effect) fate
	op     func(*wreck, *dispatch.Op, []byte) (lost bool)
	batch  func(*wreck, *dispatch.Batch, mark)
	sleep  func(int64) int64
	stats  func(*dispatch.Stats)
}

// wreck is a dispatcher with such a defect.
type wreck struct {
	subject
	wrong *wrong
	world *kept
	rng   *rand.Rand
	kind  dispatch.Kind
	from  dispatch.Conn
}

// plant returns what newKept takes: it is called before a dispatcher is made, and then with it.
func (w *wrong) plant(seed uint64) func(*kept, subject) subject {
	rng := rand.New(rand.NewPCG(seed, 2))
	return func(k *kept, d subject) subject {
		if d == nil {
			if w.start != nil {
				w.start(k)
			}
			return nil
		}
		return &wreck{subject: d, wrong: w, world: k, rng: rng}
	}
}

func (s *wreck) now() bool { return s.wrong.often == 0 || s.rng.IntN(s.wrong.often) == 0 }

func (s *wreck) Step(now dispatch.Now, from dispatch.Conn, ev *dispatch.Event, base []byte, out *dispatch.Batch) {
	s.kind, s.from = ev.Kind, from
	e, o := len(out.Effects), len(out.Ops)
	if s.wrong.event != nil && s.now() && s.wrong.event(s, &now, ev) {
		return
	}
	s.subject.Step(now, from, ev, base, out)
	if s.wrong.effect != nil {
		s.spoil(out, e)
	}
	if s.wrong.op != nil {
		ops := append([]dispatch.Op(nil), out.Ops[o:]...)
		out.Ops = out.Ops[:o]
		for _, op := range ops {
			if !s.now() || !s.wrong.op(s, &op, out.Data) {
				out.Ops = append(out.Ops, op)
			}
		}
	}
	if s.wrong.batch != nil && s.now() {
		s.wrong.batch(s, out, mark{e})
	}
}

// spoil lets the defect look at each effect of the step.
func (s *wreck) spoil(out *dispatch.Batch, first int) {
	own := append([]dispatch.Effect(nil), out.Effects[first:]...)
	out.Effects = out.Effects[:first]
	for _, e := range own {
		f := keep
		if s.now() {
			f = s.wrong.effect(s, &e)
		}
		for range [...]int{keep: 1, lose: 0, twice: 2}[f] {
			out.Effects = append(out.Effects, e)
		}
	}
}

func (s *wreck) Sleep(now dispatch.Now) int64 {
	ms := s.subject.Sleep(now)
	if s.wrong.sleep != nil {
		ms = s.wrong.sleep(ms)
	}
	return ms
}

func (s *wreck) Stats() dispatch.Stats {
	st := s.subject.Stats()
	if s.wrong.stats != nil {
		s.wrong.stats(&st)
	}
	return st
}

// withoutOp loses operations on a table: puts or deletions.
func withoutOp(table byte, deletions bool) func(*wreck, *dispatch.Op, []byte) bool {
	return func(_ *wreck, op *dispatch.Op, _ []byte) bool { return op.Table == table && op.Delete == deletions }
}

// ofRule loses operations on when schedules are due: puts or deletions.
func ofRule(deletions bool) func(*wreck, *dispatch.Op, []byte) bool {
	return func(_ *wreck, op *dispatch.Op, data []byte) bool {
		key := op.Key.Of(data)
		return op.Table == dispatch.TableDue && op.Delete == deletions && key[len(key)-1] == dispatch.DueRule
	}
}

// ofName loses what is recorded of the names of schedules.
func ofName(deletions bool) func(*wreck, *dispatch.Op, []byte) bool {
	return func(_ *wreck, op *dispatch.Op, _ []byte) bool {
		return op.Table == dispatch.TableNames && op.Delete == deletions
	}
}

// at changes effects of one kind.
func at(kind dispatch.EffectKind, change func(*wreck, *dispatch.Effect)) func(*wreck, *dispatch.Effect) fate {
	return func(s *wreck, e *dispatch.Effect) fate {
		if e.Kind == kind {
			change(s, e)
		}
		return keep
	}
}

// hear changes events of one kind.
func hear(kind dispatch.Kind, change func(*wreck, *dispatch.Now, *dispatch.Event) bool) func(*wreck, *dispatch.Now, *dispatch.Event) bool {
	return func(s *wreck, now *dispatch.Now, ev *dispatch.Event) bool {
		return ev.Kind == kind && change(s, now, ev)
	}
}

// lost loses effects of a kind.
func lost(kind dispatch.EffectKind) func(*wreck, *dispatch.Effect) fate {
	return func(_ *wreck, e *dispatch.Effect) fate {
		if e.Kind == kind {
			return lose
		}
		return keep
	}
}

// doubled says them twice.
func doubled(kind dispatch.EffectKind) func(*wreck, *dispatch.Effect) fate {
	return func(_ *wreck, e *dispatch.Effect) fate {
		if e.Kind == kind {
			return twice
		}
		return keep
	}
}

// deafTo does not take the event.
func deafTo(*wreck, *dispatch.Now, *dispatch.Event) bool { return true }

var wrongs = []wrong{
	{name: "a run stays in line", caught: "rows", often: 5, op: withoutOp(dispatch.TableQueue, true)},
	{name: "a run is not put in line", caught: "rows", often: 5, op: withoutOp(dispatch.TableQueue, false)},
	{name: "an outcome is lost", caught: "rows", often: 5, op: withoutOp(dispatch.TableOutcomes, false)},
	{name: "a failed run is not listed", caught: "rows", often: 5, op: withoutOp(dispatch.TableFailed, false)},
	{name: "a status stays", caught: "rows", often: 5, op: withoutOp(dispatch.TableStatus, true)},
	{name: "a limit is lost", caught: "rows", often: 5, op: withoutOp(dispatch.TableDue, false)},
	{name: "a key is lost", caught: "rows", often: 5, op: withoutOp(dispatch.TableKeys, false)},
	{name: "a batch numbered wrong", caught: "batches", often: 20, batch: func(_ *wreck, out *dispatch.Batch, _ mark) {
		if len(out.Ops) > 0 {
			out.N++
		}
	}},
	{name: "a promise before it is safe", caught: "durable", event: hear(dispatch.Committed, func(s *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		ev.Seq = s.world.disk.last
		return false
	})},
	{name: "an epoch that was", caught: "fence", start: func(k *kept) { k.epoch = 1 }},
	{name: "ids that were", caught: "ids", start: func(k *kept) {
		for id := range k.disk.safe {
			if id[0] == dispatch.TableRuns {
				k.now.Wall = max(0, k.now.Wall-100_000)
				k.noStamp = true
			}
		}
	}},
	{name: "a fence twice", caught: "fence", often: 5, effect: at(dispatch.HandOut, func(s *wreck, e *dispatch.Effect) {
		if t, err := dispatch.DecodeTicket(e.Nonce); err == nil && len(e.Nonce) > 0 && t.Fence > 0 {
			t.Fence--
			e.Nonce = t.Append(nil)
		}
	})},
	{name: "another attempt", caught: "fence", often: 5, effect: at(dispatch.HandOut, func(s *wreck, e *dispatch.Effect) {
		if t, err := dispatch.DecodeTicket(e.Nonce); err == nil && len(e.Nonce) > 0 {
			t.Attempt++
			e.Nonce = t.Append(nil)
		}
	})},
	{name: "two workers at once", caught: "held", batch: func(s *wreck, out *dispatch.Batch, own mark) {
		for i := own.effects; i < len(out.Effects); i++ {
			if e := out.Effects[i]; e.Kind == dispatch.HandOut {
				for _, p := range s.world.peers {
					if p.conn != e.To && !p.hello && !p.blocked && p.credits > 0 && len(p.names) == len(s.world.tasks) {
						e.To = p.conn
						out.Effects = append(out.Effects, e)
						return
					}
				}
			}
		}
	}},
	{name: "a younger run first", caught: "order", effect: at(dispatch.HandOut, func(s *wreck, e *dispatch.Effect) {
		if len(e.Nonce) > 0 || s.world.ofBody[string(e.Body)] == nil {
			return
		}
		for _, id := range s.world.ids() {
			o := s.world.runs[id]
			if o.name == string(e.Name) && o.outcome == nil && !o.gone && o.holder == nil && string(o.r.Body) != string(e.Body) && o.r.Due == 0 {
				e.Body = o.r.Body
			}
		}
	})},
	{name: "a lower priority first", caught: "priority", start: func(k *kept) {
		k.cfg.Window, k.cfg.MaxTasks, k.cfg.MaxRuns, k.fails = 4096, 1_000_000, 100_000, false
	}, effect: at(dispatch.HandOut, func(s *wreck, e *dispatch.Effect) {
		o := s.world.ofBody[string(e.Body)]
		if len(e.Nonce) > 0 || o == nil {
			return
		}
		for _, id := range s.world.ids() {
			run := s.world.runs[id]
			if run.name == o.name && run.first() && run.batch == 0 && run.outcome == nil && !run.gone && run.r.Rank > o.r.Rank {
				e.Body = run.r.Body
				return
			}
		}
	})},
	{name: "another name", caught: "bytes", effect: at(dispatch.HandOut, func(s *wreck, e *dispatch.Effect) {
		for _, name := range s.world.peers[e.To].names {
			e.Name = []byte(name)
		}
	})},
	{name: "to a predecessor", caught: "gone", often: 5, effect: at(dispatch.HandOut, func(_ *wreck, e *dispatch.Effect) { e.To-- })},
	{name: "a registration missed", caught: "turn", event: hear(dispatch.RegisterTask, func(s *wreck, _ *dispatch.Now, _ *dispatch.Event) bool {
		return len(s.world.peers[s.from].names) > 1
	})},
	{name: "a request for tasks missed", caught: "idle", often: 3, event: hear(dispatch.GetTask, deafTo)},
	{name: "a credit too many", caught: "credits", event: hear(dispatch.GetTask, func(_ *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		ev.Count++
		return false
	})},
	{name: "an answer is lost", caught: "stuck", often: 20, effect: func(_ *wreck, e *dispatch.Effect) fate {
		if e.Kind == dispatch.Accepted {
			return lose
		}
		return keep
	}},
	{name: "an answer twice", caught: "answers", often: 5, effect: func(_ *wreck, e *dispatch.Effect) fate {
		if e.Kind == dispatch.Done || e.Kind == dispatch.Changed {
			return twice
		}
		return keep
	}},
	{name: "what was told is untold", caught: "undone", effect: at(dispatch.Shown, func(s *wreck, e *dispatch.Effect) {
		if v, err := dispatch.DecodeView(e.Body); err == nil && s.world.runs[v.ID].told != 0 {
			v.State, v.Outcome = dispatch.Pending, nil
			e.Body = v.Append(nil)
		}
	})},
	{name: "a key not found", caught: "keys", event: hear(dispatch.Loaded, func(s *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		if s.world.answering.Table == dispatch.TableKeys {
			ev.Body = dispatch.Span{}
		}
		return false
	})},
	{name: "answers to the keys of one request mixed up", caught: "keys", often: 5, event: hear(dispatch.Loaded, func(s *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		if len(s.world.answering.Keys) > 1 {
			ev.Seq++
		}
		return false
	})},
	{name: "forgotten before its time", caught: "lost", start: func(k *kept) { k.cfg.KeepBytes = 1 }},
	{name: "an hour ahead", caught: "early", event: hear(dispatch.Tick, func(_ *wreck, now *dispatch.Now, _ *dispatch.Event) bool {
		now.Wall += 3_600_000
		return false
	})},
	{name: "Ticks missed", caught: "stuck", event: hear(dispatch.Tick, deafTo)},
	{name: "sleeping for ever", caught: "late", sleep: func(int64) int64 { return -1 }},
	{name: "never sleeping", caught: "sleep", sleep: func(int64) int64 { return 0 }},
	{name: "tried again later", caught: "back-off", event: hear(dispatch.SendError, func(_ *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		if ev.At >= 0 {
			ev.At += 1000
		}
		return false
	})},
	{name: "tried again though there is no point", caught: "ends", event: hear(dispatch.SendError, func(_ *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		if ev.At == dispatch.Never {
			ev.At = dispatch.Usually
		}
		return false
	})},
	{name: "an error spoilt", caught: "attempts", event: hear(dispatch.SendError, func(_ *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		ev.Body.Len--
		return false
	})},
	{name: "taken for a result", caught: "ends", often: 5, event: hear(dispatch.SendError, func(_ *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		ev.Kind = dispatch.SendResult
		return false
	})},
	{name: "taken from a worker", caught: "held", often: 5, event: hear(dispatch.Tick, func(_ *wreck, now *dispatch.Now, _ *dispatch.Event) bool {
		now.Mono += 100_000
		return false
	})},
	{name: "Drain missed", caught: "draining", event: hear(dispatch.Drain, deafTo)},
	{name: "refused for nothing", caught: "refusals", often: 20, event: hear(dispatch.RunTask, func(s *wreck, _ *dispatch.Now, _ *dispatch.Event) bool {
		a := s.world.event
		s.world.out.Effects = append(s.world.out.Effects,
			dispatch.Effect{Kind: dispatch.Refused, To: s.from, Seq: a.seq, Nonce: a.nonce, Reason: dispatch.Overloaded})
		return true
	})},
	{name: "not told to be late", caught: "words", often: 5, effect: lost(dispatch.Late)},
	{name: "told to be late twice", caught: "words", often: 5, effect: doubled(dispatch.Late)},
	{name: "any lease will do", caught: "words", effect: at(dispatch.Refused, func(_ *wreck, e *dispatch.Effect) {
		if e.Reason == dispatch.StaleLease {
			e.Kind, e.Reason = dispatch.LeaseTaken, 0
		}
	})},
	{name: "a lease is not told to stop", caught: "words", effect: at(dispatch.LeaseTaken, func(_ *wreck, e *dispatch.Effect) { e.Found = false })},
	{name: "a lease is told to stop for nothing", caught: "words", often: 5,
		effect: at(dispatch.LeaseTaken, func(_ *wreck, e *dispatch.Effect) { e.Found = true })},
	{name: "a session without a task", caught: "sessions", effect: at(dispatch.Welcome, func(_ *wreck, e *dispatch.Effect) {
		if len(e.Body) > 12 {
			e.Body = e.Body[12:]
		}
	})},
	{name: "a session for whoever asks", caught: "sessions", event: hear(dispatch.SayHello, func(s *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		if len(s.world.lost) > 0 {
			ev.Token = s.world.lost[0].session
		}
		return false
	})},
	{name: "no session goes on", caught: "sessions", event: hear(dispatch.SayHello, func(_ *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		ev.Token = dispatch.Token{}
		return false
	})},
	{name: "the old connection stays", caught: "sessions", effect: lost(dispatch.Hangup)},
	{name: "no word of the end", caught: "draining", effect: lost(dispatch.NoMoreTasks)},
	{name: "half the grace", caught: "held", start: func(k *kept) { k.cfg.Grace /= 2 }},
	{name: "twice the grace", caught: "late", start: func(k *kept) { k.cfg.Grace *= 2 }},
	{name: "half a lease", caught: "held", event: hear(dispatch.TakeLease, func(_ *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		ev.Token.Secret /= 2
		return false
	})},
	{name: "twice a lease", caught: "late", event: hear(dispatch.TakeLease, func(_ *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		ev.Token.Secret *= 2
		return false
	}), effect: at(dispatch.Leased, func(s *wreck, e *dispatch.Effect) { // it is said as it should be
		if t, err := dispatch.DecodeTicket(e.Nonce); err == nil {
			t.Deadline = s.world.now.Wall
			e.Nonce = t.Append(nil)
		}
	})},
	{name: "a lease that does not wait", caught: "early", event: hear(dispatch.TakeLease, func(_ *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		ev.At = 0
		return false
	})},
	{name: "a lease too large", caught: "credits", event: hear(dispatch.TakeLease, func(_ *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		ev.Count++
		return false
	})},
	{name: "a lease in two answers", caught: "answers", effect: at(dispatch.Leased, func(_ *wreck, e *dispatch.Effect) { e.Found = false })},
	{name: "more time than it asked for", caught: "late", event: hear(dispatch.Extend, func(_ *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		ev.At *= 2
		return false
	})},
	{name: "no more time", caught: "held", event: hear(dispatch.Extend, func(_ *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		ev.At = 0
		return false
	})},
	{name: "more of a name than it takes", caught: "limits", event: hear(dispatch.RegisterTask, func(_ *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		ev.Count = 0
		return false
	})},
	{name: "handed back is failed", caught: "back", event: hear(dispatch.HandBack, func(_ *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		if ev.Token != (dispatch.Token{}) {
			ev.Kind, ev.At = dispatch.SendError, dispatch.Usually
		}
		return false
	})},
	{name: "progress spoilt", caught: "progress", event: hear(dispatch.Progress, func(_ *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		ev.Body.Len--
		return false
	})},
	{name: "a longer timetable", caught: "bounds", start: func(k *kept) { k.cfg.Near *= 2 }},
	{name: "a task too many", caught: "bounds", start: func(k *kept) { k.cfg.MaxTasks++ }},
	{name: "a batch that does not keep", caught: "borrowed", batch: func(_ *wreck, out *dispatch.Batch, own mark) {
		if own.effects > 0 {
			out.Effects[0].Nonce = bytes.Clone([]byte("spoilt"))
		}
	}},
	{name: "a schedule that is not due any more", caught: "rules", often: 3, op: ofRule(false)},
	{name: "a schedule that is due twice", caught: "rules", often: 3, op: ofRule(true)},
	{name: "a schedule without its name", caught: "rules", op: ofName(false)},
	{name: "a name without its schedule", caught: "rules", op: ofName(true)},
	{name: "a time that comes again", caught: "fires", often: 3, op: func(s *wreck, op *dispatch.Op, _ []byte) bool {
		return op.Table == dispatch.TableRules && s.kind == dispatch.Loaded
	}},
	{name: "a schedule an hour ahead", caught: "fires", event: hear(dispatch.Loaded, func(s *wreck, now *dispatch.Now, _ *dispatch.Event) bool {
		if s.world.answering.Table == dispatch.TableRules {
			now.Wall += 3_600_000
		}
		return false
	})},
	{name: "a last run taken to be finished", caught: "fires", event: hear(dispatch.Loaded, func(s *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		l := s.world.answering
		if l.Table == dispatch.TableRules && len(l.values) > 0 {
			bare := dispatch.AppendRow(nil, []byte(l.found[0][1:]), []byte(l.values[0]), nil)
			base := s.world.bases[len(s.world.bases)-1]
			body := ev.Body.Of(base)
			if len(body) > len(bare) { // it was not read in vain
				clear(body[len(bare):]) // as if nothing was known of it
			}
		}
		return false
	})},
	{name: "a schedule read wrong", caught: "rules", event: hear(dispatch.Loaded, func(s *wreck, _ *dispatch.Now, ev *dispatch.Event) bool {
		l := s.world.answering
		if l.Table == dispatch.TableRules && len(l.values) > 0 {
			body := ev.Body.Of(s.world.bases[len(s.world.bases)-1])
			if at := bytes.Index(body, []byte(l.values[0])); at >= 0 {
				body[at+1+16] ^= 1 // whether it is paused
			}
		}
		return false
	})},
	{name: "a count too high", caught: "stats", stats: func(s *dispatch.Stats) { s.Stored += s.Leased / 2 }},
	{name: "bytes that leak", caught: "end", stats: func(s *dispatch.Stats) { s.Bytes += int64(s.HandedOut) << 13 }},
}
