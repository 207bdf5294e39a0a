package dispatch_test

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"workman/dispatch"
)

// work is what may happen next in a world of runs, each with how often it does in a common mood.
var work = [workKinds]struct {
	weight int
	do     func(*kept) *flaw
}{
	{16, (*kept).askRun},
	{4, (*kept).askCall},
	{6, (*kept).askKeyed},
	{6, (*kept).askSchedule},
	{8, (*kept).askAbout},
	{3, (*kept).join},
	{1, (*kept).leaveOne},
	{3, (*kept).register},
	{10, (*kept).get},
	{16, (*kept).answer},
	{5, (*kept).failTask},
	{1, (*kept).lateAnswer},
	{1, (*kept).block},
	{2, (*kept).unblock},
	{12, (*kept).pass},
	{1, (*kept).leap},
	{1, (*kept).tick},
	{12, (*kept).sync},
	{12, (*kept).tell},
	{30, (*kept).load},
	{1, (*kept).serverSays},
	{1, (*kept).called},
	{2, (*kept).resume},
	{1, (*kept).takeOver},
	{3, (*kept).sayMore},
	{2, (*kept).handBack},
	{4, (*kept).takeLease},
	{8, (*kept).ofLease},
	{8, (*kept).askOfRule},
}

const workKinds = 29

// request is what somebody waits for an answer to.
type request struct {
	from   dispatch.Conn
	ask    ask
	began  int64  // on the clock that nobody sets
	holder *end   // of a call
	until  int64  // of a call that has a deadline: when
	mine   bool   // of what is said of a lease: it is one
	needs  uint64 // and the batch that must be safe before that is told
	known  bool   // the run was told to be there
	done   bool
}

func requestKey(to dispatch.Conn, seq uint64, nonce []byte) string {
	return fmt.Sprintf("%d %d %s", to, seq, nonce)
}

