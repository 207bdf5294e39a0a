package prove

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// maxAsked is how many requests of one WebSocket may be unanswered.
const maxAsked = 100

// asker is a producer on a WebSocket, with many requests under way.
type asker struct {
	server *server
	book   *Book
	rand   *rand.Rand
	pace   pace

	mu        sync.Mutex
	open      map[int]asked // by number, which is the nonce
	again     []Order       // to be sent again: refused, or with a key and unanswered
	notBefore time.Time     // when
}

// asked is a request that is under way.
type asked struct {
	order  Order
	mark   int
	at     time.Time // zero: its latency does not count
	cancel bool      // of the run that it became
}

// message is a request, as it is sent.
type message struct {
	Action  string          `json:"action"`
	When    string          `json:"when,omitempty"`
	Name    string          `json:"name,omitempty"`
	Options json.RawMessage `json:"options,omitempty"`
	Nonce   int             `json:"nonce"`
	Durable bool            `json:"durable,omitempty"`
	Wait    string          `json:"wait,omitempty"`
	Key     string          `json:"key,omitempty"`
	Backoff string          `json:"backoff,omitempty"`
	ID      string          `json:"id,omitempty"` // of a run
}

func newMessage(o Order) message {
	m := message{Action: "RunTask", Name: o.task(), Options: o.options(), Nonce: o.Number, Durable: true, Key: o.Key, Backoff: attemptBackoff}
	if o.Wait {
		m.Wait = waitFor.String()
	}
	if !o.Due.IsZero() {
		m.Action, m.When, m.Durable = "ScheduleTask", o.when(), false
	}
	return m
}

// reply is what comes back.
type reply struct {
	Nonce  *int            `json:"nonce"`
	Result json.RawMessage `json:"result"`
	Run    *Document       `json:"run"`
	Error  *problem        `json:"error"`
}

// answer reads it; ok is false if it is nothing that the wire has.
func (r reply) answer(o Order) (a answer, ok bool) {
	switch {
	case r.Error != nil && r.Error.Status == http.StatusServiceUnavailable:
		a.refused = true
	case r.Error != nil:
		a.id = r.Error.Run
		a.state, ok = r.Error.ended()
		return a, ok
	case r.Run != nil:
		a.id = r.Run.ID
		if r.Result != nil {
			a.state, a.result = r.Run.State, r.Result
		}
	case !o.Due.IsZero():
		var d Document
		if json.Unmarshal(r.Result, &d) != nil {
			return a, false
		}
		a.id = d.ID
	}
	return a, a.refused || a.id != ""
}

// run sends until load ends, over one connection after the other, and then sees through what it has begun.
func (p *asker) run(ctx, load context.Context) {
	retry := backoff{rand: p.rand}
	for ctx.Err() == nil {
		k, release, err := p.server.open(ctx, "/websocket")
		if err != nil {
			if !retry.wait(ctx) {
				break
			}
			continue
		}
		retry.reset()
		done := p.session(ctx, load, k, release)
		p.leftovers()
		if done {
			return
		}
	}
	p.giveUp(context.Cause(ctx))
}

// giveUp ends what was begun. If the reason is that the server is silent, it is blamed.
func (p *asker) giveUp(why error) {
	for _, o := range p.again {
		p.book.Unanswered()
		if errors.Is(why, errSilent) {
			p.book.Fault(Broken, "request %d was not answered, or refused all the time, though it was sent again and again", o.Number)
		}
	}
}

// session uses one connection. It returns whether all is done.
func (p *asker) session(ctx, load context.Context, k *socket, release func()) (done bool) {
	lost, cancel := context.WithCancelCause(context.Background())
	reader := make(chan struct{})
	go func() {
		defer close(reader)
		cancel(p.hear(k))
	}()
	live, stop := context.WithCancel(load)
	unwatch := context.AfterFunc(lost, stop)
	for p.pace.wait(live) {
		for range p.pace.burst(p.rand) {
			if err := p.send(k); err != nil {
				cancel(err)
				break
			}
		}
	}
	for lost.Err() == nil && !done { // load has ended
		if err := p.resend(k); err != nil {
			cancel(err)
		}
		done = p.idle()
		sleep(lost, 5*time.Millisecond)
	}
	switch {
	case errors.Is(context.Cause(ctx), errSilent):
		p.book.BrokenIn(k.life, "requests over a WebSocket were not answered in time: %v", p.numbers())
	case lost.Err() != nil && ctx.Err() == nil:
		p.book.BrokenIn(k.life, "a producer's WebSocket was closed: %v", context.Cause(lost))
	}
	unwatch()
	stop()
	release()
	<-reader
	return done
}

