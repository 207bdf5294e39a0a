package reactor

import (
	"encoding/binary"
	"sync/atomic"

	"workman/dispatch"
	"workman/protocol"
)

// Tasks is workman's own service: it joins the event loops of a [Server] to one dispatcher. For each loop it has an end,
// which makes events of what sessions say and output of the dispatcher's effects.
type Tasks struct {
	combiner *dispatch.Combiner
	keeper   Keeper
	ends     []*end // by loop
	timer    *timer
	fault    func(what string, p any, stack string)
	draining atomic.Bool
	stopped  atomic.Bool            // nothing more is stored
	starting atomic.Pointer[string] // how far it is; nil: it is there
	callback func(url string) error
	panics   atomic.Uint64
}

// NewTasks makes the service; Serve is for Config.Serve. fault is told of panics that were survived. The dispatcher is
// the combiner's; clock is the one that the combiner was given.
func NewTasks(combiner *dispatch.Combiner, clock func() dispatch.Now, fault func(what string, p any, stack string)) *Tasks {
	t := &Tasks{combiner: combiner, fault: fault}
	t.timer = newTimer(t, clock)
	return t
}

// Keeper makes durable what the dispatcher wants to be, and asks the store what it wants to know. Keep is called by whoever
// holds the dispatcher, with each batch that has something for it; it must not block, and nothing of the batch but the
// slices of its Loads may be kept.
type Keeper interface{ Keep(b *dispatch.Batch) }

// KeepWith says who keeps; without it nothing is kept. It is called at most once, by whoever holds the dispatcher
// (Combiner.Exclusive), or before connections can come.
func (t *Tasks) KeepWith(k Keeper) { t.keeper = k }

// Starting has everything refused, with how far the server is; an empty how ends that.
func (t *Tasks) Starting(how string) {
	if how == "" {
		t.starting.Store(nil)
	} else {
		t.starting.Store(&how)
	}
}

// unready says why nothing new is taken, or not all of it; 0: it is.
func (t *Tasks) unready() dispatch.Reason {
	switch {
	case t.draining.Load():
		return dispatch.Draining
	case t.stopped.Load():
		return dispatch.NotStored
	}
	return 0
}

// CheckCallbacks says who knows whether a callback's URL may be called. It is called before connections can come; without it
// there are no callbacks.
func (t *Tasks) CheckCallbacks(check func(url string) error) { t.callback = check }

// concernsKeeper tells whether a batch has something to keep or to look up. Most have not.
func concernsKeeper(b *dispatch.Batch) bool {
	return len(b.Ops)|len(b.Loads)|len(b.Calls)|int(b.Fault) != 0
}

func (t *Tasks) keep(b *dispatch.Batch) {
	if b.Fault == dispatch.Stopped {
		t.stopped.Store(true)
	}
	if t.keeper != nil {
		t.keeper.Keep(b)
	}
}

// Serve makes the service of one loop. The loops come in the order of their indexes.
func (t *Tasks) Serve(l *Loop) Service {
	e := &end{tasks: t, loop: l, courier: courier{tasks: t}}
	e.Front = protocol.NewFront(e.submit)
	e.Elsewhere = l.Move
	e.Unready = t.unready
	e.Starting = func() string {
		if how := t.starting.Load(); how != nil {
			return *how
		}
		return ""
	}
	e.CheckCallback = t.callback
	t.ends = append(t.ends, e)
	return e
}

// end is the service of one loop, and the sink of what that loop runs of the dispatcher.
type end struct {
	*protocol.Front
	tasks    *Tasks
	loop     *Loop
	outbox   outbox
	courier  courier
	overflow []dispatch.Input // what did not fit into the ring, ahead of anything newer
}

