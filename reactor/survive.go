package reactor

import (
	"fmt"
	"net/http"
	"runtime/debug"

	"workman/dispatch"
)

// A panic costs the connection it is about, wherever on the way it happens, and nothing else: gnet would let it end the
// process. So whatever a loop does for one connection outside of that one's own read is done under survive, and what it
// does for none in particular under outlive. Both are deferred.

// survive closes the connection that a panic is about.
func (l *Loop) survive(c *conn) {
	if p := recover(); p != nil {
		l.server.panicked(c, p)
		l.drop(c)
	}
}

// surviveOf is survive for what a loop does for one connection after another: c is the one whose turn it is, nil while it
// is about none.
func (l *Loop) surviveOf(c **conn) {
	if p := recover(); p != nil {
		if *c == nil {
			l.server.faulted("passing on what the dispatcher says", p)
			return
		}
		l.server.panicked(*c, p)
		l.drop(*c)
	}
}

// outlive goes on after a panic that is about no connection, or about the one that is being read.
func (l *Loop) outlive(what string) {
	if p := recover(); p != nil {
		l.server.faulted(what, p)
		if l.reading != nil {
			l.drop(l.reading)
		}
	}
}

// Panics is how many panics were survived.
func (s *Server) Panics() uint64 { return s.panics.Load() }

// panicked counts and logs a panic; the connection that it came from is closed, and the others go on.
func (s *Server) panicked(c *conn, p any) {
	s.panics.Add(1)
	s.cfg.Log.Error("a panic while serving a connection, which is closed", "remote", remote(c), "panic", p, "stack", string(debug.Stack()))
}

// faulted counts and logs a panic that is about no connection in particular.
func (s *Server) faulted(what string, p any) {
	s.panics.Add(1)
	s.cfg.Log.Error("a panic was survived", "while", what, "panic", p, "stack", string(debug.Stack()))
}

func remote(c *conn) string {
	if a := c.gc.RemoteAddr(); a != nil {
		return a.String()
	}
	return "gone"
}

// guard makes a page's panic one of those that are counted. Its connection ends without an answer.
func (s *Server) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				if p != http.ErrAbortHandler { //nolint:errorlint // a panic's value, compared as net/http does
					s.faulted("showing a page", p)
				}
				panic(http.ErrAbortHandler)
			}
		}()
		h.ServeHTTP(w, r)
	})
}

// Panics is how many panics were survived while the dispatcher ran, or what it said was passed on.
func (t *Tasks) Panics() uint64 { return t.panics.Load() }

// survive is deferred by whoever holds the dispatcher around what is not the dispatcher's own: it would stay held.
func (t *Tasks) survive(what string) {
	if p := recover(); p != nil {
		t.faulted(what, p)
	}
}

func (t *Tasks) faulted(what string, p any) {
	t.panics.Add(1)
	t.fault(what, p, string(debug.Stack()))
}

// panicked reports a panic while what a connection said was run, and has that connection closed by its loop.
func (t *Tasks) panicked(from dispatch.Conn, p any) {
	if from == 0 {
		t.faulted("an event of the server's own", p)
		return
	}
	t.faulted(fmt.Sprintf("an event of connection %016x, which is closed", uint64(from)), p)
	if i := from.Loop(); i < len(t.ends) {
		l := t.ends[i].loop
		l.do(func() {
			if c := l.conn(from); c != nil {
				l.drop(c)
			}
			l.turn()
		})
	}
}
