package conform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a program of its own group, so that what it starts ends with it.
type process struct {
	cmd   *exec.Cmd
	said  *tail
	began time.Time
	ended chan struct{} // closed when it has; how is in cmd.ProcessState
}

// pipeTime is how long the output of an ended program is waited for: what it started may hold it.
const pipeTime = 500 * time.Millisecond

func start(env []string, watch func(line string), command ...string) (*process, error) {
	p := &process{cmd: exec.Command(command[0], command[1:]...), said: &tail{watch: watch}, ended: make(chan struct{})}
	p.cmd.Env = env
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = pipeTime
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", command[0], err)
	}
	go func() {
		_ = p.cmd.Wait() // ProcessState has it
		close(p.ended)
	}()
	return p, nil
}

// signal tells all of the group.
func (p *process) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

// kill ends it at once, and waits until it is gone.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// gone reports whether it has ended, and how.
func (p *process) gone() (how string, yes bool) {
	select {
	case <-p.ended:
		return p.cmd.ProcessState.String(), true
	default:
		return "", false
	}
}

// environment is ours without what would configure a server, and with more.
func environment(more ...string) (env []string) {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "WORKMAN_") && !strings.HasPrefix(v, "HOST=") && !strings.HasPrefix(v, "PORT=") {
			env = append(env, v)
		}
	}
	return append(env, more...)
}

// tail keeps the end of what a program prints.
type tail struct {
	watch func(line string) // is told each line; nil: nobody
	mu    sync.Mutex
	text  []byte
	line  []byte
}

// maxTail is the most bytes that are kept.
const maxTail = 4000

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-maxTail):]
	if t.watch == nil {
		return len(p), nil
	}
	for _, b := range p {
		if b != '\n' {
			t.line = append(t.line, b)
			continue
		}
		t.watch(string(t.line))
		t.line = t.line[:0]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(strings.ToValidUTF8(string(t.text), "\ufffd"))
}

// sleep waits, and reports whether all of it was waited.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// errSilent is why a wait for the worker ends.
var errSilent = errors.New("it did not come in time")
