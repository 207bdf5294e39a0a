package dispatch

import (
	"workman/schedule"
)

// Random is where the dispatcher draws the secrets of its tokens from. It must not be guessable by those who are handed
// some of them: use math/rand/v2.ChaCha8 with a seed from crypto/rand.
type Random interface{ Uint64() uint64 }

// Dispatcher holds every task that is not answered yet, every worker, and every schedule.
type Dispatcher struct {
	cfg    Config
	random Random

	tasks   table
	bytes   slab
	names   names
	classes map[string]*class
	peers   [256][]peer     // by loop and slot
	stray   peer            // stands for whoever has gone
	wheel   *schedule.Wheel // of the wall clock
	clock   *schedule.Wheel // of the one that nobody sets

	promises pool[promise]
	runs     map[ID]uint32 // those in memory
	durable  durable
	waits    waits
	asks     asks
	due      due
	keep     keep
	rules    rules
	calls    int // in memory
	hungry   []hungry
	evicted  uint32 // the last name that was looked at to make room
	feedAt   int64  // on the clock that nobody sets: when the hungry are fed
	fence    uint64 // of the last hand-out to a worker that said hello; the server's epoch is in the upper half
	seats    pool[seat]
	leases   leases

	places   uint64 // the last stamp given out: see stamp
	input    uint64 // changes with each input
	draining bool
	stopped  bool
	stats    Stats

	key     []byte    // scratch: of a class, and of the store
	shown   []byte    // of the batch's effects: tickets, and what sessions have in hand
	scratch []byte    // of values on their way
	labels  []byte    // scratch: of a schedule's run
	lost    []uint32  // scratch: tasks of a worker that went
	eased   []*worker // that let go of something in this step, and have to be looked at after it
	listing []byte    // the answer to ListTasks, while it is right
	listed  bool
}

// peer is what is known of a connection.
type peer struct {
	conn    Conn
	hint    uint32 // number of the last name it used
	waits   uint32 // the last waiter of its
	leases  uint32 // the seat of the last lease of its that waits
	calls   int    // not answered yet
	blocked bool
	worker  *worker
}

// New makes a dispatcher that holds nothing. It returns ErrConfig for a configuration that cannot work.
func New(cfg Config, random Random, now Now) (*Dispatcher, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Budget == nil {
		cfg.Budget = NewBudget(cfg.MaxBytes)
	}
	return &Dispatcher{
		cfg:     cfg,
		random:  random,
		bytes:   slab{budget: cfg.Budget},
		names:   names{index: map[string]uint32{}},
		classes: map[string]*class{},
		wheel:   schedule.New(now.Wall, maxTimers),
		clock:   schedule.New(now.Mono, maxTimers),
		runs:    map[ID]uint32{},
		due:     due{through: now.Wall, next: endless},
		keep:    keep{next: endless},
	}, nil
}

// Step takes one event of a connection (of nobody, if it is the server's) and appends what follows from it. base is
// what the event's spans are parts of; it is not kept. The slices in out are good until the first Step after out was
// emptied.
func (d *Dispatcher) Step(now Now, from Conn, ev *Event, base []byte, out *Batch) {
	if len(out.Effects) == 0 {
		d.bytes.settle()
		d.input++
		if len(d.shown) > 0 {
			d.forgetShown()
		}
	}
	switch ev.Kind {
	case RunTask:
		if ev.Terms.Len > 0 {
			d.request(now, from, ev, base, out)
		} else if slot, t := d.call(from, ev, base, out); t != nil {
			d.enqueue(now, slot, t, usualRank, out)
		}
	case SendResult:
		d.result(now, from, ev, base, out)
	case GetTask:
		d.credit(now, d.worker(from), ev.Count, out)
	case RegisterTask:
		d.register(now, from, ev.Name.Of(base), ev.Count, out)
	case SendError:
		d.failed(now, from, ev, base, out)
	case SayHello:
		d.sayHello(from, ev, out)
	case Extend, Progress, HandBack, TakeLease:
		d.stepWorker(now, from, ev, base, out)
	case ScheduleTask:
		d.request(now, from, ev, base, out)
	case UnscheduleTask, ReadRun, CancelRun, RetryRun, ExplainRun, ForgetRun:
		d.aboutRun(from, ev, base, out)
	case SetRule, DropRule, PauseRule, ResumeRule, FireRule:
		d.aboutRule(from, ev, base, out)
	case ListTasks:
		out.Effects = append(out.Effects, Effect{
			Kind: Listed, To: from, Seq: ev.Seq, Nonce: ev.Nonce.Of(base), Body: d.list(),
		})
	case Gone:
		d.gone(now, from, out)
	default:
		d.stepServer(now, from, ev, base, out)
	}
	if len(d.eased) > 0 {
		d.ease(now, out)
	}
}

