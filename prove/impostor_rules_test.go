package prove_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// rule is what the impostor knows of a schedule that recurs. It journals one together with the run that it makes.
type rule struct {
	Name, Task, Cron, Overlap, CatchUp, Last string

	Options       json.RawMessage
	Every         time.Duration
	Created, Next time.Time
	Runs, Skipped int
	Gone          bool
}

func (u *rule) document() map[string]any {
	return map[string]any{"name": u.Name, "cron": u.Cron, "overlap": u.Overlap, "catchup": u.CatchUp, "created": u.Created,
		"next": []any{map[string]any{"utc": u.Next}}, "runs": u.Runs, "skipped": u.Skipped, "missed": 0}
}

func (i *impostor) setRule(w http.ResponseWriter, q *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	name := q.PathValue("name")
	if u := i.rules[name]; u != nil && !u.Gone {
		reply(w, 200, u.document())
		return
	}
	now := time.Now().Truncate(time.Millisecond)
	u := &rule{Name: name, Created: now}
	if err := json.NewDecoder(q.Body).Decode(u); err != nil {
		reply(w, 422, refusal("bad-schedule", 422, ""))
		return
	}
	u.Every, _ = time.ParseDuration(strings.TrimPrefix(u.Cron, "@every "))
	u.Next = now.Add(u.Every)
	i.rules[name] = u
	i.write(&run{}, u)
	i.follow(u)
	reply(w, 201, u.document())
}

func (i *impostor) aboutRule(w http.ResponseWriter, q *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	u := i.rules[q.PathValue("name")]
	switch {
	case u == nil || u.Gone:
		reply(w, 404, refusal("no-such-schedule", 404, ""))
	case q.Method == http.MethodDelete:
		u.Gone = true
		i.write(&run{}, u)
		w.WriteHeader(204)
	default:
		reply(w, 200, u.document())
	}
}

// follow waits for the next time of a schedule, for as long as it is there.
func (i *impostor) follow(u *rule) {
	time.AfterFunc(time.Until(u.Next)+time.Millisecond, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		if !u.Gone {
			i.fire(u)
			i.follow(u)
		}
	})
}

// fire makes the run of a time, unless the last is to be finished first.
func (i *impostor) fire(u *rule) {
	at := u.Next
	u.Next = at.Add(u.Every)
	if last := i.runs[u.Last]; u.Overlap == "skip" && last != nil && !last.finished() {
		u.Skipped++
		i.write(&run{}, u)
		return
	}
	if i.wrong("miss", 5) {
		i.write(&run{}, u)
		return
	}
	times := 1
	if i.wrong("refire", 5) {
		times = 2
	}
	for range times {
		r := newRun(u.Task, "", u.Options)
		r.Due, r.Of = at, u.Name
		u.Last = r.ID
		u.Runs++
		i.runs[r.ID] = r
		i.write(r, u)
		i.enqueue(r)
	}
}

// recoverRules goes on with the schedules that the journal has.
func (i *impostor) recoverRules() {
	for _, u := range i.rules {
		switch {
		case !u.Gone && i.wrong("forget", 4):
			u.Gone = true
		case u.Gone && i.wrong("revive", 2):
			u.Gone = false
		}
		if !u.Gone {
			i.follow(u)
		}
	}
}
