package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Schedules are set over so many WebSockets at once. Each sends a batch, then
// reads the answers to it: the buffers of its socket hold them.
const (
	setters  = 16
	setBatch = 1024
)

// appointer appends the options of the i-th schedule and tells when it is due.
type appointer func(b []byte, i int, random *source) (time.Time, []byte)

// setting is schedules being set.
type setting struct {
	count   int
	appoint appointer
	next    atomic.Int64 // the first batch that nobody sets yet
	done    atomic.Int64 // schedules
	ids     []string     // of one of each batch
}

// setSchedules sets the scenario's schedules. It returns what that took, and the
// ids of some of them.
func (g stage) setSchedules(ctx context.Context, appoint appointer) (extras []extra, ids []string, err error) {
	n := g.sc.Count
	s := &setting{count: n, appoint: appoint, ids: make([]string, (n+setBatch-1)/setBatch)}
	before, err := readUsage(g.target.pid)
	if err != nil {
		return nil, nil, err
	}
	began := time.Now()
	if err := g.setAll(ctx, s); err != nil {
		return nil, nil, err
	}
	took := time.Since(began)
	after, err := readUsage(g.target.pid)
	return []extra{
		{"schedules", "", float64(n)},
		{"schedules set", "a second", float64(n) / took.Seconds()},
		{"setting them took", "s", took.Seconds()},
		{"server CPU a schedule set", "µs", perTask(after.since(before), int64(n))},
	}, s.ids, err
}

// setAll has the setters at work until all is set, or one of them fails.
func (g stage) setAll(ctx context.Context, s *setting) error {
	theirs, cancel := context.WithCancel(ctx)
	defer cancel() // closes their connections
	ended := make(chan error, setters)
	var all sync.WaitGroup
	defer all.Wait()
	for range setters {
		all.Go(func() { ended <- s.run(theirs, g.target.addr) })
	}
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for left := setters; left > 0; {
		select {
		case err := <-ended:
			if err != nil {
				cancel()
				return fmt.Errorf("setting %d schedules: %w", s.count, err)
			}
			left--
		case <-look.C:
			g.show.live("%s  %s of %s schedules are set", g.label, thousands(float64(s.done.Load())), thousands(float64(s.count)))
		case <-ctx.Done():
			return errInterrupted
		}
	}
	return nil
}

// run is one of the setters. It takes batches until there are none left.
func (s *setting) run(ctx context.Context, addr string) error {
	c, err := openCaller(ctx, addr, "/websocket")
	if err != nil {
		return err
	}
	defer c.close()
	random := source(rand.Uint64() | 1)
	for {
		batch := int(s.next.Add(1) - 1)
		from := batch * setBatch
		if from >= s.count {
			return nil
		}
		n := min(setBatch, s.count-from)
		if err := c.schedule(n, from, s.appoint, &random); err != nil {
			return err
		}
		err := c.answers(n, func(result []byte) (err error) {
			s.ids[batch], err = scheduled(result)
			return err
		}, func(int) {})
		if err != nil {
			return err
		}
		s.done.Add(int64(n))
	}
}

// schedule sends n schedules with the nonces 0 to n-1.
func (c *caller) schedule(n, from int, appoint appointer, random *source) error {
	var message, options []byte
	var when time.Time
	for i := range n {
		when, options = appoint(options[:0], from+i, random)
		message = append(message[:0], `{"action":"ScheduleTask","when":"`...)
		message = when.UTC().AppendFormat(message, "2006-01-02T15:04:05.000Z")
		message = append(message, `","name":"later","nonce":`...)
		message = strconv.AppendInt(message, int64(i), 10)
		message = append(append(message, `,"options":`...), options...)
		if err := c.write(append(message, '}')); err != nil {
			return err
		}
	}
	return c.flush()
}

// scheduled is the id of a schedule, from the result of setting it.
func scheduled(result []byte) (id string, err error) {
	rest, ok := bytes.CutPrefix(result, []byte(`{"id":"`))
	text, ok2 := bytes.CutSuffix(rest, []byte(`"}`))
	if !ok || !ok2 || len(text) != runIDLen {
		return "", fmt.Errorf("a schedule was answered %.200q, not with an id", result)
	}
	return string(text), nil
}
