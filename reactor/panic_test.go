package reactor_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"workman/dispatch"
	"workman/keeper"
	"workman/protocol"
	"workman/reactor"
	"workman/store"
)

// fragile is an echo that panics where a message tells it to, for the connection that sent it.
type fragile struct {
	echo
	loop  *reactor.Loop
	flush bool
	woken bool
	slow  *protocol.Session // panics when it is told that this one is slow, or reads again
	again bool
	ended map[*protocol.Session]bool
	told  *atomic.Int32 // how often it was told that a peer is slow
}

func fragility(told *atomic.Int32) func(*reactor.Loop) reactor.Service {
	return func(l *reactor.Loop) reactor.Service {
		return &fragile{loop: l, ended: map[*protocol.Session]bool{}, told: told}
	}
}

func (f *fragile) Request(s *protocol.Session, r *protocol.Request) {
	if string(r.Path) == "/end" {
		f.ended[s] = true
	}
	f.echo.Request(s, r)
}

func (f *fragile) Message(s *protocol.Session, base []byte, at dispatch.Span, isText bool) {
	text := string(at.Of(base))
	switch text {
	case "message":
		panic("fragile: " + text)
	case "flush":
		f.flush = true
	case "woken":
		f.woken = true
		f.loop.Wake()
	case "slow", "again":
		f.slow, f.again = s, text == "again"
		s.Send(1, make([]byte, 12<<20)) // more than the sockets take at once
		return
	case "end":
		f.ended[s] = true
	}
	f.echo.Message(s, base, at, isText)
}

func (f *fragile) Ended(s *protocol.Session) {
	if f.ended[s] {
		delete(f.ended, s)
		panic("fragile: end")
	}
}

func (f *fragile) Flush() {
	if f.flush {
		f.flush = false
		panic("fragile: flush")
	}
}

func (f *fragile) Woken() {
	if f.woken {
		f.woken = false
		panic("fragile: woken")
	}
}

func (f *fragile) SetSlow(s *protocol.Session, slow bool) {
	if slow {
		f.told.Add(1)
	}
	if f.slow == s && slow != f.again {
		f.slow = nil
		panic("fragile: slow")
	}
}

// TestL17Panics: wherever on the way a panic is met, it costs the connection it is about, is counted, and is logged with
// its stack; a neighbour on the same loop does not notice.
func TestL17Panics(t *testing.T) {
	message := func(text string) func(*peer) { return func(p *peer) { p.upgrade().say(text) } }
	for _, c := range []struct {
		where, stack string
		stays        bool // the panic is about no connection
		does         func(p *peer)
	}{
		{where: "in a message", stack: "fragile).Message", does: message("message")},
		{where: "behind a read", stack: "fragile).Flush", does: message("flush")},
		{where: "in a wake", stack: "fragile).Woken", stays: true, does: message("woken")},
		{where: "behind a write", stack: "fragile).SetSlow", does: message("slow")},
		{where: "at a second look", stack: "fragile).SetSlow", does: message("again")},
		{where: "when the peer is gone", stack: "fragile).Ended", does: func(p *peer) {
			p.upgrade().say("end")
			p.hear()
			_ = p.Close()
		}},
		{where: "in a sweep", stack: "Loop).sweep", does: func(p *peer) {
			p.send("GET /end HTTP/1.1\r\nHost: localhost\r\n\r\n")
			p.answer()
			p.send("GET /slow HTTP/1.1\r\n")
		}},
	} {
		t.Run(c.where, func(t *testing.T) {
			t.Parallel()
			told := new(atomic.Int32)
			s, log := listen(t, func(cfg *reactor.Config) {
				cfg.Serve, cfg.HeadTime = fragility(told), time.Second
			})
			neighbour := dial(t, s).upgrade()
			p := dial(t, s)
			c.does(p)
			if strings.Contains(c.stack, "SetSlow") { // and it reads only then
				waitFor(t, "the service to be told", func() bool { return told.Load() == 1 })
			}
			if c.stays {
				p.hear()
				waitFor(t, "the panic", func() bool { return s.Panics() == 1 })
				p.say("still here")
				if got := p.hear(); got != "still here" {
					t.Errorf("the connection that no panic was about got %s", got)
				}
			} else if c.where != "when the peer is gone" {
				p.over()
			}
			waitFor(t, "the panic", func() bool { return s.Panics() == 1 })
			neighbour.say("a")
			if got := neighbour.hear(); got != "a" {
				t.Errorf("the neighbour got %s", got)
			}
			dial(t, s).post("who comes later")
			if got := log.String(); strings.Count(got, "fragile: ") != 1 || !strings.Contains(got, c.stack) {
				t.Errorf("the log has not the panic once, with %s in its stack:\n%s", c.stack, got)
			}
			if n := s.Panics(); n != 1 {
				t.Errorf("%d panics were counted, not 1", n)
			}
		})
	}
}

