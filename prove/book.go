package prove

import (
	"sync"
	"time"
)

// Book knows every request, what became of it, and judges all that clients see. All methods may be called from any
// goroutine.
type Book struct {
	mu       sync.Mutex
	faults   faults
	life     int
	readyAt  time.Time // of this life
	entries  []*entry  // a request's number is its place
	known    []int     // those that were acknowledged, in that order
	rules    []*rule   // schedules that recur; a number is a place
	hands    int       // hand-outs so far
	tellings int       // runs told to have finished
	counts   counts
	begun    chan struct{} // closed when the next request is sent; nil: nobody waits for it
	times    times
}

// counts are what has happened.
type counts struct {
	unanswered int // requests whose connection ended before the answer
	refused    int // 503
	repeated   int // keys sent once more
	reads      int // documents read
	cancels    int // asked for
	cuts       int // workers' connections, by us
	kills      int // of the server
}

// entry is one request.
type entry struct {
	asked      Order
	id         string // of the run, once anybody has seen it
	promised   bool   // its producer has
	took       bool   // it has been handed out
	cancelled  bool   // somebody asked for that
	lost       bool   // blamed already
	told       told
	given      []*Hand
	losses     int
	failures   int
	foreignRun bool // blamed already
}

// told is what a client was told of a run that has finished.
type told struct {
	state  string // empty: nothing yet
	hand   int    // whose result it was
	life   int    // when
	number int    // of the telling
}

// Order is what a producer asks for.
type Order struct {
	Number int           // its place in the book
	Key    string        // idempotency key; empty: none
	Due    time.Time     // of a schedule, in whole milliseconds; zero: at once
	Work   time.Duration // what it costs a worker
	Fail   int           // attempts that workers let fail
	Wait   bool          // the producer waits for the result
	Cancel bool          // the producer thinks better of it at once
}

// Session is a worker's connection.
type Session struct {
	Life  int // the server's, when it was opened
	gone  bool
	given []*Hand
}

// Hand is a run in a worker's hand.
type Hand struct {
	Number int // no other has the same
	order  int
	by     *Session
	fence  uint64 // 0: the worker speaks the old protocol
	sent   bool   // a result was
	failed bool   // an error was
}

// NewBook makes an empty one. Its first server is not ready yet.
func NewBook() *Book {
	return &Book{life: 1, times: newTimes()}
}

// Life is even while a server is up.
func (b *Book) Life() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.life
}

// Ready notes that a server is up, after it took so long.
func (b *Book) Ready(now time.Time, recovery time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.life++
	b.readyAt = now
	b.times.recovery.record(recovery)
}

// Crash notes that the server, which may be up or on its way, is about to be killed.
func (b *Book) Crash() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.kills++
	if b.life%2 == 0 {
		b.life++
	}
}

// Fault notes one that a client has seen.
func (b *Book) Fault(kind Kind, format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults.blame(kind, format, args...)
}

// BrokenIn notes that the server did something odd to a client, which is a fault if it has been alive since that life.
func (b *Book) BrokenIn(life int, format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if life == b.life && life%2 == 0 {
		b.faults.blame(Broken, format, args...)
	}
}

// Begin enters a request that is about to be sent, and gives it its number.
func (b *Book) Begin(o Order) Order {
	b.mu.Lock()
	defer b.mu.Unlock()
	o.Number = len(b.entries)
	b.entries = append(b.entries, &entry{asked: o})
	if b.begun != nil {
		close(b.begun)
		b.begun = nil
	}
	return o
}

// Begun is closed when the next request is about to be sent.
func (b *Book) Begun() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.begun == nil {
		b.begun = make(chan struct{})
	}
	return b.begun
}

// Unanswered notes that nobody will know whether the server has taken a request.
func (b *Book) Unanswered() { b.count(func(c *counts) { c.unanswered++ }) }

// Refused notes that the server would not take one for now.
func (b *Book) Refused() { b.count(func(c *counts) { c.refused++ }) }

func (b *Book) count(change func(*counts)) {
	b.mu.Lock()
	change(&b.counts)
	b.mu.Unlock()
}

// Acknowledge notes the promise: the run's id. took is how long it was in coming; 0 if that is not to be counted. It
// returns false if the request is another run already.
func (b *Book) Acknowledge(number int, id string, took time.Duration) (same bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.find(number)
	if e == nil {
		return false
	}
	if e.id != "" && e.id != id {
		b.faults.blame(Doubled, "request %d (key %q) %s, and acknowledged as run %s", number, e.asked.Key, e.became(), id)
		return false
	}
	if !e.promised {
		e.promised, e.id = true, id
		b.known = append(b.known, number)
		if took > 0 {
			b.times.ack.record(took)
		}
	}
	return true
}

// became says which run a request is, and who knows of it.
func (e *entry) became() string {
	if e.promised {
		return "was acknowledged as run " + e.id
	}
	return "was given to a worker, before anybody had a promise, as run " + e.id
}

// find is a request by its number; a server that makes one up is blamed.
func (b *Book) find(number int) *entry {
	if number < 0 || number >= len(b.entries) {
		b.faults.blame(Wrong, "the server brought request %d, which nobody sent", number)
		return nil
	}
	return b.entries[number]
}

// Sums is how many runs were acknowledged, and how many faults there were, so far.
func (b *Book) Sums() (accepted, faults int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.faults.count {
		faults += n
	}
	return len(b.known), faults
}
