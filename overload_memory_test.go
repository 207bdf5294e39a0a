package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// cage makes a cgroup of so much memory, and returns its directory and the files that say how much was used at most and
// how often somebody was killed for want of it.
func cage(t *testing.T, bytes int) (dir, peak, kills string) {
	t.Helper()
	name := fmt.Sprintf("workman-test-%d", os.Getpid())
	for _, v := range []struct{ root, limit, peak, kills string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"},
		{"/sys/fs/cgroup", "memory.max", "memory.peak", "memory.events"},
	} {
		dir := filepath.Join(v.root, name)
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { _ = os.Remove(dir) }) // after the program has ended: before, it is not empty
		_ = os.WriteFile(filepath.Join(v.root, "cgroup.subtree_control"), []byte("+memory"), 0o644)
		if os.WriteFile(filepath.Join(dir, v.limit), []byte(strconv.Itoa(bytes)), 0o644) != nil {
			continue
		}
		return dir, filepath.Join(dir, v.peak), filepath.Join(dir, v.kills)
	}
	require(t, "this needs root and a cgroup of memory that may be divided")
	return "", "", ""
}

// caged is a server in a cgroup.
type caged struct {
	*program
	peak, kills string
}

func launchCaged(t *testing.T, bytes int, env ...string) *caged {
	t.Helper()
	dir, peak, kills := cage(t, bytes)
	p := launchUnder(t, "echo $$ > "+dir+"/cgroup.procs", env...)
	return &caged{program: p, peak: peak, kills: kills}
}

// lives fails the test if the server died, and says how much memory was used so far.
func (c *caged) lives(t *testing.T, when string) {
	t.Helper()
	if res, body := ask(t, c.addr, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); res.StatusCode != 200 {
		t.Errorf("%s: /healthz says %v %s", when, res.Status, body)
	}
	most, err := os.ReadFile(c.peak)
	if err != nil {
		t.Log(err) // memory.peak is of Linux 5.19
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(most)))
	t.Logf("%s: resident now %d MiB, used by the cgroup at most %d MiB", when, c.status("VmRSS")>>10, n>>20)
	events, err := os.ReadFile(c.kills)
	for _, line := range strings.Split(string(events), "\n") {
		if n, ok := strings.CutPrefix(line, "oom_kill "); err != nil || ok && n != "0" {
			t.Fatalf("%s: killed for want of memory: %s %v", when, line, err)
		}
	}
}

// queued is how many tasks of a name wait.
func (c *caged) queued(t *testing.T, name string) int {
	t.Helper()
	var page struct {
		Tasks []struct {
			Name   string
			Queued int
		}
		Next string
	}
	for page.Next = "/tasks?detail=1&limit=1000"; page.Next != ""; {
		_, body := ask(t, c.addr, "GET "+page.Next+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		page.Next, page.Tasks = "", nil
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatal(err, body)
		}
		for _, k := range page.Tasks {
			if k.Name == name {
				return k.Queued
			}
		}
	}
	return 0
}

// work does all tasks of a name that wait.
func (c *caged) work(t *testing.T, name string) (done int) {
	t.Helper()
	w := openSocket(t, c.addr, "/worker")
	defer func() { _ = w.conn.Close() }()
	w.say(`{"action":"RegisterTask","name":"` + name + `"}`)
	for n := c.queued(t, name); n > 0; n = c.queued(t, name) {
		for ; n > 0; n -= min(n, 1000) {
			each := min(n, 1000)
			go func() { _, _ = w.conn.Write(bytes.Repeat(clientFrame(`{"action":"GetTask"}`), each)) }()
			var out []byte
			for range each {
				out = append(out, clientFrame(`{"action":"SendResult","nonce":"`+tokenOf(t, w.hear())+`"}`)...)
			}
			if _, err := w.conn.Write(out); err != nil {
				t.Fatal(err)
			}
			done += each
		}
	}
	return done
}

// together runs f so many times at once.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

// TestL15Memory: in 256 MiB, the server is sent more than fits in every way there is. It refuses, lives, and serves again
// when the load has gone, without a restart.
func TestL15Memory(t *testing.T) {
	c := launchCaged(t, 256<<20)
	log := c.drain()
	t.Run("tasks", c.largeTasks)
	t.Run("halves", c.halves)
	t.Run("deaf", c.deaf)
	t.Run("tiny", c.tiny)
	newPair(t, c.addr, "tiny").task()
	if got := log(); panicked.MatchString(got) || t.Failed() {
		t.Errorf("the log ends with:\n%s", got[max(0, len(got)-2000):])
	}
}

// panicked is what a log says of a panic; that there was none is said as panics=0.
var panicked = regexp.MustCompile(`a panic|panics=[1-9]`)

