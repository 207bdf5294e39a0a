package main

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// sample is what was seen at one time, and in the time since the one before.
type sample struct {
	At    float64 `json:"at_seconds"` // since the load began
	Tasks int64   `json:"tasks"`      // answered since the sample before
	Rate  float64 `json:"tasks_per_second"`
	P50   float64 `json:"p50_us"`
	P99   float64 `json:"p99_us"`
	P999  float64 `json:"p99_9_us"`
	vitals
	Connections int     `json:"client_connections"`
	Opened      float64 `json:"connections_opened_per_second"`
	ServerCPU   float64 `json:"server_cpu"` // cores' worth of time
	BenchCPU    float64 `json:"bench_cpu"`
	Others      float64 `json:"others_cpu"` // other processes
	Unanswered  int     `json:"unanswered"` // tasks under way
	Oldest      float64 `json:"oldest_seconds"`
}

// sampler takes samples of a load.
type sampler struct {
	load    *load
	probe   *probe
	began   time.Time
	last    reading
	before  counts
	latency latencies
}

// maxBins is how many histograms are kept over time; an even number.
const maxBins = 64

// latencies are histograms of equal parts of the time so far, however long it
// gets: when there are too many, each two become one.
type latencies struct {
	bins []*hdrhistogram.Histogram
	each int // samples in a bin
	last int // samples in the last
}

// add adds the histogram of one sample.
func (l *latencies) add(h *hdrhistogram.Histogram) {
	if l.last < l.each {
		l.bins[len(l.bins)-1].Merge(h)
		l.last++
		return
	}
	if len(l.bins) == maxBins {
		for i := range maxBins / 2 {
			l.bins[2*i].Merge(l.bins[2*i+1])
			l.bins[i] = l.bins[2*i]
		}
		clear(l.bins[maxBins/2:])
		l.bins = l.bins[:maxBins/2]
		l.each *= 2
	}
	l.bins, l.each, l.last = append(l.bins, h), max(l.each, 1), 1
}

// quarter is the histogram of a quarter of the time, 0 to 3, as near as the
// bins allow.
func (l *latencies) quarter(i int) *hdrhistogram.Histogram {
	h := newHistogram()
	for _, bin := range l.bins[len(l.bins)*i/4 : len(l.bins)*(i+1)/4] {
		h.Merge(bin)
	}
	return h
}

// newSampler begins: the first sample counts from now.
func newSampler(l *load, p *probe) (s *sampler, err error) {
	s = &sampler{load: l, probe: p, began: time.Now()}
	s.last, err = s.read()
	return s, err
}

// read takes the times.
func (s *sampler) read() (at reading, err error) {
	at.at, at.own = time.Now(), ownCPU()
	if at.server, err = readUsage(s.probe.pid); err != nil {
		return at, err
	}
	at.busy, at.all, err = readMachine()
	return at, err
}

// take takes a sample.
func (s *sampler) take() (one sample, err error) {
	now, err := s.read()
	if err != nil {
		return one, err
	}
	if one.vitals, err = s.probe.read(); err != nil {
		return one, err
	}
	took := now.at.Sub(s.last.at).Seconds()
	latency, all := s.load.book.cut()
	one.At, one.Tasks = now.at.Sub(s.began).Seconds(), all.Answered-s.before.Answered
	one.Rate, one.Opened = float64(one.Tasks)/took, float64(all.Opened-s.before.Opened)/took
	one.P50, one.P99, one.P999 = percentiles(latency)
	s.latency.add(latency)
	one.Connections = s.load.held()
	server, own := now.server.since(s.last.server), now.own-s.last.own
	one.ServerCPU, one.BenchCPU = server.Seconds()/took, own.Seconds()/took
	one.Others = max(0, (now.busy-s.last.busy-server-own).Seconds()/took)
	one.Oldest = s.load.book.check(now.at, overdue).Seconds()
	one.Unanswered, _ = s.load.book.due()
	s.last, s.before = now, all
	return one, nil
}

// percentiles of a histogram, in µs; all 0 if it is empty.
func percentiles(h *hdrhistogram.Histogram) (p50, p99, p999 float64) {
	at := func(p float64) float64 { return float64(h.ValueAtPercentile(p)) }
	return at(50), at(99), at(99.9)
}

// maxSamples is how many are taken at most, whatever the duration.
const maxSamples = 3600

// sampleEvery is the time between samples: a second, or more in long soaks.
// Those too short to judge a trend are only shown finer.
func sampleEvery(whole time.Duration) time.Duration {
	if whole < shortest {
		return whole / 20
	}
	return max(time.Second, (whole / maxSamples).Round(time.Second))
}
