package store

import (
	"context"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ReadJournal judges the journal of the store in dir as Open does, changes nothing, and returns the operations of its
// frames behind the watermark.
func ReadJournal(fs vfs.FS, dir string, applied uint64) (frames [][]byte, err error) {
	root := fs.PathJoin(dir, storeName)
	id, size, err := readFormat(fs, root)
	if err != nil {
		return nil, err
	}
	j := &journal{fs: fs, dir: fs.PathJoin(root, journalName), id: id, size: size}
	live, err := j.scan(applied)
	if err != nil {
		return nil, err
	}
	for i := range live {
		if err := j.replay(&live[i], func(ops []byte) error {
			if len(ops) > 0 {
				frames = append(frames, ops)
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return frames, nil
}

// Applied is the watermark of the store in dir.
func Applied(fs vfs.FS, dir string) (uint64, error) {
	root := fs.PathJoin(dir, storeName)
	id, _, err := readFormat(fs, root)
	if err != nil {
		return 0, err
	}
	cfg := DefaultConfig()
	cfg.FS = fs
	if err := cfg.validate(); err != nil {
		return 0, err
	}
	s, applied, err := openState(fs, root, id, &cfg, func(error) {})
	if err != nil {
		return 0, err
	}
	return applied, s.db.Close()
}

// ReadFrames reads the frames of one segment as far as they are good.
func ReadFrames(name string, file interface {
	ReadAt([]byte, int64) (int, error)
}, size int, number uint64) (frames [][]byte, err error) {
	r := newSegmentReader(name, file, size, number)
	for {
		_, ops, err := r.next(nil)
		if err != nil {
			return frames, err
		}
		frames = append(frames, ops)
	}
}

// FrameAt says where the last frame of the journal begins and ends, and in which slot.
func FrameAt(fs vfs.FS, dir string, applied uint64) (slot string, from, to int, err error) {
	root := fs.PathJoin(dir, storeName)
	id, size, err := readFormat(fs, root)
	if err != nil {
		return "", 0, 0, err
	}
	j := &journal{fs: fs, dir: fs.PathJoin(root, journalName), id: id, size: size}
	live, err := j.scan(applied)
	if err != nil {
		return "", 0, 0, err
	}
	last := live[len(live)-1]
	return j.path(last.slot), last.lastAt, last.end, nil
}

// CheckOperations is for the fuzzer.
func CheckOperations(ops []byte) error { return checkOperations(ops) }

// Ops are the batch's bytes.
func (b *Batch) Ops() []byte { return b.ops }

// Version is the format's.
const Version = version

// SetRetry makes the applier try again sooner, until the function it returns is called.
func SetRetry(d time.Duration) func() {
	old := retryAfter
	retryAfter = d
	return func() { retryAfter = old }
}

// SetSyncEvery makes the syncer sync as often, until the function it returns is called.
func SetSyncEvery(d time.Duration) func() {
	old := syncEvery
	syncEvery = d
	return func() { syncEvery = old }
}

// Sync makes durable what has been written, as the syncer does.
func Sync(s *Store) error { return s.sync() }

// RequestSync wakes the syncer.
func RequestSync(s *Store) { request(s.wantSync) }

// SetSpaceEvery makes the watcher look as often, until the function it returns is called.
func SetSpaceEvery(d time.Duration) func() {
	old := spaceEvery
	spaceEvery = d
	return func() { spaceEvery = old }
}

// SegmentIn is the number of the segment in a slot of the journal.
func SegmentIn(fs vfs.FS, dir, path string) (uint64, error) {
	root := fs.PathJoin(dir, storeName)
	id, size, err := readFormat(fs, root)
	if err != nil {
		return 0, err
	}
	j := &journal{fs: fs, dir: fs.PathJoin(root, journalName), id: id, size: size}
	return j.identify(fs.PathBase(path))
}

// Unapplied is how many sealed segments Pebble does not have yet.
func Unapplied(s *Store) int {
	s.readers.RLock()
	defer s.readers.RUnlock()
	return len(s.memtables) - 1
}

// Operation is the first of ops.
func Operation(ops []byte) (key, value []byte, isDelete bool, size int) {
	op, n, err := parse(ops)
	if err != nil {
		panic(err)
	}
	return op.key, op.value, op.delete, n
}

// Forge makes the head of a frame.
func Forge(segment, number uint64) []byte {
	return head{kind: data, segment: segment, number: number}.append(nil)
}

// Current is the number of the segment that is being written.
func Current(s *Store) uint64 { return s.journal.current.Load().number }

// FilterHits is how many lookups in a sorted table a filter has spared.
func FilterHits(s *Store) int64 { return s.state.db.Metrics().Filter.Hits }

// Compact brings all of a table to Pebble's last level, where it is after a while.
func Compact(s *Store, t Table) error {
	return s.state.db.Compact(context.Background(), []byte{byte(t)}, []byte{byte(t) + 1}, false)
}

// SortedKeys are the keys of the operations in frames, of each the newest first, as they come when more frames are added and
// sorted each time, and which operation it is of each.
func SortedKeys(frames [][]byte, once string) (keys [][]byte, which []int) {
	m := newMemtable(1, "", once)
	for _, ops := range frames {
		m.add(ops, 0)
		m.enterAll()
		m.sort()
	}
	for _, n := range m.sorted {
		key, _ := m.key(n)
		keys, which = append(keys, key), append(which, int(n))
	}
	return keys, which
}
