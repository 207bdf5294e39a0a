package dispatch_test

import (
	"maps"
	"math"

	"workman/dispatch"
)

// crash loses what is not safe and everything in memory, and starts a new dispatcher from what is left.
func (k *kept) crash() *flaw {
	k.met["crash"]++
	if k.rng.IntN(3) == 0 && len(k.bases) > 0 {
		if f := k.flush(); f != nil {
			return f
		}
	}
	if !k.disk.failed {
		k.disk.sync(k.rng.IntN(len(k.disk.pending) + 1))
	}
	k.disk.crash()
	k.log.add("--- crash")
	k.rows, k.keptRuns, k.keptSize = map[dispatch.ID]map[string]string{}, 0, 0
	for key, v := range k.disk.latest {
		k.count(key, "", v, false, false)
		if id, ok := idOf(key, v); ok {
			k.note(id, change{key: key, value: v})
		}
	}
	for id, run := range k.runs {
		if f := k.survives(id, run); f != nil {
			return f
		}
	}
	k.now.Mono += k.rng.Int64N(1000)
	k.now.Wall += k.rng.Int64N(1000)
	if k.leaps && k.rng.IntN(3) == 0 {
		k.now.Wall = max(0, k.now.Wall-k.rng.Int64N(100_000))
	}
	if err := k.start(); err != nil {
		return flawed("lost", "%v", err)
	}
	return nil
}

// survives checks that a run is as it was told to be, and takes it as it is.
func (k *kept) survives(id dispatch.ID, run *promised) *flaw {
	_, there := k.value(dispatch.TableRuns, id)
	ended, finished := k.value(dispatch.TableOutcomes, id)
	switch {
	case !there && run.acked && !run.gone:
		return flawed("lost", "run %s was acknowledged", run)
	case there && run.goneFor:
		return flawed("undone", "run %s was forgotten", run)
	case !there && !run.gone:
		delete(k.runs, id)
		if k.ofBody[string(run.r.Body)] == run {
			delete(k.ofBody, string(run.r.Body))
		}
		return nil
	case run.told != 0 && there && !finished && !run.revived:
		return flawed("undone", "run %s was told to be %s", run, run.told)
	}
	run.gone, run.outcome, run.value = !there, nil, ended
	if finished {
		o, err := dispatch.DecodeOutcome([]byte(ended))
		if err != nil || run.told != 0 && o.State != run.told {
			return flawed("undone", "run %s was told to be %s: %v", run, run.told, err)
		}
		run.outcome = &o
	}
	if there {
		k.ofBody[string(run.r.Body)] = run
	}
	run.batch, run.ended, run.changed, run.again, run.holder, run.stop = 0, 0, 0, 0, nil, false
	run.mayRevive, run.mayForget, run.mayCancel = 0, 0, 0
	return k.checkRows(run)
}

// live lets the world live for so many steps, and brings it to its end.
func (k *kept) live(steps int) *flaw {
	for k.steps < steps {
		if k.rng.IntN(100) == 0 {
			k.turn(k.rng)
		}
		act := work[k.pick(k.rng)].do
		if k.wake >= 0 && k.now.Mono >= k.wake && k.rng.IntN(4) > 0 {
			act = (*kept).tick
		}
		if f := act(k); f != nil {
			return f
		}
		if (k.disk.failed || k.draining) && k.rng.IntN(100) == 0 {
			if f := k.crash(); f != nil {
				return f
			}
		}
	}
	return k.finish()
}

// finish lets everything run to its end, and wants nothing to stay behind.
func (k *kept) finish() *flaw {
	k.settle = true
	if k.disk.failed || k.draining || k.crashes {
		if f := k.crash(); f != nil {
			return f
		}
	}
	if k.low {
		k.low = false
		if f := k.do(0, ask{kind: dispatch.StoreLow}); f != nil {
			return f
		}
	}
	if f := k.dropRules(); f != nil {
		return f
	}
	for n := 0; ; n++ {
		left := k.unfinished()
		if left == nil && len(k.asked) == 0 {
			break
		}
		if n > 20_000 {
			return flawed("stuck", "%d answers are missing, and run %s: %s; %+v", len(k.asked), left, k.where(left), k.bare.Census())
		}
		if f := k.help(left); f != nil {
			return f
		}
	}
	if f := k.everybodyGoes(); f != nil {
		return f
	}
	return k.forgetAll()
}

func (k *kept) where(run *promised) string {
	if run == nil {
		return "nowhere"
	}
	s := k.bare.Whereabouts(run.id)
	for key := range k.rows[run.id] {
		s += " " + key[:1]
	}
	return s
}

// unfinished is the first run that is not finished.
func (k *kept) unfinished() *promised {
	for _, id := range k.ids() {
		if run := k.runs[id]; run.outcome == nil && !run.gone {
			return run
		}
	}
	return nil
}

// help brings everything a little further: the store answers, workers do what they have, time passes.
func (k *kept) help(left *promised) *flaw {
	if f := k.storeAnswers(); f != nil {
		return f
	}
	for _, c := range append([]dispatch.Conn(nil), k.order...) {
		p := k.peers[c]
		if p.blocked {
			if f := k.do(c, ask{kind: dispatch.Unblock}); f != nil {
				return f
			}
		}
		for len(p.held) > 0 {
			if f := k.do(c, k.result(p.held[0].token)); f != nil {
				return f
			}
		}
	}
	if left != nil && k.rng.IntN(4) == 0 {
		return k.helper(left.name)
	}
	if line := k.bare.Line(); len(line) > 0 && k.rng.IntN(2) == 0 {
		return k.helper(line[0].Name)
	}
	return k.timePasses(left)
}