// submit passes on what a turn collected. What does not fit into the ring waits here, but for requests to run
// something: those are refused at once.
func (e *end) submit(in dispatch.Input) {
	e.retry()
	if len(e.overflow) == 0 && e.tasks.combiner.Submit(in, e) {
		return
	}
	kept := dispatch.Input{From: in.From, Base: append([]byte(nil), in.Base...)}
	for _, ev := range in.Events {
		if ev.Kind != dispatch.RunTask && ev.Kind != dispatch.ScheduleTask {
			kept.Events = append(kept.Events, ev)
			continue
		}
		e.deliver(&dispatch.Effect{
			Kind: dispatch.Refused, Reason: dispatch.Overloaded, To: in.From, Seq: ev.Seq, Nonce: ev.Nonce.Of(in.Base),
		})
	}
	if len(kept.Events) > 0 {
		e.overflow = append(e.overflow, kept)
	}
	e.tasks.timer.nudge(e)
}

// retry submits what waits for room in the ring.
func (e *end) retry() {
	for len(e.overflow) > 0 && e.tasks.combiner.Submit(e.overflow[0], e) {
		e.overflow[0] = dispatch.Input{}
		e.overflow = e.overflow[1:]
	}
}

// Woken takes what other goroutines have for this loop, and looks whether the dispatcher needs somebody.
func (e *end) Woken() {
	e.unpack()
	e.retry()
	e.tasks.combiner.Help(e)
}

func (e *end) unpack() {
	for p := e.outbox.take(); p != nil; {
		for rest := p.open(); len(rest) > 0; {
			rest = rest[e.some(rest):]
		}
		next := p.next
		p.done()
		p = next
	}
}

func (e *end) deliver(f *dispatch.Effect) {
	one := [1]dispatch.Effect{*f}
	e.some(one[:])
}

// some delivers effects, as many as there are until one panics, that one included, and returns how many. Those for other
// loops are packed.
func (e *end) some(effects []dispatch.Effect) (done int) {
	var to *conn
	defer e.loop.surviveOf(&to)
	for done < len(effects) {
		f := &effects[done]
		done++
		if f.To.Loop() != e.loop.index {
			to = nil
			e.courier.add(f)
			continue
		}
		if to = e.loop.find(f.To); to == nil {
			switch {
			case f.To == 0:
				e.courier.reply(f)
			case f.Kind == dispatch.Leased:
				e.handBack(f)
			}
			continue
		}
		if f.Kind == dispatch.Paused {
			e.loop.pause(&to.session)
		} else {
			protocol.Encode(&to.session, f)
		}
	}
	return done
}

// handBack gives back a task of a lease whose connection has gone before anything of it was written: the dispatcher did not
// know yet when it lent it. What is written, and lost on the way, comes back when the lease is over.
func (e *end) handBack(f *dispatch.Effect) {
	t, err := dispatch.DecodeTicket(f.Nonce)
	if err != nil {
		return
	}
	secret := binary.BigEndian.AppendUint64(nil, t.Secret)
	in := dispatch.Input{From: f.To, Base: secret, Events: []dispatch.Event{{
		Kind: dispatch.HandBack, Seq: f.Seq, Token: f.Token, Nonce: dispatch.Span{Len: uint32(len(secret))},
	}}}
	if !e.tasks.combiner.Post(in) { // not Submit: this loop may hold the dispatcher. It looks at the ring when it is done here
		e.overflow = append(e.overflow, in)
		e.tasks.timer.nudge(e)
	}
}

// Begin takes what earlier holders left for this loop: it is older than what this run will say.
func (e *end) Begin() { e.unpack() }

// Deliver writes the effects for connections of this loop, and packs the others.
func (e *end) Deliver(b *dispatch.Batch) {
	if concernsKeeper(b) {
		e.tasks.keep(b)
	}
	for rest := b.Effects; len(rest) > 0; {
		rest = rest[e.some(rest):]
	}
	e.courier.note(b)
}

// End sends what is for other loops, and sees that the timer is set.
func (e *end) End(sleep int64) {
	defer e.tasks.survive("passing on what the dispatcher says")
	e.courier.send()
	e.tasks.timer.set(sleep)
}

// Left makes this loop come back to what waits, after what its sockets have.
func (e *end) Left() { e.loop.Wake() }

// Panicked closes the connection that a panic came from.
func (e *end) Panicked(from dispatch.Conn, p any) { e.tasks.panicked(from, p) }
