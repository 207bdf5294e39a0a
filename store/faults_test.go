package store_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"workman/store"
)

// isList reports whether an operation is on Pebble's list of files, after whose failure the process has to end: see
// TestManifestFails.
func isList(op errorfs.Op) bool {
	return strings.Contains(op.Path, "MANIFEST") || strings.Contains(op.Path, "marker") || strings.HasSuffix(op.Path, "/state")
}

// TestEveryOperationFails lets one file operation fail while a store is used, whichever it is, reads too. Then either the
// store has failed and says why, or it goes on; nothing that it tells or reads is wrong; and after a power cut all that was
// told is there.
func TestEveryOperationFails(t *testing.T) {
	defer store.SetRetry(1)()
	defer store.SetSpaceEvery(time.Millisecond)()
	outcomes := map[string]int{}
	kinds := map[errorfs.OpKind]bool{}
	for _, cause := range []error{syscall.ENOSPC, syscall.EIO} {
		for after := 1; after < 900; after += 900 / max(fewer(90), 30) { // about one in six hits the journal
			outcomes[useWithFault(t, cause, after, kinds)]++
		}
	}
	t.Logf("%v, with %d kinds of operations", outcomes, len(kinds))
	if least := fewer(10); outcomes["failed"] < least || outcomes["went on"] < least || len(kinds) < least {
		t.Error("this cannot have tried what it should")
	}
}

// useWithFault writes and reads, and lets an operation fail on the way.
func useWithFault(t *testing.T, cause error, after int, kinds map[errorfs.OpKind]bool) string {
	t.Helper()
	disk := vfs.NewCrashableMem()
	var failed atomic.Pointer[errorfs.Op]
	b := &broken{after: 1 << 30, err: cause}
	b.which = func(op errorfs.Op) bool { return !isList(op) }
	b.tell = func(op errorfs.Op) { failed.Store(&op) }
	cfg := small(errorfs.Wrap(disk, b))
	var told atomic.Int64
	cfg.Told = func(n uint64, err error) {
		if err == nil {
			told.Store(int64(n))
		}
	}
	cfg.Fatal = func(err error) { t.Error(err); select {} }
	s := open(t, cfg)
	b.mu.Lock()
	b.after = after
	b.mu.Unlock()
	outcome, tried := "went on", 0
	var batch store.Batch
	for tried < 250 && outcome == "went on" {
		tried++
		fill(&batch, tried)
		n, err := s.Append(&batch)
		if err == nil && (tried%3 == 0 || tried%50 == 0) {
			err = s.Wait(n)
		}
		if err != nil {
			outcome = "failed"
			if !errors.Is(err, store.ErrFailed) || !errors.Is(err, cause) {
				t.Fatalf("operation %d: %v", after, err)
			}
		}
		if tried%50 == 0 && err == nil { // nothing is under way
			if _, err := contents(s); errors.Is(err, errWrong) || err != nil && !errors.Is(err, cause) {
				t.Fatalf("operation %d: %v", after, err)
			}
		}
	}
	if err := s.Close(); err != nil && !errors.Is(err, cause) {
		t.Fatalf("operation %d: closing: %v", after, err)
	}
	if op := failed.Load(); op != nil {
		kinds[op.Kind] = true
	}
	var m models
	s = open(t, small(disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: after % 3 * 50, RNG: rand.New(rand.NewPCG(uint64(after), 0))})))
	defer closeStore(t, s)
	if _, err := m.verify(s, int(told.Load()), tried); err != nil {
		t.Fatalf("operation %d (%v): %v", after, failed.Load(), err)
	}
	return outcome
}

// TestEveryOperationOfOpeningFails does the same to a store that is being created, or opened after it was killed: opening
// says why it could not, or has worked, and the next one works.
func TestEveryOperationOfOpeningFails(t *testing.T) {
	d := makeSmall(t)
	for name, made := range map[string]bool{"created": false, "opened": true} {
		t.Run(name, func(t *testing.T) {
			failures := 0
			for after := 1; ; after += 1 + int(sparse)/8 {
				disk, batches := vfs.NewCrashableMem(), 0
				if made {
					disk, batches = d.files.restore(t), d.batches
				}
				b := &broken{after: after, err: errDisk, which: func(op errorfs.Op) bool { return !isList(op) }}
				s, err := store.Open(dir, small(errorfs.Wrap(disk, b)))
				b.mu.Lock()
				hit := b.hit
				b.after = 1 << 30
				b.mu.Unlock()
				if err == nil {
					closeStore(t, s)
				} else if !errors.Is(err, errDisk) {
					t.Errorf("operation %d: %v", after, err)
				} else {
					failures++
				}
				s = open(t, small(disk))
				var m models
				if _, err := m.verify(s, batches, batches); err != nil {
					t.Errorf("operation %d: %v", after, err)
				}
				closeStore(t, s)
				if !hit {
					break
				}
			}
			t.Logf("%d times it could not be %s", failures, name)
			if failures < fewer(50) {
				t.Error("nothing was tried")
			}
		})
	}
}
