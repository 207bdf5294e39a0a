package callback_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"workman/callback"
)

// TestStartReadsTheSource: what was not done before a crash needs no Add.
func TestStartReadsTheSource(t *testing.T) {
	s, _ := receiver(t, statuses(200))
	b := newBook()
	const n = 600 // more than a page
	for i := range n {
		b.write(i+1, s.URL)
	}
	start(t, config(b))
	delivered(t, b, n)
}

// delivered waits until n runs were delivered, and sees that each was once.
func delivered(t *testing.T, b *book, n int) {
	t.Helper()
	seen := map[int]bool{}
	for range n {
		o := b.next(t)
		if !o.delivered || seen[o.run] {
			t.Fatalf("%+v, again: %v", o, seen[o.run])
		}
		seen[o.run] = true
	}
}

// TestMoreThanFits: what is not taken is found again.
func TestMoreThanFits(t *testing.T) {
	for _, most := range []int{1, 2, 8, 100} {
		s, got := receiver(t, statuses(200))
		b := newBook()
		c := config(b)
		c.MaxWaiting = most
		p := start(t, c)
		const n = 300
		for i := range n {
			p.Add(b.write(n-i, s.URL))
		}
		delivered(t, b, n)
		if len(got) != n {
			t.Errorf("%d calls for %d runs with room for %d", len(got), n, most)
		}
	}
}

// TestAddTwice: a run that is here is not called for twice.
func TestAddTwice(t *testing.T) {
	hold := make(chan struct{})
	s, got := receiver(t, func(http.ResponseWriter, *http.Request) { <-hold })
	b := newBook()
	p := start(t, config(b))
	run := b.write(1, s.URL)
	p.Add(run)
	<-got
	p.Add(run)
	p.Add(b.write(2, s.URL))
	<-got
	close(hold)
	delivered(t, b, 2)
	p.Add(run) // it is done: the Source says so
	p.Add(b.write(3, s.URL))
	if o := b.next(t); o.run != 3 || len(got) != 1 {
		t.Errorf("%+v, after %d calls", o, len(got))
	}
}

// TestAddDoesNotWait: not for the Source either.
func TestAddDoesNotWait(t *testing.T) {
	s, _ := receiver(t, statuses(200))
	b := newBook()
	c := config(b)
	c.MaxWaiting = 10
	p := start(t, c)
	runs := make([][16]byte, 100)
	for i := range runs {
		runs[i] = b.write(i+1, s.URL)
	}
	b.mu.Lock() // everybody who asks the Source waits
	for _, run := range runs {
		p.Add(run)
	}
	b.mu.Unlock()
	delivered(t, b, len(runs))
}

// TestOneHostHasItsShare: a host that does not answer has no more than its calls and its part of the memory, and others are
// served beside it, those too that did not fit.
func TestOneHostHasItsShare(t *testing.T) {
	hold := make(chan struct{})
	var calling, most atomic.Int32
	slow, _ := receiver(t, func(http.ResponseWriter, *http.Request) {
		if n := calling.Add(1); n > most.Load() {
			most.Store(n)
		}
		<-hold
		calling.Add(-1)
	})
	quick, _ := receiver(t, statuses(200))
	b := newBook()
	c := config(b)
	c.Workers, c.PerHost, c.MaxWaiting = 4, 2, 16
	c.Access.AllowHosts = []string{"slow.example"}
	c.Resolver = (&liar{lists: [][]netip.Addr{addrs("127.0.0.1")}}).resolver(t)
	const n = 200
	for i := range n {
		b.write(i+1, "http://slow.example"+port(slow.URL))
		b.write(n+i+1, quick.URL)
	}
	p := start(t, c)
	for i := range 2 * n {
		p.Add(id(i + 1))
	}
	for range n {
		if o := b.next(t); !o.delivered || o.run <= n {
			t.Fatalf("%+v", o)
		}
	}
	close(hold)
	delivered(t, b, n)
	if most.Load() != 2 {
		t.Errorf("%d calls at once to one host", most.Load())
	}
}

