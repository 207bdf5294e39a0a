package reactor

import (
	"fmt"
	"log/slog"
	"time"
)

// keep makes the loops look after their connections: every second while there are any, and every 10 ms while there are
// some to watch. With neither it sleeps until a connection or a slow peer comes.
func (s *Server) keep() {
	defer s.work.Done()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	often := time.NewTicker(watchEvery)
	often.Stop()
	for watching := false; ; {
		select {
		case <-s.stop:
			return
		case <-s.poke:
			if !watching {
				watching = true
				often.Reset(watchEvery)
			}
		case <-often.C:
			if watching = s.watchAll(); !watching {
				often.Stop()
			}
		case <-second.C:
			if s.conns.Load() > 0 {
				for _, l := range s.loops {
					l.do(l.sweep)
				}
			}
		}
	}
}

// watchAll makes each loop that watches connections look at them, and reports whether any does.
func (s *Server) watchAll() (some bool) {
	for _, l := range s.loops {
		if l.busy.Load() > 0 {
			some = true
			l.do(l.lookAgain)
		}
	}
	return some
}

// pokeKeeper tells the keeper that there is something to watch.
func (s *Server) pokeKeeper() {
	select {
	case s.poke <- struct{}{}:
	default: // it has been told already
	}
}

// gnetLog passes on what gnet logs: faults as they are, its chatter as debugging.
type gnetLog struct{ to *slog.Logger }

func (g gnetLog) Debugf(format string, args ...any) {
	g.to.Debug(fmt.Sprintf("gnet: "+format, args...))
}
func (g gnetLog) Infof(format string, args ...any) { g.to.Debug(fmt.Sprintf("gnet: "+format, args...)) }
func (g gnetLog) Warnf(format string, args ...any) { g.to.Warn(fmt.Sprintf("gnet: "+format, args...)) }
func (g gnetLog) Errorf(format string, args ...any) {
	g.to.Error(fmt.Sprintf("gnet: "+format, args...))
}
func (g gnetLog) Fatalf(format string, args ...any) {
	g.to.Error(fmt.Sprintf("gnet: "+format, args...))
}
