package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// pingEvery is how often the server pings a silent WebSocket, as it comes.
const pingEvery = 30 * time.Second

// idleTime is how long idle connections are looked at: past a ping of each.
const idleTime = pingEvery + 5*time.Second

// idler is a client on /websocket that does nothing but answer pings.
type idler struct {
	id    int
	mask  mask
	pings *atomic.Int64
}

// open sends nothing.
func (d *idler) open(out []byte, _ int64) []byte { return out }

// receive answers pings.
func (d *idler) receive(data, out []byte, _ int64) (used int, _ []byte, err error) {
	for {
		f, size, err := nextFrame(data[used:])
		if size == 0 || err != nil {
			return used, out, err
		}
		used += size
		if f.opcode == opPing {
			d.pings.Add(1)
		}
		if out, err = d.mask.control(f, out); err != nil {
			return used, out, err
		}
	}
}

// String names the client in errors.
func (d *idler) String() string { return fmt.Sprintf("idle client %d", d.id) }

// idleAlone has a server hold idle connections and nothing else.
func (g stage) idleAlone(ctx context.Context) (found, error) {
	before, err := g.look(ctx)
	if err != nil {
		return found{}, err
	}
	f, err := newFleet(g.sc, g.target, g.threads)
	if err != nil {
		return found{}, g.target.server.explain(err)
	}
	defer f.close()
	f.start()
	defer f.stop()
	r := trial{g.label, g.target, g.threads, f, g.show}
	if err := r.watch(ctx, g.pace.warmUp, fmt.Sprintf("%s idle connections settle", thousands(float64(g.sc.Idle)))); err != nil {
		return found{}, g.target.server.explain(err)
	}
	after, err := g.look(ctx)
	if err != nil {
		return found{}, err
	}
	one, err := r.idle(ctx, g.pace.idle)
	if err != nil {
		return found{}, g.target.server.explain(err)
	}
	all := []extra{{Name: "idle connections", Value: float64(g.sc.Idle)}}
	all = append(all, before.each("connection", after, g.sc.Idle, 0)...)
	return found{extras: append(all,
		extra{Name: "server CPU, all idle", Unit: "% of a core", Value: 100 * one.server.Seconds() / one.took.Seconds()},
		extra{Name: "pings answered", Value: float64(f.pings.Load())})}, nil
}

// idle measures while nothing happens.
func (r *trial) idle(ctx context.Context, d time.Duration) (w window, err error) {
	before, err := r.read(ctx)
	if err != nil {
		return w, err
	}
	if err := r.watch(ctx, d, "all is idle"); err != nil {
		return w, err
	}
	after, err := r.read(ctx)
	return window{took: after.at.Sub(before.at), server: after.server.since(before.server)}, err
}
