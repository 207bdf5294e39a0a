package console

import (
	"context"
	"encoding/hex"
	"fmt"

	"workman/dispatch"
	"workman/store"
)

// Runs is who knows where runs are now, and can do something to them, to 256 at most at once, and to schedules.
type Runs interface {
	// States is where each run is; 0 for one that is not in memory.
	States(ctx context.Context, runs []dispatch.ID) ([]dispatch.RunState, error)
	// SetRule has the dispatcher make or change a schedule: see dispatch.SetRule.
	SetRule(ctx context.Context, rule []byte, count uint32, at int64) (dispatch.Effect, error)
	// DoRule has it do something else with a schedule.
	DoRule(ctx context.Context, kind dispatch.Kind, id dispatch.ID, at int64) (dispatch.Effect, error)
	// Do has the dispatcher do something to runs, and returns what came of each.
	Do(ctx context.Context, kind dispatch.Kind, runs []dispatch.ID) ([]dispatch.Effect, error)
}

// search goes through the runs that are asked for.
type search struct {
	filter *filter
	store  *store.Store
	runs   Runs
	lanes  lanes
	then   lanes  // when there is nothing more in those
	ready  []hit  // found, and not taken
	at     []byte // the cursor of what was taken last, or of what was looked at last, if nothing is ready
	last   []byte // the latter
	looked int    // rows so far
	ended  bool   // there are no more
}

// hit is a run that is asked for.
type hit struct {
	view   dispatch.View
	cursor []byte
}

func (cfg *Config) search(ctx context.Context, f *filter) (*search, error) {
	s := &search{filter: f, store: cfg.Store, runs: cfg.Runs}
	var err error
	if s.lanes, s.then, err = f.plan(cfg.Store, cfg.Now().UnixMilli(), func() (lanes, error) { return cfg.running(ctx) }); err != nil {
		return nil, err
	}
	return s, s.lanes.start(cfg.Store, f)
}

// row is the next one, and its cursor.
func (s *search) row() (r row, cursor []byte, ok bool, err error) {
	if len(s.lanes) == 0 && s.then != nil {
		s.lanes, s.then = s.then, nil
		if err := s.lanes.start(s.store, s.filter); err != nil {
			return row{}, nil, false, err
		}
	}
	if len(s.lanes) == 0 {
		return row{}, nil, false, nil
	}
	table := byte(s.lanes[0].table)
	r, err = s.lanes.next(s.store, s.filter)
	return r, append([]byte{table}, r.order...), true, err
}

// more finds the next runs, so many at most, and looks at so many rows in all, about, or until ctx is done: so none need not
// mean that there are none.
func (s *search) more(ctx context.Context, n, look int) ([]dispatch.View, error) {
	for len(s.ready) < n && !s.ended && s.looked < look && ctx.Err() == nil {
		if err := s.advance(ctx, max(n, narrowLane)); err != nil {
			return nil, err
		}
	}
	taken := s.ready[:min(n, len(s.ready))]
	s.ready = s.ready[len(taken):]
	views := make([]dispatch.View, len(taken))
	for i := range taken {
		views[i] = taken[i].view
		s.at = taken[i].cursor
	}
	if len(s.ready) == 0 {
		s.at = s.last
	}
	return views, nil
}

// next is the cursor to go on with; empty if there is nothing more.
func (s *search) next() string {
	if s.ended && len(s.ready) == 0 {
		return ""
	}
	return hex.EncodeToString(s.at)
}

// advance looks at the next rows.
func (s *search) advance(ctx context.Context, n int) error {
	if s.live() {
		n = wideLane // of those, few may be with a worker
	}
	first := len(s.ready)
	for range min(n, wideLane) {
		r, cursor, ok, err := s.row()
		if err != nil {
			return err
		}
		if !ok {
			s.ended = true
			break
		}
		s.looked++
		s.last = cursor
		if r.no {
			continue
		}
		v, ok, err := s.view(&r)
		if err != nil {
			return fmt.Errorf("run %s: %w", r.id, err)
		}
		if ok {
			s.ready = append(s.ready, hit{view: v, cursor: s.last})
		}
	}
	return s.settle(ctx, first)
}

// live tells whether it matters where runs are now.
func (s *search) live() bool {
	return s.filter.state == dispatch.Pending || s.filter.state == dispatch.Running
}

// settle asks where the runs found are now that are not finished, and leaves out those that are not asked for. What is in
// memory is newer than the store: there, one that is with a worker is still in line, or even scheduled.
func (s *search) settle(ctx context.Context, first int) error {
	var ids []dispatch.ID
	for i := range s.ready[first:] {
		if v := &s.ready[first+i].view; !v.State.Finished() {
			ids = append(ids, v.ID)
		}
	}
	var states []dispatch.RunState
	if len(ids) > 0 {
		var err error
		if states, err = s.runs.States(ctx, ids); err != nil {
			return err
		}
	}
	kept := s.ready[:first]
	for _, h := range s.ready[first:] {
		if !h.view.State.Finished() {
			if states[0] != 0 {
				h.view.State = states[0]
			}
			states = states[1:]
		}
		if s.filter.wantsState(h.view.State) {
			kept = append(kept, h)
		}
	}
	s.ready = kept
	return nil
}

// view looks up what is stored of a run. ok is false if it is not asked for, or not there any more.
func (s *search) view(r *row) (v dispatch.View, ok bool, err error) {
	if r.run == nil {
		value, ok, err := s.store.Get(dispatch.TableRuns, r.id[:])
		if err != nil || !ok {
			return v, false, err
		}
		if err := r.keep(value, s.filter); err != nil || r.no {
			return v, false, err
		}
	}
	run, err := dispatch.DecodeRun(r.run)
	if err != nil {
		return v, false, err
	}
	v = dispatch.View{ID: r.id, Name: run.Name, Run: r.run}
	if v.Outcome, ok, err = s.store.Get(dispatch.TableOutcomes, r.id[:]); err != nil {
		return v, false, err
	}
	if ok {
		return v, true, finish(&v)
	}
	if s.filter.finished || s.filter.state.Finished() {
		return v, false, nil
	}
	if v.Status, _, err = s.store.Get(dispatch.TableStatus, r.id[:]); err != nil {
		return v, false, err
	}
	return v, true, place(&v, r, &run)
}

// finish reads of an outcome what lists show: not the result, which may be large.
func finish(v *dispatch.View) error {
	o, err := dispatch.DecodeOutcome(v.Outcome)
	if err != nil {
		return err
	}
	v.State = o.State
	if len(o.Result) > 0 {
		o.Result = nil
		v.Outcome = o.Append(nil)
	}
	return nil
}

// place says where a run is that is not finished, as the store has it: which of those in line are with a worker, it does
// not know.
func place(v *dispatch.View, r *row, run *dispatch.StoredRun) error {
	v.State = dispatch.Pending
	switch {
	case r.state != 0:
		v.State, v.Due = r.state, r.due
	case v.Status != nil:
		status, err := dispatch.DecodeStatus(v.Status)
		if err != nil {
			return err
		}
		if status.Due > 0 {
			v.State, v.Due = dispatch.Retrying, status.Due
		}
	case run.Due > run.Created:
		v.State, v.Due = dispatch.Waiting, run.Due
	}
	return nil
}
