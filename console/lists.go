package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"time"

	"github.com/goccy/go-json"

	"workman/dispatch"
	"workman/document"
	"workman/store"
)

// Source is who knows what there is.
type Source interface {
	// TaskInfo, WorkerInfo and Running return a page that begins at a place: 0, or Survey.Next of the page before. The page
	// may be empty and not the last.
	TaskInfo(ctx context.Context, from uint32, limit int) (dispatch.Survey, error)
	WorkerInfo(ctx context.Context, from uint32, limit int) (dispatch.Survey, error)
	Running(ctx context.Context, from uint32, limit int) (dispatch.Survey, error)
}

// Config is what the pages show, and of what.
type Config struct {
	Tasks         Source
	Runs          Runs
	Store         *store.Store           // nil: there are no runs to show
	Backup        func(dir string) error // makes a copy of the store in a folder
	CheckCallback func(url string) error // whether a callback may go there; nil: there are none
	Local         bool                   // only this machine can reach the server
	Now           func() time.Time       // nil: the machine's clock
}

// Bounds of a page, and of the time to make one.
const (
	usualPage = 100
	mostPage  = 1000
	patience  = 5 * time.Second
)

// New makes the handler of all pages.
func New(cfg Config) http.Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	mux := http.NewServeMux()
	mux.Handle("GET /tasks", list("tasks", cfg.Tasks.TaskInfo, tasks))
	mux.Handle("GET /workers", list("workers", cfg.Tasks.WorkerInfo, workers))
	if cfg.Store != nil {
		mux.Handle("GET /runs", cfg.listRuns())
		mux.Handle("GET /scheduled", cfg.listScheduled())
		mux.Handle("POST /runs/retry", cfg.changeRuns(&retrying))
		mux.Handle("POST /runs/purge", cfg.changeRuns(&purging))
		mux.Handle("POST /backup", cfg.backUp())
		cfg.rules(mux)
	}
	return asItIs(mux)
}

// asItIs refuses paths with segments like .. that net/http would take out, and send whoever asks to what is left then.
func asItIs(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.EscapedPath(); path.Clean(p) != p {
			problem(w, http.StatusNotFound, "a segment of this path is empty, or only dots: percent-encode them, if they are a name")
			return
		}
		next.ServeHTTP(w, r)
	})
}

type task struct {
	Name      string `json:"name"`
	Workers   int    `json:"workers"`
	Queued    int    `json:"queued"`
	Running   int    `json:"running"`
	Scheduled int    `json:"scheduled"`
}

func tasks(s dispatch.Survey) any {
	all := make([]task, len(s.Tasks))
	for i, t := range s.Tasks {
		all[i] = task(t)
	}
	return all
}

type worker struct {
	ID      string   `json:"id"`    // of the connection
	Tasks   []string `json:"tasks"` // the first of the names it registered
	More    int      `json:"more,omitempty"`
	Ready   int      `json:"ready"` // for so many more tasks
	Running int      `json:"running"`
	Reading bool     `json:"reading"` // false: what it is sent piles up

	Connected bool `json:"connected"`       // false: a session that has lost its connection, or a lease that has been answered
	Lease     bool `json:"lease,omitempty"` // it borrows its tasks over HTTP
}

func workers(s dispatch.Survey) any {
	all := make([]worker, len(s.Workers))
	for i, w := range s.Workers {
		all[i] = worker{
			ID: fmt.Sprintf("%016x", uint64(w.Conn)), Tasks: w.Names, More: w.More,
			Ready: w.Credit, Running: w.Running, Reading: !w.Blocked, Connected: !w.Lost, Lease: w.Lease,
		}
	}
	return all
}

type ask func(ctx context.Context, from uint32, limit int) (dispatch.Survey, error)

// list makes the handler of one list.
func list(what string, ask ask, show func(dispatch.Survey) any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		cursor, err := number(query, "cursor", 0, 1<<32-1)
		if err != nil {
			problem(w, http.StatusBadRequest, err.Error())
			return
		}
		limit, err := number(query, "limit", usualPage, mostPage)
		if err != nil || limit == 0 {
			problem(w, http.StatusBadRequest, fmt.Sprintf("limit is %q, and must be a number from 1 to %d", query.Get("limit"), mostPage))
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		survey, err := ask(ctx, uint32(cursor), int(limit))
		if err != nil {
			w.Header().Set("Retry-After", "1")
			problem(w, http.StatusServiceUnavailable, "the list cannot be made now: "+err.Error())
			return
		}
		page := map[string]any{what: show(survey)}
		if survey.Next != 0 {
			query.Set("cursor", strconv.FormatUint(uint64(survey.Next), 10))
			page["next"] = r.URL.Path + "?" + query.Encode()
		}
		answer(w, http.StatusOK, "application/json; charset=utf-8", page)
	})
}

// number reads a parameter that must be a whole number up to most.
func number(query url.Values, name string, usual, most uint64) (uint64, error) {
	text := query.Get(name)
	if text == "" {
		return usual, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > most {
		return 0, fmt.Errorf("%s is %.40q, and must be a number up to %d", name, text, most)
	}
	return n, nil
}

// problem answers with a problem document (RFC 9457), like the rest of the server.
func problem(w http.ResponseWriter, status int, detail string) {
	write(w, status, document.ProblemType, document.AppendProblem(nil, status, "", detail, nil))
}

func answer(w http.ResponseWriter, status int, kind string, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "the answer cannot be encoded", http.StatusInternalServerError)
		return
	}
	write(w, status, kind, text)
}

func write(w http.ResponseWriter, status int, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone if it fails, and nobody is left to tell
}
