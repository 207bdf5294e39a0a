package schedule_test

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"workman/schedule"
)

// BenchmarkAddCancel is a lease that ends well, with a million others held.
func BenchmarkAddCancel(b *testing.B) {
	w := schedule.New(0, million+1)
	fill(b, w, million)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		timer, _ := w.Add(int64(i*7919%600_000), 1)
		w.Cancel(timer)
	}
}

// BenchmarkReplace is the same where the timer that goes is not the one that came, but anywhere in memory.
func BenchmarkReplace(b *testing.B) {
	w := schedule.New(0, million)
	timers := fill(b, w, million)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		index := i * 7919 % million
		w.Cancel(timers[index])
		timers[index], _ = w.Add(1+int64(i*104729%600_000), 1)
	}
}

// BenchmarkAddExpire fires the earliest of a million and adds another, all cascades included.
func BenchmarkAddExpire(b *testing.B) {
	w := schedule.New(0, million)
	fill(b, w, million)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		at, _ := w.Next()
		for _, _, ok := w.Expire(at); !ok; _, _, ok = w.Expire(at) {
			at, _ = w.Next()
		}
		w.Add(w.Now()+1+int64(i*7919%600_000), 1)
	}
}

// BenchmarkLate is the same when all were overdue when added.
func BenchmarkLate(b *testing.B) {
	const now = 1_000_000
	w := schedule.New(now, million)
	for i := range million {
		add(b, w, int64(i*7919%600_000), uint32(i))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_, at, _ := w.Expire(now)
		w.Add((at+1+int64(i*7919))%600_000, 1)
	}
}

// BenchmarkCascade is the longest pause there is: an Expire that meets a million timers in one slot, whether spread over
// it, of one millisecond, or of one millisecond that a leap reaches through six levels at once.
func BenchmarkCascade(b *testing.B) {
	const minutes, years = 64 * 64 * 64, 1 << 36 // where slots begin on levels 3 and 6
	for _, c := range []struct {
		name   string
		at     int64
		spread int
	}{{"Spread", minutes, minutes}, {"OneMillisecond", minutes, 1}, {"Leap", years + years - 1, 1}} {
		b.Run(c.name, func(b *testing.B) {
			w := schedule.New(0, million)
			for i := range million {
				add(b, w, c.at+int64(i*7919%c.spread), uint32(i))
			}
			for b.Loop() {
				if _, at, ok := w.Expire(c.at); !ok || at != c.at {
					b.Fatal(at, ok)
				}
				b.StopTimer()
				w.Rebase(0)
				add(b, w, c.at, 0)
				b.StartTimer()
			}
		})
	}
}

func BenchmarkNext(b *testing.B) {
	for _, c := range []struct {
		name string
		at   int64
	}{{"Near", 5}, {"Far", year275760}} {
		b.Run(c.name, func(b *testing.B) {
			w := schedule.New(0, 1)
			add(b, w, c.at, 1)
			for b.Loop() {
				w.Next()
			}
		})
	}
}

// BenchmarkCollect is a garbage collection with nothing held, a million timers here, and a million of the runtime's.
func BenchmarkCollect(b *testing.B) {
	b.Run("Nothing", collect)
	b.Run("Wheel", func(b *testing.B) {
		w := schedule.New(0, million)
		for i := range million {
			add(b, w, 1+int64(i), uint32(i))
		}
		collect(b)
		runtime.KeepAlive(w)
	})
	b.Run("AfterFunc", func(b *testing.B) {
		timers := make([]*time.Timer, million)
		for i := range timers {
			timers[i] = time.AfterFunc(time.Hour, func() {})
		}
		collect(b)
		for _, timer := range timers {
			timer.Stop()
		}
	})
}

func collect(b *testing.B) {
	runtime.GC()
	var before, after debug.GCStats
	debug.ReadGCStats(&before)
	for b.Loop() {
		runtime.GC()
	}
	debug.ReadGCStats(&after)
	pauses := after.PauseTotal - before.PauseTotal
	b.ReportMetric(float64(pauses.Nanoseconds())/float64(after.NumGC-before.NumGC), "ns-pause/op")
}
