package store_test

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"workman/store"
)

// TestFilters opens a store again and again with filters for other tables, so that files have filters of several kinds and
// none. Every key is found that is there, also in the last level, and of those that are not there most are not looked for.
func TestFilters(t *testing.T) {
	fs := vfs.NewMem()
	var m models
	n := 0
	for _, filtered := range []string{"", "k", "rk", "kr", "s", "", "kfrsd"} {
		cfg := small(fs)
		cfg.Filtered = filtered
		s := open(t, cfg)
		appendTo(t, s, n+1, n+400)
		n += 400
		waitApplied(s)
		for _, table := range tables {
			if _, err := m.verify(s, n, n); err != nil {
				t.Fatalf("filters for %q: %v", filtered, err)
			}
			if err := store.Compact(s, table); err != nil {
				t.Fatal(err)
			}
		}
		before := store.FilterHits(s)
		const absent = 1000
		for i := range uint64(absent) {
			key := slices.Concat([]byte("key100"), hash(3, i)) // among those that are there
			if _, ok, err := s.Get(hashes, key); ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		if hits := store.FilterHits(s) - before; (hits > absent*8/10) != strings.Contains(filtered, "k") {
			t.Errorf("filters for %q: %d of %d lookups were spared", filtered, hits, absent)
		}
		closeStore(t, s)
	}
}

// BenchmarkGet looks up keys that are hashes, of which there are many: those that are there and those that are not, with
// filters and without.
func BenchmarkGet(b *testing.B) {
	for _, keys := range []int{1_000_000, 10_000_000} {
		for filtered, name := range map[string]string{"": "none", "k": "filters"} {
			folder := b.TempDir()
			s := withHashes(b, folder, keys, filtered)
			b.Run(fmt.Sprintf("keys=%d/%s", keys, name), func(b *testing.B) {
				for what, seed := range map[string]uint64{"there": 1, "absent": 2} {
					b.Run(what, func(b *testing.B) {
						n := uint64(0)
						for b.Loop() {
							n++
							_, ok, err := s.Get(hashes, hash(seed, n*7919%uint64(keys)))
							if err != nil || ok != (seed == 1) {
								b.Fatal(ok, err)
							}
						}
						b.ReportMetric(float64(size(b, folder+"/store/state"))/float64(keys), "disk-B/key")
					})
				}
			})
			closeStore(b, s)
			os.RemoveAll(folder)
		}
	}
}

// hash is one of a sequence of 16 random bytes.
func hash(seed, n uint64) []byte {
	r := rand.NewPCG(seed, n)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, r.Uint64()), r.Uint64())
}

// withHashes is a store of so many of them, each with 16 bytes, as the server may find it some hours later.
func withHashes(b *testing.B, folder string, keys int, filtered string) *store.Store {
	b.Helper()
	cfg := store.DefaultConfig()
	cfg.Filtered = filtered
	s, err := store.Open(folder, cfg)
	if err != nil {
		b.Fatal(err)
	}
	var batch store.Batch
	var last uint64
	for n := 0; n < keys; {
		batch.Reset()
		for range 1000 {
			batch.Put(hashes, hash(1, uint64(n)), make([]byte, 16))
			n++
		}
		if last, err = s.Append(&batch); err != nil {
			b.Fatal(err)
		}
		if n%100_000 == 0 {
			if err := s.Wait(last); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := s.Wait(last); err != nil {
		b.Fatal(err)
	}
	closeStore(b, s)
	if s, err = store.Open(folder, cfg); err != nil {
		b.Fatal(err)
	}
	waitApplied(s)
	if err := store.Compact(s, hashes); err != nil {
		b.Fatal(err)
	}
	return s
}

// size is how many bytes the files of a folder have.
func size(b *testing.B, folder string) (total int64) {
	b.Helper()
	err := filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return total
}
