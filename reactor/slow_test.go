package reactor_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"workman/reactor"
)

// short makes all that waits for peers wait for a second.
func short(cfg *reactor.Config) {
	cfg.HeadTime, cfg.RateTime, cfg.IdleTime, cfg.QuietTime = time.Second, time.Second, time.Second, 2*time.Second
	cfg.CloseTime, cfg.MessageTime = time.Second, time.Second
}

// drip writes text so many bytes at a time, one such every 50 ms, until it is all written or the other side answers; it
// returns the status of the answer (0: the connection ended without one) and how long that took.
func drip(c net.Conn, text string, each int) (status int, took time.Duration) {
	began := time.Now()
	done := make(chan int, 1)
	go func() {
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			done <- 0
			return
		}
		_ = res.Body.Close()
		done <- res.StatusCode
	}()
	pace := time.NewTicker(50 * time.Millisecond)
	defer pace.Stop()
	for {
		select {
		case status = <-done:
			return status, time.Since(began)
		case <-pace.C:
			n := min(each, len(text))
			_, _ = io.WriteString(c, text[:n]) // it may have been closed just now
			text = text[n:]
		}
	}
}

const lengthy = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"

// TestL12SlowHeads: a head that comes a byte at a time is answered with 408 when its time is over.
func TestL12SlowHeads(t *testing.T) {
	t.Parallel()
	s, _ := listen(t, short)
	status, took := drip(dial(t, s), "GET / HTTP/1.1\r\nX: "+strings.Repeat("x", 1000), 1)
	if status != 408 || took < time.Second || took > 4*time.Second {
		t.Errorf("status %d after %v, want 408 after 1 s to 3 s", status, took)
	}
}

// TestL12SlowBodies: a body that comes at less than the least rate is answered with 408, with a Content-Length and in
// chunks; one that comes a little faster is not, however long it takes.
func TestL12SlowBodies(t *testing.T) {
	t.Parallel()
	s, _ := listen(t, short)
	const chunked = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
	var all sync.WaitGroup
	for _, c := range []struct {
		what, head, body string
		each, status     int
		least, most      time.Duration
	}{
		{"slow", fmt.Sprintf(lengthy, 10_000, ""), strings.Repeat("x", 10_000), 20, 408, time.Second, 4 * time.Second},
		{"slow in chunks", chunked, strings.Repeat("1\r\nx\r\n", 2000), 20, 408, time.Second, 4 * time.Second},
		{"fast enough", fmt.Sprintf(lengthy, 10_000, ""), strings.Repeat("x", 10_000), 100, 200, 4 * time.Second, 20 * time.Second},
		{"fast, then slow", fmt.Sprintf(lengthy, 10_000, strings.Repeat("x", 2000)), strings.Repeat("x", 8000), 1, 408, 1500 * time.Millisecond, 6 * time.Second},
		{"nothing at all", fmt.Sprintf(lengthy, 10, ""), "", 0, 408, time.Second, 4 * time.Second},
	} {
		all.Go(func() {
			p := dial(t, s)
			_, _ = io.WriteString(p, c.head)
			status, took := drip(p, c.body, c.each)
			t.Logf("%s: %d after %v", c.what, status, took)
			if status != c.status || took < c.least || took > c.most {
				t.Errorf("%s: status %d after %v, want %d after %v to %v", c.what, status, took, c.status, c.least, c.most)
			}
		})
	}
	all.Wait()
}

// TestL12SlowMessages: half a WebSocket message is not kept for ever.
func TestL12SlowMessages(t *testing.T) {
	t.Parallel()
	s, _ := listen(t, short)
	p := dial(t, s).upgrade()
	began := time.Now()
	p.send("\x81\xff\x00\x00\x00\x00\x00\x01\x00\x00mask" + strings.Repeat("x", 6000)) // of 65536
	if got := p.hear(); got != "close 1008" {
		t.Errorf("half a message: %s", got)
	}
	if took := time.Since(began); took < time.Second || took > 5*time.Second {
		t.Errorf("half a message was kept for %v, want 1 s to 4 s", took)
	}
}

// TestL12Idle: a connection that asks nothing is closed without a word, before its first request and behind one; a
// WebSocket may be silent for as long as it likes.
func TestL12Idle(t *testing.T) {
	t.Parallel()
	s, _ := listen(t, short)
	silent, behind, socket := dial(t, s), dial(t, s), dial(t, s).upgrade()
	behind.post("one")
	began := time.Now()
	for _, p := range []*peer{silent, behind} {
		if rest, err := io.ReadAll(p.in); len(rest) > 0 || err != nil {
			t.Errorf("an idle connection ended with %q, %v", rest, err)
		}
	}
	if took := time.Since(began); took < time.Second || took > 4*time.Second {
		t.Errorf("idle connections were closed after %v, want 1 s to 3 s", took)
	}
	socket.say("still here")
	if got := socket.hear(); got != "still here" {
		t.Errorf("the silent WebSocket got %s", got)
	}
}

// TestL12AThousandSlow: a thousand clients that send their heads and bodies a byte at a time, one behind another, leave
// others served as before.
func TestL12AThousandSlow(t *testing.T) {
	s, _ := listen(t, func(cfg *reactor.Config) {
		short(cfg)
		cfg.HeadTime, cfg.RateTime = 3*time.Second, 3*time.Second
	})
	p := dial(t, s)
	alone := p.p99(func() bool { return true })
	const n = 1000
	slow := make([]net.Conn, n)
	for i := range slow {
		c, err := net.Dial("tcp", s.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if i%2 == 0 {
			_, _ = fmt.Fprintf(c, lengthy, 100_000, "")
		}
		slow[i] = c
	}
	stop := make(chan struct{})
	var dripping sync.WaitGroup
	dripping.Go(func() {
		pace := time.NewTicker(100 * time.Millisecond)
		defer pace.Stop()
		for {
			select {
			case <-stop:
				return
			case <-pace.C:
				for _, c := range slow {
					_, _ = io.WriteString(c, "x") // until it is closed
				}
			}
		}
	})
	waitFor(t, "all to be there", func() bool { return s.Conns() == n+1 })
	beside := p.p99(func() bool { return s.Conns() < n/2 })
	waitFor(t, "the slow ones to be closed", func() bool { return s.Conns() == 1 })
	close(stop)
	dripping.Wait()
	t.Logf("p99 of a request: alone %v, beside %d slow clients %v", alone, n, beside)
	if beside > max(20*alone, 100*time.Millisecond) {
		t.Errorf("the p99 of a request beside %d slow clients is %v, and %v alone", n, beside, alone)
	}
}

// p99 of the time that a request takes: a thousand, and on until enough.
func (p *peer) p99(enough func() bool) time.Duration {
	p.t.Helper()
	var all []time.Duration
	for len(all) < 1000 || !enough() {
		_ = p.SetDeadline(time.Now().Add(patience))
		began := time.Now()
		p.post("a request")
		all = append(all, time.Since(began))
	}
	slices.Sort(all)
	return all[len(all)*99/100]
}
