package store_test

import (
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"workman/store"
)

var (
	crashSeed   = flag.Uint64("seed", 1, "of the power cuts")
	crashRounds = flag.Int("rounds", fewer(300), "power cuts")
)

// fewer is a tenth with the race detector, which is ten times slower.
func fewer(n int) int {
	if raceEnabled {
		return n / 10
	}
	return n
}

// cut is a power cut at one moment: it takes a copy of what a disk might hold then, and lets the process go on, so that
// it can be closed. What was not synced is there or not, page by page; of the journal's last write, sector by sector.
type cut struct {
	mu     sync.Mutex
	disk   *vfs.MemFS
	links  sync.Mutex // MemFS.Link and MemFS.CrashClone at once never end
	rng    *rand.Rand
	after  int // operations that change something
	before func() (told int)
	then   func() (appended int)

	image          *vfs.MemFS
	told, appended int
	done           chan struct{}
}

func (c *cut) String() string { return "power cut" }

func (c *cut) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.after--; c.after == 0 {
		c.take(op)
	}
	return nil
}

func (c *cut) take(op errorfs.Op) {
	defer close(c.done)
	c.links.Lock()
	defer c.links.Unlock()
	c.told = c.before()
	kept := []int{0, 50, 90, 100}[c.rng.IntN(4)]
	c.image = c.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: c.rng})
	if op.Kind == errorfs.OpFileSyncData && strings.Contains(op.Path, "segment-") {
		c.tear(op.Path)
	}
	c.appended = c.then()
}

// tear makes of a file's last write what was on its way sector by sector.
func (c *cut) tear(name string) {
	whole := c.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: c.rng})
	none := c.disk.CrashClone(vfs.CrashCloneCfg{})
	old, fresh := read(none, name), read(whole, name)
	if len(old) != len(fresh) {
		return // the file was just created: nothing of it counts
	}
	f, err := c.image.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	few := c.rng.IntN(2) == 0 // or about half
	for i := 0; i+512 <= len(old); i += 512 {
		sector := old[i : i+512]
		if few && c.rng.IntN(10) > 0 || !few && c.rng.IntN(2) == 0 {
			sector = fresh[i : i+512]
		}
		if _, err := f.WriteAt(sector, int64(i)); err != nil {
			panic(err)
		}
	}
	f.Sync()
}

func read(fs vfs.FS, name string) []byte {
	f, err := fs.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		panic(err)
	}
	return b
}

// ordered makes names in Pebble's directory durable in the order in which they are made, as file systems with a journal do:
// Pebble names its new MANIFEST in a second file without waiting for the first one's name. Our own directories get no
// such favour.
type ordered struct {
	vfs.FS
	links *sync.Mutex
}

func (o ordered) Link(oldname, newname string) error {
	o.links.Lock()
	defer o.links.Unlock()
	return o.FS.Link(oldname, newname)
}

func (o ordered) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := o.FS.Create(name, category)
	if d := o.PathDir(name); err == nil && strings.HasSuffix(d, "/state") {
		parent, err := o.OpenDir(d)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(parent.Sync(), parent.Close()); err != nil {
			return nil, err
		}
	}
	return f, err
}

// TestPowerCut cuts the power at random moments, also while a store is created, opened or recovered, and goes on with
// what a disk may hold then.
func TestPowerCut(t *testing.T) { cutAgainAndAgain(t, false) }

// TestPowerCutAsync does the same to a store that makes durable later what it has told: all that was synced is there, and
// of the rest as much as comes before any gap.
func TestPowerCutAsync(t *testing.T) {
	defer store.SetSyncEvery(time.Millisecond)()
	cutAgainAndAgain(t, true)
}

func cutAgainAndAgain(t *testing.T, async bool) {
	t.Helper()
	rng := rand.New(rand.NewPCG(*crashSeed, 0))
	disk := vfs.NewCrashableMem()
	var m models
	at, stores, batches := 0, 0, 0
	for round := range *crashRounds {
		if at > 4000 { // begin anew, or the model gets slow
			disk, at = vfs.NewCrashableMem(), 0
		}
		after := 1 + rng.IntN(40)
		if rng.IntN(3) > 0 {
			after = 1 + rng.IntN(1500)
		}
		image, told, appended := runUntilCut(t, disk, rng, at, after, async)
		cfg := small(image)
		cfg.Async = async && rng.IntN(4) > 0
		s, err := store.Open(dir, cfg)
		if err != nil {
			t.Fatalf("seed %d, round %d, %d operations after batch %d: %v", *crashSeed, round, after, at, err)
		}
		before := at
		at, err = m.verify(s, told, appended)
		if err != nil {
			t.Fatalf("seed %d, round %d, %d operations after batch %d: %v", *crashSeed, round, after, before, err)
		}
		stores++
		batches += at - before
		closeStore(t, s)
		disk = image
	}
	t.Logf("%d power cuts, %d batches, nothing lost", stores, batches)
	if batches < 10*stores {
		t.Fatal("too little was tried")
	}
}

