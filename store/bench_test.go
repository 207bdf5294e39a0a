package store_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"workman/store"
)

// Benchmarks of synced commits on the disk that TMPDIR is on. With -benchtime 60s they tell what the slowest second was.
//
//	go test ./store -run - -bench 'Submit|Life' -benchtime 10s

// load keeps a number of batches in flight, from one goroutine, and counts what becomes durable.
type load struct {
	b        *testing.B
	store    *store.Store
	told     chan uint64
	inFlight int
	began    []time.Time // of batch n, at n modulo the length
	latency  *hdrhistogram.Histogram
	seconds  []int
}

func (l *load) run(fill func(*store.Batch)) {
	var batch store.Batch
	var appended, done uint64
	next := time.Now().Add(time.Second)
	count := 0
	for l.b.Loop() {
		for appended-done >= uint64(l.inFlight) {
			done = l.receive(done, &count)
		}
		select {
		case n := <-l.told:
			done = l.account(n, done, &count)
		default:
		}
		if now := time.Now(); now.After(next) {
			l.seconds = append(l.seconds, count)
			count, next = 0, next.Add(time.Second)
		}
		batch.Reset()
		fill(&batch)
		l.began[appended%uint64(len(l.began))] = time.Now()
		n, err := l.store.Append(&batch)
		if err != nil {
			l.b.Fatal(err)
		}
		appended = n
	}
	for done < appended {
		done = l.receive(done, &count)
	}
}

func (l *load) receive(done uint64, count *int) uint64 { return l.account(<-l.told, done, count) }

func (l *load) account(n, done uint64, count *int) uint64 {
	now := time.Now()
	for ; done < n; done++ {
		l.latency.RecordValue(now.Sub(l.began[done%uint64(len(l.began))]).Microseconds())
		*count++
	}
	return done
}

func (l *load) report() {
	b := l.b
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "batches/s")
	b.ReportMetric(float64(l.latency.ValueAtQuantile(50))/1000, "p50-ms")
	b.ReportMetric(float64(l.latency.ValueAtQuantile(99))/1000, "p99-ms")
	b.ReportMetric(float64(l.latency.Max())/1000, "max-ms")
	if len(l.seconds) > 2 {
		slices.Sort(l.seconds)
		b.ReportMetric(float64(l.seconds[0]), "slowest-second")
		b.ReportMetric(float64(l.seconds[len(l.seconds)/2]), "median-second")
	}
}

func newLoad(b *testing.B, inFlight int) *load {
	l := &load{b: b, told: make(chan uint64, 1<<16), inFlight: inFlight, began: make([]time.Time, 4*inFlight),
		latency: hdrhistogram.New(1, 60_000_000, 3)}
	cfg := store.DefaultConfig()
	cfg.Told = func(n uint64, err error) {
		if err != nil {
			b.Error(err)
		}
		l.told <- n
	}
	s, err := store.Open(b.TempDir(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	l.store = s
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return l
}

// ids are like UUIDv7: they ascend.
func id(n uint64) []byte {
	key := binary.BigEndian.AppendUint64(nil, n<<16)
	return binary.BigEndian.AppendUint64(key, rand.Uint64())
}

var inFlights = []int{1, 8, 64, 512}

// BenchmarkSubmit makes runs of 150 bytes durable, with a key of their state.
func BenchmarkSubmit(b *testing.B) {
	for _, inFlight := range inFlights {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
			l := newLoad(b, inFlight)
			n, body := uint64(0), make([]byte, 150)
			l.run(func(batch *store.Batch) {
				n++
				run := id(n)
				batch.Put(runs, run, body)
				batch.Put(states, append([]byte("p/resize/"), run...), nil)
			})
			l.report()
		})
	}
}

// BenchmarkLife submits runs and finishes them a little later, which is twice as many batches.
func BenchmarkLife(b *testing.B) {
	const later = 1000
	l := newLoad(b, 512)
	n, body, result := uint64(0), make([]byte, 150), make([]byte, 30)
	var open [later][]byte
	finish := false
	l.run(func(batch *store.Batch) {
		defer func() { finish = !finish }()
		if old := open[n%later]; finish && old != nil {
			batch.Put(outcomes, old, result)
			batch.Delete(states, append([]byte("p/resize/"), old...))
			batch.Put(states, append([]byte("s/resize/"), old...), nil)
			open[n%later] = nil
			return
		}
		n++
		run := id(n)
		open[n%later] = run
		batch.Put(runs, run, body)
		batch.Put(states, append([]byte("p/resize/"), run...), nil)
	})
	l.report()
}
