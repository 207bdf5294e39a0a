package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"workman/store"
)

func TestMain(m *testing.M) {
	if writeUntilKilled() || writeUntilFatal() {
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction( // Pebble leaves it behind when it cannot be opened
		"github.com/cockroachdb/pebble/v2.(*ConcurrencyLimitScheduler).periodicGranter"))
}

// TestReopen writes more than all segments hold, and finds it after each of several restarts.
func TestReopen(t *testing.T) {
	for name, fs := range map[string]vfs.FS{"memory": vfs.NewMem(), "disk": vfs.Default} {
		t.Run(name, func(t *testing.T) {
			folder := dir
			if name == "disk" {
				folder = t.TempDir()
			}
			var m models
			const step = 400
			for n := 0; n < 4*step; n += step {
				s, err := store.Open(folder, small(fs))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := m.verify(s, n, n); err != nil {
					t.Fatal(err)
				}
				appendTo(t, s, n+1, n+step)
				if _, err := m.verify(s, n+step, n+step); err != nil {
					t.Fatal(err)
				}
				closeStore(t, s)
			}
		})
	}
}

// TestTold appends from several goroutines, and sees numbers told in order, and nothing told that cannot be read.
func TestTold(t *testing.T) {
	const writers, each = 8, 200
	cfg := small(vfs.NewMem())
	var told []uint64
	cfg.Told = func(n uint64, err error) {
		if err != nil {
			t.Error(err)
		}
		told = append(told, n)
	}
	s := open(t, cfg)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			var b store.Batch
			for i := range each {
				key := fmt.Appendf(nil, "%d/%d", w, i)
				b.Reset()
				b.Put(runs, key, key)
				n, err := s.Append(&b)
				if err == nil {
					err = s.Wait(n)
				}
				if err != nil {
					t.Error(err)
					return
				}
				if value, ok, err := s.Get(runs, key); err != nil || !ok || string(value) != string(key) {
					t.Errorf("%s: %q %v %v", key, value, ok, err)
				}
			}
		})
	}
	all.Wait()
	closeStore(t, s)
	for i := 1; i < len(told); i++ {
		if told[i] <= told[i-1] {
			t.Fatalf("%d was told after %d", told[i], told[i-1])
		}
	}
	if len(told) == 0 || told[len(told)-1] != writers*each {
		t.Fatalf("told up to %v, want %d", told, writers*each)
	}
}

// TestScanRange looks at parts of a table, some of it in memory and some not.
func TestScanRange(t *testing.T) {
	s := open(t, small(vfs.NewMem()))
	defer closeStore(t, s)
	var b store.Batch
	var last uint64
	for i := range 3000 {
		b.Reset()
		b.Put(due, fmt.Appendf(nil, "%05d", i), make([]byte, 20))
		b.Put(hashes, fmt.Appendf(nil, "%05d", i), nil)
		var err error
		if last, err = s.Append(&b); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Wait(last); err != nil {
		t.Fatal(err)
	}
	type scan func(store.Table, []byte, []byte, func(key, value []byte) bool) error
	for _, c := range []struct {
		scan     scan
		from, to string
		want     string
	}{
		{s.Scan, "", "", "00000 00001 00002"},
		{s.ScanBack, "", "", "02999 02998 02997"},
		{s.Scan, "01000", "01002", "01000 01001"},
		{s.ScanBack, "01000", "01002", "01001 01000"},
		{s.Scan, "02998", "", "02998 02999"},
		{s.ScanBack, "", "00002", "00001 00000"},
		{s.Scan, "5", "", ""},
		{s.Scan, "00005", "00001", ""},
		{s.ScanBack, "00005", "00001", ""},
	} {
		var got []string
		var to []byte
		if c.to != "" {
			to = []byte(c.to)
		}
		err := c.scan(due, []byte(c.from), to, func(key, _ []byte) bool {
			got = append(got, string(key))
			return len(got) < 3
		})
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("from %q to %q: %v %v, want %s", c.from, c.to, got, err, c.want)
		}
	}
}

// TestRefused tries what a store does not take, and sees that what it refused changed nothing.
func TestRefused(t *testing.T) {
	fs := vfs.NewMem()
	cfg := small(fs)
	cfg.MaxPending = 100
	block, blocked := make(chan struct{}), make(chan struct{}, 100)
	cfg.Told = func(uint64, error) { blocked <- struct{}{}; <-block }
	s := open(t, cfg)
	var b store.Batch
	put := func(table store.Table, key, value int) error {
		b.Reset()
		b.Put(table, make([]byte, key), make([]byte, value))
		_, err := s.Append(&b)
		return err
	}
	if err := put(runs, store.MaxKey+1, 1); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("a long key: %v", err)
	}
	if err := put(runs, 1, cfg.SegmentBytes); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("a long value: %v", err)
	}
	for _, table := range []store.Table{'w', 0, 'A', '{'} {
		if err := put(table, 1, 1); err == nil {
			t.Errorf("table %q was taken", table)
		}
	}
	if _, err := store.Open(dir, small(fs)); !errors.Is(err, store.ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if err := put(runs, 1, 70); err != nil {
		t.Fatal(err)
	}
	<-blocked // it is being told; what comes now waits behind it
	for range 3 {
		if err := put(runs, 1, 70); err != nil && !errors.Is(err, store.ErrFull) {
			t.Fatal(err)
		}
	}
	if err := put(runs, 1, 70); !errors.Is(err, store.ErrFull) {
		t.Errorf("over MaxPending: %v", err)
	}
	close(block)
	if err := s.Wait(1000); err == nil {
		t.Error("waited for a batch that was never appended")
	}
	closeStore(t, s)
	if err := put(runs, 1, 1); !errors.Is(err, store.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := s.Close(); !errors.Is(err, store.ErrClosed) {
		t.Errorf("closed twice: %v", err)
	}
}

func TestConfigRefused(t *testing.T) {
	for name, change := range map[string]func(*store.Config){
		"a segment of":   func(c *store.Config) { c.SegmentBytes = 4096 },
		"a segment of 2": func(c *store.Config) { c.SegmentBytes = 20001 },
		"1 segments":     func(c *store.Config) { c.Segments = 1 },
		"frames of":      func(c *store.Config) { c.FrameBytes = 0 },
		"0 bytes may be": func(c *store.Config) { c.MaxPending = 0 },
		"a cache of -1":  func(c *store.Config) { c.CacheBytes = -1 },
		`table "w"`:      func(c *store.Config) { c.Filtered = "kw" },
		`table "K"`:      func(c *store.Config) { c.Filtered = "K" },
	} {
		cfg := small(vfs.NewMem())
		change(&cfg)
		if _, err := store.Open(dir, cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
