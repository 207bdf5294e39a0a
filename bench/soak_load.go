package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Who takes part. The rate of those that come and go is bounded by their
// number: none comes back at once.
const (
	stayingWorkers   = 8
	stayingCredits   = 32
	wsProducers      = 8
	keepAlives       = 8
	closers          = 4
	visitors         = 16
	nameCount        = 8   // of each kind of name
	maxWaiting       = 256 // unanswered tasks of one producer
	maxClosesPerSec  = 100 // connections are dear, and ports come back after a minute
	schedulesPerSec  = 20  // over HTTP, and as many over WebSocket
	largePerSec      = 1   // payloads of 64 KB to 1 MB over HTTP, and over WebSocket
	visitorPause     = 100 * time.Millisecond
	visitorPauseMore = 300 * time.Millisecond
	visitTime        = 30 * time.Second // after which a visit has failed
)

// How the rate is shared.
const (
	wsShare        = 0.75
	keepAliveShare = 0.20
	closeShare     = 0.05
)

// Names. Those of plain are served by workers that stay; of churn also by such
// that come, die and go; sched is where schedules go, once each.
func plainName(i int) string { return fmt.Sprintf("plain-%d", i%nameCount) }
func churnName(i int) string { return fmt.Sprintf("churn-%d", i%nameCount) }

const (
	schedName = "sched"
	lazyName  = "lazy"
)

// load is the mix of clients that churns a server.
type load struct {
	addr  string
	rate  float64
	book  *book
	life  context.Context // ends when all connections have to close
	end   context.CancelFunc
	issue context.Context // ends when no new work is to be made
	rest  context.CancelFunc

	producing sync.WaitGroup // those that make work
	working   sync.WaitGroup // those that do it, or only listen
	names     atomic.Int64   // that were used once

	mu      sync.Mutex
	clients map[*client]struct{} // that are connected
}

// newLoad makes a load on the server at addr, of so many tasks a second.
func newLoad(addr string, rate float64) *load {
	l := &load{addr: addr, rate: rate, book: newBook(), clients: map[*client]struct{}{}}
	l.life, l.end = context.WithCancel(context.Background())
	l.issue, l.rest = context.WithCancel(l.life)
	return l
}

// role is what a client does, until its context or its connection ends.
type role func(l *load, r *rand.Rand, name string) error

// start starts all clients: workers first.
func (l *load) start() {
	l.stay(l.life, &l.working, "staying worker", stayingWorkers, stayingWorker)
	l.stay(l.life, &l.working, "worker that reads slowly", 1, lazyWorker)
	l.stay(l.issue, &l.producing, "WebSocket producer", wsProducers, wsProducer)
	l.stay(l.issue, &l.producing, "keep-alive producer", keepAlives, keepAliveProducer)
	l.stay(l.issue, &l.producing, "Connection: close producer", closers, closeProducer)
	l.stay(l.issue, &l.producing, "large WebSocket producer", 1, largeWS)
	l.stay(l.issue, &l.producing, "large HTTP producer", 1, largeHTTP)
	l.stay(l.issue, &l.producing, "WebSocket scheduler", 1, wsScheduler)
	l.stay(l.issue, &l.producing, "HTTP scheduler", 1, httpScheduler)
	l.stay(l.issue, &l.producing, "producer that reads slowly", 1, slowProducer)
	l.stay(l.issue, &l.producing, "visitor", visitors, visitor)
}

// stay runs clients until their context ends. One whose connection breaks is
// a fault, and comes back.
func (l *load) stay(until context.Context, group *sync.WaitGroup, kind string, n int, do role) {
	for i := range n {
		name := fmt.Sprintf("%s %d", kind, i+1)
		group.Go(func() {
			r := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
			for until.Err() == nil {
				if err := do(l, r, name); err != nil && l.life.Err() == nil {
					l.book.fault(faultBroken, "%s: %v", name, err)
					wait(until, time.Second)
				}
			}
		})
	}
}

// finish lets no new work begin, and waits until all that was begun is done,
// at most for patience.
func (l *load) finish(patience time.Duration) (done bool) {
	l.rest()
	made := make(chan struct{})
	go func() {
		l.producing.Wait()
		close(made)
	}()
	end := time.NewTimer(patience)
	defer end.Stop()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-made:
			if tasks, schedules := l.book.due(); tasks+schedules == 0 {
				return true
			}
		default:
		}
		select {
		case <-end.C:
			return false
		case <-look.C:
		}
	}
}

// admit enters a client that has connected. At the end it is closed.
func (l *load) admit(p *client) {
	l.book.count(func(c *counts) { c.Opened++ })
	l.mu.Lock()
	l.clients[p] = struct{}{}
	l.mu.Unlock()
	if l.life.Err() != nil {
		p.close()
	}
}

// forget takes a client out that closes.
func (l *load) forget(p *client) {
	l.mu.Lock()
	delete(l.clients, p)
	l.mu.Unlock()
}

// held is how many connections are open.
func (l *load) held() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.clients)
}

// close closes all connections and waits for the clients to end.
func (l *load) close() {
	l.end()
	l.mu.Lock()
	left := slices.Collect(maps.Keys(l.clients))
	l.mu.Unlock()
	for _, p := range left {
		p.close()
	}
	l.producing.Wait()
	l.working.Wait()
}

// wait waits, but not beyond the context's end.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// pause waits for a while, and reports whether there is still work to make.
func (l *load) pause(r *rand.Rand, from, to time.Duration) bool {
	wait(l.issue, someTime(r, from, to))
	return l.issue.Err() == nil
}

// someTime is a random duration.
func someTime(r *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(r.Int64N(int64(to-from)))
}

// minTick is how often a producer looks whether tasks are due: it sends those
// of a tick at once.
const minTick = 4 * time.Millisecond

// paced calls do so often a second until no more work is to be made, or an
// error. What could not be done in time is left out.
func (l *load) paced(r *rand.Rand, perSecond float64, do func() error) error {
	every := max(time.Duration(float64(time.Second)/perSecond), minTick)
	wait(l.issue, someTime(r, 0, every))
	tick := time.NewTicker(every)
	defer tick.Stop()
	due, last := 0.0, time.Now()
	for {
		select {
		case <-l.issue.Done():
			return nil
		case <-tick.C:
		}
		now := time.Now()
		due = min(due+now.Sub(last).Seconds()*perSecond, 2+perSecond/20)
		for last = now; due >= 1; due-- {
			if err := do(); err != nil {
				return err
			}
		}
	}
}

// visit is something that a client comes for, and then goes.
type visit struct {
	kind   string
	weight int
	do     func(l *load, r *rand.Rand) error
}

// visitor makes one visit, chosen at random.
func visitor(l *load, r *rand.Rand, _ string) error {
	if !l.pause(r, visitorPause, visitorPause+visitorPauseMore) {
		return nil
	}
	v := pick(r, visits)
	l.book.visited(v.kind)
	if err := v.do(l, r); err != nil {
		return fmt.Errorf("%s: %w", v.kind, err)
	}
	return nil
}

// pick chooses by weight.
func pick(r *rand.Rand, from []visit) visit {
	total := 0
	for _, v := range from {
		total += v.weight
	}
	n := r.IntN(total)
	for _, v := range from {
		if n -= v.weight; n < 0 {
			return v
		}
	}
	return from[0]
}
