package store_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"workman/store"
)

// TestProgress opens a store of which much is in the journal only: it is told how far that is, which ascends to the whole.
func TestProgress(t *testing.T) {
	d := makeDamageable(t, 1<<20)
	cfg := small(d.files.restore(t))
	var dones []int64
	cfg.Progress = func(done, total int64) {
		if total != 8*1<<20 { // three that are sealed and one that is not, twice
			t.Errorf("there are %d bytes", total)
		}
		dones = append(dones, done)
	}
	closeStore(t, open(t, cfg))
	for i := 1; i < len(dones); i++ {
		if dones[i] <= dones[i-1] || dones[i]-dones[i-1] > 2<<20 {
			t.Errorf("%d comes after %d", dones[i], dones[i-1])
		}
	}
	if len(dones) < 4 || dones[len(dones)-1] != 8<<20 {
		t.Errorf("it was told %d", dones)
	}
}

// TestNewFolders: a store in folders of which none was there is found after a power cut.
func TestNewFolders(t *testing.T) {
	disk := vfs.NewCrashableMem()
	s, err := store.Open("/one/two/three", small(disk))
	if err != nil {
		t.Fatal(err)
	}
	appendTo(t, s, 0, 1)
	image := disk.CrashClone(vfs.CrashCloneCfg{})
	closeStore(t, s)
	if _, err := image.Stat("/one/two/three/store/format"); err != nil {
		t.Errorf("after a power cut: %v", err)
	}
}

// BenchmarkOpen opens a store that keeps a million runs of 300 bytes.
func BenchmarkOpen(b *testing.B) {
	folder := b.TempDir()
	s, err := store.Open(folder, store.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	var batch store.Batch
	var last uint64
	value := make([]byte, 300)
	for n := range uint64(1_000_000) {
		batch.Reset()
		key := binary.BigEndian.AppendUint64(nil, n)
		batch.Put(runs, key, value)
		batch.Put(states, key, nil)
		if last, err = s.Append(&batch); err != nil {
			b.Fatal(err)
		}
		if n%10000 == 0 {
			if err = s.Wait(last); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := s.Wait(last); err != nil {
		b.Fatal(err)
	}
	closeStore(b, s)
	var longest time.Duration
	for b.Loop() {
		began := time.Now()
		s, err := store.Open(folder, store.DefaultConfig())
		if err != nil {
			b.Fatal(err)
		}
		longest = max(longest, time.Since(began))
		b.StopTimer()
		closeStore(b, s)
		b.StartTimer()
	}
	b.ReportMetric(float64(longest.Milliseconds()), "longest-ms")
}