// runUntilCut opens a store and writes to it until the power is cut.
func runUntilCut(t *testing.T, disk *vfs.MemFS, rng *rand.Rand, at, after int, async bool) (image *vfs.MemFS, told, appended int) {
	t.Helper()
	var last, tried atomic.Int64
	last.Store(int64(at))
	tried.Store(int64(at))
	c := &cut{disk: disk, rng: rand.New(rand.NewPCG(rng.Uint64(), 0)), after: after, done: make(chan struct{}),
		before: func() int { return int(last.Load()) }, then: func() int { return int(tried.Load()) }}
	cfg := small(errorfs.Wrap(ordered{disk, &c.links}, c))
	cfg.Async = async
	cfg.Told = func(n uint64, err error) {
		if err != nil {
			t.Error(err)
		}
		last.Store(int64(at) + int64(n))
	}
	var opened atomic.Pointer[store.Store]
	if async {
		c.before = func() int {
			if s := opened.Load(); s != nil {
				return at + int(s.Synced())
			}
			return at
		}
	}
	s, err := store.Open(dir, cfg)
	if err != nil {
		t.Fatal(err)
	}
	opened.Store(s)
	write(t, s, rng, at, &tried, c.done)
	closeStore(t, s)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.image == nil {
		return disk.CrashClone(vfs.CrashCloneCfg{}), int(last.Load()), int(tried.Load())
	}
	return c.image, c.told, c.appended
}

// write appends batches, waiting now and then, until it is over.
func write(t *testing.T, s *store.Store, rng *rand.Rand, at int, tried *atomic.Int64, done <-chan struct{}) {
	t.Helper()
	var b store.Batch
	for n := at + 1; n <= at+500; n++ {
		select {
		case <-done:
			return
		default:
		}
		fill(&b, n)
		tried.Store(int64(n))
		number, err := s.Append(&b)
		if err == nil && rng.IntN(4) == 0 {
			err = s.Wait(number)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// broken fails one operation of those that a filter lets through, and all that come after it if it is to stay broken.
type broken struct {
	mu    sync.Mutex
	after int
	which func(op errorfs.Op) bool
	err   error
	stays bool
	hit   bool
	tell  func(op errorfs.Op) // of each that fails; may be nil
}

func (b *broken) String() string { return "broken" }

func (b *broken) MaybeError(op errorfs.Op) error {
	if !b.which(op) {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.after--
	if b.after == 0 || b.after < 0 && b.stays {
		b.hit = true
		if b.tell != nil {
			b.tell(op)
		}
		return b.err
	}
	return nil
}

func isJournal(op errorfs.Op) bool {
	return strings.Contains(op.Path, "segment-") && (op.Kind == errorfs.OpFileWriteAt || op.Kind == errorfs.OpFileSyncData)
}

// TestLastFrameIsWrittenAgain sees that opening writes the last frame again: a killed process may have left it in the cache
// of the machine only.
func TestLastFrameIsWrittenAgain(t *testing.T) {
	d := makeSmall(t)
	applied, err := store.Applied(d.files.restore(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	fs := d.files.restore(t)
	slot, from, _, err := store.FrameAt(fs, dir, applied)
	if err != nil || from == 0 {
		t.Fatal(from, err)
	}
	var again atomic.Int32
	closeStore(t, open(t, small(errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileWriteAt && op.Path == slot && op.Offset == int64(from) {
			again.Add(1)
		}
		return nil
	})))))
	if again.Load() != 1 {
		t.Fatalf("it was written %d times", again.Load())
	}
}

var errDisk = errors.New("input/output error")

// TestJournalFails lets a write or a sync of the journal fail, once. Nothing may be acknowledged from then on, nothing may
// be written to the journal again, reads go on, and what was told is there after a restart.
func TestJournalFails(t *testing.T) {
	var m models
	for after := 1; after < 400; after += 400 / fewer(60) {
		disk := vfs.NewCrashableMem()
		b := &broken{after: 1 << 30, which: isJournal, err: errDisk}
		cfg := small(errorfs.Wrap(disk, b))
		cfg.FrameBytes = 1 // a frame a batch, so that more frames wait when one fails
		var told, last atomic.Int64
		cfg.Told = func(n uint64, err error) {
			if err != nil {
				last.Store(int64(n))
				return
			}
			if last.Load() != 0 {
				t.Errorf("%d was told after the failure", n)
			}
			told.Store(int64(n))
		}
		s := open(t, cfg)
		b.mu.Lock()
		b.after = after
		b.mu.Unlock()
		tried := fillUntilRefused(t, s)
		if n, err := m.verify(s, int(told.Load()), int(told.Load())); err != nil { // reads go on, and show no more than that
			t.Fatalf("after %d: at %d: %v", after, n, err)
		}
		if err := s.Close(); !errors.Is(err, store.ErrFailed) || !errors.Is(err, errDisk) {
			t.Fatalf("after %d: closing: %v", after, err)
		}
		if last.Load() != told.Load() {
			t.Errorf("after %d: the failure was told at %d, and %d was told", after, last.Load(), told.Load())
		}
		if b.after < 0 {
			t.Errorf("after %d: the journal was used %d times after the failure", after, -b.after)
		}
		for _, kept := range []int{0, 50, 100} {
			image := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rand.New(rand.NewPCG(uint64(after), 0))})
			s := open(t, small(image))
			if _, err := m.verify(s, int(told.Load()), tried); err != nil {
				t.Fatalf("after %d: %v", after, err)
			}
			closeStore(t, s)
		}
		restartTwice(t, &m, disk, int(told.Load()), tried)
	}
}

// TestCloseWithoutRoom closes a store of which more waits than there are segments, while sorted tables cannot be written:
// that ends, and what was told is there.
func TestCloseWithoutRoom(t *testing.T) {
	defer store.SetRetry(1)()
	disk := vfs.NewCrashableMem()
	var full atomic.Bool
	cfg := small(errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && strings.Contains(op.Path, "/tables/") {
			return errDisk
		}
		return nil
	})))
	cfg.MaxPending = 64 << 10
	var told atomic.Int64
	cfg.Told = func(n uint64, err error) {
		told.Store(int64(n))
		if err != nil && !errors.Is(err, errDisk) {
			t.Error(err)
		}
	}
	s := open(t, cfg)
	waitApplied(s)
	full.Store(true)
	var b store.Batch
	n, err := 0, error(nil)
	for err == nil || store.Unapplied(s) < cfg.Segments-1 {
		fill(&b, n+1)
		if _, err = s.Append(&b); err == nil {
			n++
		}
	}
	if err := s.Close(); !errors.Is(err, store.ErrFailed) || !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	var m models
	s = open(t, small(disk))
	defer closeStore(t, s)
	if _, err := m.verify(s, int(told.Load()), n); err != nil {
		t.Fatal(err)
	}
}

