package store

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// notYet is the end of the name that a backup has until it is whole.
const notYet = ".unfinished"

// Backup makes a copy of the store in a folder that must not be there yet, while the store goes on. Everything that had
// been told when it was called is in it, and perhaps some of what was told later. The folder opens with Open. Until all of
// it is durable its name ends in .unfinished, which Open refuses.
//
// On the same file system sorted tables are not copied but linked, which takes no room until the store has replaced its
// own; against a broken disk only a copy elsewhere helps. An error means that there is no backup; the store is as it was.
// Backups are made one after the other, and Close waits for one that has begun to copy.
func (s *Store) Backup(dir string) error {
	s.backups.Lock()
	defer s.backups.Unlock()
	if err := s.applyWritten(); err != nil {
		return fmt.Errorf("store: backing up to %s: %w", dir, err)
	}
	fs := s.cfg.FS
	for _, name := range []string{dir, dir + notYet} {
		if there, err := exists(fs, name); err != nil {
			return fmt.Errorf("store: backing up to %s: %w", dir, err)
		} else if there {
			return fmt.Errorf("store: backing up to %s: %s %w: remove it, or choose another name", dir, name, ErrThere)
		}
	}
	err := s.copyTo(dir + notYet)
	if err == nil {
		err = fs.Rename(dir+notYet, dir)
	}
	if err != nil {
		err = fmt.Errorf("store: backing up to %s: %w", dir, err)
		if removed := fs.RemoveAll(dir + notYet); removed != nil {
			err = fmt.Errorf("%w; what there is of it could not be removed: %w", err, removed)
		}
		return err
	}
	if err := syncDir(fs, fs.PathDir(dir)); err != nil {
		return fmt.Errorf("store: the backup %s is whole, but its name may not survive a power cut: %w", dir, err)
	}
	return nil
}

// applyWritten waits until all that has been told is in the tables.
func (s *Store) applyWritten() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.journal.current.Load().number
	s.sealUpTo = max(s.sealUpTo, last)
	s.work.Signal()
	for s.applied < last {
		switch {
		case s.failure != nil:
			return s.failure
		case s.closing:
			return ErrClosed
		}
		s.news.Wait()
	}
	return nil
}

// sealWanted reports whether the committer is to go on in another segment. The store's lock is held.
func (s *Store) sealWanted() bool { return s.journal.current.Load().number <= s.sealUpTo }

// nowApplied notes that Pebble has the segments up to one.
func (s *Store) nowApplied(segment uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applied = segment
	s.news.Broadcast()
}

// copyTo makes of the tables, as they are now, a store in a new folder, and makes it durable.
func (s *Store) copyTo(dir string) error {
	fs := s.cfg.FS
	root := fs.PathJoin(dir, storeName)
	for _, d := range []string{journalName, tablesName} {
		if err := fs.MkdirAll(fs.PathJoin(root, d), 0o700); err != nil {
			return err
		}
	}
	if err := s.state.checkpoint(fs.PathJoin(root, stateName)); err != nil {
		return fmt.Errorf("copying the tables: %w", err)
	}
	applied, err := s.readWatermark(root)
	if err != nil {
		return err
	}
	if err := createJournal(fs, root, s.journal.id, s.journal.size, applied+1); err != nil {
		return err
	}
	if err := writeFormat(fs, root, s.journal.id, s.journal.size); err != nil {
		return err
	}
	return errors.Join(syncDir(fs, root), syncDir(fs, dir))
}

// checkpoint links or copies the tables to a new folder. Pebble panics with the error when a folder there cannot be
// synced, and holds no lock then.
func (s *state) checkpoint(dir string) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error:
			panic(p)
		case error:
			err = p
		default:
			panic(p)
		}
	}()
	return s.db.Checkpoint(dir)
}

// readWatermark is the last segment that the tables in root hold. It changes nothing: Pebble ends the process when it
// cannot write its list of files, which must not happen on behalf of a copy.
func (s *Store) readWatermark(root string) (applied uint64, err error) {
	opts := stateOptions(s.cfg.FS, &s.cfg, func(error) {})
	opts.ReadOnly, opts.CacheSize = true, 0
	copied, err := openPebble(s.cfg.FS, root, s.journal.id, opts, &s.cfg)
	if err != nil {
		return 0, err
	}
	applied, err = copied.watermark()
	return applied, errors.Join(err, copied.db.Close())
}

// isUnfinished reports whether a folder is a backup that was not finished.
func isUnfinished(fs vfs.FS, dir string) bool { return strings.HasSuffix(fs.PathBase(dir), notYet) }
