package store

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// Store is an open folder. See the package's comment.
type Store struct {
	cfg   Config
	lock  io.Closer
	state *state
	memory
	journal *journal

	mu       sync.Mutex
	gathered []chunk // batches that the committer has not taken yet
	block    []byte  // what the last of them is part of, as far as it is used
	appended uint64  // number of the last batch
	told     uint64  // and of the last one that is durable
	pending  int64   // bytes that are not durable yet
	failure  error   // why nothing is made durable any more
	closing  bool
	sealUpTo uint64    // number of the segment up to which all are to be sealed
	applied  uint64    // number of the last segment that Pebble has
	work     sync.Cond // something was gathered, or it is over
	news     sync.Cond // told or failure changed

	sealed    chan *memtable // from the committer to the applier
	stuck     chan error     // from the applier to the committer while the store is being closed
	wantSlot  chan struct{}  // to the grower
	wantSync  chan struct{}  // to the syncer
	grown     chan struct{}  // to the watcher: the disk has less room
	ballast   *ballast
	backups   sync.Mutex    // one at a time
	synced    atomic.Uint64 // number of the last batch that is durable
	broken    atomic.Bool   // Pebble cannot go on, not even to be closed
	stop      chan struct{} // closed when the store has failed or is being closed
	stopOnce  sync.Once
	goroutine sync.WaitGroup
}

// chunk is batches that become one frame.
type chunk struct {
	ops   []byte
	count int    // of operations
	last  uint64 // number of the last batch in it
	seal  bool   // nothing, but the segment is to be sealed
}

// Open opens the store in a folder, and creates it if there is none. When it returns, everything that was ever told is
// there. The error is ErrInUse, ErrNewer, ErrDamaged, or the machine's.
func Open(dir string, cfg Config) (*Store, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	l, err := lock(cfg.FS, dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		cfg: cfg, lock: l, stop: make(chan struct{}), stuck: make(chan error, 1),
		wantSlot: make(chan struct{}, 1), wantSync: make(chan struct{}, 1), grown: make(chan struct{}, 1),
	}
	s.work.L, s.news.L = &s.mu, &s.mu
	if err := s.open(dir); err != nil {
		if s.state != nil {
			s.state.db.Close()
		}
		l.Close()
		return nil, err
	}
	s.goroutine.Go(s.commit)
	s.goroutine.Go(s.applyAll)
	s.goroutine.Go(s.grow)
	s.goroutine.Go(s.watch)
	if cfg.Async {
		s.goroutine.Go(s.syncLater)
	}
	return s, nil
}

func (s *Store) open(dir string) error {
	fs := s.cfg.FS
	if err := create(fs, dir, &s.cfg); err != nil {
		return fmt.Errorf("store: creating a store in %s: %w", dir, err)
	}
	root := fs.PathJoin(dir, storeName)
	id, size, err := readFormat(fs, root)
	if err != nil {
		return err
	}
	var applied uint64
	s.ballast = &ballast{FS: fs, dir: root, size: min(mostBallast, s.cfg.Reserve/16), log: s.cfg.Log.Warn}
	if s.ballast.kept, err = exists(fs, s.ballast.path()); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if s.state, applied, err = openState(s.ballast, root, id, &s.cfg, s.broke); err != nil {
		return err
	}
	s.journal = &journal{fs: fs, dir: fs.PathJoin(root, journalName), id: id, size: size, max: s.cfg.Segments, async: s.cfg.Async}
	s.journal.reading.tell = s.cfg.Progress
	return s.recover(applied)
}

// recover reads what the state does not have yet. All but the last segment is put there at once, one after the other, so
// that there is never more than one in memory.
func (s *Store) recover(applied uint64) error {
	j := s.journal
	live, err := j.scan(applied)
	if err != nil {
		return err
	}
	if err := j.mend(live); err != nil {
		return err
	}
	last := len(live) - 1
	var m *memtable
	for i := range live {
		f := &live[i]
		m = newMemtable(f.number, f.slot, s.cfg.Once)
		if err := j.replay(f, func(ops []byte) error { m.add(ops, 0); return nil }); err != nil {
			return err
		}
		if i == last {
			break
		}
		m.enterAll()
		m.sort()
		if err := s.state.apply(m.segment, &m.snapshot); err != nil {
			return fmt.Errorf("store: segment %d: %w", m.segment, err)
		}
		j.free <- f.slot
	}
	s.sealed = make(chan *memtable, cap(j.free))
	return s.resume(&live[last], m)
}

