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
	peers   [256][]peer // by loop and slot
	wheel   *schedule.Wheel

	places   uint64 // places in line given out
	input    uint64 // changes with each input
	draining bool
	stopped  bool
	stats    Stats

	key     []byte   // scratch: of a class
	lost    []uint32 // scratch: tasks of a worker that went
	listing []byte   // the answer to ListTasks, while it is right
	listed  bool
}

// peer is what is known of a connection.
type peer struct {
	conn    Conn
	hint    uint32 // number of the last name it used
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
		wheel:   schedule.New(now.Wall, cfg.MaxSchedules),
	}, nil
}

// Step takes one event of a connection (of nobody, if it is the server's) and appends what follows from it. base is
// what the event's spans are parts of; it is not kept. The slices in out are good until the first Step after out was
// emptied.
func (d *Dispatcher) Step(now Now, from Conn, ev *Event, base []byte, out *Batch) {
	if len(out.Effects) == 0 {
		d.bytes.settle()
		d.input++
	}
	switch ev.Kind {
	case RunTask:
		d.run(from, ev, base, out)
	case SendResult:
		d.result(from, ev, base, out)
	case GetTask:
		d.credit(d.worker(from), ev.Count, out)
	case RegisterTask:
		d.register(from, ev.Name.Of(base), out)
	case ScheduleTask:
		d.schedule(now, from, ev, base, out)
	case UnscheduleTask:
	case ListTasks:
		out.Effects = append(out.Effects, Effect{
			Kind: Listed, To: from, Seq: ev.Seq, Nonce: ev.Nonce.Of(base), Body: d.list(),
		})
	case Gone:
		d.gone(from, out)
	default:
		d.stepServer(now, from, ev, out)
	}
}

// stepServer takes the events that are not part of the conversation.
func (d *Dispatcher) stepServer(now Now, from Conn, ev *Event, out *Batch) {
	switch ev.Kind {
	case Tick:
		d.tick(now, out)
	case Block:
		d.block(from, true, out)
	case Unblock:
		d.block(from, false, out)
	case Report:
		s := d.Stats()
		out.Asked, out.Stats = ev.Seq, &s
	case ListTaskInfo:
		s := d.surveyTasks(uint32(ev.At), int(ev.Count))
		out.Asked, out.Survey = ev.Seq, &s
	case ListWorkerInfo:
		s := d.surveyWorkers(uint32(ev.At), int(ev.Count))
		out.Asked, out.Survey = ev.Seq, &s
	case Drain:
		d.draining = true
	case Stop:
		d.stop(out)
	}
}

// Sleep is how many milliseconds may pass before the dispatcher needs a Tick: 0 is at once, negative is never. While
// anything is scheduled it is at most a second, since nobody tells when the wall clock is set.
func (d *Dispatcher) Sleep(now Now) int64 {
	d.follow(now)
	at, ok := d.wheel.Next()
	if !ok || d.stopped {
		return -1
	}
	return max(0, min(at-now.Wall, 1000))
}

// Stats returns what was counted so far and what is held now.
func (d *Dispatcher) Stats() Stats {
	s := d.stats
	s.Schedule = d.wheel.Len()
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

// peer returns what is known of a connection, and makes room for it.
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
		*p = peer{conn: c}
	}
	return p
}

func refuse(out *Batch, to Conn, seq uint64, nonce []byte, why Reason) {
	out.Effects = append(out.Effects, Effect{Kind: Refused, To: to, Seq: seq, Nonce: nonce, Reason: why})
}
