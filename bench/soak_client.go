package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxSoakMessage is the longest message taken from a server, in bytes.
const maxSoakMessage = 4 << 20

// client is one connection of the soak. One goroutine reads; any may write. It
// blocks, unlike the clients of the scenarios: at a bounded rate that is
// simpler, and the load is not what is measured.
type client struct {
	name    string
	load    *load
	conn    net.Conn
	r       *bufio.Reader
	leaving atomic.Bool // it may not answer what it was given any more
	waiting atomic.Int64
	message []byte // the last that was read

	mu   sync.Mutex // for what follows: writing
	mask mask
	out  []byte
	bye  bool // a close frame was sent
	once sync.Once
}

// connect opens a connection, which is closed at the end of the soak. within
// bounds all that is done on it; 0 is for those that stay.
func (l *load) connect(name string, within time.Duration) (*client, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(l.life, "tcp", l.addr)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	p := &client{name: name, load: l, conn: conn, mask: newMask(rand.Uint64())}
	p.r = bufio.NewReaderSize(conn, 16<<10)
	l.admit(p)
	if within > 0 {
		return p, conn.SetDeadline(time.Now().Add(within))
	}
	return p, nil
}

// websocket opens a WebSocket.
func (l *load) websocket(name, path string, within time.Duration) (*client, error) {
	p, err := l.connect(name, within)
	if err != nil {
		return nil, err
	}
	said, err := handshake(p.conn, l.addr, path)
	if err == nil {
		deadline := time.Time{}
		if within > 0 {
			deadline = time.Now().Add(within)
		}
		err = p.conn.SetDeadline(deadline)
	}
	if err != nil {
		p.close()
		return nil, fmt.Errorf("opening a WebSocket: %w", err)
	}
	p.r = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(said), p.conn), 16<<10)
	return p, nil
}

// close ends the connection. It can be called again.
func (p *client) close() {
	p.once.Do(func() {
		p.leaving.Store(true)
		p.load.forget(p)
		p.conn.Close()
	})
}

// vanish leaves without a word: what it asked for is nobody's. reset sends an
// RST instead of a FIN.
func (p *client) vanish(reset bool) {
	p.load.book.abandon(p)
	p.leaving.Store(true)
	if reset {
		p.conn.(*net.TCPConn).SetLinger(0) //nolint:errcheck // then it is a FIN
	}
	p.close()
}

// String names the client in faults.
func (p *client) String() string { return p.name }

// raw sends bytes as they are.
func (p *client) raw(text string) error {
	_, err := io.WriteString(p.conn, text)
	return err
}

// text sends messages in one write, each in one frame.
func (p *client) text(messages ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = p.out[:0]
	for _, m := range messages {
		p.out = p.mask.appendFrame(p.out, opText, m)
	}
	return p.flush()
}

// fragments sends a message in up to five frames, with a ping between two.
func (p *client) fragments(r *rand.Rand, message string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = p.out[:0]
	for opcode, left := byte(opText), 1+r.IntN(5); left > 0; left-- {
		n := len(message)
		if left > 1 {
			n = r.IntN(n + 1) // an empty one is allowed
		}
		start := len(p.out)
		p.out = p.mask.appendFrame(p.out, opcode, message[:n])
		if left > 1 {
			p.out[start] &^= 0x80
		}
		if left == 2 {
			p.out = p.mask.appendFrame(p.out, opPing, "between")
		}
		message, opcode = message[n:], 0
	}
	return p.flush()
}

// flush writes out, whose memory it keeps unless it is large.
func (p *client) flush() error {
	_, err := p.conn.Write(p.out)
	if cap(p.out) > 64<<10 {
		p.out = nil
	}
	return err
}

// say sends a message, now and then in fragments.
func (p *client) say(r *rand.Rand, message string) error {
	if r.IntN(32) == 0 {
		return p.fragments(r, message)
	}
	return p.text(message)
}

// next reads the next message, and answers pings on the way. It is good until
// the next call.
func (p *client) next() ([]byte, error) {
	for {
		message, err := p.step()
		if message != nil || err != nil {
			return message, err
		}
	}
}

