package reactor

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"workman/protocol"
)

// pages is an ordinary http.Server for what is not the task path. Connections come to it from the event loops, each with
// one request that has passed the strict scanner, whole and written anew; it answers that and ends the connection. So
// what net/http would let pass and we do not never reaches it.
type pages struct {
	server *http.Server
	conns  chan net.Conn // as much room as there may be connections, so a loop never waits
	open   atomic.Int32
	most   int32
	ended  chan struct{}
	once   sync.Once
}

func newPages(h http.Handler, most int, log *slog.Logger, guard func(http.Handler) http.Handler) *pages {
	if h == nil {
		h = http.NotFoundHandler()
	}
	p := &pages{conns: make(chan net.Conn, most), most: int32(most), ended: make(chan struct{})}
	p.server = &http.Server{
		Handler:           guard(h),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	p.server.SetKeepAlivesEnabled(false) // one answer a connection
	return p
}

func (p *pages) serve() { _ = p.server.Serve(p) }

// close ends the server: what is being answered has a second to finish.
func (p *pages) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if p.server.Shutdown(ctx) != nil {
		_ = p.server.Close()
	}
	_ = p.Close() // in case that Serve had not begun
	for len(p.conns) > 0 {
		_ = (<-p.conns).Close()
	}
}

// Accept, Close and Addr make it the listener of its own server.
func (p *pages) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (p *pages) Close() error {
	p.once.Do(func() { close(p.ended) })
	return nil
}

// Addr is nothing in particular.
func (p *pages) Addr() net.Addr { return &net.TCPAddr{} }

// moved is a connection that came from an event loop, with the bytes of its request in front.
type moved struct {
	net.Conn
	front []byte
	pages *pages
	once  sync.Once
}

func (m *moved) Read(b []byte) (int, error) {
	if len(m.front) > 0 {
		n := copy(b, m.front)
		m.front = m.front[n:]
		return n, nil
	}
	return m.Conn.Read(b)
}

func (m *moved) Close() error {
	m.once.Do(func() { m.pages.open.Add(-1) })
	return m.Conn.Close()
}

// Move has a request answered by Config.Pages: its connection leaves the loop for an http.Server. It is called from
// within Service.Request, and reports false if that cannot be done now: too many pages are being shown, or other
// requests of the connection are not answered yet.
func (l *Loop) Move(s *protocol.Session, r *protocol.Request) bool {
	p := l.server.pages
	if p.open.Add(1) > p.most {
		p.open.Add(-1)
		return false
	}
	head, ok := s.Detach(r)
	if !ok {
		p.open.Add(-1)
		return false
	}
	l.conns[s.ID.Slot()].moving = head
	return true
}

// leave gives the connection's socket to the pages. They get a descriptor of their own, and the loop closes its own.
func (l *Loop) leave(c *conn) {
	p := l.server.pages
	nc, err := dup(c)
	if err != nil {
		l.server.cfg.Log.Warn("cannot move a connection to the pages", "error", err)
		p.open.Add(-1)
	} else {
		select {
		case p.conns <- &moved{Conn: nc, front: c.moving, pages: p}:
		case <-p.ended:
			p.open.Add(-1)
			_ = nc.Close()
		}
	}
	c.moving = nil
	l.drop(c)
}

func dup(c *conn) (net.Conn, error) {
	fd, err := c.gc.Dup()
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "moved")
	defer func() { _ = f.Close() }()
	return net.FileConn(f) // with a descriptor of its own again
}
