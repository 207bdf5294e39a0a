package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// storeID tells one store's files from another's.
type storeID [16]byte

// The folder holds a lock, and a directory with everything else, which gets its name when it is whole:
//
//	lock
//	store/format            version, id and size of segments, under a checksum
//	store/journal/segment-* the journal
//	store/tables/           sorted tables on their way into Pebble
//	store/state/            Pebble's
//	store/ballast           to be removed when the disk is full
const (
	lockName     = "lock"
	storeName    = "store"
	unfinished   = "store.unfinished"
	formatName   = "format"
	journalName  = "journal"
	tablesName   = "tables"
	stateName    = "state"
	ballastName  = "ballast"
	formatLayout = "workman store, format %d\nid %s\nsegments of %d bytes\n"
	maxFormat    = 4096 // bytes of the format file
)

// lock takes the folder for this process.
func lock(fs vfs.FS, dir string) (io.Closer, error) {
	if isUnfinished(fs, dir) {
		return nil, fmt.Errorf("store: the folder %s is a backup that was not finished: remove it, and make another one", dir)
	}
	if err := makeFolder(fs, dir); err != nil {
		return nil, fmt.Errorf("store: creating the folder %s: %w", dir, err)
	}
	l, err := fs.Lock(fs.PathJoin(dir, lockName))
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("store: locking the folder %s, which this user must be able to write to: %w", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w (%s: %w)", ErrInUse, dir, err)
	}
	return l, nil
}

// makeFolder makes a folder, and those above it that are not there, durably: a store in a folder that a power cut takes is
// lost as well.
func makeFolder(fs vfs.FS, dir string) error {
	there, err := exists(fs, dir)
	above := fs.PathDir(dir)
	if there || err != nil || above == dir {
		return err
	}
	if err := makeFolder(fs, above); err != nil {
		return err
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(fs, above)
}

// create makes the store in the folder, unless it is there. A process that ends meanwhile leaves nothing that counts.
func create(fs vfs.FS, dir string, cfg *Config) error {
	there, err := exists(fs, fs.PathJoin(dir, storeName))
	if there || err != nil {
		return err
	}
	root := fs.PathJoin(dir, unfinished)
	if err := fs.RemoveAll(root); err != nil {
		return err
	}
	for _, d := range []string{journalName, tablesName, stateName} {
		if err := fs.MkdirAll(fs.PathJoin(root, d), 0o700); err != nil {
			return err
		}
	}
	var id storeID
	rand.Read(id[:])
	if err := writeFormat(fs, root, id, cfg.SegmentBytes); err != nil {
		return err
	}
	if err := createJournal(fs, root, id, cfg.SegmentBytes, 1); err != nil {
		return err
	}
	if err := createState(fs, root, id, cfg); err != nil {
		return err
	}
	if err := syncDir(fs, root); err != nil {
		return err
	}
	if err := fs.Rename(root, fs.PathJoin(dir, storeName)); err != nil {
		return err
	}
	if err := syncDir(fs, dir); err != nil {
		return err
	}
	return syncDir(fs, fs.PathDir(dir))
}

// writeFormat says what the store in root is.
func writeFormat(fs vfs.FS, root string, id storeID, segmentBytes int) error {
	text := fmt.Sprintf(formatLayout, version, hex.EncodeToString(id[:]), segmentBytes)
	text += fmt.Sprintf("crc32c %08x\n", checksum([]byte(text)))
	return writeFile(fs, fs.PathJoin(root, formatName), []byte(text))
}

// createJournal makes the first segments, and opens one of this number.
func createJournal(fs vfs.FS, root string, id storeID, segmentBytes int, number uint64) error {
	j := &journal{fs: fs, dir: fs.PathJoin(root, journalName), id: id, size: segmentBytes, free: make(chan string, firstSlots)}
	for range firstSlots {
		if err := j.grow(); err != nil {
			return err
		}
	}
	s, err := j.open(<-j.free, number)
	if err != nil {
		return err
	}
	return s.file.Close()
}

// readFormat reads what writeFormat wrote.
func readFormat(fs vfs.FS, root string) (id storeID, segmentBytes int, err error) {
	name := fs.PathJoin(root, formatName)
	text, err := readFile(fs, name, maxFormat)
	if errors.Is(err, os.ErrNotExist) {
		return id, 0, damaged(name, "it is missing")
	} else if err != nil {
		return id, 0, fmt.Errorf("store: reading the format: %w", err)
	}
	var v, sum uint32
	var hexID string
	if _, err := fmt.Sscanf(string(text), "workman store, format %d\n", &v); err != nil {
		return id, 0, damaged(name, "it does not say which format the store has")
	}
	if v > version {
		return id, 0, fmt.Errorf("%w: %s says format %d, and this version knows %d", ErrNewer, name, v, version)
	}
	_, err = fmt.Sscanf(string(text), formatLayout+"crc32c %x\n", &v, &hexID, &segmentBytes, &sum)
	body, _, _ := strings.Cut(string(text), "crc32c ")
	if err != nil || v != version || sum != checksum([]byte(body)) || len(text) != len(body)+len("crc32c 00000000\n") {
		return id, 0, damaged(name, "its text or its checksum has changed")
	}
	if n, err := hex.Decode(id[:], []byte(hexID)); err != nil || n != len(id) {
		return id, 0, damaged(name, "its id is %q", hexID)
	}
	return id, segmentBytes, nil
}
