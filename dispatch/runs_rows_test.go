package dispatch_test

import (
	"bytes"
	"strings"

	"workman/dispatch"
)

// promised is what the model knows of a run.
type promised struct {
	id      dispatch.ID
	r       dispatch.StoredRun
	name    string
	batch   uint64 // that recorded it; 0: from before the last crash
	handed  int    // how often
	tries   int    // the number of the attempt that its worker is at
	fence   uint64 // of the last hand-out that had one
	holder  *end
	stop    bool // its worker was asked to stop
	acked   bool // somebody was told that it is accepted
	revived bool // it was ever tried once more by hand
	told    dispatch.RunState
	outcome *dispatch.Outcome
	value   string // of the outcome, as it is stored
	ended   uint64 // the batch that recorded it
	again   uint64 // the batch that put it in line again
	changed uint64 // the last batch that had anything of it
	gone    bool   // deleted
	goneFor bool   // and somebody was told so

	mayRevive, mayForget, mayCancel int // requests that may lead to that
}

// take follows a step's operations, and looks at each run that they touch.
func (k *kept) take(out *dispatch.Batch, was *prior) *flaw {
	if len(out.Ops) > 0 && k.disk.failed {
		return flawed("batches", "something is written, and the store has failed")
	}
	k.touched = k.touched[:0]
	rules := k.rulesNow()
	was.rules = &rules
	seen := map[dispatch.ID]bool{}
	for _, c := range changes(out.Ops, out.Data) {
		old, had := k.disk.latest[c.key]
		if c.deleted && !had {
			continue
		}
		value := c.value
		if c.deleted {
			value = old
		}
		id, ok := idOf(c.key, value)
		if ok && c.key[0] == dispatch.TableKeys && had && !c.deleted && old != c.value {
			return flawed("keys", "a key of run %x is given to %s", old, id)
		}
		apply(k.disk.latest, c)
		if !ok {
			continue
		}
		k.count(c.key, old, c.value, had, c.deleted)
		k.note(id, c)
		if !seen[id] {
			seen[id] = true
			k.touched = append(k.touched, id)
		}
	}
	made := []*promised{}
	for _, id := range k.touched {
		known := k.runs[id] != nil
		if f := k.becomes(id, out.N, was); f != nil {
			return f
		}
		if run := k.runs[id]; !known && strings.Contains(string(run.r.Labels), "schedule:") {
			made = append(made, run)
		}
	}
	return k.checkRules(&rules, made)
}

// count keeps the sum of what is kept of finished runs.
func (k *kept) count(key, old, value string, had, deleted bool) {
	if key[0] != dispatch.TableExpiry {
		return
	}
	if had {
		k.keptRuns--
		k.keptSize -= dispatch.ExpirySize([]byte(old))
	}
	if !deleted {
		k.keptRuns++
		k.keptSize += dispatch.ExpirySize([]byte(value))
	}
}

func (k *kept) note(id dispatch.ID, c change) {
	if k.rows[id] == nil {
		k.rows[id] = map[string]string{}
	}
	if apply(k.rows[id], c); len(k.rows[id]) == 0 {
		delete(k.rows, id)
	}
}

// value is a run's value in one of the tables by id.
func (k *kept) value(table byte, id dispatch.ID) (string, bool) {
	v, ok := k.rows[id][string(table)+string(id[:])]
	return v, ok
}

