package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"workman/store"
)

// What becomes of a store of which something was changed while nobody looked: opened right, or refused.

// damageable is a store as a killed server leaves it: some segments are tables, some are sealed and some is in the last
// one, behind frames of an earlier use.
type damageable struct {
	files   files
	batches int
	applied uint64
	frames  [][]byte // behind the watermark
}

func makeDamageable(t testing.TB, segmentBytes int) damageable {
	t.Helper()
	disk := vfs.NewCrashableMem()
	var stuck atomic.Bool
	cfg := small(errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if stuck.Load() && strings.Contains(op.Path, "/tables/") {
			return errDisk
		}
		return nil
	})))
	cfg.SegmentBytes = segmentBytes
	cfg.Segments = 12
	d := damageable{batches: 200}
	s := open(t, cfg)
	appendTo(t, s, 1, d.batches)
	waitApplied(s)
	stuck.Store(true) // from now on, segments stay in the journal
	for store.Unapplied(s) < 3 {
		d.batches++
		appendTo(t, s, d.batches, d.batches)
	}
	appendTo(t, s, d.batches+1, d.batches+2)
	d.batches += 2
	image := copyOf(disk)
	d.files = dump(t, image, dir)
	var err error
	if d.applied, err = store.Applied(image, dir); err != nil {
		t.Fatal(err)
	}
	if d.frames, err = store.ReadJournal(image, dir, d.applied); err != nil {
		t.Fatal(err)
	}
	if len(d.frames) < 10 {
		t.Fatalf("only %d frames are behind the watermark", len(d.frames))
	}
	closeStore(t, s)
	return d
}

// copyOf is everything on a disk at one moment, synced or not.
func copyOf(disk *vfs.MemFS) *vfs.MemFS {
	return disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))})
}

// waitApplied waits until all sealed segments are tables.
func waitApplied(s *store.Store) {
	for store.Unapplied(s) > 0 {
		runtime.Gosched()
	}
}

// judge says of an attempt to open whether it was right or refused. Anything else is an error.
func judge(frames [][]byte, err error, want [][]byte) (refused bool, wrong error) {
	switch {
	case errors.Is(err, store.ErrDamaged), errors.Is(err, store.ErrNewer):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("the error is none of ErrDamaged and ErrNewer: %w", err)
	case !slices.EqualFunc(frames, want, bytes.Equal):
		return false, fmt.Errorf("%d frames were found, and %d are right", len(frames), len(want))
	}
	return false, nil
}

func (d damageable) journal() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for name := range d.files {
			if strings.Contains(name, "/journal/") && !yield(name) {
				return
			}
		}
	})
}

// TestEveryByteFlipped flips every byte of a small journal, one after the other.
func TestEveryByteFlipped(t *testing.T) {
	d := makeDamageable(t, 20<<10)
	var tried, refusals atomic.Int64
	var all sync.WaitGroup
	for _, name := range d.journal() {
		all.Go(func() { d.flip(t, name, &tried, &refusals) })
	}
	all.Wait()
	t.Logf("%d bytes flipped: %d refused, the others opened right", tried.Load(), refusals.Load())
	if refusals.Load()*sparse < 2000 {
		t.Error("so few were refused that the journal cannot have been looked at")
	}
}

// sparse is every how many-th byte is tried: every one, but with the race detector.
var sparse = map[bool]int64{true: 17, false: 1}[raceEnabled]

// flip flips the bytes of one file: all of a segment behind the watermark, fewer of one that is free.
func (d damageable) flip(t *testing.T, name string, tried, refusals *atomic.Int64) {
	fs := d.files.restore(t)
	step := int(sparse)
	if live, err := store.SegmentIn(fs, dir, name); err != nil {
		t.Error(err)
	} else if live <= d.applied {
		step *= 31
	}
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	for i := 0; i < len(d.files[name]); i += step {
		right, mask := d.files[name][i], byte(1)<<(i%8)
		if i%3 == 0 {
			mask = 0xff
		}
		f.WriteAt([]byte{right ^ mask}, int64(i))
		frames, err := store.ReadJournal(fs, dir, d.applied)
		refused, wrong := judge(frames, err, d.frames)
		if wrong != nil {
			t.Errorf("%s, byte %d: %v", name, i, wrong)
		}
		if refused {
			refusals.Add(1)
		}
		tried.Add(1)
		f.WriteAt([]byte{right}, int64(i))
	}
}

