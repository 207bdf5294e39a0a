package prove

import (
	"context"
	"math/rand/v2"
	"time"
)

// plan is when to do harm. The same seed makes the same plan; what a kill hits is up to the processes.
type plan struct {
	rand *rand.Rand
	mean time.Duration // between kills
}

// Parts of a Run that have random numbers of their own, so that one does not disturb another.
const (
	partKills    uint64 = 0
	partVisitor  uint64 = 100
	partProducer uint64 = 200
	partWorker   uint64 = 300
	partCuts     uint64 = 400
	partAudit    uint64 = 500
	partRules    uint64 = 600
)

func newRand(seed, part uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, part)) }

func newPlan(c Config) *plan {
	return &plan{rand: newRand(c.Seed, partKills), mean: c.mean()}
}

// life is how long the next server may live: from when it is ready, or, one time in eight, a moment from the start of its
// process, so that recoveries are interrupted too.
func (p *plan) life() (after time.Duration, fromReady bool) {
	if p.rand.IntN(8) == 0 {
		return time.Duration(p.rand.Int64N(int64(50 * time.Millisecond))), false
	}
	return time.Duration(p.rand.Int64N(int64(2 * p.mean))), true
}

// aim waits, every other time, until a request is sent, and then up to 2 ms: a commit is under way then.
func (p *plan) aim(ctx context.Context, begun <-chan struct{}) {
	if p.rand.IntN(2) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second) // nothing is sent if the server answers nothing
	defer cancel()
	select {
	case <-begun:
		sleep(ctx, time.Duration(p.rand.Int64N(int64(2*time.Millisecond))))
	case <-ctx.Done():
	}
}
