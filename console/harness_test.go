package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"workman/console"
	"workman/dispatch"
	"workman/keeper"
	"workman/reactor"
	"workman/schedule"
)

func TestMain(m *testing.M) {
	// gnet keeps a pool of goroutines for the life of the process, made when it is imported.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/panjf2000/ants/v2.(*poolCommon).purgeStaleWorkers"),
		goleak.IgnoreAnyFunction("github.com/panjf2000/ants/v2.(*poolCommon).ticktock"))
}

// server is a whole workman without its sockets: what producers and workers would say is submitted by the test, and pages
// are asked for as net/http would.
type server struct {
	t        testing.TB
	keeper   *keeper.Keeper
	combiner *dispatch.Combiner
	tasks    *reactor.Tasks
	speaker  *reactor.Submitter
	pages    http.Handler
	wall     atomic.Int64 // milliseconds of Unix time
}

const start = 1_800_000_000_000 // 2027-01-15T08:00:00Z

func serve(t testing.TB) *server {
	t.Helper()
	cfg := keeper.DefaultConfig()
	cfg.Store.FS, cfg.Store.SegmentBytes = vfs.NewMem(), 1<<20
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	k, err := keeper.Open("data", cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, keeper: k}
	s.wall.Store(start)
	began := time.Now()
	clock := func() dispatch.Now {
		return dispatch.Now{Mono: time.Since(began).Milliseconds(), Wall: s.wall.Load()}
	}
	d := dispatch.DefaultConfig()
	d.Durable, d.Next = true, schedule.NewCalendar(time.LoadLocation).Next
	dispatcher, err := dispatch.New(d, rand.NewChaCha8([32]byte{1}), clock())
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Restore(dispatcher, nil); err != nil {
		t.Fatal(err)
	}
	s.combiner = dispatch.NewCombiner(dispatcher, 64, clock)
	s.tasks = reactor.NewTasks(s.combiner, clock, func(what string, p any, stack string) {
		t.Error(what, p, stack)
	})
	s.tasks.KeepWith(k)
	k.Start(s.tasks.Submitter(), nil)
	s.tasks.Start()
	s.speaker = s.tasks.Submitter()
	s.pages = console.New(console.Config{
		Tasks: s.tasks, Runs: s.tasks, Store: k.Store(), Now: func() time.Time { return time.UnixMilli(s.wall.Load()) },
	})
	t.Cleanup(func() {
		s.tasks.Close()
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// producer and worker are connections of a loop that there is not: what they are sent is dropped.
var (
	producer = dispatch.MakeConn(7, 1, 1)
	worker   = dispatch.MakeConn(7, 2, 1)
)

// pass lets milliseconds pass, for all that is said from now on: whoever has the dispatcher in hand has read the clock before.
func (s *server) pass(ms int64) {
	s.wall.Add(ms)
	s.combiner.Exclusive(func(*dispatch.Dispatcher) {})
}

// say submits an event of a connection, and waits until it is taken: another goroutine may be the one that takes it.
func (s *server) say(from dispatch.Conn, ev dispatch.Event, name, body string, terms *dispatch.Terms) {
	in := dispatch.Input{From: from}
	span := func(b []byte) dispatch.Span {
		at := dispatch.Span{Off: uint32(len(in.Base)), Len: uint32(len(b))}
		in.Base = append(in.Base, b...)
		return at
	}
	ev.Name, ev.Body = span([]byte(name)), span([]byte(body))
	if terms != nil {
		ev.Terms = span(terms.Append(nil))
	}
	in.Events = []dispatch.Event{ev}
	s.speaker.Submit(in, nil)
	for s.speaker.Help() {
		continue
	}
	s.taken()
}

// taken waits until all that was said is taken: the question comes behind it.
func (s *server) taken() dispatch.Stats {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stats, err := s.tasks.Stats(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	return stats
}

// run asks for a run of a task.
func (s *server) run(name string, set func(*dispatch.Terms)) {
	terms := dispatch.NewTerms()
	terms.Promise, terms.Reply = true, dispatch.ReplyAccepted
	if set != nil {
		set(&terms)
	}
	s.say(producer, dispatch.Event{Kind: dispatch.RunTask}, name, `{"large":"options"}`, &terms)
}

// settled waits until all that was said is stored.
func (s *server) settled() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for calm := 0; calm < 3; calm++ { // of what is loaded, or durable, comes more that is written
		if s.taken().Loads > 0 {
			calm = -1
		}
		if err := s.keeper.Flush(ctx); err != nil {
			s.t.Fatal(err)
		}
	}
}

// expire makes runs whose deadline is over.
func (s *server) expire(n int, name string) {
	s.t.Helper()
	for range n {
		s.run(name, func(t *dispatch.Terms) { t.Deadline = s.wall.Load() + 5 })
		s.pass(1)
	}
	s.settled()
	s.pass(100)
	s.say(0, dispatch.Event{Kind: dispatch.Tick}, "", "", nil)
	s.waitFor("the runs to expire", func() bool { return len(s.all("/runs?state=expired&task="+name)) >= n })
}

func (s *server) waitFor(what string, is func() bool) {
	s.t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); {
		if time.Now().After(end) {
			s.t.Fatalf("waited in vain for %s", what)
		}
		s.settled()
		s.say(0, dispatch.Event{Kind: dispatch.Tick}, "", "", nil)
	}
}

// doc is a run as it is shown.
type doc struct {
	ID, Task, State, Due, Key string
	Options, Result           any
	Labels                    map[string]string
}

// page is any answer.
type page struct {
	Runs, Scheduled          []doc
	Next, Detail             string
	Matched, Retried, Purged int
	raw                      string
}

// ask asks for a page.
func (s *server) ask(method, target string, status int) (p page) {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.pages.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	p.raw = w.Body.String()
	if w.Code != status {
		s.t.Fatalf("%s %s: %d %s, want %d", method, target, w.Code, p.raw, status)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		s.t.Fatalf("%s %s: %v in %s", method, target, err, p.raw)
	}
	return p
}

// all goes through all pages of a list.
func (s *server) all(target string) (docs []doc) {
	s.t.Helper()
	for pages := 0; target != ""; pages++ {
		if pages > 1000 {
			s.t.Fatal("the pages do not end")
		}
		p := s.ask("GET", target, 200)
		docs = append(append(docs, p.Runs...), p.Scheduled...)
		target = p.Next
	}
	return docs
}

// newestFirst fails if runs are not.
func newestFirst(t *testing.T, docs []doc) {
	t.Helper()
	if !slices.IsSortedFunc(docs, func(a, b doc) int {
		if a.ID > b.ID {
			return -1
		}
		return 1
	}) {
		t.Errorf("not the newest first: %v", ids(docs))
	}
}

func ids(docs []doc) (all []string) {
	for _, d := range docs {
		all = append(all, fmt.Sprintf("%s %s %s", d.ID, d.Task, d.State))
	}
	return all
}