// TestL17PanicsAtTheEnd: the end of the server meets panics too, and ends all the same.
func TestL17PanicsAtTheEnd(t *testing.T) {
	s, _ := listen(t, func(cfg *reactor.Config) { cfg.Serve = fragility(new(atomic.Int32)) })
	p, neighbour := dial(t, s).upgrade(), dial(t, s).upgrade()
	p.say("end")
	p.hear()
	s.Finish(false)
	if got := neighbour.hear(); got != "close 1001" {
		t.Errorf("the neighbour got %s", got)
	}
	p.over()
	waitFor(t, "the panic to be counted", func() bool { return s.Panics() == 1 })
}

// TestL17PageThatPanics: a page is no different.
func TestL17PageThatPanics(t *testing.T) {
	s, log := listen(t, func(cfg *reactor.Config) {
		cfg.Serve = func(l *reactor.Loop) reactor.Service { return pager{loop: l} }
		cfg.Pages = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/bad" {
				panic("a bad page")
			}
			_, _ = w.Write([]byte("a good page"))
		})
	})
	bad, good := dial(t, s), dial(t, s)
	bad.send("GET /bad HTTP/1.1\r\nHost: localhost\r\n\r\n")
	bad.over()
	good.send("GET /good HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if status, body := good.answer(); status != 200 || body != "a good page" {
		t.Errorf("the good page: %d %s", status, body)
	}
	waitFor(t, "the panic to be counted", func() bool { return s.Panics() == 1 })
	if got := log.String(); !strings.Contains(got, "a bad page") || !strings.Contains(got, "TestL17PageThatPanics") {
		t.Errorf("the log has not the panic with its stack:\n%s", got)
	}
}

type pager struct {
	echo
	loop *reactor.Loop
}

func (p pager) Request(s *protocol.Session, r *protocol.Request) { p.loop.Move(s, r) }

// brittle is a source of random numbers that panics when it is told to: it is asked whenever a task is handed out, in
// the middle of the dispatcher.
type brittle struct{ breaks atomic.Bool }

func (b *brittle) Uint64() uint64 {
	if b.breaks.CompareAndSwap(true, false) {
		panic("brittle: no number")
	}
	return 4
}

