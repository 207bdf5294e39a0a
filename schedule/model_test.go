package schedule_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"workman/schedule"
)

// model is the wheel as anyone would first write it: a list sorted by (at, order of Add). Each of its steps does the
// same to both and compares all that can be seen.
type model struct {
	wheel *schedule.Wheel
	now   int64
	limit int
	list  []waiting
	gone  []schedule.Timer
	value uint32
}

type waiting struct {
	at    int64
	value uint32
	timer schedule.Timer
}

// TestWheelIsASortedList does anything in any order. A hundred checks are rapid's measure for slower things.
func TestWheelIsASortedList(t *testing.T) {
	for range 20 {
		checkAgainstList(t)
	}
}

func checkAgainstList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := moment(0).Draw(t, "start")
		limit := rapid.SampledFrom([]int{0, 3, 1000}).Draw(t, "limit")
		m := &model{wheel: schedule.New(start, limit), now: max(start, 0), limit: limit}
		t.Repeat(map[string]func(*rapid.T){
			"":           m.check,
			"add":        m.add,
			"addTwin":    m.addTwin,
			"cancel":     m.cancel,
			"cancelGone": m.cancelGone,
			"expire":     m.expire,
			"expireSome": m.expireSome,
			"expireAt":   m.expireAtDeadline,
			"early":      m.expireEarly,
			"sleep":      m.sleep,
			"rebase":     m.rebase,
		})
		m.drain(t, math.MaxInt64)
		if m.wheel.Len() != 0 {
			t.Fatalf("%d timers never fired", m.wheel.Len())
		}
	})
}

// moment draws times that make trouble: near, so that many are equal; beside a digit's turn on any level; far; never.
func moment(now int64) *rapid.Generator[int64] {
	edge := rapid.Custom(func(t *rapid.T) int64 {
		span := int64(1) << (6 * rapid.IntRange(1, 10).Draw(t, "level"))
		return now/span*span + span*rapid.Int64Range(0, 2).Draw(t, "spans") + rapid.Int64Range(-1, 1).Draw(t, "off")
	})
	near := rapid.Custom(func(t *rapid.T) int64 {
		return now + min(rapid.Int64Range(-70, 300).Draw(t, "delta"), math.MaxInt64-now)
	})
	far := rapid.Custom(func(t *rapid.T) int64 {
		return now + rapid.Int64Range(0, math.MaxInt64-now).Draw(t, "delta")>>rapid.IntRange(0, 60).Draw(t, "shift")
	})
	absurd := rapid.SampledFrom([]int64{math.MinInt64, -1, 0, 8_640_000_000_000_000, math.MaxInt64 - 1, math.MaxInt64})
	return rapid.OneOf(near, near, near, edge, far, rapid.Map(absurd, func(at int64) int64 { return at }))
}

// later draws a time not before the model's.
func (m *model) later(t *rapid.T) int64 {
	return max(m.now, moment(m.now).Filter(func(at int64) bool { return at != math.MaxInt64 }).Draw(t, "now"))
}

func (m *model) add(t *rapid.T) { m.insert(t, moment(m.now).Draw(t, "at")) }

// addTwin adds one more of a deadline that's there: its place is after the others.
func (m *model) addTwin(t *rapid.T) {
	if len(m.list) == 0 {
		t.Skip("no timers")
	}
	m.insert(t, rapid.SampledFrom(m.list).Draw(t, "twin").at)
}

func (m *model) insert(t *rapid.T, at int64) {
	m.value++
	timer, ok := m.wheel.Add(at, m.value)
	if ok != (len(m.list) < m.limit) || ok != (timer != 0) {
		t.Fatalf("Add with %d of %d: %x, %v", len(m.list), m.limit, timer, ok)
	}
	if !ok {
		return
	}
	index, _ := slices.BinarySearchFunc(m.list, at, func(e waiting, at int64) int {
		if e.at <= at {
			return -1
		}
		return 1
	})
	m.list = slices.Insert(m.list, index, waiting{at, m.value, timer})
}

func (m *model) cancel(t *rapid.T) {
	if len(m.list) == 0 {
		t.Skip("no timers")
	}
	index := rapid.IntRange(0, len(m.list)-1).Draw(t, "index")
	if !m.wheel.Cancel(m.list[index].timer) {
		t.Fatalf("Cancel of a waiting timer, at %d", m.list[index].at)
	}
	m.gone = append(m.gone, m.list[index].timer)
	m.list = slices.Delete(m.list, index, index+1)
}

