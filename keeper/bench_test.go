package keeper_test

import (
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"workman/dispatch"
	"workman/keeper"
)

// BenchmarkRuns is the whole way of a run but for the sockets: asked for, recorded, durable and acknowledged (submit), and
// then worked, its outcome recorded and durable too (life). 512 are under way. cpu-ns/op is what all goroutines take.
func BenchmarkRuns(b *testing.B) {
	b.Run("submit", func(b *testing.B) { newRunner(b, false).run(b) })
	b.Run("life", func(b *testing.B) { newRunner(b, true).run(b) })
	b.Run("schedule", func(b *testing.B) {
		r := newRunner(b, false)
		r.event.Kind, r.event.At = dispatch.ScheduleTask, time.Now().UnixMilli()+1e12
		r.run(b)
	})
}

// runner is a dispatcher with its keeper, eight producers and a worker.
type runner struct {
	combiner *dispatch.Combiner
	accepted atomic.Int64
	worked   bool
	more     chan struct{}
	tokens   []dispatch.Token // handed out and not answered; of whoever holds the dispatcher
	base     []byte
	event    dispatch.Event
	keeper   *keeper.Keeper
}

var benchWorker = dispatch.MakeConn(0, 99, 1)

func newRunner(b *testing.B, worked bool) *runner {
	began := time.Now()
	clock := func() dispatch.Now {
		now := time.Now()
		return dispatch.Now{Mono: now.Sub(began).Milliseconds(), Wall: now.UnixMilli()}
	}
	cfg := dispatch.DefaultConfig()
	cfg.Durable = true
	d, err := dispatch.New(cfg, rand.NewChaCha8([32]byte{1}), clock())
	if err != nil {
		b.Fatal(err)
	}
	r := &runner{combiner: dispatch.NewCombiner(d, 4096, clock), more: make(chan struct{}, 1), worked: worked}
	if r.keeper, err = keeper.Open(b.TempDir(), keeper.DefaultConfig()); err != nil {
		b.Fatal(err)
	}
	if err := r.keeper.Restore(d, nil); err != nil {
		b.Fatal(err)
	}
	r.keeper.Start(r, nil)
	b.Cleanup(func() { _ = r.keeper.Close() })
	terms := dispatch.NewTerms()
	terms.Promise, terms.Reply = true, dispatch.ReplyAccepted
	r.base = terms.Append([]byte(`work{"a":0.1234567890123456,"b":0.6543210987654321}"00000001"`))
	r.event = dispatch.Event{
		Kind: dispatch.RunTask, Name: dispatch.Span{Off: 0, Len: 4}, Body: dispatch.Span{Off: 4, Len: 47},
		Nonce: dispatch.Span{Off: 51, Len: 10}, Terms: dispatch.Span{Off: 61, Len: uint32(len(r.base) - 61)},
	}
	if worked {
		r.say(benchWorker, dispatch.Event{Kind: dispatch.RegisterTask, Name: r.event.Name}, dispatch.Event{Kind: dispatch.GetTask, Count: 256})
	}
	return r
}

func (r *runner) say(from dispatch.Conn, events ...dispatch.Event) {
	for !r.combiner.Submit(dispatch.Input{From: from, Base: r.base, Events: events}, r) {
		runtime.Gosched()
	}
}

func (r *runner) run(b *testing.B) {
	const burst, underWay = 16, 512
	events := make([]dispatch.Event, burst)
	for i := range events {
		events[i] = r.event
	}
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	b.ResetTimer()
	sent := 0
	for n := 0; sent < b.N; n++ {
		for int64(sent)-r.accepted.Load() > underWay-burst {
			<-r.more
		}
		r.say(dispatch.MakeConn(0, uint32(n%8), 1), events...)
		sent += burst
		if r.worked {
			r.answer()
		}
	}
	for int64(sent) > r.accepted.Load() {
		<-r.more
	}
	b.StopTimer()
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	used := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(used)/float64(sent), "cpu-ns/op")
}

// answer has the worker answer what it was handed.
func (r *runner) answer() {
	var tokens []dispatch.Token
	r.combiner.Exclusive(func(*dispatch.Dispatcher) { tokens, r.tokens = r.tokens, nil })
	if len(tokens) == 0 {
		return
	}
	events := make([]dispatch.Event, len(tokens))
	for i, t := range tokens {
		events[i] = dispatch.Event{Kind: dispatch.SendResult, Token: t, Body: dispatch.Span{Off: 8, Len: 18}, Count: 1}
	}
	r.say(benchWorker, events...)
}

// Submit and Help are keeper.Submitter.
func (r *runner) Submit(in dispatch.Input, _ <-chan struct{}) bool {
	for !r.combiner.Submit(in, r) {
		runtime.Gosched()
	}
	return true
}

func (r *runner) Help() bool { return false }

// Begin and the others are dispatch.Sink.
func (r *runner) Begin()    {}
func (r *runner) End(int64) {}
func (r *runner) Left()     {}

func (r *runner) Panicked(_ dispatch.Conn, p any) { panic(p) }

func (r *runner) Deliver(batch *dispatch.Batch) {
	r.keeper.Keep(batch)
	n := int64(0)
	for i := range batch.Effects {
		switch e := &batch.Effects[i]; e.Kind {
		case dispatch.Accepted, dispatch.Scheduled:
			n++
		case dispatch.HandOut:
			r.tokens = append(r.tokens, e.Token)
		case dispatch.Refused:
			panic(e.Reason)
		}
	}
	if n > 0 {
		r.accepted.Add(n)
		select {
		case r.more <- struct{}{}:
		default:
		}
	}
}
