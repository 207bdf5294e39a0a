package store_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"workman/store"
)

// told is the last batch that a store has told to be safe. When it is over nothing more will be.
type told struct {
	atomic.Uint64
	over chan struct{}
}

// asynchronous is a store that syncs its journal by itself only once an hour, and how far it has been told.
func asynchronous(t *testing.T, fs vfs.FS) (*store.Store, *told) {
	t.Helper()
	t.Cleanup(store.SetSyncEvery(time.Hour))
	told := told{over: make(chan struct{})}
	cfg := small(fs)
	cfg.SegmentBytes = 1 << 20
	cfg.FrameBytes = 1 // a frame a batch
	cfg.Async = true
	cfg.Told = func(n uint64, err error) {
		if err == nil {
			told.Store(n)
		} else {
			close(told.over)
		}
	}
	s := open(t, cfg)
	waitApplied(s) // Link, which the applier needs, and CrashClone at once never end
	return s, &told
}

// TestAsyncLoses cuts the power when nothing has been synced since some batch: those up to it are there, of the others
// only some, without a gap, although frames behind a gap are on the disk.
func TestAsyncLoses(t *testing.T) {
	const synced, all = 20, 60
	var m models
	disk := vfs.NewCrashableMem()
	s, _ := asynchronous(t, disk)
	defer closeStore(t, s)
	appendTo(t, s, 1, synced)
	if err := store.Sync(s); err != nil || s.Synced() != synced {
		t.Fatal(s.Synced(), err)
	}
	appendTo(t, s, synced+1, all)
	if s.Synced() != synced {
		t.Fatalf("%d are synced", s.Synced())
	}
	different := map[int]bool{}
	for seed := range 40 {
		image := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 80, RNG: rand.New(rand.NewPCG(uint64(seed), 0))})
		s := open(t, small(image))
		n, err := m.verify(s, synced, all)
		if err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		s = open(t, small(image.CrashClone(vfs.CrashCloneCfg{}))) // what was found stays found
		if _, err := m.verify(s, n, n); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		different[n] = true
	}
	if len(different) < 5 {
		t.Errorf("only %d different ends were seen", len(different))
	}
}

// TestAsyncDamage loses pages that had been synced: that is noticed, as far as something was written after the sync.
func TestAsyncDamage(t *testing.T) {
	const synced, all = 20, 22
	disk := vfs.NewCrashableMem()
	s, _ := asynchronous(t, disk)
	appendTo(t, s, 1, synced)
	if err := store.Sync(s); err != nil {
		t.Fatal(err)
	}
	appendTo(t, s, synced+1, all)
	image := copyOf(disk)
	closeStore(t, s)
	frames, err := store.ReadJournal(image, dir, 0)
	if err != nil || len(frames) != all {
		t.Fatal(len(frames), err)
	}
	name, _, end, err := store.FrameAt(image, dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	right := read(image, name)
	f, err := image.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	refusals, shorter := 0, 0
	for at := 4096; at < end; at += 4096 {
		f.WriteAt(make([]byte, 4096), int64(at))
		got, err := store.ReadJournal(image, dir, 0)
		switch {
		case errors.Is(err, store.ErrDamaged):
			refusals++
		case err != nil || len(got) < synced || !bytes.Equal(got[0], frames[0]):
			t.Errorf("without the page at %d there are %d frames: %v", at, len(got), err)
		default:
			shorter++
		}
		f.WriteAt(right[at:at+4096], int64(at))
	}
	if refusals < synced || shorter < 2 {
		t.Errorf("%d pages were missed, and %d not", refusals, shorter)
	}
}

// TestAsyncSyncFails lets the sync fail: nothing is told any more, and it is not tried again.
func TestAsyncSyncFails(t *testing.T) {
	var m models
	disk := vfs.NewCrashableMem()
	b := &broken{after: 1 << 30, err: errDisk, which: func(op errorfs.Op) bool {
		return isJournal(op) && op.Kind == errorfs.OpFileSyncData
	}}
	s, told := asynchronous(t, errorfs.Wrap(disk, b))
	appendTo(t, s, 1, 10)
	b.mu.Lock()
	b.after = 1
	b.mu.Unlock()
	store.RequestSync(s)
	tried := fillUntilRefusedFrom(t, s, 11)
	<-told.over
	last := int(told.Load())
	if n, err := m.verify(s, last, last); err != nil { // reads go on
		t.Fatalf("at %d: %v", n, err)
	}
	if err := s.Close(); !errors.Is(err, store.ErrFailed) || !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	if b.after < 0 {
		t.Errorf("the journal was synced %d times after the failure", -b.after)
	}
	restartTwice(t, &m, disk, 0, tried)
}

// TestAsyncClose sees that what was told is durable once the store is closed.
func TestAsyncClose(t *testing.T) {
	var m models
	disk := vfs.NewCrashableMem()
	s, _ := asynchronous(t, disk)
	appendTo(t, s, 1, 50)
	closeStore(t, s)
	s = open(t, small(disk.CrashClone(vfs.CrashCloneCfg{})))
	if _, err := m.verify(s, 50, 50); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
}
