package dispatch_test

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"workman/dispatch"
)

// TestRingOrder pushes from several goroutines into a small ring: nothing is lost or doubled, and what one goroutine
// pushed stays in its order.
func TestRingOrder(t *testing.T) {
	const pushers, each = 4, 20_000
	r := dispatch.NewRing(64)
	var wg sync.WaitGroup
	for p := range pushers {
		wg.Go(func() {
			for i := range each {
				for !r.Push(dispatch.Input{From: dispatch.MakeConn(p, uint32(i), 1)}) {
					runtime.Gosched() // full; the taker is at it
				}
			}
		})
	}
	var next [pushers]uint32
	for taken := 0; taken < pushers*each; {
		in, ok := r.Take()
		if !ok {
			continue
		}
		taken++
		if p := in.From.Loop(); in.From.Slot() != next[p] {
			t.Fatalf("pusher %d: took %d, want %d", p, in.From.Slot(), next[p])
		}
		next[in.From.Loop()]++
	}
	wg.Wait()
	if _, ok := r.Take(); ok {
		t.Fatal("something is left")
	}
}

func TestRingFull(t *testing.T) {
	r := dispatch.NewRing(4)
	for round := range 10 {
		for i := range 4 {
			if !r.Push(dispatch.Input{From: dispatch.Conn(i)}) {
				t.Fatalf("round %d: no room for %d of 4", round, i+1)
			}
		}
		if r.Push(dispatch.Input{}) {
			t.Fatalf("round %d: a ring of 4 took 5", round)
		}
		for i := range 4 {
			if in, ok := r.Take(); !ok || in.From != dispatch.Conn(i) {
				t.Fatalf("round %d: took %v %v, want %d", round, in.From, ok, i)
			}
		}
	}
}

// listener is a sink that checks what each connection is answered, and comes back when something is left.
type listener struct {
	t      *testing.T
	shared *sharedCheck
	left   atomic.Bool
	inside *atomic.Int32
}

type sharedCheck struct {
	next  []uint64 // by connection: the Seq whose answer comes next
	total atomic.Int64
}

func (l *listener) Begin() {
	if l.inside.Add(1) != 1 {
		l.t.Error("two hold the dispatcher at once")
	}
}

func (l *listener) Deliver(b *dispatch.Batch) {
	for _, e := range b.Effects {
		slot := e.To.Slot()
		if e.Seq != l.shared.next[slot] {
			l.t.Errorf("connection %d is answered %d, want %d", slot, e.Seq, l.shared.next[slot])
		}
		if len(e.Nonce) != 8 || binary.LittleEndian.Uint64(e.Nonce) != e.Seq {
			l.t.Errorf("connection %d, answer %d: nonce %x is not what was sent", slot, e.Seq, e.Nonce)
		}
		l.shared.next[slot] = e.Seq + 1
		l.shared.total.Add(1)
	}
}

func (l *listener) End(int64)                          { l.inside.Add(-1) }
func (l *listener) Left()                              { l.left.Store(true) }
func (l *listener) Panicked(from dispatch.Conn, p any) { l.t.Errorf("%x: %v", from, p) }

// TestCombinerTogether submits from several goroutines, each with borrowed bytes that it scribbles over at once. All is
// answered, in order, and when everybody has returned nothing is left lying but what a sink was told of.
func TestCombinerTogether(t *testing.T) {
	const each = 5_000
	for _, size := range []int{2, 8, 1024} {
		now := func() dispatch.Now { return dispatch.Now{} }
		d, err := dispatch.New(dispatch.DefaultConfig(), rand.NewPCG(1, 1), now())
		if err != nil {
			t.Fatal(err)
		}
		const goroutines = 4
		c := dispatch.NewCombiner(d, size, now)
		shared := &sharedCheck{next: make([]uint64, goroutines)}
		var inside atomic.Int32
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				sink := &listener{t: t, shared: shared, inside: &inside}
				base := make([]byte, 0, 64)
				for seq := uint64(0); seq < each; {
					n := 1 + seq%3
					base = base[:0]
					var events []dispatch.Event
					for i := range n {
						base = binary.LittleEndian.AppendUint64(base, seq+i)
						events = append(events, dispatch.Event{
							Kind: dispatch.ListTasks, Seq: seq + i, Nonce: dispatch.Span{Off: uint32(8 * i), Len: 8},
						})
					}
					in := dispatch.Input{From: dispatch.MakeConn(g, uint32(g), 1), Base: base, Events: events}
					for !c.Submit(in, sink) {
						runtime.Gosched()
					}
					seq += n
					clear(base)
					clear(events)
					for sink.left.Swap(false) {
						c.Help(sink)
					}
				}
			})
		}
		wg.Wait()
		want := int64(0)
		for _, n := range shared.next {
			want += int64(n)
		}
		if got := shared.total.Load(); got != want || got < goroutines*each {
			t.Fatalf("ring of %d: %d answers, want %d", size, got, want)
		}
	}
}