// stepServer takes the events that are not part of the conversation.
func (d *Dispatcher) stepServer(now Now, from Conn, ev *Event, base []byte, out *Batch) {
	switch ev.Kind {
	case Tick:
		d.tick(now, out)
	case Block:
		d.block(now, from, true, out)
	case Unblock:
		d.block(now, from, false, out)
	case Report:
		s := d.Stats()
		out.Asked, out.Stats = ev.Seq, &s
	case ListTaskInfo:
		s := d.surveyTasks(uint32(ev.At), int(ev.Count))
		out.Asked, out.Survey = ev.Seq, &s
	case ListWorkerInfo:
		s := d.surveyWorkers(uint32(ev.At), int(ev.Count))
		out.Asked, out.Survey = ev.Seq, &s
	case ListRunning:
		s := d.surveyRunning(uint32(ev.At), int(ev.Count))
		out.Asked, out.Survey = ev.Seq, &s
	case ListRunStates:
		s := d.surveyRuns(ev.Body.Of(base))
		out.Asked, out.Survey = ev.Seq, &s
	case Drain:
		d.drainRuns(now, out)
	case Committed:
		d.committedTo(now, ev.Seq, out)
	case CommitFailed:
		d.commitFailed(ev.Seq, out)
	case Loaded:
		d.loaded(now, ev, base, out)
	case StoreLow:
		d.durable.low = ev.Count != 0
	case CallbackDone:
		if !d.durable.failed {
			id := ev.Run().id(base)
			d.del(out, TableCalls, id[:])
		}
	case Stop:
		d.stop(now, out)
	}
}

// Sleep is how many milliseconds may pass before the dispatcher needs a Tick: 0 is at once, negative is never. While
// anything is scheduled it is at most a second, since nobody tells when the wall clock is set.
func (d *Dispatcher) Sleep(now Now) int64 {
	d.follow(now)
	if d.durable.isReleasable() {
		return 0
	}
	if d.stopped {
		return -1
	}
	wall := d.nextLook(now)
	if at, ok := d.wheel.Next(); ok {
		wall = min(wall, at)
	}
	sleep := int64(-1)
	if wall < endless {
		sleep = max(0, min(wall-now.Wall, 1000))
	}
	mono := endless
	if at, ok := d.clock.Next(); ok {
		mono = at
	}
	if len(d.hungry) > 0 {
		mono = min(mono, d.feedAt)
	}
	if mono < endless && (sleep < 0 || mono-now.Mono < sleep) {
		sleep = max(0, mono-now.Mono)
	}
	return sleep
}

// nextLook is when the store has to be looked at, on the wall clock; endless: not of itself.
func (d *Dispatcher) nextLook(now Now) int64 {
	at := endless
	if !d.cfg.Durable || d.durable.failed {
		return at
	}
	if q := &d.due; d.mayLook() && !q.aiming && q.next < endless {
		at = min(at, d.lookAt(now))
	}
	if d.maySweep() {
		at = min(at, d.keep.next)
		if d.tooMuch() {
			at = min(at, now.Wall)
		}
	}
	return at
}

// Stats returns what was counted so far and what is held now.
func (d *Dispatcher) Stats() Stats {
	s := d.stats
	s.Waiting = d.durable.parked.len()
	s.Loads = d.asks.busy
	s.Names = len(d.names.index)
	s.Bytes = d.bytes.held
	return s
}

// list returns the names that have workers, in the order they got their first, each followed by a newline.
func (d *Dispatcher) list() []byte {
	if d.listed {
		return d.listing
	}
	d.listing = nil // an effect not yet delivered may still show the last one
	for num := d.names.oldest; num != 0; num = d.names.all[num].newer {
		d.listing = append(append(d.listing, d.names.all[num].text...), '\n')
	}
	d.listed = true
	return d.listing
}

