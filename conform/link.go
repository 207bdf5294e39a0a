package conform

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// maxFrame is the most bytes of a frame that is passed on.
const maxFrame = 64 << 20

// link is one WebSocket of the worker, and the one to the server behind it.
type link struct {
	proxy      *proxy
	number     int   // as in the recording
	conn       *conn // the judge's; under the recording's lock
	worker     *net.TCPConn
	server     net.Conn
	fromWorker *bufio.Reader
	fromServer *bufio.Reader

	writing sync.Mutex // to the worker
	mu      sync.Mutex
	leaving bool          // the server's side is closed, by us
	thaw    chan struct{} // nil: passing on
}

// pass passes frames on until either side ends.
func (l *link) pass() {
	var back sync.WaitGroup
	back.Go(func() {
		l.passToWorker()
		if !l.isLeaving() {
			l.worker.Close()
		}
	})
	err := l.passToServer()
	l.server.Close()
	l.unfreeze()
	back.Wait()
	l.proxy.recording.look(func(*judge) { l.conn.ended = true })
	l.proxy.recording.happen(l.number, "the connection is over (%v)", err)
}

// errAnswered is why a connection ends in good order.
var errAnswered = errors.New("closed in good order")

// passToServer passes on what the worker says. Messages in fragments are recorded when they are whole.
func (l *link) passToServer() error {
	whole := entry{conn: l.number}
	masked := true
	for {
		f, err := readFrame(l.fromWorker)
		if err != nil {
			return err
		}
		plain := slices.Clone(f.Payload)
		if f.Header.Masked {
			ws.Cipher(plain, f.Header.Mask, 0)
		}
		good := true
		switch op := f.Header.OpCode; {
		case op.IsControl():
			good = l.proxy.recording.add(entry{conn: l.number, op: op, text: plain}, f.Header.Masked)
		default:
			if op != ws.OpContinuation {
				whole.op = op
			}
			whole.text, masked = append(whole.text, plain...), masked && f.Header.Masked
			if f.Header.Fin {
				good = l.proxy.recording.add(whole, masked)
				whole, masked = entry{conn: l.number}, true
			}
		}
		if !good || len(whole.text) > maxFrame {
			l.reset()
			return fmt.Errorf("the worker says too much: cut off after %d messages", maxEntries)
		}
		l.wait()
		switch leaving := l.isLeaving(); {
		case leaving && f.Header.OpCode == ws.OpClose:
			return errAnswered
		case !leaving:
			if err := ws.WriteFrame(l.server, f); err != nil && !l.isLeaving() {
				return fmt.Errorf("the server has closed it: %w", err)
			}
		}
	}
}

// passToWorker passes on what the server says, or what stands in its place. The server sends no fragments.
func (l *link) passToWorker() {
	for {
		f, err := readFrame(l.fromServer)
		if err != nil {
			return
		}
		l.wait()
		frames := []ws.Frame{f}
		if f.Header.OpCode == ws.OpText {
			frames = l.rewritten(f)
		}
		for _, f := range frames {
			if l.send(f) != nil {
				return
			}
		}
	}
}

// rewritten is what goes to the worker in place of a text.
func (l *link) rewritten(f ws.Frame) []ws.Frame {
	l.proxy.mu.Lock()
	rewrite := l.proxy.rewrite
	l.proxy.mu.Unlock()
	if rewrite == nil {
		return []ws.Frame{f}
	}
	m, err := parse(f.Payload)
	if err != nil {
		return []ws.Frame{f}
	}
	frames, yes := rewrite(m, f.Payload)
	if !yes {
		return []ws.Frame{f}
	}
	if len(frames) != 1 { // the parts of one, or none: the judge wants it whole
		l.proxy.recording.add(entry{conn: l.number, toWorker: true, lost: len(frames) == 0, op: ws.OpText, text: f.Payload}, true)
	}
	return frames
}

// send says something to the worker. Parts of a message are not recorded. What is recorded is written before anything else: so
// the pong to a later ping tells that the worker has it.
func (l *link) send(f ws.Frame) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if f.Header.Fin && f.Header.OpCode != ws.OpContinuation {
		l.proxy.recording.add(entry{conn: l.number, toWorker: true, op: f.Header.OpCode, text: f.Payload}, true)
	}
	return ws.WriteFrame(l.worker, f)
}

// readFrame reads one, as it is on the wire.
func readFrame(in io.Reader) (f ws.Frame, err error) {
	if f.Header, err = ws.ReadHeader(in); err != nil {
		return f, err
	}
	if f.Header.Length > maxFrame {
		return f, fmt.Errorf("a frame of %d bytes", f.Header.Length)
	}
	f.Payload = make([]byte, f.Header.Length)
	_, err = io.ReadFull(in, f.Payload)
	return f, err
}

func (l *link) isLeaving() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leaving
}

// leave closes the connection in good order, as a server that ends does: a close frame, and time to answer it.
func (l *link) leave(code ws.StatusCode) error {
	l.mu.Lock()
	l.leaving = true
	l.mu.Unlock()
	l.server.Close()
	if err := l.worker.SetReadDeadline(time.Now().Add(closeTime)); err != nil {
		return err
	}
	return l.send(ws.NewCloseFrame(ws.NewCloseFrameBody(code, "the server is ending")))
}

// closeTime is how long the worker has to answer a close frame; the server gives as much.
const closeTime = 2 * time.Second

// reset loses the connection: the worker is told so by its kernel.
func (l *link) reset() {
	l.proxy.recording.look(func(*judge) { l.conn.ended = true })
	_ = l.worker.SetLinger(0)
	l.worker.Close()
	l.server.Close()
	l.unfreeze()
}

// freeze passes nothing on any more, in either direction, as a network that is gone.
func (l *link) freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.thaw == nil {
		l.thaw = make(chan struct{})
	}
}

func (l *link) unfreeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.thaw != nil {
		close(l.thaw)
		l.thaw = nil
	}
}

// wait waits while the link is frozen.
func (l *link) wait() {
	l.mu.Lock()
	thaw := l.thaw
	l.mu.Unlock()
	if thaw != nil {
		<-thaw
	}
}
