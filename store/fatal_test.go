package store_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"workman/store"
)

const fatalEnv = "WORKMAN_STORE_FATAL" // a folder: the test binary writes into it until Pebble's list of files fails

// TestManifestFails lets the sync of Pebble's list of files fail in a process of its own. That process must end and say
// why, and all that was told must be there when the folder is opened again.
func TestManifestFails(t *testing.T) {
	folder := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var told, complaint bytes.Buffer
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), fatalEnv+"="+folder)
	cmd.Stdout, cmd.Stderr = &told, &complaint
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Fatalf("%v: %s", err, complaint.String())
	}
	if text := complaint.String(); !strings.Contains(text, store.ErrFailed.Error()) || !strings.Contains(text, errDisk.Error()) {
		t.Errorf("it said: %s", text)
	}
	s, err := store.Open(folder, small(vfs.Default))
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	var m models
	n := told.Len() // a byte a batch
	if n < 10 {
		t.Fatalf("only %d batches were told", n)
	}
	if _, err := m.verify(s, n, n+1); err != nil {
		t.Fatal(err)
	}
}

// writeUntilFatal is that process's main. It reports false if this process is another.
func writeUntilFatal() bool {
	folder := os.Getenv(fatalEnv)
	if folder == "" {
		return false
	}
	b := &broken{after: 1 << 30, stays: true, err: errDisk, which: func(op errorfs.Op) bool {
		return strings.Contains(op.Path, "MANIFEST") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData)
	}}
	cfg := small(errorfs.Wrap(vfs.Default, b))
	cfg.Fatal = func(err error) {
		os.Stderr.WriteString(err.Error())
		os.Exit(3)
	}
	s, err := store.Open(folder, cfg)
	if err != nil {
		panic(err)
	}
	b.mu.Lock()
	b.after = 3
	b.mu.Unlock()
	var batch store.Batch
	for n := 1; ; n++ {
		fill(&batch, n)
		number, err := s.Append(&batch)
		if err == nil {
			err = s.Wait(number)
		}
		if err != nil {
			select {} // Fatal is about to end the process
		}
		os.Stdout.Write([]byte{'.'})
	}
}
