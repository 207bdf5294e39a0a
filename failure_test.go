package main

import (
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"workman/keeper"
	"workman/store"
)

// book is what a log says, from any goroutine.
type book struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestStoreFails lets a sync of the journal fail. From then on nothing is promised, who waits for a promise is told so, what
// was told stays to be read, calls in memory go on, and the log says what to do. After a power cut and a restart all that was
// acknowledged is there.
func TestStoreFails(t *testing.T) {
	disk := vfs.NewCrashableMem()
	var fails atomic.Bool
	var after atomic.Int32 // syncs of the journal after the one that failed
	files := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind != errorfs.OpFileSyncData || !strings.Contains(op.Path, "journal") || !fails.Load() {
			return nil
		}
		if after.Add(1) > 1 {
			return nil
		}
		return errors.New("input/output error")
	}))
	log := &book{}
	s := opened(t, kept("/data"), log, files)
	a, w, q := askerOf(t, s.addr()), newHand(t, s.addr(), "mail", "call"), s.socket(t, "/websocket")
	done, cancelled := a.submit("mail", "1"), a.submit("none", "1")
	w.work(`"sent"`)
	a.is(done, "succeeded")
	waits, key := a.submit("none", "2"), "Idempotency-Key: k"
	keyed := a.submit("none", "3", key)
	running := a.submit("mail", "4")
	k := w.take()

	a.do(200, "GET", "/readyz", "")
	fails.Store(true)
	q.say(`{"action":"RunTask","name":"mail","nonce":1,"durable":true}`)
	if got := q.hear(); !strings.HasPrefix(got, `{"nonce":1,"error":{"type":"urn:workman:problem:not-stored"`) {
		t.Errorf("whoever waits for the promise that failed is told %s", got)
	}
	a.do(503, "GET", "/readyz", "").says("not-stored")
	a.do(200, "GET", "/healthz", "")
	for _, fields := range [][]string{{"Prefer: respond-async"}, {"Prefer: wait=5"}, {"Idempotency-Key: new"}} {
		a.do(503, "POST", "/task/none", "1", fields...).says("not-stored")
	}
	a.do(503, "POST", "/schedule/2999-01-01T00:00:00Z/none", "1").says("not-stored")
	a.do(503, "DELETE", "/runs/"+cancelled, "").says("not-stored")
	a.do(503, "POST", "/runs/"+done+"/retry", "").says("not-stored")
	w.done(k, `"in vain"`)
	if d := a.look(done); d.State != "succeeded" || string(d.Result) != `"sent"` {
		t.Errorf("what was told before: %+v", d)
	}
	if d := a.look(running); d.State == "succeeded" {
		t.Errorf("a result that is not stored is told: %+v", d)
	}
	if got := a.pages("/runs", "runs"); len(got) < 5 {
		t.Errorf("after the failure %d runs are listed", len(got))
	}
	q.say(`{"action":"RunTask","name":"call","nonce":2}`)
	w.work(`"in memory"`)
	if got := q.hear(); got != `{"nonce":2,"result":"in memory"}` {
		t.Errorf("a call after the failure: %s", got)
	}
	if said := log.String(); !strings.Contains(said, "start the server again") || !strings.Contains(said, "input/output error") {
		t.Errorf("the log says %s", said)
	}
	if n := after.Load(); n != 1 {
		t.Errorf("the journal was synced %d times after the failure", n-1)
	}
	_, _ = w.conn.Close(), q.conn.Close()
	if err := s.end(); !errors.Is(err, store.ErrFailed) && !errors.Is(err, keeper.ErrLost) {
		t.Errorf("in the end: %v", err)
	}

	image := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(1, 2))})
	s = opened(t, kept("/data"), io.Discard, image)
	a = askerOf(t, s.addr())
	a.holds([]string{done, cancelled, waits, keyed, running})
	if d := a.look(running); d.State != "pending" && d.State != "succeeded" { // its result may have reached the disk
		t.Errorf("what ran when the disk failed: %+v", d)
	}
	if again := a.submit("none", "3", key); again != keyed {
		t.Errorf("the key leads to %s, want %s", again, keyed)
	}
	if err := s.end(); err != nil {
		t.Error(err)
	}
}
