package dispatch_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"workman/dispatch"
)

// prior is what a step's event meant before the dispatcher took it.
type prior struct {
	hand   hand // what a worker answers
	status dispatch.Status
	from   *end
	mine   bool                  // it has what it speaks of
	about  *promised             // which run that is, if it is said while it has it
	line   []dispatch.Token      // what a hello finds in hand
	hello  *end                  // the session that it names
	late   int                   // told so in this step
	told   map[dispatch.Conn]int // of the end of the server
	hung   dispatch.Conn
	lost   map[*promised]dispatch.Status
	back   map[*promised]dispatch.Status // handed back
	lapsed map[*promised]bool            // their attempt took too long
	rules  *rulesWere
}

// before takes an event into the model, as far as what follows does not depend on what the dispatcher does.
func (k *kept) before(from dispatch.Conn, a *ask) *prior {
	was := &prior{
		lost: map[*promised]dispatch.Status{}, back: map[*promised]dispatch.Status{}, lapsed: map[*promised]bool{},
		told: map[dispatch.Conn]int{},
	}
	k.line = k.bare.Line()
	p := k.peers[from]
	was.from = p
	if p == nil {
		return was
	}
	switch a.kind {
	case dispatch.SendResult, dispatch.SendError:
		if !a.ofLease() {
			p.credits = min(p.credits+int(a.count), k.cfg.WorkerCredit)
		}
		k.takeHand(k.handsOf(p, a), a.token, was)
	case dispatch.Extend, dispatch.Progress:
		k.says(k.handsOf(p, a), a, was)
	case dispatch.HandBack:
		k.backs(k.handsOf(p, a), a, was)
	case dispatch.SayHello:
		k.hellos(p, a, was)
	case dispatch.GetTask:
		p.credits = min(p.credits+int(a.count), k.cfg.WorkerCredit)
	case dispatch.RegisterTask:
		if !slices.Contains(p.names, string(a.name)) {
			p.names = append(p.names, string(a.name))
		}
		if p.most == nil {
			p.most = map[string]int{}
		}
		p.most[string(a.name)] = int(a.count)
	case dispatch.Block, dispatch.Unblock:
		p.blocked = a.kind == dispatch.Block
	case dispatch.Gone:
		k.goes(p, was)
	}
	p.spoke = p.spoke || a.asWorker()
	return was
}

// asWorker tells whether an event makes a worker of its connection, whatever that has in hand.
func (a *ask) asWorker() bool {
	switch a.kind {
	case dispatch.RegisterTask, dispatch.GetTask:
		return true
	case dispatch.HandBack:
		return a.token == dispatch.Token{} && !a.ofLease()
	case dispatch.SendResult, dispatch.SendError:
		return a.count > 0
	}
	return false
}

func (k *kept) takeHand(p *end, t dispatch.Token, was *prior) {
	if p == nil {
		return
	}
	i := slices.IndexFunc(p.held, func(h hand) bool { return h.token == t })
	if i < 0 {
		return
	}
	was.hand, was.mine = p.held[i], true
	k.drops(p, i)
	if run := was.hand.run; run != nil {
		was.status = k.statusOf(run)
	}
}

// drops takes a task out of a hand.
func (k *kept) drops(p *end, i int) {
	h := p.held[i]
	p.held = slices.Delete(p.held, i, i+1)
	if p.lease != nil {
		k.over = append(k.over, lent{h.token, p.secret})
	} else {
		p.stale = append(p.stale, h.token)
	}
	if h.run != nil {
		h.run.holder = nil
	} else {
		h.call.holder = nil
	}
}

func (k *kept) statusOf(run *promised) (s dispatch.Status) {
	if v, ok := k.value(dispatch.TableStatus, run.id); ok {
		s, _ = dispatch.DecodeStatus([]byte(v))
	}
	return s
}

