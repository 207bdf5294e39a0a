package schedule_test

import (
	"testing"

	"workman/schedule"
)

func TestStaleHandles(t *testing.T) {
	w := newWheel(t, 0, 10)
	fired := add(t, w, 1, 1)
	wantFired(t, w, 1, 1, 1)
	cancelled := add(t, w, 5, 2)
	if !w.Cancel(cancelled) || w.Cancel(cancelled) {
		t.Fatal("Cancel works once")
	}
	add(t, w, 6, 3)
	if w.Slots() != 1 {
		t.Fatalf("%d slots; want the same one thrice", w.Slots())
	}
	if w.Cancel(fired) || w.Cancel(cancelled) {
		t.Fatal("a stale handle cancelled its successor")
	}
	wantFired(t, w, 6, 6, 3)
}

func TestForgedHandles(t *testing.T) {
	w := newWheel(t, 0, 10)
	free := add(t, w, 5, 1)
	held := add(t, w, 5, 2)
	w.Cancel(free)
	const generation = schedule.Timer(1) << 32
	forged := []schedule.Timer{
		0, ^schedule.Timer(0), 1, 2, 3, generation, // no slot, or no generation
		free, free + generation, free + 2*generation, // of a slot that's free
		held - generation, held + generation, held + 2, held + schedule.PageSize,
	}
	for _, timer := range forged {
		if w.Cancel(timer) {
			t.Errorf("Cancel(%x)", timer)
		}
	}
	if w.Len() != 1 || !w.Cancel(held) {
		t.Fatalf("Len %d: the real one has gone", w.Len())
	}
}

// One past the last slot is beyond the last page too, where there's nothing to look at.
func TestForgedHandlePastThePage(t *testing.T) {
	w := newWheel(t, 0, schedule.PageSize)
	last := schedule.Timer(0)
	for range schedule.PageSize {
		last = add(t, w, 5, 1)
	}
	if w.Cancel(last+1) || !w.Cancel(last) {
		t.Fatal("Cancel at the end of a page")
	}
}

func TestASpentSlotIsRetired(t *testing.T) {
	w := newWheel(t, 0, 10)
	first := add(t, w, 1, 1)
	w.Cancel(first)
	w.Exhaust()
	last := add(t, w, 1, 2)
	if uint32(last) != uint32(first) || !w.Cancel(last) || w.Cancel(last) {
		t.Fatalf("%x: the last of its slot is like any other", last)
	}
	// One more in the same slot would have the first generation again, and the first handle fit it.
	successor := add(t, w, 1, 3)
	if uint32(successor) == uint32(first) || w.Cancel(first) || w.Cancel(last) {
		t.Fatalf("%x: the slot is used again", successor)
	}
	wantFired(t, w, 1, 1, 3)
}

func TestLimit(t *testing.T) {
	for _, limit := range []int{-1, 0} {
		if timer, ok := newWheel(t, 0, limit).Add(1, 1); ok || timer != 0 {
			t.Fatalf("limit %d: Add gave %x", limit, timer)
		}
	}
	w := newWheel(t, 10, 3)
	add(t, w, 5, 1) // late ones count too
	second := add(t, w, 20, 2)
	add(t, w, 20, 3)
	for _, at := range []int64{5, 20} {
		if timer, ok := w.Add(at, 4); ok || timer != 0 || w.Len() != 3 {
			t.Fatalf("Add beyond the limit: %x, Len %d", timer, w.Len())
		}
	}
	wantFired(t, w, 10, 5, 1)
	add(t, w, 20, 5)
	w.Cancel(second)
	add(t, w, 20, 6)
	if _, ok := w.Add(20, 7); ok {
		t.Fatal("Add beyond the limit")
	}
	for _, want := range []uint32{3, 5, 6} {
		wantFired(t, w, 20, 20, want)
	}
}

func TestReferencesSpent(t *testing.T) {
	w := newWheel(t, 0, 10)
	undo := w.SpendReferences()
	if timer, ok := w.Add(1, 1); ok || w.Len() != 0 {
		t.Fatalf("Add with no references left: %x", timer)
	}
	undo()
	add(t, w, 1, 1)
}

func TestSlotsAreReused(t *testing.T) {
	const held = 3*schedule.PageSize + 1
	w := newWheel(t, 0, held)
	seen := make(map[schedule.Timer]bool, 4*held)
	for round := range int64(4) {
		timers := make([]schedule.Timer, held)
		for i := range timers {
			timers[i] = add(t, w, round*1000+int64(i%700), uint32(i))
			if seen[timers[i]] {
				t.Fatalf("handle %x twice", timers[i])
			}
			seen[timers[i]] = true
		}
		for i := 0; i < held; i += 2 {
			if !w.Cancel(timers[i]) {
				t.Fatalf("Cancel(%x)", timers[i])
			}
		}
		for w.Len() > 0 {
			if _, _, ok := w.Expire(round*1000 + 999); !ok {
				t.Fatalf("%d timers left", w.Len())
			}
		}
	}
	if w.Slots() != held {
		t.Fatalf("%d slots for %d timers", w.Slots(), held)
	}
}
