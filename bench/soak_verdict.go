package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// judgement is one question that a soak answers.
type judgement struct {
	What string `json:"what"`
	Good bool   `json:"good"`
	Open bool   `json:"open,omitempty"` // too little was seen to tell
	Said string `json:"said"`           // a sentence
}

// What is allowed.
const (
	allowedShare   = 0.15     // by which memory may grow from the end of the warm-up on
	allowedGrowth  = 16 << 20 // and bytes: only both together are too much
	allowedThreads = 4        // more than there were after the warm-up; Go's runtime starts some late
	allowedRefused = 0.01     // share of tasks: a server at its defaults has room for all of them
	// shortest is the time after the warm-up, and fewest the number of samples,
	// below which a trend means nothing.
	shortest = 30 * time.Second
	fewest   = 20
)

// steady is what is judged: the last two thirds. Before, caches and pools
// fill.
func steady(samples []sample) []sample {
	if len(samples) == 0 {
		return nil
	}
	warm := samples[len(samples)-1].At / 3
	i := slices.IndexFunc(samples, func(s sample) bool { return s.At >= warm })
	return samples[i:]
}

// trend is a straight line through a figure over time.
type trend struct {
	From   float64 `json:"from"`   // the line's value at the start of the time judged
	Slope  float64 `json:"slope"`  // a second
	Margin float64 `json:"margin"` // of the slope: with 95 % it is within ± this
	Span   float64 `json:"span"`   // seconds that were judged
}

// growth is how much the line rises over the time judged, and by how much at
// least with 97.5 %.
func (t trend) growth() (likely, least float64) {
	return t.Slope * t.Span, (t.Slope - t.Margin) * t.Span
}

// fit draws the line by least squares. Neighbouring samples of memory are
// much alike, and so tell less than as many independent ones: the margin
// allows for it by the residuals' first autocorrelation.
func fit(samples []sample, figure func(sample) float64) (t trend) {
	n := float64(len(samples))
	if n < 3 {
		return t
	}
	start := samples[0].At
	t.Span = samples[len(samples)-1].At - start
	var meanX, meanY, xx, xy float64
	for _, s := range samples {
		meanX += (s.At - start) / n
		meanY += figure(s) / n
	}
	for _, s := range samples {
		x := s.At - start - meanX
		xx += x * x
		xy += x * (figure(s) - meanY)
	}
	if xx == 0 {
		return t
	}
	t.Slope, t.From = xy/xx, meanY-xy/xx*meanX
	var squares, products, last float64
	for i, s := range samples {
		rest := figure(s) - t.From - t.Slope*(s.At-start)
		squares += rest * rest
		if i > 0 {
			products += rest * last
		}
		last = rest
	}
	if squares == 0 {
		return t
	}
	alike := min(max(products/squares, 0), 0.99)
	independent := max(n*(1-alike)/(1+alike), 3)
	t.Margin = 1.96 * math.Sqrt(squares/(n-2)/xx*n/independent)
	return t
}

// outcome is all that a verdict is made of.
type outcome struct {
	before   vitals   // with no load yet
	samples  []sample // under load
	after    vitals   // the load gone, and time to settle
	settled  time.Duration
	finished bool // all that was begun was answered in time
	tasks    int  // if not: that are open
	dues     int  // and schedules
	counts   counts
	faults   map[faultKind]int64
	examples []string
	logged   int // alarms in the server's log
	alarm    string
}

// tellsGoroutines reports whether the server has told them.
func (o *outcome) tellsGoroutines() bool {
	return len(o.samples) > 0 && o.samples[len(o.samples)-1].Goroutines > 0
}

// judge answers all questions.
func judge(o outcome) []judgement {
	all := []judgement{judgeAnswers(o), judgeMemory(o.samples), judgeDescriptors(o)}
	all = append(all, judgeCount("threads", o.samples, func(s sample) float64 { return float64(s.Threads) }))
	if o.tellsGoroutines() {
		all = append(all, judgeCount("goroutines", o.samples, func(s sample) float64 { return float64(s.Goroutines) }))
	}
	if o.logged > 0 {
		all = append(all, judgement{What: "log", Said: fmt.Sprintf("the server logged %d errors or panics; the first: %s", o.logged, o.alarm)})
	}
	return all
}

