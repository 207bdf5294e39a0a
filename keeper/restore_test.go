package keeper_test

import (
	"encoding/binary"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"workman/dispatch"
	"workman/keeper"
)

// TestRestore: what is stored is told, and each start has an epoch of its own.
func TestRestore(t *testing.T) {
	fs := vfs.NewMem()
	k := open(t, config(t, fs))
	empty := new(memory)
	if err := k.Restore(empty, nil); err != nil || empty.epoch != 1 || empty.stamp != 0 || empty.runs != 0 || len(empty.lanes) > 0 {
		t.Fatalf("an empty store: %v, %+v", err, empty)
	}
	var ops []op
	add := func(name string, rank uint8, n int) {
		for range n {
			run := id(len(ops) + 1)
			ops = append(ops, op{dispatch.TableQueue, dispatch.AppendQueueKey(nil, []byte(name), rank, run.Stamp()), run[:]})
		}
	}
	add("a", 4, 3)
	add("a", 0, 2)
	add("ab", 4, 1)
	add(strings.Repeat("n", 128), 9, 5)
	for n, size := range [][]byte{binary.AppendUvarint(nil, 300), {23}, {0x80}} {
		ops = append(ops, op{dispatch.TableExpiry, dispatch.AppendExpiryKey(nil, 5, id(n)), size})
	}
	run := id(900)
	ops = append(ops, op{dispatch.TableRuns, run[:], []byte("r")})
	k.Keep(batch(1, ops...))
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}

	for start := uint32(2); start < 6; start++ {
		k = open(t, config(t, fs))
		got := new(memory)
		if err := k.Restore(got, nil); err != nil {
			t.Fatal(err)
		}
		want := map[string]int{"a/4": 3, "a/0": 2, "ab/4": 1, strings.Repeat("n", 128) + "/9": 5}
		if start == 5 {
			want["a/4"]++
		}
		if !maps.Equal(got.lanes, want) || got.runs != 3 || got.bytes != 323 || got.epoch != start {
			t.Errorf("start %d: %+v", start, got)
		}
		stamp := run.Stamp()
		switch start {
		case 4:
			stamp = run.Stamp() + 5
		case 5: // the place of a run that came back
			stamp = run.Stamp() + 9
		}
		if got.stamp != stamp {
			t.Errorf("start %d: stamp %d, want %d", start, got.stamp, stamp)
		}
		if start == 4 {
			k.Keep(batch(1, op{dispatch.TableQueue, dispatch.AppendQueueKey(nil, []byte("a"), 4, run.Stamp()+9), run[:]}))
		}
		if start == 3 {
			k.Keep(batch(1, op{dispatch.TableMeta, []byte(dispatch.MetaStamp), binary.BigEndian.AppendUint64(nil, stamp+5)}))
		}
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRestoreMalformed: what this version does not understand is refused.
func TestRestoreMalformed(t *testing.T) {
	for what, o := range map[string]op{
		"queue": {dispatch.TableQueue, []byte("short"), []byte{}},
		"epoch": {dispatch.TableMeta, []byte(dispatch.MetaEpoch), []byte("1")},
	} {
		k := open(t, config(t, vfs.NewMem()))
		k.Keep(batch(1, o))
		if err := k.Store().Wait(1); err != nil {
			t.Fatal(err)
		}
		if err := k.Restore(new(memory), nil); err == nil {
			t.Errorf("%s: no error", what)
		}
		_ = k.Close()
	}
}

// BenchmarkRestore is starting with a million runs in the queue and a million that are finished.
func BenchmarkRestore(b *testing.B) {
	cfg := keeper.DefaultConfig()
	cfg.Store.FS = vfs.NewMem()
	k, err := keeper.Open("data", cfg)
	if err != nil {
		b.Fatal(err)
	}
	const million = 1_000_000
	for from := 0; from < million; from += 1000 {
		var ops []op
		for n := from; n < from+1000; n++ {
			run := id(n)
			ops = append(ops,
				op{dispatch.TableQueue, dispatch.AppendQueueKey(nil, []byte("mail"), 4, run.Stamp()), run[:]},
				op{dispatch.TableExpiry, dispatch.AppendExpiryKey(nil, int64(n), run), binary.AppendUvarint(nil, 300)})
		}
		n := uint64(from/1000 + 1)
		if k.Keep(batch(n, ops...)); n%20 == 0 {
			if err := k.Store().Wait(n); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := k.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		began := time.Now()
		k, err := keeper.Open("data", cfg)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s/open")
		began = time.Now()
		got := new(memory)
		if err := k.Restore(got, nil); err != nil || got.runs != million || got.lanes["mail/4"] != million {
			b.Fatalf("%v, %+v", err, got)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s/restore")
		if err := k.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
