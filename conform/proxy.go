package conform

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// maxHead is the most bytes of a handshake's head.
const maxHead = 16 << 10

// handshakeTime is how long a peer of the proxy may take for its part of one.
const handshakeTime = 10 * time.Second

// premature is how long the answer to a handshake is held back, to see whether the worker waits for it.
const premature = 30 * time.Millisecond

// proxy stands between the worker and the server.
type proxy struct {
	recording *recording
	addr      string // where the worker connects

	mu       sync.Mutex
	listener net.Listener // nil: away
	target   string       // where the server listens
	refusing bool         // handshakes are answered with 503
	fresh    bool         // the next connection is the first of a process
	rewrite  rewriter
	links    []*link
	attempts []time.Time // of connecting
	requests []request
	all      sync.WaitGroup

	// Of a worker that leases over HTTP.
	leases  bool // it does
	callers map[*visit]bool
	hold    chan struct{}              // who asks for tasks is held until it is closed; nil: nobody is
	instead func(*call) *reply         // answers in place of the server, or changes what it is asked; nil: neither
	change  func(*call, []byte) []byte // changes the body of an answer; nil: none is changed
}

// rewriter gives the frames to send to the worker in place of a text message; false if it is to go as it is.
type rewriter func(m message, text []byte) ([]ws.Frame, bool)

// request is a handshake of the worker.
type request struct {
	head      *http.Request
	err       error // it is none
	answer    int   // status
	premature bool  // more came before the answer
}

// newProxy chooses a port that no client gets for its own end, so that it can be away and come back. It does not listen yet.
func newProxy(r *recording) (*proxy, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	return &proxy{recording: r, addr: net.JoinHostPort("127.0.0.1", port), callers: map[*visit]bool{}}, nil
}

// listenTime is how long the port is tried to get again: a process that is just being started may hold it for a moment.
const listenTime = 5 * time.Second

// listen takes connections until it is away or closed.
func (p *proxy) listen(ctx context.Context) error {
	l, err := net.Listen("tcp", p.addr)
	for began := time.Now(); err != nil; l, err = net.Listen("tcp", p.addr) {
		if time.Since(began) > listenTime || !sleep(ctx, 5*time.Millisecond) {
			return fmt.Errorf("listen for the worker: %w", err)
		}
	}
	p.mu.Lock()
	p.listener = l
	p.mu.Unlock()
	p.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.all.Go(func() { p.serve(c.(*net.TCPConn)) })
		}
	})
	return nil
}

// away stops listening. Connections stay.
func (p *proxy) away() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
}

func (p *proxy) close() {
	p.away()
	p.cut()
	p.all.Wait()
}

// cut loses all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	links, callers := p.links, slices.Collect(maps.Keys(p.callers))
	p.links = nil
	p.mu.Unlock()
	for _, l := range links {
		l.reset()
	}
	for _, v := range callers {
		v.reset()
	}
}

// current is the connection that was opened last; nil if there is none.
func (p *proxy) current() *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.links) == 0 {
		return nil
	}
	return p.links[len(p.links)-1]
}

// set changes what the proxy does.
func (p *proxy) set(f func(p *proxy)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

// serve passes one connection on.
func (p *proxy) serve(worker *net.TCPConn) {
	defer worker.Close()
	p.mu.Lock()
	p.attempts = append(p.attempts, time.Now())
	target, refusing := p.target, p.refusing
	p.mu.Unlock()
	if worker.SetDeadline(time.Now().Add(handshakeTime)) != nil {
		return
	}
	in := bufio.NewReader(worker)
	head, err := readHead(in)
	if err != nil {
		if len(head) > 0 || !errors.Is(err, io.EOF) {
			p.handshake(request{err: fmt.Errorf("read the head of a handshake: %w", err)})
		}
		return
	}
	if p.isHTTP(head) {
		p.visits(worker, head, in)
		return
	}
	if refusing {
		p.recording.happen(0, "a handshake was answered with 503")
		_, _ = io.WriteString(worker, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		return
	}
	server, err := net.DialTimeout("tcp", target, handshakeTime)
	if err != nil {
		p.recording.happen(0, "the server cannot be reached: %v", err)
		return
	}
	l := &link{proxy: p, worker: worker, server: server, fromWorker: in, fromServer: bufio.NewReader(server)}
	defer server.Close()
	if l.handshake(head) {
		l.pass()
	}
}

// isHTTP tells whether a connection is one of a worker that leases over HTTP: by its first request, or by what came before.
func (p *proxy) isHTTP(head []byte) bool {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err == nil && strings.HasPrefix(r.URL.Path, leasePath) {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leases
}

// handshake notes one.
func (p *proxy) handshake(r request) {
	p.set(func(p *proxy) { p.requests = append(p.requests, r) })
	if r.answer != http.StatusSwitchingProtocols {
		p.recording.happen(0, "a handshake was answered with %d (%v)", r.answer, r.err)
	}
}

// readHead reads to the empty line.
func readHead(in *bufio.Reader) (head []byte, err error) {
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		line, err := in.ReadSlice('\n')
		if head = append(head, line...); err != nil {
			return head, err
		}
		if len(head) > maxHead {
			return head, fmt.Errorf("it has more than %d bytes", maxHead)
		}
	}
	return head, nil
}

// handshake passes the handshake on, and reports whether it is a WebSocket now.
func (l *link) handshake(head []byte) bool {
	r := request{}
	r.head, r.err = http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	_, err := l.server.Write(head)
	if err == nil {
		var answer []byte
		if answer, err = readHead(l.fromServer); err == nil {
			_, _ = fmt.Sscanf(string(answer), "HTTP/1.1 %d", &r.answer)
			r.premature = l.premature()
			_, err = l.worker.Write(answer)
		}
	}
	l.proxy.handshake(r)
	if err != nil || r.answer != http.StatusSwitchingProtocols {
		return false
	}
	l.proxy.mu.Lock()
	first := l.proxy.fresh
	l.proxy.fresh = false
	l.proxy.recording.look(func(j *judge) { l.conn = j.open(first) })
	l.number = l.conn.number
	l.proxy.links = append(l.proxy.links, l)
	l.proxy.mu.Unlock()
	l.proxy.recording.happen(l.number, "connected to %s", strings.TrimSpace(r.target()))
	return l.worker.SetDeadline(time.Time{}) == nil
}

func (r request) target() string {
	if r.head == nil {
		return "?"
	}
	return r.head.RequestURI
}

// premature reports whether the worker has said more before the handshake is answered.
func (l *link) premature() bool {
	if l.fromWorker.Buffered() > 0 {
		return true
	}
	if l.worker.SetReadDeadline(time.Now().Add(premature)) != nil {
		return false
	}
	_, err := l.fromWorker.Peek(1)
	return err == nil
}
