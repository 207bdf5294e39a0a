package reactor_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"workman/dispatch"
	"workman/reactor"
)

// script is tasks whose timer does not run, so that the test answers in place of the dispatcher.
func script(t *testing.T) (*reactor.Tasks, context.Context) {
	t.Helper()
	d, err := dispatch.New(dispatch.DefaultConfig(), new(brittle), dispatch.Now{})
	if err != nil {
		t.Fatal(err)
	}
	clock := func() dispatch.Now { return dispatch.Now{} }
	tasks := reactor.NewTasks(dispatch.NewCombiner(d, 64, clock), clock, func(what string, p any, _ string) { t.Error(what, p) })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return tasks, ctx
}

// deliver is what whoever holds the dispatcher does with a batch.
func deliver(tasks *reactor.Tasks, b *dispatch.Batch) {
	s := tasks.Submitter()
	s.Begin()
	s.Deliver(b)
	s.End(-1)
}

var runs = []dispatch.ID{{1}, {2}, {3}}

// TestDo: each run's effect comes back for it, in whatever order they come, with a body of its own.
func TestDo(t *testing.T) {
	tasks, ctx := script(t)
	type result struct {
		effects []dispatch.Effect
		err     error
	}
	got := make(chan result, 1)
	go func() {
		effects, err := tasks.Do(ctx, dispatch.RetryRun, runs)
		got <- result{effects, err}
	}()
	in := tasks.NextAsked()
	if in.From != 0 || len(in.Events) != len(runs) {
		t.Fatalf("asked %+v", in)
	}
	for i := range in.Events {
		ev := &in.Events[i]
		if ev.Kind != dispatch.RetryRun || dispatch.ID(ev.Run().Of(in.Base)) != runs[i] {
			t.Errorf("event %d: %+v", i, ev)
		}
	}
	body := []byte("third")
	deliver(tasks, &dispatch.Batch{Effects: []dispatch.Effect{
		{Kind: dispatch.Changed, Seq: in.Events[2].Seq, Body: body},
		{Kind: dispatch.Refused, Seq: in.Events[0].Seq, Reason: dispatch.NoRun},
		{Kind: dispatch.Refused, Reason: dispatch.Draining}, // answers nothing
	}})
	copy(body, "xxxxx")
	select {
	case r := <-got:
		t.Fatalf("Do returned before its second run was answered: %+v", r)
	default:
	}
	deliver(tasks, &dispatch.Batch{Effects: []dispatch.Effect{{Kind: dispatch.Changed, Seq: in.Events[1].Seq}}})
	r := <-got
	if r.err != nil || len(r.effects) != 3 || r.effects[0].Reason != dispatch.NoRun || r.effects[1].Kind != dispatch.Changed ||
		string(r.effects[2].Body) != "third" {
		t.Errorf("Do returned %+v, %v", r.effects, r.err)
	}
	deliver(tasks, &dispatch.Batch{Effects: []dispatch.Effect{{Kind: dispatch.Changed, Seq: in.Events[1].Seq}}}) // answered already
}

// TestDoGivesUp: without an answer it ends with its context, and what comes late is for nobody.
func TestDoGivesUp(t *testing.T) {
	tasks, ctx := script(t)
	ctx, cancel := context.WithCancel(ctx)
	got := make(chan error, 1)
	go func() {
		_, err := tasks.Do(ctx, dispatch.CancelRun, runs)
		got <- err
	}()
	in := tasks.NextAsked()
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("Do returned %v, want that it was cancelled", err)
	}
	deliver(tasks, &dispatch.Batch{Effects: []dispatch.Effect{{Kind: dispatch.Changed, Seq: in.Events[0].Seq}}})
	if _, err := tasks.Do(ctx, dispatch.CancelRun, make([]dispatch.ID, reactor.MaxAsked+1)); err == nil || !strings.Contains(err.Error(), "256") {
		t.Errorf("too many at once: %v", err)
	}
	if all, err := tasks.Do(ctx, dispatch.CancelRun, nil); all != nil || err != nil {
		t.Errorf("none at all: %v, %v", all, err)
	}
}

// TestStates: one question, one survey, as many states as runs.
func TestStates(t *testing.T) {
	tasks, ctx := script(t)
	for _, told := range [][]dispatch.RunState{{dispatch.Running, 0, dispatch.Pending}, {dispatch.Running}} {
		got := make(chan []dispatch.RunState, 1)
		failed := make(chan error, 1)
		go func() {
			all, err := tasks.States(ctx, runs)
			failed <- err
			got <- all
		}()
		in := tasks.NextAsked()
		if len(in.Events) != 1 || in.Events[0].Kind != dispatch.ListRunStates || len(in.Events[0].Body.Of(in.Base)) != 48 {
			t.Fatalf("asked %+v", in)
		}
		deliver(tasks, &dispatch.Batch{Asked: in.Events[0].Seq, Survey: &dispatch.Survey{States: told}})
		err, all := <-failed, <-got
		if fits := len(told) == len(runs); fits != (err == nil) || fits && !slices.Equal(all, told) {
			t.Errorf("told %v: %v, %v", told, all, err)
		}
	}
}

// kept counts what it is given.
type kept struct{ batches int }

func (k *kept) Keep(*dispatch.Batch) { k.batches++ }

// TestKeep: every batch with something for the store, and no other, reaches the keeper.
func TestKeep(t *testing.T) {
	tasks, _ := script(t)
	deliver(tasks, &dispatch.Batch{N: 1, Ops: make([]dispatch.Op, 1)}) // nobody keeps: nothing happens
	k := new(kept)
	tasks.KeepWith(k)
	for i, b := range []dispatch.Batch{
		{N: 1, Ops: make([]dispatch.Op, 1)}, {Loads: make([]dispatch.Load, 1)}, {Calls: make([]dispatch.ID, 1)},
	} {
		if deliver(tasks, &b); k.batches != i+1 {
			t.Errorf("batch %d did not reach the keeper", i)
		}
	}
	if deliver(tasks, &dispatch.Batch{Effects: make([]dispatch.Effect, 1)}); k.batches != 3 {
		t.Error("a batch with nothing for the store reached the keeper")
	}
}
