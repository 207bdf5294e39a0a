package dispatch_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"workman/dispatch"
)

// ways are what a seed makes of a world of runs.
type ways struct {
	cfg     dispatch.Config
	tasks   []string
	ends    int // connections at most
	batch   int // steps to one batch, at most
	page    int // rows of an answer, at most
	leaps   bool
	fails   bool // the store may fail, and loads may
	crashes bool
	plain   bool // little else than runs at once, so that lines get long
	mood    [workKinds]int
}

func newWays(rng *rand.Rand) *ways {
	y := &ways{
		cfg: dispatch.DefaultConfig(), ends: 2 + rng.IntN(8), batch: []int{1, 1, 3, 12}[rng.IntN(4)],
		page: []int{1, 2, 3, 7, 256}[rng.IntN(5)], leaps: rng.IntN(3) == 0, fails: rng.IntN(4) == 0, crashes: rng.IntN(3) > 0,
		plain: rng.IntN(3) == 0,
	}
	for i := range 1 + rng.IntN(4) {
		y.tasks = append(y.tasks, fmt.Sprint("task", i))
	}
	if rng.IntN(4) == 0 {
		y.tasks = append(y.tasks, "fifteen letters", "\x00", "a")
	}
	y.cfg.Grace = []int64{0, 1, 5000, 5000, 20_000}[rng.IntN(5)]
	y.cfg.Durable, y.cfg.Next = true, simNext
	y.cfg.MaxBytes = 64 << 20
	y.cfg.Losses = 1 + rng.IntN(5)
	y.cfg.Usual = dispatch.Policy{
		Attempts: 1 + rng.IntN(4), Backoff: rng.Int64N(3000), BackoffMax: rng.Int64N(100_000), Keep: rng.Int64N(200_000), KeepDead: 300_000,
	}
	if rng.IntN(6) > 0 {
		y.tighten(rng)
	}
	y.turn(rng)
	return y
}

// tighten makes bounds so small that they are met.
func (y *ways) tighten(rng *rand.Rand) {
	y.cfg.Window, y.cfg.Near = 1+rng.IntN(8), 1+rng.IntN(8)
	for _, b := range []struct {
		bound *int
		most  int
	}{
		{&y.cfg.MaxTasks, 30}, {&y.cfg.MaxRuns, 20}, {&y.cfg.ConnTasks, 12}, {&y.cfg.FirePerStep, 4}, {&y.cfg.WorkerCredit, 5}, {&y.cfg.Burst, 500}, {&y.cfg.Leases, 2}, {&y.cfg.LeaseNames, 4},
	} {
		if rng.IntN(5) == 0 {
			*b.bound = 2 + rng.IntN(b.most)
		}
	}
	if rng.IntN(6) == 0 {
		y.cfg.MaxUnsafe = 1 << (8 + rng.IntN(6))
	}
	if rng.IntN(6) == 0 {
		y.cfg.KeepBytes = 1 << (8 + rng.IntN(5))
	}
	if rng.IntN(10) == 0 {
		y.cfg.MaxBytes = 1 << (18 + rng.IntN(3))
	}
}

// turn changes the mood.
func (y *ways) turn(rng *rand.Rand) {
	for i := range y.mood {
		y.mood[i] = work[i].weight * (1 + rng.IntN(8))
		if rng.IntN(8) == 0 {
			y.mood[i] = 0
		}
	}
}

func (y *ways) pick(rng *rand.Rand) int {
	sum := 0
	for _, m := range y.mood {
		sum += m
	}
	n := rng.IntN(max(sum, 1))
	for i, m := range y.mood {
		if n -= m; n < 0 {
			return i
		}
	}
	return 0
}

func (k *kept) task() []byte { return []byte(k.tasks[k.rng.IntN(len(k.tasks))]) }

// newBody is JSON that no other has.
func (k *kept) newBody() []byte {
	k.counter++
	return fmt.Appendf(nil, `{"n":%d}%s`, k.counter, strings.Repeat(" ", k.rng.IntN(1<<k.rng.IntN(10))))
}

// someTerms are what a request may say of its run.
func (k *kept) someTerms() *dispatch.Terms {
	t, r := dispatch.NewTerms(), k.rng
	t.Promise = true
	t.Reply = dispatch.Reply(r.IntN(2))
	if t.Reply == dispatch.ReplyResult && r.IntN(2) == 0 {
		t.Wait = 1 + r.Int64N(20_000)
	}
	if k.plain {
		return &t
	}
	some := func(v *int64, most int64) {
		if r.IntN(6) == 0 {
			*v = r.Int64N(most)
		}
	}
	if r.IntN(3) == 0 {
		t.Priority = r.IntN(10)
	}
	if r.IntN(6) == 0 {
		t.Attempts = 1 + r.IntN(3)
	}
	t.Staffed = r.IntN(12) == 0
	some(&t.Backoff, 10_000)
	some(&t.BackoffMax, 100_000)
	some(&t.Timeout, 20_000)
	some(&t.TTL, 1<<(10+r.IntN(10)))
	some(&t.Keep, 500_000)
	if some(&t.Deadline, 1<<(10+r.IntN(12))); t.Deadline > 0 {
		t.Deadline += k.now.Wall
	}
	if r.IntN(6) == 0 {
		t.Traceparent = []byte("00-trace")
	}
	if r.IntN(6) == 0 {
		t.Callback = []byte("http://example.com/")
	}
	if r.IntN(6) == 0 {
		t.Labels = []byte("team:blue\n")
	}
	return &t
}

// later is a time to schedule something for.
func (k *kept) later() int64 {
	switch r := k.rng; r.IntN(8) {
	case 0:
		return k.now.Wall - r.Int64N(100_000)
	case 1:
		return k.now.Wall + r.Int64N(10*24*3600*1000)
	case 2, 3, 4: // many at the same time
		return k.now.Wall/10_000*10_000 + 10_000
	case 5:
		return k.now.Wall + 1<<r.IntN(24)
	default:
		return k.now.Wall + r.Int64N(90_000)
	}
}
