package prove_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

func (i *impostor) routes() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	m.HandleFunc("POST /task/{name}", i.task)
	m.HandleFunc("POST /schedule/{when}/{name}", i.schedule)
	m.HandleFunc("GET /runs/{id}", i.get)
	m.HandleFunc("DELETE /runs/{id}", i.cancel)
	m.HandleFunc("GET /runs", i.list)
	m.HandleFunc("PUT /schedules/{name}", i.setRule)
	m.HandleFunc("/schedules/{name}", i.aboutRule)
	m.HandleFunc("/websocket", i.producer)
	m.HandleFunc("/worker", i.worker)
	return m
}

// document is what GET says of a run.
func (r run) document() map[string]any {
	d := map[string]any{"id": r.ID, "task": r.Task, "state": r.State, "created": r.Made}
	if !r.Due.IsZero() {
		d["scheduled_for"] = r.Due
	}
	if !r.Finished.IsZero() {
		d["finished"] = r.Finished
	}
	if r.Key != "" {
		d["key"] = r.Key
	}
	if r.State == "succeeded" {
		d["result"] = r.Result
	}
	return d
}

func reply(w http.ResponseWriter, status int, what any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(what)
}

func refusal(kind string, status int, run string) map[string]any {
	return map[string]any{"type": "urn:workman:problem:" + kind, "status": status, "run": run}
}

func (i *impostor) task(w http.ResponseWriter, q *http.Request) {
	i.mu.Lock()
	wrong := i.wrong("broken", 100)
	i.mu.Unlock()
	if wrong {
		reply(w, 500, refusal("oops", 500, ""))
		return
	}
	body, _ := io.ReadAll(q.Body)
	r := i.submit(q.PathValue("name"), strings.Trim(q.Header.Get("Idempotency-Key"), `"`), body, time.Time{})
	var wait time.Duration
	if s, ok := strings.CutPrefix(q.Header.Get("Prefer"), "wait="); ok {
		wait, _ = time.ParseDuration(s + "s")
	}
	now := i.wait(r, wait)
	w.Header().Set("Location", "/runs/"+r.ID)
	switch {
	case wait > 0 && now.State == "succeeded":
		reply(w, 200, now.Result)
	case wait > 0 && now.State == "cancelled":
		reply(w, 409, refusal("run-cancelled", 409, r.ID))
	default:
		reply(w, 202, map[string]any{"id": r.ID, "task": r.Task, "state": now.State})
	}
}

func (i *impostor) schedule(w http.ResponseWriter, q *http.Request) {
	due, err := time.Parse(time.RFC3339, q.PathValue("when"))
	if err != nil {
		reply(w, 400, refusal("bad-time", 400, ""))
		return
	}
	body, _ := io.ReadAll(q.Body)
	r := i.submit(q.PathValue("name"), strings.Trim(q.Header.Get("Idempotency-Key"), `"`), body, due)
	reply(w, 200, map[string]string{"id": r.ID})
}

// find finds a run, or answers that there is none.
func (i *impostor) find(w http.ResponseWriter, q *http.Request) *run {
	i.mu.Lock()
	defer i.mu.Unlock()
	r := i.runs[q.PathValue("id")]
	if r == nil {
		reply(w, 404, refusal("no-such-run", 404, ""))
	}
	return r
}

func (i *impostor) get(w http.ResponseWriter, q *http.Request) {
	if r := i.find(w, q); r != nil {
		w.Header().Set("Connection", "close") // as the server does with all that is not the path of a task
		d, _ := time.ParseDuration(q.FormValue("wait"))
		reply(w, 200, i.wait(r, d).document())
	}
}

func (i *impostor) cancel(w http.ResponseWriter, q *http.Request) {
	now, status := i.end(q.PathValue("id"))
	if status != 202 {
		reply(w, status, refusal("oops", status, ""))
		return
	}
	reply(w, 202, now.document())
}

// end cancels a run, and returns a copy with an HTTP status.
func (i *impostor) end(id string) (now run, status int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	r := i.runs[id]
	switch {
	case r == nil:
		return now, 404
	case r.finished():
		return *r, 409
	case r.State == "running":
		r.CancelAsked = true
		r.holder.askCancel(r)
	default:
		i.set(r, "cancelled")
	}
	return *r, 202
}

func (i *impostor) list(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("Connection", "close")
	i.mu.Lock()
	defer i.mu.Unlock()
	runs := []map[string]any{}
	if of, ok := strings.CutPrefix(q.FormValue("label"), "schedule:"); ok {
		for _, r := range i.runs {
			if r.Of == of {
				runs = append(runs, r.document())
			}
		}
	}
	if r := i.keys[q.FormValue("key")]; r != nil && r.Task == q.FormValue("task") {
		runs = append(runs, r.document())
	}
	reply(w, 200, map[string]any{"runs": runs})
}
