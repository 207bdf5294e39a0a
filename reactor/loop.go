package reactor

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"

	"workman/dispatch"
	"workman/protocol"
)

// conn is one connection. Idle, it holds no buffer.
type conn struct {
	gc      gnet.Conn
	loop    *Loop
	session protocol.Session

	phase   protocol.Phase
	phased  uint32 // the second in which the phase began
	came    int    // bytes that have come since, those that began it included
	heard   uint32 // the second in which bytes last came
	pinged  uint32 // the second in which a ping was last sent
	moved   uint32 // slow: the second in which the peer last read something
	unread  int    // slow: bytes that waited for it then
	counted int    // bytes noted in the budget
	lent    int    // of these, bytes that the budget had not, from the reserve
	seq     uint64 // requests begun when the phase was last looked at
	moving  []byte // the request with which the connection leaves for the pages, once all before it is written
	part    bool   // a part of a WebSocket message was there at the last sweep, and phased and came are about that
	dirty   bool   // session.Out is to be written at the end of the turn
	slow    bool   // it does not read what it is sent
	watch   bool   // on the loop's list of those to look at often
	done    bool   // nothing more is read from it; when all is written our side is shut down
	gone    bool   // the socket is closed, or will be at the end of the turn
}

// Loop is one event loop: its connections, by slot, and what they have to send.
type Loop struct {
	server  *Server
	index   int
	svc     Service
	framing *protocol.Framing

	el    atomic.Pointer[gnet.EventLoop] // set when the first connection comes
	waken atomic.Bool                    // a wake is on its way
	busy  atomic.Int32                   // connections to watch, for the keeper

	conns   []*conn
	gens    []uint32 // by slot: of the connection that has it, or had it last
	free    []uint32
	dirty   []*conn  // with something to send, this turn
	doomed  []*conn  // to be closed at the end of the turn
	watch   []*conn  // slow, or with something to send before they end: looked at often
	spare   [][]byte // output buffers not in use
	reading *conn    // whose bytes this turn is about

	date   []byte // for the Date header field, and the second it is of
	dateAt int64
	inTurn bool
}

// maxSpare bounds the output buffers kept for reuse, and keepOut the size of one.
const (
	maxSpare = 64
	keepOut  = 256 << 10
)

// Index tells the loops of a server apart: 0 and up.
func (l *Loop) Index() int { return l.index }

// Find returns the session that an address means, or nil if it has gone, or if so much output waits for it already that
// it is closed instead.
func (l *Loop) Find(id dispatch.Conn) *protocol.Session {
	if c := l.find(id); c != nil {
		return &c.session
	}
	return nil
}

// conn is the connection that an address means, or nil if it has gone.
func (l *Loop) conn(id dispatch.Conn) *conn {
	slot := id.Slot()
	if int(slot) >= len(l.conns) {
		return nil
	}
	c := l.conns[slot]
	if c == nil || c.gone || c.session.ID != id {
		return nil
	}
	return c
}

// find is the connection that an address means, unless so much output waits for it already that it is closed instead.
func (l *Loop) find(id dispatch.Conn) *conn {
	c := l.conn(id)
	if c != nil && len(c.session.Out) > l.server.cfg.SoftOut {
		if l.spill(c); c.gone {
			return nil
		}
	}
	return c
}

// spill writes what a connection has to send before the turn is over, since it is much: one turn may ask for more than
// there is memory, and what is written is counted.
func (l *Loop) spill(c *conn) {
	inTurn := l.inTurn
	l.inTurn = true // the write may close the connection, and its end is not the end of the turn
	out := c.session.Out
	c.session.Out = nil
	c.write(out)
	l.give(out)
	l.inTurn = inTurn
	if c.gone {
		return
	}
	if l.count(c); c.gc.OutboundBuffered() > l.server.hardOut() {
		l.deaf(c)
	}
}