// TestSourceFails: nothing is lost because the Source cannot be read, and the log says so, but not for each run.
func TestSourceFails(t *testing.T) {
	const unread, unlisted = "outcomes of runs could not be read", "the runs that wait for their callback could not be read"
	for _, c := range []struct {
		unread, unlisted error
		said             []string
	}{
		{errDisk, nil, []string{unread}},
		{nil, errDisk, []string{unlisted}},
		{errDisk, errDisk, []string{unlisted}},
	} {
		s, _ := receiver(t, statuses(200))
		b := newBook()
		const n = 200
		for i := range n {
			b.write(i+1, s.URL)
		}
		b.fail(c.unread, c.unlisted)
		var logged lines
		cfg := config(b)
		cfg.Log, cfg.Rescan = logged.log(), 20*time.Millisecond
		start(t, cfg)
		asked := 3
		if c.unlisted == nil {
			asked += n // and each of them
		}
		for until := time.Now().Add(20 * time.Second); b.questions() < asked; <-time.After(time.Millisecond) {
			if time.Now().After(until) {
				t.Fatalf("%d questions in 20 s", b.questions())
			}
		}
		b.fail(nil, nil)
		delivered(t, b, n)
		for _, want := range c.said {
			if said := strings.Count(logged.text(), want); said < 1 || said > n/4 || !strings.Contains(logged.text(), errDisk.Error()) {
				t.Errorf("%q is said %d times:\n%.2000s", want, said, logged.text())
			}
		}
	}
}

// TestDoneBeforeForgotten: while Done is under way, the run is not taken again.
func TestDoneBeforeForgotten(t *testing.T) {
	s, got := receiver(t, statuses(200))
	b := newBook()
	c := config(b)
	c.Workers, c.PerHost = 2, 2 // one is in Done, and the other takes what is there in order
	var p *callback.Pool
	var once sync.Once
	c.Done = func(run [16]byte, delivered bool, status int, detail string) {
		once.Do(func() {
			<-got
			p.Add(run)
			p.Add(b.write(2, s.URL))
			if r := <-got; r.Header.Get("webhook-id") == "00000000-0000-0000-0000-000000000001" {
				t.Error("it was called for again")
			}
		})
		b.finish(run, delivered, status, detail)
	}
	p = start(t, c)
	p.Add(b.write(1, s.URL))
	b.next(t)
	b.next(t)
}

// slowBook takes its time.
type slowBook struct {
	*book
	entered, hold chan struct{}
}

func (b slowBook) Outcome(run [16]byte) (string, []byte, bool, error) {
	b.entered <- struct{}{}
	<-b.hold
	return b.book.Outcome(run)
}

// TestCloseWaitsForTheSource: no time-out makes it leave a goroutine behind.
func TestCloseWaitsForTheSource(t *testing.T) {
	b := slowBook{newBook(), make(chan struct{}), make(chan struct{})}
	c := config(b.book)
	c.Source = b
	p := start(t, c)
	p.Add(id(1))
	<-b.entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	closed := make(chan error)
	go func() { closed <- p.Close(ctx) }()
	select {
	case <-closed:
		t.Error("closed, while somebody asks the Source")
		close(b.hold)
	case <-time.After(20 * time.Millisecond):
		close(b.hold)
		<-closed
	}
}

