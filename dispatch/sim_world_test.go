package dispatch_test

import (
	"bytes"
	"math/rand/v2"
	"slices"

	"workman/dispatch"
)

// subject is what is simulated: the dispatcher, or one with a planted fault.
type subject interface {
	Step(now dispatch.Now, from dispatch.Conn, ev *dispatch.Event, base []byte, out *dispatch.Batch)
	Sleep(now dispatch.Now) int64
	Stats() dispatch.Stats
}

// world is one simulation: people, clocks and a store around a dispatcher, all drawn from one seed.
type world struct {
	*temper
	rng   *rand.Rand
	sut   subject
	model *model
	log   *transcript
	now   dispatch.Now
	wake  int64 // when the timer rings, by the monotonic clock; below zero: never
	steps int

	generation map[dispatch.Conn]uint32 // the last one of each place, by the address without it
	producers  []*client
	workers    []*client
	counter    int              // makes names and options differ
	stale      []dispatch.Token // of hand-outs that mean nothing any more
	lost       []dispatch.Token // sessions that lost their connection
	lent       []lent           // what leases have, or had

	met   map[string]int // what happened how often
	out   dispatch.Batch
	copys []dispatch.Effect // what out.Effects said when they were checked
	bases [][]byte          // borrowed by the batch
	spare [][]byte
}

// client is a connection.
type client struct {
	conn dispatch.Conn
	http bool
	seq  uint64
	held []dispatch.Token
	used []dispatch.Token // answered

	session dispatch.Token // of who said hello
}

func newWorld(seed uint64, plant func(*world, subject) subject) (*world, error) {
	rng := rand.New(rand.NewPCG(seed, 0x77_6f_72_6b))
	w := &world{
		rng: rng, temper: newTemper(rng), log: newTranscript(),
		now:        dispatch.Now{Mono: rng.Int64N(1 << 40), Wall: 1_790_000_000_000 + rng.Int64N(1<<36)},
		wake:       -1,
		generation: map[dispatch.Conn]uint32{},
		met:        map[string]int{},
	}
	cfg := w.cfg
	w.model = newModel(cfg, w.now)
	if w.modern {
		w.model.beyond = 3 * grain
	}
	if plant != nil { // it may change the dispatcher's bounds, but not the model's
		w.sut = plant(w, nil)
	}
	d, err := dispatch.New(w.cfg, rand.New(rand.NewPCG(seed, 1)), w.now)
	w.cfg = cfg
	if err != nil {
		return nil, err
	}
	w.sut = d
	if plant != nil {
		w.sut = plant(w, d)
	}
	return w, nil
}

// do is one step: an event in, everything checked, everybody told.
func (w *world) do(from dispatch.Conn, in input) *flaw {
	w.steps++
	w.met[kinds[in.kind]]++
	w.log.add(showInput(w.steps, w.now, from, &in))
	ev, base := w.encode(&in)
	e, o, l := len(w.out.Effects), len(w.out.Ops), len(w.out.Loads)
	if e == 0 {
		w.model.input++
	}
	w.sut.Step(w.now, from, ev, base, &w.out)
	part := dispatch.Batch{Effects: w.out.Effects[e:], Ops: w.out.Ops[o:], Loads: w.out.Loads[l:], Stats: w.out.Stats}
	w.out.Stats = nil
	sleep := w.sut.Sleep(w.now)
	w.log.write(&part, sleep)
	f := w.check(from, &in, &part, sleep)
	w.deliver(&part)
	w.wake = -1
	if sleep >= 0 {
		w.wake = w.now.Mono + sleep
	}
	if f == nil && len(w.bases) >= w.batch {
		f = w.flush()
	}
	return f
}

// check lets the model follow the step, and every checker look at it.
func (w *world) check(from dispatch.Conn, in *input, out *dispatch.Batch, sleep int64) *flaw {
	m := w.model
	m.now = w.now
	m.freed, m.greeting, m.resumed, m.finds, m.pouring = nil, nil, false, nil, nil
	stats := w.sut.Stats()
	saw := see(from, out)
	if f := m.apply(from, in, saw); f != nil {
		return f
	}
	if f := m.follow(out); f != nil {
		return f
	}
	m.sweep()
	s := &step{in: in, out: out, now: w.now, sleep: sleep, stats: stats}
	for _, check := range stepChecks {
		if f := check(m, s); f != nil {
			return f
		}
	}
	return nil
}

// see picks from a step what the dispatcher chose.
func see(from dispatch.Conn, out *dispatch.Batch) *seen {
	s := &seen{}
	for i := range out.Effects {
		if e := &out.Effects[i]; e.To == from && e.Kind == dispatch.Refused {
			s.refusal = e
		}
	}
	return s
}

// deliver brings the effects to the clients that are still there.
func (w *world) deliver(out *dispatch.Batch) {
	for i := range out.Effects {
		e := out.Effects[i]
		w.met[situation(&e)]++
		e.Nonce, e.Name, e.Body = bytes.Clone(e.Nonce), bytes.Clone(e.Name), bytes.Clone(e.Body)
		w.copys = append(w.copys, e)
		switch e.Kind {
		case dispatch.HandOut:
			w.hand(e.To, e.Token)
		case dispatch.Welcome:
			w.greet(&e)
		case dispatch.Leased:
			if t, err := dispatch.DecodeTicket(e.Nonce); err == nil {
				w.lent = append(w.lent, lent{e.Token, t.Secret})
			}
		}
	}
}

// hand gives a task to whoever it was sent to: a worker, or a producer that behaves like one.
func (w *world) hand(to dispatch.Conn, t dispatch.Token) {
	for _, cs := range [][]*client{w.workers, w.producers} {
		if c := find(cs, to); c != nil {
			c.held = append(c.held, t)
		}
	}
}

// flush ends a batch: what stands in it must have kept until now. Then its bytes are lent to nobody any more.
func (w *world) flush() (f *flaw) {
	for i := range w.copys {
		if got := &w.out.Effects[i]; f == nil && showEffect(got) != showEffect(&w.copys[i]) {
			f = flawed("borrowed", "%s changed before it was delivered, and was %s", showEffect(got), showEffect(&w.copys[i]))
		}
	}
	w.out.Reset()
	w.copys = w.copys[:0]
	for _, b := range w.bases {
		for i := range b {
			b[i] = '#'
		}
	}
	w.spare = append(w.spare, w.bases...)
	w.bases = w.bases[:0]
	return f
}

// encode writes an event with its bytes into a base that is lent until the batch is flushed.
func (w *world) encode(in *input) (*dispatch.Event, []byte) {
	var base []byte
	if n := len(w.spare); n > 0 {
		base, w.spare = w.spare[n-1][:0], w.spare[:n-1]
	}
	for range 1 + w.rng.IntN(9) {
		base = append(base, '#')
	}
	span := func(b []byte) dispatch.Span {
		if b == nil {
			return dispatch.Span{}
		}
		s := dispatch.Span{Off: uint32(len(base)), Len: uint32(len(b))}
		base = append(append(base, b...), '#')
		return s
	}
	ev := &dispatch.Event{Kind: in.kind, Count: in.count, Seq: in.seq, Token: in.token, At: in.at}
	if in.hasTerms {
		ev.Terms = span(in.terms.Append(nil))
	}
	ev.Name, ev.Nonce, ev.Body = span(in.name), span(in.nonce), span(in.body)
	w.bases = append(w.bases, base)
	return ev, base
}

func find(cs []*client, c dispatch.Conn) *client {
	i := slices.IndexFunc(cs, func(x *client) bool { return x.conn == c })
	if i < 0 {
		return nil
	}
	return cs[i]
}
