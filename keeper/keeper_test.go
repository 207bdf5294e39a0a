package keeper_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"workman/dispatch"
	"workman/keeper"
	"workman/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listener stands where the dispatcher will: it hears what the keeper says.
type listener struct {
	mu    sync.Mutex
	heard chan event
	input int  // so many came
	stuck bool // as if the ring were full
}

// event is what was said, with bytes of its own.
type event struct {
	dispatch.Event
	body  []byte
	run   dispatch.ID
	input int // with which it came
}

func (l *listener) Submit(in dispatch.Input, stop <-chan struct{}) bool {
	l.mu.Lock()
	stuck := l.stuck
	l.input++
	input := l.input
	l.mu.Unlock()
	if stuck {
		<-stop
		return false
	}
	for i := range in.Events {
		ev := &in.Events[i]
		e := event{Event: *ev, body: bytes.Clone(ev.Body.Of(in.Base)), input: input}
		copy(e.run[:], ev.Run().Of(in.Base))
		l.heard <- e
	}
	return true
}

func (l *listener) Help() bool { return false }

// next is the next event, which must be of a kind.
func (l *listener) next(t *testing.T, kind dispatch.Kind) event {
	t.Helper()
	select {
	case e := <-l.heard:
		if e.Kind != kind {
			t.Fatalf("heard an event of kind %d, want %d: %+v", e.Kind, kind, e)
		}
		return e
	case <-time.After(10 * time.Second):
		t.Fatalf("waited in vain for an event of kind %d", kind)
		panic("unreachable")
	}
}

// committed waits until a batch is said to be durable, and looks that numbers only grow.
func (l *listener) committed(t *testing.T, n uint64) {
	t.Helper()
	for last := uint64(0); last < n; {
		e := l.next(t, dispatch.Committed)
		if e.Seq <= last || e.Seq > n {
			t.Fatalf("batch %d is said to be durable behind %d, and %d is the last", e.Seq, last, n)
		}
		last = e.Seq
	}
}

// config is a keeper's with its files in memory, and its log at the test's.
func config(t *testing.T, fs vfs.FS) keeper.Config {
	cfg := keeper.DefaultConfig()
	cfg.Store.FS, cfg.Store.SegmentBytes, cfg.Store.CacheBytes = fs, 1<<20, 1<<20
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	return cfg
}

