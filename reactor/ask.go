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

// MaxAsked is how many runs one call of Do or States may be about.
const MaxAsked = 256

// answer is what the dispatcher says to a question.
type answer struct {
	asked  uint64
	stats  *dispatch.Stats
	survey *dispatch.Survey
	effect dispatch.Effect // its slices are its own
}

// inquiry is questions that were asked together.
type inquiry struct {
	first   uint64 // number of the first question
	answers []answer
	left    int           // not answered yet
	ready   chan struct{} // closed when all are
}

// questions are the inquiries that are not answered yet, by the number of each question.
type questions struct {
	mu   sync.Mutex
	last uint64
	open map[uint64]*inquiry
}

func (q *questions) ask(n int) *inquiry {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open == nil {
		q.open = map[uint64]*inquiry{}
	}
	i := &inquiry{first: q.last + 1, answers: make([]answer, n), left: n, ready: make(chan struct{})}
	for range n {
		q.last++
		q.open[q.last] = i
	}
	return i
}

func (q *questions) forget(i *inquiry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for n := range uint64(len(i.answers)) {
		delete(q.open, i.first+n)
	}
}

func (tm *timer) answer(a answer) {
	q := &tm.questions
	q.mu.Lock()
	defer q.mu.Unlock()
	i := q.open[a.asked]
	if i == nil {
		return
	}
	delete(q.open, a.asked)
	i.answers[a.asked-i.first] = a
	if i.left--; i.left == 0 {
		close(i.ready)
	}
}

// Stats asks the dispatcher what it has counted.
func (t *Tasks) Stats(ctx context.Context) (dispatch.Stats, error) {
	a, err := t.ask(ctx, one(dispatch.Event{Kind: dispatch.Report}))
	if err != nil {
		return dispatch.Stats{}, err
	}
	return *a[0].stats, nil
}

// TaskInfo asks for a page of the task names in use, from a place on (0, or Survey.Next of the page before).
func (t *Tasks) TaskInfo(ctx context.Context, from uint32, limit int) (dispatch.Survey, error) {
	return t.survey(ctx, dispatch.ListTaskInfo, from, limit)
}

// WorkerInfo asks for a page of the workers.
func (t *Tasks) WorkerInfo(ctx context.Context, from uint32, limit int) (dispatch.Survey, error) {
	return t.survey(ctx, dispatch.ListWorkerInfo, from, limit)
}

// Running asks for a page of the runs that workers have.
func (t *Tasks) Running(ctx context.Context, from uint32, limit int) (dispatch.Survey, error) {
	return t.survey(ctx, dispatch.ListRunning, from, limit)
}

func (t *Tasks) survey(ctx context.Context, kind dispatch.Kind, from uint32, limit int) (dispatch.Survey, error) {
	a, err := t.ask(ctx, one(dispatch.Event{Kind: kind, At: int64(from), Count: uint32(limit)}))
	if err != nil {
		return dispatch.Survey{}, err
	}
	return *a[0].survey, nil
}

// Drain makes the dispatcher refuse new work; when it returns, it does.
func (t *Tasks) Drain(ctx context.Context) error {
	t.draining.Store(true)
	return t.tellAndWait(ctx, dispatch.Drain)
}

// Stop makes the dispatcher answer everybody who waits with a refusal, and hand out nothing more. When it returns, the
// loops have the answers ahead of whatever they are asked to do next.
func (t *Tasks) Stop(ctx context.Context) error { return t.tellAndWait(ctx, dispatch.Stop) }

// Do has the dispatcher show, cancel, retry or forget runs, MaxAsked at most: kind is ReadRun, CancelRun, RetryRun or
// ForgetRun. Of each it returns the effect, with Kind, Reason, Body and Found; what was promised is durable then.
func (t *Tasks) Do(ctx context.Context, kind dispatch.Kind, runs []dispatch.ID) ([]dispatch.Effect, error) {
	if len(runs) == 0 {
		return nil, nil
	}
	if err := few(runs); err != nil {
		return nil, err
	}
	in := dispatch.Input{Base: rawIDs(runs), Events: make([]dispatch.Event, len(runs))}
	for i := range runs {
		ev := &in.Events[i]
		ev.Kind = kind
		*ev.Run() = dispatch.Span{Off: uint32(i * len(dispatch.ID{})), Len: uint32(len(dispatch.ID{}))}
	}
	answers, err := t.ask(ctx, in)
	if err != nil {
		return nil, err
	}
	effects := make([]dispatch.Effect, len(answers))
	for i := range answers {
		effects[i] = answers[i].effect
	}
	return effects, nil
}

