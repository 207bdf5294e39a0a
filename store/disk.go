package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// syncedFile is a file whose writes are durable when they return. What is written begins at a page, is whole pages, and
// lies at a page in memory (see pages).
type syncedFile interface {
	io.WriterAt
	io.Closer
}

// openSynced opens a file that is there.
func openSynced(fs vfs.FS, name string) (syncedFile, error) {
	if fs == vfs.Default {
		if f, err := openDirect(name); f != nil || err != nil {
			return f, err
		}
	}
	if _, err := fs.Stat(name); err != nil {
		return nil, err
	}
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	return syncing{f}, err
}

// syncing makes each write of any file durable with a second call.
type syncing struct{ vfs.File }

func (s syncing) WriteAt(b []byte, at int64) (int, error) {
	n, err := s.File.WriteAt(b, at)
	if err == nil {
		err = s.SyncData()
	}
	return n, err
}

// pages are n zero bytes, n a multiple of a page, that lie at a page in memory, as O_DIRECT wants it.
func pages(n int) []byte {
	b := make([]byte, n+page)
	off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) % page)
	return b[off : off+n : off+n]
}

// syncDir makes names in a directory durable.
func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// writeFile writes a whole file and makes its contents durable; syncDir does that for its name.
func writeFile(fs vfs.FS, name string, text []byte) error {
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// readFile reads a whole file of at most limit bytes.
func readFile(fs vfs.FS, name string, limit int64) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return text, err
}

// exists reports whether there is a file or directory of that name.
func exists(fs vfs.FS, name string) (bool, error) {
	_, err := fs.Stat(name)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