// send sends what is to be sent again, and a new order, unless too many are unanswered.
func (p *asker) send(k *socket) error {
	if err := p.resend(k); err != nil {
		return err
	}
	p.mu.Lock()
	full := len(p.open) >= maxAsked
	p.mu.Unlock()
	if full {
		return nil
	}
	return p.ask(k, p.book.Begin(newOrder(p.rand, time.Now())), true)
}

func (p *asker) resend(k *socket) error {
	p.mu.Lock()
	orders := p.again
	if now := time.Now(); now.Before(p.notBefore) {
		orders = nil
	} else {
		p.again, p.notBefore = nil, now.Add(maxBackoff)
	}
	p.mu.Unlock()
	for _, o := range orders {
		if err := p.ask(k, o, false); err != nil {
			return err
		}
	}
	return nil
}

func (p *asker) ask(k *socket, o Order, first bool) error {
	a := asked{order: o, mark: p.book.Mark()}
	if first && !o.Wait {
		a.at = time.Now()
	}
	p.mu.Lock()
	p.open[o.Number] = a
	p.mu.Unlock()
	return k.say(newMessage(o))
}

// numbers are the requests that are not answered.
func (p *asker) numbers() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.open))
}

// idle reports whether all that was sent is answered.
func (p *asker) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open)+len(p.again) == 0
}

// hear reads answers until the connection ends.
func (p *asker) hear(k *socket) error {
	for {
		var r reply
		if err := k.hear(&r); err != nil {
			return err
		}
		if r.Nonce == nil {
			p.book.Fault(Broken, "a producer was sent a message without a nonce: %+v", r)
			continue
		}
		p.mu.Lock()
		a, ok := p.open[*r.Nonce]
		delete(p.open, *r.Nonce)
		p.mu.Unlock()
		if !ok {
			p.book.Fault(Broken, "a producer was answered with nonce %d, which it had not asked for or had an answer to", *r.Nonce)
			continue
		}
		if a.cancel {
			p.judgeCancel(a, r)
		} else {
			p.judge(k, a, r)
		}
	}
}

// judge tells the book of an answer.
func (p *asker) judge(k *socket, a asked, r reply) {
	got, ok := r.answer(a.order)
	switch {
	case !ok:
		p.book.Fault(Broken, "%+v was answered with result %.200q, run %+v, error %+v", newMessage(a.order), r.Result, r.Run, r.Error)
	case got.refused:
		p.book.Refused()
		p.mu.Lock()
		p.again = append(p.again, a.order)
		p.mu.Unlock()
	default:
		var took time.Duration
		if !a.at.IsZero() {
			took = time.Since(a.at)
		}
		p.book.promised(a.order, got, a.mark, took)
		if a.order.Cancel && got.id != "" {
			p.cancel(k, a.order, got.id)
		}
	}
}

// cancel asks for the end of a run, under the nonce that has just come back. An error in sending is seen by whoever reads.
func (p *asker) cancel(k *socket, o Order, id string) {
	p.book.Cancel(o.Number)
	p.mu.Lock()
	p.open[o.Number] = asked{order: o, mark: p.book.Mark(), cancel: true}
	p.mu.Unlock()
	_ = k.say(message{Action: "CancelRun", ID: id, Nonce: o.Number})
}

// judgeCancel tells the book of the answer: the run's document, or that it has finished.
func (p *asker) judgeCancel(a asked, r reply) {
	switch {
	case r.Run != nil:
		p.book.Read(a.order.Number, a.mark, *r.Run)
	case r.Error != nil && r.Error.Status == http.StatusConflict:
	case r.Error != nil && r.Error.Status == http.StatusNotFound:
		p.book.Missing(a.order.Number, r.Error.Detail)
	case r.Error != nil && r.Error.Status == http.StatusServiceUnavailable:
		p.book.Refused()
	default:
		p.book.Fault(Broken, "CancelRun of request %d was answered with result %.200q, error %+v", a.order.Number, r.Result, r.Error)
	}
}

// leftovers sorts what a dead connection has not answered: with a key it is sent again.
func (p *asker) leftovers() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.open {
		switch {
		case a.cancel: // whether it was is seen when the run is read
		case a.order.Key != "":
			p.again = append(p.again, a.order)
		default:
			p.book.Unanswered()
		}
	}
	clear(p.open)
}
