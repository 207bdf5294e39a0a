package store_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"workman/store"
)

// TestScanBesideWriting scans again and again while a little is written each time, beside much that is in memory already:
// every scan shows the newest of every key, in order.
func TestScanBesideWriting(t *testing.T) {
	cfg := small(vfs.NewMem())
	cfg.SegmentBytes = 1 << 20 // all of it stays in one memtable
	s := open(t, cfg)
	defer closeStore(t, s)
	rng := rand.New(rand.NewPCG(1, 2))
	want := map[string]string{}
	write := func(n int) {
		t.Helper()
		var b store.Batch
		for range n {
			key := fmt.Sprintf("%04d", rng.IntN(3000))
			if value := fmt.Sprint(rng.Uint32()); rng.IntN(3) > 0 {
				b.Put(due, []byte(key), []byte(value))
				want[key] = value
			} else {
				b.Delete(due, []byte(key))
				delete(want, key)
			}
		}
		last, err := s.Append(&b)
		if err == nil {
			err = s.Wait(last)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		write(200)
	}
	for range 300 {
		write(1 + rng.IntN(100))
		keys := slices.Sorted(maps.Keys(want))
		err := s.Scan(due, nil, nil, func(key, value []byte) bool {
			if len(keys) == 0 || string(key) != keys[0] || string(value) != want[keys[0]] {
				t.Fatalf("%s is %s beside %v", key, value, keys[:min(1, len(keys))])
			}
			keys = keys[1:]
			return true
		})
		if err != nil || len(keys) > 0 {
			t.Fatalf("%d keys are missing: %v", len(keys), err)
		}
	}
	keys := slices.Sorted(maps.Keys(want))
	if err := s.ScanBack(due, nil, nil, func(key, value []byte) bool {
		last := keys[len(keys)-1]
		keys = keys[:len(keys)-1]
		return string(key) == last && bytes.Equal(value, []byte(want[last]))
	}); err != nil || len(keys) > 0 {
		t.Fatalf("backwards %d keys are missing: %v", len(keys), err)
	}
}

// BenchmarkScanBesideWriting is a page of a queue or a timetable, while what comes and goes is written to a memtable that
// holds a hundred thousand rows.
func BenchmarkScanBesideWriting(b *testing.B) {
	cfg := small(vfs.NewMem())
	cfg.SegmentBytes = 32 << 20
	s := open(b, cfg)
	defer closeStore(b, s)
	rng := rand.New(rand.NewPCG(1, 2))
	var batch store.Batch
	write := func(n int) {
		batch.Reset()
		for range n {
			batch.Put(due, fmt.Appendf(nil, "%012d", rng.Uint64N(1e12)), []byte("value"))
		}
		if _, err := s.Append(&batch); err != nil {
			b.Fatal(err)
		}
	}
	for range 100 {
		write(1000)
	}
	for b.Loop() {
		write(256)
		n := 0
		if err := s.Scan(due, nil, nil, func(_, _ []byte) bool { n++; return n < 256 }); err != nil {
			b.Fatal(err)
		}
	}
}
