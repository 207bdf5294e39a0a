package conformance_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// naive is a server as they used to be: it makes something of everything. Behind a proxy it is a danger to all others who
// use the proxy, and it is here to show that the tests would notice.
type naive struct {
	ln net.Listener
	wg sync.WaitGroup
	mu sync.Mutex
	in map[net.Conn]bool
}

func startNaive(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &naive{ln: ln, in: map[net.Conn]bool{}}
	n.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			n.mu.Lock()
			n.in[c] = true
			n.mu.Unlock()
			n.wg.Go(func() { n.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		n.mu.Lock()
		for c := range n.in {
			_ = c.Close()
		}
		n.mu.Unlock()
		n.wg.Wait()
	})
	return ln.Addr().String()
}

func (n *naive) serve(c net.Conn) {
	defer func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.in, c)
		_ = c.Close()
	}()
	in := bufio.NewReader(c)
	for {
		body, err := n.request(in)
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
			return
		}
	}
}

// request reads a request in the way of naive servers: any line end will do, names are what CGI makes of them, the first
// digits of a length count, and only a POST has a body.
func (n *naive) request(in *bufio.Reader) (body string, err error) {
	first := ""
	for strings.TrimSpace(first) == "" {
		if first, err = in.ReadString('\n'); err != nil {
			return "", err
		}
	}
	fields := map[string]string{}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		if line = strings.TrimSpace(line); line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		name = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-")
		fields[name] = strings.TrimSpace(value)
	}
	if !strings.HasPrefix(first, "POST") {
		return "", nil
	}
	if length, ok := leading(fields["content-length"], 10); ok {
		return n.take(in, length)
	}
	if !strings.Contains(strings.ToLower(fields["transfer-encoding"]), "chunked") {
		return "", nil
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		size, _ := leading(line, 16)
		part, err := n.take(in, size)
		if err == nil {
			_, err = in.ReadString('\n')
		}
		if body += part; err != nil || size == 0 {
			return body, err
		}
	}
}

func (*naive) take(in io.Reader, n int64) (string, error) {
	b, err := io.ReadAll(io.LimitReader(in, n))
	if err == nil && int64(len(b)) < n {
		err = io.ErrUnexpectedEOF
	}
	return string(b), err
}

// leading is the number that a text begins with, more or less.
func leading(s string, base int) (int64, bool) {
	s = strings.TrimPrefix(strings.TrimLeft(s, " \t+0x"), "\"")
	end := 0
	for end < len(s) && end < 8 {
		if _, err := strconv.ParseInt(s[end:end+1], base, 64); err != nil {
			break
		}
		end++
	}
	n, err := strconv.ParseInt("0"+s[:end], base, 64)
	return n, err == nil && end > 0
}

// TestProxiesNotice: with a naive backend, the same payloads through the same proxies are found to do harm, in both ways
// that there are.
func TestProxiesNotice(t *testing.T) {
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			c := newChain(t, p, startNaive(t))
			for _, pl := range controls[:1] {
				if err := c.attack(t, pl, whole); err != nil {
					t.Errorf("it finds fault with what is harmless: %v", err)
				}
			}
			c.wait = time.Second // what is late in here is wrong as well
			found := map[error]int{}
			for _, pl := range corpus()[len(controls):] {
				for name, hidden := range hiding {
					err := c.attack(t, pl, hidden)
					if err == nil {
						continue
					}
					t.Logf("%s, %s: %.150s", pl.name, name, err)
					for _, kind := range []error{errMore, errShifted} {
						if errors.Is(err, kind) {
							found[kind]++
						}
					}
					c.tap.cut() // the poison is not to spread to the next
				}
				if found[errMore] > 1 && found[errShifted] > 1 {
					return
				}
			}
			t.Errorf("there is more to be found than %v", found)
		})
	}
}

// TestDirectNotices: nor would a naive server pass when asked directly.
func TestDirectNotices(t *testing.T) {
	b := backend{addr: startNaive(t), isEcho: true, isNaive: true}
	passed, failed := 0, 0
	for i, p := range controls {
		if err := direct(t, b, p, marker(i), atOnce); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
	for i, p := range corpus()[len(controls):] {
		if direct(t, b, p, marker(i), atOnce) == nil {
			passed++
		} else {
			failed++
		}
	}
	t.Logf("%d pass, %d fail", passed, failed)
	if failed < passed {
		t.Errorf("only %d fail", failed)
	}
}