// SetRule has the dispatcher make or change a schedule that recurs. rule is a dispatch.StoredRule, encoded; count and at are
// the event's, see dispatch.SetRule. It returns the effect, as Do does.
func (t *Tasks) SetRule(ctx context.Context, rule []byte, count uint32, at int64) (dispatch.Effect, error) {
	ev := dispatch.Event{Kind: dispatch.SetRule, Count: count, At: at, Body: dispatch.Span{Len: uint32(len(rule))}}
	return t.about(ctx, ev, rule)
}

// DoRule has it do something else with one, by its id: DropRule, PauseRule, ResumeRule or FireRule. at is the event's.
func (t *Tasks) DoRule(ctx context.Context, kind dispatch.Kind, id dispatch.ID, at int64) (dispatch.Effect, error) {
	ev := dispatch.Event{Kind: kind, At: at}
	*ev.Run() = dispatch.Span{Len: uint32(len(id))}
	return t.about(ctx, ev, id[:])
}

func (t *Tasks) about(ctx context.Context, ev dispatch.Event, base []byte) (dispatch.Effect, error) {
	a, err := t.ask(ctx, dispatch.Input{Base: base, Events: []dispatch.Event{ev}})
	if err != nil {
		return dispatch.Effect{}, err
	}
	return a[0].effect, nil
}

// States asks where runs are now, MaxAsked at most: 0 for one that the dispatcher does not have in memory.
func (t *Tasks) States(ctx context.Context, runs []dispatch.ID) ([]dispatch.RunState, error) {
	if len(runs) == 0 {
		return nil, nil
	}
	if err := few(runs); err != nil {
		return nil, err
	}
	base := rawIDs(runs)
	a, err := t.ask(ctx, dispatch.Input{Base: base, Events: []dispatch.Event{
		{Kind: dispatch.ListRunStates, Body: dispatch.Span{Len: uint32(len(base))}},
	}})
	if err != nil {
		return nil, err
	}
	if got := len(a[0].survey.States); got != len(runs) {
		return nil, fmt.Errorf("reactor: asked where %d runs are, and was told of %d", len(runs), got)
	}
	return a[0].survey.States, nil
}

func few(runs []dispatch.ID) error {
	if len(runs) > MaxAsked {
		return fmt.Errorf("reactor: asked about %d runs at once: %d is the most", len(runs), MaxAsked)
	}
	return nil
}

func rawIDs(runs []dispatch.ID) []byte {
	b := make([]byte, 0, len(runs)*len(dispatch.ID{}))
	for i := range runs {
		b = append(b, runs[i][:]...)
	}
	return b
}

func (t *Tasks) tellAndWait(ctx context.Context, kind dispatch.Kind) error {
	if err := t.tell(ctx, one(dispatch.Event{Kind: kind})); err != nil {
		return err
	}
	_, err := t.Stats(ctx)
	return err
}

func one(ev dispatch.Event) dispatch.Input { return dispatch.Input{Events: []dispatch.Event{ev}} }

// ask numbers the events of an input, passes it on, and returns the answer to each.
func (t *Tasks) ask(ctx context.Context, in dispatch.Input) ([]answer, error) {
	i := t.timer.questions.ask(len(in.Events))
	defer t.timer.questions.forget(i)
	for n := range in.Events {
		in.Events[n].Seq = i.first + uint64(n)
	}
	if err := t.tell(ctx, in); err != nil {
		return nil, err
	}
	select {
	case <-i.ready:
		return i.answers, nil
	case <-t.timer.done:
		return nil, ErrEnded
	case <-ctx.Done():
		return nil, fmt.Errorf("reactor: wait for the dispatcher's answer: %w", ctx.Err())
	}
}

func (t *Tasks) tell(ctx context.Context, in dispatch.Input) error {
	select {
	case t.timer.asks <- in:
		return nil
	case <-t.timer.done:
		return ErrEnded
	case <-ctx.Done():
		return fmt.Errorf("reactor: reach the dispatcher: %w", ctx.Err())
	}
}
