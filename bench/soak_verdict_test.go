package main

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// synthetic makes ten minutes of samples whose memory is told by rss.
func synthetic(rss func(second float64, r *rand.Rand) float64) (all []sample) {
	r := rand.New(rand.NewPCG(1, 2))
	for second := 1.0; second <= 600; second++ {
		all = append(all, sample{At: second, vitals: vitals{RSS: int64(rss(second, r)), FDs: 40 + r.IntN(20), Threads: 9}})
	}
	return all
}

// flat is a server's memory that does not grow, but for the warm-up.
func flat(second float64, r *rand.Rand) float64 {
	return 50e6 - 30e6*math.Exp(-second/40) + 5e6*r.Float64()
}

// healthy is what a good soak has seen.
func healthy() outcome {
	return outcome{before: vitals{FDs: 12}, after: vitals{FDs: 12}, samples: synthetic(flat), finished: true,
		counts: counts{Sent: 1000, Answered: 1000}, faults: map[faultKind]int64{}}
}

// verdictOn finds the judgement on one question.
func verdictOn(t *testing.T, o outcome, what string) judgement {
	t.Helper()
	for _, j := range judge(o) {
		if j.What == what {
			return j
		}
	}
	t.Fatalf("nothing is said about %s", what)
	return judgement{}
}

func TestSoakVerdictOfAHealthyServer(t *testing.T) {
	for _, j := range judge(healthy()) {
		if !j.Good || j.Said == "" {
			t.Errorf("%+v", j)
		}
	}
}

func TestSoakVerdictFindsWhatIsWrong(t *testing.T) {
	leak := func(perHour float64) func(*outcome) {
		return func(o *outcome) {
			o.samples = synthetic(func(at float64, r *rand.Rand) float64 { return flat(at, r) + perHour*at/3600 })
		}
	}
	for name, test := range map[string]struct {
		plant      func(o *outcome)
		what, said string
	}{
		"a leak of memory": {leak(300e6), "memory", "memory grows: RSS changes by +"},
		"a descriptor":     {func(o *outcome) { o.after.FDs = 12 + storeFiles + 1 }, "descriptors", "it leaks 9"},
		"threads":          {func(o *outcome) { grow(o.samples, func(v *vitals, n int) { v.Threads += n }) }, "threads", "grows"},
		"goroutines": {func(o *outcome) {
			grow(o.samples, func(v *vitals, n int) { v.Goroutines = n })
		}, "goroutines", "grows"},
		"a wrong answer":        {func(o *outcome) { o.faults[faultWrong] = 1 }, "answers", "1 wrong"},
		"an answer twice":       {func(o *outcome) { o.faults[faultDouble] = 2 }, "answers", "2 duplicated"},
		"a broken connection":   {func(o *outcome) { o.faults[faultBroken] = 1 }, "answers", "1 broken"},
		"an answer that lacks":  {func(o *outcome) { o.finished, o.tasks = false, 3 }, "answers", "3 tasks and 0 schedules still open"},
		"no answer at all":      {func(o *outcome) { o.counts = counts{} }, "answers", "not one task"},
		"refusals":              {func(o *outcome) { o.counts.Refused = 20 }, "answers", "2.0 % of the tasks were refused"},
		"an error in the log":   {func(o *outcome) { o.logged, o.alarm = 1, "a panic" }, "log", "1 errors or panics; the first: a panic"},
		"growth in big strides": {func(o *outcome) { o.samples = synthetic(strides) }, "memory", "memory grows"},
	} {
		o := healthy()
		test.plant(&o)
		if j := verdictOn(t, o, test.what); j.Good || !strings.Contains(j.Said, test.said) {
			t.Errorf("%s: %+v, not %q", name, j, test.said)
		}
	}
}

// grow adds ever more of something to samples.
func grow(samples []sample, by func(v *vitals, n int)) {
	for i := range samples {
		by(&samples[i].vitals, i/20)
	}
}