// one draws a connection of a kind, or nil if there is none.
func (k *kept) one(worker bool) *end {
	var some []*end
	for _, c := range k.order {
		if p := k.peers[c]; p.worker == worker {
			some = append(some, p)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return some[k.rng.IntN(len(some))]
}

func (k *kept) join() *flaw {
	if len(k.order) >= k.ends {
		return nil
	}
	_, f := k.enter(k.rng.IntN(2) == 0)
	return f
}

// enter opens a connection on any place whose last one has gone.
func (k *kept) enter(worker bool) (*end, *flaw) {
	for {
		at := dispatch.MakeConn(0, k.rng.Uint32N(uint32(max(k.ends, len(k.order)))+4), 0)
		if k.peers[at|dispatch.Conn(k.gens[at])] != nil {
			continue
		}
		k.gens[at]++
		p := &end{conn: at | dispatch.Conn(k.gens[at]), worker: worker, http: !worker && k.rng.IntN(2) == 0}
		k.peers[p.conn] = p
		k.order = append(k.order, p.conn)
		if worker && k.rng.IntN(3) > 0 {
			return p, k.do(p.conn, ask{kind: dispatch.SayHello})
		}
		return p, nil
	}
}

func (k *kept) leaveOne() *flaw {
	if p := k.one(k.rng.IntN(2) == 0); p != nil {
		return k.leave(p)
	}
	return nil
}

func (k *kept) leave(p *end) *flaw { return k.do(p.conn, ask{kind: dispatch.Gone}) }

// request sends what somebody asks: over HTTP it has a number, over WebSocket a nonce. from may be nil: the server's pages.
func (k *kept) request(p *end, a ask) *flaw {
	k.counter++
	from := dispatch.Conn(0)
	switch {
	case p == nil:
		a.seq = uint64(k.counter)
	case p.http:
		a.seq = p.seq
		p.seq++
	default:
		a.nonce = fmt.Appendf(nil, `"%d"`, k.counter)
	}
	if p != nil {
		from = p.conn
	}
	r := &request{from: from, ask: a, began: k.now.Mono}
	if a.run != nil {
		if run := k.runs[*a.run]; run != nil {
			r.known = run.acked && !run.gone
			switch a.kind {
			case dispatch.RetryRun:
				run.mayRevive++
			case dispatch.ForgetRun:
				run.mayForget++
			case dispatch.CancelRun, dispatch.UnscheduleTask:
				run.mayCancel++
			}
		}
	}
	k.asked[a.key(from)] = r
	if a.kind == dispatch.RunTask && (a.terms == nil || !a.terms.Promise) {
		k.calls[string(a.body)] = r
		if a.terms != nil {
			r.until = endOf(a.terms, k.now)
		}
	}
	return k.do(from, a)
}

func endOf(t *dispatch.Terms, now dispatch.Now) int64 {
	end := t.Deadline
	if t.TTL > 0 && (end == 0 || after(now.Wall, t.TTL) < end) {
		end = after(now.Wall, t.TTL)
	}
	return end
}

// after is the first reading of a clock by which so many milliseconds are over for sure: the last one may have been as good as over.
func after(now, span int64) int64 {
	if span == 0 {
		return now
	}
	return now + span + 1
}

func (k *kept) askRun() *flaw {
	if p := k.one(false); p != nil {
		return k.request(p, ask{kind: dispatch.RunTask, name: k.task(), body: k.newBody(), terms: k.someTerms()})
	}
	return nil
}

func (k *kept) askCall() *flaw {
	p := k.one(false)
	if p == nil {
		return nil
	}
	a := ask{kind: dispatch.RunTask, name: k.task(), body: k.newBody()}
	if k.rng.IntN(3) == 0 {
		t := dispatch.NewTerms()
		t.Priority = k.rng.IntN(11) - 1
		if k.rng.IntN(2) == 0 {
			t.TTL = max(0, k.rng.Int64N(22_000)-2_000)
		}
		if k.rng.IntN(2) == 0 {
			t.Deadline = k.now.Wall + k.rng.Int64N(20_000)
		}
		a.terms = &t
	}
	return k.request(p, a)
}

// askKeyed asks for a run under one of few keys, or for some in one request.
func (k *kept) askKeyed() *flaw {
	p := k.one(false)
	if p == nil {
		return nil
	}
	if k.rng.IntN(4) == 0 {
		for range 1 + k.rng.IntN(4) {
			if f := k.askUnderKey(p, 1); f != nil {
				return f
			}
		}
	}
	return k.askUnderKey(p, 0)
}

// askUnderKey asks with one of two sets of options. more is whether the next event is of the same request.
func (k *kept) askUnderKey(p *end, more uint32) *flaw {
	a := ask{kind: dispatch.RunTask, name: k.task(), terms: k.someTerms(), count: more}
	a.terms.Key = fmt.Appendf(nil, "key%d", k.rng.IntN(4))
	a.terms.Staffed = false
	a.body = fmt.Appendf(nil, `{"key":"%s/%s","body":%d}`, a.name, a.terms.Key, k.rng.IntN(8)/7)
	if k.rng.IntN(4) == 0 {
		a.kind, a.at = dispatch.ScheduleTask, max(k.later(), 1)
	}
	return k.request(p, a)
}

func (k *kept) askSchedule() *flaw {
	p := k.one(false)
	if p == nil {
		return nil
	}
	a := ask{kind: dispatch.ScheduleTask, name: k.task(), body: k.newBody(), at: k.later()}
	if k.rng.IntN(2) == 0 {
		a.terms = k.someTerms()
	}
	return k.request(p, a)
}

// askAbout names a run that there is, was, or never was.
func (k *kept) askAbout() *flaw {
	id := dispatch.ID{1, 2, 3}
	if all := k.ids(); len(all) > 0 && k.rng.IntN(30) > 0 {
		id = all[k.rng.IntN(len(all))]
		if k.rng.IntN(2) == 0 {
			id = all[len(all)-1-k.rng.IntN(min(len(all), 5))]
		}
	}
	a := ask{run: &id, kind: []dispatch.Kind{
		dispatch.ReadRun, dispatch.ReadRun, dispatch.CancelRun, dispatch.RetryRun, dispatch.RetryRun, dispatch.ExplainRun, dispatch.ForgetRun,
		dispatch.UnscheduleTask,
	}[k.rng.IntN(8)]}
	if a.kind == dispatch.ReadRun && k.rng.IntN(2) == 0 {
		a.at = 1 + k.rng.Int64N(30_000)
	}
	if k.rng.IntN(6) == 0 {
		return k.request(nil, a)
	}
	if p := k.one(false); p != nil {
		return k.request(p, a)
	}
	return nil
}

// ids are the runs that were ever accepted, in order.
func (k *kept) ids() (all []dispatch.ID) {
	for id := range k.runs {
		all = append(all, id)
	}
	slices.SortFunc(all, func(a, b dispatch.ID) int { return slices.Compare(a[:], b[:]) })
	return all
}

func (k *kept) register() *flaw {
	if p := k.one(true); p != nil {
		a := ask{kind: dispatch.RegisterTask, name: k.task()}
		if k.rng.IntN(4) == 0 {
			a.count = k.rng.Uint32N(4)
		}
		return k.do(p.conn, a)
	}
	return nil
}

func (k *kept) get() *flaw {
	if p := k.one(true); p != nil {
		return k.do(p.conn, ask{kind: dispatch.GetTask, count: 1 + k.rng.Uint32N(3)})
	}
	return nil
}

// handOf takes a task out of a worker's hand, as it remembers it.
func (k *kept) handOf() (*end, dispatch.Token) {
	p := k.one(true)
	if p == nil || len(p.held) == 0 {
		return nil, dispatch.Token{}
	}
	return p, p.held[k.rng.IntN(len(p.held))].token
}

func (k *kept) answer() *flaw {
	p, t := k.handOf()
	if p == nil {
		return nil
	}
	return k.do(p.conn, k.result(t))
}

func (k *kept) result(t dispatch.Token) ask {
	k.counter++
	return ask{kind: dispatch.SendResult, token: t, count: k.rng.Uint32N(2), body: fmt.Appendf(nil, `{"result":%d}`, k.counter)}
}

func (k *kept) failTask() *flaw {
	p, t := k.handOf()
	if p == nil {
		return nil
	}
	k.counter++
	after := []int64{dispatch.Usually, dispatch.Usually, dispatch.Never, 0, k.rng.Int64N(100_000)}[k.rng.IntN(5)]
	a := ask{kind: dispatch.SendError, token: t, count: k.rng.Uint32N(2), at: after, body: fmt.Appendf(nil, `"error %d"`, k.counter)}
	if k.rng.IntN(30) == 0 {
		a.body = fmt.Appendf(nil, `"%s"`, strings.Repeat("<&", dispatch.MaxError))
	}
	return k.do(p.conn, a)
}

// lateAnswer answers what is not in this worker's hand any more, or never was.
func (k *kept) lateAnswer() *flaw {
	p := k.one(true)
	if p == nil {
		return nil
	}
	t := dispatch.Token{Slot: k.rng.Uint32N(20), Secret: k.rng.Uint64()}
	if k.rng.IntN(6) == 0 {
		t = dispatch.Token{} // what makes no sense comes so
	}
	if o := k.one(true); len(p.stale) > 0 && k.rng.IntN(3) > 0 {
		t = p.stale[k.rng.IntN(len(p.stale))]
	} else if o != p && len(o.held) > 0 {
		t = o.held[0].token
	}
	a := k.result(t)
	if k.rng.IntN(2) == 0 {
		a.kind, a.at = dispatch.SendError, dispatch.Usually
	}
	return k.do(p.conn, a)
}

func (k *kept) block() *flaw {
	if p := k.one(true); p != nil {
		return k.do(p.conn, ask{kind: dispatch.Block})
	}
	return nil
}

func (k *kept) unblock() *flaw {
	if p := k.one(true); p != nil {
		return k.do(p.conn, ask{kind: dispatch.Unblock})
	}
	return nil
}

// pass lets time pass, but no further than to when the timer rings: then it is Tick's turn, as a rule.
func (k *kept) pass() *flaw {
	d := k.rng.Int64N(1 << k.rng.IntN(16))
	rings := k.wake >= 0 && k.now.Mono+d >= k.wake
	if rings {
		d = max(0, k.wake-k.now.Mono)
	}
	k.now.Mono += d
	k.now.Wall += d
	if rings && k.rng.IntN(10) > 0 {
		return k.tick()
	}
	return nil
}

func (k *kept) leap() *flaw {
	if !k.leaps {
		return nil
	}
	const day = 24 * 3600 * 1000
	switch k.rng.IntN(6) {
	case 0:
		k.now.Wall = max(0, k.now.Wall+k.rng.Int64N(8*day)-4*day)
	case 1, 2:
		k.now.Wall += k.rng.Int64N(4000) - 2000
	default:
		k.now.Wall += k.rng.Int64N(120_000) - 60_000
	}
	return nil
}

func (k *kept) tick() *flaw { return k.do(0, ask{kind: dispatch.Tick}) }

// sync makes some batches safe, of which the dispatcher is told later.
func (k *kept) sync() *flaw {
	if !k.disk.failed {
		k.disk.sync(k.rng.IntN(4))
	}
	return nil
}

func (k *kept) tell() *flaw {
	if k.disk.failed {
		return nil
	}
	if k.fails && k.rng.IntN(150) == 0 {
		if f := k.flush(); f != nil {
			return f
		}
		k.disk.failed, k.disk.pending, k.disk.told = true, nil, k.disk.durable
		return k.do(0, ask{kind: dispatch.CommitFailed, seq: k.disk.durable})
	}
	if k.disk.told == k.disk.durable {
		return nil
	}
	k.disk.told = k.disk.durable
	return k.do(0, ask{kind: dispatch.Committed, seq: k.disk.told})
}

// load brings a question a little further: its rows are scanned, what belongs to them is looked up, and the answer comes.
func (k *kept) load() *flaw {
	if len(k.disk.loads) == 0 {
		return nil
	}
	i := k.rng.IntN(len(k.disk.loads))
	l := k.disk.loads[i]
	all := k.rng.IntN(2) == 0
	if !l.scanned {
		l.scan(k.disk, k.page)
		if !all {
			return nil
		}
	}
	if !l.looked {
		l.looked, l.rows = true, l.look(k.disk)
		if !all {
			return nil
		}
	}
	for {
		next := l.next()
		if next == nil {
			k.disk.loads = slices.Delete(k.disk.loads, i, i+1)
			return k.loaded(l)
		}
		k.disk.loads[i] = next
		if f := k.loaded(l); f != nil || k.rng.IntN(4) == 0 {
			return f
		}
		l = next
		l.scan(k.disk, k.page)
		l.looked, l.rows = true, l.look(k.disk)
	}
}

func (k *kept) loaded(l *load) *flaw {
	a := ask{kind: dispatch.Loaded, seq: l.N, count: l.how, body: l.rows}
	k.answering = l
	if k.fails && !k.settle && k.rng.IntN(30) == 0 {
		a.count, a.body = dispatch.LoadFailed, nil
	}
	if f := k.do(0, a); f != nil || k.rng.IntN(20) > 0 {
		return f
	}
	return k.do(0, a) // once more: it means nothing now
}

// serverSays is what the server itself has to say.
func (k *kept) serverSays() *flaw {
	switch n := k.rng.IntN(40); {
	case n == 0 && k.crashes:
		return k.do(0, ask{kind: dispatch.Drain})
	case n == 1 && k.crashes:
		return k.do(0, ask{kind: dispatch.Stop})
	case n == 2 || k.low:
		k.low = !k.low
		a := ask{kind: dispatch.StoreLow}
		if k.low {
			a.count = 1
		}
		return k.do(0, a)
	case n < 10 && k.crashes:
		return k.crash()
	case n < 14:
		return k.do(0, ask{kind: dispatch.ListTaskInfo, count: math.MaxInt32})
	}
	return nil
}

// called tells that a callback was made.
func (k *kept) called() *flaw {
	if len(k.callback) == 0 {
		return nil
	}
	id := k.callback[0]
	k.callback = k.callback[1:]
	return k.do(0, ask{kind: dispatch.CallbackDone, run: &id})
}
