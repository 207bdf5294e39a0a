package store_test

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"workman/store"
)

// heap is how many bytes are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMemory fills all segments while Pebble takes none, with operations of several sizes, and sees that a store never
// holds more than it says, also when all of it has been read.
func TestMemory(t *testing.T) {
	for name, value := range map[string]int{"nothing": 0, "10 bytes": 10, "100 bytes": 100, "3000 bytes": 3000} {
		t.Run(name, func(t *testing.T) {
			var full atomic.Bool
			cfg := store.DefaultConfig()
			cfg.FS = errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if full.Load() && strings.Contains(op.Path, "/tables/") {
					return errDisk
				}
				return nil
			}))
			cfg.SegmentBytes, cfg.MaxPending, cfg.CacheBytes = 8<<20, 4<<20, 0
			before := heap()
			s, err := store.Open(t.TempDir(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			full.Store(true)
			bytes := fillWith(t, s, make([]byte, value))
			readAll(t, s)
			held := heap() - before
			t.Logf("%d MB of operations take %d MB, and may take %d", bytes>>20, held>>20, cfg.Memory()>>20)
			if held > cfg.Memory() {
				t.Errorf("%d bytes are held, and %d are the most", held, cfg.Memory())
			}
			if held < bytes || bytes < 8<<20 {
				t.Errorf("%d bytes were appended, and %d are held: nothing was tried", bytes, held)
			}
			full.Store(false)
			closeStore(t, s)
		})
	}
}

// readAll has everything that is in memory indexed and sorted, which takes memory too.
func readAll(t *testing.T, s *store.Store) {
	t.Helper()
	if _, ok, err := s.Get(runs, []byte("none")); ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := s.Scan(runs, nil, nil, func(_, _ []byte) bool { return false }); err != nil {
		t.Fatal(err)
	}
}

// fillWith appends operations until no more have been taken for a while, and says how many bytes that were.
func fillWith(t *testing.T, s *store.Store, value []byte) (bytes int64) {
	t.Helper()
	var b store.Batch
	taken := time.Now()
	for n := uint64(0); ; {
		b.Reset()
		for range 10 {
			n++
			b.Put(runs, binary.BigEndian.AppendUint64(nil, n), value)
		}
		if _, err := s.Append(&b); errors.Is(err, store.ErrFull) {
			if time.Since(taken) > 300*time.Millisecond && store.Unapplied(s) == store.DefaultConfig().Segments-1 {
				return bytes
			}
			runtime.Gosched()
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		bytes += int64(b.Len())
		taken = time.Now()
	}
}

// TestMemoryConfig uses a store that is only in memory: a little at first, and then for more than it has segments. What
// it took away is gone.
func TestMemoryConfig(t *testing.T) {
	cfg := store.MemoryConfig()
	before := heap()
	s := open(t, cfg)
	waitApplied(s)
	if idle := heap() - before; idle > 15<<20 {
		t.Errorf("an empty store takes %d bytes", idle)
	}
	var b store.Batch
	value := make([]byte, cfg.MaxBatch()/5)
	const batches = 100
	for n := range uint64(batches) {
		b.Reset()
		b.Put(runs, binary.BigEndian.AppendUint64(nil, n%3), value)
		number, err := s.Append(&b)
		if err == nil {
			err = s.Wait(number)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got, ok, err := s.Get(runs, binary.BigEndian.AppendUint64(nil, 2)); err != nil || !ok || len(got) != len(value) {
		t.Error(len(got), ok, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a folder: %v", err)
	}
	closeStore(t, s)
	s = open(t, store.MemoryConfig())
	defer closeStore(t, s)
	if _, ok, err := s.Get(runs, binary.BigEndian.AppendUint64(nil, 2)); err != nil || ok {
		t.Error("it is there after all", err)
	}
}

// TestMaxBatch appends a batch that is as large as one may be, and one of a byte more.
func TestMaxBatch(t *testing.T) {
	cfg := store.MemoryConfig()
	s := open(t, cfg)
	defer closeStore(t, s)
	var b store.Batch
	b.Put(runs, []byte("key"), make([]byte, cfg.MaxBatch()-9)) // its lengths, its table and its key are 9 bytes
	if b.Len() != cfg.MaxBatch() {
		t.Fatal(b.Len(), cfg.MaxBatch())
	}
	n, err := s.Append(&b)
	if err == nil {
		err = s.Wait(n)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.Delete(runs, nil)
	if _, err := s.Append(&b); !errors.Is(err, store.ErrTooLarge) {
		t.Error(err)
	}
}

// TestMaxPendingIsNoBound sees that the largest number there is bounds nothing.
func TestMaxPendingIsNoBound(t *testing.T) {
	cfg := small(vfs.NewMem())
	cfg.MaxPending = math.MaxInt64
	if cfg.Memory() != math.MaxInt64 {
		t.Errorf("it says that it holds %d bytes at most", cfg.Memory())
	}
	s := open(t, cfg)
	defer closeStore(t, s)
	appendTo(t, s, 1, 500)
}
