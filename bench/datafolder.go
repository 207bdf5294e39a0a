package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// dataFolder is where servers that keep runs have their folders.
type dataFolder struct {
	path string
	kind string // of file system
}

// newDataFolder makes one in dir, which must be on a disk: in memory a sync
// costs nothing, and so says nothing.
func newDataFolder(dir string) (d dataFolder, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return d, fmt.Errorf("finding --data-dir %s: %w", dir, err)
	}
	if d.kind, err = fileSystem(dir); err != nil {
		return d, fmt.Errorf("looking at --data-dir %s: %w", dir, err)
	}
	if d.kind == "tmpfs" || d.kind == "ramfs" {
		return d, fmt.Errorf("--data-dir %s is on %s, which is memory and syncs nothing: name a folder on a disk", dir, d.kind)
	}
	if d.path, err = os.MkdirTemp(dir, "workman-bench-data-"); err != nil {
		return d, fmt.Errorf("making a folder for data in --data-dir: %w", err)
	}
	return d, nil
}

// remove removes it with all that is in it.
func (d dataFolder) remove() { os.RemoveAll(d.path) }

// write tells where runs were kept, if they were.
func (d dataFolder) write(w io.Writer) error {
	if d.path == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "\nRuns were kept on %s, in folders under %s.\n", d.kind, filepath.Dir(d.path))
	return err
}
