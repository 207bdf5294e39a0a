package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// program is the real binary, in a process of its own.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	addr string
	log  chan string // lines, as they come
	done chan error
}

// build makes the binary once for all tests; TestMain removes it.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "workman-test")
	if err != nil {
		return "", err
	}
	buildDir = dir
	path := filepath.Join(dir, "workman")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

var buildDir string

func launch(t *testing.T, env ...string) *program {
	t.Helper()
	return launchUnder(t, "", env...)
}

// launchUnder launches the binary from a shell that has run a command, which may set limits.
func launchUnder(t *testing.T, command string, env ...string) *program {
	t.Helper()
	p := launchUnready(t, command, env...)
	p.line("workman is ready")
	return p
}

// launchUnready is launchUnder for a server whose store is still being opened.
func launchUnready(t *testing.T, command string, env ...string) *program {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary)
	if command != "" {
		cmd = exec.Command("sh", "-c", command+` && exec "$0"`, binary)
	}
	p := &program{t: t, cmd: cmd, log: make(chan string, 1000), done: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), append([]string{"PORT=0", "WORKMAN_DATA=" + filepath.Join(t.TempDir(), "data")}, env...)...)
	stderr, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			p.log <- lines.Text()
		}
		close(p.log)
		p.done <- p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		p.kill()
	})
	port := regexp.MustCompile(`http://(?:127\.0\.0\.1|\[::\]|0\.0\.0\.0):([0-9]+)`).FindStringSubmatch(p.line("is listening"))[1]
	p.addr = "127.0.0.1:" + port
	return p
}

// data is the folder it keeps its runs in.
func (p *program) data() string {
	dir := ""
	for _, e := range p.cmd.Env { // the last one counts
		if name, value, _ := strings.Cut(e, "="); name == "WORKMAN_DATA" {
			dir = value
		}
	}
	return dir
}

// line waits for a line of the log.
func (p *program) line(part string) string {
	p.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case l, ok := <-p.log:
			if !ok {
				p.t.Fatalf("the program ended, and never said %q", part)
			}
			p.t.Log(l)
			if strings.Contains(l, part) {
				return l
			}
		case <-limit:
			p.t.Fatalf("the program did not say %q", part)
		}
	}
}

func (p *program) signal() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
}

// kill ends it as kill -9 does, and waits until it is gone.
func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	for range p.log {
		continue // it may wait for somebody to read what it says
	}
	<-p.done
}

func (p *program) exit(code int) {
	p.t.Helper()
	select {
	case <-p.done:
		if got := p.cmd.ProcessState.ExitCode(); got != code {
			p.t.Fatalf("exit status %d, want %d", got, code)
		}
	case <-time.After(20 * time.Second):
		p.t.Fatal("the program does not end")
	}
}

// socket is a WebSocket client that reads with a deadline.
type socket struct {
	t    testing.TB
	conn net.Conn
	in   io.Reader
}

func (p *program) socket(path string) *socket { return openSocket(p.t, p.addr, path) }

func openSocket(t testing.TB, addr, path string) *socket {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path)
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatalf("handshake: %v %v", res, err)
	}
	return &socket{t: t, conn: conn, in: in}
}

// clientFrame is a text message as a client sends it.
func clientFrame(text string) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(text))))
}

