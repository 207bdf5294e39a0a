package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// appendAppointment appends the options of the i-th schedule.
func appendAppointment(b []byte, i int, at time.Time) []byte {
	b = strconv.AppendInt(append(b, `{"i":`...), int64(i), 10)
	b = strconv.AppendInt(append(b, `,"at":`...), at.UnixMilli(), 10)
	return append(b, '}')
}

// parseAppointment reads them.
func parseAppointment(options []byte) (i int, at int64, ok bool) {
	rest, ok := bytes.CutPrefix(options, []byte(`{"i":`))
	first, rest, ok2 := bytes.Cut(rest, []byte(`,"at":`))
	second, ok3 := bytes.CutSuffix(rest, []byte(`}`))
	i, err := strconv.Atoi(string(first))
	at, err2 := strconv.ParseInt(string(second), 10, 64)
	return i, at, ok && ok2 && ok3 && err == nil && err2 == nil && i >= 0
}

// watchers are the workers that see schedules fire, a goroutine each, until
// end.
type watchers struct {
	n       int
	all     []*firings
	callers []*caller
	seen    atomic.Int64
	over    atomic.Bool
	broke   chan error // what ended one before its time
	ended   sync.WaitGroup
}

// add connects one that asks for that many tasks at a time.
func (w *watchers) add(ctx context.Context, addr string, credits int) error {
	c, err := openCaller(ctx, addr, "/worker")
	if err != nil {
		return err
	}
	f := &firings{times: make([]uint8, w.n), lateness: newHistogram()}
	w.callers, w.all = append(w.callers, c), append(w.all, f)
	w.ended.Go(func() {
		if err := f.collect(c, credits, &w.seen); !w.over.Load() {
			w.broke <- err
		}
	})
	return nil
}

// end closes their connections and waits for them.
func (w *watchers) end() {
	w.over.Store(true)
	for _, c := range w.callers {
		c.close()
	}
	w.ended.Wait()
}

// firings are the schedules that one worker has seen fire.
type firings struct {
	times    []uint8 // each
	lateness *hdrhistogram.Histogram
	early    int
}

// collect takes and answers schedules until the connection ends.
func (f *firings) collect(c *caller, credits int, seen *atomic.Int64) error {
	messages := append([]string{`{"action":"RegisterTask","name":"later"}`}, slices.Repeat([]string{getTask}, credits)...)
	for _, m := range messages {
		if err := c.write([]byte(m)); err != nil {
			return err
		}
	}
	for {
		if !c.whole() {
			if err := c.flush(); err != nil {
				return err
			}
		}
		text, err := c.next()
		if err != nil {
			return err
		}
		nonce, err := f.see(text, time.Now())
		if err != nil {
			return err
		}
		seen.Add(1)
		c.out = c.mask.appendFrame(c.out, opText, sendHead+nonce+`","result":null}`)
		if err := c.write([]byte(getTask)); err != nil {
			return err
		}
	}
}

// see notes one schedule that has fired, and returns its nonce.
func (f *firings) see(text []byte, now time.Time) (nonce string, err error) {
	rest, ok := bytes.CutPrefix(text, []byte(`{"name":"later","options":`))
	options, rest, ok2 := bytes.Cut(rest, []byte(`,"nonce":"`))
	token, ok3 := bytes.CutSuffix(rest, []byte(`"}`))
	i, at, ok4 := parseAppointment(options)
	if !ok || !ok2 || !ok3 || !ok4 || i >= len(f.times) {
		return "", fmt.Errorf("%.300q is none of the schedules", text)
	}
	late := now.UnixNano() - at*int64(time.Millisecond)
	if late < 0 {
		f.early++
	}
	record(f.lateness, max(late, 0))
	if f.times[i] < math.MaxUint8 {
		f.times[i]++
	}
	return string(token), nil
}

// fired adds up what the workers have seen of n schedules. It is an error if
// one did not fire exactly once, or early.
func fired(all []*firings, n int) (lateness *hdrhistogram.Histogram, err error) {
	lateness = newHistogram()
	times := make([]int, n)
	early, lost, again := 0, 0, 0
	for _, f := range all {
		lateness.Merge(f.lateness)
		early += f.early
		for i, k := range f.times {
			times[i] += int(k)
		}
	}
	for _, k := range times {
		switch {
		case k == 0:
			lost++
		case k > 1:
			again++
		}
	}
	if lost+again+early > 0 {
		err = fmt.Errorf("of %d schedules %d never fired, %d more than once, %d early", n, lost, again, early)
	}
	return lateness, err
}
