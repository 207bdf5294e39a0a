package main

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"workman/protocol/transcript"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(victim); addr != "" {
		beVictim(addr)
	}
	// gnet keeps a pool of goroutines for the life of the process, made when it is imported.
	goleak.VerifyTestMain(m,
		goleak.Cleanup(func(code int) {
			if buildDir != "" {
				_ = os.RemoveAll(buildDir)
			}
			os.Exit(code)
		}),
		goleak.IgnoreAnyFunction("github.com/panjf2000/ants/v2.(*poolCommon).purgeStaleWorkers"),
		goleak.IgnoreAnyFunction("github.com/panjf2000/ants/v2.(*poolCommon).ticktock"))
}

// serve starts a whole server on free ports, and ends it with the test.
func serve(t testing.TB, set func(*options)) *service {
	t.Helper()
	s, _ := serving(t, set)
	return s
}

// serving is serve with a server that may also be ended before.
func serving(t testing.TB, set func(*options)) (s *service, end func()) {
	t.Helper()
	s = opened(t, set, t.Output(), nil)
	end = sync.OnceFunc(func() {
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return s, end
}

// opened is a server that its caller ends. Its log goes to a writer, and its files are on the machine's disks unless others
// are given.
func opened(t testing.TB, set func(*options), log io.Writer, files vfs.FS) *service {
	t.Helper()
	o := options{
		Host: "localhost", Drain: time.Second, MaxTasks: 1000, MaxCalls: 1000, MaxRuns: 1000, MaxNames: 100, MaxMessage: 1 << 20, KeepBytes: 1 << 30, Memory: true,
		MaxConns: 100, DeadAfter: 30 * time.Second, LogLevel: "warn",
	}
	if set != nil {
		set(&o)
	}
	s, err := listen(o, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		t.Fatal(err)
	}
	s.files = files
	if err := s.open(nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// client reads with a deadline, so that a server that says nothing fails a test instead of hanging it.
type client struct{ net.Conn }

func (c client) Read(b []byte) (int, error) {
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	return c.Conn.Read(b)
}

func (s *service) dial() (io.ReadWriteCloser, error) {
	c, err := net.Dial("tcp", s.server.Addrs()[0].String())
	return client{c}, err
}

// leaver is a client whose Close returns once the server knows, so that what is said on other connections comes after that.
type leaver struct {
	client
	s    *service
	open *int // leavers
}

func (l leaver) Close() error {
	err := l.client.Close()
	*l.open--
	for end := time.Now().Add(10 * time.Second); l.s.server.Conns() > *l.open; runtime.Gosched() {
		if time.Now().After(end) {
			return errors.Join(err, errors.New("the server does not notice that its client has gone"))
		}
	}
	return err
}

// TestWire replays the transcripts of the wire against the real server on a real socket, with one event loop and with
// two.
func TestWire(t *testing.T) {
	scripts, err := filepath.Glob("protocol/testdata/wire/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range scripts {
		script, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for loops, name := range map[int]string{1: "one loop", 2: "two loops"} {
			t.Run(filepath.Base(file)+"/"+name, func(t *testing.T) {
				s, open := serve(t, func(o *options) { o.Loops = loops }), 0
				dial := func() (io.ReadWriteCloser, error) {
					c, err := net.Dial("tcp", s.server.Addrs()[0].String())
					open++
					return leaver{client{c}, s, &open}, err
				}
				transcript.Run(t, dial, string(script))
			})
		}
	}
}