// TestEveryLengthCut cuts every file of the journal at every length, and removes it.
func TestEveryLengthCut(t *testing.T) {
	d := makeDamageable(t, 20<<10)
	live := 0
	for _, name := range d.journal() {
		fs := d.files.restore(t)
		step := int(sparse)
		if n, err := store.SegmentIn(fs, dir, name); err != nil {
			t.Fatal(err)
		} else if n <= d.applied {
			step *= 31
		}
		for length := 0; length < len(d.files[name]); length += step {
			d.files.write(t, fs, name, d.files[name][:length])
			_, err := store.ReadJournal(fs, dir, d.applied)
			if !errors.Is(err, store.ErrDamaged) {
				t.Fatalf("%s cut to %d bytes: %v", name, length, err)
			}
		}
		if err := fs.Remove(name); err != nil {
			t.Fatal(err)
		}
		frames, err := store.ReadJournal(fs, dir, d.applied)
		refused, wrong := judge(frames, err, d.frames)
		if wrong != nil {
			t.Errorf("without %s: %v", name, wrong)
		}
		if refused {
			live++
		}
	}
	if live < 3 {
		t.Errorf("only %d segments were missed", live)
	}
}

// TestEveryPageLost fills each page with zeros, and with what another segment had in its place. Only the last frame's may
// be taken for one that was never written.
func TestEveryPageLost(t *testing.T) {
	d := makeDamageable(t, 20<<10)
	fs := d.files.restore(t)
	last, from, to, err := store.FrameAt(fs, dir, d.applied)
	if err != nil {
		t.Fatal(err)
	}
	refusals := 0
	for i, name := range d.journal() {
		f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		other := d.files[d.journal()[(i+1)%len(d.journal())]]
		for at := 0; at < len(other); at += 4096 {
			for what, contents := range map[string][]byte{"zeros": make([]byte, 4096), "another's": other[at : at+4096]} {
				f.WriteAt(contents, int64(at))
				frames, err := store.ReadJournal(fs, dir, d.applied)
				if name == last && at >= from && at < to && err == nil && len(frames) == len(d.frames)-1 {
					continue
				}
				refused, wrong := judge(frames, err, d.frames)
				if wrong != nil {
					t.Errorf("%s, page at %d, %s: %v", name, at, what, wrong)
				}
				if refused {
					refusals++
				}
			}
			f.WriteAt(d.files[name][at:at+4096], int64(at))
		}
		for at := 0; at < len(other); at += 4096 { // and all from a page on
			f.WriteAt(make([]byte, len(other)-at), int64(at))
			frames, err := store.ReadJournal(fs, dir, d.applied)
			if _, wrong := judge(frames, err, d.frames); wrong != nil && name != last {
				t.Errorf("%s, from %d on: %v", name, at, wrong)
			}
			f.WriteAt(d.files[name][at:], int64(at))
		}
		f.Close()
	}
	if refusals < 20 {
		t.Errorf("only %d were refused", refusals)
	}
}

