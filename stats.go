package main

import (
	"context"
	"os"
	"runtime"
	"time"

	"workman/dispatch"
)

// report logs what was done every so often, while anything is, until a signal comes.
func (s *service) report(signals <-chan os.Signal) bool {
	const every = 10 * time.Second
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last dispatch.Stats
	for {
		select {
		case <-signals:
			return false
		case <-tick.C:
			ctx, cancel := context.WithTimeout(context.Background(), every)
			now, err := s.tasks.Stats(ctx)
			cancel()
			if err != nil {
				s.log.Warn("no statistics", "error", err)
				continue
			}
			if now.Submitted+now.Accepted+now.Finished+now.Refused+now.Fired != last.Submitted+last.Accepted+last.Finished+last.Refused+last.Fired {
				s.line(now, last, every)
			}
			last = now
		}
	}
}

func (s *service) line(now, last dispatch.Stats, every time.Duration) {
	s.log.Info("statistics",
		"tasks/s", (now.Finished-last.Finished)/uint64(every/time.Second),
		"submitted", now.Submitted-last.Submitted,
		"accepted", now.Accepted-last.Accepted,
		"finished", now.Finished-last.Finished,
		"failures", now.Failures-last.Failures,
		"dead", now.Died-last.Died,
		"refused", now.Refused-last.Refused,
		"requeued", now.Requeued-last.Requeued,
		"bad results", now.BadResults-last.BadResults,
		"fired", now.Fired-last.Fired,
		"queued", now.Queued,
		"running", now.Leased,
		"stored", now.Stored,
		"scheduled", now.Schedule,
		"workers", now.Workers,
		"connections", s.server.Conns(),
		"goroutines", runtime.NumGoroutine(),
		"panics", s.server.Panics()+s.tasks.Panics(),
	)
}
