package callback

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Pool makes the calls. See the package's comment.
type Pool struct {
	cfg       Config
	transport *http.Transport
	ctx       context.Context // of all calls
	cut       context.CancelFunc
	stop      chan struct{} // closed by Close: no call begins any more
	poke      chan struct{} // to the keeper: there is something to look after
	keeper    keeper

	goroutines sync.WaitGroup

	mu     sync.Mutex
	queue  queue
	work   sync.Cond // there is something in queue.ready, or it is over
	failed error     // the last one of the Source, which the keeper is to log
	closed bool
	once   sync.Once
}

// New starts a pool, and reads what the Source has. The error wraps ErrConfig.
func New(cfg Config) (*Pool, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	p := &Pool{
		cfg:   cfg,
		stop:  make(chan struct{}),
		poke:  make(chan struct{}, 1),
		queue: newQueue(cfg.MaxWaiting, cfg.PerHost),
	}
	p.work.L = &p.mu
	p.ctx, p.cut = context.WithCancel(context.Background())
	p.transport = newTransport(&p.cfg)
	p.goroutines.Go(p.keep)
	for range cfg.Workers {
		p.goroutines.Go(p.serve)
	}
	return p, nil
}

// Add calls for a run soon. It may be called from any goroutine, and does not wait. A run that is here already is not added
// again; one that does not fit is found in the Source later. After Close it does nothing.
func (p *Pool) Add(run [16]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	if p.queue.add(run) {
		p.work.Signal()
	} // otherwise it is here, or something else is, whose end makes the keeper look
}

// Close ends the pool: no call begins any more, and those under way are waited for until ctx is done, and then cut off,
// which the error says. All goroutines have ended when it returns. Runs whose callback is not done are in the Source. It
// may be called again, and then waits for the same.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.work.Broadcast()
	p.mu.Unlock()
	p.once.Do(func() { close(p.stop) })
	defer p.transport.CloseIdleConnections() // and ends what is still being dialled for calls that have ended
	defer p.cut()
	ended := make(chan struct{})
	go func() { // ends with the pool's goroutines, which Close outlives
		p.goroutines.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		p.cut()
		<-ended
		return fmt.Errorf("callback: calls were cut off, and will be made again at the next start: %w", context.Cause(ctx))
	}
}

// nudge makes the keeper look.
func (p *Pool) nudge() {
	select {
	case p.poke <- struct{}{}:
	default:
	}
}

// serve is one worker.
func (p *Pool) serve() {
	for {
		d := p.next()
		if d == nil {
			return
		}
		p.deliver(d)
		p.nudge()
	}
}

// next waits for something to call for; nil when it is over.
func (p *Pool) next() *delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.closed {
		if d := p.queue.pop(); d != nil {
			return d
		}
		p.work.Wait()
	}
	return nil
}

// with changes the queue, and wakes a worker for each delivery that it made ready.
func (p *Pool) with(change func(q *queue)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := len(p.queue.ready)
	change(&p.queue)
	for range len(p.queue.ready) - before {
		p.work.Signal()
	}
}

// keep is the keeper.
func (p *Pool) keep() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-p.poke:
		case <-timer.C:
		}
		timer.Reset(p.keeper.turn(p))
	}
}
