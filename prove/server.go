package prove

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// maxRecovery is how long a server may take until it is ready.
const maxRecovery = time.Minute

// ErrEnded is returned when a server ends by itself, or does not become ready.
var ErrEnded = errors.New("prove: the server cannot be used")

// errNoError is how a process ends that has nothing to complain of.
var errNoError = errors.New("exit status 0")

// server starts and kills processes of workman, one after the other, on one folder and one port.
type server struct {
	binary  string
	args    []string
	log     *os.File
	addr    string // host:port
	book    *Book
	fail    context.CancelCauseFunc // ends all of Run
	after   func() error            // Config.Killed
	process *os.Process
	killed  *atomic.Bool  // by us
	ended   chan struct{} // closed when the process has
	began   time.Time
}

// newServer finds a free port. Nothing is started yet.
func newServer(c Config, b *Book) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(c.Dir, "server.log"))
	if err != nil {
		return nil, fmt.Errorf("make a file for the server's log: %w", err)
	}
	args := append([]string{"--data", filepath.Join(c.Dir, "data"), "--host", "localhost", "--port", port}, c.Flags...)
	return &server{binary: c.Binary, args: args, log: log, addr: "127.0.0.1:" + port, book: b, after: c.Killed}, nil
}

// freePort finds one that nobody listens on, and that no client gets for its own end while the server is dead: systems
// take those from 32768 or 49152 on.
func freePort() (port string, err error) {
	for range 100 {
		port = strconv.Itoa(10_000 + rand.IntN(20_000))
		var l net.Listener
		if l, err = net.Listen("tcp", "localhost:"+port); err == nil {
			return port, l.Close()
		}
	}
	return "", fmt.Errorf("find a free port: %w", err)
}

// start starts a process. If it ends by itself, fail is told.
func (s *server) start() error {
	p := exec.Command(s.binary, s.args...)
	p.Env = environment()
	p.Stdout, p.Stderr = s.log, s.log
	s.began = time.Now()
	if err := p.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	ended, killed := make(chan struct{}), new(atomic.Bool)
	s.process, s.ended, s.killed = p.Process, ended, killed
	go func() {
		err := p.Wait()
		if err == nil {
			err = errNoError
		}
		if !killed.Load() {
			s.fail(fmt.Errorf("%w: it ended by itself (%w); the last it said is: %s", ErrEnded, err, s.lastWords()))
		}
		close(ended)
	}()
	return nil
}

// environment is ours without what would configure a server: the flags alone do.
func environment() (env []string) {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "WORKMAN_") && !strings.HasPrefix(v, "HOST=") && !strings.HasPrefix(v, "PORT=") {
			env = append(env, v)
		}
	}
	return env
}

// ready waits until the server says it is, and tells the book.
func (s *server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, maxRecovery, fmt.Errorf("%w: it is not ready after %v", ErrEnded, maxRecovery))
	defer cancel()
	for !s.isReady(ctx) {
		if !sleep(ctx, 2*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
	now := time.Now()
	s.book.Ready(now, now.Sub(s.began))
	return nil
}

// isReady asks.
func (s *server) isReady(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+"/readyz", nil)
	if err != nil {
		return false
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	return err == nil && response.StatusCode == http.StatusOK
}

// kill kills the process with SIGKILL, having told the book, and waits for its end.
func (s *server) kill() error {
	s.book.Crash()
	s.stop()
	if s.after == nil {
		return nil
	}
	return s.after()
}

// stop ends the process, if there is one.
func (s *server) stop() {
	if s.ended == nil {
		return
	}
	s.killed.Store(true)
	s.process.Kill() //nolint:errcheck // then it has ended by itself, and fail was told
	<-s.ended
}

// lastWords is the end of the log.
func (s *server) lastWords() string {
	const most = 2000
	info, err := s.log.Stat()
	if err != nil {
		return err.Error()
	}
	text := make([]byte, min(info.Size(), most))
	if _, err := s.log.ReadAt(text, info.Size()-int64(len(text))); err != nil && !errors.Is(err, io.EOF) {
		return err.Error()
	}
	return strings.TrimSpace(string(text))
}
