package prove

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// auditors is how many ask at once.
const auditors = 8

// each calls f for all of them, with a caller, until the context ends. What the server is too busy for is asked again.
func each[T any](ctx context.Context, s *server, all []T, f func(c *caller, one T) error) error {
	var next atomic.Int64
	var auditing sync.WaitGroup
	for i := range auditors {
		auditing.Go(func() {
			c, again := newCaller(s), backoff{rand: newRand(uint64(i), partAudit)}
			defer c.close()
			for n := next.Add(1) - 1; n < int64(len(all)); n = next.Add(1) - 1 {
				for f(c, all[n]) != nil {
					if !again.wait(ctx) {
						return
					}
				}
				again.reset()
			}
		})
	}
	auditing.Wait()
	return context.Cause(ctx)
}

// settle waits until all that was promised has finished, but no longer than patience.
func (s *server) settle(ctx context.Context, patience time.Duration) error {
	late := time.Now().Add(patience)
	for {
		open := s.book.Unfinished()
		if len(open) == 0 || time.Now().After(late) {
			return nil
		}
		err := each(ctx, s, open, func(c *caller, k Known) error {
			_, err := c.read(ctx, k, "")
			return err
		})
		if err != nil {
			return err
		}
		sleep(ctx, 100*time.Millisecond)
	}
}

// audit asks for every run that was promised, for every key, and for every schedule that recurs with its runs, and compares.
func (s *server) audit(ctx context.Context) error {
	err := each(ctx, s, s.book.All(), func(c *caller, k Known) error {
		_, err := c.read(ctx, k, "")
		if err == nil && k.Key != "" {
			err = c.list(ctx, k)
		}
		return err
	})
	if err != nil {
		return err
	}
	s.book.Close()
	return each(ctx, s, s.book.Rules(), func(c *caller, r Rule) error {
		err := c.readRule(ctx, r)
		if err == nil {
			err = c.account(ctx, r)
		}
		return err
	})
}
