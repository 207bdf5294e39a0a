package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"workman/dispatch"
)

// change is something that is done to many runs.
type change struct {
	kind   dispatch.Kind
	done   dispatch.EffectKind
	member string              // of the answer: how many it was done to
	states []dispatch.RunState // that it can be done to
	usual  dispatch.RunState   // 0: all of them
	dry    bool                // unless the request says otherwise
}

var (
	retrying = change{
		kind: dispatch.RetryRun, done: dispatch.Changed, member: "retried", usual: dispatch.Dead,
		states: []dispatch.RunState{dispatch.Dead, dispatch.Cancelled, dispatch.Expired, dispatch.Retrying},
	}
	purging = change{
		kind: dispatch.ForgetRun, done: dispatch.Forgotten, member: "purged", dry: true,
		states: []dispatch.RunState{dispatch.Succeeded, dispatch.Dead, dispatch.Cancelled, dispatch.Expired},
	}
)

// atOnce is how many runs the dispatcher is asked to change at once, and changeFor how long one request goes on.
const (
	atOnce    = 64
	changeFor = 10 * time.Second
)

// changeRuns is POST /runs/retry and /runs/purge.
func (cfg *Config) changeRuns(c *change) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f, query, err := readFilter(r.URL.RawQuery, choosing, map[string]parameter{"dry_run": (*filter).setDry})
		if err == nil {
			err = c.check(&f)
		}
		if err != nil {
			problem(w, http.StatusBadRequest, err.Error())
			return
		}
		if !query.Has("dry_run") {
			f.dry = c.dry
		}
		s, err := cfg.search(r.Context(), &f)
		if err != nil {
			trouble(w, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), changeFor)
		defer cancel()
		matched, done, err := c.all(ctx, r.Context(), s, f.dry)
		if err != nil {
			trouble(w, fmt.Errorf("after %d of %d runs that match so far: %w", done, matched, err))
			return
		}
		body := map[string]any{"matched": matched, c.member: done}
		if next := s.next(); next != "" {
			body["next"] = link(r.URL.Path, query, next)
		}
		answer(w, http.StatusOK, "application/json; charset=utf-8", body)
	}
}

// check sees that it can be done to runs of that state.
func (c *change) check(f *filter) error {
	if f.state == 0 {
		f.state, f.finished = c.usual, c.usual == 0
		return nil
	}
	if slices.Contains(c.states, f.state) {
		return nil
	}
	names := []string{}
	for _, s := range c.states {
		names = append(names, s.String())
	}
	return fmt.Errorf("state is %q, and for this must be one of %s", f.state, strings.Join(names, ", "))
}

// all goes through the runs until there are no more or the time is up. What has begun by then is waited for, as long as the
// client waits.
func (c *change) all(limited, client context.Context, s *search, dry bool) (matched, done int, err error) {
	for limited.Err() == nil {
		views, err := s.more(limited, atOnce, s.looked+mostLooked)
		if err != nil {
			return matched, done, err
		}
		matched += len(views)
		if !dry && len(views) > 0 {
			n, err := c.some(client, s.runs, views)
			if done += n; err != nil {
				return matched, done, err
			}
		}
		if s.next() == "" {
			break
		}
	}
	return matched, done, nil
}

// some changes runs, and says how many. A run that is not any more as it was found is left as it is.
func (c *change) some(ctx context.Context, runs Runs, views []dispatch.View) (done int, err error) {
	ids := make([]dispatch.ID, len(views))
	for i := range views {
		ids[i] = views[i].ID
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	effects, err := runs.Do(ctx, c.kind, ids)
	if err != nil {
		return 0, err
	}
	for i := range effects {
		switch e := &effects[i]; {
		case e.Kind == c.done:
			done++
		case e.Reason == dispatch.NoRun, e.Reason == dispatch.RunFinished, e.Reason == dispatch.RunNotFailed, e.Reason == dispatch.RunNotFinished:
		default:
			err = errRefused
		}
	}
	return done, err
}

var errRefused = errors.New("the server takes no changes: it is ending, its disk is full or has failed, or it has no memory left")