// step reads one frame: a message, or a control frame, which it answers; then
// the message is nil.
func (p *client) step() ([]byte, error) {
	f, err := p.frame()
	if err != nil || f.opcode == opText {
		return f.payload, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out, err = p.mask.control(f, p.out[:0])
	if err == nil && len(p.out) > 0 {
		err = p.flush()
	}
	return nil, err
}

// frame reads one frame.
func (p *client) frame() (frame, error) {
	head, err := p.r.Peek(2)
	if err != nil {
		return frame{}, err
	}
	opcode, size, skip := head[0]&0xf, int(head[1]), 2
	switch {
	case head[0]&0xf0 != 0x80 || opcode == 0 || size&0x80 != 0:
		return frame{}, fmt.Errorf("a frame that begins % x: the bench takes whole, unmasked ones without extensions", head)
	case size == 126:
		if head, err = p.r.Peek(4); err != nil {
			return frame{}, err
		}
		size, skip = int(binary.BigEndian.Uint16(head[2:])), 4
	case size == 127:
		if head, err = p.r.Peek(10); err != nil {
			return frame{}, err
		}
		n := binary.BigEndian.Uint64(head[2:])
		if n > maxSoakMessage {
			return frame{}, fmt.Errorf("a frame of %d bytes: the soak takes at most %d", n, maxSoakMessage)
		}
		size, skip = int(n), 10
	}
	p.r.Discard(skip) //nolint:errcheck // it was peeked at
	if p.message == nil || cap(p.message) < size || cap(p.message) > 64<<10 && size < 4<<10 {
		p.message = make([]byte, size)
	}
	p.message = p.message[:size]
	if _, err = io.ReadFull(p.r, p.message); err != nil {
		return frame{}, err
	}
	return frame{opcode, p.message}, nil
}

// ended reads until the server closes, and returns the code of its close
// frame, or 0 if there was none. What else comes is not looked at.
func (p *client) ended() (code int, err error) {
	for {
		f, err := p.frame()
		switch {
		case err != nil && code == 0:
			return 0, fmt.Errorf("the connection ended without a close frame: %w", err)
		case errors.Is(err, io.EOF):
			return code, nil
		case err != nil:
			return code, err
		case f.opcode == opClose && len(f.payload) >= 2:
			code = int(binary.BigEndian.Uint16(f.payload))
			p.sayClose(string(f.payload[:2])) // the server may have gone; then the next read says so
		}
	}
}

// sayClose sends a close frame, unless that was done before.
func (p *client) sayClose(payload string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bye {
		return nil
	}
	p.bye = true
	p.out = p.mask.appendFrame(p.out[:0], opClose, payload)
	return p.flush()
}

// goodbye closes in good order (RFC 6455 7.1.1): a close frame there, one
// back, and the server ends the connection.
func (p *client) goodbye() error {
	p.leaving.Store(true)
	if err := p.sayClose("\x03\xe8bye"); err != nil {
		return fmt.Errorf("sending a close frame: %w", err)
	}
	code, err := p.ended()
	if err == nil && code != 1000 {
		err = errors.New("it should be 1000")
	}
	if err != nil {
		return fmt.Errorf("closing with 1000 was answered with %d: %w", code, err)
	}
	return nil
}

// response is an HTTP answer.
type response struct {
	status int
	body   []byte
	closed bool // the server says it closes
}

// respond reads one answer, those that are interim left out.
func (p *client) respond() (response, error) {
	for {
		got, err := http.ReadResponse(p.r, nil)
		if err != nil {
			return response{}, fmt.Errorf("reading an answer: %w", err)
		}
		body, err := io.ReadAll(got.Body)
		if err != nil {
			return response{}, fmt.Errorf("reading an answer's body: %w", err)
		}
		if got.StatusCode >= 200 {
			return response{got.StatusCode, body, got.Close}, nil
		}
	}
}

// request is the text of an HTTP request.
func (l *load) request(method, path, body string, headers ...string) string {
	var b strings.Builder
	b.Grow(len(body) + 200)
	b.WriteString(method + " " + path + " HTTP/1.1\r\nHost: " + l.addr + "\r\n")
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	if body != "" {
		b.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	b.WriteString("\r\n" + body)
	return b.String()
}

// chunked is the same with the body in chunks.
func (l *load) chunked(r *rand.Rand, method, path, body string, headers ...string) string {
	var b strings.Builder
	b.WriteString(l.request(method, path, "", append(headers, "Transfer-Encoding: chunked")...))
	for len(body) > 0 {
		n := 1 + r.IntN(len(body))
		b.WriteString(strconv.FormatInt(int64(n), 16) + "\r\n" + body[:n] + "\r\n")
		body = body[n:]
	}
	b.WriteString("0\r\n\r\n")
	return b.String()
}

// exchange sends a request and reads its answer.
func (p *client) exchange(request string) (response, error) {
	if err := p.raw(request); err != nil {
		return response{}, fmt.Errorf("sending a request: %w", err)
	}
	return p.respond()
}
