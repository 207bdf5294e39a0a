package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var spaceEvery = time.Second // a variable for tests

const (
	leastReserve = 256 << 20
	mostBallast  = 16 << 20
)

// reserve is what Config.Reserve is if nothing is said: the tables of all segments, and as much again for compacting them.
func (c *Config) reserve() int64 {
	return max(leastReserve, 2*int64(c.Segments)*int64(c.SegmentBytes))
}

// watch is the watcher: it says when the disk is nearly full, and when it is so no more. It looks every second, and when
// the journal has grown.
func (s *Store) watch() {
	tick := time.NewTicker(spaceEvery)
	defer tick.Stop()
	low, unknown := false, false
	for {
		usage, err := s.cfg.FS.GetDiskUsage(s.ballast.dir)
		switch {
		case errors.Is(err, vfs.ErrUnsupported):
			return
		case err != nil && !unknown:
			s.cfg.Log.Error("it cannot be known how much room the disk has", "error", err)
		case err == nil:
			low = s.room(usage.AvailBytes, low)
		}
		unknown = err != nil
		select {
		case <-s.stop:
			return
		case <-tick.C:
		case <-s.grown:
		}
	}
}

// room judges how much is free, and reports whether that is little. It takes an eighth more than it took to become little
// until it is so no more, so that it does not go to and fro.
func (s *Store) room(free uint64, low bool) bool {
	reserve := uint64(s.cfg.Reserve)
	was := low
	low = free < reserve || was && free < reserve+reserve/8
	if low != was {
		if low {
			s.cfg.Log.Warn("the disk is nearly full: what is left is kept for what has been accepted", "free", free, "reserve", reserve)
		} else {
			s.cfg.Log.Info("the disk has room again", "free", free)
		}
		if s.cfg.Space != nil {
			s.cfg.Space(low, free)
		}
	}
	if !low {
		if err := s.ballast.make(free - reserve); err != nil {
			s.cfg.Log.Error("room for the store's list of tables cannot be kept", "error", err)
		}
	}
	return low
}

// ballast is a file that is there only to be removed when the disk is full, so that Pebble can write its list of files
// once more. If it could not, it could neither go on nor go back. As a file system it does that for these files alone:
// all others are tried again later without.
type ballast struct {
	vfs.FS
	dir  string // the store's
	size int64
	log  func(msg string, args ...any)

	mu   sync.Mutex
	kept bool
}

func (b *ballast) path() string { return b.PathJoin(b.dir, ballastName) }

// make writes the file, if there is none and so much room for it.
func (b *ballast) make(free uint64) (err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kept || b.size == 0 || free < uint64(b.size) {
		return nil
	}
	noise := make([]byte, b.size) // which no file system can make smaller
	rand.Read(noise)
	if err = writeFile(b.FS, b.path(), noise); err != nil {
		return errors.Join(err, b.Remove(b.path()))
	}
	b.kept = true
	return nil
}

// drop makes room if err says that there is none, and reports whether it has.
func (b *ballast) drop(err error) bool {
	if !errors.Is(err, syscall.ENOSPC) {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.kept {
		return false
	}
	b.kept = false
	removed := b.Remove(b.path())
	b.log("the disk is full: what was kept for the store's list of tables is used", "bytes", b.size)
	return removed == nil
}

// Unwrap is the file system without a ballast.
func (b *ballast) Unwrap() vfs.FS { return b.FS }

// Create makes a file that is written with the help of the ballast if it is a list of files.
func (b *ballast) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	base := b.PathBase(name)
	if !strings.HasPrefix(base, "MANIFEST") && !strings.HasPrefix(base, "marker") {
		return b.FS.Create(name, category)
	}
	f, err := b.FS.Create(name, category)
	if b.drop(err) {
		f, err = b.FS.Create(name, category)
	}
	if err != nil {
		return nil, fmt.Errorf("creating %s: %w", base, err)
	}
	return ballasted{f, b}, nil
}

// ballasted is such a file. Only writes are tried again: a sync that has failed must not be.
type ballasted struct {
	vfs.File
	ballast *ballast
}

func (f ballasted) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	if err != nil && f.ballast.drop(err) {
		var more int
		more, err = f.File.Write(p[n:])
		n += more
	}
	return n, err
}
