package conform

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// What an exam does with a worker that leases over HTTP.

// leaseTime is how long a worker has to take in what it was told: nothing can be asked of it as a ping is.
const leaseTime = 50 * time.Millisecond

// asked is how often the worker has asked for tasks.
func (x *exam) asked() (n int) {
	x.recording.look(func(j *judge) { n = len(j.asked) })
	return n
}

// asksSince waits until the worker asks for tasks of all its names: it waits for an answer, or has asked since, after so many times.
func (x *exam) asksSince(ctx context.Context, since int) error {
	return x.await(ctx, func(j *judge) bool {
		offers := j.offers(since)
		return len(offers) > 0 && !slices.ContainsFunc(x.names, func(name string) bool { return !slices.Contains(offers, name) })
	})
}

// comesBack waits until the worker asks anew, and works.
func (x *exam) comesBack(ctx context.Context, since int, after string) finding {
	began := time.Now()
	err := x.await(ctx, func(j *judge) bool { return len(j.asked) > since })
	if err != nil {
		return failed("%s it does not ask again: %v", after, err)
	}
	took := time.Since(began).Round(time.Millisecond)
	if f := x.works(ctx); f.result != OK {
		return f
	}
	return ok("after %v", took)
}

// askAnew answers the worker that there is nothing, until it asks again.
func (x *exam) askAnew(ctx context.Context) error {
	since := x.asked()
	ctx, cancel := x.soon(ctx)
	defer cancel()
	for x.asked() == since {
		x.proxy.interrupt(nothing)
		if !sleep(ctx, leaseTime) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// with has what is asked, or its answer, changed while f runs.
func (x *exam) with(set func(p *proxy), f func() finding) finding {
	x.proxy.set(set)
	defer x.proxy.set(func(p *proxy) { p.instead, p.change = nil, nil })
	return f()
}

// lasting has leases end after so long, whatever the worker asks for.
func lasting(d time.Duration) func(p *proxy) {
	return func(p *proxy) {
		p.instead = func(c *call) *reply {
			var m message
			if c.isLease() && json.Unmarshal(c.body, &m) == nil && m != nil {
				m["for"] = fmt.Appendf(nil, "%q", d)
				if body, err := json.Marshal(m); err == nil {
					c.body = body
				}
			}
			return nil
		}
	}
}

// restart ends the server, and starts another in its place.
func (x *exam) restart(ctx context.Context) error {
	x.server.kill()
	x.producer.all.Wait()
	server, err := startServer(ctx, x.cfg.Binary)
	if err != nil {
		return err
	}
	x.server, x.producer = server, newProducer(server.addr)
	x.proxy.set(func(p *proxy) { p.target = server.addr })
	return nil
}
