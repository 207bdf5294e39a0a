package store

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	firstSlots = 2 // files that a new store has for segments
	minSlots   = 3 // that there must be allowed: one is written, one becomes tables, one is free
	maxSlots   = 1000
	slotPrefix = "segment-"
)

// journal is the row of segments, each in a file, its slot. The committer writes to the last one.
type journal struct {
	fs      vfs.FS
	dir     string
	id      storeID
	size    int         // of a segment
	free    chan string // slots whose contents are not needed any more
	names   []string    // of all slots, sorted
	max     int         // slots there may be
	async   bool        // data may become durable later
	syncs   syncs       // then
	reading progress
	current atomic.Pointer[segment]
}

func (j *journal) path(slot string) string { return j.fs.PathJoin(j.dir, slot) }

// found is a segment that was there when the store was opened, and is behind the watermark.
type found struct {
	slot   string
	number uint64
	end    int    // where the next frame would begin
	frames uint64 // with the opening
	sealed bool
	lastAt int // where the last frame begins
	unsure int // where the first frame begins that the last one does not say is durable
}

// scan reads the whole journal and judges it, without changing anything. What it returns are the segments behind the
// watermark, oldest first, at least one; all other slots are free.
//
// The numbers of these segments must follow each other, beginning behind the watermark, and each must be sealed but the
// last. A seal says that the next segment exists, so none can be lost without notice. The one before the last may lack
// its seal if the last one has nothing in it: the process ended between opening one and sealing the other.
func (j *journal) scan(applied uint64) ([]found, error) {
	names, err := j.fs.List(j.dir)
	if err != nil {
		return nil, fmt.Errorf("store: listing the journal: %w", err)
	}
	var live []found
	var free, unreadable []string
	slices.Sort(names)
	for _, name := range names {
		if !strings.HasPrefix(name, slotPrefix) {
			continue
		}
		j.names = append(j.names, name)
		number, err := j.identify(name)
		if errors.Is(err, errNoOpening) {
			unreadable = append(unreadable, name)
		} else if err != nil {
			return nil, err
		}
		if number > applied {
			live = append(live, found{slot: name, number: number})
		} else {
			free = append(free, name)
		}
	}
	slices.SortFunc(live, func(a, b found) int { return cmp.Compare(a.number, b.number) })
	j.reading.full = 2 * int64(len(live)) * int64(j.size)
	if err := j.chain(live, applied, unreadable); err != nil {
		return nil, err
	}
	j.free = make(chan string, max(j.max, len(j.names)))
	for _, name := range free {
		j.free <- name
	}
	return live, nil
}

// chain judges the segments behind the watermark together.
func (j *journal) chain(live []found, applied uint64, unreadable []string) error {
	missing := func(n uint64) error {
		also := ""
		if len(unreadable) > 0 {
			also = fmt.Sprintf(" (it may have been in %s, whose beginning cannot be read)", strings.Join(unreadable, " or "))
		}
		return damaged(j.dir, "segment %d is missing%s; segments up to %d are in the tables", n, also, applied)
	}
	for i := range live {
		f := &live[i]
		if want := applied + 1 + uint64(i); f.number > want {
			return missing(want)
		} else if f.number < want {
			return damaged(j.dir, "segment %d is there twice, in %s and %s", f.number, live[i-1].slot, f.slot)
		}
		if err := j.replay(f, func([]byte) error { return nil }); err != nil {
			return err
		}
		if i > 0 && !live[i-1].sealed && (f.frames > 1 || i < len(live)-1) {
			return damaged(live[i-1].slot, "segment %d ends at byte %d without a seal, and segment %d goes on", live[i-1].number, live[i-1].end, f.number)
		}
	}
	if len(live) == 0 || live[len(live)-1].sealed {
		return missing(applied + uint64(len(live)) + 1)
	}
	return nil
}

var errNoOpening = errors.New("no opening")

// identify says which segment a slot holds: 0 if none, with errNoOpening unless the slot has never been used.
func (j *journal) identify(name string) (uint64, error) {
	f, err := j.fs.Open(j.path(name))
	if err != nil {
		return 0, fmt.Errorf("store: opening %s: %w", name, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return 0, fmt.Errorf("store: looking at %s: %w", name, err)
	} else if info.Size() != int64(j.size) {
		return 0, damaged(name, "it has %d bytes and should have %d", info.Size(), j.size)
	}
	b := make([]byte, page)
	if _, err := f.ReadAt(b, 0); err != nil {
		return 0, fmt.Errorf("store: reading the beginning of %s: %w", name, err)
	}
	h, ok := parseHead(b)
	if !ok && !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) {
		return 0, nil
	}
	if !ok || h.kind != opening || h.number != 0 || frameSize(int(h.length)) != page {
		return 0, errNoOpening
	}
	payload := takePayload(nil, b, int(h.length))
	if checksum(payload) != h.sum {
		return 0, errNoOpening
	}
	return h.segment, checkOpening(name, payload, j.id)
}

