package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// What the tests of overload share: what a process costs, and a pair whose tasks are timed beside others'.

// require fails a test for which the machine lacks something, where everything has to be tested, and skips it elsewhere.
func require(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("WORKMAN_REQUIRE") == "all" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// status is a number of the process's /proc status: VmRSS and VmHWM in KiB, say.
func (p *program) status(name string) int {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), name+":")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if !ok || err != nil {
		p.t.Fatalf("/proc says no %s: %v", name, err)
	}
	return n
}

// cpu is how much processor time the process has used.
func (p *program) cpu() time.Duration {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
}

// drain reads the log from now on, so that the process never waits for its reader, and returns what has come so far.
func (p *program) drain() func() string {
	var mu sync.Mutex
	var all strings.Builder
	go func() {
		for l := range p.log {
			mu.Lock()
			all.WriteString(l + "\n")
			mu.Unlock()
		}
	}()
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return all.String()
	}
}

// ask sends raw bytes on a connection of their own, and returns the first answer.
func ask(t *testing.T, addr, raw string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(c, raw) // the server may have answered and closed before all is written
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%v, for %.200q", err, raw)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// pair is a producer and a worker of one name, who do one task after another.
type pair struct {
	q, w *socket
	name string
}

func newPair(t *testing.T, addr, name string) pair {
	t.Helper()
	p := pair{openSocket(t, addr, "/websocket"), openSocket(t, addr, "/worker"), name}
	p.w.say(`{"action":"RegisterTask","name":"` + name + `"}`)
	p.w.say(`{"action":"GetTask"}`)
	return p
}

// task does one, and returns how long it took.
func (p pair) task() time.Duration {
	p.q.t.Helper()
	began := time.Now()
	p.q.say(`{"action":"RunTask","name":"` + p.name + `","nonce":1}`)
	p.w.say(`{"action":"SendResult","nonce":"` + tokenOf(p.w.t, p.w.hear()) + `","result":1}`)
	p.w.say(`{"action":"GetTask"}`)
	if got := p.q.hear(); got != `{"nonce":1,"result":1}` {
		p.q.t.Fatalf("got %s", got)
	}
	return time.Since(began)
}

func tokenOf(t testing.TB, task string) string {
	t.Helper()
	m := nonce.FindStringSubmatch(task[max(0, len(task)-40):])
	if m == nil {
		t.Fatalf("no task: %.100s", task)
	}
	return m[1]
}

// times does so many tasks, and on until the deed is done; it returns how long they took at the median and at the 99th
// percentile.
func (p pair) times(least int, done *atomic.Bool) (p50, p99 time.Duration) {
	var all []time.Duration
	for len(all) < least || done != nil && !done.Load() {
		all = append(all, p.task())
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)*99/100]
}

// frames is a message, or a control frame, many times over.
func frames(f ws.Frame, times int) []byte {
	return bytes.Repeat(ws.MustCompileFrame(ws.MaskFrame(f)), times)
}

// flood writes bytes over and over until the context ends or the connection does.
func flood(ctx context.Context, c net.Conn, b []byte) {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	for {
		_ = c.SetWriteDeadline(time.Now().Add(20 * time.Second))
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

// ended reads until the connection ends and returns the code of the close frame, 0 if none came, and the number of
// messages before it.
func (s *socket) ended() (code, messages int) {
	s.t.Helper()
	for {
		_ = s.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		h, err := ws.ReadHeader(s.in)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				s.t.Fatal(err)
			}
			return code, messages
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(s.in, payload); err != nil {
			return code, messages
		}
		switch h.OpCode {
		case ws.OpText:
			messages++
		case ws.OpClose:
			c, _ := ws.ParseCloseFrameData(payload)
			return int(c), messages
		}
	}
}
