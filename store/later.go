package store

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var syncEvery = time.Second // a variable for tests

const syncBytes = 8 << 20 // or as soon as so much has been handed over, so that no sync takes long

// syncs are those of a journal whose frames are made durable later: one at a time, whatever the file, and none any more once
// one has failed. Another might succeed without having written anything.
type syncs struct {
	mu     sync.Mutex
	failed error
}

// later is a segment's file whose frames are handed to the operating system, and made durable some time afterwards. One
// goroutine writes, and any may sync.
type later struct {
	vfs.File
	*syncs
	frames atomic.Uint64 // handed over
	batch  atomic.Uint64 // number of the last one in them
	bytes  atomic.Int64  // handed over since the last sync began
	synced atomic.Uint64 // frames that are durable
	closed bool          // under the mutex of the syncs
}

// sync makes durable what was handed over before it was called, and says up to which batch that is.
func (l *later) sync() (batch uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch, frames := l.batch.Load(), l.frames.Load()
	if l.failed != nil || l.closed || frames == l.synced.Load() {
		return batch, l.failed
	}
	l.bytes.Store(0)
	if l.failed = l.SyncData(); l.failed != nil {
		return batch, l.failed
	}
	l.synced.Store(frames)
	return batch, nil
}

// Close does not sync.
func (l *later) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.File.Close()
}

// openLater opens a file that is there.
func openLater(fs vfs.FS, name string, all *syncs) (*later, error) {
	if _, err := fs.Stat(name); err != nil {
		return nil, err
	}
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	return &later{File: f, syncs: all}, nil
}

// syncLater is the syncer, which there is with Config.Async only: it makes durable what has been told.
func (s *Store) syncLater() {
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		case <-s.wantSync:
		}
		if err := s.sync(); err != nil {
			s.fail(err)
			return
		}
	}
}

// sync makes durable what the current segment has. What is in the segments before it is durable already.
func (s *Store) sync() error {
	current := s.journal.current.Load()
	if current.later == nil {
		return nil
	}
	n, err := current.later.sync()
	if err != nil {
		return fmt.Errorf("syncing %s: %w", current.slot, err)
	}
	s.raise(n)
	return nil
}

// raise notes that batches up to one are durable.
func (s *Store) raise(n uint64) {
	for old := s.synced.Load(); old < n && !s.synced.CompareAndSwap(old, n); old = s.synced.Load() {
	}
}

// Synced is the number of the last batch that not even a power cut takes away. Without Config.Async it is no lower than
// what was told.
func (s *Store) Synced() uint64 { return s.synced.Load() }