// becomes follows what a step wrote of a run.
func (k *kept) becomes(id dispatch.ID, n uint64, was *prior) *flaw {
	run := k.runs[id]
	v, there := k.value(dispatch.TableRuns, id)
	if run == nil {
		if f := k.accepted(id, v); f != nil {
			return f
		}
		run = k.runs[id]
		run.batch = n
	}
	run.changed = n
	ended, finished := k.value(dispatch.TableOutcomes, id)
	switch {
	case !there && !run.gone:
		if f := k.forgotten(run); f != nil {
			return f
		}
		run.gone = true
	case finished && run.outcome != nil && ended != run.value:
		return flawed("undone", "run %s came to something else", id)
	case finished && run.outcome == nil:
		o, err := dispatch.DecodeOutcome([]byte(ended))
		if err != nil {
			return flawed("rows", "the outcome of %s: %v", id, err)
		}
		run.outcome, run.value, run.ended = &o, ended, n
		if f := k.finished(run, &o, was); f != nil {
			return f
		}
	case !finished && there && run.outcome != nil:
		if run.mayRevive == 0 {
			return flawed("undone", "nobody asked to try run %s once more", id)
		}
		run.outcome, run.told, run.revived, run.stop, run.again = nil, 0, true, false, n
	}
	if run.holder != nil && (run.outcome != nil || k.waitsAgain(id)) { // observe has seen what was taken from a worker
		return flawed("held", "run %s waits or is finished, and with a worker", id)
	}
	return k.checkRows(run)
}

// accepted makes a run known.
func (k *kept) accepted(id dispatch.ID, value string) *flaw {
	r, err := dispatch.DecodeRun([]byte(value))
	if err != nil {
		return flawed("rows", "%s is changed and there is no such run: %v", id, err)
	}
	if k.low || k.draining {
		return flawed("bounds", "run %s is accepted, and the store is nearly full or the server about to end", id)
	}
	for other := range k.runs {
		if bytes.Compare(other[:], id[:]) >= 0 {
			return flawed("ids", "run %s comes after %s", id, other)
		}
	}
	run := &promised{id: id, r: r, name: string(r.Name)}
	k.runs[id], k.ofBody[string(r.Body)] = run, run
	return nil
}

// forgotten checks that a run may be deleted.
func (k *kept) forgotten(run *promised) *flaw {
	switch {
	case run.outcome == nil:
		return flawed("lost", "run %s is deleted, and not finished", run.id)
	case run.mayForget > 0, run.outcome.Expires <= k.now.Wall, k.cfg.KeepBytes < 1<<20:
		return nil
	}
	return flawed("lost", "run %s is deleted before its time", run.id)
}

// waitsAgain tells whether a run is recorded to wait for its next attempt.
func (k *kept) waitsAgain(id dispatch.ID) bool {
	for key := range k.rows[id] {
		if _, _, what, ok := dispatch.ParseDueKey([]byte(key[1:])); ok && key[0] == dispatch.TableDue && what == dispatch.DueRetry {
			s, _ := k.value(dispatch.TableStatus, id)
			status, err := dispatch.DecodeStatus([]byte(s))
			return err == nil && status.Attempts >= k.runs[id].tries
		}
	}
	return false
}

// finished checks what a run came to, and why.
func (k *kept) finished(run *promised, o *dispatch.Outcome, was *prior) *flaw {
	mine, keep := was.hand.run == run, run.r.Keep
	limit := [2]int64{run.r.Deadline, 0}
	if run.r.TTL > 0 {
		limit[1] = after(max(run.r.Created, run.r.Due), run.r.TTL)
	}
	lapsed := was.lapsed[run]
	_, lost := was.lost[run]
	_, back := was.back[run]
	failed := mine && k.event.kind == dispatch.SendError || lapsed
	right := false
	switch o.State {
	case dispatch.Succeeded:
		right = mine && k.event.kind == dispatch.SendResult && string(o.Result) == string(k.event.body)
	case dispatch.Dead:
		keep = run.r.KeepDead
		right = failed && (o.Failures >= run.r.Attempts || k.event.at == dispatch.Never && !lapsed) || lost && o.Losses >= k.cfg.Losses
	case dispatch.Cancelled:
		right = run.mayCancel > 0 && run.holder == nil || (run.stop || run.mayCancel > 0) && (failed || lost || back) ||
			run.holder == nil && k.event.kind == dispatch.Loaded && was.rules.replaces(run.id)
	case dispatch.Expired:
		right = !run.revived && (limit[0] > 0 && limit[0] <= k.now.Wall || limit[1] > 0 && limit[1] <= k.now.Wall && o.Attempts == 0)
	}
	switch {
	case !right:
		return flawed("ends", "run %s is %s", run.id, o.State)
	case o.Failures > run.r.Attempts:
		return flawed("attempts", "run %s failed %d times, and may %d times", run.id, o.Failures, run.r.Attempts)
	case o.Finished != k.now.Wall || o.Expires != k.now.Wall+keep:
		return flawed("ends", "run %s finished at %d and expires at %d", run.id, o.Finished, o.Expires)
	}
	return nil
}

