package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// readyTimeout is how long a server may take until it accepts.
	readyTimeout = 15 * time.Second
	// drainTimeout is how long it may finish its work after SIGTERM. After a
	// good round there is none; after a broken one it would wait for workers
	// that have gone, so a second signal tells it to end at once.
	drainTimeout = 2 * time.Second
	// stopTimeout is how long it may then take to end.
	stopTimeout = 10 * time.Second
)

// target is a server as a round sees it.
type target struct {
	system  string
	clients clients
	keepers keepers // nil: it keeps nothing
	addr    string
	pid     int     // 0: not known, so no CPU and no memory
	server  *server // nil: not ours
	tells   bool    // on SIGUSR1, what its runtime has used

	dir   string                                 // where it keeps its data; empty: it has no folder of its own
	again func(context.Context) (*target, error) // starts it again there
}

// server is a process that the bench has started.
type server struct {
	cmd  *exec.Cmd
	said tail
	done chan struct{} // closed once it has ended
	err  error         // how, once done
}

// start starts the program on a free loopback port and waits until it accepts.
// With pin it is kept on those cores, else it may use all. flags are added to
// its command line.
func (p *program) start(ctx context.Context, pin, own []int, flags ...string) (*target, error) {
	host, port, err := freePort()
	if err != nil {
		return nil, err
	}
	args, env := p.command(host, port)
	s := &server{cmd: exec.Command(p.path, append(args, flags...)...), done: make(chan struct{})}
	s.cmd.Env = append(s.cmd.Environ(), env...)
	if p.tells {
		s.cmd.Env = append(s.cmd.Env, "WORKMAN_LOG_FORMAT=text", "WORKMAN_LOG_LEVEL=info") // else it would not be understood
	}
	s.cmd.Dir = p.dir
	if p.input != nil {
		s.cmd.Stdin = strings.NewReader(p.input(host, port))
	}
	s.cmd.Stdout, s.cmd.Stderr = &s.said, &s.said
	isolate(s.cmd)
	if err := s.launch(pin, own); err != nil {
		return nil, fmt.Errorf("starting %s: %w", p.system, err)
	}
	t := &target{system: p.system, clients: p.clients, keepers: p.keepers, addr: net.JoinHostPort(host, port), pid: s.cmd.Process.Pid,
		server: s, tells: p.tells}
	if err := s.ready(ctx, t.addr, p); err != nil {
		return nil, fmt.Errorf("starting %s: %w", p.system, err)
	}
	return t, nil
}

// startIn starts the program in a folder of its own, where it keeps its data.
func (p *program) startIn(ctx context.Context, dir string, pin, own []int, flags ...string) (*target, error) {
	there := *p
	there.dir, there.patience = dir, keptRestart
	t, err := there.start(ctx, pin, own, flags...)
	if err != nil {
		return nil, err
	}
	t.dir = dir
	t.again = func(ctx context.Context) (*target, error) { return p.startIn(ctx, dir, pin, own, flags...) }
	return t, nil
}

// freePort finds a port that nobody listens on.
func freePort() (host, port string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", fmt.Errorf("finding a free port on 127.0.0.1: %w", err)
	}
	defer l.Close()
	return net.SplitHostPort(l.Addr().String())
}

// launch starts the process. A child inherits the cores of the thread that
// starts it, and sizes itself by them: so this thread moves there and back.
func (s *server) launch(pin, own []int) error {
	if len(pin) > 0 {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := pinThread(0, pin); err != nil {
			return err
		}
		defer pinThread(0, own) //nolint:errcheck // the same call has just worked
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	return nil
}

// ready waits until the server of a program accepts, and is awake. If that fails
// it is stopped.
func (s *server) ready(ctx context.Context, addr string, p *program) error {
	timeout := cmp.Or(p.patience, readyTimeout)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			err = conn.Close()
		}
		if err == nil && p.awake != nil {
			err = p.awake(ctx, addr)
		}
		if err == nil {
			return nil
		}
		select {
		case <-s.done:
			return s.explain(fmt.Errorf("it ended before it listened on %s", addr))
		case <-ctx.Done():
			err = s.explain(fmt.Errorf("it does not answer on %s within %v: %w", addr, timeout, err))
			s.stop() //nolint:errcheck // err says more
			return err
		case <-retry.C:
		}
	}
}

// stop ends the server with SIGTERM, or by force if that takes too long, which
// is an error.
func (s *server) stop() error {
	if s == nil {
		return nil
	}
	for _, patience := range []time.Duration{drainTimeout, stopTimeout} {
		s.cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended already
		select {
		case <-s.done:
			return nil
		case <-time.After(patience):
		}
	}
	s.cmd.Process.Kill() //nolint:errcheck // likewise
	<-s.done
	return s.explain(fmt.Errorf("%s did not end within %v of SIGTERM and was killed", s.cmd.Path, drainTimeout+stopTimeout))
}

// kill ends the server as a crash would.
func (s *server) kill() {
	s.cmd.Process.Kill() //nolint:errcheck // it may have ended already
	<-s.done
}

// explain adds to an error how the server ended, if it has, and the end of
// what it said.
func (s *server) explain(err error) error {
	if s == nil {
		return err
	}
	select {
	case <-s.done:
		err = fmt.Errorf("%w; the server has ended (%v)", err, s.cmd.ProcessState)
	case <-time.After(2 * time.Second): // it may have much to say before it ends
	}
	if said := s.said.String(); said != "" {
		err = fmt.Errorf("%w; it last said:\n%s", err, said)
	}
	return err
}

// tailSize is how much of a server's output is kept, in bytes.
const tailSize = 4 << 10

// soundsBad is what a log of a server that is well does not say.
var soundsBad = regexp.MustCompile(`(?m)\blevel=ERROR\b|"level":"ERROR"|^panic: |^fatal error: |\bpanics=[1-9]`)

// tail keeps the end of what is written to it, and notices what sounds bad.
type tail struct {
	mu     sync.Mutex
	end    []byte
	bad    int    // writes that sound bad: a log line is one
	badOne string // the first of them
	told   int    // lines about its runtime
	line   string // the last of them
}

// Write never fails.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if soundsBad.Match(b) {
		if t.bad++; t.bad == 1 {
			t.badOne = string(b[:min(len(b), tailSize)])
		}
	}
	if lines := runtimeLine.FindAll(b, -1); lines != nil {
		t.told, t.line = t.told+len(lines), string(lines[len(lines)-1])
	}
	t.end = append(t.end, b...)
	if over := len(t.end) - tailSize; over > 0 {
		t.end = t.end[:copy(t.end, t.end[over:])]
	}
	return len(b), nil
}

// String is what was kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.end)
}

// alarms is how often an error or a panic was written, and the first.
func (t *tail) alarms() (n int, first string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bad, t.badOne
}
