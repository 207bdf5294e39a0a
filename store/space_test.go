package store_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"workman/store"
)

// TestSpace makes a disk fuller and emptier, and sees that it is said, once each time, while the store goes on.
func TestSpace(t *testing.T) {
	defer store.SetSpaceEvery(time.Millisecond)()
	disk := vfs.NewMem()
	free := func(n uint64) { disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: n, TotalBytes: 1 << 30}) }
	free(2000)
	type change struct {
		low  bool
		free uint64
	}
	changes := make(chan change, 100)
	var looks atomic.Int64
	cfg := small(errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpGetDiskUsage {
			looks.Add(1)
		}
		return nil
	})))
	cfg.Reserve = 1600
	cfg.Space = func(low bool, free uint64) { changes <- change{low, free} }
	s := open(t, cfg)
	appendTo(t, s, 1, 10)
	free(1599)
	if c := <-changes; c != (change{true, 1599}) {
		t.Errorf("told %v", c)
	}
	appendTo(t, s, 11, 600) // more than all segments hold
	free(1799)              // not enough to be more than a moment's
	for looked := looks.Load(); looks.Load() < looked+3; {
		runtime.Gosched()
	}
	free(1800)
	if c := <-changes; c != (change{false, 1800}) {
		t.Errorf("told %v", c)
	}
	closeStore(t, s)
	if len(changes) > 0 {
		t.Errorf("told %v too", <-changes)
	}
	free(100)
	s = open(t, cfg) // opened on a full disk
	if c := <-changes; c != (change{true, 100}) {
		t.Errorf("told %v", c)
	}
	closeStore(t, s)
}

// TestBallast fills the disk so that Pebble's list of files can only be written if the ballast is given up. That happens,
// all goes on, and there is a ballast again when there is room.
func TestBallast(t *testing.T) {
	defer store.SetSpaceEvery(time.Millisecond)()
	disk := vfs.NewMem()
	disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1 << 30})
	var full atomic.Bool
	there := func() bool { _, err := disk.Stat(dir + "/store/ballast"); return err == nil }
	cfg := small(errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && strings.Contains(op.Path, "MANIFEST") && op.Kind == errorfs.OpFileWrite && there() {
			return syscall.ENOSPC
		}
		return nil
	})))
	cfg.Reserve = 160 << 10
	cfg.Fatal = func(err error) { t.Error(err); select {} }
	s := open(t, cfg)
	for !there() {
		runtime.Gosched()
	}
	disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1})
	full.Store(true)
	appendTo(t, s, 1, 1000)
	waitApplied(s)
	if there() {
		t.Error("the ballast is still there")
	}
	full.Store(false)
	disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1 << 30})
	for !there() {
		runtime.Gosched()
	}
	closeStore(t, s)
	var m models
	s = open(t, small(disk))
	defer closeStore(t, s)
	if _, err := m.verify(s, 1000, 1000); err != nil {
		t.Fatal(err)
	}
}

// TestDiskFull uses a real disk that is small, fills it to the last byte while batches come, and makes room again: reads
// go on all the while, what was told is there, and all goes on without a restart.
func TestDiskFull(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("mounting a small disk, which only root may: %v", err)
	}
	defer syscall.Unmount(disk, syscall.MNT_DETACH)
	defer store.SetRetry(10 * time.Millisecond)()
	defer store.SetSpaceEvery(time.Millisecond)()
	lows := make(chan bool, 100)
	cfg := small(vfs.Default)
	cfg.SegmentBytes, cfg.MaxPending, cfg.Reserve = 256<<10, 1<<20, 4<<20
	cfg.Space = func(low bool, _ uint64) { lows <- low }
	cfg.Fatal = func(err error) { t.Error(err); select {} }
	s, err := store.Open(disk+"/data", cfg)
	if err != nil {
		t.Fatal(err)
	}
	appendTo(t, s, 1, 100)
	filler := filepath.Join(disk, "filler")
	fillDisk(t, filler)
	if low := <-lows; !low {
		t.Error("there is room, it says")
	}
	var m models
	n, most := 100, 20000
	for ; n < most; n++ {
		var b store.Batch
		fill(&b, n+1)
		if _, err := s.Append(&b); errors.Is(err, store.ErrFull) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if n == most {
		t.Fatal("the disk was never full")
	}
	if _, ok, err := s.Get(due, counter); err != nil || !ok {
		t.Error("reads do not go on:", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if low := <-lows; low {
		t.Error("there is no room, it says")
	}
	if err := s.Wait(uint64(n)); err != nil {
		t.Fatal(err)
	}
	appendTo(t, s, n+1, n+200)
	closeStore(t, s)
	if s, err = store.Open(disk+"/data", cfg); err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	if _, err := m.verify(s, n+200, n+200); err != nil {
		t.Fatal(err)
	}
}

// fillDisk writes a file until there is no room at all.
func fillDisk(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) || errors.Is(err, io.ErrShortWrite) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
