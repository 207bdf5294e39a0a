package prove

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// maxTime is the longest that is told apart; what is longer counts as that.
const maxTime = time.Hour

// histogram keeps durations in microseconds, to three digits.
type histogram struct{ *hdrhistogram.Histogram }

func newHistogram() histogram {
	return histogram{hdrhistogram.New(1, maxTime.Microseconds(), 3)}
}

func (h histogram) record(d time.Duration) {
	us := max(min(d, maxTime).Microseconds(), 1)
	h.RecordValue(us) //nolint:errcheck // it is within the range
}

// times is how long things took.
type times struct {
	ack       histogram // from a request to its promise
	late      histogram // from a schedule's time to its worker
	lateCrash histogram // the same, if the server was dead or just back in between
	recovery  histogram // from the start of a process until it is ready
}

func newTimes() times {
	return times{newHistogram(), newHistogram(), newHistogram(), newHistogram()}
}

// Times sums up some durations.
type Times struct {
	Count         int64
	P50, P99, Max time.Duration
}

func (h histogram) sum() Times {
	at := func(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
	return Times{Count: h.TotalCount(), P50: at(h.ValueAtQuantile(50)), P99: at(h.ValueAtQuantile(99)), Max: at(h.Max())}
}
