package reactor_test

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"workman/dispatch"
	"workman/protocol"
	"workman/reactor"
)

// The bounds of these tests, which are small so that little is needed to meet them.
const (
	softOut, hardOut, maxMessage = 256 << 10, 1 << 20, 1 << 20
	large                        = 200_000
)

func small(budget *dispatch.Budget) func(*reactor.Config) {
	return func(cfg *reactor.Config) {
		cfg.Budget, cfg.SoftOut, cfg.HardOut, cfg.QuietTime = budget, softOut, hardOut, 2*time.Second
		cfg.Protocol.MaxMessage = maxMessage
	}
}

// deafen makes the kernel hold little for a peer that does not read.
func (p *peer) deafen() *peer {
	p.t.Helper()
	if err := p.Conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		p.t.Fatal(err)
	}
	return p
}

var nonce = regexp.MustCompile(`"nonce":"([a-p]{24})"`)

// token is the nonce of a task, at the end of its message.
func token(t *testing.T, task string) string {
	t.Helper()
	m := nonce.FindStringSubmatch(task[max(0, len(task)-40):])
	if m == nil {
		t.Fatalf("no task: %.100s", task)
	}
	return m[1]
}

// pair is a producer and a worker of one name, who do one task after another and time them.
type pair struct{ q, w *peer }

func newPair(t *testing.T, s *reactor.Server, name string) pair {
	p := pair{dial(t, s).endpoint("/websocket"), dial(t, s).endpoint("/worker")}
	p.w.say(`{"action":"RegisterTask","name":"` + name + `"}`)
	return p
}

func (p pair) task(name string) time.Duration {
	_ = p.q.SetDeadline(time.Now().Add(patience))
	_ = p.w.SetDeadline(time.Now().Add(patience))
	began := time.Now()
	p.q.say(`{"action":"RunTask","name":"` + name + `","nonce":1}`)
	p.w.say(`{"action":"GetTask"}`)
	p.w.say(`{"action":"SendResult","nonce":"` + token(p.q.t, p.w.hear()) + `","result":1}`)
	if got := p.q.hear(); got != `{"nonce":1,"result":1}` {
		p.q.t.Fatalf("got %s", got)
	}
	return time.Since(began)
}

// watch samples what connections hold, and times tasks of others, until it is told to stop.
func watch(t *testing.T, p pair, budget *dispatch.Budget, stop *atomic.Bool) (most int64, p99 time.Duration) {
	var all []time.Duration
	for !stop.Load() || len(all) < 200 {
		all = append(all, p.task("other"))
		most = max(most, budget.Used())
	}
	slices.Sort(all)
	return most, all[len(all)*99/100]
}

// TestL10DeafWorker: a worker that takes tasks and reads none of them gets no more than may wait for one peer, is closed
// when it has not read for long, and all its tasks are done by others.
func TestL10DeafWorker(t *testing.T) {
	t.Parallel()
	budget := dispatch.NewBudget(1 << 30)
	s, tasks, _, _ := work(t, small(budget))
	deaf := dial(t, s).deafen().endpoint("/worker")
	deaf.say(`{"action":"RegisterTask","name":"large"}`)
	const n = 100
	for range n {
		deaf.say(`{"action":"GetTask"}`)
	}
	others := newPair(t, s, "other")
	stop := new(atomic.Bool)
	var most int64
	var beside time.Duration
	var watching sync.WaitGroup
	watching.Go(func() { most, beside = watch(t, others, budget, stop) })
	q := dial(t, s).endpoint("/websocket")
	for i := range n {
		q.say(fmt.Sprintf(`{"action":"RunTask","name":"large","nonce":%d,"options":"%s"}`, i, strings.Repeat("x", large)))
	}
	good := dial(t, s).endpoint("/worker")
	good.say(`{"action":"RegisterTask","name":"large"}`)
	seen := map[string]bool{}
	for range n {
		good.say(`{"action":"GetTask"}`)
		good.say(`{"action":"SendResult","nonce":"` + token(t, good.hear()) + `","result":1}`)
		seen[q.hear()] = true
	}
	if len(seen) != n {
		t.Errorf("%d different answers to %d tasks", len(seen), n)
	}
	waitFor(t, "the deaf worker to be closed", func() bool { return s.Conns() == 4 })
	stop.Store(true)
	watching.Wait()
	stats, err := tasks.Stats(t.Context())
	if err != nil || stats.Requeued == 0 || stats.Queued+stats.Leased != 0 {
		t.Errorf("no task came back from the deaf worker, or some are left: %+v %v", stats, err)
	}
	t.Logf("held for connections at most: %d bytes; p99 of others' tasks: %v", most, beside)
	if limit := int64(hardOut + 2*maxMessage); most > limit {
		t.Errorf("%d bytes were held for connections, and %d is the most", most, limit)
	}
	if beside > 250*time.Millisecond {
		t.Errorf("the p99 of others' tasks was %v", beside)
	}
	waitFor(t, "what was held to be given back", func() bool { return budget.Used() == 0 })
}

