package reactor

import (
	"fmt"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"workman/protocol"
)

// What needs time is looked at now and then rather than timed one by one: watched connections every 10 ms, all others
// every second. With nobody to watch, and nobody connected, nothing happens.

const watchEvery = 10 * time.Millisecond

// look sees, after a write or a while later, how a connection does: whether the peer reads, and whether we are done.
func (l *Loop) look(c *conn) {
	unread := c.gc.OutboundBuffered()
	if l.count(c); c.gone {
		return
	}
	if unread > l.server.hardOut() {
		l.deaf(c)
		return
	}
	if unread > l.server.cfg.SoftOut && !c.slow {
		c.slow = true
		l.svc.SetSlow(&c.session, true)
	} else if c.slow && unread <= l.server.cfg.SoftOut/2 {
		c.slow = false
		l.svc.SetSlow(&c.session, false)
	}
	if c.moving != nil && unread == 0 {
		l.leave(c)
		return
	}
	if c.session.Phase() == protocol.PhaseDone && !c.done && unread == 0 {
		// Everything is written: say so, and give the peer time to read it and close. Closing at once could destroy
		// what is still on its way (RFC 9112 9.6).
		c.done = true
		_ = unix.Shutdown(c.gc.Fd(), unix.SHUT_WR)
	}
	if (c.slow || unread > 0 && c.session.Phase() == protocol.PhaseDone) && !c.watch {
		c.watch, c.unread, c.moved = true, unread, l.server.second()
		l.watch = append(l.watch, c)
		l.busy.Store(int32(len(l.watch)))
		l.server.pokeKeeper()
	}
}

// pause counts a session as slow until what it has been sent is written, which may be at the end of this turn: the
// service is told then.
func (l *Loop) pause(s *protocol.Session) {
	c := l.conns[s.ID.Slot()]
	if c.slow = true; !c.dirty {
		c.dirty = true
		l.dirty = append(l.dirty, c)
	}
}

// lookAgain looks at the watched connections, and lets go of those that need it no more.
func (l *Loop) lookAgain() {
	now := l.server.second()
	keep := l.watch[:0]
	for _, c := range l.watch {
		if c.gone {
			continue
		}
		l.lookAt(c, now)
		if c.watch = c.watch && !c.gone; c.watch {
			keep = append(keep, c)
		}
	}
	clear(l.watch[len(keep):])
	l.watch = keep
	l.busy.Store(int32(len(keep)))
	l.turn()
}

func (l *Loop) lookAt(c *conn, now uint32) {
	defer l.survive(c)
	l.look(c)
	unread := c.gc.OutboundBuffered()
	if unread != c.unread {
		c.unread, c.moved = unread, now
	} else if unread > 0 && late(now, c.moved, l.server.cfg.QuietTime) {
		l.server.cfg.Log.Info("closing a connection that stopped reading", "remote", remote(c), "bytes", unread)
		l.drop(c)
	}
	c.watch = c.slow || unread > 0 && !c.done
}

// sweep looks at every connection once: who is too slow to ask, who was silent too long, who needs a ping.
func (l *Loop) sweep() {
	now := l.server.second()
	for _, c := range l.conns {
		if c != nil && !c.gone {
			l.check(c, now)
		}
	}
	l.turn()
}

func (l *Loop) check(c *conn, now uint32) {
	defer l.survive(c)
	c.note(now, 0)
	cfg := &l.server.cfg
	switch c.phase {
	case protocol.PhaseIdle:
		if late(now, c.phased, cfg.IdleTime) {
			l.drop(c)
		}
	case protocol.PhaseHead:
		if late(now, c.phased, cfg.HeadTime) {
			c.session.Timeout("a request's head must come within " + cfg.HeadTime.String())
		}
	case protocol.PhaseBody:
		if late(now, c.heard, cfg.QuietTime) {
			c.session.Timeout("no byte of the body came for " + cfg.QuietTime.String())
		} else if c.tooSlow(now, cfg.RateTime, cfg.MinRate) {
			c.session.Timeout(fmt.Sprintf("a body must come at %d bytes a second, after its first %v", cfg.MinRate, cfg.RateTime))
		}
	case protocol.PhaseWS:
		if held := c.session.Held() > small; held != c.part {
			c.part, c.phased, c.came = held, now, 0
		} else if held && c.tooSlow(now, cfg.MessageTime, cfg.MinRate) {
			c.session.Close(ws.StatusPolicyViolation, fmt.Sprintf("a message must come at %d bytes a second", cfg.MinRate))
		}
		// Busy ones too: a ping also renews what control frames the peer may send.
		if late(now, c.pinged, cfg.PingTime) && !c.slow {
			c.pinged = now
			c.session.Ping()
		}
	case protocol.PhaseClosing:
		if late(now, c.phased, cfg.CloseTime) {
			l.drop(c)
		}
	case protocol.PhaseDone:
		if c.done && late(now, c.phased, cfg.CloseTime) {
			l.drop(c)
		}
	}
}

// late reports whether d has passed since a second; seconds are counted whole, so never early.
func late(now, since uint32, d time.Duration) bool {
	return time.Duration(now-since)*time.Second > d
}

// tooSlow reports whether what is coming came at less than so many bytes a second, on the whole, for longer than it may.
func (c *conn) tooSlow(now uint32, allowed time.Duration, rate int) bool {
	return late(now, c.phased, allowed) && c.came/int(now-c.phased) < rate
}

// note keeps the time at which the connection began what it is at now. fed is how many bytes were read just now.
func (c *conn) note(now uint32, fed int) {
	if phase, seq := c.session.Phase(), c.session.Requests(); phase != c.phase || seq != c.seq {
		c.phase, c.seq, c.phased, c.came = phase, seq, now, fed
	}
}

// noteEnd sees to a session that has come to its end with nothing left to write: no flush will.
func (l *Loop) noteEnd(c *conn) {
	if !c.dirty && !c.gone && c.session.Phase() == protocol.PhaseDone {
		l.look(c)
	}
}
