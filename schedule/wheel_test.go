package schedule_test

import (
	"math"
	"testing"

	"workman/schedule"
)

// year275760 is the last moment of a JavaScript Date, in milliseconds.
const year275760 = 8_640_000_000_000_000

// newWheel makes a wheel whose whole state is looked over when the test ends.
func newWheel(t testing.TB, now int64, limit int) *schedule.Wheel {
	w := schedule.New(now, limit)
	t.Cleanup(func() {
		if err := w.Check(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func add(t testing.TB, w *schedule.Wheel, at int64, value uint32) schedule.Timer {
	t.Helper()
	timer, ok := w.Add(at, value)
	if !ok || timer == 0 {
		t.Fatalf("Add(%d, %d): %x, %v", at, value, timer, ok)
	}
	return timer
}

func wantFired(t testing.TB, w *schedule.Wheel, now, wantAt int64, want uint32) {
	t.Helper()
	if value, at, ok := w.Expire(now); !ok || at != wantAt || value != want {
		t.Fatalf("Expire(%d): %d of %d, %v; want %d of %d", now, value, at, ok, want, wantAt)
	}
}

func wantNone(t testing.TB, w *schedule.Wheel, now int64) {
	t.Helper()
	if value, at, ok := w.Expire(now); ok {
		t.Fatalf("Expire(%d): %d of %d; want none", now, value, at)
	}
}

func TestOneMillisecondKeepsItsOrderOverCascades(t *testing.T) {
	const at = 5_000_000
	w := newWheel(t, 0, 1000)
	value := uint32(0)
	// Each moment puts the newcomers on another level, while those before them cascade.
	for _, now := range []int64{0, 4_000_000, 4_990_000, 4_999_800, 4_999_990, at - 1, at} {
		wantNone(t, w, now-1)
		for range 3 {
			value++
			add(t, w, at, value)
		}
	}
	for want := uint32(1); want <= value; want++ {
		wantFired(t, w, at+1000, at, want)
	}
	wantNone(t, w, at+1000)
}

func TestNeverEarlyNeverLate(t *testing.T) {
	for _, start := range []int64{0, 1, 63, 64, 4095, 4096, 1_795_000_000_000} {
		for depth := range 10 {
			span := int64(1) << (6 * depth)
			for _, delta := range []int64{span - 1, span, span + 1} {
				w := newWheel(t, start, 1)
				add(t, w, start+delta, 7)
				if delta > 0 {
					wantNone(t, w, start+delta-1)
				}
				wantFired(t, w, start+delta, start+delta, 7)
				wantNone(t, w, start+delta)
			}
		}
	}
}

func TestOverdueIsDueAtOnceInOrder(t *testing.T) {
	w := newWheel(t, 1000, 10)
	add(t, w, 1001, 6)
	add(t, w, 1000, 4)
	add(t, w, 500, 2)
	add(t, w, 1000, 5)
	add(t, w, 500, 3)
	add(t, w, math.MinInt64, 1)
	if next, ok := w.Next(); !ok || next != 1000 {
		t.Fatalf("Next %d, %v; want the wheel's time", next, ok)
	}
	wantNone(t, w, 999)
	wantFired(t, w, 1000, math.MinInt64, 1)
	wantFired(t, w, 1000, 500, 2)
	wantFired(t, w, 1000, 500, 3)
	wantFired(t, w, 1000, 1000, 4)
	wantFired(t, w, 1000, 1000, 5)
	wantNone(t, w, 1000)
	wantFired(t, w, 1001, 1001, 6)
}

func TestAddAndCancelBetweenExpires(t *testing.T) {
	w := newWheel(t, 0, 10)
	add(t, w, 10, 1)
	add(t, w, 20, 3)
	cancelled := add(t, w, 20, 4)
	add(t, w, 100, 6)
	wantFired(t, w, 1000, 10, 1)
	if w.Now() != 10 {
		t.Fatalf("Now %d in the midst of expiring; want 10", w.Now())
	}
	add(t, w, 15, 2) // before what's due already
	add(t, w, 20, 5)
	if !w.Cancel(cancelled) {
		t.Fatal("Cancel of a due timer")
	}
	wantFired(t, w, 1000, 15, 2)
	wantFired(t, w, 1000, 20, 3)
	wantFired(t, w, 1000, 20, 5)
	wantFired(t, w, 1000, 100, 6)
	wantNone(t, w, 1000)
	if w.Now() != 1000 || w.Len() != 0 {
		t.Fatalf("Now %d, Len %d; want 1000 and 0", w.Now(), w.Len())
	}
}

func TestFarFutures(t *testing.T) {
	w := newWheel(t, 1_795_000_000_000, 10)
	add(t, w, math.MaxInt64, 4)
	add(t, w, math.MaxInt64-1, 3)
	add(t, w, year275760, 1)
	add(t, w, year275760, 2)
	wakes := 0
	for at, ok := w.Next(); ok && w.Len() == 4; at, ok = w.Next() {
		w.Expire(at)
		wakes++
	}
	if wakes > schedule.LevelCount {
		t.Fatalf("woken %d times for one timer", wakes)
	}
	wantNone(t, w, year275760-1) // a time that's past changes nothing
	wantFired(t, w, year275760, year275760, 2)
	wantNone(t, w, math.MaxInt64-2)
	wantFired(t, w, math.MaxInt64, math.MaxInt64-1, 3)
	wantFired(t, w, math.MaxInt64, math.MaxInt64, 4)
	wantNone(t, w, math.MaxInt64)
	add(t, w, math.MaxInt64, 5) // at the end of time, now is still due
	wantFired(t, w, math.MaxInt64, math.MaxInt64, 5)
}

func TestNegativeTimesCountAsZero(t *testing.T) {
	w := newWheel(t, math.MinInt64, 10)
	if w.Now() != 0 {
		t.Fatalf("Now %d; want 0", w.Now())
	}
	add(t, w, 0, 1)
	wantNone(t, w, -1)
	wantFired(t, w, 0, 0, 1)
	wantNone(t, w, 100)
	add(t, w, 50, 3)
	add(t, w, -5, 2)
	w.Rebase(-1)
	if w.Now() != 0 {
		t.Fatalf("Now %d; want 0", w.Now())
	}
	wantFired(t, w, 0, -5, 2)
	wantNone(t, w, 49)
	wantFired(t, w, 50, 50, 3)
}

func TestRebase(t *testing.T) {
	const start = 1_795_000_000_000
	const hour = 3_600_000
	w := newWheel(t, start, 100)
	for i := range uint32(5) { // on five levels, and twice each
		add(t, w, start+1<<(6*i), 10+2*i)
		add(t, w, start+1<<(6*i), 11+2*i)
	}
	add(t, w, start, 5)
	add(t, w, start-1, 4)
	add(t, w, start-hour, 2)
	add(t, w, start-hour-1, 1)
	add(t, w, start-hour, 3)
	w.Rebase(start + 1)
	if w.Now() != start {
		t.Fatal("Rebase is not for leaps forward")
	}
	w.Rebase(start - hour)
	if w.Now() != start-hour || w.Late() != 1 {
		t.Fatalf("Now %d, %d late; want %d and 1", w.Now(), w.Late(), int64(start-hour))
	}
	wantFired(t, w, start-hour, start-hour-1, 1)
	wantFired(t, w, start-hour, start-hour, 2)
	wantFired(t, w, start-hour, start-hour, 3)
	wantNone(t, w, start-2)
	wantFired(t, w, start-1, start-1, 4)
	wantFired(t, w, start, start, 5)
	for i := range uint32(5) {
		at := int64(start + 1<<(6*i))
		wantNone(t, w, at-1)
		wantFired(t, w, at, at, 10+2*i)
		wantFired(t, w, at, at, 11+2*i)
	}
}

func TestRebaseFromTheEndOfTimeToTheBeginning(t *testing.T) {
	const end = 6 << 60 // all digits zero but the first
	w := newWheel(t, end, 100)
	for i := range uint32(schedule.LevelCount) { // one on each level
		add(t, w, end+1<<(6*i), i)
	}
	w.Rebase(1)
	if err := w.Check(); err != nil {
		t.Fatal(err)
	}
	for i := range uint32(schedule.LevelCount) {
		at := int64(end + 1<<(6*i))
		wantNone(t, w, at-1)
		wantFired(t, w, at, at, i)
	}
}