// largeTasks: 600 MB of tasks that nobody does, over WebSockets and over HTTP.
func (c *caged) largeTasks(t *testing.T) {
	options := `"` + strings.Repeat("x", 1<<20) + `"`
	message := clientFrame(`{"action":"RunTask","name":"large","nonce":1,"options":` + options + `}`)
	request := fmt.Sprintf("POST /schedule/2020-01-01T00:00:00Z/large HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(options), options)
	var mu sync.Mutex
	outcome := map[string]int{}
	together(20, func(i int) {
		for range 30 {
			var got string
			if i%2 == 0 {
				s := openSocket(t, c.addr, "/websocket")
				_, _ = s.conn.Write(message) // it may be closed before all is written
				s.say(`{"action":"GetTasks","nonce":2}`)
				got = fmt.Sprintf("%.60s", s.hear())
				_ = s.conn.Close()
			} else {
				res, _ := ask(t, c.addr, request)
				got = res.Status
			}
			mu.Lock()
			outcome[got]++
			mu.Unlock()
		}
	})
	c.lives(t, "after 600 MB of tasks")
	t.Log(outcome)
	if outcome["503 Service Unavailable"] < 50 || outcome["200 OK"] < 5 {
		t.Errorf("of 300 tasks over HTTP %d were taken and %d refused", outcome["200 OK"], outcome["503 Service Unavailable"])
	}
	if n := c.work(t, "large"); n < 10 {
		t.Errorf("only %d tasks were there to do", n)
	}
	c.lives(t, "after they were done")
}

// halves: half of a large message each, on connections that then do nothing.
func (c *caged) halves(t *testing.T) {
	half := append(binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, 16<<20), make([]byte, 4+(4<<20))...)
	open := make([]*socket, 100)
	together(len(open), func(i int) {
		open[i] = openSocket(t, c.addr, "/websocket")
		_ = open[i].conn.SetWriteDeadline(time.Now().Add(20 * time.Second))
		_, _ = open[i].conn.Write(half)
	})
	c.lives(t, "with 100 halves of messages, 4 MiB each")
	for _, s := range open {
		_ = s.conn.Close()
	}
	newPair(t, c.addr, "work").task()
}

// deaf: connections that ask for long lists, and read none.
func (c *caged) deaf(t *testing.T) {
	w := openSocket(t, c.addr, "/worker")
	var register []byte
	for i := range 4096 {
		register = append(register, clientFrame(fmt.Sprintf(`{"action":"RegisterTask","name":"%0100d"}`, i))...)
	}
	if _, err := w.conn.Write(register); err != nil {
		t.Fatal(err)
	}
	list := bytes.Repeat(clientFrame(`{"action":"GetTasks"}`), 5000)
	open := make([]*socket, 40)
	together(len(open), func(i int) {
		open[i] = openSocket(t, c.addr, "/websocket")
		_ = open[i].conn.SetWriteDeadline(time.Now().Add(20 * time.Second))
		_, _ = open[i].conn.Write(list)
	})
	c.lives(t, "with 40 readers of nothing, who asked for 2 GB each")
	for _, s := range open {
		_ = s.conn.Close()
	}
	_ = w.conn.Close()
	newPair(t, c.addr, "work").task()
}

// longNames is a hundred schedules with long names, all different.
func longNames(i, k int) (all []byte) {
	for n := range 100 {
		all = append(all, clientFrame(fmt.Sprintf(`{"action":"ScheduleTask","name":"%0120d","when":"2099-01-01T00:00:00Z"}`, 1_000_000+i*10_000+k*100+n))...)
	}
	return all
}

// tiny: as many tasks, schedules and names as the server takes, the smallest there are; the names are long.
func (c *caged) tiny(t *testing.T) {
	run := bytes.Repeat(clientFrame(`{"action":"RunTask","name":"tiny"}`), 1000)
	together(12, func(i int) {
		s := openSocket(t, c.addr, "/websocket")
		defer func() { _ = s.conn.Close() }()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = io.Copy(io.Discard, s.in)
		}()
		for k := range 100 {
			name := fmt.Sprintf("%0120d", 100*i+k)
			later := clientFrame(`{"action":"ScheduleTask","name":"` + name + `","when":"2099-01-01T00:00:00Z"}`)
			later = append(bytes.Repeat(later, 900), longNames(i, k)...)
			_ = s.conn.SetWriteDeadline(time.Now().Add(20 * time.Second))
			if _, err := s.conn.Write(run); err != nil {
				t.Error("a producer of tiny tasks:", err)
			}
			if _, err := s.conn.Write(later); err != nil {
				t.Error("a producer of tiny schedules:", err)
			}
		}
		_ = ws.WriteFrame(s.conn, ws.MaskFrame(ws.NewCloseFrame(nil)))
		_ = s.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		<-ended
	})
	c.lives(t, "with tiny tasks and schedules, 1,200,000 each")
	n := c.work(t, "tiny")
	t.Logf("%d tiny tasks were taken", n)
	if n < 100_000 || n > 400_000 {
		t.Errorf("%d tiny tasks were taken, and 256 MiB hold a third of a million", n)
	}
}
