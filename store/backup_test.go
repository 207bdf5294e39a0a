package store_test

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"workman/store"
)

// TestBackup makes backups while batches are written, of a store that is new, in use and idle, and opens them: each holds
// what had been told, and is a store like any other. The one it is of goes on.
func TestBackup(t *testing.T) {
	for name, fs := range map[string]vfs.FS{"memory": vfs.NewMem(), "disk": vfs.Default} {
		t.Run(name, func(t *testing.T) {
			folder := dir
			if name == "disk" {
				folder = t.TempDir()
			}
			var told, tried atomic.Int64
			cfg := small(fs)
			cfg.Told = func(n uint64, _ error) { told.Store(int64(n)) }
			s, err := store.Open(fs.PathJoin(folder, "original"), cfg)
			if err != nil {
				t.Fatal(err)
			}
			back := func(to string) {
				t.Helper()
				to = fs.PathJoin(folder, to)
				before := told.Load()
				if err := s.Backup(to); err != nil {
					t.Fatal(err)
				}
				openBackup(t, fs, to, int(before), &tried)
			}
			back("new")
			done := make(chan struct{})
			go func() {
				defer close(done)
				for n := 1; n <= 3000; n++ {
					tried.Store(int64(n))
					appendTo(t, s, n, n)
				}
			}()
			for told.Load() < 100 {
				runtime.Gosched()
			}
			back("one")
			back("two")
			<-done
			back("idle")
			back("idle again")
			if err := s.Backup(fs.PathJoin(folder, "two")); !errors.Is(err, store.ErrThere) || !strings.Contains(err.Error(), "two is there already: remove it") {
				t.Errorf("over another backup: %v", err)
			}
			closeStore(t, s)
			openBackup(t, fs, fs.PathJoin(folder, "original"), 3000, &tried)
		})
	}
}

// openBackup opens a folder, sees what is in it, and uses it as a store.
func openBackup(t *testing.T, fs vfs.FS, folder string, told int, tried *atomic.Int64) {
	t.Helper()
	var m models
	for range 2 {
		s, err := store.Open(folder, small(fs))
		if err != nil {
			t.Fatal(err)
		}
		n, err := m.verify(s, told, int(tried.Load())+300)
		if err != nil {
			t.Fatal(err)
		}
		appendTo(t, s, n+1, n+100)
		told = n + 100
		closeStore(t, s)
	}
}

// TestBackupFails lets every file operation of a backup fail, one after the other: there is no backup and nothing left of
// it, the error says why, and the store goes on.
func TestBackupFails(t *testing.T) {
	const there = "/backups/there"
	var m models
	failures := 0
	for after := 1; ; after++ {
		disk := vfs.NewMem()
		if err := disk.MkdirAll("/backups", 0o700); err != nil {
			t.Fatal(err)
		}
		b := &broken{after: after, err: errDisk, which: func(op errorfs.Op) bool {
			return strings.HasPrefix(op.Path, "/backups") && op.Kind != errorfs.OpRemoveAll && op.Kind != errorfs.OpStat
		}}
		cfg := small(errorfs.Wrap(disk, b))
		cfg.Fatal = func(err error) { t.Error(err); select {} }
		s := open(t, cfg)
		appendTo(t, s, 1, 100)
		err := s.Backup(there)
		b.mu.Lock()
		hit := b.hit
		b.mu.Unlock()
		if !hit {
			if err != nil {
				t.Error(err)
			}
			closeStore(t, s)
			break
		}
		failures++
		whole, _ := disk.Stat(there)
		if left, _ := disk.Stat(there + ".unfinished"); left != nil {
			t.Errorf("operation %d: something is left", after)
		}
		switch {
		case err == nil: // it did not matter: closing what was read
			openBackup(t, disk, there, 100, new(atomic.Int64))
		case !errors.Is(err, errDisk) || whole != nil && !strings.Contains(err.Error(), "is whole"):
			t.Errorf("operation %d: %v", after, err)
		}
		appendTo(t, s, 101, 120)
		if _, err := m.verify(s, 120, 120); err != nil {
			t.Error(err)
		}
		closeStore(t, s)
	}
	t.Logf("%d operations failed", failures)
	if failures < 30 {
		t.Error("nothing was tried")
	}
}

// TestBackupPowerCut cuts the power while a backup is made: it has its name and is whole, or has not got it and is
// refused.
func TestBackupPowerCut(t *testing.T) {
	const there = "/backups/there"
	whole, refused := 0, 0
	for after := 1; after <= 90; after += 90 / fewer(90) {
		disk := vfs.NewCrashableMem()
		if err := disk.MkdirAll("/backups", 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"/", "/backups"} {
			d, err := disk.OpenDir(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(d.Sync(), d.Close()); err != nil {
				t.Fatal(err)
			}
		}
		var links sync.Mutex
		var image *vfs.MemFS
		var operations atomic.Int64
		s := open(t, small(errorfs.Wrap(ordered{disk, &links}, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if strings.HasPrefix(op.Path, "/backups") && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && operations.Add(1) == int64(after) {
				links.Lock()
				defer links.Unlock()
				image = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: after % 3 * 50, RNG: rand.New(rand.NewPCG(uint64(after), 0))})
			}
			return nil
		}))))
		appendTo(t, s, 1, 100)
		if err := s.Backup(there); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		if image == nil {
			image = disk.CrashClone(vfs.CrashCloneCfg{})
		}
		if _, err := image.Stat(there); err == nil {
			openBackup(t, image, there, 100, new(atomic.Int64))
			whole++
		} else if _, err := image.Stat(there + ".unfinished"); err == nil {
			if _, err := store.Open(there+".unfinished", small(image)); err == nil || !strings.Contains(err.Error(), "not finished") {
				t.Fatal(err)
			}
			refused++
		}
	}
	t.Logf("%d were whole, %d refused", whole, refused)
	if whole == 0 || refused == 0 {
		t.Error("this cannot have tried what it should")
	}
}