func (k *kept) goes(p *end, was *prior) {
	delete(k.peers, p.conn)
	if p.hello && len(p.held) > 0 && k.cfg.Grace > 0 && !k.stopped {
		gone := *p
		gone.until = k.now.Mono + k.cfg.Grace
		k.lost = append(k.lost, &gone)
		k.holds(&gone)
	} else {
		for len(p.held) > 0 {
			if run := p.held[0].run; run != nil {
				was.lost[run] = k.statusOf(run)
			}
			k.drops(p, 0)
		}
	}
	k.order = slices.DeleteFunc(k.order, func(c dispatch.Conn) bool { return c == p.conn })
	for key, r := range k.asked {
		if r.from == p.conn {
			delete(k.asked, key)
		}
	}
}

// check holds a step to what it may and must do.
func (k *kept) check(from dispatch.Conn, a *ask, out *dispatch.Batch, was *prior, sleep int64) *flaw {
	if f := k.observe(was); f != nil {
		return f
	}
	if f := k.take(out, was); f != nil {
		return f
	}
	if f := k.expect(a, was); f != nil {
		return f
	}
	if f := k.expectLives(was); f != nil {
		return f
	}
	if r := k.asked[a.key(from)]; r != nil && a.ofLease() && was.mine {
		r.mine = true
		if run := was.hand.run; run != nil {
			r.needs = run.changed
		}
	}
	for _, id := range out.Calls {
		run := k.runs[id]
		if run == nil || !run.gone && (len(run.r.Callback) == 0 || run.outcome == nil || run.ended > k.disk.told) {
			return flawed("early", "the callback of %s is to be made", id)
		}
		k.callback = append(k.callback, id)
	}
	for i := range out.Effects {
		e := &out.Effects[i]
		k.met[effects[e.Kind]]++
		k.copies = append(k.copies, showEffect(e))
		if f := k.effect(e, was); f != nil {
			return flawed(f.check, "%s: %s", f.what, showEffect(e))
		}
	}
	if k.more != nil {
		return flawed("answers", "another task of a lease does not follow")
	}
	if f := k.checkWords(a, was); f != nil {
		return f
	}
	return k.checkState(a, out, sleep)
}

// expect wants a worker's word about a run to be written down.
func (k *kept) expect(a *ask, was *prior) *flaw {
	run := was.hand.run
	if run == nil || k.disk.failed || a.kind != dispatch.SendResult && a.kind != dispatch.SendError {
		return nil
	}
	if run.outcome != nil {
		return nil // what it came to was checked
	}
	if a.kind == dispatch.SendResult {
		return flawed("lost", "the result of %s is not written down", run.id)
	}
	if a.at == dispatch.Never {
		return flawed("ends", "run %s is not dead, though there is no point", run.id)
	}
	at := int64(-1)
	for key := range k.rows[run.id] {
		if when, _, what, ok := dispatch.ParseDueKey([]byte(key[1:])); ok && key[0] == dispatch.TableDue && what == dispatch.DueRetry {
			at = when
		}
	}
	v, _ := k.value(dispatch.TableStatus, run.id)
	status, err := dispatch.DecodeStatus([]byte(v))
	if err != nil || status.Failures != was.status.Failures+1 || status.Attempts != was.status.Attempts+1 || at < 0 {
		return flawed("attempts", "run %s failed, which is not written down: %+v, due %d", run.id, status, at)
	}
	history, err := dispatch.Attempts(status.History)
	last := dispatch.Attempt{}
	if err == nil && len(history) > 0 && len(history) <= dispatch.MaxHistory {
		last = history[len(history)-1]
	}
	whole := string(last.Error) == string(a.body)
	if last.Number != status.Attempts || !whole && (len(a.body) <= dispatch.MaxError || len(last.Error) > dispatch.MaxError || !json.Valid(last.Error)) {
		return flawed("attempts", "the history of %s lacks the error: %v %v", run.id, history, err)
	}
	least, most := k.now.Wall, after(k.now.Wall, a.at)
	if a.at < 0 {
		back := run.r.Backoff
		for range status.Failures - 1 {
			back = min(back*2, 1<<40)
		}
		most = k.now.Wall + min(back, run.r.BackoffMax)
	} else {
		least = most
	}
	if at < least || at > most {
		return flawed("back-off", "run %s is to be tried again at %d, which is not between %d and %d", run.id, at, least, most)
	}
	return nil
}