// deaf closes a connection for which as much waits as may.
func (l *Loop) deaf(c *conn) {
	l.server.cfg.Log.Info("closing a connection that does not read", "remote", remote(c), "bytes", c.gc.OutboundBuffered())
	l.drop(c)
}

// Wake makes the loop call its service's Woken soon. It may be called from any goroutine; calls that come before the
// loop got to it are one. It reports false if that will not be: the loop has had no connection yet, or the server is closed.
func (l *Loop) Wake() bool {
	el := l.el.Load()
	if el == nil {
		return false
	}
	if !l.waken.CompareAndSwap(false, true) {
		return true
	}
	if err := (*el).Execute(context.Background(), wake{l}); err != nil {
		l.waken.Store(false) // the engine is being stopped
		return false
	}
	return true
}

// do runs f on the loop, soon; never if the loop has had no connection yet, or the server is closed.
func (l *Loop) do(f func()) {
	if el := l.el.Load(); el != nil {
		_ = (*el).Execute(context.Background(), task{l, f})
	}
}

// wake and task are what gnet runs on a loop for us.
type wake struct{ l *Loop }

func (w wake) Run(context.Context) error {
	w.l.waken.Store(false) // before the look, so that what comes after it wakes again
	w.l.woken()
	w.l.turn()
	return nil
}

func (l *Loop) woken() {
	defer l.outlive("taking what others have for a loop")
	l.svc.Woken()
}

type task struct {
	l *Loop
	f func()
}

func (t task) Run(context.Context) error {
	defer t.l.outlive("looking after connections")
	t.f()
	return nil
}

// Borrow hands out an empty output buffer, and notes that the session has something to send.
func (l *Loop) Borrow(s *protocol.Session) []byte {
	if c := l.conns[s.ID.Slot()]; !c.dirty {
		c.dirty = true
		l.dirty = append(l.dirty, c)
	}
	if n := len(l.spare); n > 0 {
		b := l.spare[n-1]
		l.spare = l.spare[:n-1]
		return b
	}
	return make([]byte, 0, 4096)
}

// Date is the value of the Date header field, made anew once a second.
func (l *Loop) Date() []byte {
	if now := time.Now(); now.Unix() != l.dateAt {
		l.dateAt = now.Unix()
		l.date = now.UTC().AppendFormat(l.date[:0], http.TimeFormat)
	}
	return l.date
}

// open gives a new connection its slot.
func (l *Loop) open(gc gnet.Conn) *conn {
	var slot uint32
	if n := len(l.free); n > 0 {
		slot = l.free[n-1]
		l.free = l.free[:n-1]
	} else {
		slot = uint32(len(l.conns))
		l.conns = append(l.conns, nil)
		l.gens = append(l.gens, 0)
	}
	if l.gens[slot]++; l.gens[slot] == 0 { // the zero Conn is nobody
		l.gens[slot]++
	}
	now := l.server.second()
	c := &conn{gc: gc, loop: l, phased: now, heard: now, pinged: now}
	l.conns[slot] = c
	l.framing.Start(&c.session, dispatch.MakeConn(l.index, slot, l.gens[slot]))
	return c
}

// close forgets a connection whose socket is gone.
func (l *Loop) close(c *conn) {
	c.gone = true
	l.end(c)
	l.server.cfg.Budget.Note(-int64(c.counted))
	l.repay(c)
	if c.session.Out != nil {
		l.give(c.session.Out)
		c.session.Out = nil
	}
	slot := c.session.ID.Slot()
	l.conns[slot] = nil
	l.free = append(l.free, slot)
	l.turn()
}

func (l *Loop) end(c *conn) {
	defer l.survive(c)
	c.session.End()
}

// drop closes a connection, whatever waits for it, at the end of the turn.
func (l *Loop) drop(c *conn) {
	if !c.gone {
		c.gone = true
		l.doomed = append(l.doomed, c)
	}
}