// judgeAnswers asks whether every task was answered rightly and once.
func judgeAnswers(o outcome) judgement {
	c := o.counts
	j := judgement{What: "answers", Good: true, Said: fmt.Sprintf(
		"%s tasks were answered rightly and once, %s times after a worker had died with one; %s schedules ran on time and once, %s were taken back",
		thousands(float64(c.Answered)), thousands(float64(c.Losses)), thousands(float64(c.Fired)), thousands(float64(c.Cancelled)))}
	var wrong []string
	for _, kind := range slices.Sorted(maps.Keys(o.faults)) {
		wrong = append(wrong, fmt.Sprintf("%d %s", o.faults[kind], kind))
	}
	if !o.finished {
		wrong = append(wrong, fmt.Sprintf("%d tasks and %d schedules still open when the load had ended", o.tasks, o.dues))
	}
	if c.Answered == 0 {
		wrong = append(wrong, "not one task was answered")
	}
	if share := float64(c.Refused) / float64(max(c.Sent, 1)); share > allowedRefused {
		wrong = append(wrong, fmt.Sprintf("%.1f %% of the tasks were refused, and %.0f %% may be", 100*share, 100*allowedRefused))
	}
	if len(wrong) > 0 {
		j.Good, j.Said = false, fmt.Sprintf("the server did wrong: %s", strings.Join(wrong, "; "))
	}
	return j
}

// judgeMemory asks whether RSS grows.
func judgeMemory(samples []sample) judgement {
	late := steady(samples)
	t := fit(late, func(s sample) float64 { return float64(s.RSS) })
	j := judgement{What: "memory", Good: true}
	likely, least := t.growth()
	said := fmt.Sprintf("RSS changes by %+.1f ± %.1f MB an hour (95 %%; fitted over the last %.0f s, from %.1f to %.1f MB)",
		t.Slope*3600/1e6, t.Margin*3600/1e6, t.Span, t.From/1e6, (t.From+likely)/1e6)
	switch {
	case t.Span < shortest.Seconds() || len(late) < fewest:
		j.Open = true
		j.Said = fmt.Sprintf("too short to judge: %.0f s after the warm-up, and it takes %v (RSS went from %.1f to %.1f MB in them)",
			t.Span, shortest, t.From/1e6, (t.From+likely)/1e6)
	case likely > allowedGrowth && likely > allowedShare*t.From && least > 0:
		j.Good = false
		j.Said = fmt.Sprintf("memory grows: %s, which is over %.0f %% and %d MiB", said, 100*allowedShare, allowedGrowth>>20)
	default:
		j.Said = "flat: " + said
	}
	return j
}

// storeFiles is how many more files the store may have open after the load than before: segments of its journal and tables.
const storeFiles = 8

// leaks tells whether more descriptors are open than before the load.
func (o *outcome) leaks() bool { return o.after.FDs > o.before.FDs+storeFiles }

// judgeDescriptors asks whether as many are open as before the load, but for the store's.
func judgeDescriptors(o outcome) judgement {
	most := 0
	for _, s := range o.samples {
		most = max(most, s.FDs)
	}
	j := judgement{What: "descriptors", Good: !o.leaks()}
	if j.Good {
		j.Said = fmt.Sprintf("%d before the load, up to %d under it, %d %.1f s after it", o.before.FDs, most, o.after.FDs, o.settled.Seconds())
		return j
	}
	j.Said = fmt.Sprintf("the server had %d descriptors before the load, and has %d still %.0f s after all clients have gone: it leaks %d",
		o.before.FDs, o.after.FDs, o.settled.Seconds(), o.after.FDs-o.before.FDs)
	return j
}

// judgeCount asks whether a number of things stays what it was: the most of
// the last third beside the most of the third after the warm-up.
func judgeCount(what string, samples []sample, figure func(sample) float64) judgement {
	late := steady(samples)
	if len(late) < fewest {
		return judgement{What: what, Good: true, Open: true, Said: fmt.Sprintf("too short to judge: %d samples after the warm-up, and it takes %d", len(late), fewest)}
	}
	most := func(of []sample) (m float64) {
		for i, s := range of {
			if v := figure(s); i == 0 || v > m {
				m = v
			}
		}
		return m
	}
	early, end := most(late[:len(late)/2]), most(late[len(late)/2:])
	j := judgement{What: what, Good: end <= early+allowedThreads}
	if j.Good {
		j.Said = fmt.Sprintf("flat: at most %.0f in the second third, %.0f in the last", early, end)
	} else {
		j.Said = fmt.Sprintf("the number of %s grows: at most %.0f in the second third, %.0f in the last", what, early, end)
	}
	return j
}