func (s *socket) say(text string) {
	s.t.Helper()
	if err := wsutil.WriteClientText(s.conn, []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

// hear returns the next message, or "close" and the code of a close frame.
func (s *socket) hear() string {
	s.t.Helper()
	for {
		_ = s.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		h, err := ws.ReadHeader(s.in)
		if err != nil {
			s.t.Fatal(err)
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(s.in, payload); err != nil {
			s.t.Fatal(err)
		}
		switch h.OpCode {
		case ws.OpText:
			return string(payload)
		case ws.OpClose:
			code, _ := ws.ParseCloseFrameData(payload)
			return fmt.Sprint("close ", int(code))
		}
	}
}

var nonce = regexp.MustCompile(`"nonce":"([a-p]{24})"`)

// TestDrain: after SIGTERM nothing new is taken, what runs gets its answer, then WebSockets are closed with 1001.
func TestDrain(t *testing.T) {
	p := launch(t)
	w := p.socket("/worker")
	w.say(`{"action":"RegisterTask","name":"work"}`)
	w.say(`{"action":"GetTask"}`)
	answer := make(chan string, 1)
	go func() {
		res, err := http.Post("http://"+p.addr+"/task/work", "application/json", strings.NewReader("7"))
		if err != nil {
			answer <- err.Error()
			return
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		answer <- fmt.Sprint(res.StatusCode, " ", string(body))
	}()
	task := w.hear()
	q := p.socket("/websocket")
	p.signal()
	p.line("draining")
	waitFor(t, "the port to be closed", func() bool {
		c, err := net.Dial("tcp", p.addr)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	q.say(`{"action":"RunTask","name":"work","nonce":1}`)
	if got := q.hear(); !strings.Contains(got, `{"nonce":1,"result":{"error":"Refused: the server is shutting down`) {
		t.Errorf("a new task while draining: %s", got)
	}
	w.say(`{"action":"SendResult","nonce":"` + nonce.FindStringSubmatch(task)[1] + `","result":"done"}`)
	if got := <-answer; got != `200 "done"` {
		t.Errorf("the call that ran: %s", got)
	}
	if got := w.hear(); got != "close 1001" {
		t.Errorf("the worker: %s", got)
	}
	if got := q.hear(); got != "close 1001" {
		t.Errorf("the producer: %s", got)
	}
	p.exit(0)
}

// TestDrainUnserved: what nobody is left to do is answered with a refusal, long before the deadline.
func TestDrainUnserved(t *testing.T) {
	p := launch(t, "WORKMAN_DRAIN=1h")
	q := p.socket("/websocket")
	q.say(`{"action":"RunTask","name":"nobody","nonce":1}`)
	q.say(`{"action":"GetTasks","nonce":2}`)
	if got := q.hear(); got != `{"nonce":2,"result":[]}` {
		t.Fatal(got)
	}
	p.signal()
	if got := q.hear(); !strings.HasPrefix(got, `{"nonce":1,"result":{"error":"Refused: the server is shutting down`) {
		t.Errorf("the call that waits: %s", got)
	}
	if got := q.hear(); got != "close 1001" {
		t.Errorf("the producer: %s", got)
	}
	p.exit(0)
}

// running gives a worker a task that it does not finish.
func (p *program) running() (w, q *socket) {
	w, q = p.socket("/worker"), p.socket("/websocket")
	w.say(`{"action":"RegisterTask","name":"long"}`)
	w.say(`{"action":"GetTask"}`)
	q.say(`{"action":"RunTask","name":"long","nonce":1}`)
	w.hear()
	return w, q
}

// TestDrainDeadline: what is not done by the deadline is answered with a refusal.
func TestDrainDeadline(t *testing.T) {
	p := launch(t, "WORKMAN_DRAIN=500ms")
	w, q := p.running()
	p.signal()
	if got := q.hear(); !strings.HasPrefix(got, `{"nonce":1,"result":{"error":"Refused: the server is shutting down`) {
		t.Errorf("the call that runs: %s", got)
	}
	for _, s := range []*socket{q, w} {
		if got := s.hear(); got != "close 1001" {
			t.Errorf("got %s", got)
		}
	}
	p.exit(0)
}

// TestSecondSignal ends at once.
func TestSecondSignal(t *testing.T) {
	p := launch(t, "WORKMAN_DRAIN=1h")
	p.running()
	p.signal()
	p.line("draining")
	p.signal()
	p.exit(130)
}

// TestPortTaken says what to do.
func TestPortTaken(t *testing.T) {
	p := launch(t)
	_, port, _ := net.SplitHostPort(p.addr)
	out, err := exec.Command(p.cmd.Path, "--port", port).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--port") || !strings.Contains(string(out), "address already in use") {
		t.Fatalf("%v: %s", err, out)
	}
}

// waitFor asks again until something is so.
func waitFor(t testing.TB, what string, is func() bool) {
	t.Helper()
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	limit := time.After(20 * time.Second)
	for !is() {
		select {
		case <-every.C:
		case <-limit:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestFootprintOnSignal(t *testing.T) {
	p := launch(t)
	for range 2 {
		if err := p.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		if got := p.line("msg=runtime "); !regexp.MustCompile(`\bmallocs=[1-9]\d+ .* goroutines=[1-9]`).MatchString(got) {
			t.Errorf("the server says %q", got)
		}
	}
	p.signal()
	p.exit(0)
}
