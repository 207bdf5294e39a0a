package store

import (
	"errors"
	"os"
	"syscall"
)

// openDirect opens a file for writes that are durable when they return and do not go through the page cache, where they
// would wait behind what others have written there; with the cache on file systems that know no other way.
func openDirect(name string) (syncedFile, error) {
	f, err := os.OpenFile(name, os.O_RDWR|syscall.O_DSYNC|syscall.O_DIRECT, 0)
	if errors.Is(err, syscall.EINVAL) {
		f, err = os.OpenFile(name, os.O_RDWR|syscall.O_DSYNC, 0)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}