// open opens a keeper; the test closes it.
func open(t *testing.T, cfg keeper.Config) *keeper.Keeper {
	t.Helper()
	k, err := keeper.Open("data", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// begin opens a keeper, restores and starts it, and closes it with the test.
func begin(t *testing.T, cfg keeper.Config, call func([16]byte)) (*keeper.Keeper, *listener) {
	t.Helper()
	k := open(t, cfg)
	if err := k.Restore(new(memory), nil); err != nil {
		t.Fatal(err)
	}
	l := &listener{heard: make(chan event, 1000)}
	k.Start(l, call)
	t.Cleanup(func() { _ = k.Close() })
	return k, l
}

// op is one change; a nil value deletes.
type op struct {
	table      byte
	key, value []byte
}

// batch is what the dispatcher makes of changes.
func batch(n uint64, ops ...op) *dispatch.Batch {
	b := &dispatch.Batch{N: n}
	span := func(of []byte) dispatch.Span {
		s := dispatch.Span{Off: uint32(len(b.Data)), Len: uint32(len(of))}
		b.Data = append(b.Data, of...)
		return s
	}
	for _, o := range ops {
		b.Ops = append(b.Ops, dispatch.Op{Table: o.table, Delete: o.value == nil, Key: span(o.key), Value: span(o.value)})
	}
	return b
}

// memory remembers what it was told at the start.
type memory struct {
	lanes map[string]int
	runs  int
	bytes int64
	epoch uint32
	stamp uint64
}

func (m *memory) Stored(name []byte, rank uint8, n int) {
	if m.lanes == nil {
		m.lanes = map[string]int{}
	}
	m.lanes[fmt.Sprintf("%s/%d", name, rank)] += n
}

func (m *memory) Kept(runs int, bytes int64) { m.runs, m.bytes = runs, bytes }

func (m *memory) Begin(epoch uint32, stamp uint64) { m.epoch, m.stamp = epoch, stamp }

// id is the run of a number: later numbers are later ids.
func id(n int) (id dispatch.ID) {
	binary.BigEndian.PutUint64(id[:], uint64(n)<<16|0x7000)
	binary.BigEndian.PutUint64(id[8:], uint64(n)|1<<63)
	return id
}

func flush(t *testing.T, k *keeper.Keeper) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := k.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestKeep: what is kept is durable when it is said to be, under the dispatcher's own numbers, and there after a crash.
func TestKeep(t *testing.T) {
	fs := vfs.NewCrashableMem()
	k, l := begin(t, config(t, fs), nil)
	run := id(1)
	k.Keep(batch(1, op{dispatch.TableRuns, run[:], []byte("one")}, op{dispatch.TableStatus, run[:], []byte{}}))
	l.committed(t, 1)
	for n := uint64(2); n <= 100; n++ {
		key := id(int(n))
		k.Keep(batch(n, op{dispatch.TableRuns, key[:], []byte("more")}, op{dispatch.TableStatus, run[:], nil}))
	}
	l.committed(t, 100)
	flush(t, k)

	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	again := open(t, config(t, crashed))
	defer func() { _ = again.Close() }()
	for n := 1; n <= 100; n++ {
		key := id(n)
		if _, ok, err := again.Store().Get(dispatch.TableRuns, key[:]); !ok || err != nil {
			t.Errorf("run %d is not there after a crash: %v", n, err)
		}
	}
	if _, ok, _ := again.Store().Get(dispatch.TableStatus, run[:]); ok {
		t.Error("what was deleted is there after a crash")
	}
}

// TestKeepGap: the numbers of dispatcher and store must agree, or nothing more is kept and the dispatcher knows.
func TestKeepGap(t *testing.T) {
	for name, break_ := range map[string]func(*testing.T, *keeper.Keeper) uint64{
		"a number is left out": func(*testing.T, *keeper.Keeper) uint64 { return 3 },
		"somebody else writes": func(t *testing.T, k *keeper.Keeper) uint64 {
			var b store.Batch
			b.Put(dispatch.TableMeta, []byte("x"), nil)
			if _, err := k.Store().Append(&b); err != nil {
				t.Fatal(err)
			}
			return 2
		},
	} {
		t.Run(name, func(t *testing.T) {
			k, l := begin(t, config(t, vfs.NewMem()), nil)
			run := id(1)
			k.Keep(batch(1, op{dispatch.TableRuns, run[:], []byte("one")}))
			l.committed(t, 1)
			n := break_(t, k)
			k.Keep(batch(n, op{dispatch.TableRuns, run[:], []byte("two")}))
			for e := (<-l.heard); e.Kind != dispatch.CommitFailed || e.Seq != 1; e = <-l.heard {
				if e.Kind != dispatch.Committed {
					t.Fatalf("heard %+v", e)
				}
			}
			if err := k.Store().Wait(3); n == 3 && err == nil { // 1 is the epoch's
				t.Error("the batch behind the gap was kept")
			}
			k.Keep(batch(n+1, op{dispatch.TableStatus, run[:], []byte("three")}))
			if _, ok, _ := k.Store().Get(dispatch.TableStatus, run[:]); ok {
				t.Error("something was kept behind the gap")
			}
		})
	}
}

// brokenFS fails to sync once it is told to.
type brokenFS struct {
	vfs.FS
	mu     sync.Mutex
	broken bool
}

func (f *brokenFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	return &brokenFile{file, f}, err
}

func (f *brokenFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.OpenReadWrite(name, c, opts...)
	return &brokenFile{file, f}, err
}

var errBroken = errors.New("the disk is broken")

type brokenFile struct {
	vfs.File
	fs *brokenFS
}

func (f *brokenFile) fails() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.fs.broken {
		return errBroken
	}
	return nil
}

func (f *brokenFile) WriteAt(b []byte, at int64) (int, error) {
	if err := f.fails(); err != nil {
		return 0, err
	}
	return f.File.WriteAt(b, at)
}

func (f *brokenFile) SyncData() error { return errors.Join(f.fails(), f.File.SyncData()) }

// TestStoreFails: the dispatcher is told the last batch that is durable, once; Flush says that something was lost.
func TestStoreFails(t *testing.T) {
	fs := &brokenFS{FS: vfs.NewMem()}
	k, l := begin(t, config(t, fs), nil)
	run := id(1)
	k.Keep(batch(1, op{dispatch.TableRuns, run[:], []byte("one")}))
	l.committed(t, 1)
	fs.mu.Lock()
	fs.broken = true
	fs.mu.Unlock()
	for n := uint64(2); n < 50; n++ {
		k.Keep(batch(n, op{dispatch.TableRuns, run[:], []byte("two")}))
	}
	if e := l.next(t, dispatch.CommitFailed); e.Seq != 1 {
		t.Errorf("batches behind %d are lost, want 1", e.Seq)
	}
	k.Keep(batch(50, op{dispatch.TableRuns, run[:], []byte("two")}))
	if err := k.Flush(context.Background()); !errors.Is(err, keeper.ErrLost) {
		t.Errorf("Flush: %v, want ErrLost", err)
	}
	k.Keep(&dispatch.Batch{Loads: []dispatch.Load{{N: 9, ID: run, Also: "r"}}})
	if e := l.next(t, dispatch.Loaded); e.Count != dispatch.LoadWhole || !bytes.Contains(e.body, []byte("one")) {
		t.Errorf("what is there cannot be read any more: %+v", e)
	}
}

// TestFlush: it waits, for as long as it may.
func TestFlush(t *testing.T) {
	k, l := begin(t, config(t, vfs.NewMem()), nil)
	flush(t, k) // nothing was kept
	l.mu.Lock()
	l.stuck = true
	l.mu.Unlock()
	run := id(1)
	k.Keep(batch(1, op{dispatch.TableRuns, run[:], []byte("one")}))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := k.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Flush: %v, want that it was cancelled", err)
	}
}