// TestCloseWaits: for the calls that were begun, and for nothing else.
func TestCloseWaits(t *testing.T) {
	hold := make(chan struct{})
	s, got := receiver(t, func(http.ResponseWriter, *http.Request) { <-hold })
	b := newBook()
	c := config(b)
	c.Workers, c.PerHost = 1, 1
	p := start(t, c)
	p.Add(b.write(1, s.URL))
	<-got
	p.Add(b.write(2, s.URL))
	var ended sync.WaitGroup
	for range 2 { // twice is as good as once
		ended.Go(func() {
			if err := p.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	<-p.Closing()
	close(hold)
	ended.Wait()
	p.Add(b.write(3, s.URL))
	if o := b.next(t); o.run != 1 || !o.delivered || len(got)+len(b.done) > 0 {
		t.Errorf("%+v; %d more calls, %d more are done", o, len(got), len(b.done))
	}
}

// TestCloseCutsOff: calls that go on for too long, and handshakes too; they are made again at the next start.
func TestCloseCutsOff(t *testing.T) {
	hold := make(chan struct{})
	s, got := receiver(t, func(http.ResponseWriter, *http.Request) { <-hold })
	defer close(hold)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	before := goleak.IgnoreCurrent()
	b := newBook()
	c := config(b)
	c.Timeout, c.Attempts = time.Hour, 1
	p := start(t, c)
	p.Add(b.write(1, s.URL))
	p.Add(b.write(2, "https://"+silent.Addr().String()))
	<-got
	shaking, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer shaking.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errDisk)
	if err := p.Close(ctx); !errors.Is(err, errDisk) {
		t.Error(err)
	}
	goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("net/http.(*conn).serve"), goleak.IgnoreAnyFunction("net/http.(*connReader).backgroundRead"))
	if len(b.done) > 0 {
		t.Errorf("%+v", <-b.done)
	}
	if b.urls[id(1)] == "" {
		t.Error("the run is not in the Source any more")
	}
}

// TestNothingOfCallsIsLogged: neither URLs, nor documents, nor what comes back, nor secrets.
func TestNothingOfCallsIsLogged(t *testing.T) {
	s, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "hush")
		w.WriteHeader(500)
		_, _ = w.Write([]byte("hush"))
	})
	b := newBook()
	var logged lines
	c := config(b)
	c.Log = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c.Attempts, c.Secrets = 2, [][]byte{[]byte("hush hush hush hush hush")}
	p := start(t, c)
	for i, url := range []string{s.URL + "/hush?hush", "http://hush:hush@example.com/", "https" + s.URL[4:] + "/hush", "http://hush.localhost/"} {
		p.Add(b.write(i+1, url))
		b.next(t)
	}
	if err := p.Close(t.Context()); err != nil || logged.text() != "" {
		t.Errorf("%v, and it is logged:\n%s", err, logged.text())
	}
}

func TestBadConfig(t *testing.T) {
	for name, spoil := range map[string]func(c *callback.Config){
		"Workers is 0":      func(c *callback.Config) { c.Workers = 0 },
		"PerHost is 17":     func(c *callback.Config) { c.PerHost = 17 },
		"MaxWaiting is 0":   func(c *callback.Config) { c.MaxWaiting = 0 },
		"Attempts is 0":     func(c *callback.Config) { c.Attempts = 0 },
		"FirstDelay is":     func(c *callback.Config) { c.FirstDelay = time.Hour },
		"MaxDelay is 0":     func(c *callback.Config) { c.FirstDelay, c.MaxDelay = 0, 0 },
		"Timeout is -1":     func(c *callback.Config) { c.Timeout = -1 },
		"Rescan is 0":       func(c *callback.Config) { c.Rescan = 0 },
		"MaxResponse is -1": func(c *callback.Config) { c.MaxResponse = -1 },
		"secret 1 has 23":   func(c *callback.Config) { c.Secrets = [][]byte{make([]byte, 23)} },
		"secret 2 has 65":   func(c *callback.Config) { c.Secrets = [][]byte{make([]byte, 64), make([]byte, 65)} },
		"Source is nil":     func(c *callback.Config) { c.Source = nil },
		"Done is nil":       func(c *callback.Config) { c.Done = nil },
		`host ""`:           func(c *callback.Config) { c.Access.AllowHosts = []string{""} },
		`host "a:80"`:       func(c *callback.Config) { c.Access.AllowHosts = []string{"a:80"} },
		`host "http://a"`:   func(c *callback.Config) { c.Access.AllowHosts = []string{"http://a"} },
		`host "[::1]"`:      func(c *callback.Config) { c.Access.AllowHosts = []string{"[::1]"} },
		"prefix invalid":    func(c *callback.Config) { c.Access.AllowPrefixes = make([]netip.Prefix, 1) },
		"prefix ::ffff:10.0": func(c *callback.Config) {
			c.Access.AllowPrefixes = []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}
		},
	} {
		c := config(newBook())
		spoil(&c)
		if _, err := callback.New(c); !errors.Is(err, callback.ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %s", err, name)
		}
	}
	c := config(newBook())
	c.Log, c.Access.AllowHosts = nil, []string{"::1", "a.example", "10.0.0.1"}
	start(t, c)
}
