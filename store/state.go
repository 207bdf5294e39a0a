package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// pebbleFormat is pinned: a newer Pebble must not write what an older server cannot read, unless we say so.
const pebbleFormat = pebble.FormatValueSeparation

// state is the part of the store that Pebble holds: all segments up to the watermark, and nothing else. Nothing is ever
// written to it but whole segments, so its log and its memtables are never used, and what it holds follows from the
// watermark. Should it lose a segment in silence (it takes a damaged end of its list of files for one that was not
// written), it loses the watermark with it, and the journal no longer fits (see journal.scan).
type state struct {
	db     *pebble.DB
	fs     vfs.FS
	id     storeID
	tables string // the directory for sorted tables on their way
	once   string // as in Config
	filters
	opts *pebble.Options
}

// stateOptions are Pebble's for this store.
func stateOptions(fs vfs.FS, cfg *Config, fail func(error)) *pebble.Options {
	o := &pebble.Options{
		FS:                 fs,
		FormatMajorVersion: pebbleFormat,
		DisableWAL:         true,
		CacheSize:          cfg.CacheBytes,
		BytesPerSync:       512 << 10,
		Logger:             pebbleLog{cfg, fail},
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { cfg.Log.Error("the store's tables cannot be written", "error", err.Error()) },
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				cfg.Log.Error("a table of the store is damaged", "file", info.Path, "error", info.Details.Error())
			},
		},
	}
	for i := range o.Levels {
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
		o.Levels[i].BlockSize = 32 << 10
		if cfg.Filtered != "" {
			o.Levels[i].FilterPolicy = newFilters(cfg.Filtered)
		}
	}
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = 64 << 20
	}
	o.LBaseMaxBytes = 256 << 20
	o.Experimental.SpanPolicyFunc = splitTables
	o.EnsureDefaults()
	return o
}

// splitTables ends a file where a table ends, so that compacting one table does not write another anew.
func splitTables(start []byte) (policy pebble.SpanPolicy, end []byte, err error) {
	if len(start) > 0 && start[0] < 0xff {
		end = []byte{start[0] + 1}
	}
	return policy, end, nil
}

func createState(fs vfs.FS, root string, id storeID, cfg *Config) error {
	opts := stateOptions(fs, cfg, func(error) {})
	opts.ErrorIfExists = true
	s, err := openPebble(fs, root, id, opts, cfg)
	if err != nil {
		return err
	}
	return errors.Join(s.apply(0, &snapshot{}), s.db.Close())
}

// openState opens what is there, and says which segment it holds last.
func openState(fs vfs.FS, root string, id storeID, cfg *Config, fail func(error)) (*state, uint64, error) {
	opts := stateOptions(fs, cfg, fail)
	opts.ErrorIfNotExists = true
	s, err := openPebble(fs, root, id, opts, cfg)
	if err != nil {
		return nil, 0, err
	}
	applied, err := s.watermark()
	if err != nil {
		s.db.Close()
		return nil, 0, err
	}
	return s, applied, nil
}

func openPebble(fs vfs.FS, root string, id storeID, opts *pebble.Options, cfg *Config) (*state, error) {
	dir := fs.PathJoin(root, stateName)
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, dir, err)
	}
	return &state{db: db, fs: fs, id: id, tables: fs.PathJoin(root, tablesName), opts: opts, once: cfg.Once, filters: newFilters(cfg.Filtered)}, nil
}

// watermark is the number of the last segment that the state holds.
func (s *state) watermark() (uint64, error) {
	value, closer, err := s.db.Get([]byte{byte(watermark)})
	if err != nil {
		return 0, fmt.Errorf("%w: the watermark of the tables cannot be read: %w", ErrDamaged, err)
	}
	defer closer.Close()
	if len(value) != 8+len(s.id) || string(value[8:]) != string(s.id[:]) {
		return 0, damaged(stateName, "it belongs to another store")
	}
	return binary.BigEndian.Uint64(value), nil
}

