package prove

import (
	"context"
	"math/rand/v2"
	"time"
)

// Back-off of clients that cannot reach the server: doubling, with full jitter. It is short, since the server is killed
// every second.
const (
	firstBackoff = 10 * time.Millisecond
	maxBackoff   = 200 * time.Millisecond
)

// backoff is how long to wait before the next try.
type backoff struct {
	rand *rand.Rand
	next time.Duration
}

// wait waits before another try. It returns false if the context ended.
func (b *backoff) wait(ctx context.Context) bool {
	b.next = min(max(2*b.next, firstBackoff), maxBackoff)
	return sleep(ctx, time.Duration(b.rand.Int64N(int64(b.next))))
}

// reset is for after a success.
func (b *backoff) reset() { b.next = 0 }

// sleep waits. It returns false if the context ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