// TestClose: it makes durable what was kept and not told yet, also if the dispatcher does not listen; what comes later is
// dropped.
func TestClose(t *testing.T) {
	fs := vfs.NewMem()
	k := open(t, config(t, fs))
	l := &listener{stuck: true}
	k.Start(l, nil)
	for n := 1; n <= 10; n++ {
		run := id(n)
		k.Keep(batch(uint64(n), op{dispatch.TableRuns, run[:], []byte("v")}))
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	late := id(11)
	k.Keep(batch(11, op{dispatch.TableRuns, late[:], []byte("v")}))
	k.Called(late)

	again := open(t, config(t, fs))
	defer func() { _ = again.Close() }()
	for n := 1; n <= 11; n++ {
		run := id(n)
		if _, ok, err := again.Store().Get(dispatch.TableRuns, run[:]); err != nil || ok != (n <= 10) {
			t.Errorf("run %d: %v, %v", n, ok, err)
		}
	}
}

// TestSpace: the dispatcher is told when the disk is nearly full, and when it is not any more.
func TestSpace(t *testing.T) {
	k, l := begin(t, config(t, vfs.NewMem()), nil)
	for _, low := range []bool{true, false} {
		k.Space(low, 4096)
		if e := l.next(t, dispatch.StoreLow); (e.Count == 1) != low {
			t.Errorf("low is %d, want %v", e.Count, low)
		}
	}
}

func TestConfig(t *testing.T) {
	for name, set := range map[string]func(*keeper.Config){
		"Readers":  func(c *keeper.Config) { c.Readers = 0 },
		"MaxLoads": func(c *keeper.Config) { c.MaxLoads = 0 },
		"Told":     func(c *keeper.Config) { c.Store.Told = func(uint64, error) {} },
	} {
		cfg := config(t, vfs.NewMem())
		set(&cfg)
		if _, err := keeper.Open("data", cfg); !errors.Is(err, keeper.ErrConfig) || !bytes.Contains([]byte(err.Error()), []byte(name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