// replay reads a segment's operations, a frame at a time, and says in f what else there is. The slice is handed over.
func (j *journal) replay(f *found, each func(ops []byte) error) error {
	file, err := j.fs.Open(j.path(f.slot))
	if err != nil {
		return fmt.Errorf("store: opening %s: %w", f.slot, err)
	}
	defer file.Close()
	r := newSegmentReader(f.slot, file, j.size, f.number)
	f.sealed = false
	for !f.sealed {
		h, payload, err := r.next(nil)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		j.reading.add(frameSize(int(h.length)))
		f.sealed = h.kind == seal
		if err := checkOperations(payload); err != nil {
			return r.damaged("%v", err)
		}
		if err := each(payload); err != nil {
			return err
		}
	}
	j.reading.add(j.size - r.at + page) // what there is no need to read, and the opening
	f.end, f.frames = r.at, r.frames
	f.lastAt, f.unsure = r.starts[len(r.starts)-1], r.starts[r.last.sure()]
	return nil
}

// mend makes durable what scan has found. What the process that ended was writing at its end may be in a cache only, and a
// sync that failed may have left it there for clean. So of each segment that could still be written to, the last frame is
// written again, as it is, and those before it that it does not know to be durable. Then the segment before the last is
// sealed, if that was not done.
func (j *journal) mend(live []found) error {
	for i := max(0, len(live)-2); i < len(live); i++ {
		f := &live[i]
		if err := j.rewrite(f); err != nil {
			return fmt.Errorf("store: writing the end of %s again: %w", f.slot, err)
		}
		if i == len(live)-2 && !f.sealed {
			if err := j.seal(f); err != nil {
				return fmt.Errorf("store: sealing %s: %w", f.slot, err)
			}
		}
	}
	return nil
}

const rewriteBytes = 1 << 20 // at a time

func (j *journal) rewrite(f *found) error {
	in, err := j.fs.Open(j.path(f.slot))
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := openSynced(j.fs, j.path(f.slot))
	if err != nil {
		return err
	}
	defer out.Close()
	buf := pages(min(f.end-f.unsure, rewriteBytes))
	for at := f.unsure; at < f.end; at += len(buf) {
		b := buf[:min(len(buf), f.end-at)]
		if _, err := in.ReadAt(b, int64(at)); err != nil {
			return err
		}
		if _, err := out.WriteAt(b, int64(at)); err != nil {
			return err
		}
	}
	return nil
}

func (j *journal) seal(f *found) error {
	file, err := openSynced(j.fs, j.path(f.slot))
	if err != nil {
		return err
	}
	defer file.Close()
	s := segment{slot: f.slot, number: f.number, file: file, size: j.size, at: f.end, frames: f.frames}
	f.sealed = true
	return s.write(seal, nil)
}

// open begins a segment in a free slot.
func (j *journal) open(slot string, number uint64) (*segment, error) {
	s := &segment{slot: slot, number: number, size: j.size}
	var err error
	if j.async {
		s.later, err = openLater(j.fs, j.path(slot), &j.syncs)
		s.file = s.later
	} else {
		s.file, err = openSynced(j.fs, j.path(slot))
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", slot, err)
	}
	if err := s.write(opening, openingPayload(j.id)); err != nil {
		s.file.Close()
		return nil, err
	}
	return s, nil
}

// roll goes on in a segment of the next number, in this slot: first that is opened, then the one before is sealed. Only
// then may anything be written to it.
func (j *journal) roll(slot string) error {
	full := j.current.Load()
	next, err := j.open(slot, full.number+1)
	if err != nil {
		return err
	}
	if err := full.write(seal, nil); err != nil {
		next.file.Close()
		return err
	}
	j.current.Store(next)
	full.file.Close()
	return nil
}

// grow makes one more slot.
func (j *journal) grow() error {
	name := fmt.Sprintf("%s%03d", slotPrefix, len(j.names))
	for i := len(j.names); slices.Contains(j.names, name); i++ {
		name = fmt.Sprintf("%s%03d", slotPrefix, i)
	}
	if err := createSlot(j.fs, j.dir, name, j.size); err != nil {
		return err
	}
	j.names = append(j.names, name)
	j.free <- name
	return nil
}
