package store

import (
	"fmt"
	"log/slog"
	"math"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Config is what a [Store] needs to know.
type Config struct {
	SegmentBytes int   // of a segment of the journal; a store keeps the size it was created with
	Segments     int   // segments there may be at most; a store begins with fewer. See Memory
	FrameBytes   int   // operations that are committed with one write, unless one batch is larger
	MaxPending   int64 // bytes of operations that may wait to be durable; more are refused with ErrFull. It may be any number
	CacheBytes   int64 // for blocks of sorted tables that are read

	// Filtered are the tables, a letter each, whose keys have filters, at 10 bits a key: those of which keys are often looked
	// up that are not there. It may change from one start to the next, and then holds for what is written from then on.
	Filtered string

	// Once are the tables, a letter each, in which no key is set that is set already. What is set and deleted before it becomes
	// a table on the disk leaves no trace there then. It must be the same from one start to the next.
	Once string

	// Async tells batches when the operating system has them, and begins to make them durable once a second, or after 8 MiB.
	// They survive kill -9. A power cut, or a crash of the machine, may take what was told since the last such sync began
	// that has ended: with a disk that syncs in 100 ms, the last 1.1 s. It takes the newest, and leaves no gap.
	Async bool

	// Reserve is how many bytes of the disk are kept for what has been accepted already: to make tables of the journal, to
	// compact these, and to write down how runs end. 0 is twice what the journal may hold, and at least 256 MiB.
	Reserve int64

	// Space is called, by a goroutine of the store that does nothing else, when fewer bytes than that are free and when it
	// is so no more. The store itself goes on as long as it can: who uses it is to put in nothing new. It is found out
	// within a second. It may be nil.
	Space func(low bool, free uint64)

	// Told is called when batches are durable: all up to number n. If the store fails, it is called for the last time
	// with the reason, and batches after n will never be told. It is called in order, by one goroutine of the store
	// that commits wait for, so it must not block, and must not call Close. It may be nil.
	Told func(n uint64, err error)

	// Progress is called by Open, how many bytes of the journal have been worked through, and how many there are: at each
	// MiB, and when both are the same. Usually there are two segments to read, each twice. It may be nil.
	Progress func(done, total int64)

	// Fatal is called when Pebble can neither go on nor go back, which is when its list of files could not be written.
	// It must not return: the process is to end, and opening the folder again makes good what was under way. Without it
	// the store panics.
	Fatal func(err error)

	Log *slog.Logger // may be nil

	// FS is where the files are: nil for the machine's own. Tests put one here that forgets or fails.
	FS vfs.FS
}

// DefaultConfig is right for most.
func DefaultConfig() Config {
	return Config{
		SegmentBytes: 32 << 20,
		Segments:     6,
		FrameBytes:   1 << 20,
		MaxPending:   64 << 20,
		CacheBytes:   32 << 20,
	}
}

// MemoryConfig is for a store that is only in memory, and gone with the process: it takes about 10 MB when it is empty. It
// is opened like any other, under any name. A batch has to fit into a segment, so who has larger ones than 4 MB must make
// SegmentBytes larger, of which there are two or three at least.
func MemoryConfig() Config {
	c := DefaultConfig()
	c.FS = vfs.NewMem()
	c.SegmentBytes = 4 << 20
	c.CacheBytes = 1 << 20 // what is read is in memory already
	return c
}

// Memory is how many bytes a store holds at most: when all segments are full and Pebble takes none, and operations are of
// 32 bytes, which is the size that takes most. As a rule two segments are in use, which is a third of it. Not counted are
// files, if they are in memory, and the room that the collector leaves until it has collected.
func (c *Config) Memory() int64 {
	const (
		memtable = 2        // times a segment's size: the operations, an entry for each, the hash table, the order
		pebble   = 24 << 20 // its own buffers, beside the cache
	)
	total := memtable*int64(c.Segments)*int64(c.SegmentBytes) + c.CacheBytes + pebble
	return total + min(c.MaxPending, math.MaxInt64-total)
}

// MaxBatch is how many bytes of operations a batch may have at most: it has to fit into a segment.
func (c *Config) MaxBatch() int { return capacity(c.SegmentBytes) }

// minSegment is the size of the smallest segment: an opening, a frame and a seal.
const minSegment = 4 * page

func (c *Config) validate() error {
	switch {
	case c.SegmentBytes < minSegment || c.SegmentBytes%page != 0 || c.SegmentBytes > maxSegment:
		return fmt.Errorf("store: a segment of %d bytes: it must be a multiple of %d from %d to %d", c.SegmentBytes, page, minSegment, maxSegment)
	case c.Segments < minSlots || c.Segments > maxSlots:
		return fmt.Errorf("store: %d segments: there must be %d to %d", c.Segments, minSlots, maxSlots)
	case c.FrameBytes < 1:
		return fmt.Errorf("store: frames of %d bytes: they must be larger", c.FrameBytes)
	case c.MaxPending < 1:
		return fmt.Errorf("store: %d bytes may be pending: there must be more", c.MaxPending)
	case c.Reserve < 0:
		return fmt.Errorf("store: %d bytes in reserve: there cannot be less than 0", c.Reserve)
	case c.CacheBytes < 0:
		return fmt.Errorf("store: a cache of %d bytes: it cannot be less than 0", c.CacheBytes)
	}
	if c.Reserve == 0 {
		c.Reserve = c.reserve()
	}
	if t := strings.IndexFunc(c.Filtered, func(r rune) bool { return r < 'a' || r > 'z' || Table(r) == watermark }); t >= 0 {
		return fmt.Errorf("store: filters for table %q: a table is a letter from a to z, but for %q", c.Filtered[t:], watermark)
	}
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}