// strides is memory that doubles a buffer now and then, and never gives it back.
func strides(at float64, r *rand.Rand) float64 { return flat(at, r) + 30e6*math.Floor(at/120) }

func TestSoakVerdictAllowsWhatIsNoLeak(t *testing.T) {
	for name, rss := range map[string]func(at float64, r *rand.Rand) float64{
		"a collector's saw":      func(at float64, r *rand.Rand) float64 { return 50e6 + 40e6*math.Mod(at, 90)/90 + 1e6*r.Float64() },
		"wide noise":             func(_ float64, r *rand.Rand) float64 { return 50e6 + 100e6*r.Float64() },
		"a long warm-up":         func(at float64, _ *rand.Rand) float64 { return 60e6 - 40e6*math.Exp(-at/100) },
		"a little":               func(at float64, r *rand.Rand) float64 { return flat(at, r) + 10e6*at/600 },
		"a little of very much":  func(at float64, _ *rand.Rand) float64 { return 1e9 + 60e6*at/600 },
		"memory that is freed":   func(at float64, _ *rand.Rand) float64 { return 200e6 - 100e6*at/600 },
		"one stride, then level": func(at float64, _ *rand.Rand) float64 { return 50e6 + 10e6*math.Min(1, math.Floor(at/300)) },
	} {
		o := healthy()
		o.samples = synthetic(rss)
		if j := verdictOn(t, o, "memory"); !j.Good || !strings.HasPrefix(j.Said, "flat: ") {
			t.Errorf("%s: %+v", name, j)
		}
	}
	o := healthy()
	if o.samples = o.samples[:30]; !strings.HasPrefix(verdictOn(t, o, "memory").Said, "too short to judge") {
		t.Errorf("%+v", verdictOn(t, o, "memory"))
	}
}

func TestSoakFitKnowsHowSureItIs(t *testing.T) {
	const slope = 1000
	missed := 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var samples []sample
		noise := 0.0
		for at := 1.0; at <= 300; at++ {
			noise = 0.7*noise + 1e5*r.NormFloat64() // neighbours are alike
			samples = append(samples, sample{At: at, vitals: vitals{RSS: int64(1e8 + slope*at + noise)}})
		}
		if f := fit(samples, func(s sample) float64 { return float64(s.RSS) }); math.Abs(f.Slope-slope) > f.Margin {
			missed++
		}
	}
	if missed > 24 { // 5 % of 200 are 10; allowing for the estimate of the correlation
		t.Errorf("the slope was not within its margin %d times of 200", missed)
	}
	if f := fit(make([]sample, 2), func(sample) float64 { return 1 }); f != (trend{}) {
		t.Errorf("two samples make %+v", f)
	}
}

func TestSoakSamplesLessOftenInLongSoaks(t *testing.T) {
	for whole, want := range map[time.Duration]time.Duration{
		2 * time.Second: 100 * time.Millisecond, 2 * time.Minute: time.Second, time.Hour: time.Second,
		10 * time.Hour: 10 * time.Second, 30 * 24 * time.Hour: 12 * time.Minute,
	} {
		if got := sampleEvery(whole); got != want {
			t.Errorf("a soak of %v takes a sample every %v, not %v", whole, got, want)
		}
	}
}

func TestSoakLatenciesOfQuarters(t *testing.T) {
	for _, samples := range []int{4, 64, 120, 3600, 4096} {
		var l latencies
		for i := range samples {
			h := newHistogram()
			h.RecordValue(int64(1 + 4*i/samples))
			l.add(h)
		}
		if len(l.bins) > maxBins {
			t.Errorf("%d samples: %d bins", samples, len(l.bins))
		}
		all := int64(0)
		for i := range 4 {
			q := l.quarter(i)
			if all += q.TotalCount(); q.ValueAtPercentile(50) != int64(i+1) {
				t.Errorf("%d samples: the median of quarter %d is %d", samples, i, q.ValueAtPercentile(50))
			}
		}
		if all != int64(samples) {
			t.Errorf("the quarters of %d samples have %d", samples, all)
		}
	}
}
