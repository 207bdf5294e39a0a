package dispatch_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"workman/dispatch"
)

// The addresses of the benchmarks' peers.
var (
	benchProducer = dispatch.MakeConn(0, 0, 1)
	benchWorker   = dispatch.MakeConn(0, 1, 1)
	benchBorrower = dispatch.MakeConn(0, 2, 1)
)

func newBenched(b *testing.B) *dispatch.Dispatcher {
	b.Helper()
	d, err := dispatch.New(dispatch.DefaultConfig(), rand.NewChaCha8([32]byte{1}), dispatch.Now{Mono: 1, Wall: 1})
	if err != nil {
		b.Fatal(err)
	}
	return d
}

// BenchmarkRing is one input put in and taken out.
func BenchmarkRing(b *testing.B) {
	r := dispatch.NewRing(64)
	in := dispatch.Input{From: benchProducer, Events: make([]dispatch.Event, 16)}
	b.ReportAllocs()
	for b.Loop() {
		if !r.Push(in) {
			b.Fatal("the ring is full")
		}
		if _, ok := r.Take(); !ok {
			b.Fatal("the ring is empty")
		}
	}
}

// deaf is a sink that throws away what it gets.
type deaf struct{}

func (deaf) Begin()                          {}
func (deaf) Deliver(*dispatch.Batch)         {}
func (deaf) End(int64)                       {}
func (deaf) Left()                           {}
func (deaf) Panicked(_ dispatch.Conn, p any) { panic(p) }

// BenchmarkCombiner is an input that changes nothing, from taking the dispatcher to letting it go.
func BenchmarkCombiner(b *testing.B) {
	c := dispatch.NewCombiner(newBenched(b), 64, func() dispatch.Now { return dispatch.Now{Mono: 1, Wall: 1} })
	in := dispatch.Input{From: benchProducer, Events: []dispatch.Event{{Kind: dispatch.Unblock}}}
	b.ReportAllocs()
	for b.Loop() {
		if !c.Submit(in, deaf{}) {
			b.Fatal("the ring is full")
		}
	}
}

// BenchmarkStep is a whole task: asked for, handed out, answered, and its worker ready for the next. waiting is how many
// others wait meanwhile, of a name that nobody works on; names is how many names the worker has, of which each task has
// the next.
func BenchmarkStep(b *testing.B) {
	for _, c := range []struct{ waiting, names int }{{0, 1}, {1_000_000 - 1, 1}, {0, 1000}} {
		b.Run(fmt.Sprintf("waiting=%d,names=%d", c.waiting, c.names), func(b *testing.B) {
			d := newBenched(b)
			s := newStepper(d, c.names)
			s.wait(c.waiting)
			b.ReportAllocs()
			for b.Loop() {
				s.task()
			}
		})
	}
}

// BenchmarkHello is BenchmarkStep for a worker that said hello: its task comes with a ticket.
func BenchmarkHello(b *testing.B) {
	d := newBenched(b)
	s := &stepper{d: d}
	s.step(benchWorker, dispatch.Event{Kind: dispatch.SayHello})
	s = newStepper(d, 1)
	b.ReportAllocs()
	for b.Loop() {
		s.task()
	}
}

// BenchmarkLease is a whole task that is borrowed: asked for, lent, and answered.
func BenchmarkLease(b *testing.B) {
	d := newBenched(b)
	s := newStepper(d, 1)
	s.batch.Reset()
	s.step(benchWorker, dispatch.Event{Kind: dispatch.Gone})
	s.step(benchWorker+1, dispatch.Event{Kind: dispatch.RegisterTask, Name: s.names[0]}) // somebody else can do it too
	s.batch.Reset()
	name := uint32(len(s.base))
	s.base = append(s.base, "work-0000\n12345678"...)
	b.ReportAllocs()
	for b.Loop() {
		s.lease(dispatch.Span{Off: name, Len: 10}, dispatch.Span{Off: name + 10, Len: 8})
	}
}

func (s *stepper) lease(names, secret dispatch.Span) {
	s.step(benchProducer, dispatch.Event{
		Kind: dispatch.RunTask, Name: s.names[0], Nonce: dispatch.Span{Len: 10}, Body: dispatch.Span{Off: 10, Len: uint32(len(benchOptions))},
	})
	s.step(benchBorrower, dispatch.Event{Kind: dispatch.TakeLease, Body: names, Count: 1, Token: dispatch.Token{Secret: 60_000}})
	e := &s.batch.Effects[0]
	ticket, err := dispatch.DecodeTicket(e.Nonce)
	if err != nil {
		panic(err)
	}
	binary.BigEndian.PutUint64(secret.Of(s.base), ticket.Secret)
	token := e.Token
	s.batch.Reset()
	s.step(benchBorrower, dispatch.Event{Kind: dispatch.SendResult, Token: token, Nonce: secret, Body: dispatch.Span{Off: 15, Len: 18}})
	if len(s.batch.Effects) != 2 || s.batch.Effects[1].Kind != dispatch.LeaseTaken {
		panic("no result")
	}
	s.batch.Reset()
}

// stepper has one producer and one worker do one task after the other.
type stepper struct {
	d     *dispatch.Dispatcher
	batch dispatch.Batch
	base  []byte // a nonce, options, and names
	names []dispatch.Span
	next  int
}

func newStepper(d *dispatch.Dispatcher, names int) *stepper {
	s := &stepper{d: d, base: []byte(`"00000001"` + benchOptions)}
	for i := range names {
		name := fmt.Sprintf("work-%04d", i)
		s.names = append(s.names, dispatch.Span{Off: uint32(len(s.base)), Len: uint32(len(name))})
		s.base = append(s.base, name...)
		s.step(benchWorker, dispatch.Event{Kind: dispatch.RegisterTask, Name: s.names[i]})
	}
	s.step(benchWorker, dispatch.Event{Kind: dispatch.GetTask, Count: 1})
	return s
}

const benchOptions = `{"a":0.1234567890123456,"b":0.6543210987654321}`

func (s *stepper) step(from dispatch.Conn, ev dispatch.Event) {
	s.d.Step(dispatch.Now{Mono: 1, Wall: 1}, from, &ev, s.base, &s.batch)
}

// wait fills a queue that nobody works on.
func (s *stepper) wait(n int) {
	base := append([]byte("others"), benchOptions...)
	ev := dispatch.Event{Kind: dispatch.RunTask, Name: dispatch.Span{Len: 6}, Body: dispatch.Span{Off: 6, Len: uint32(len(benchOptions))}}
	for i := range n {
		from := dispatch.MakeConn(0, uint32(2+i/50_000), 1)
		s.d.Step(dispatch.Now{Mono: 1, Wall: 1}, from, &ev, base, &s.batch)
		s.batch.Reset()
	}
}

func (s *stepper) task() {
	s.step(benchProducer, dispatch.Event{
		Kind: dispatch.RunTask, Name: s.names[s.next], Nonce: dispatch.Span{Len: 10},
		Body: dispatch.Span{Off: 10, Len: uint32(len(benchOptions))},
	})
	if s.next++; s.next == len(s.names) {
		s.next = 0
	}
	token := s.batch.Effects[0].Token
	s.batch.Reset()
	s.step(benchWorker, dispatch.Event{Kind: dispatch.SendResult, Token: token, Body: dispatch.Span{Off: 15, Len: 18}, Count: 1})
	if len(s.batch.Effects) != 1 || s.batch.Effects[0].Kind != dispatch.Result {
		panic("no result")
	}
	s.batch.Reset()
}