// peer returns what is known of a connection, and makes room for it. One that has gone is a stray: nothing is kept of it,
// and the one that has its place now is left alone.
func (d *Dispatcher) peer(c Conn) *peer {
	loop, slot := c.Loop(), int(c.Slot())
	ps := d.peers[loop]
	if slot >= len(ps) {
		grown := make([]peer, max(slot+1, 2*len(ps), 64))
		copy(grown, ps)
		d.peers[loop], ps = grown, grown
	}
	p := &ps[slot]
	if p.conn != c {
		if int32(c.Generation()-p.conn.Generation()) < 0 {
			d.stray = peer{conn: c}
			return &d.stray
		}
		*p = peer{conn: c}
	}
	return p
}

// here tells whether a connection that has been here still is.
func (d *Dispatcher) here(c Conn) bool {
	ps := d.peers[c.Loop()]
	return c != 0 && int(c.Slot()) < len(ps) && ps[c.Slot()].conn == c
}

func refuse(out *Batch, to Conn, seq uint64, nonce []byte, why Reason) {
	out.Effects = append(out.Effects, Effect{Kind: Refused, To: to, Seq: seq, Nonce: nonce, Reason: why})
}

// stamp is a new place in line, and what an id is made of: milliseconds of Unix time times 4096, and never less than before.
func (d *Dispatcher) stamp(now Now) uint64 {
	d.places = max(d.places+1, uint64(now.Wall)<<12) & stampMask
	return d.places
}

// tick does what is due, so much at most: Sleep then asks for the next Tick at once.
func (d *Dispatcher) tick(now Now, out *Batch) {
	d.releaseParked(releaseStep, out)
	if d.stopped {
		return
	}
	d.follow(now)
	for range d.cfg.FirePerStep {
		value, _, ok := d.wheel.Expire(now.Wall)
		if !ok {
			break
		}
		slot := value & timerValue
		switch {
		case value&timerDoom != 0:
			d.doom(slot, out)
		case value&timerLimit != 0:
			d.limitReached(now, slot, d.tasks.at(slot), out)
		default:
			d.timeHasCome(now, slot, d.tasks.at(slot), out)
		}
		d.ease(now, out)
	}
	for range d.cfg.FirePerStep {
		value, _, ok := d.clock.Expire(now.Mono)
		if !ok {
			break
		}
		switch {
		case value&timerWait != 0:
			d.impatient(value&^timerWait, out)
		case value&timerSeat != 0:
			d.seatDue(now, value&^timerSeat, out)
		default:
			d.lapsed(now, value, d.tasks.at(value), out)
		}
		d.ease(now, out)
	}
	d.feed(now, out)
	d.lookAhead(now, out)
	d.sweep(now, out)
}

// Begin says what the store holds, before the first Step: the number of this start of the server, which must be higher than
// any before, and the highest stamp that was given out: MetaStamp, that of the highest id, or the highest place in line of
// TableQueue. What comes into line must come behind what is there, whatever the clock says.
func (d *Dispatcher) Begin(epoch uint32, stamp uint64) {
	d.fence = uint64(epoch) << 32
	d.places = stamp & stampMask
	d.due.through, d.due.next = -1, 0
}

// Stored says how many runs of a name and rank wait in the store, before the first Step.
func (d *Dispatcher) Stored(text []byte, rank uint8, n int) {
	num := d.numberOf(text)
	l := d.names.all[num].queue.lane(rank)
	if l.gap == nil {
		l.gap = &gap{}
		d.names.all[num].refs++
	}
	l.gap.stored += n
	d.stats.Stored += n
	d.durable.used = true
}

// Kept says how many finished runs the store keeps, and their bytes, before the first Step.
func (d *Dispatcher) Kept(runs int, bytes int64) {
	d.keep.runs, d.keep.bytes = runs, bytes
	if runs > 0 {
		d.keep.next = 0
	}
}

// drainRuns hands out no more runs, and takes no more work. What is stored stays.
func (d *Dispatcher) drainRuns(now Now, out *Batch) {
	if !d.draining {
		d.tellOfEnd(now, out)
	}
	d.draining = true
	d.forgetRuns()
}
