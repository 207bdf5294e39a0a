package examples_test

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for something that should come at once. Machines that test are slow at times.
const patience = 30 * time.Second

// scratch is the directory of built programs, kept for as long as the tests run.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "workman-examples-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(scratch); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// server is built once. WORKMAN_BINARY names one to test instead.
var server = sync.OnceValues(func() (string, error) {
	if binary := os.Getenv("WORKMAN_BINARY"); binary != "" {
		return binary, nil
	}
	return build("workman", "..")
})

// build compiles a program of this module and returns where it is.
func build(name, dir string) (string, error) {
	binary := filepath.Join(scratch, name)
	args := []string{"build", "-o", binary}
	if raceDetector {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, dir)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", dir, err, out)
	}
	return binary, nil
}

// missing skips a test that lacks what it needs, or fails it where everything is required.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("WORKMAN_REQUIRE") == "all" {
		t.Fatalf("WORKMAN_REQUIRE=all: "+format, args...)
	}
	t.Skipf(format, args...)
}

// process is a program that the test started. It is killed when the test ends.
type process struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	ended chan struct{} // closed when the program has ended and all it wrote has been read

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed, and replaced, at each line
}

// start runs a program with the test's environment and env.
func start(t *testing.T, env []string, name string, args ...string) *process {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, name: filepath.Base(name), ended: make(chan struct{}), more: make(chan struct{})}
	p.cmd = exec.Command(name, args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = write, write
	dieWithTest(p.cmd)
	err = p.cmd.Start()
	if closeErr := write.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		t.Fatal(err)
	}
	go p.read(read)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s %q printed:\n%s", p.name, args, p.output())
		}
	})
	return p
}

func (p *process) read(from *os.File) {
	for s := bufio.NewScanner(from); s.Scan(); {
		p.mu.Lock()
		p.lines = append(p.lines, s.Text())
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
	}
	from.Close()
	p.cmd.Wait() // its state is in p.cmd.ProcessState
	close(p.ended)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// count says how many lines equal line, and gives a channel that is closed at the next line.
func (p *process) count(line string) (n int, more <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lines {
		if l == line {
			n++
		}
	}
	return n, p.more
}

// await waits until the program has printed a line n times.
func (p *process) await(n int, line string) {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		got, more := p.count(line)
		if got >= n {
			return
		}
		select {
		case <-more:
		case <-p.ended:
			if got, _ = p.count(line); got < n {
				p.t.Fatalf("%s ended (%v) and printed %q %d times, not %d", p.name, p.cmd.ProcessState, line, got, n)
			}
		case <-deadline:
			p.t.Fatalf("%s printed %q %d times in %v, not %d", p.name, line, got, patience, n)
		}
	}
}

// finish waits until the program has ended by itself, and fails the test unless it did so well.
func (p *process) finish() string {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%s did not end within %v", p.name, patience)
	}
	if !p.cmd.ProcessState.Success() {
		p.t.Fatalf("%s: %v\n%s", p.name, p.cmd.ProcessState, p.output())
	}
	return p.output()
}

// kill ends the program at once, as a crash would, and waits until it is gone.
func (p *process) kill() {
	if err := killAll(p.cmd); err != nil {
		p.t.Errorf("kill %s: %v", p.name, err)
	}
	<-p.ended
}

// workman is a running server.
type workman struct {
	*process
	port string
}

// serve starts the server on a port, or on a free one if that is empty, and waits until it is ready. What it keeps it keeps in
// memory.
func serve(t *testing.T, port string) *workman {
	t.Helper()
	binary, err := server()
	if err != nil {
		t.Fatal(err)
	}
	port = cmp.Or(port, freePort(t))
	w := &workman{start(t, []string{"HOST=localhost", "PORT=" + port, "WORKMAN_MEMORY=true"}, binary), port}
	t.Cleanup(w.stop)

	deadline := time.After(patience)
	retry := time.NewTicker(5 * time.Millisecond)
	defer retry.Stop()
	for {
		res, err := probe.Get("http://" + w.address() + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return w
			}
			err = errors.New(res.Status)
		}
		select {
		case <-retry.C:
		case <-w.ended:
			t.Fatalf("the server ended: %v", w.cmd.ProcessState)
		case <-deadline:
			t.Fatalf("the server is not ready: %v", err)
		}
	}
}

// probe asks on a connection of its own each time, and leaves none behind.
var probe = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func (w *workman) address() string   { return net.JoinHostPort("localhost", w.port) }
func (w *workman) websocket() string { return "ws://" + w.address() }

// stop asks the server to end, as an operator would, and looks whether it left well. It may have ended before.
func (w *workman) stop() {
	w.t.Helper()
	select {
	case <-w.ended:
	default:
		if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			w.t.Errorf("SIGTERM: %v", err)
		}
		select {
		case <-w.ended:
			if !w.cmd.ProcessState.Success() {
				w.t.Errorf("the server ended with %v after SIGTERM", w.cmd.ProcessState)
			}
		case <-time.After(patience):
			w.t.Errorf("the server did not end within %v of SIGTERM", patience)
			w.kill()
		}
	}
	for _, bad := range []string{"DATA RACE", "panic", "fatal error"} {
		if strings.Contains(w.output(), bad) {
			w.t.Errorf("the server's output holds %q:\n%s", bad, w.output())
		}
	}
}

// ask sends one HTTP request and returns the status and the body of its answer.
func (w *workman) ask(method, path, body string) (int, string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+w.address()+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, string(answer), err
}

// expect sends one HTTP request and fails the test unless its answer is 200 with this body.
func (w *workman) expect(method, path, body, want string) {
	w.t.Helper()
	status, got, err := w.ask(method, path, body)
	if err != nil || status != http.StatusOK || got != want {
		w.t.Fatalf("%s %s %s: %d %q %v, want 200 %q", method, path, body, status, got, err, want)
	}
}
