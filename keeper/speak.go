package keeper

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"workman/dispatch"
)

// Bounds of what is said to the dispatcher at once.
const (
	mostSaid  = 256     // events of a kind, unless one answer has more
	mostBytes = 4 << 20 // after which no further answer is added
)

// keptEvents is the most room for events that is kept.
const keptEvents = 4096

// never is a number that no batch has.
const never = math.MaxUint64

// answer is what was found for the dispatcher's questions from n on. What is in one answer is said in one input.
type answer struct {
	n     uint64
	rows  []byte
	found []found
}

// found is how one question ended, and how many bytes of the answer's rows are its own.
type found struct{ how, size uint32 }

// add adds what was found for the next question: rows are all there are then.
func (a *answer) add(rows []byte, how uint32) {
	a.found = append(a.found, found{how, uint32(len(rows) - len(a.rows))})
	a.rows = rows
}

// news is what the dispatcher is to be told, from whichever goroutine. Numbers are the store's. Of what is durable only the
// last counts; answers are as many as questions are open.
type news struct {
	mu      sync.Mutex
	poke    chan struct{} // there is some
	changed sync.Cond     // said or over has
	durable uint64        // the last batch that is
	said    uint64        // and the last one that the dispatcher knows of
	last    uint64        // no batch behind it ever will be durable; never: none is lost
	over    bool          // the dispatcher knows that too, or nobody speaks any more
	low     bool          // the disk is nearly full
	saidLow bool
	answers []answer
}

// tell changes the news, and wakes who speaks.
func (k *Keeper) tell(change func(n *news)) {
	k.news.mu.Lock()
	change(&k.news)
	k.news.mu.Unlock()
	select {
	case k.news.poke <- struct{}{}:
	default: // it will look
	}
}

// told is the store's Config.Told. The store's goroutine says it itself: acknowledgements wait for that, and waking another
// to do so costs as much as all the rest.
func (k *Keeper) told(n uint64, err error) {
	if err != nil {
		k.lost(n, err)
	}
	k.made.forget(n)
	k.news.mu.Lock()
	k.news.durable = n
	k.news.mu.Unlock()
	if !k.say() || !k.speech.active.Swap(true) { // who speaks says it when there is somebody, or notices that the store works
		k.tell(func(*news) {})
	}
}

// lost says that no batch behind last will ever be durable.
func (k *Keeper) lost(last uint64, err error) {
	k.over.Store(true)
	say := "nothing more is stored: look after the disk, and start the server again"
	if errors.Is(err, errPanicked) {
		say = "nothing more is stored: start the server again, which goes on from what is on the disk, and report the panic"
	}
	k.cfg.Log.Error(say, "error", err)
	k.tell(func(n *news) { n.last = min(n.last, last) })
}

// space is the store's Config.Space: whether the disk is nearly full. The dispatcher takes only what finishes runs then. free
// is in bytes.
func (k *Keeper) space(low bool, free uint64) {
	k.cfg.Log.Warn("the room on the disk has changed", "nearly full", low, "free bytes", free)
	k.tell(func(n *news) { n.low = low })
}

func (k *Keeper) loaded(a answer) {
	k.tell(func(n *news) { n.answers = append(n.answers, a) })
}

// quietSeconds is after how many seconds without news the store is said not to work any more.
const quietSeconds = 10

// speech is what is being said to the dispatcher, by one goroutine at a time.
type speech struct {
	mu     sync.Mutex
	to     Submitter // nil: nobody speaks yet, or any more
	in     dispatch.Input
	active atomic.Bool // something was said since that was looked at last
}

// say tells the dispatcher the news, and that these callbacks are done. It reports false if nobody speaks.
func (k *Keeper) say(called ...[16]byte) bool {
	s := &k.speech
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.to == nil {
		return false
	}
	in := &s.in
	in.Events, in.Base = in.Events[:0], in.Base[:0]
	for _, run := range called {
		addCalled(in, run)
	}
	k.addCalled(in)
	said, over := k.gather(in)
	if len(in.Events) > 0 && !s.to.Submit(*in, k.stop) {
		return false
	}
	k.heard(said, over)
	for s.to.Help() {
		continue
	}
	if cap(in.Base) > mostBytes {
		in.Base = nil
	}
	if cap(in.Events) > keptEvents {
		in.Events = nil
	}
	return true
}

// speakTo says to whom; nil: to nobody.
func (k *Keeper) speakTo(to Submitter) {
	k.speech.mu.Lock()
	defer k.speech.mu.Unlock()
	k.speech.to = to
}

