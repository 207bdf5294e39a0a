package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDataFolderIsOnADisk(t *testing.T) {
	dir := t.TempDir()
	d, err := newDataFolder(dir)
	if kind, _ := fileSystem(dir); kind == "tmpfs" {
		if err == nil || !strings.Contains(err.Error(), "which is memory") {
			t.Errorf("%s: %v", dir, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.path, "a"), make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if size, err := folderSize(dir); err != nil || size != 1000 {
		t.Errorf("%d bytes, %v", size, err)
	}
	var b strings.Builder
	if err := d.write(&b); err != nil || !strings.Contains(b.String(), "Runs were kept on "+d.kind) {
		t.Errorf("%q, %v", b.String(), err)
	}
	d.remove()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestDataFolderIsRefused(t *testing.T) {
	if _, err := newDataFolder(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "--data-dir") {
		t.Errorf("a folder that is not there: %v", err)
	}
	if kind, err := fileSystem("/dev/shm"); err != nil || kind != "tmpfs" {
		return // this machine has none
	}
	if _, err := newDataFolder("/dev/shm"); err == nil || !strings.Contains(err.Error(), "/dev/shm is on tmpfs") {
		t.Errorf("memory: %v", err)
	}
}

func TestSuiteKeepsRuns(t *testing.T) {
	dir := t.TempDir()
	if kind, _ := fileSystem(dir); kind == "tmpfs" {
		dir = "."
	}
	s := newTestSuite(t, "", "--scenario=durable,life", "--rounds=2", "--data-dir="+dir)
	s.programs = s.programs[:1]
	var out strings.Builder
	if err := s.run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"durable        workman", "life           workman", "life: submits  workman", "restart after a kill", "data folder, a run", "Runs were kept on "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "workman-bench-data-*")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
