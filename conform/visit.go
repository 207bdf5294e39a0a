package conform

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// visit is one connection of a worker that leases over HTTP.
type visit struct {
	proxy   *proxy
	worker  *net.TCPConn
	in      *bufio.Reader
	instead chan reply // to a request that waits at the server; the server forgets it

	mu     sync.Mutex
	server net.Conn // where the request that is under way was passed on; nil: none
}

// call is a request of the worker, as it came.
type call struct {
	number int
	head   *http.Request
	body   []byte
	closes bool // the worker wants the connection to end with it
}

// isLease tells whether it asks for tasks.
func (c *call) isLease() bool {
	return c.head.Method == http.MethodPost && c.head.URL.Path == leasePath
}

// leasePath is where tasks are asked for, and what is said of them is below it.
const leasePath = "/lease"

// reply is an answer to a worker.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// nothing is the answer to who asks for tasks when there are none.
var nothing = reply{http.StatusOK, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, []byte(`{"tasks":[]}`)}

// retryAfter is when who was refused may ask again.
const retryAfter = time.Second

// busy is the answer of a server that is too busy, or about to end.
func busy(status int) reply {
	return reply{status, http.Header{"Content-Type": {"application/problem+json"}, "Retry-After": {strconv.Itoa(int(retryAfter.Seconds()))}},
		fmt.Appendf(nil, `{"title":"%s","status":%d}`, http.StatusText(status), status)}
}

// visits serves a connection whose first bytes came already, to its end.
func (p *proxy) visits(worker *net.TCPConn, head []byte, rest *bufio.Reader) {
	v := &visit{proxy: p, worker: worker, in: bufio.NewReader(io.MultiReader(bytes.NewReader(head), rest)), instead: make(chan reply)}
	p.set(func(p *proxy) {
		p.leases = true
		p.callers[v] = true
	})
	defer p.set(func(p *proxy) { delete(p.callers, v) })
	for {
		c, err := v.read()
		if err != nil {
			return
		}
		a, err := v.answer(c)
		if err != nil || v.write(c, a) != nil || c.closes {
			p.recording.over(c, err)
			return
		}
	}
}

// read reads a request. Between two the connection may end.
func (v *visit) read() (*call, error) {
	if err := v.worker.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	if _, err := v.in.Peek(1); err != nil {
		return nil, err
	}
	if err := v.worker.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return nil, err
	}
	c := &call{}
	var err error
	if c.head, err = http.ReadRequest(v.in); err == nil {
		if strings.EqualFold(c.head.Header.Get("Expect"), "100-continue") {
			_, err = io.WriteString(v.worker, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		if err == nil {
			c.body, err = io.ReadAll(io.LimitReader(c.head.Body, maxFrame))
		}
	}
	if err != nil {
		v.proxy.recording.look(func(j *judge) { j.fault("requests", "what came is no HTTP request: %v", err) })
		return nil, err
	}
	c.closes, c.head.Close = c.head.Close, true
	c.head.Header.Del("Expect")
	if !v.proxy.recording.calls(c) {
		return nil, fmt.Errorf("the worker says too much: cut off after %d messages", maxEntries)
	}
	return c, nil
}

// answer finds what a request is answered with: what the exam wants, or what the server says.
func (v *visit) answer(c *call) (a reply, err error) {
	var hold chan struct{}
	var instead func(*call) *reply
	v.proxy.set(func(p *proxy) { hold, instead = p.hold, p.instead })
	if hold != nil && c.isLease() {
		select {
		case <-hold:
		case a = <-v.instead:
			return a, nil
		}
	}
	if instead != nil {
		if a := instead(c); a != nil {
			return *a, nil
		}
	}
	if a, err = v.pass(c); err != nil {
		return a, err
	}
	var change func(*call, []byte) []byte
	v.proxy.set(func(p *proxy) { change = p.change })
	if change != nil {
		a.body = change(c, a.body)
	}
	return a, nil
}

// errGone is why a request is not answered.
var errGone = errors.New("the worker has gone")

// pass passes a request on, and waits for its answer, for one that stands in its place, or for the worker to go.
func (v *visit) pass(c *call) (a reply, err error) {
	var target string
	v.proxy.set(func(p *proxy) { target = p.target })
	server, err := net.DialTimeout("tcp", target, handshakeTime)
	if err != nil {
		return a, fmt.Errorf("the server cannot be reached: %w", err)
	}
	v.mu.Lock()
	v.server = server
	v.mu.Unlock()
	answered, gone := make(chan struct{}), make(chan struct{})
	var failed, left error
	go func() {
		defer close(answered)
		failed = a.from(server, c)
	}()
	go func() {
		defer close(gone)
		_, left = v.in.Peek(1) // what comes behind the request waits
	}()
	other, err := v.wait(c, answered, gone, &left)
	server.Close()
	<-answered
	stop := v.worker.SetReadDeadline(time.Unix(1, 0)) // that is the end of the Peek; so is a connection that is closed
	<-gone
	if other != nil {
		return *other, nil
	}
	return a, cmp.Or(err, failed, stop)
}

// wait waits until a request is answered by the server or, if it asks for tasks, by the exam; or until the worker has gone.
func (v *visit) wait(c *call, answered, gone chan struct{}, left *error) (other *reply, err error) {
	instead := v.instead
	if !c.isLease() {
		instead = nil
	}
	select {
	case <-answered:
	case r := <-instead:
		return &r, nil
	case <-gone:
		if *left != nil {
			return nil, errGone
		}
		<-answered // it has said more already
	}
	return nil, nil
}

// from sends a request to the server, and reads its answer.
func (a *reply) from(server net.Conn, c *call) error {
	c.head.Body, c.head.ContentLength, c.head.TransferEncoding = io.NopCloser(bytes.NewReader(c.body)), int64(len(c.body)), nil
	if err := c.head.Write(server); err != nil {
		return err
	}
	r, err := http.ReadResponse(bufio.NewReader(server), c.head)
	if err != nil {
		return err
	}
	a.status, a.header = r.StatusCode, r.Header
	a.body, err = io.ReadAll(r.Body)
	return err
}

// write answers the worker.
func (v *visit) write(c *call, a reply) error {
	v.proxy.recording.answered(c, a)
	if err := v.worker.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return err
	}
	r := http.Response{
		StatusCode: a.status, ProtoMajor: 1, ProtoMinor: 1, Header: a.header.Clone(), Request: c.head, Close: c.closes,
		Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)),
	}
	r.Header.Del("Connection")
	return r.Write(v.worker)
}

// reset loses the connection: the worker is told so by its kernel.
func (v *visit) reset() {
	_ = v.worker.SetLinger(0)
	v.worker.Close()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.server != nil {
		v.server.Close()
	}
}

// interrupt answers all who wait for tasks.
func (p *proxy) interrupt(a reply) {
	var all []*visit
	p.set(func(p *proxy) {
		for v := range p.callers {
			all = append(all, v)
		}
	})
	for _, v := range all {
		select {
		case v.instead <- a:
		default: // it does not wait
		}
	}
}
