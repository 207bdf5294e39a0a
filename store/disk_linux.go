package store

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openDirect opens a file for writes that are durable when they return and do not go through the page cache, where they
// would wait behind what others have written there; with the cache on file systems that know no other way. It returns nil on
// those of which it is not known that they heed O_DSYNC.
func openDirect(name string) (syncedFile, error) {
	if !heedsSync(name) {
		return nil, nil
	}
	f, err := os.OpenFile(name, os.O_RDWR|syscall.O_DSYNC|syscall.O_DIRECT, 0)
	if errors.Is(err, syscall.EINVAL) {
		f, err = os.OpenFile(name, os.O_RDWR|syscall.O_DSYNC, 0)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// heedsSync reports whether a write to a file opened with O_DSYNC (open(2)) is durable when it returns. File systems in user
// space are told nothing of it: Linux sends FUSE no fsync after such a write, so that one lost what had been acknowledged.
func heedsSync(name string) bool {
	var s unix.Statfs_t
	if err := unix.Statfs(name, &s); err != nil {
		return false
	}
	switch uint32(s.Type) { //nolint:gosec // the numbers have 32 bits, whatever the field has
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return true
	}
	return false
}