// resume begins a new segment. It must not go on in the last one: at its end may be half a frame, and what is told apart
// by stamps must not be written twice.
func (s *Store) resume(f *found, m *memtable) error {
	j := s.journal
	if len(j.free) == 0 {
		if err := j.grow(); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	next, err := j.open(<-j.free, f.number+1)
	if err != nil {
		return fmt.Errorf("store: beginning segment %d: %w", f.number+1, err)
	}
	if err := j.seal(f); err != nil {
		next.file.Close()
		return fmt.Errorf("store: sealing segment %d: %w", f.number, err)
	}
	j.current.Store(next)
	s.applied = f.number - 1
	s.memtables = []*memtable{m, newMemtable(next.number, next.slot, s.cfg.Once)}
	s.sealed <- m
	return nil
}

// blockBytes is the size of the pieces of memory that operations are gathered in, and kept until they are in a table.
const blockBytes = 1 << 20

// Append takes a batch and gives it the next number, counted from 1 since the store was opened. The batch may be used
// again at once. It is durable when its number has been told; if Append returns an error, it never will be.
func (s *Store) Append(b *Batch) (uint64, error) {
	if b.err != nil {
		return 0, b.err
	}
	most := capacity(s.journal.size)
	if len(b.ops) > most {
		return 0, fmt.Errorf("%w: a batch of %d bytes: a segment holds %d", ErrTooLarge, len(b.ops), most)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	size := int64(len(b.ops))
	switch {
	case s.failure != nil:
		return 0, s.failure
	case s.closing:
		return 0, ErrClosed
	case s.pending > 0 && s.pending+size > s.cfg.MaxPending:
		return 0, fmt.Errorf("%w: %d bytes wait already, and %d is the most", ErrFull, s.pending, s.cfg.MaxPending)
	}
	s.appended++
	s.pending += size
	last := len(s.gathered) - 1
	if free := cap(s.block) - len(s.block); last < 0 || free < len(b.ops) || len(s.gathered[last].ops)+len(b.ops) > min(most, s.cfg.FrameBytes) {
		if free < len(b.ops) {
			s.block = make([]byte, 0, max(blockBytes, len(b.ops)))
		}
		s.gathered = append(s.gathered, chunk{ops: s.block[len(s.block):]})
		last++
	}
	c := &s.gathered[last]
	c.ops = append(c.ops, b.ops...)
	s.block = s.block[:len(s.block)+len(b.ops)]
	c.count += b.count
	c.last = s.appended
	if last == 0 {
		s.work.Signal()
	}
	return s.appended, nil
}

// Wait returns when the batch of that number is durable, or with the reason why it will not be.
func (s *Store) Wait(n uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.told < n {
		switch {
		case s.failure != nil:
			return s.failure
		case n > s.appended:
			return fmt.Errorf("store: waiting for batch %d, and the last one has number %d", n, s.appended)
		}
		s.news.Wait()
	}
	return nil
}

// Close makes durable what was appended, and lets go of the folder. If that needs more segments than are free, and those
// that are full cannot become tables, it does not wait until they can: the error is ErrFailed and says why. No other method
// may be called meanwhile but Append, Wait and Backup, and none afterwards.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return ErrClosed
	}
	s.closing = true
	s.work.Signal()
	s.news.Broadcast()
	s.mu.Unlock()
	s.goroutine.Wait()
	s.backups.Lock()
	defer s.backups.Unlock()
	if s.failure == nil {
		if err := s.sync(); err != nil {
			s.fail(err)
		}
	}
	err := s.failure
	if !s.broken.Load() {
		err = errors.Join(err, s.state.db.Close())
	}
	s.journal.current.Load().file.Close()
	return errors.Join(err, s.lock.Close())
}

// Err is why the store has failed: nil while it has not.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// broke is told by Pebble that it cannot go on.
func (s *Store) broke(err error) {
	s.broken.Store(true)
	s.fail(err)
}
