package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	maxSegment = 1 << 30
	magic      = "workmanj" // at the start of the payload of each opening
	version    = 1          // of the journal and of the folder
)

// segment is one that is being written.
type segment struct {
	slot   string // the file's name
	number uint64
	file   syncedFile
	later  *later // the file, if data is not durable when it is written
	size   int    // of the file
	at     int    // where the next frame goes
	frames uint64
	count  int    // of operations
	buf    []byte // for the next frame
}

// capacity is how long the payload of one frame in an empty segment may be.
func capacity(segmentBytes int) int { return maxPayload(segmentBytes - 2*page) }

// perOperation is how many bytes of a segment there are for each operation that it may hold. Each takes an entry in memory
// too, so that a segment of the smallest operations would take many times its size there.
const perOperation = 32

// fits reports whether a frame with such a payload, and a seal, have room, and whether so many operations more may be in
// memory. A segment that has none takes any number.
func (s *segment) fits(payload, count int) bool {
	return s.at+frameSize(payload)+page <= s.size && (s.count == 0 || s.count+count <= s.size/perOperation)
}

// write appends a frame, which is durable when it returns without an error, unless it is data and they become so later.
// After an error nothing more is to be written.
func (s *segment) write(k kind, payload []byte) error {
	size := frameSize(len(payload))
	if s.at+size > s.size {
		return fmt.Errorf("writing %d bytes at %d of %s: it has %d", size, s.at, s.slot, s.size)
	}
	if len(s.buf) < size {
		s.buf = pages(size)
	}
	b := s.buf[:size:size]
	h := head{kind: k, segment: s.number, number: s.frames}
	if s.later != nil {
		h.unsynced = uint32(min(s.frames-s.later.synced.Load(), maxUnsynced))
	}
	putFrame(b, h, payload)
	n, err := s.file.WriteAt(b, int64(s.at))
	if err == nil && n < size {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("writing %d bytes at %d of %s: %w", size, s.at, s.slot, err)
	}
	s.at += size
	s.frames++
	if s.later == nil {
		return nil
	}
	s.later.frames.Store(s.frames)
	s.later.bytes.Add(int64(size))
	if k == data {
		return nil
	}
	if _, err := s.later.sync(); err != nil {
		return fmt.Errorf("syncing %s: %w", s.slot, err)
	}
	return nil
}

// openingPayload is what every segment begins with.
func openingPayload(id storeID) []byte {
	b := append([]byte(magic), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(b[len(magic):], version)
	return append(b, id[:]...)
}

// checkOpening sees that a segment is of this store.
func checkOpening(name string, payload []byte, id storeID) error {
	if len(payload) < len(magic)+4 || string(payload[:len(magic)]) != magic {
		return damaged(name, "it does not begin with %q", magic)
	}
	if v := binary.LittleEndian.Uint32(payload[len(magic):]); v > version {
		return fmt.Errorf("%w: %s has format %d, and this version knows %d", ErrNewer, name, v, version)
	} else if v < version {
		return damaged(name, "it has format %d, which never was", v)
	}
	if got := payload[len(magic)+4:]; string(got) != string(id[:]) {
		return damaged(name, "it belongs to another store, %x and not %x", got, id[:])
	}
	return nil
}

// createSlot makes a file for segments: zeroed, so that later writes change neither its length nor where it lies, and
// under its name only when it is whole, so that one that is not whole is known to be damaged.
func createSlot(fs vfs.FS, dir, name string, size int) error {
	temporary := fs.PathJoin(dir, "new")
	f, err := fs.Create(temporary, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	zeros := make([]byte, min(size, 1<<20))
	for done := 0; done < size && err == nil; done += len(zeros) {
		clear(zeros) // Write may change what it is given
		_, err = f.Write(zeros[:min(len(zeros), size-done)])
		if err == nil {
			err = f.SyncData() // piece by piece, so that no commit waits behind all of it
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = fs.Rename(temporary, fs.PathJoin(dir, name))
	}
	if err == nil {
		err = syncDir(fs, dir)
	}
	if err != nil {
		err = fmt.Errorf("creating a segment of %d bytes: %w", size, err)
		if removed := fs.Remove(temporary); removed != nil && !errors.Is(removed, os.ErrNotExist) { // there may be little room
			err = errors.Join(err, removed)
		}
		return err
	}
	return nil
}