func (m *model) cancelGone(t *rapid.T) {
	if len(m.gone) == 0 {
		t.Skip("none gone")
	}
	if timer := rapid.SampledFrom(m.gone).Draw(t, "timer"); m.wheel.Cancel(timer) {
		t.Fatalf("Cancel of %x, which had gone", timer)
	}
}

func (m *model) expire(t *rapid.T) { m.drain(t, m.later(t)) }

// expireSome stops in the midst of what's due, so that the next step happens there.
func (m *model) expireSome(t *rapid.T) {
	now := m.later(t)
	for range rapid.IntRange(1, 5).Draw(t, "count") {
		if !m.expireOne(t, now) {
			return
		}
	}
}

// expireAtDeadline looks at the millisecond before a deadline and at the deadline, where mistakes by one show.
func (m *model) expireAtDeadline(t *rapid.T) {
	if len(m.list) == 0 {
		t.Skip("no timers")
	}
	at := rapid.SampledFrom(m.list).Draw(t, "deadline").at
	if at == math.MaxInt64 || at <= m.now {
		t.Skip("the end of time, or past")
	}
	m.drain(t, at-1)
	m.drain(t, at)
}

func (m *model) expireEarly(t *rapid.T) {
	if m.now == 0 {
		t.Skip("the beginning of time")
	}
	before := rapid.OneOf(rapid.Just(m.now-1), rapid.Just(int64(-1)), rapid.Int64Range(0, m.now-1)).Draw(t, "before")
	if value, at, ok := m.wheel.Expire(before); ok {
		t.Fatalf("Expire(%d) at %d: fired %d of %d", before, m.now, value, at)
	}
}

// sleep is an owner that calls Expire at Next and at no other time.
func (m *model) sleep(t *rapid.T) {
	for range rapid.IntRange(1, 10).Draw(t, "firings") {
		idle := 0
		for {
			before, ok := m.wheel.Next()
			if !ok {
				return
			}
			if m.expireOne(t, before) {
				break
			}
			after, ok := m.wheel.Next()
			if !ok || after <= before {
				t.Fatalf("no progress: Next %d, then %d, %v", before, after, ok)
			}
			if idle++; idle >= schedule.LevelCount {
				t.Fatalf("woken %d times for nothing", idle)
			}
		}
	}
}

func (m *model) rebase(t *rapid.T) {
	now := moment(m.now).Draw(t, "now")
	m.wheel.Rebase(now)
	m.now = min(m.now, max(now, 0))
}

func (m *model) drain(t *rapid.T, now int64) {
	for m.expireOne(t, now) {
	}
}

func (m *model) expireOne(t *rapid.T, now int64) bool {
	value, at, ok := m.wheel.Expire(now)
	due := len(m.list) > 0 && m.list[0].at <= now
	if ok != due {
		t.Fatalf("Expire(%d) at %d: %v, %d of %d", now, m.now, ok, value, at)
	}
	if !ok {
		m.now = now
		return false
	}
	first := m.list[0]
	if value != first.value || at != first.at {
		t.Fatalf("Expire(%d) at %d: fired %d of %d, not %d of %d", now, m.now, value, at, first.value, first.at)
	}
	m.now = max(m.now, at)
	m.gone = append(m.gone, first.timer)
	m.list = slices.Delete(m.list, 0, 1)
	return true
}

// check compares what can be seen without a change, and the whole state with its own rules.
func (m *model) check(t *rapid.T) {
	if m.wheel.Now() != m.now || m.wheel.Len() != len(m.list) {
		t.Fatalf("Now %d, not %d; Len %d, not %d", m.wheel.Now(), m.now, m.wheel.Len(), len(m.list))
	}
	next, ok := m.wheel.Next()
	if ok != (len(m.list) > 0) {
		t.Fatalf("Next says %v with %d timers", ok, len(m.list))
	}
	if ok && (next < m.now || next > max(m.now, m.list[0].at)) {
		t.Fatalf("Next %d at %d, deadline %d", next, m.now, m.list[0].at)
	}
	if err := m.wheel.Check(); err != nil {
		t.Fatal(err)
	}
}
