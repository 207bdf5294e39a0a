package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// perCaller is how many tasks one connection brings: half of the calls that a
// server allows it, as it comes.
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
	before, err := g.look(ctx)
	if err != nil {
		return nil, nil, err
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
	extras = []extra{{"waiting tasks", "", float64(g.sc.Count)}, {"tasks taken in", "a second", rate}}
	after, err := g.look(ctx)
	return append(extras, before.each("waiting task", after, g.sc.Count, bodyLen)...), release, err
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
