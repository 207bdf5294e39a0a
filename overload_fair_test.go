package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"workman/protocol"
)

// A flood is a connection that does something as fast as it can, until the context ends.
type aFlood struct {
	what string
	run  func(ctx context.Context, t *testing.T, addr string)
}

// repeat floods one connection after another with the same bytes, and throws away what comes back.
func repeat(path string, b []byte) func(context.Context, *testing.T, string) {
	return func(ctx context.Context, t *testing.T, addr string) {
		for ctx.Err() == nil {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			go func() { _, _ = io.Copy(io.Discard, c) }()
			head := ""
			if path != "" {
				head = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
					"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
			}
			_, _ = io.WriteString(c, head)
			flood(ctx, c, b)
			_ = c.Close()
		}
	}
}

// tasks floods a name with the smallest tasks there are, and works them off itself.
func tasks(name string) func(context.Context, *testing.T, string) {
	return func(ctx context.Context, t *testing.T, addr string) {
		w := openSocket(t, addr, "/worker")
		var all sync.WaitGroup
		all.Go(func() { workOff(ctx, w, name) })
		repeat("/websocket", bytes.Repeat(clientFrame(`{"action":"RunTask","name":"`+name+`","nonce":1}`), 1000))(ctx, t, addr)
		all.Wait()
	}
}

// workOff takes up to 64 tasks at a time and answers them, until the context ends.
func workOff(ctx context.Context, w *socket, name string) {
	stop := context.AfterFunc(ctx, func() { _ = w.conn.Close() })
	defer stop()
	get := clientFrame(`{"action":"GetTask"}`)
	_, _ = w.conn.Write(append(clientFrame(`{"action":"RegisterTask","name":"`+name+`"}`), bytes.Repeat(get, 64)...))
	b := make([]byte, 64<<10)
	mark := []byte(`"nonce":"`)
	for kept := 0; ; {
		n, err := w.in.Read(b[kept:])
		if err != nil {
			return
		}
		text := b[:kept+n]
		var out []byte
		for {
			i := bytes.Index(text, mark)
			if i < 0 || len(text) < i+len(mark)+24 {
				break
			}
			text = text[i+len(mark):]
			out = append(out, clientFrame(`{"action":"SendResult","nonce":"`+string(text[:24])+`","result":1}`)...)
			out = append(out, get...)
		}
		kept = copy(b, text[max(0, len(text)-100):])
		if _, err := w.conn.Write(out); err != nil {
			return
		}
	}
}

// floods are what TestFairShare tries. Each runs in a process of its own, with the least priority: what is measured is
// the server's fairness, and not the machine's.
var floods = []aFlood{
	{"tasks of its own name, with a worker", tasks("flood")},
	{"tasks that nobody does", repeat("/websocket", bytes.Repeat(clientFrame(`{"action":"RunTask","name":"flood","nonce":1}`), 1000))},
	{"lists", repeat("/websocket", bytes.Repeat(clientFrame(`{"action":"GetTasks"}`), 1000))},
	{"lists over HTTP", repeat("", bytes.Repeat([]byte(getTasks), 100))},
	{"schedules", repeat("/websocket", bytes.Repeat(clientFrame(`{"action":"ScheduleTask","name":"later","when":"2099-01-01T00:00:00Z"}`), 1000))},
	{"pings", repeat("/websocket", append(frames(ws.NewPingFrame([]byte("hello")), 1000), clientFrame(`{"action":"UnscheduleTask","id":"x"}`)...))},
	{"invalid messages", repeat("/websocket", frames(ws.NewTextFrame([]byte("nonsense")), protocol.MaxInvalid+10))},
	{"results of no task", repeat("/worker", bytes.Repeat(clientFrame(`{"action":"SendResult","nonce":"000000000000000000000000","result":1}`), 1000))},
	{"names registered", repeat("/worker", bytes.Repeat(clientFrame(`{"action":"RegisterTask","name":"another"}`), 1000))},
	{"readiness", repeat("/worker", bytes.Repeat(clientFrame(`{"action":"GetTask"}`), 1000))},
}

// floodEnv tells a process of this test that it is a flood: which, and of what address.
const floodEnv = "WORKMAN_TEST_FLOOD"

// fairTimes and fairLimit are how much longer another's task may take beside a flood, at the 99th percentile, or how long
// where that is more.
const (
	fairTimes = 10
	fairLimit = 25 * time.Millisecond
)