// effect checks one, and follows it.
func (k *kept) effect(e *dispatch.Effect, was *prior) *flaw {
	p := k.peers[e.To]
	if more := k.more; more != nil && (e.Kind != dispatch.Leased || k.asked[requestKey(e.To, e.Seq, nil)] != more) {
		return flawed("answers", "something comes between the tasks of a lease")
	}
	switch e.Kind {
	case dispatch.HandOut:
		return k.handOut(p, e)
	case dispatch.Paused:
		p.blocked = true
		return nil
	case dispatch.Leased:
		return k.leased(e)
	case dispatch.Welcome, dispatch.Late, dispatch.NoMoreTasks, dispatch.Hangup:
		return k.told(p, e, was)
	case dispatch.Cancel:
		if p == nil || !p.hello {
			return flawed("answers", "it does not understand that")
		}
		return nil
	}
	key := requestKey(e.To, e.Seq, e.Nonce)
	r := k.asked[key]
	if r == nil {
		if p == nil && e.To != 0 {
			return nil // it has gone
		}
		return flawed("answers", "nobody asked")
	}
	delete(k.asked, key)
	f := k.reply(r, e, was)
	if r.ask.run != nil {
		if run := k.runs[*r.ask.run]; run != nil {
			switch r.ask.kind {
			case dispatch.RetryRun:
				run.mayRevive--
			case dispatch.ForgetRun:
				run.mayForget--
			case dispatch.CancelRun, dispatch.UnscheduleTask:
				run.mayCancel--
			}
		}
	}
	return f
}

// handOut checks who is handed what, and whether it is its turn.
func (k *kept) handOut(p *end, e *dispatch.Effect) *flaw {
	switch {
	case k.stopped:
		return flawed("draining", "handed out after Stop")
	case p == nil:
		return flawed("gone", "handed out to who is not there")
	case p.blocked || p.credits < 1 || !slices.Contains(p.names, string(e.Name)):
		return flawed("credits", "handed out to who cannot take it, or did not ask")
	case p.isFull(string(e.Name)):
		return flawed("limits", "it has %d of that name in hand, and takes no more at once", p.most[string(e.Name)])
	}
	if f := k.checkTurn(p, e); f != nil {
		return f
	}
	p.credits--
	h := hand{token: e.Token, since: k.now.Mono}
	var ticket dispatch.Ticket
	if p.hello {
		var err error
		if ticket, err = dispatch.DecodeTicket(e.Nonce); err != nil || ticket.Fence <= k.fence {
			return flawed("fence", "%+v after %d: %v", ticket, k.fence, err)
		}
		k.fence = ticket.Fence
	}
	run := k.ofBody[string(e.Body)]
	if run != nil && strings.HasPrefix(string(e.Body), `{"rule"`) { // as others of its schedule
		run = k.runs[k.bare.RunOf(e.Token)]
	}
	if run != nil && !run.gone {
		h.run = run
		if run.r.Timeout > 0 {
			h.ends = after(k.now.Mono, run.r.Timeout)
		}
		if f := k.handRun(p, run, e, &ticket); f != nil {
			return f
		}
	} else {
		c := k.calls[string(e.Body)]
		if c == nil || c.done || c.holder != nil {
			return flawed("held", "a call that there is not, that is answered, or that another worker has")
		}
		h.call, c.holder = c, p
	}
	if p.lease != nil {
		h.until = after(k.now.Mono, int64(p.lease.ask.token.Secret))
		p.secret = ticket.Secret
	}
	p.held = append(p.held, h)
	return nil
}

