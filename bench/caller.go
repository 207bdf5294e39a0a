package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
)

// caller is a WebSocket client that blocks. It is for what is prepared before
// a load and collected after it: there are few of them, and each is used by
// one goroutine that reads and one that writes.
type caller struct {
	conn net.Conn
	mask mask
	in   []byte // received
	read int    // of it
	out  []byte
	stop func() bool
}

// chunk is how many bytes a caller writes at a time, at least.
const chunk = 64 << 10

// openCaller connects to a WebSocket of the server at addr. It is closed when
// ctx ends, so that nobody waits for ever.
func openCaller(ctx context.Context, addr, path string) (*caller, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connecting to the server: %w", err)
	}
	said, err := handshake(conn, addr, path)
	if err == nil {
		err = conn.SetDeadline(noDeadline)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("opening a WebSocket at ws://%s%s: %w", addr, path, err)
	}
	return &caller{conn: conn, mask: newMask(0x9e3779b97f4a7c15), in: said, stop: context.AfterFunc(ctx, func() { conn.Close() })}, nil
}

// close ends the connection.
func (c *caller) close() {
	c.stop()
	c.conn.Close()
}

// next is the next message. It is good until the next call. Pings are
// answered.
func (c *caller) next() ([]byte, error) {
	for {
		f, size, err := nextFrame(c.in[c.read:])
		if err != nil {
			return nil, err
		}
		if c.read += size; size > 0 && f.opcode == opText {
			return f.payload, nil
		}
		if size > 0 {
			pong, err := c.mask.control(f, nil)
			if err == nil && len(pong) > 0 {
				_, err = c.conn.Write(pong)
			}
			if err != nil {
				return nil, err
			}
			continue
		}
		if err := c.more(); err != nil {
			return nil, err
		}
	}
}

// whole says whether next would return without waiting.
func (c *caller) whole() bool {
	_, size, err := nextFrame(c.in[c.read:])
	return size > 0 || err != nil
}

// more reads what comes.
func (c *caller) more() error {
	c.in = c.in[:copy(c.in, c.in[c.read:])]
	c.read = 0
	c.in = slices.Grow(c.in, readBuffer)
	n, err := c.conn.Read(c.in[len(c.in):cap(c.in)])
	c.in = c.in[:len(c.in)+n]
	if n == 0 && err != nil {
		return fmt.Errorf("waiting for the server: %w", err)
	}
	return nil
}

// write sends a message, together with those before and after it: flush sends
// the last.
func (c *caller) write(message []byte) error {
	c.out = c.mask.appendFrame(c.out, opText, string(message))
	if len(c.out) < chunk {
		return nil
	}
	return c.flush()
}

// flush sends what has been written.
func (c *caller) flush() error {
	_, err := c.conn.Write(c.out)
	c.out = c.out[:0]
	if err != nil {
		return fmt.Errorf("sending to the server: %w", err)
	}
	return nil
}

// answers waits for the answers to n requests with the nonces 0 to n-1, in any
// order, and gives check the result of each; progress is told how many there
// are so far.
func (c *caller) answers(n int, check func(result []byte) error, progress func(int)) error {
	seen := make([]bool, n)
	for i := range n {
		text, err := c.next()
		if err != nil {
			return fmt.Errorf("answer %d of %d: %w", i+1, n, err)
		}
		nonce, result, ok := cutAnswer(text)
		if !ok || nonce >= n || seen[nonce] {
			return fmt.Errorf("answer %d of %d is %.200q, which nobody asked for", i+1, n, text)
		}
		seen[nonce] = true
		if err := check(result); err != nil {
			return err
		}
		if i&1023 == 0 || i == n-1 {
			progress(i + 1)
		}
	}
	return nil
}

// cutAnswer takes {"nonce":N,"result":R} apart.
func cutAnswer(text []byte) (nonce int, result []byte, ok bool) {
	const head, middle = `{"nonce":`, `,"result":`
	if len(text) < len(head)+len(middle)+2 || string(text[:len(head)]) != head || text[len(text)-1] != '}' {
		return 0, nil, false
	}
	end := len(head)
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	nonce, err := strconv.Atoi(string(text[len(head):end]))
	if err != nil || len(text) < end+len(middle)+1 || string(text[end:end+len(middle)]) != middle {
		return 0, nil, false
	}
	return nonce, text[end+len(middle) : len(text)-1], true
}