// helper is a worker that comes for a few tasks of a name, and stays to the end of them.
func (k *kept) helper(name string) *flaw {
	p, f := k.enter(true)
	for _, a := range []ask{{kind: dispatch.RegisterTask, name: []byte(name)}, {kind: dispatch.GetTask, count: 3}} {
		if f == nil {
			f = k.do(p.conn, a)
		}
	}
	for range 3 {
		if f == nil {
			f = k.storeAnswers()
		}
		for f == nil && len(p.held) > 0 {
			f = k.do(p.conn, k.result(p.held[0].token))
		}
	}
	if f == nil {
		f = k.leave(p)
	}
	return f
}

func (k *kept) storeAnswers() *flaw {
	if f := k.flush(); f != nil {
		return f
	}
	k.disk.sync(math.MaxInt)
	if k.disk.told != k.disk.durable {
		k.disk.told = k.disk.durable
		if f := k.do(0, ask{kind: dispatch.Committed, seq: k.disk.told}); f != nil {
			return f
		}
	}
	for n := len(k.disk.loads); n > 0; n-- {
		if f := k.load(); f != nil {
			return f
		}
	}
	return k.flush()
}

// timePasses goes to when the dispatcher wants its Tick. What is far off comes sooner: somebody sets the clock.
func (k *kept) timePasses(left *promised) *flaw {
	if len(k.disk.loads) > 0 || len(k.disk.pending) > 0 {
		return nil
	}
	sleep := k.sut.Sleep(k.now)
	if sleep < 0 && left != nil && k.bare.Whereabouts(left.id) != "queued" && k.bare.Whereabouts(left.id) != "tailed" && k.waits(left) {
		return flawed("late", "it sleeps for ever, and run %s waits: %s", left, k.where(left))
	}
	if sleep > 0 {
		k.now.Mono += sleep
		k.now.Wall += sleep
	}
	if k.rng.IntN(4) == 0 {
		k.now.Wall = max(k.now.Wall, k.nextTime()-k.rng.Int64N(2000))
	}
	if sleep < 0 {
		k.now.Mono += 1000
		k.now.Wall += 1000
		return nil
	}
	return k.tick()
}

// nextTime is when the store says that something is to happen next, after now.
func (k *kept) nextTime() int64 {
	next := int64(math.MaxInt64)
	for key := range k.disk.latest {
		at, _, _, ok := dispatch.ParseDueKey([]byte(key[1:]))
		if key[0] == dispatch.TableExpiry {
			at, _, ok = dispatch.ParseExpiryKey([]byte(key[1:]))
		}
		if ok && (key[0] == dispatch.TableExpiry || key[0] == dispatch.TableDue) && at > k.now.Wall {
			next = min(next, at)
		}
	}
	if next == math.MaxInt64 {
		return 0
	}
	return next
}

// waits tells whether a run waits for a time.
func (k *kept) waits(run *promised) bool {
	for key := range k.rows[run.id] {
		if key[0] == dispatch.TableDue && key[len(key)-1] <= dispatch.DueRetry {
			return true
		}
	}
	return false
}

// everybodyGoes ends every connection.
func (k *kept) everybodyGoes() *flaw {
	for len(k.order) > 0 {
		if f := k.leave(k.peers[k.order[0]]); f != nil {
			return f
		}
	}
	return nil
}

// forgetAll waits until nothing is kept any more, and wants the dispatcher to hold nothing then.
func (k *kept) forgetAll() *flaw {
	for n := 0; len(k.rows) > 0 || len(k.disk.pending)+len(k.disk.loads) > 0; n++ {
		if n > 20_000 {
			return flawed("stuck", "%d runs are still kept: %+v", len(k.rows), k.bare.Census())
		}
		for len(k.callback) > 0 {
			if f := k.called(); f != nil {
				return f
			}
		}
		if f := k.storeAnswers(); f != nil {
			return f
		}
		if f := k.timePasses(nil); f != nil {
			return f
		}
	}
	k.now.Wall += 100 * 24 * 3600 * 1000 // of limits that do not count any more, too
	k.now.Mono += dispatch.MaxLease
	for range 3_000 {
		if f := k.storeAnswers(); f != nil {
			return f
		}
		if k.sut.Sleep(k.now) != 0 && len(k.disk.loads) == 0 {
			break
		}
		if f := k.tick(); f != nil {
			return f
		}
	}
	left := maps.Clone(k.disk.latest)
	delete(left, string(dispatch.TableMeta)+dispatch.MetaStamp)
	if f := k.do(0, ask{kind: dispatch.StoreLow}); f != nil { // a step after the flush: now bytes are read no more
		return f
	}
	c, s := k.bare.Census(), k.sut.Stats()
	if len(left) > 0 || c != (dispatch.Census{}) || s.Stored != 0 || s.Bytes > stays {
		return flawed("end", "something stays: %d rows, %+v, %+v", len(left), c, s)
	}
	return nil
}
