package conformance_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// tap stands between a proxy and a backend, passes everything on and remembers it. The proxy adds stamp to the head of
// every request that it means to send, which no client knows: so the tap can tell how many requests the proxy sent, from
// how many the backend answered.
type tap struct {
	ln      net.Listener
	backend string
	wg      sync.WaitGroup

	mu    sync.Mutex
	lines []*wire
}

const stamp = "stamped-by-the-proxy-8f1d3c"

// wire is one connection between proxy and backend.
type wire struct {
	ends []net.Conn

	mu       sync.Mutex
	up, down []byte
	stamps   int // in up
	marks    []mark

	judged, answers int  // how far down was looked at, and the answers in it
	isFaulty        bool // it was told
}

// mark says how many requests had gone up before what lies behind a place of what came down.
type mark struct{ down, requests int }

func (w *wire) sent(b []byte) {
	from := max(0, len(w.up)-len(stamp)+1)
	w.up = append(w.up, b...)
	w.stamps += bytes.Count(w.up[from:], []byte(stamp))
}

func (w *wire) received(b []byte) {
	w.marks = append(w.marks, mark{len(w.down), w.stamps})
	w.down = append(w.down, b...)
}

func startTap(t *testing.T, backend string) *tap {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{ln: ln, backend: backend}
	p.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.pass(c) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *tap) addr() string { return p.ln.Addr().String() }

// cut ends all connections.
func (p *tap) cut() {
	for _, w := range p.wires() {
		for _, c := range w.ends {
			_ = c.Close()
		}
	}
}

func (p *tap) wires() []*wire {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*wire(nil), p.lines...)
}

func (p *tap) pass(front net.Conn) {
	defer func() { _ = front.Close() }()
	back, err := net.Dial("tcp", p.backend)
	if err != nil {
		return
	}
	defer func() { _ = back.Close() }()
	w := &wire{ends: []net.Conn{front, back}}
	p.mu.Lock()
	p.lines = append(p.lines, w)
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { w.relay(back, front, w.sent) })
	both.Go(func() { w.relay(front, back, w.received) })
	both.Wait()
}

// relay notes bytes before it passes them on: so a request is always noted before its answer.
func (w *wire) relay(to, from net.Conn, note func([]byte)) {
	b := make([]byte, 16<<10)
	for {
		n, err := from.Read(b)
		if n > 0 {
			w.mu.Lock()
			note(b[:n])
			w.mu.Unlock()
			if _, err := to.Write(b[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_ = to.(*net.TCPConn).CloseWrite()
}

// faults looks at what is new on all connections, and returns what is wrong with it.
func (p *tap) faults() (all []error) {
	for _, w := range p.wires() {
		w.mu.Lock()
		if !w.isFaulty {
			if err := w.judge(); err != nil {
				w.isFaulty = true
				all = append(all, fmt.Errorf("%w\nthe proxy sent   ...%.1500q\nthe backend said ...%.1500q", err, tail(w.up), tail(w.down)))
			}
		}
		w.mu.Unlock()
	}
	return all
}

func tail(b []byte) []byte { return b[max(0, len(b)-1500):] }

// counts are how many connections there were, and how many requests the proxy sent over them.
func (p *tap) counts() (conns, requests int) {
	for _, w := range p.wires() {
		w.mu.Lock()
		requests += w.stamps
		w.mu.Unlock()
		conns++
	}
	return conns, requests
}

var (
	errMore   = errors.New("the backend gave more answers than the proxy sent requests")
	errNoHTTP = errors.New("the backend did not answer in HTTP")
	errTunnel = errors.New("the backend went on to answer in HTTP when it had agreed to another protocol")
)

// judge counts the answers of one connection: the k-th must not come before the proxy has sent the k-th request. That it
// gets as many in the end, and the right ones, is for probes to see.
func (w *wire) judge() error {
	source := bytes.NewReader(w.down[w.judged:])
	in := bufio.NewReader(source)
	for {
		res, err := http.ReadResponse(in, nil)
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errNoHTTP, err)
		}
		if sent := w.before(w.judged); sent <= w.answers {
			return fmt.Errorf("%w: answer %d to %d requests", errMore, w.answers+1, sent)
		}
		if res.StatusCode == http.StatusSwitchingProtocols {
			if rest, _ := io.ReadAll(in); bytes.Contains(rest, []byte("HTTP/1.")) {
				return errTunnel
			}
			return nil // it is judged anew when there is more
		}
		_, err = io.Copy(io.Discard, res.Body)
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil // it has not come whole yet
		case err != nil:
			return fmt.Errorf("%w: %w", errNoHTTP, err)
		case res.StatusCode >= 200:
			w.answers++
		}
		w.judged = len(w.down) - source.Len() - in.Buffered()
	}
}

// before is how many requests had been sent before what came down at a place.
func (w *wire) before(at int) int {
	for len(w.marks) > 1 && w.marks[1].down <= at {
		w.marks = w.marks[1:]
	}
	return w.marks[0].requests
}
