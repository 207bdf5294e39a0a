package schedule_test

import (
	"reflect"
	"runtime"
	"testing"

	"workman/schedule"
)

const million = 1_000_000

// fill adds n timers from 1 ms on, of which some share their millisecond.
func fill(t testing.TB, w *schedule.Wheel, n int) []schedule.Timer {
	timers := make([]schedule.Timer, n)
	for i := range timers {
		timers[i] = add(t, w, w.Now()+1+int64(i*7919%600_000), uint32(i))
	}
	return timers
}

func TestTimerIsSmallAndPointerFree(t *testing.T) {
	if size := schedule.TimerType.Size(); size > 32 {
		t.Errorf("a timer takes %d bytes", size)
	}
	if schedule.TimerType.NumField() == 0 {
		t.Error("a timer has no fields")
	}
	for i := range schedule.TimerType.NumField() {
		switch field := schedule.TimerType.Field(i); field.Type.Kind() {
		case reflect.Int64, reflect.Uint32:
		default:
			t.Errorf("%s is a %s, which may point", field.Name, field.Type)
		}
	}
}

func TestAMillionTimersInMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	w := schedule.New(0, million)
	for i := range million {
		add(t, w, 1+int64(i*7919%600_000), uint32(i))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := float64(after.HeapAlloc-before.HeapAlloc) / million
	t.Logf("%.1f bytes a timer, %d allocations", each, after.Mallocs-before.Mallocs)
	if each > 40 || each < float64(schedule.TimerType.Size()) {
		t.Errorf("%.1f bytes a timer", each)
	}
	runtime.KeepAlive(w)
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	const held = 10_000
	w := newWheel(t, 0, held)
	timers := fill(t, w, held)
	next := 0
	round := func() {
		// Cancelled, fired, late, leapt over and set back, with each slot freed taken again.
		for range 50 {
			w.Cancel(timers[next%held])
			for w.Len() < held {
				timers[next%held], _ = w.Add(w.Now()+int64(next*7919%600_000)-1000, uint32(next))
				next++
			}
			w.Expire(w.Now() + 5)
			w.Expire(w.Now() + 1)
		}
		w.Rebase(w.Now() - 100)
	}
	for range 200 {
		round()
	}
	if allocated := testing.AllocsPerRun(200, round); allocated != 0 {
		t.Errorf("%v allocations a round", allocated)
	}
}

// A million timers of one millisecond are a backlog that's handed out one by one, in order.
func TestAMillionAtOnce(t *testing.T) {
	const at = 123_456_789
	w := newWheel(t, 0, million)
	for i := range uint32(million) {
		add(t, w, at, i)
	}
	wantNone(t, w, at-1)
	for i := range uint32(million) {
		wantFired(t, w, at, at, i)
	}
	wantNone(t, w, at)
}