// TestEveryPrefixOfTheLastWrite keeps every prefix of a last write, over zeros and over what was there before, and many
// selections of its sectors: none of that is damage, and the write is there whole or not at all.
func TestEveryPrefixOfTheLastWrite(t *testing.T) {
	d := makeDamageable(t, 32<<10)
	fs := d.files.restore(t)
	s := open(t, small(fs)) // it goes on in a recycled segment
	appendTo(t, s, d.batches+1, d.batches+3)
	before := dump(t, copyOf(fs), dir)
	var b store.Batch
	b.Put(runs, []byte("last"), bytes.Repeat([]byte("0123456789"), 900))
	n, err := s.Append(&b)
	if err == nil {
		err = s.Wait(n)
	}
	if err != nil {
		t.Fatal(err)
	}
	after := dump(t, copyOf(fs), dir)
	closeStore(t, s)

	fs = after.restore(t)
	applied, err := store.Applied(fs, dir)
	if err != nil {
		t.Fatal(err)
	}
	slot, from, to, err := store.FrameAt(fs, dir, applied)
	if err != nil {
		t.Fatal(err)
	}
	want, err := store.ReadJournal(fs, dir, applied)
	if err != nil {
		t.Fatal(err)
	}
	frame := after[slot][from:to]
	if len(frame) < 8192 || !bytes.Contains(frame, []byte("0123456789")) {
		t.Fatalf("the last frame has %d bytes, and is not what was written last", len(frame))
	}
	f, err := fs.OpenReadWrite(slot, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found := 0
	try := func(kept string, contents []byte) {
		f.WriteAt(contents, int64(from))
		frames, err := store.ReadJournal(fs, dir, applied)
		if err != nil {
			t.Fatalf("%s: %v", kept, err)
		}
		if len(frames) == len(want) {
			found++
		}
		if len(frames) < len(want)-1 || !slices.EqualFunc(frames, want[:len(frames)], bytes.Equal) {
			t.Fatalf("%s: %d frames, want %d or one less", kept, len(frames), len(want))
		}
	}
	for what, old := range map[string][]byte{"zeros": make([]byte, len(frame)), "what was there": before[slot][from:to]} {
		for n := 0; n < len(frame); n += int(sparse) {
			try(fmt.Sprintf("%d bytes over %s", n, what), slices.Concat(frame[:n], old[n:]))
		}
		rng := rand.New(rand.NewPCG(1, 1))
		for i := range 5000 / int(sparse) {
			mixed := slices.Clone(old)
			for at := 0; at < len(frame); at += 512 {
				if rng.IntN(1+i%20) > 0 {
					copy(mixed[at:at+512], frame[at:])
				}
			}
			try(fmt.Sprintf("selection %d over %s", i, what), mixed)
		}
	}
	if found == 0 {
		t.Error("the write was never there whole")
	}
}

// TestForgedFrame stores a value that is made of frames, as somebody might who knows where it will lie, and loses the
// beginning of the write: what is in a value never counts as a frame.
func TestForgedFrame(t *testing.T) {
	fs := makeSmall(t).files.restore(t)
	closeStore(t, open(t, small(fs)))
	s := open(t, small(fs))
	var b store.Batch
	b.Put(runs, []byte("forged"), nil)
	value := make([]byte, 20<<10)
	for page := 4096; page < len(value); page += 4096 {
		at := page/512*508 - 32 - b.Len() - 2 // the length of the value takes two bytes more
		copy(value[at:], store.Forge(store.Current(s), 7))
	}
	b.Reset()
	b.Put(runs, []byte("forged"), value)
	n, err := s.Append(&b)
	if err == nil {
		err = s.Wait(n)
	}
	if err != nil {
		t.Fatal(err)
	}
	image := copyOf(fs)
	closeStore(t, s)
	applied, err := store.Applied(copyOf(image), dir)
	if err != nil {
		t.Fatal(err)
	}
	slot, from, _, err := store.FrameAt(image, dir, applied)
	if err != nil {
		t.Fatal(err)
	}
	if forged := store.Forge(store.Current(s), 7); !bytes.HasPrefix(read(image, slot)[from+4096:], forged) {
		t.Fatal("no frame was forged")
	}
	f, err := image.OpenReadWrite(slot, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteAt(make([]byte, 512), int64(from))
	if _, err := store.ReadJournal(image, dir, applied); err != nil {
		t.Fatal(err)
	}
}

// openAndRead opens a changed store as a server would, and reads all of it.
func (d damageable) openAndRead(fs vfs.FS, want model) (refused bool, wrong error) {
	s, err := store.Open(dir, small(fs))
	if err != nil {
		_, wrong := judge(nil, err, nil)
		return true, wrong
	}
	defer s.Close()
	got := model{}
	for _, t := range tables {
		err := s.Scan(t, nil, nil, func(key, value []byte) bool {
			got[string(rune(t))+string(key)] = string(value)
			return true
		})
		if err != nil {
			return true, nil // a read that says that it cannot
		}
	}
	if !maps.Equal(got, want) {
		return false, fmt.Errorf("it holds %d keys, and should %d:\n%s", len(got), len(want), difference(got, want))
	}
	return false, nil
}

// TestEveryFile removes, empties, shortens and flips the files of a store: every byte of Pebble's list of files and of the
// store's own, and some of each sorted table and of what else there is.
func TestEveryFile(t *testing.T) {
	d := makeSmall(t)
	var m models
	want := m.at(d.batches)
	var refusals, rights atomic.Int64
	var all sync.WaitGroup
	room := make(chan struct{}, runtime.GOMAXPROCS(0))
	try := func(what string, changed files) {
		fs := changed.restore(t)
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			refused, wrong := d.openAndRead(fs, want)
			if wrong != nil {
				t.Errorf("%s: %v", what, wrong)
			}
			if refused {
				refusals.Add(1)
			} else {
				rights.Add(1)
			}
		})
	}
	for _, name := range slices.Sorted(maps.Keys(d.files)) {
		right := d.files[name]
		with := func(contents []byte) files {
			changed := maps.Clone(d.files)
			changed[name] = contents
			return changed
		}
		removed := maps.Clone(d.files)
		delete(removed, name)
		try(name+" removed", removed)
		try(name+" emptied", with(nil))
		if len(right) == 0 || strings.Contains(name, "/journal/") {
			continue
		}
		try(name+" cut in half", with(right[:len(right)/2]))
		try(name+" cut by a byte", with(right[:len(right)-1]))
		step := 1
		if !strings.Contains(name, "MANIFEST") && !strings.HasSuffix(name, "/format") {
			step = len(right)/60 + 1
		}
		for i := 0; i < len(right); i += step * int(sparse) {
			changed := slices.Clone(right)
			changed[i] ^= 1 << (i % 8)
			try(fmt.Sprintf("%s, byte %d", name, i), with(changed))
		}
	}
	all.Wait()
	t.Logf("%d refused, %d opened right", refusals.Load(), rights.Load())
	if refusals.Load() < 100 || rights.Load() < 10 {
		t.Error("this cannot have tried what it should")
	}
}

// makeSmall makes a store of which some segments are tables already, and one is not.
func makeSmall(t *testing.T) damageable {
	t.Helper()
	disk := vfs.NewCrashableMem()
	d := damageable{batches: 30}
	s := open(t, small(disk))
	appendTo(t, s, 1, d.batches)
	waitApplied(s)
	closeStore(t, s)
	d.files = dump(t, disk, dir)
	return d
}
