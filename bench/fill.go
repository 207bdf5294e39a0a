package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// perCaller is how many tasks or schedules one connection brings: half of the
// calls that a server allows it, as it comes.
const perCaller = 50_000

// noDeadline is for connections that may wait.
var noDeadline time.Time

// fillPending has tasks wait whose name no worker has. They are gone when
// release closes their producers' connections.
func (g stage) fillPending(ctx context.Context) (extras []extra, release func(), err error) {
	var open []*caller
	release = func() {
		for _, c := range open {
			c.close()
		}
	}
	began := time.Now()
	for from := 0; from < g.sc.Count; from += perCaller {
		c, err := openCaller(ctx, g.target.addr, "/websocket")
		if err != nil {
			release()
			return nil, nil, err
		}
		open = append(open, c)
		g.show.live("%s  %s tasks wait", g.label, thousands(float64(from)))
		if err := c.wait(min(perCaller, g.sc.Count-from)); err != nil {
			release()
			return nil, nil, fmt.Errorf("having %d tasks wait: %w", g.sc.Count, err)
		}
	}
	rate := float64(g.sc.Count) / time.Since(began).Seconds()
	return []extra{{"waiting tasks", "", float64(g.sc.Count)}, {"tasks taken in", "a second", rate}}, release, nil
}

// wait sends n tasks that nobody answers, and waits until the server has taken
// them all: it reads what a connection sends in order, so once it has answered
// a question behind them.
func (c *caller) wait(n int) error {
	var message []byte
	random := source(rand.Uint64() | 1)
	for i := range n {
		message = append(message[:0], `{"action":"RunTask","name":"parked","nonce":`...)
		message = strconv.AppendInt(message, int64(i), 10)
		message = append(message, `,"options":`...)
		message = appendOptions(message, &random)
		if err := c.write(append(message, '}')); err != nil {
			return err
		}
	}
	if err := c.write([]byte(`{"action":"GetTasks","nonce":"end"}`)); err != nil {
		return err
	}
	if err := c.flush(); err != nil {
		return err
	}
	text, err := c.next()
	if err == nil && !bytes.HasPrefix(text, []byte(`{"nonce":"end","result":[`)) {
		err = fmt.Errorf("the server answered %.200q", text)
	}
	return err
}

// appendOptions appends the options that a load's tasks have.
func appendOptions(b []byte, random *source) []byte {
	x, y := random.draw()
	start := len(b)
	b = append(b, optionsHead+digitsGap+optionsB+digitsGap+optionsTail...)
	x.put(b[start+bodyAAt:], 0)
	y.put(b[start+bodyBAt:], 0)
	return b
}

// fillSchedules sets schedules for the next century. Their connections can be
// closed: schedules stay.
func (g stage) fillSchedules(ctx context.Context) (extras []extra, release func(), err error) {
	random := source(rand.Uint64() | 1)
	first := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	rate, err := g.setSchedules(ctx, func(b []byte, _ int) (time.Time, []byte) {
		within := time.Duration(rand.Int64N(int64(50 * 365 * 24 * time.Hour)))
		return first.Add(within), appendOptions(b, &random)
	})
	return []extra{{"schedules", "", float64(g.sc.Count)}, {"schedules set", "a second", rate}}, func() {}, err
}

// setSchedules sets the scenario's schedules, pipelined over one WebSocket
// after the other, and returns how many a second. appoint appends the options
// of the i-th and tells when it is due.
func (g stage) setSchedules(ctx context.Context, appoint func(b []byte, i int) (time.Time, []byte)) (rate float64, err error) {
	began := time.Now()
	for from := 0; from < g.sc.Count; from += perCaller {
		c, err := openCaller(ctx, g.target.addr, "/websocket")
		if err != nil {
			return 0, err
		}
		n := min(perCaller, g.sc.Count-from)
		sent := make(chan error, 1)
		go func() { sent <- c.schedule(n, from, appoint) }()
		err = c.answers(n, scheduled, func(done int) {
			g.show.live("%s  %s schedules are set", g.label, thousands(float64(from+done)))
		})
		c.close() // ends the other goroutine too, if this failed
		if sendErr := <-sent; err == nil {
			err = sendErr
		}
		if err != nil {
			return 0, fmt.Errorf("setting %d schedules: %w", g.sc.Count, err)
		}
	}
	return float64(g.sc.Count) / time.Since(began).Seconds(), nil
}

// schedule sends n schedules with the nonces 0 to n-1.
func (c *caller) schedule(n, from int, appoint func(b []byte, i int) (time.Time, []byte)) error {
	var message, options []byte
	var when time.Time
	for i := range n {
		when, options = appoint(options[:0], from+i)
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

// scheduled checks the result of setting a schedule.
func scheduled(result []byte) error {
	if !bytes.HasPrefix(result, []byte(`{"id":"`)) {
		return fmt.Errorf("a schedule was answered %.200q, not with an id", result)
	}
	return nil
}