// TestFairShare: while one connection does what it can as fast as it can, another's tasks take a small multiple of the
// time they take when it is alone.
func TestFairShare(t *testing.T) {
	if of := os.Getenv(floodEnv); of != "" {
		which, addr, _ := strings.Cut(of, " ")
		i, err := strconv.Atoi(which)
		if err != nil {
			t.Fatal(err)
		}
		floods[i].run(t.Context(), t, addr) // until it is killed
		return
	}
	for i, f := range floods {
		if raceEnabled && i%3 > 0 {
			continue // times mean nothing there, and other tests look for races in what is left out
		}
		t.Run(f.what, func(t *testing.T) {
			p := launch(t)
			p.drain()
			other := newPair(t, p.addr, "other")
			other.times(500, nil) // to warm up
			median, alone := other.times(2000, nil)
			child := exec.Command("nice", "-n", "19", os.Args[0], "-test.run=^TestFairShare$")
			child.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", floodEnv, i, p.addr))
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = child.Process.Kill()
				_ = child.Wait()
			}()
			waitFor(t, "the flood", func() bool { // 30 ms of the processor in 100
				before, began := p.cpu(), time.Now()
				waitFor(t, "a moment", func() bool { return time.Since(began) > 100*time.Millisecond })
				return p.cpu()-before >= 30*time.Millisecond
			})
			before, began := p.cpu(), time.Now()
			done := new(atomic.Bool)
			time.AfterFunc(time.Second, func() { done.Store(true) })
			between, beside := other.times(500, done)
			used := float64(p.cpu()-before) / float64(time.Since(began))
			t.Logf("another's task, p50 and p99: alone %v and %v, beside the flood %v and %v (%.1f and %.1f times); the server used %.2f of a core",
				median, alone, between, beside, float64(between)/float64(median), float64(beside)/float64(alone), used)
			if beside > max(fairTimes*alone, fairLimit) && !raceEnabled {
				t.Errorf("the p99 of another's task is %v beside the flood, and %v alone", beside, alone)
			}
		})
	}
}

// TestFairShareOfOneName: on the same name it is first come, first served, so that another's task waits behind what the
// flood may have waiting, which is --max-calls tasks, and behind no more.
func TestFairShareOfOneName(t *testing.T) {
	const calls = 100
	p := launch(t, "WORKMAN_MAX_CALLS=100")
	p.drain()
	q, w := p.socket("/websocket"), p.socket("/worker")
	ctx, cancel := context.WithCancel(t.Context())
	var flooding sync.WaitGroup
	flooding.Go(func() {
		repeat("/websocket", bytes.Repeat(clientFrame(`{"action":"RunTask","name":"work","nonce":1,"options":"flood"}`), 1000))(ctx, t, p.addr)
	})
	waitFor(t, "the flood", func() bool { return p.refusing("work") })
	w.say(`{"action":"RegisterTask","name":"work"}`)
	worst := 0
	for range 20 {
		q.say(`{"action":"RunTask","name":"work","nonce":"mine","options":"mine"}`)
		q.say(`{"action":"GetTasks","nonce":"queued"}`)
		q.hear() // it is queued now
		ahead := 0
		for mine := false; !mine; ahead++ {
			w.say(`{"action":"GetTask"}`)
			task := w.hear()
			mine = bytes.Contains([]byte(task), []byte(`"mine"`))
			w.say(`{"action":"SendResult","nonce":"` + tokenOf(t, task) + `","result":1}`)
		}
		if got := q.hear(); got != `{"nonce":"mine","result":1}` {
			t.Fatalf("got %s", got)
		}
		worst = max(worst, ahead-1)
	}
	cancel()
	flooding.Wait()
	t.Logf("another's task waited behind %d tasks of the flood at most, which may have %d waiting", worst, calls)
	if worst > calls || worst < calls/2 {
		t.Errorf("another's task waited behind %d tasks of the flood, which may have %d waiting", worst, calls)
	}
}

// refusing reports whether tasks of a name wait.
func (p *program) refusing(name string) bool {
	_, body := ask(p.t, p.addr, "GET /tasks?detail=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	return bytes.Contains([]byte(body), []byte(`{"name":"`+name+`","workers":0,"queued":100,`))
}
