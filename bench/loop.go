package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

const (
	// readBuffer is a loop's read buffer in bytes: the longest message it takes.
	readBuffer = 128 << 10
	// maxWait is the longest a loop sleeps before it looks at the phase.
	maxWait = 20 * time.Millisecond
)

// The phases of a round, in order.
const (
	warming   = iota // everything runs, nothing counts
	measuring        // answers count
	draining         // no new tasks
	stopped          // the loops end
)

// peer is the client at the end of one connection. The slices passed in are
// the loop's: they are good until the call returns.
type peer interface {
	// open appends what the peer sends first.
	open(out []byte, now int64) []byte
	// receive takes the whole messages at the start of data, appends what they
	// make the peer send, and returns how many bytes it took. now is in ns.
	receive(data, out []byte, now int64) (used int, _ []byte, err error)
	// String names the peer in errors.
	String() string
}

// conn is one connection of a loop.
type conn struct {
	fd      int
	peer    peer
	left    []byte // received, not yet a whole message
	pending []byte // to be sent, not yet taken by the kernel
	sent    int    // of pending, what it has taken since
	single  bool   // each message is written by itself
}

// loop drives its connections from one thread: whatever one read brings is
// answered by one write.
type loop struct {
	poller  *poller
	conns   []*conn
	in      []byte
	out     []byte
	ledgers []*ledger // one for each part of the scenario
	paced   []pacedPeer
	phase   *atomic.Int32
	entered int32 // the phase that the ledgers are in
	spins   bool  // it never sleeps
	epoch   time.Time

	// what others may read while the loop runs
	answered    atomic.Int64
	outstanding atomic.Int64
}

// newLoop makes a loop that follows phase and keeps so many ledgers.
func newLoop(phase *atomic.Int32, parts int) (*loop, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	l := &loop{poller: p, in: make([]byte, readBuffer), phase: phase, epoch: time.Now()}
	for range parts {
		l.ledgers = append(l.ledgers, newLedger())
	}
	return l, nil
}

// add gives a connected socket to the loop, which closes it.
func (l *loop) add(s socket, p peer) {
	if p, ok := p.(paced); ok && p.due() != never {
		l.paced = append(l.paced, pacedPeer{p, len(l.conns)})
	}
	l.conns = append(l.conns, &conn{fd: s.fd, peer: p, left: s.said})
}

// now is the loop's clock in ns.
func (l *loop) now() int64 { return int64(time.Since(l.epoch)) }

// run drives the connections until the phase is stopped. It returns what went
// wrong with a connection; wrong answers are in the ledger.
func (l *loop) run() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if len(l.paced) > 0 {
		if err := sharpenTimers(); err != nil {
			return err
		}
	}
	if err := l.open(); err != nil {
		return err
	}
	for {
		wait := maxWait
		if l.spins {
			wait = 0
		}
		if len(l.paced) > 0 {
			wait = l.patience()
		}
		n, err := l.poller.wait(wait)
		if err != nil {
			return fmt.Errorf("waiting for sockets: %w", err)
		}
		phase := l.phase.Load()
		if phase == stopped {
			return nil
		}
		if phase != l.entered {
			l.entered = phase
			for _, one := range l.ledgers {
				one.enter(phase, l.now())
			}
		}
		for i := range n {
			if err := l.serve(l.poller.index(i)); err != nil {
				return err
			}
		}
		if len(l.paced) > 0 {
			if err := l.fire(phase < draining); err != nil {
				return err
			}
		}
		l.publish()
	}
}

// open starts all peers, in the order in which they were added.
func (l *loop) open() error {
	for i, c := range l.conns {
		if err := l.poller.watch(c.fd, i); err != nil {
			return fmt.Errorf("watching %s's socket: %w", c.peer, err)
		}
		l.out = c.peer.open(l.out[:0], l.now())
		if err := l.write(i, l.out); err != nil {
			return err
		}
	}
	l.publish()
	return nil
}

// serve reads what a connection has and writes what follows from it.
func (l *loop) serve(i int) error {
	c := l.conns[i]
	if len(c.pending) > 0 {
		return l.flush(i)
	}
	data, err := l.read(c)
	if err != nil {
		return fmt.Errorf("%s's connection broke while the round ran: %w (did the server stop, or refuse it?)", c.peer, err)
	}
	if data == nil {
		return nil
	}
	used, out, err := c.peer.receive(data, l.out[:0], l.now())
	l.out = out
	if err != nil {
		return fmt.Errorf("%s: %w", c.peer, err)
	}
	if used == 0 && len(data) == readBuffer {
		return fmt.Errorf("%s: a message of more than %d bytes", c.peer, readBuffer)
	}
	c.left = append(c.left[:0], data[used:]...)
	for c.single && len(out) > 0 {
		n := ownFrame(out)
		if err := l.write(i, out[:n]); err != nil {
			return err
		}
		out = out[n:]
	}
	return l.write(i, out)
}

// read reads what is there, behind what is left of the last read; nil is
// nothing. A little that is left moves to the loop's buffer. Much of it is
// part of a long message, to which it does not pay to be moved twice a read:
// the rest is read to where it lies.
func (l *loop) read(c *conn) (data []byte, err error) {
	const much = 2048
	buffer, held := l.in, len(c.left)
	if held >= much {
		c.left = slices.Grow(c.left, readBuffer-held)
		buffer = c.left[:readBuffer]
	} else {
		copy(buffer, c.left)
	}
	n, again, err := readSocket(c.fd, buffer[held:])
	switch {
	case err != nil || again:
		return nil, err
	case n == 0:
		return nil, io.ErrUnexpectedEOF
	}
	return buffer[:held+n], nil
}

// write sends out; what the kernel does not take now waits in pending.
func (l *loop) write(i int, out []byte) error {
	if len(out) == 0 {
		return nil
	}
	c := l.conns[i]
	if len(c.pending) > 0 {
		if 2*c.sent > len(c.pending) {
			c.pending, c.sent = c.pending[:copy(c.pending, c.pending[c.sent:])], 0
		}
		c.pending = append(c.pending, out...)
		return nil
	}
	n, _, err := writeSocket(c.fd, out)
	if err != nil {
		return fmt.Errorf("%s: sending to the server: %w", c.peer, err)
	}
	if n == len(out) {
		return nil
	}
	c.pending = append(c.pending[:0], out[n:]...)
	return l.poller.await(c.fd, i, true)
}

// flush sends what is pending.
func (l *loop) flush(i int) error {
	c := l.conns[i]
	n, _, err := writeSocket(c.fd, c.pending[c.sent:])
	if err != nil {
		return fmt.Errorf("%s: sending to the server: %w", c.peer, err)
	}
	if c.sent += n; c.sent < len(c.pending) {
		return nil
	}
	c.pending, c.sent = c.pending[:0], 0
	return l.poller.await(c.fd, i, false)
}

// publish shows the counts to the other goroutines.
func (l *loop) publish() {
	var answered, outstanding int64
	for _, one := range l.ledgers {
		answered += one.total
		outstanding += int64(one.outstanding)
	}
	l.answered.Store(answered)
	l.outstanding.Store(outstanding)
}

// close closes all sockets. The loop must have ended.
func (l *loop) close() {
	for _, c := range l.conns {
		closeSocket(c.fd)
	}
	l.poller.close()
}

// errInterrupted is returned when a signal ended the bench.
var errInterrupted = errors.New("interrupted")
