package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"workman/prove"
)

// TestPower cuts the power of the real server under load, again and again: it is killed, and its file system forgets whatever
// was not synced.
func TestPower(t *testing.T) {
	cuts := 15
	if testing.Short() || raceEnabled { // what is killed is no race build
		cuts = 8
	}
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	w := mount(t, t.TempDir())
	r, err := prove.Run(t.Context(), prove.Config{
		Binary: binary, Dir: t.TempDir(), For: time.Duration(cuts) * time.Second, Kills: cuts, Flags: []string{"--data", w.dir}, Killed: w.cut,
	})
	t.Logf("\n%s\n%d syncs, %d bytes forgotten", r.Table(), w.syncs, w.lost)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Good() {
		t.Error("the server did wrong")
	}
	if r.Kills != cuts+1 || r.Accepted/cuts < 20 || w.syncs < cuts || !recurred(r) {
		t.Errorf("too little was tried: %+v", r)
	}
}

// TestForgetful: what the file system is there for.
func TestForgetful(t *testing.T) {
	w := mount(t, t.TempDir())
	name := func(s string) string { return filepath.Join(w.dir, s) }
	write := func(name, text string, sync bool) {
		t.Helper()
		f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err == nil {
			_, err = f.WriteString(text)
		}
		if err == nil && sync {
			err = f.Sync()
		}
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	syncDir := func(name string) {
		t.Helper()
		d, err := os.Open(name)
		if err == nil {
			err = errors.Join(d.Sync(), d.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(name("synced"), "one", true)
	write(name("loose"), "two", false)
	write(name("renamed"), "three", true)
	syncDir(w.dir)
	write(name("synced"), "four", false)
	write(name("nameless"), "five", true)
	if err := os.Rename(name("renamed"), name("other")); err != nil {
		t.Fatal(err)
	}
	if err := w.cut(); err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]string{"synced": "one", "loose": "", "renamed": "three"} {
		if got, err := os.ReadFile(name(what)); err != nil || string(got) != want {
			t.Errorf("%s holds %q (%v), want %q", what, got, err, want)
		}
	}
	if names, err := os.ReadDir(w.dir); err != nil || len(names) != 3 {
		t.Errorf("there are %v (%v), want three files", names, err)
	}
}