// apply makes a segment's operations, in order, and its number part of the state, all at once.
func (s *state) apply(segment uint64, m *snapshot) error {
	if err := s.clear(); err != nil {
		return err
	}
	var names []string
	for from := 0; from < len(m.sorted); {
		name := s.fs.PathJoin(s.tables, fmt.Sprintf("%d-%d", segment, len(names)))
		to, made, err := s.write(name, m, from)
		if err != nil {
			return fmt.Errorf("writing a sorted table: %w", err)
		}
		if from = to; made {
			names = append(names, name)
		}
	}
	mark := s.fs.PathJoin(s.tables, fmt.Sprintf("%d-mark", segment))
	if err := s.writeMark(mark, segment); err != nil {
		return fmt.Errorf("writing the watermark: %w", err)
	}
	if err := s.db.Ingest(context.Background(), append(names, mark)); err != nil {
		return fmt.Errorf("taking sorted tables in: %w", err)
	}
	return nil
}

// clear removes tables that never found their way in.
func (s *state) clear() error {
	names, err := s.fs.List(s.tables)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := s.fs.Remove(s.fs.PathJoin(s.tables, name)); err != nil {
			return err
		}
	}
	return nil
}

// get looks up a key. The value is the caller's.
func (s *state) get(key []byte) (value []byte, ok bool, err error) {
	if s.has(key) {
		return s.find(key)
	}
	found, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	} else if err != nil {
		return nil, false, err
	}
	value = bytes.Clone(found)
	return value, true, closer.Close()
}

// create begins a sorted table, with filters or without.
func (s *state) create(name string, filtered bool) (*sstable.Writer, error) {
	f, err := s.fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	f = vfs.NewSyncingFile(f, vfs.SyncingFileOptions{BytesPerSync: s.opts.BytesPerSync})
	opts := s.opts.MakeWriterOptions(0, pebbleFormat.MaxTableFormat())
	if !filtered {
		opts.FilterPolicy = nil
	}
	return sstable.NewWriter(objstorageprovider.NewFileWritable(f), opts), nil
}

// write makes a sorted table of the entries of one of the store's tables, which begin at from, and says where those of the next
// do. Of each key the newest counts. If none is left there is no file, and it reports false.
func (s *state) write(name string, m *snapshot, from int) (to int, made bool, err error) {
	var w *sstable.Writer
	defer func() {
		if w != nil {
			closeWriter(w, &err)
		}
	}()
	op := m.op(m.sorted[from])
	table := op.key[0]
	once := strings.IndexByte(s.once, table) >= 0
	for to = from; to < len(m.sorted) && op.key[0] == table; {
		oldest, next := op, op
		for to++; to < len(m.sorted); to++ {
			if next = m.op(m.sorted[to]); !bytes.Equal(next.key, op.key) {
				break
			}
			oldest = next
		}
		newest := op
		if op = next; once && newest.delete && !oldest.delete {
			continue // it was set in this segment, so no table on the disk has it
		}
		if w == nil {
			if w, err = s.create(name, s.has(newest.key)); err != nil {
				return to, false, err
			}
		}
		if newest.delete {
			err = w.Delete(newest.key)
		} else {
			err = w.Set(newest.key, newest.value)
		}
		if err != nil {
			return to, false, err
		}
	}
	return to, w != nil, nil
}

func (s *state) writeMark(name string, segment uint64) (err error) {
	w, err := s.create(name, false)
	if err != nil {
		return err
	}
	defer closeWriter(w, &err)
	value := binary.BigEndian.AppendUint64(nil, segment)
	return w.Set([]byte{byte(watermark)}, append(value, s.id[:]...))
}

// closeWriter makes a table durable, unless there was an error.
func closeWriter(w io.Closer, err *error) {
	if closed := w.Close(); *err == nil {
		*err = closed
	}
}

// pebbleLog passes on what Pebble complains about.
type pebbleLog struct {
	cfg  *Config
	fail func(error)
}

// Infof drops what Pebble says about its everyday work.
func (l pebbleLog) Infof(string, ...any) {}

func (l pebbleLog) Errorf(format string, args ...any) {
	l.cfg.Log.Error("the store's tables", "error", fmt.Sprintf(format, args...))
}

// Fatalf must not return: Pebble would go on as if what it could not write were there.
func (l pebbleLog) Fatalf(format string, args ...any) {
	err := fmt.Errorf("%w: the tables: %s", ErrFailed, fmt.Sprintf(format, args...))
	l.fail(err)
	if l.cfg.Fatal != nil {
		l.cfg.Fatal(err)
	}
	panic(err)
}
