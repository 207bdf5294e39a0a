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
			if done(now) != done(last) {
				s.line(now, last, every)
			}
			last = now
		}
	}
}

// done counts whatever is worth a line.
func done(s dispatch.Stats) uint64 {
	return s.Submitted + s.Finished + s.Refused + s.Fired + s.Accepted
}

func (s *service) line(now, last dispatch.Stats, every time.Duration) {
	s.log.Info("statistics",
		"tasks/s", (now.Finished-last.Finished)/uint64(every/time.Second),
		"submitted", now.Submitted-last.Submitted,
		"finished", now.Finished-last.Finished,
		"failures", now.Failures-last.Failures,
		"dead", now.Died-last.Died,
		"refused", now.Refused-last.Refused,
		"requeued", now.Requeued-last.Requeued,
		"bad results", now.BadResults-last.BadResults,
		"fired", now.Fired-last.Fired,
		"runs", now.Accepted-last.Accepted,
		"succeeded", now.Succeeded-last.Succeeded,
		"queued", now.Queued,
		"stored", now.Stored,
		"running", now.Leased,
		"scheduled", now.Schedule,
		"workers", now.Workers,
		"connections", s.server.Conns(),
		"goroutines", runtime.NumGoroutine(),
		"panics", s.server.Panics()+s.tasks.Panics(),
	)
}