// TestCombinerBehindAnUnpublishedClaim: an input whose way is barred by a claim that is not published yet waits, and its
// bytes may be used again meanwhile. Whoever publishes the claim runs both, in order.
func TestCombinerBehindAnUnpublishedClaim(t *testing.T) {
	now := func() dispatch.Now { return dispatch.Now{} }
	d, err := dispatch.New(dispatch.DefaultConfig(), rand.NewPCG(1, 1), now())
	if err != nil {
		t.Fatal(err)
	}
	c := dispatch.NewCombiner(d, 8, now)
	var inside atomic.Int32
	shared := &sharedCheck{next: make([]uint64, 2)}
	sink := &listener{t: t, shared: shared, inside: &inside}
	input := func(conn uint32, seq uint64) dispatch.Input {
		return dispatch.Input{
			From:   dispatch.MakeConn(0, conn, 1),
			Base:   binary.LittleEndian.AppendUint64(nil, seq),
			Events: []dispatch.Event{{Kind: dispatch.ListTasks, Seq: seq, Nonce: dispatch.Span{Len: 8}}},
		}
	}
	publish := c.Claim(input(1, 0))
	in := input(0, 0)
	if !c.Submit(in, sink) {
		t.Fatal("full")
	}
	if n := shared.total.Load(); n != 0 {
		t.Fatalf("%d answers went past a claim that is not published", n)
	}
	clear(in.Base)
	clear(in.Events)
	publish()
	c.Help(sink)
	if n := shared.total.Load(); n != 2 {
		t.Fatalf("%d answers, want 2", n)
	}
}

// TestCombinerPost: what is posted waits until somebody helps, or submits something of their own, and comes first then. Its
// bytes may be used again at once. A full ring takes no more.
func TestCombinerPost(t *testing.T) {
	now := func() dispatch.Now { return dispatch.Now{} }
	d, err := dispatch.New(dispatch.DefaultConfig(), rand.NewPCG(1, 1), now())
	if err != nil {
		t.Fatal(err)
	}
	c := dispatch.NewCombiner(d, 2, now)
	shared := &sharedCheck{next: make([]uint64, 1)}
	sink := &listener{t: t, shared: shared, inside: new(atomic.Int32)}
	seq := uint64(0)
	give := func(take func(dispatch.Input) bool) bool {
		in := dispatch.Input{
			From: dispatch.MakeConn(0, 0, 1), Base: binary.LittleEndian.AppendUint64(nil, seq),
			Events: []dispatch.Event{{Kind: dispatch.ListTasks, Seq: seq, Nonce: dispatch.Span{Len: 8}}},
		}
		taken := take(in)
		clear(in.Base)
		clear(in.Events)
		if taken {
			seq++
		}
		return taken
	}
	answered := func(want int64) {
		t.Helper()
		if n := shared.total.Load(); n != want {
			t.Fatalf("%d answers, want %d", n, want)
		}
	}
	for n, fits := range []bool{true, true, false} {
		if give(c.Post) != fits {
			t.Fatalf("a ring of 2 took input %d: %v", n+1, !fits)
		}
	}
	answered(0)
	c.Help(sink)
	answered(2)
	if !give(c.Post) || !give(func(in dispatch.Input) bool { return c.Submit(in, sink) }) {
		t.Fatal("full")
	}
	answered(4)
}

// TestCombinerPanic: an input that panics costs itself, and the dispatcher serves on.
func TestCombinerPanic(t *testing.T) {
	now := func() dispatch.Now { return dispatch.Now{} }
	d, err := dispatch.New(dispatch.DefaultConfig(), rand.NewPCG(1, 1), now())
	if err != nil {
		t.Fatal(err)
	}
	c := dispatch.NewCombiner(d, 8, now)
	sink := &panicSink{}
	bad := dispatch.Event{Kind: dispatch.RunTask, Name: dispatch.Span{Off: 5, Len: 100}} // outside its base
	c.Submit(dispatch.Input{From: 7, Events: []dispatch.Event{bad}, Base: []byte("x")}, sink)
	if sink.from != 7 {
		t.Fatalf("the sink was told of connection %d, want 7", sink.from)
	}
	c.Submit(dispatch.Input{From: 8, Events: []dispatch.Event{{Kind: dispatch.ListTasks}}}, sink)
	if sink.effects != 1 {
		t.Fatalf("%d effects after the panic, want 1", sink.effects)
	}
}

type panicSink struct {
	from    dispatch.Conn
	effects int
}

func (s *panicSink) Begin()                             {}
func (s *panicSink) Deliver(b *dispatch.Batch)          { s.effects += len(b.Effects) }
func (s *panicSink) End(int64)                          {}
func (s *panicSink) Left()                              {}
func (s *panicSink) Panicked(from dispatch.Conn, _ any) { s.from = from }
