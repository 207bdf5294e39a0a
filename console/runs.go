package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"workman/dispatch"
	"workman/document"
)

// mostLooked is about how many rows one page may take to make. Tests change it.
var mostLooked = 10_000

// listRuns is GET /runs: the newest first; those that are scheduled or retrying, the soonest first; those that are with a
// worker, the first in line first. Of those that are pending, the ones come ahead that became so when their time came.
func (cfg *Config) listRuns() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f, query, err := readFilter(r.URL.RawQuery, choosing, paging)
		cfg.page(w, r, "runs", &f, query, err)
	}
}

// listScheduled is GET /scheduled: the soonest first.
func (cfg *Config) listScheduled() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f, query, err := readFilter(r.URL.RawQuery, paging)
		f.state = dispatch.Waiting
		cfg.page(w, r, "scheduled", &f, query, err)
	}
}

// page answers with a page of runs. err is what was wrong with the query.
func (cfg *Config) page(w http.ResponseWriter, r *http.Request, what string, f *filter, query url.Values, err error) {
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	s, err := cfg.search(ctx, f)
	if err != nil {
		trouble(w, err)
		return
	}
	views, err := s.more(ctx, f.limit, mostLooked)
	if err != nil {
		trouble(w, err)
		return
	}
	body := append(append([]byte(`{"`), what...), `":[`...)
	for i := range views {
		if i > 0 {
			body = append(body, ',')
		}
		if body, err = document.Append(body, &views[i], false); err != nil {
			trouble(w, err)
			return
		}
	}
	body = append(body, ']')
	if next := s.next(); next != "" {
		body = document.AppendText(append(body, `,"next":`...), link(r.URL.Path, query, next))
	}
	write(w, http.StatusOK, "application/json; charset=utf-8", append(body, '}'))
}

// link is where to go on.
func link(path string, query url.Values, cursor string) string {
	query.Set("cursor", cursor)
	return path + "?" + query.Encode()
}

// trouble answers that something cannot be done now, or that the cursor is none.
func trouble(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errCursor):
		problem(w, http.StatusBadRequest, err.Error())
	case errors.Is(err, dispatch.ErrStored):
		problem(w, http.StatusInternalServerError, err.Error())
	default:
		w.Header().Set("Retry-After", "1")
		problem(w, http.StatusServiceUnavailable, "this cannot be done now: "+err.Error())
	}
}