// handRun checks that a run may be handed out.
func (k *kept) handRun(p *end, run *promised, e *dispatch.Effect, ticket *dispatch.Ticket) *flaw {
	var status dispatch.Status
	if v, ok := k.value(dispatch.TableStatus, run.id); ok {
		status, _ = dispatch.DecodeStatus([]byte(v))
	}
	due := status.Due
	if len(k.rows[run.id]) > 0 && run.r.Due > 0 && status.Place == 0 && due == 0 {
		due = run.r.Due
	}
	switch {
	case k.draining:
		return flawed("draining", "run %s is handed out", run.id)
	case run.outcome != nil:
		return flawed("undone", "run %s is %s, and handed out", run.id, run.outcome.State)
	case run.holder != nil:
		return flawed("held", "another worker has run %s", run.id)
	case string(e.Name) != run.name || string(e.Body) != string(run.r.Body):
		return flawed("bytes", "run %s is another", run.id)
	case len(run.r.Key) > 0 && run.batch > k.disk.durable:
		return flawed("early", "run %s has a key, and is handed out before it is durable", run.id)
	case strings.Contains(string(run.r.Labels), "schedule:") && run.batch > k.disk.told:
		return flawed("early", "run %s is of a schedule, and is handed out before it is durable", run.id)
	case due > k.highest:
		return flawed("early", "run %s is due at %d", run.id, due)
	case p.hello && (ticket.Run != run.id || ticket.Attempt != status.Attempts+1 || ticket.Fence <= run.fence):
		return flawed("fence", "%+v, attempts %d, last fence %d", ticket, status.Attempts, run.fence)
	}
	if f := k.checkOrder(run); f != nil {
		return f
	}
	if f := k.checkPriority(run); f != nil {
		return f
	}
	run.holder, run.fence, run.tries = p, max(run.fence, ticket.Fence), status.Attempts+1
	run.handed++
	return nil
}

// checkOrder wants runs of one task and priority to be handed out for the first time in the order in which they were asked
// for, whether they waited in memory or on the disk.
func (k *kept) checkOrder(run *promised) *flaw {
	if !run.first() {
		return nil
	}
	for id, o := range k.runs {
		if o != run && o.first() && o.outcome == nil && !o.gone && o.name == run.name && o.r.Rank == run.r.Rank &&
			slices.Compare(id[:], run.id[:]) < 0 {
			return flawed("order", "run %s is handed out before %s", run.id, id)
		}
	}
	return nil
}

// first tells whether a run stands in line as it was asked for.
func (p *promised) first() bool { return p.handed == 0 && !p.revived && p.r.Due == 0 }

// checkPriority wants runs of one task that were stored before the last crash to be handed out by their priority, though all of
// them are on the disk at first: as long as there is room for them in memory, and the store answers.
func (k *kept) checkPriority(run *promised) *flaw {
	if !run.first() || run.batch != 0 || k.fails || min(k.cfg.Window, k.cfg.MaxTasks, k.cfg.MaxRuns) < 1000 || k.cfg.MaxBytes < 1<<21 {
		return nil
	}
	for id, o := range k.runs {
		if o.first() && o.batch == 0 && o.outcome == nil && !o.gone && o.name == run.name && o.r.Rank < run.r.Rank {
			return flawed("priority", "run %s, of priority %d, is handed out before %s, of %d", run.id, run.r.Priority(), id, o.r.Priority())
		}
	}
	return nil
}

// checkTurn wants nothing that waited in memory before the step, and still does, to come before what is handed out.
func (k *kept) checkTurn(p *end, e *dispatch.Effect) *flaw {
	place := k.bare.PlaceOf(e.Token)
	if place == 0 {
		return nil // it is not there any more
	}
	for _, s := range k.bare.Line() {
		if s.Place < place && slices.Contains(p.names, s.Name) && !p.mayBeFull(s.Name) && slices.Contains(k.line, s) {
			return flawed("turn", "place %x of %s comes before %x", s.Place, s.Name, place)
		}
	}
	return nil
}

