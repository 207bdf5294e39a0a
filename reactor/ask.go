package reactor

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"workman/dispatch"
)

// What people and the server itself ask of the dispatcher goes through the timer, which puts it into the ring like
// anything else. It is nowhere near the path of a task.

// ErrEnded is returned when the server is closed.
var ErrEnded = errors.New("reactor: the server has ended")

// answer is what the dispatcher says to a question.
type answer struct {
	asked  uint64
	stats  *dispatch.Stats
	survey *dispatch.Survey
}

// questions are those that are not answered yet.
type questions struct {
	mu   sync.Mutex
	last uint64
	open map[uint64]chan answer
}

func (q *questions) ask() (uint64, chan answer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open == nil {
		q.open = map[uint64]chan answer{}
	}
	q.last++
	c := make(chan answer, 1)
	q.open[q.last] = c
	return q.last, c
}

func (q *questions) forget(n uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.open, n)
}

func (tm *timer) answer(a answer) {
	tm.questions.mu.Lock()
	defer tm.questions.mu.Unlock()
	if c := tm.questions.open[a.asked]; c != nil {
		c <- a
		delete(tm.questions.open, a.asked)
	}
}

// Stats asks the dispatcher what it has counted.
func (t *Tasks) Stats(ctx context.Context) (dispatch.Stats, error) {
	a, err := t.ask(ctx, dispatch.Event{Kind: dispatch.Report})
	if err != nil {
		return dispatch.Stats{}, err
	}
	return *a.stats, nil
}

// TaskInfo asks for a page of the task names in use, from a place on (0, or Survey.Next of the page before).
func (t *Tasks) TaskInfo(ctx context.Context, from uint32, limit int) (dispatch.Survey, error) {
	return t.survey(ctx, dispatch.ListTaskInfo, from, limit)
}

// WorkerInfo asks for a page of the workers.
func (t *Tasks) WorkerInfo(ctx context.Context, from uint32, limit int) (dispatch.Survey, error) {
	return t.survey(ctx, dispatch.ListWorkerInfo, from, limit)
}

func (t *Tasks) survey(ctx context.Context, kind dispatch.Kind, from uint32, limit int) (dispatch.Survey, error) {
	a, err := t.ask(ctx, dispatch.Event{Kind: kind, At: int64(from), Count: uint32(limit)})
	if err != nil {
		return dispatch.Survey{}, err
	}
	return *a.survey, nil
}

// Drain makes the dispatcher refuse new work; when it returns, it does.
func (t *Tasks) Drain(ctx context.Context) error {
	t.draining.Store(true)
	return t.tellAndWait(ctx, dispatch.Drain)
}

// Stop makes the dispatcher answer everybody who waits with a refusal, and hand out nothing more. When it returns, the
// loops have the answers ahead of whatever they are asked to do next.
func (t *Tasks) Stop(ctx context.Context) error { return t.tellAndWait(ctx, dispatch.Stop) }

func (t *Tasks) tellAndWait(ctx context.Context, kind dispatch.Kind) error {
	if err := t.tell(ctx, dispatch.Event{Kind: kind}); err != nil {
		return err
	}
	_, err := t.Stats(ctx)
	return err
}

func (t *Tasks) ask(ctx context.Context, ev dispatch.Event) (answer, error) {
	n, reply := t.timer.questions.ask()
	defer t.timer.questions.forget(n)
	ev.Seq = n
	if err := t.tell(ctx, ev); err != nil {
		return answer{}, err
	}
	select {
	case a := <-reply:
		return a, nil
	case <-t.timer.done:
		return answer{}, ErrEnded
	case <-ctx.Done():
		return answer{}, fmt.Errorf("reactor: wait for the dispatcher's answer: %w", ctx.Err())
	}
}

func (t *Tasks) tell(ctx context.Context, ev dispatch.Event) error {
	select {
	case t.timer.asks <- ev:
		return nil
	case <-t.timer.done:
		return ErrEnded
	case <-ctx.Done():
		return fmt.Errorf("reactor: reach the dispatcher: %w", ctx.Err())
	}
}
