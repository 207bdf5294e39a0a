package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The range of a latency, in µs. What is longer counts as the longest.
const (
	minLatency = 1
	maxLatency = 60_000_000
)

// newHistogram makes a latency histogram in µs, good to three digits.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(minLatency, maxLatency, 3)
}

// ledger is what one loop has sent for one part of a scenario, and what came
// back for it. It belongs to that loop.
type ledger struct {
	issuing     bool // producers send new tasks for those answered
	recording   bool // answers count: the warm-up is over
	outstanding int  // tasks sent and not answered
	total       int64
	answered    int64 // of total, while recording
	latency     *hdrhistogram.Histogram
	faults      faults

	seconds []int64 // answered in each second of the time that counts
	turn    int64   // when the last of them ends, in ns of the loop's clock

	// of an open loop, while recording
	unsent   int64                   // tasks that were due when too many were unanswered
	lateness *hdrhistogram.Histogram // of sending
}

// newLedger is one of producers that may send.
func newLedger() *ledger {
	return &ledger{issuing: true, latency: newHistogram(), lateness: newHistogram()}
}

// enter begins a phase of the round, now in ns of the loop's clock.
func (l *ledger) enter(phase int32, now int64) {
	l.recording, l.issuing = phase == measuring, phase < draining
	if l.recording {
		l.seconds, l.turn = l.seconds[:0], now
	}
}

// merge adds what another one has counted.
func (l *ledger) merge(m *ledger) {
	l.answered += m.answered
	for i, n := range m.seconds {
		if i == len(l.seconds) {
			l.seconds = append(l.seconds, 0)
		}
		l.seconds[i] += n
	}
	l.latency.Merge(m.latency)
	l.faults.merge(m.faults)
	l.unsent += m.unsent
	l.lateness.Merge(m.lateness)
}

// perSecond are the tasks answered in each whole second of a time.
func (l *ledger) perSecond(took time.Duration) []float64 {
	all := make([]float64, int(took/time.Second))
	for i := range min(len(all), len(l.seconds)) {
		all[i] = float64(l.seconds[i])
	}
	return all
}

// settle counts one right answer, sent and received at these ns of the loop's
// clock.
func (l *ledger) settle(sent, now int64) {
	l.outstanding--
	l.total++
	if !l.recording {
		return
	}
	l.answered++
	record(l.latency, now-sent)
	for now >= l.turn || len(l.seconds) == 0 {
		l.seconds = append(l.seconds, 0)
		l.turn += int64(time.Second)
	}
	l.seconds[len(l.seconds)-1]++
}

// record adds so many ns to a histogram.
func record(h *hdrhistogram.Histogram, ns int64) {
	us := uint64(ns) / 1000
	if h.RecordValue(int64(min(us, maxLatency))) != nil {
		panic(fmt.Sprintf("bench: the histogram refused %d µs", us)) // cannot be: clamped
	}
}

// faults counts what no correct server does.
type faults struct {
	Wrong      int64 `json:"wrong"`      // answered with something else than the sum
	Duplicated int64 `json:"duplicated"` // answered though nothing was outstanding
	Stray      int64 `json:"stray"`      // answers with a nonce of somebody else, or none
	Lost       int64 `json:"lost"`       // never answered

	examples []string
}

// maxExamples is how many faults are described; the others are only counted.
const maxExamples = 5

// add counts a fault in one of f's counters and keeps its description.
func (f *faults) add(counter *int64, format string, args ...any) {
	if *counter < math.MaxInt64 {
		*counter++
	}
	if len(f.examples) < maxExamples {
		f.examples = append(f.examples, fmt.Sprintf(format, args...))
	}
}

// merge adds g's counts to f.
func (f *faults) merge(g faults) {
	f.Wrong += g.Wrong
	f.Duplicated += g.Duplicated
	f.Stray += g.Stray
	f.Lost += g.Lost
	room := maxExamples - len(f.examples)
	f.examples = append(f.examples, g.examples[:min(room, len(g.examples))]...)
}

// err is nil if there were no faults, else it names each kind, with examples.
func (f *faults) err() error {
	if f.Wrong+f.Duplicated+f.Stray+f.Lost == 0 {
		return nil
	}
	return fmt.Errorf("the server answered wrongly: %d wrong, %d duplicated, %d stray, %d lost\n  %s",
		f.Wrong, f.Duplicated, f.Stray, f.Lost, strings.Join(f.examples, "\n  "))
}