// speak tells the dispatcher what others than the store have to say, until the keeper is closed.
func (k *Keeper) speak() {
	defer k.silence()
	defer k.speakTo(nil)
	var look <-chan time.Time // while the store works
	quiet := 0
	for {
		var said bool
		select {
		case <-k.stop:
			return
		case <-k.news.poke:
			said = k.say()
		case run := <-k.called:
			said = k.say(run)
		case <-look:
			if quiet++; k.speech.active.Swap(false) {
				quiet = 0
			}
			if quiet >= quietSeconds {
				look = nil
				k.cfg.Working(false)
			}
			continue
		}
		if !said {
			return
		}
		if k.speech.active.Store(true); look == nil {
			look, quiet = time.Tick(time.Second), 0
			k.cfg.Working(true)
		}
	}
}

// addCalled adds the callbacks that are done.
func (k *Keeper) addCalled(in *dispatch.Input) {
	for len(in.Events) < mostSaid {
		select {
		case run := <-k.called:
			addCalled(in, run)
		default:
			return
		}
	}
}

func addCalled(in *dispatch.Input, run [16]byte) {
	ev := dispatch.Event{Kind: dispatch.CallbackDone}
	*ev.Run() = add(in, run[:])
	in.Events = append(in.Events, ev)
}

// add puts bytes where the events' spans may point.
func add(in *dispatch.Input, b []byte) dispatch.Span {
	s := dispatch.Span{Off: uint32(len(in.Base)), Len: uint32(len(b))}
	in.Base = append(in.Base, b...)
	return s
}

// gather makes events of the news, and says up to which batch, and whether of the end, they tell.
func (k *Keeper) gather(in *dispatch.Input) (said uint64, over bool) {
	n := &k.news
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.durable > max(n.said, k.base) {
		in.Events = append(in.Events, dispatch.Event{Kind: dispatch.Committed, Seq: n.durable - k.base})
	}
	if n.durable >= n.last && !n.over {
		over = true
		in.Events = append(in.Events, dispatch.Event{Kind: dispatch.CommitFailed, Seq: max(n.last, k.base) - k.base})
	}
	if n.low != n.saidLow {
		n.saidLow = n.low
		low := dispatch.Event{Kind: dispatch.StoreLow}
		if n.low {
			low.Count = 1
		}
		in.Events = append(in.Events, low)
	}
	k.addAnswers(in)
	return n.durable, over
}

// addAnswers adds what was found, as much as may be said at once. The rest comes next.
func (k *Keeper) addAnswers(in *dispatch.Input) {
	n := &k.news
	taken := 0
	for said := 0; taken < len(n.answers) && len(in.Base) < mostBytes; taken++ {
		a := &n.answers[taken]
		if said += len(a.found); taken > 0 && said > mostSaid {
			break
		}
		addAnswer(in, a)
	}
	left := copy(n.answers, n.answers[taken:])
	clear(n.answers[left:])
	if n.answers = n.answers[:left]; left > 0 {
		select {
		case n.poke <- struct{}{}:
		default:
		}
	}
}

func addAnswer(in *dispatch.Input, a *answer) {
	rows := add(in, a.rows)
	in.Events = slices.Grow(in.Events, len(a.found))
	for i, f := range a.found {
		rows.Len = f.size
		in.Events = append(in.Events, dispatch.Event{Kind: dispatch.Loaded, Seq: a.n + uint64(i), Count: f.how, Body: rows})
		rows.Off += f.size
	}
}

// heard notes what the dispatcher knows now.
func (k *Keeper) heard(said uint64, over bool) {
	k.news.mu.Lock()
	defer k.news.mu.Unlock()
	k.news.said, k.news.over = said, k.news.over || over
	k.news.changed.Broadcast()
}

// silence says that nobody speaks any more.
func (k *Keeper) silence() { k.heard(k.news.said, true) }

// ErrLost is returned when something that was kept will never be durable, or nobody is told any more whether it is.
var ErrLost = errors.New("keeper: not all that was kept is known to be durable")

// Flush returns when the dispatcher has been told that all that was kept before is durable. The error is ErrLost or ctx's.
func (k *Keeper) Flush(ctx context.Context) error {
	n, last := &k.news, k.base+k.kept.Load()
	defer context.AfterFunc(ctx, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.changed.Broadcast()
	})()
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.said < last {
		switch {
		case n.over:
			return ErrLost
		case ctx.Err() != nil:
			return fmt.Errorf("keeper: wait for the disk: %w", ctx.Err())
		}
		n.changed.Wait()
	}
	return nil
}
