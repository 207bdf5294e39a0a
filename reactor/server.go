package reactor

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"

	"workman/protocol"
)

// Server is the sockets of one listening address and the event loops that serve them.
type Server struct {
	cfg       Config
	client    *gnet.Client // the event loops; gnet's name for an engine that does not listen itself
	listeners []net.Listener
	loops     []*Loop
	pages     *pages
	began     time.Time

	mu      sync.Mutex // guards taken: which loop is whose
	taken   map[gnet.EventLoop]*Loop
	conns   atomic.Int64
	refused atomic.Uint64
	panics  atomic.Uint64
	lent    atomic.Int64 // bytes of the reserve in use

	poke chan struct{} // to the keeper: there is something to watch
	stop chan struct{}
	work sync.WaitGroup // the accepting goroutines and the keeper
}

// Listen opens the address, makes the loops and their services, and begins to serve. Errors say what to change.
func Listen(cfg Config) (*Server, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	ls, err := listen(cfg.Host, cfg.Port)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg:       cfg,
		listeners: ls,
		began:     time.Now(),
		taken:     map[gnet.EventLoop]*Loop{},
		poke:      make(chan struct{}, 1),
		stop:      make(chan struct{}),
	}
	s.cfg.Protocol.Access.Loopback = onlyLoopback(ls)
	if err := s.start(); err != nil {
		for _, l := range ls {
			_ = l.Close()
		}
		return nil, err
	}
	return s, nil
}

func (s *Server) start() error {
	for i := range s.cfg.Loops {
		l := &Loop{server: s, index: i}
		l.svc = s.cfg.Serve(l)
		var err error
		if l.framing, err = protocol.NewFraming(s.cfg.Protocol, l, l.svc); err != nil {
			return err
		}
		s.loops = append(s.loops, l)
	}
	client, err := gnet.NewClient(&handler{server: s},
		gnet.WithNumEventLoop(s.cfg.Loops),
		gnet.WithReadBufferCap(64<<10),
		gnet.WithTCPNoDelay(gnet.TCPNoDelay),
		gnet.WithLogger(gnetLog{s.cfg.Log}),
	)
	if err == nil {
		err = client.Start()
	}
	if err != nil {
		return fmt.Errorf("reactor: start the event loops: %w", err)
	}
	s.client = client
	s.pages = newPages(s.cfg.Pages, s.cfg.MaxPages, s.cfg.Log, s.guard)
	s.work.Add(2 + len(s.listeners))
	go s.keep()
	go func() {
		defer s.work.Done()
		s.pages.serve()
	}()
	for _, l := range s.listeners {
		go s.accept(l)
	}
	return nil
}

// onlyLoopback reports whether nobody but this machine can reach the listeners.
func onlyLoopback(ls []net.Listener) bool {
	for _, l := range ls {
		if !l.Addr().(*net.TCPAddr).IP.IsLoopback() {
			return false
		}
	}
	return true
}

// Addrs are the addresses that the server listens on.
func (s *Server) Addrs() []net.Addr {
	as := make([]net.Addr, len(s.listeners))
	for i, l := range s.listeners {
		as[i] = l.Addr()
	}
	return as
}

// Loopback reports whether only this machine can reach the server.
func (s *Server) Loopback() bool { return s.cfg.Protocol.Access.Loopback }

// Conns is how many connections there are now.
func (s *Server) Conns() int { return int(s.conns.Load()) }

// Loops are the event loops, by index.
func (s *Server) Loops() []*Loop { return s.loops }

// StopListening takes no more connections. Those there are stay.
func (s *Server) StopListening() {
	for _, l := range s.listeners {
		_ = l.Close()
	}
}

// Finish asks every connection to end: over HTTP once what was asked is answered, a WebSocket by a close frame with
// 1001. With idle only those HTTP connections are asked that wait, for an answer or between requests: others are about to say
// something, and WebSockets go on.
func (s *Server) Finish(idle bool) {
	for _, l := range s.loops {
		l.do(func() {
			for _, c := range l.conns {
				if c != nil && !c.gone && (!idle || c.waits()) {
					l.finish(c)
				}
			}
			l.turn()
		})
	}
}

// waits tells whether it is an HTTP connection that is between requests, or waits for an answer. One that has only just come is
// not: its first request is on its way.
func (c *conn) waits() bool {
	switch c.session.Phase() {
	case protocol.PhaseIdle, protocol.PhaseWaiting:
		return c.session.Requests() > 0
	}
	return false
}

func (l *Loop) finish(c *conn) {
	defer l.survive(c)
	c.session.Shutdown()
	l.noteEnd(c)
}

// Close ends the server at once: no listener, connection or goroutine is left when it returns.
func (s *Server) Close() error {
	s.StopListening()
	close(s.stop)
	s.pages.close()
	s.work.Wait()
	return s.client.Stop()
}

// second is the time since the server began, in whole seconds: what time-outs are counted in.
func (s *Server) second() uint32 { return uint32(time.Since(s.began) / time.Second) }

// hardOut is how many bytes may wait for one peer.
func (s *Server) hardOut() int { return s.cfg.HardOut + s.cfg.Protocol.MaxMessage }

// handler is what gnet calls. Each call about a connection comes on that connection's event loop.
type handler struct {
	gnet.BuiltinEventEngine
	server *Server
}

// OnOpen takes a new connection. The first one of an event loop says which of ours that loop is.
func (h *handler) OnOpen(gc gnet.Conn) (_ []byte, action gnet.Action) {
	defer func() {
		if p := recover(); p != nil {
			h.server.faulted("opening a connection, which is closed", p)
			h.server.conns.Add(-1)
			gc.SetContext(nil)
			action = gnet.Close
		}
	}()
	l := h.server.loopOf(gc.EventLoop())
	gc.SetContext(l.open(gc))
	return nil, gnet.None
}

func (s *Server) loopOf(el gnet.EventLoop) *Loop {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.taken[el]
	if l == nil {
		l = s.loops[len(s.taken)]
		s.taken[el] = l
		l.el.Store(&el)
	}
	return l
}

// OnTraffic feeds what was read to its session, and ends the turn. Everything is consumed each time, so gnet never
// keeps bytes for us.
func (h *handler) OnTraffic(gc gnet.Conn) (action gnet.Action) {
	c, _ := gc.Context().(*conn)
	if c == nil {
		return gnet.Close
	}
	l := c.loop
	defer func() {
		if p := recover(); p != nil {
			l.reading = nil
			h.server.panicked(c, p)
			action = gnet.Close
		}
	}()
	in, _ := gc.Next(-1)
	now := h.server.second()
	c.heard = now
	c.came += len(in)
	l.reading = c
	if !c.gone && !c.done {
		c.session.Feed(in)
		c.note(now, len(in))
		l.count(c)
		l.noteEnd(c)
	}
	l.turn()
	l.reading = nil
	if c.gone {
		return gnet.Close
	}
	return gnet.None
}

// OnClose forgets a connection whose socket is gone. It counts until the service knows.
func (h *handler) OnClose(gc gnet.Conn, _ error) gnet.Action {
	if c, _ := gc.Context().(*conn); c != nil {
		gc.SetContext(nil)
		c.loop.close(c)
		h.server.conns.Add(-1)
	}
	return gnet.None
}