// checkRows wants what is written of a run to agree.
func (k *kept) checkRows(run *promised) *flaw {
	id := run.id
	n := map[string]int{}
	value := ""
	for key, v := range k.rows[id] {
		what := key[:1]
		if key[0] == dispatch.TableDue {
			what += string('0' + key[len(key)-1])
		}
		n[what]++
		if what == "e" {
			value = v
		}
	}
	wait := n["q"] + n["d0"] + n["d1"]
	wrong := ""
	switch {
	case run.gone:
		if len(k.rows[id]) > 0 {
			wrong = "something is left of a run that is forgotten"
		}
	case run.outcome != nil:
		failed := 0
		if run.outcome.State != dispatch.Succeeded {
			failed = 1
		}
		switch {
		case wait+n["d2"]+n["d3"]+n["a"] > 0:
			wrong = "it is finished, and waits"
		case n["e"] != 1 || n["x"] != failed || n["f"] != 1:
			wrong = "it is finished, and not where it should be"
		case dispatch.ExpirySize([]byte(value)) != k.sizeOf(id):
			wrong = "its size is wrong"
		}
	case wait != 1:
		wrong = "it waits not in one place"
	case n["e"]+n["x"]+n["f"] > 0:
		wrong = "it is not finished, and where finished ones are"
	default:
		wrong = k.checkWaits(run, n)
	}
	if len(run.r.Key) > 0 && !run.gone && n["k"] != 1 {
		wrong = "its key does not lead to it"
	}
	if wrong != "" {
		return flawed("rows", "run %s: %s: %v", id, wrong, n)
	}
	return nil
}

func (k *kept) sizeOf(id dispatch.ID) int64 {
	r, _ := k.value(dispatch.TableRuns, id)
	f, _ := k.value(dispatch.TableOutcomes, id)
	return int64(len(r) + len(f))
}

// checkWaits wants an unfinished run to be where its status says, and its limits to be known.
func (k *kept) checkWaits(run *promised, n map[string]int) string {
	var status dispatch.Status
	if v, ok := k.value(dispatch.TableStatus, run.id); ok {
		var err error
		if status, err = dispatch.DecodeStatus([]byte(v)); err != nil {
			return err.Error()
		}
	}
	ttl, deadline := min(run.r.TTL, 1), min(run.r.Deadline, 1)
	if status.Freed {
		ttl, deadline = 0, 0
	}
	if int64(n["d2"]) != ttl || int64(n["d3"]) != deadline {
		return "its limits are not known"
	}
	if status.Failures >= run.r.Attempts || status.Losses >= k.cfg.Losses {
		return "it had its attempts"
	}
	for key := range k.rows[run.id] {
		switch key[0] {
		case dispatch.TableQueue:
			name, rank, place, _ := dispatch.ParseQueueKey([]byte(key[1:]))
			want := run.id.Stamp()
			if status.Place > 0 {
				want = status.Place
			}
			if string(name) != run.name || rank != run.r.Rank || place != want || status.Due > 0 {
				return "it is not where its status says"
			}
		case dispatch.TableDue:
			at, _, what, _ := dispatch.ParseDueKey([]byte(key[1:]))
			if what == dispatch.DueStart && at != run.r.Due || what == dispatch.DueRetry && at != status.Due {
				return "it waits for another time than its status says"
			}
		}
	}
	return ""
}
