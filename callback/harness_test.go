package callback_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"workman/callback"
)

// TestMain gives every test an environment with a proxy that nobody is at: the environment is read once a process.
func TestMain(m *testing.M) {
	if err := os.Setenv("HTTP_PROXY", "http://127.0.0.1:1"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// id is the run of that number.
func id(n int) (run [16]byte) {
	binary.BigEndian.PutUint64(run[8:], uint64(n))
	return run
}

// book is what a store would have: the runs whose callback is not done, and how it ended for the others.
type book struct {
	mu       sync.Mutex
	urls     map[[16]byte]string
	unread   error // of every Outcome
	unlisted error // of every Waiting
	asked    int
	done     chan outcome
}

type outcome struct {
	run       int
	delivered bool
	status    int
	detail    string
}

func newBook() *book { return &book{urls: map[[16]byte]string{}, done: make(chan outcome, 10000)} }

var document = []byte(`{"id":"…","state":"succeeded","result":{"a":1.50}}`)

func (b *book) write(n int, url string) [16]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.urls[id(n)] = url
	return id(n)
}

func (b *book) Outcome(run [16]byte) (string, []byte, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	url, ok := b.urls[run]
	return url, document, ok, b.unread
}

func (b *book) Waiting(after [16]byte, limit int) (found [][16]byte, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if b.unlisted != nil {
		return nil, b.unlisted
	}
	for run := range b.urls {
		if bytes.Compare(run[:], after[:]) > 0 {
			found = append(found, run)
		}
	}
	slices.SortFunc(found, func(x, y [16]byte) int { return bytes.Compare(x[:], y[:]) })
	return found[:min(limit, len(found))], nil
}

func (b *book) finish(run [16]byte, delivered bool, status int, detail string) {
	b.mu.Lock()
	delete(b.urls, run)
	b.mu.Unlock()
	b.done <- outcome{int(binary.BigEndian.Uint64(run[8:])), delivered, status, detail}
}

func (b *book) fail(unread, unlisted error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unread, b.unlisted = unread, unlisted
}

func (b *book) questions() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked
}

// next waits for the next callback that is done with.
func (b *book) next(t *testing.T) outcome {
	t.Helper()
	select {
	case o := <-b.done:
		return o
	case <-time.After(20 * time.Second):
		t.Fatal("no callback is done")
		return outcome{}
	}
}

// config is a quick one, for servers on this machine.
func config(b *book) callback.Config {
	c := callback.DefaultConfig()
	c.FirstDelay, c.MaxDelay, c.Rescan = time.Millisecond, 4*time.Millisecond, time.Millisecond
	c.Access.AllowPrefixes = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	c.Source, c.Done = b, b.finish
	return c
}

// start makes a pool that ends with the test.
func start(t *testing.T, c callback.Config) *callback.Pool {
	t.Helper()
	p, err := callback.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = p.Close(ctx)
	})
	return p
}

// request is one that a server got.
type request struct {
	*http.Request
	body []byte
	at   time.Time
}

// receiver is a server that passes on what it gets, and then lets answer write the answer.
func receiver(t *testing.T, answer http.HandlerFunc) (*httptest.Server, chan request) {
	t.Helper()
	got := make(chan request, 10000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- request{r, body, time.Now()}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s, got
}

// statuses answers with one after the other, and then with the last.
func statuses(all ...int) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.WriteHeader(all[0])
		all = all[min(1, len(all)-1):]
	}
}

// lines collects what is logged.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.String()
}

func (l *lines) log() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

var errDisk = errors.New("the disk is gone")
