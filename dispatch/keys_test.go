package dispatch_test

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"workman/dispatch"
)

// keyed is a dispatcher that is asked for runs under keys, which nobody looks up but the test.
type keyed struct {
	combiner *dispatch.Combiner
	sink     *batches
	used     int
}

func newKeyed(t *testing.T) *keyed {
	t.Helper()
	now := func() dispatch.Now { return dispatch.Now{Mono: 1, Wall: 1_900_000_000_000} }
	cfg := dispatch.DefaultConfig()
	cfg.Durable = true
	d, err := dispatch.New(cfg, rand.NewPCG(1, 1), now())
	if err != nil {
		t.Fatal(err)
	}
	d.Begin(1, 0)
	return &keyed{combiner: dispatch.NewCombiner(d, 8, now), sink: &batches{t: t}}
}

// ask asks in one input, by requests for so many runs each, and returns how many keys each Load has that follows.
func (k *keyed) ask(requests ...int) []int {
	in := dispatch.Input{From: dispatch.MakeConn(0, 1, 1), Base: []byte("work")}
	for _, n := range requests {
		for left := n - 1; left >= 0; left-- {
			k.used++
			terms := dispatch.NewTerms()
			terms.Promise, terms.Reply, terms.Key = true, dispatch.ReplyAccepted, binary.BigEndian.AppendUint32(nil, uint32(k.used))
			at := len(in.Base)
			in.Base = terms.Append(in.Base)
			in.Events = append(in.Events, dispatch.Event{
				Kind: dispatch.RunTask, Name: dispatch.Span{Len: 4}, Body: dispatch.Span{Len: 4},
				Terms: dispatch.Span{Off: uint32(at), Len: uint32(len(in.Base) - at)}, Count: uint32(min(left, 1)),
			})
		}
	}
	return k.submit(in)
}

// submit returns how many keys each Load has that follows from an input.
func (k *keyed) submit(in dispatch.Input) (keys []int) {
	first := len(k.sink.loads)
	k.combiner.Submit(in, k.sink)
	for _, l := range k.sink.loads[first:] {
		keys = append(keys, len(l.Keys))
	}
	return keys
}

// found says that none of the keys of a Load is known, in one input.
func (k *keyed) found(load int) []int {
	l := k.sink.loads[load]
	var in dispatch.Input
	for i := range l.Keys {
		in.Events = append(in.Events, dispatch.Event{Kind: dispatch.Loaded, Seq: l.N + uint64(i), Count: dispatch.LoadWhole})
	}
	return k.submit(in)
}

// TestKeysOfARequest: the keys of one request are one Load, however many they are, and those of others are not with them; of
// others so many are one.
func TestKeysOfARequest(t *testing.T) {
	many := slices.Repeat([]int{1}, 300)
	for _, c := range []struct{ requests, want []int }{
		{[]int{1}, []int{1}},
		{many, []int{256, 44}},
		{[]int{10_000}, []int{10_000}},
		{[]int{1, 1, 1, 500}, []int{3, 500}},
		{[]int{500, 1, 1}, []int{500, 2}},
		{[]int{500, 600}, []int{500, 600}},
		{[]int{2, 1}, []int{3}},
	} {
		k := newKeyed(t)
		if got := k.ask(c.requests...); !slices.Equal(got, c.want) {
			t.Errorf("requests %d: Loads of %d keys, want %d", c.requests, got, c.want)
		}
	}
}

// TestKeysWait: the keys of a request that comes when the store has as many Loads as may be wait, all of them, and are one
// Load with the first answer; their runs are one batch.
func TestKeysWait(t *testing.T) {
	k := newKeyed(t)
	for range 256 {
		if got := k.ask(2); !slices.Equal(got, []int{2}) {
			t.Fatalf("Loads of %d keys, want one of 2", got)
		}
	}
	if got := k.ask(1000, 1); got != nil {
		t.Fatalf("Loads of %d keys, when 256 are not answered", got)
	}
	if got := k.found(7); !slices.Equal(got, []int{1000}) {
		t.Errorf("with one answer came Loads of %d keys, want one of 1000", got)
	}
	if got := k.found(8); !slices.Equal(got, []int{1}) {
		t.Errorf("with the next answer came Loads of %d keys, want one of 1", got)
	}
	before := len(k.sink.number)
	k.found(256)
	if got := len(k.sink.number) - before; got != 1 {
		t.Errorf("the runs of one request are %d batches", got)
	}
}

// TestKeyedRunBehindAGap has a run under a key come behind others that are on the disk only, and then a worker, for which
// these are loaded. It is not handed that run before it is durable.
func TestKeyedRunBehindAGap(t *testing.T) {
	k, err := newKept(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	must := func(f *flaw) {
		t.Helper()
		if f != nil {
			t.Fatalf("%v\n%s", f, k.log)
		}
	}
	answerLoads := func() { // and make nothing durable
		must(k.flush())
		for len(k.disk.loads) > 0 {
			must(k.load())
			must(k.flush())
		}
	}
	k.cfg = dispatch.DefaultConfig()
	k.cfg.Durable, k.cfg.Window, k.batch, k.fails = true, 2, 1, false
	must(k.crash()) // and begin with these
	producer, f := k.enter(false)
	must(f)
	submit := func(key []byte) {
		terms := dispatch.NewTerms()
		terms.Promise, terms.Reply, terms.Key = true, dispatch.ReplyAccepted, key
		must(k.request(producer, ask{kind: dispatch.RunTask, name: []byte("a"), body: k.newBody(), terms: &terms}))
	}
	for range 3 {
		submit(nil)
	}
	for len(k.disk.loads)+len(k.disk.pending)+len(k.out.Ops) > 0 {
		must(k.storeAnswers())
	}
	submit([]byte("key"))
	answerLoads()
	worker, f := k.enter(true)
	must(f)
	must(k.do(worker.conn, ask{kind: dispatch.RegisterTask, name: []byte("a")}))
	must(k.do(worker.conn, ask{kind: dispatch.GetTask, count: 10}))
	answerLoads()
	if len(worker.held) != 3 {
		t.Errorf("%d runs were handed out before the fourth is durable, want 3", len(worker.held))
	}
	for len(k.disk.loads)+len(k.disk.pending)+len(k.out.Ops) > 0 {
		must(k.storeAnswers())
	}
	if len(worker.held) != 4 {
		t.Errorf("%d runs were handed out in the end, want 4", len(worker.held))
	}
}
