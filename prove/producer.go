package prove

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// pace says when to send the next request.
type pace struct {
	interval time.Duration
	next     time.Time
}

// wait waits for the time of the next request. What was missed while the server was dead is made up for, but for no more
// than a second. It returns false if the context ended.
func (p *pace) wait(ctx context.Context) bool {
	now := time.Now()
	if p.next = p.next.Add(p.interval); now.Sub(p.next) > time.Second {
		p.next = now
	}
	return sleep(ctx, p.next.Sub(now))
}

// maxBurst is how many requests are sent at once at most.
const maxBurst = 20

// burst is how many to send now. Those after the first put off the next wait.
func (p *pace) burst(r *rand.Rand) int {
	n := 1 + r.IntN(maxBurst)
	p.next = p.next.Add(time.Duration(n-1) * p.interval)
	return n
}

// httpProducer sends one request after the other over HTTP.
type httpProducer struct {
	caller *caller
	rand   *rand.Rand
	pace   pace
}

// run sends until load ends, and then sees through what it has begun.
func (p *httpProducer) run(ctx, load context.Context) {
	defer p.caller.close()
	for p.pace.wait(load) {
		p.submit(ctx, p.caller.book.Begin(newOrder(p.rand, time.Now())))
	}
}

// submit sends an order until it is known what came of it. One without a key cannot be sent again once it has left: it
// might become two runs.
func (p *httpProducer) submit(ctx context.Context, o Order) {
	book, again := p.caller.book, backoff{rand: p.rand}
	for first := true; ; {
		mark, began := book.Mark(), time.Now()
		a, err := p.caller.submit(ctx, o)
		took := time.Since(began)
		if !first || o.Wait {
			took = 0
		}
		switch {
		case err == nil && !a.refused:
			book.promised(o, a, mark, took)
			if o.Cancel && a.id != "" {
				_ = p.caller.cancel(ctx, Known{o, a.id}) // an error is judged by then
			}
			return
		case err == nil:
			book.Refused()
		case errors.Is(err, errUnsent):
		case o.Key == "":
			book.Unanswered()
			return
		default:
			first = false
		}
		if !again.wait(ctx) {
			book.Unanswered()
			if errors.Is(context.Cause(ctx), errSilent) {
				book.Fault(Broken, "request %d was not answered, or refused all the time, though it was sent again and again: %v", o.Number, err)
			}
			return
		}
	}
}

// visitor looks at runs that are under way or long done, sends keys again and cancels.
type visitor struct {
	caller *caller
	rand   *rand.Rand
	pace   pace
}

// run visits until load ends.
func (v *visitor) run(ctx, load context.Context) {
	defer v.caller.close()
	for v.pace.wait(load) {
		k, ok := v.caller.book.Any(v.rand)
		if !ok {
			continue
		}
		// An error is judged by then; the next visit will do instead.
		switch n := v.rand.IntN(10); {
		case n == 0:
			_ = v.caller.cancel(ctx, k)
		case n < 5 && k.Key != "":
			v.repeat(ctx, k)
		case n < 7:
			_, _ = v.caller.read(ctx, k, "?wait=0.2s")
		default:
			_, _ = v.caller.read(ctx, k, "")
		}
	}
}

// repeat sends a request once more: it must attach to the run that there is.
func (v *visitor) repeat(ctx context.Context, k Known) {
	book := v.caller.book
	book.Repeat()
	mark := book.Mark()
	k.Wait = false
	a, err := v.caller.submit(ctx, k.Order)
	switch {
	case err != nil: // judged by then
	case a.refused:
		book.Refused()
	default:
		book.promised(k.Order, a, mark, 0)
	}
}