// turn ends a turn: the service passes on what it collected, and what is to be sent leaves, one write a connection. Each
// may cause more of the other, in this turn still; closing a connection may cause both.
func (l *Loop) turn() {
	if l.inTurn {
		return
	}
	l.inTurn = true
	for l.pass(); len(l.dirty) > 0 || len(l.doomed) > 0; l.pass() {
		for i := 0; i < len(l.dirty); i++ {
			l.flush(l.dirty[i])
		}
		clear(l.dirty)
		l.dirty = l.dirty[:0]
		for i := 0; i < len(l.doomed); i++ {
			if c := l.doomed[i]; c != l.reading { // that one is closed by what OnTraffic returns
				_ = (*l.el.Load()).Close(c.gc)
			}
		}
		clear(l.doomed)
		l.doomed = l.doomed[:0]
	}
	l.inTurn = false
}

// pass makes the service pass on what it collected.
func (l *Loop) pass() {
	defer l.outlive("passing on what a connection said")
	l.svc.Flush()
}

// flush writes what a connection has to send.
func (l *Loop) flush(c *conn) {
	defer l.survive(c)
	c.dirty = false
	out := c.session.Out
	c.session.Out = nil
	if len(out) > 0 && !c.gone {
		c.write(out)
	}
	l.give(out)
	if !c.gone {
		l.look(c)
	}
}

// piece is how much is written at once. What the socket does not take gnet keeps in buffers of a power of two: a piece
// fits one, and twice its size would be taken for a little more.
const piece = 256 << 10

// write writes bytes, or has gnet keep them. If that fails it closes the connection from within: Loop.close then runs
// inside this call.
func (c *conn) write(out []byte) {
	for len(out) > 0 && !c.gone {
		n := min(piece, len(out))
		if _, err := c.gc.Write(out[:n]); err != nil {
			return
		}
		out = out[n:]
	}
}

func (l *Loop) give(out []byte) {
	if cap(out) > 0 && cap(out) <= keepOut && len(l.spare) < maxSpare {
		l.spare = append(l.spare, out[:0])
	}
}

// small is how many bytes a connection may hold that are not counted: most hold none, or a part of a message for a
// moment, and counting would cost more than it tells.
const small = 4 << 10

// count notes in the budget what a connection holds. If that is too much for the server, the connection lets go of it:
// the message that is coming is refused, output that is not read is the end of the connection.
func (l *Loop) count(c *conn) {
	if c.gone {
		return
	}
	unread := c.gc.OutboundBuffered()
	n := c.session.Held() + unread
	if n <= small {
		n = 0
	}
	if n == c.counted {
		return
	}
	kept := l.server.cfg.Budget.Note(int64(n - c.counted))
	grew, fresh := n > c.counted, c.counted == 0
	c.counted = n
	switch {
	case kept || !grew:
		if n == 0 {
			l.repay(c)
		}
	case unread > n/2 && (fresh || n <= 4*l.server.cfg.SoftOut) && l.lend(c, n):
	case unread > n/2:
		l.server.cfg.Log.Info("out of memory for output: closing a connection that does not read", "remote", remote(c), "bytes", unread)
		l.drop(c)
	case c.session.Phase() == protocol.PhaseWaiting: // answers that wait for one before them
		l.server.cfg.Log.Info("out of memory for answers: closing a connection", "remote", remote(c), "bytes", n)
		l.drop(c)
	default:
		c.session.Overload()
	}
}

// lend gives a connection's output room from the reserve. A budget that waiting tasks fill would else cost the very
// workers that are about to empty it.
func (l *Loop) lend(c *conn, n int) bool {
	more := int64(n - c.lent)
	if l.server.lent.Add(more) > l.server.cfg.Reserve {
		l.server.lent.Add(-more)
		return false
	}
	c.lent = n
	return true
}

func (l *Loop) repay(c *conn) {
	if c.lent != 0 {
		l.server.lent.Add(-int64(c.lent))
		c.lent = 0
	}
}