// TestL10DeafProducer: one that does not read its results is closed once more wait than may; nothing of them is kept.
func TestL10DeafProducer(t *testing.T) {
	t.Parallel()
	budget := dispatch.NewBudget(1 << 30)
	s, _, _, _ := work(t, small(budget))
	others, p := newPair(t, s, "other"), newPair(t, s, "large")
	deaf := dial(t, s).deafen().endpoint("/websocket")
	stop := new(atomic.Bool)
	var most int64
	var beside time.Duration
	var watching sync.WaitGroup
	watching.Go(func() { most, beside = watch(t, others, budget, stop) })
	const n = 100
	for i := range n {
		deaf.say(fmt.Sprintf(`{"action":"RunTask","name":"large","nonce":%d}`, i))
	}
	result := `","result":"` + strings.Repeat("x", large) + `"}`
	for range n { // all of them can be done, whether or not their producer is still there
		p.w.say(`{"action":"GetTask"}`)
		p.w.say(`{"action":"SendResult","nonce":"` + token(t, p.w.hear()) + result)
	}
	waitFor(t, "the deaf producer to be closed", func() bool { return s.Conns() == 4 })
	stop.Store(true)
	watching.Wait()
	t.Logf("held for connections at most: %d bytes; p99 of others' tasks: %v", most, beside)
	if limit := int64(hardOut + 2*maxMessage); most < hardOut/2 || most > limit {
		t.Errorf("%d bytes were held for connections; some should be, and %d is the most", most, limit)
	}
	if beside > 250*time.Millisecond {
		t.Errorf("the p99 of others' tasks was %v", beside)
	}
	waitFor(t, "what was held to be given back", func() bool { return budget.Used() == 0 })
}

// noting is an echo that answers with much, and notes who it is told is slow.
type noting struct {
	echo
	slow, again *atomic.Int32
}

func (n noting) Message(s *protocol.Session, _ []byte, _ dispatch.Span, _ bool) {
	s.Send(ws.OpText, make([]byte, 12<<20))
}

func (n noting) SetSlow(_ *protocol.Session, slow bool) {
	if slow {
		n.slow.Add(1)
	} else {
		n.again.Add(1)
	}
}

// TestL10Slow: the service is told once that a peer reads too little, and once that it has caught up.
func TestL10Slow(t *testing.T) {
	t.Parallel()
	n := noting{slow: new(atomic.Int32), again: new(atomic.Int32)}
	s, _ := listen(t, func(cfg *reactor.Config) {
		cfg.Serve = func(*reactor.Loop) reactor.Service { return n }
		cfg.SoftOut = softOut
	})
	p := dial(t, s).upgrade()
	p.say("much")
	waitFor(t, "the service to be told", func() bool { return n.slow.Load() == 1 })
	if n.again.Load() != 0 {
		t.Error("the peer is said to have caught up, and has read nothing")
	}
	if got := p.hear(); len(got) != 12<<20 {
		t.Errorf("%d bytes came", len(got))
	}
	waitFor(t, "the service to be told of the end", func() bool { return n.again.Load() == 1 })
	if n.slow.Load() != 1 {
		t.Errorf("the service was told %d times", n.slow.Load())
	}
}