// keep opens a store in memory for a dispatcher, and closes it with the test, behind whatever is closed with it later.
func keep(t *testing.T, d *dispatch.Dispatcher) *keeper.Keeper {
	t.Helper()
	cfg := keeper.DefaultConfig()
	cfg.Store = store.MemoryConfig()
	k, err := keeper.Open("data", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := k.Restore(d, nil); err != nil {
		t.Fatal(err)
	}
	return k
}

// work is a whole task server whose dispatcher can be made to panic.
func work(t *testing.T, set func(*reactor.Config)) (*reactor.Server, *reactor.Tasks, *brittle, *journal) {
	t.Helper()
	began := time.Now()
	clock := func() dispatch.Now {
		return dispatch.Now{Mono: time.Since(began).Milliseconds(), Wall: time.Now().UnixMilli()}
	}
	random := new(brittle)
	cfg := dispatch.DefaultConfig()
	cfg.Durable = true
	d, err := dispatch.New(cfg, random, clock())
	if err != nil {
		t.Fatal(err)
	}
	k := keep(t, d)
	faults := new(journal)
	log := slog.New(slog.NewTextHandler(faults, nil))
	tasks := reactor.NewTasks(dispatch.NewCombiner(d, 64, clock), clock, func(what string, p any, stack string) {
		log.Error("a panic", "while", what, "panic", p, "stack", stack)
	})
	tasks.KeepWith(k)
	k.Start(tasks.Submitter(), nil)
	t.Cleanup(tasks.Close)
	s, _ := listen(t, func(cfg *reactor.Config) {
		cfg.Serve = tasks.Serve
		set(cfg)
	})
	tasks.Start()
	return s, tasks, random, faults
}

func (p *peer) endpoint(path string) *peer {
	p.t.Helper()
	p.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if status, body := p.answer(); status != 101 {
		p.t.Fatalf("handshake: %d %s", status, body)
	}
	return p
}

// TestL17PanicInTheDispatcher: what a connection said, or the clock, makes the dispatcher panic. Others go on, with one
// loop and with two. Once there are runs, the server is not ready any more: see keeper's TestPanicLosesABatch.
func TestL17PanicInTheDispatcher(t *testing.T) {
	for loops := 1; loops <= 2; loops++ {
		s, tasks, random, faults := work(t, func(cfg *reactor.Config) { cfg.Loops = loops })
		w, q, other := dial(t, s).endpoint("/worker"), dial(t, s).endpoint("/websocket"), dial(t, s).endpoint("/websocket")
		w.say(`{"action":"RegisterTask","name":"work"}`)
		for range 3 {
			w.say(`{"action":"GetTask"}`)
		}
		ready(t, tasks)
		random.breaks.Store(true)
		q.say(`{"action":"RunTask","name":"work","options":"lost"}`)
		q.over()
		other.say(`{"action":"RunTask","name":"work","options":"kept"}`)
		if got := w.hear(); !strings.Contains(got, `"kept"`) {
			t.Errorf("the worker got %s", got)
		}
		other.say(`{"action":"ScheduleTask","name":"work","options":"lost","when":"` +
			time.Now().Add(300*time.Millisecond).UTC().Format(time.RFC3339Nano) + `"}`)
		if got := other.hear(); !strings.HasPrefix(got, `{"id":`) {
			t.Errorf("scheduling got %s", got)
		}
		probe := dial(t, s)
		ready := func() int {
			probe.send("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
			status, _ := probe.answer()
			return status
		}
		if status := ready(); status != 200 {
			t.Errorf("after a panic that no run was concerned by, /readyz is answered with %d", status)
		}
		random.breaks.Store(true)
		waitFor(t, "the clock's panic", func() bool { return tasks.Panics() == 2 })
		waitFor(t, "the end of durable work", func() bool { return ready() == 503 })
		other.say(`{"action":"RunTask","name":"work","options":"kept too"}`)
		if got := w.hear(); !strings.Contains(got, `"kept too"`) {
			t.Errorf("the worker got %s", got)
		}
		if got := faults.String(); strings.Count(got, "brittle: no number") != 2 || strings.Count(got, "Dispatcher).handOut") != 2 {
			t.Errorf("the log has not both panics with their stacks:\n%s", got)
		}
	}
}

// ready waits until a worker has asked for tasks.
func ready(t *testing.T, tasks *reactor.Tasks) {
	t.Helper()
	waitFor(t, "the worker to be ready", func() bool {
		survey, err := tasks.WorkerInfo(context.Background(), 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(survey.Workers) == 1 && survey.Workers[0].Credit == 3
	})
}

// TestL17PanicWhileAnotherRunsIt: whoever holds the dispatcher runs what others said. The connection that a panic came
// from is closed even if the loop, or the timer, that met it is another's.
func TestL17PanicWhileAnotherRunsIt(t *testing.T) {
	s, tasks, _, _ := work(t, func(cfg *reactor.Config) { cfg.Loops = 2 })
	for i, holder := range []int{0, 1, -1} {
		w := dial(t, s).endpoint("/worker")
		w.say(`{"action":"GetTask"}`)
		var id dispatch.Conn
		waitFor(t, "the worker", func() bool {
			survey, err := tasks.WorkerInfo(context.Background(), 0, 10)
			if err != nil || len(survey.Workers) != 1 {
				return false
			}
			id = survey.Workers[0].Conn
			return true
		})
		tasks.PanicAs(holder, id, "a panic")
		w.over()
		waitFor(t, "the connection to be gone", func() bool { return s.Conns() == 0 })
		if n := tasks.Panics(); n != uint64(i+1) {
			t.Errorf("%d panics were counted, not %d", n, i+1)
		}
	}
}