// restartTwice starts a server on a machine that goes on running, so that it finds what is only in the cache, and then
// cuts the power: what the server found must still be there.
func restartTwice(t *testing.T, m *models, disk *vfs.MemFS, told, tried int) {
	t.Helper()
	s := open(t, small(disk))
	n, err := m.verify(s, told, tried)
	if err != nil {
		t.Fatal(err)
	}
	image := disk.CrashClone(vfs.CrashCloneCfg{})
	closeStore(t, s)
	s = open(t, small(image))
	defer closeStore(t, s)
	if _, err := m.verify(s, n, n); err != nil {
		t.Fatalf("after a power cut: %v", err)
	}
}

// fillUntilRefused appends until the store has failed, and returns how many batches it tried.
func fillUntilRefused(t *testing.T, s *store.Store) int { return fillUntilRefusedFrom(t, s, 1) }

func fillUntilRefusedFrom(t *testing.T, s *store.Store, first int) int {
	t.Helper()
	var b store.Batch
	for n := first; n < 5000; n++ {
		fill(&b, n)
		number, err := s.Append(&b)
		if err == nil && n%8 == 0 {
			err = s.Wait(number)
		}
		if err != nil {
			if !errors.Is(err, store.ErrFailed) || !errors.Is(err, errDisk) || !errors.Is(s.Err(), errDisk) {
				t.Fatal(err, s.Err())
			}
			return n
		}
	}
	t.Fatal("nothing failed")
	return 0
}

// TestTablesFail lets the disk be full for sorted tables: commits go on while segments are free, then wait; reads go on;
// when there is space again, all goes on by itself.
func TestTablesFail(t *testing.T) {
	defer store.SetRetry(1)()
	disk := vfs.NewCrashableMem()
	var full atomic.Bool
	cfg := small(errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && (strings.Contains(op.Path, "/tables/") || strings.HasSuffix(op.Path, "/new")) {
			return errDisk
		}
		return nil
	})))
	cfg.MaxPending = 64 << 10
	told := make(chan uint64, 10000)
	cfg.Told = func(n uint64, err error) { told <- n }
	s := open(t, cfg)
	full.Store(true)
	var b store.Batch
	var m models
	n, err := 0, error(nil)
	for err == nil {
		fill(&b, n+1)
		if _, err = s.Append(&b); err == nil {
			n++
		}
	}
	if !errors.Is(err, store.ErrFull) {
		t.Fatal(err)
	}
	done := 0
	for {
		for len(told) > 0 {
			done = int(<-told)
		}
		at, err := m.verify(s, done, n)
		if err == nil {
			break
		}
		select {
		case last := <-told: // it was still at it, and what was read is not of one moment
			done = int(last)
		case <-time.After(5 * time.Second):
			t.Fatalf("at %d: %v", at, err)
		}
	}
	full.Store(false)
	for done < n {
		done = int(<-told)
	}
	appendTo(t, s, n+1, n+1000)
	closeStore(t, s)
	s = open(t, small(disk.CrashClone(vfs.CrashCloneCfg{})))
	if _, err := m.verify(s, n+1000, n+1000); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
}
