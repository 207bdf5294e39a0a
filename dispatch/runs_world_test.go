package dispatch_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"

	"workman/dispatch"
)

// kept is a world of runs: people, clocks and a store around a dispatcher that crashes now and then and is made anew from
// what the store has. Its model is less of a copy than that of calls, and more of an observer: what is written down says what
// became of a run, and the checkers hold it to what was asked and told.
type kept struct {
	*ways
	seed    uint64
	rng     *rand.Rand
	plant   func(*kept, subject) subject
	sut     subject
	bare    *dispatch.Dispatcher
	disk    *disk
	log     *transcript
	now     dispatch.Now
	wake    int64
	highest int64 // the wall clock's time since the last start
	steps   int
	epoch   uint32
	settle  bool // the world is being brought to its end

	runs      map[dispatch.ID]*promised
	ofBody    map[string]*promised
	rows      map[dispatch.ID]map[string]string // of the store with what is pending
	keptRuns  int                               // finished runs in it
	keptSize  int64
	touched   []dispatch.ID                        // by the step
	dropped   map[dispatch.ID]*dispatch.StoredRule // schedules, as they were when they were deleted last
	lowUntil  int64                                // the clock that nobody sets, when the store was nearly full last
	asked     map[string]*request
	calls     map[string]*request // calls by their options
	peers     map[dispatch.Conn]*end
	gens      map[dispatch.Conn]uint32
	order     []dispatch.Conn         // peers, in the order they came
	lost      []*end                  // sessions without a connection
	lent      []*end                  // leases that have tasks
	over      []lent                  // what leases had
	names     map[dispatch.Token]bool // of sessions, ever given out
	callback  []dispatch.ID
	counter   int
	fence     uint64
	line      []dispatch.Standing // before the step
	met       map[string]int
	why       dispatch.Why  // told last
	answering *load         // the answer that comes
	noStamp   bool          // the store does not know what stamps were given out
	event     *ask          // of the step
	eventFrom dispatch.Conn // and whose
	more      *request      // the lease of which another task must follow
	drains    bool          // it is the first that ends the server
	loads     int           // asked in a row with no effect,
	loadsAt   dispatch.Now  // and without time passing
	idle      int           // Ticks in a row that were wanted at once and changed nothing

	draining, stopped, low bool
	out                    dispatch.Batch
	copies                 []string // what out.Effects said when they came
	bases                  [][]byte
}

// end is a connection, a session that has lost its own, or a lease.
type end struct {
	conn    dispatch.Conn
	http    bool
	worker  bool
	hello   bool
	spoke   bool // as a worker
	seq     uint64
	names   []string
	most    map[string]int // of a name at once; 0 or not there: no such limit
	credits int
	blocked bool
	held    []hand
	stale   []dispatch.Token
	session dispatch.Token // of who said hello
	until   int64          // of a session without a connection: when its grace is over, on the clock that nobody sets
	lease   *request       // that this is the answer to
	secret  uint64         // of a lease
	left    []string       // names of what time took out of its hand in this step: before or after what it was handed
}

// hand is a task in a worker's hand.
type hand struct {
	token dispatch.Token
	run   *promised // or
	call  *request
	since int64  // on the clock that nobody sets; so are
	ends  int64  // when the attempt has taken too long; 0: never
	until int64  // and when its lease is over; 0: it is not lent
	said  string // of how far it is
	saids int    // how often that was said
}

// ask is an event as the world makes it, with bytes of its own.
type ask struct {
	kind              dispatch.Kind
	count             uint32
	seq               uint64
	name, nonce, body []byte
	run               *dispatch.ID // or of a schedule
	rule              dispatch.ID
	at                int64
	terms             *dispatch.Terms
	token             dispatch.Token
}

func (a *ask) String() string {
	s := fmt.Sprintf("%s seq=%d nonce=%s count=%d at=%d name=%s body=%s", kinds[a.kind], a.seq, a.nonce, a.count, a.at,
		brief(a.name), brief(a.body))
	switch {
	case a.run != nil:
		s += " run=" + a.run.String()
	case a.terms != nil:
		s += fmt.Sprintf(" terms=%+v key=%q", *a.terms, a.terms.Key)
	case a.token != dispatch.Token{}:
		s += " token=" + showToken(a.token)
	}
	return s
}

func newKept(seed uint64, plant func(*kept, subject) subject) (*kept, error) {
	rng := rand.New(rand.NewPCG(seed, 0x72_75_6e_73))
	k := &kept{
		seed: seed, rng: rng, plant: plant, ways: newWays(rng), disk: newDisk(), log: newTranscript(),
		now:    dispatch.Now{Mono: rng.Int64N(1 << 40), Wall: 1_790_000_000_000 + rng.Int64N(1<<36)},
		wake:   -1,
		runs:   map[dispatch.ID]*promised{},
		ofBody: map[string]*promised{},
		gens:   map[dispatch.Conn]uint32{},
		rows:   map[dispatch.ID]map[string]string{},
		met:    map[string]int{},
		names:  map[dispatch.Token]bool{}, dropped: map[dispatch.ID]*dispatch.StoredRule{},
	}
	return k, k.start()
}