// reply checks the answer to a request.
func (k *kept) reply(r *request, e *dispatch.Effect, was *prior) *flaw {
	a := &r.ask
	call := a.kind == dispatch.RunTask && (a.terms == nil || !a.terms.Promise)
	if call {
		r.done = true
	}
	may := map[dispatch.EffectKind]bool{dispatch.Refused: true}
	switch a.kind {
	case dispatch.RunTask:
		may[dispatch.Result], may[dispatch.Failed] = call, call
		may[dispatch.Accepted] = !call && (a.terms.Reply != dispatch.ReplyResult || a.terms.Wait > 0 || k.stopped)
		may[dispatch.Done] = !call && a.terms.Reply == dispatch.ReplyResult
	case dispatch.ScheduleTask:
		may[dispatch.Scheduled] = true
	case dispatch.UnscheduleTask:
		may[dispatch.Unscheduled] = true
	case dispatch.ReadRun:
		may[dispatch.Shown] = true
	case dispatch.CancelRun, dispatch.RetryRun:
		may[dispatch.Changed] = true
	case dispatch.ExplainRun:
		may[dispatch.Explained] = true
	case dispatch.ForgetRun:
		may[dispatch.Forgotten] = true
	case dispatch.TakeLease:
		may[dispatch.NoLease] = true
	case dispatch.SendResult, dispatch.SendError, dispatch.Extend, dispatch.Progress, dispatch.HandBack:
		may[dispatch.LeaseTaken] = true
	case dispatch.SetRule, dispatch.PauseRule, dispatch.ResumeRule:
		may[dispatch.RuleIs] = true
	case dispatch.DropRule:
		may[dispatch.RuleGone] = true
	case dispatch.FireRule:
		may[dispatch.Accepted] = true
	}
	if !may[e.Kind] {
		return flawed("answers", "that is no answer to %s", a)
	}
	if a.rule != (dispatch.ID{}) && e.Kind != dispatch.Refused {
		return k.ruleTold(r, e)
	}
	switch e.Kind {
	case dispatch.Refused:
		return k.refused(r, e)
	case dispatch.NoLease, dispatch.LeaseTaken:
		return k.ofLeases(r, e, was)
	case dispatch.Result, dispatch.Failed:
		if was.hand.call != r || string(e.Body) != string(k.event.body) {
			return flawed("answers", "that is not what its worker said")
		}
		return nil
	case dispatch.Unscheduled:
		if run := k.runs[*a.run]; e.Found && (run.outcome == nil || run.outcome.State != dispatch.Cancelled || run.ended > k.disk.told) {
			return flawed("durable", "it is not cancelled for good")
		}
		return nil
	case dispatch.Forgotten:
		run := k.runs[*a.run]
		if !run.gone || run.changed > k.disk.told {
			return flawed("durable", "it is not forgotten for good")
		}
		run.goneFor = true
		return nil
	case dispatch.Explained:
		w, err := dispatch.DecodeWhy(e.Body)
		if err != nil || w.ID != *a.run {
			return flawed("answers", "it explains %+v: %v", w, err)
		}
		k.why = w
		return nil
	}
	v, err := dispatch.DecodeView(e.Body)
	run := k.runs[v.ID]
	if err != nil || run == nil || v.State == 0 || string(v.Name) != run.name {
		return flawed("answers", "it shows %+v: %v", v, err)
	}
	return k.viewed(r, e, &v, run)
}

// viewed checks what is told of a run.
func (k *kept) viewed(r *request, e *dispatch.Effect, v *dispatch.View, run *promised) *flaw {
	a := &r.ask
	if a.run != nil && *a.run != v.ID {
		return flawed("answers", "that is another run")
	}
	if a.run == nil && (string(a.body) != string(run.r.Body) || string(a.name) != run.name) {
		return flawed("keys", "that is the run of somebody else")
	}
	if run.batch > k.disk.told && (v.State.Finished() || run.batch > k.disk.durable) {
		return flawed("durable", "run %s is told, and not safe", v.ID)
	}
	run.acked = run.acked || !run.gone
	if f := k.checkProgress(v, run); f != nil {
		return f
	}
	if !v.State.Finished() {
		if run.told != 0 && !run.gone && e.Kind != dispatch.Accepted {
			return flawed("undone", "run %s was %s, and is %s", v.ID, run.told, v.State)
		}
		switch {
		case e.Kind != dispatch.Changed:
		case a.kind == dispatch.RetryRun && run.again > k.disk.told:
			return flawed("durable", "run %s is not to be tried again for good", v.ID)
		case a.kind == dispatch.CancelRun:
			run.stop = true
		}
		if e.Kind == dispatch.Done {
			return flawed("answers", "it is not finished")
		}
		return nil
	}
	if run.gone {
		return nil
	}
	if run.outcome == nil || run.outcome.State != v.State || run.ended > k.disk.durable || e.Kind != dispatch.Shown && run.ended > k.disk.told {
		return flawed("durable", "run %s is said to be %s, which is not safe", v.ID, v.State)
	}
	if len(v.Outcome) > 0 && string(v.Outcome) != run.value {
		return flawed("answers", "run %s came to something else", v.ID)
	}
	run.told = v.State
	return nil
}

