package conformance_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// faults counts what went wrong. A server that is silent where it should speak costs each case its whole patience: after
// a number of them the rest is not tried.
type faults struct{ n atomic.Int32 }

func (f *faults) add(t *testing.T, format string, args ...any) {
	t.Helper()
	t.Errorf(format, args...)
	if f.n.Add(1) >= 10 {
		t.Fatal("these are enough")
	}
}

// patience is how long anything that must happen may take, on a machine that has other things to do.
const patience = 10 * time.Second

// built are both programs, made once for all tests, in a directory that TestMain removes.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "workman-conformance")
	if err != nil {
		return "", err
	}
	builtIn = dir
	out, err := exec.Command("go", "build", "-o", dir+"/", "workman", "workman/bench/echo").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return dir, nil
})

var builtIn string

func TestMain(m *testing.M) {
	code := m.Run()
	if builtIn != "" {
		_ = os.RemoveAll(builtIn)
	}
	os.Exit(code)
}

// output keeps what a process says, for when something is wrong, and finds a first address in it.
type output struct {
	mu    sync.Mutex
	all   bytes.Buffer
	addr  chan string
	found bool
}

// What workman says once it listens, which it does before it takes anything. The echo says neither.
var opening, ready = []byte("workman is listening"), []byte("workman is ready")

var loopback = regexp.MustCompile(`127\.0\.0\.1:[1-9][0-9]*\b`)

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all.Write(p)
	if end := bytes.LastIndexByte(o.all.Bytes(), '\n'); !o.found && end >= 0 {
		said := o.all.Bytes()[:end]
		if a := loopback.Find(said); a != nil && (!bytes.Contains(said, opening) || bytes.Contains(said, ready)) {
			o.found = true
			o.addr <- string(a)
		}
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

// begin starts a process and ends it with the test, by a signal. That it ends before is a fault, whatever made it.
func begin(t *testing.T, cmd *exec.Cmd, end os.Signal) *output {
	t.Helper()
	out := &output{addr: make(chan string, 1)}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	name := filepath.Base(cmd.Path)
	t.Cleanup(func() {
		select {
		case err := <-ended:
			t.Errorf("%s ended before its time: %v\n%s", name, err, out)
			return
		default:
		}
		_ = cmd.Process.Signal(end)
		select {
		case <-ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			t.Errorf("%s does not end by %v", name, end)
		}
		if t.Failed() && out.String() != "" {
			t.Logf("%s said:\n%s", name, out)
		}
	})
	return out
}

// launch starts one of our programs, and returns the address it listens on.
func launch(t *testing.T, name string, env []string, args ...string) string {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, name), args...)
	cmd.Env = append(os.Environ(), env...)
	out := begin(t, cmd, os.Kill)
	select {
	case addr := <-out.addr:
		return addr
	case <-time.After(patience):
		t.Fatalf("%s does not say where it listens:\n%s", name, out)
		return ""
	}
}

// backend is a server that answers POST /task/echo with the body it was sent.
type backend struct {
	addr    string
	isEcho  bool    // it answers everything else so too
	isNaive bool    // it is not ours
	worker  *worker // of workman: who does the tasks, and sees every one of them
}

// One event loop each: see turn in http_test.go.

func startEcho(t *testing.T) backend {
	t.Helper()
	return backend{addr: launch(t, "echo", nil, "--addr", "127.0.0.1:0", "--loops", "1"), isEcho: true}
}

func startWorkman(t *testing.T) backend {
	t.Helper()
	env := []string{"HOST=localhost", "PORT=0", "WORKMAN_LOOPS=1", "WORKMAN_DRAIN=0s", "WORKMAN_LOG_FORMAT=text", "WORKMAN_LOG_LEVEL=info"}
	b := backend{addr: launch(t, "workman", append(env, "WORKMAN_MEMORY=true"))}
	b.worker = startWorker(t, b.addr)
	return b
}

// targets are both.
var targets = []struct {
	name  string
	start func(*testing.T) backend
}{{"echo", startEcho}, {"workman", startWorkman}}

// peer is a client's end of a connection. Every read has a deadline, so that silence fails a test and does not hang it.
type peer struct {
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, addr string) *peer {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	return &peer{Conn: c, in: bufio.NewReader(c)}
}