// start makes a dispatcher of what the store has.
func (k *kept) start() error {
	k.epoch++
	cfg := k.cfg
	if k.plant != nil {
		k.plant(k, nil)
	}
	d, err := dispatch.New(k.cfg, rand.New(rand.NewPCG(k.seed, uint64(k.epoch))), k.now)
	k.cfg = cfg
	if err != nil {
		return err
	}
	stamp := k.disk.stampOf()
	if k.noStamp {
		stamp = 0
	}
	k.disk.restore(d, k.epoch, stamp)
	k.sut, k.bare = d, d
	if k.plant != nil {
		k.sut = k.plant(k, d)
	}
	k.asked, k.calls, k.peers = map[string]*request{}, map[string]*request{}, map[dispatch.Conn]*end{}
	k.order, k.line, k.callback, k.copies, k.bases = nil, nil, nil, nil, nil
	k.lost, k.lent, k.more = nil, nil, nil
	k.draining, k.stopped, k.low, k.idle = false, false, false, 0
	k.out = dispatch.Batch{}
	k.wake, k.highest = k.now.Mono, k.now.Wall
	return nil
}

// do is one step: an event in, everything checked, everybody told.
func (k *kept) do(from dispatch.Conn, a ask) *flaw {
	k.steps++
	k.highest = max(k.highest, k.now.Wall)
	k.met[kinds[a.kind]]++
	if k.low {
		k.lowUntil = k.now.Mono
	}
	k.log.add(fmt.Sprintf("%d at %d/%d %s %s", k.steps, k.now.Mono, k.now.Wall, showConn(from), a.String()))
	ev, base := k.encode(&a)
	k.event, k.eventFrom = &a, from
	k.drains = (a.kind == dispatch.Drain || a.kind == dispatch.Stop) && !k.draining
	k.draining = k.draining || k.drains
	k.stopped = k.stopped || a.kind == dispatch.Stop
	before := k.before(from, &a)
	e, o, l, c := len(k.out.Effects), len(k.out.Ops), len(k.out.Loads), len(k.out.Calls)
	k.sut.Step(k.now, from, ev, base, &k.out)
	own := dispatch.Batch{
		Effects: k.out.Effects[e:], N: k.out.N, Ops: k.out.Ops[o:], Data: k.out.Data, Loads: k.out.Loads[l:], Calls: k.out.Calls[c:],
	}
	sleep := k.sut.Sleep(k.now)
	k.write(&own, sleep)
	f := k.check(from, &a, &own, before, sleep)
	k.wake = -1
	if sleep >= 0 {
		k.wake = k.now.Mono + sleep
	}
	if f == nil && len(k.bases) >= k.batch {
		f = k.flush()
	}
	return f
}

func (k *kept) write(out *dispatch.Batch, sleep int64) {
	for i := range out.Effects {
		k.log.add(showEffect(&out.Effects[i]))
	}
	for _, c := range changes(out.Ops, out.Data) {
		k.log.add(fmt.Sprintf("  + %d %s", out.N, c))
	}
	for _, l := range out.Loads {
		k.log.add(fmt.Sprintf("  ? %d %c %x to %x limit %d run %s keys %x", l.N, max(l.Table, '0'), l.From, l.To, l.Limit, l.ID, l.Keys))
	}
	k.log.add(fmt.Sprintf("  sleep %d", sleep))
}

func (c change) String() string {
	verb := "put"
	if c.deleted {
		verb = "delete"
	}
	return fmt.Sprintf("%s %c %x = %s", verb, c.key[0], c.key[1:], fmt.Sprintf("%x", brief([]byte(c.value))))
}

// flush ends a batch: what stands in it must have kept until now.
func (k *kept) flush() *flaw {
	for i := range k.copies {
		if got := showEffect(&k.out.Effects[i]); got != k.copies[i] {
			return flawed("borrowed", "%s changed before it was delivered, and was %s", got, k.copies[i])
		}
	}
	if len(k.out.Ops) > 0 {
		if k.out.N != k.disk.last+1 {
			return flawed("batches", "batch %d comes after %d", k.out.N, k.disk.last)
		}
		k.disk.last = k.out.N
		if !k.disk.failed {
			k.disk.pending = append(k.disk.pending, pending{k.out.N, changes(k.out.Ops, k.out.Data)})
		}
	}
	for _, l := range k.out.Loads {
		l.From, l.To, l.Keys = bytes.Clone(l.From), bytes.Clone(l.To), slices.Clone(l.Keys)
		k.disk.loads = append(k.disk.loads, &load{Load: l})
	}
	k.out.Reset()
	k.copies = nil
	for _, b := range k.bases {
		for i := range b {
			b[i] = '#'
		}
	}
	k.bases = nil
	return nil
}

// encode writes an event with its bytes into a base that is lent until the batch is flushed.
func (k *kept) encode(a *ask) (*dispatch.Event, []byte) {
	base := []byte("##")
	span := func(b []byte) dispatch.Span {
		if b == nil {
			return dispatch.Span{}
		}
		s := dispatch.Span{Off: uint32(len(base)), Len: uint32(len(b))}
		base = append(append(base, b...), '#')
		return s
	}
	ev := &dispatch.Event{Kind: a.kind, Count: a.count, Seq: a.seq, At: a.at, Token: a.token}
	ev.Name, ev.Nonce, ev.Body = span(a.name), span(a.nonce), span(a.body)
	if a.run != nil {
		*ev.Run() = span(a.run[:])
	}
	if a.terms != nil {
		ev.Terms = span(a.terms.Append(nil))
	}
	k.bases = append(k.bases, base)
	return ev, base
}