// refused checks that there was a reason.
func (k *kept) refused(r *request, e *dispatch.Effect) *flaw {
	k.met[reasons[e.Reason]]++
	a, run := &r.ask, (*promised)(nil)
	if a.run != nil {
		run = k.runs[*a.run]
	}
	promise := a.kind == dispatch.ScheduleTask || a.terms != nil && a.terms.Promise
	right := false
	switch e.Reason {
	case dispatch.TooMany:
		right = k.cfg.MaxTasks < 100 && a.kind != dispatch.TakeLease
	case dispatch.TooManyLeases:
		right = a.kind == dispatch.TakeLease && (k.leasing() >= k.cfg.Leases || k.cfg.LeaseNames < 100 ||
			k.leasing()+len(k.lent) >= max(k.cfg.Leases, k.cfg.MaxTasks/dispatch.LeasePart))
	case dispatch.TooManyHere:
		right = k.cfg.ConnTasks < 100
	case dispatch.NoMemory:
		right = k.cfg.MaxBytes < 1<<21 || k.cfg.MaxTasks < 100
	case dispatch.StoreFull:
		right = k.low || k.cfg.MaxUnsafe < 1<<20
	case dispatch.Draining:
		right = k.draining
	case dispatch.StaleLease:
		right = a.kind != dispatch.TakeLease && !r.mine
	case dispatch.NotStored:
		right = k.disk.failed || k.fails
	case dispatch.WorkersLost:
		right = !promise && a.kind == dispatch.RunTask
	case dispatch.Nobody:
		right = a.terms != nil && a.terms.Staffed
	case dispatch.TooLate:
		right = !promise && r.until > 0 && r.until <= k.now.Wall
	case dispatch.KeyReused:
		right = a.terms != nil && k.otherBody(a)
	case dispatch.NoRule:
		right = a.kind != dispatch.SetRule && k.ruleIn(k.disk.latest, a.rule) == nil
	case dispatch.RuleThere:
		right = a.count&dispatch.RuleIsNew != 0 && k.ruleIn(k.disk.latest, a.rule) != nil
	case dispatch.RuleChanged:
		right = !isTrueOf(k.ruleIn(k.disk.latest, a.rule), a.at)
	case dispatch.NoRun:
		right = run == nil || !r.known || run.gone
	case dispatch.RunFinished:
		right = run != nil && (run.outcome != nil || run.gone)
	case dispatch.RunNotFailed:
		right = run != nil && (run.outcome == nil || run.outcome.State == dispatch.Succeeded || run.gone)
	case dispatch.RunNotFinished:
		right = run != nil && (run.outcome == nil || run.gone)
	}
	if !right {
		return flawed("refusals", "%s for no reason: %s", reasons[e.Reason], a)
	}
	if c := r; !promise && c.holder != nil { // of a call, wherever it was
		p := c.holder
		c.holder = nil
		p.held = slices.DeleteFunc(p.held, func(h hand) bool { return h.call == c })
	}
	return nil
}

// otherBody tells whether a key was ever used with other options.
func (k *kept) otherBody(a *ask) bool {
	for _, o := range k.runs {
		if o.name == string(a.name) && string(o.r.Key) == string(a.terms.Key) && string(o.r.Body) != string(a.body) {
			return true
		}
	}
	return false
}

func (p *promised) String() string {
	state := "not finished"
	if p.outcome != nil {
		state = p.outcome.State.String()
	}
	return fmt.Sprintf("%s of %s, %s, acknowledged %v", p.id, p.name, state, p.acked)
}
