package callback_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"workman/callback"
)

// TestQueue does anything in any order: a run is in one place or forgotten, bounds hold, and nobody is parked for ever.
func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 20).Draw(t, "most")
		q := callback.NewQueue(most, rapid.IntRange(1, 3).Draw(t, "perHost"))
		now := time.Unix(0, 0)
		host := func(run [16]byte) string { return fmt.Sprint(run[15] % 3) }
		t.Repeat(map[string]func(t *rapid.T){
			"add": func(t *rapid.T) {
				if q.Add(id(rapid.IntRange(1, 40).Draw(t, "run"))) {
					t.Fatal("it was not taken, and is not missed")
				}
			},
			"pop": func(*rapid.T) { q.Pop(host) },
			"end": func(t *rapid.T) {
				if q.Working() == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, q.Working()-1).Draw(t, "worker")
				var due time.Time
				if rapid.Bool().Draw(t, "again") {
					due = now.Add(time.Duration(rapid.IntRange(1, 9).Draw(t, "delay")))
				}
				q.End(i, due)
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "time")))
				q.Wake(now)
			},
			"": func(t *rapid.T) {
				if err := q.Check(); err != nil {
					t.Fatal(err)
				}
			},
		})
		for q.Wake(now.Add(10)); q.Pop(host) || q.Working() > 0; { // let all of it end
			if q.Working() > 0 {
				q.End(0, time.Time{})
			}
		}
		if err := q.Check(); err != nil || !q.Idle() {
			t.Fatalf("%v; idle: %v", err, q.Idle())
		}
	})
}
