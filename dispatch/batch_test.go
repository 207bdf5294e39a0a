package dispatch_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"workman/dispatch"
)

// batches is a sink that notes how many bytes each batch has for the store, and what its number is.
type batches struct {
	t      *testing.T
	bytes  []int
	number []uint64
	loads  []dispatch.Load
}

func (s *batches) Begin()                             {}
func (s *batches) End(int64)                          {}
func (s *batches) Left()                              {}
func (s *batches) Panicked(from dispatch.Conn, p any) { s.t.Errorf("%x: %v", from, p) }

func (s *batches) Deliver(b *dispatch.Batch) {
	if len(b.Ops) > 0 {
		s.bytes, s.number = append(s.bytes, len(b.Data)), append(s.number, b.N)
	}
	s.loads = append(s.loads, b.Loads...)
}

// TestBatchesHaveABound: what one input has for the store is one batch, unless that would be more than fits into a segment of
// the store; that goes for runs that are accepted at once, and for those whose keys are looked up first.
func TestBatchesHaveABound(t *testing.T) {
	const runs, size = 20, 4000
	for _, c := range []struct {
		key  string
		most int
		want int // batches
	}{{"", 1 << 20, 1}, {"", 3 * size, 7}, {"k", 1 << 20, 1}, {"k", 3 * size, 7}} {
		now := func() dispatch.Now { return dispatch.Now{Mono: 1, Wall: 1_900_000_000_000} }
		cfg := dispatch.DefaultConfig()
		cfg.Durable, cfg.MaxBatch = true, c.most
		d, err := dispatch.New(cfg, rand.NewPCG(1, 1), now())
		if err != nil {
			t.Fatal(err)
		}
		d.Begin(1, 0)
		combiner, sink := dispatch.NewCombiner(d, 8, now), &batches{t: t}
		in := dispatch.Input{From: dispatch.MakeConn(0, 1, 1), Base: append([]byte("work"), make([]byte, size)...)}
		for i := range runs {
			terms := dispatch.NewTerms()
			if terms.Promise, terms.Reply = true, dispatch.ReplyAccepted; c.key != "" {
				terms.Key = []byte{c.key[0], byte('a' + i)}
			}
			at := len(in.Base)
			in.Base = terms.Append(in.Base)
			in.Events = append(in.Events, dispatch.Event{
				Kind: dispatch.RunTask, Name: dispatch.Span{Len: 4}, Body: dispatch.Span{Off: 4, Len: size},
				Terms: dispatch.Span{Off: uint32(at), Len: uint32(len(in.Base) - at)},
				Count: uint32(min(runs-1-i, 1)),
			})
		}
		combiner.Submit(in, sink)
		var found dispatch.Input
		for _, l := range sink.loads { // none of the keys is known
			for i := range l.Keys {
				found.Events = append(found.Events, dispatch.Event{Kind: dispatch.Loaded, Seq: l.N + uint64(i), Count: dispatch.LoadWhole})
			}
		}
		combiner.Submit(found, sink)
		if len(sink.bytes) != c.want || slices.Max(sink.bytes) > c.most+size+200 {
			t.Errorf("%+v: batches of %d bytes", c, sink.bytes)
		}
		for i, n := range sink.number {
			if n != uint64(i+1) {
				t.Errorf("%+v: batches with the numbers %d", c, sink.number)
			}
		}
		if s := d.Stats(); s.Accepted != runs {
			t.Errorf("%+v: %d runs are accepted", c, s.Accepted)
		}
	}
}
