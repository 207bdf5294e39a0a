package reactor

import (
	"sync"
	"sync/atomic"
	"time"

	"workman/dispatch"
)

// timer gives the dispatcher its ticks. Its goroutine sleeps until the dispatcher said it needs one, or until somebody
// sets an earlier time; then it submits a Tick and runs it like any loop would. It also carries what the server itself has to say to the dispatcher: reports, draining, stopping.
type timer struct {
	*Submitter
	clock func() dispatch.Now

	due       atomic.Int64 // monotonic milliseconds of the next Tick; never: none is needed
	poke      chan struct{}
	asks      chan dispatch.Input
	questions questions
	behind    atomic.Pointer[end] // a loop with something that waits for room in the ring
	stop      chan struct{}
	once      sync.Once
	done      chan struct{}
}

const never = int64(1) << 62

func newTimer(t *Tasks, clock func() dispatch.Now) *timer {
	tm := &timer{
		Submitter: t.Submitter(),
		clock:     clock,
		poke:      make(chan struct{}, 1),
		asks:      make(chan dispatch.Input),
		stop:      make(chan struct{}),
		done:      make(chan struct{}),
	}
	tm.due.Store(never)
	return tm
}

// Start begins to give ticks. It is called once, before connections can come.
func (t *Tasks) Start() { go t.timer.run() }

// Close ends the timer, and returns when it has ended.
func (t *Tasks) Close() {
	t.timer.once.Do(func() { close(t.timer.stop) })
	<-t.timer.done
}

// set notes that the dispatcher needs a Tick in so many milliseconds (negative: none), and hurries the timer if that is
// earlier than it would wake. It is called by whoever holds the dispatcher, so never by two at once.
func (tm *timer) set(sleep int64) {
	at := never
	if sleep >= 0 {
		at = tm.clock().Mono + sleep
	} else if tm.due.Load() == never {
		return
	}
	if before := tm.due.Swap(at); at < before {
		tm.hurry()
	}
}

// nudge makes the timer wake a loop in a while, which has something that waits for room in the ring.
func (tm *timer) nudge(e *end) {
	tm.behind.Store(e)
	tm.hurry()
}

func (tm *timer) hurry() {
	select {
	case tm.poke <- struct{}{}:
	default: // it has been told, and will look at due
	}
}

func (tm *timer) run() {
	defer close(tm.done)
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		alarm.Reset(tm.wait())
		select {
		case <-tm.stop:
			return
		case <-tm.poke:
		case in := <-tm.asks:
			tm.Submit(in, tm.stop)
		case <-alarm.C:
		}
		if e := tm.behind.Swap(nil); e != nil {
			e.loop.Wake()
		}
		if tm.due.Load() <= tm.clock().Mono {
			tm.due.Store(never) // what comes of the Tick sets it anew
			tm.Submit(dispatch.Input{Events: []dispatch.Event{{Kind: dispatch.Tick}}}, tm.stop)
		}
		tm.Help()
	}
}

// wait is how long the timer may sleep.
func (tm *timer) wait() time.Duration {
	if tm.again {
		return 0
	}
	at := tm.due.Load()
	if at == never {
		return time.Hour
	}
	return time.Duration(max(0, at-tm.clock().Mono)) * time.Millisecond
}
