package prove_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"workman/prove"
)

// against proves the impostor.
func against(t *testing.T, flaw string, kills int) prove.Report {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}

	var bar bytes.Buffer
	r, err := prove.Run(t.Context(), prove.Config{Binary: self, Dir: t.TempDir(), For: time.Duration(kills) * 500 * time.Millisecond,
		Kills: kills, Seed: 1, Rate: 400, Settle: 10 * time.Second, Flags: []string{"--flaw", flaw}, Progress: &bar})
	t.Log("\n" + r.Table())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(bar.String(), "killing under load") {
		t.Errorf("no progress was shown: %q", bar.String())
	}
	return r
}

// TestHonest: a server that keeps its promises is found to.
func TestHonest(t *testing.T) {
	const kills = 8
	r := against(t, "", kills)
	if !r.Good() || !strings.Contains(r.Table(), "nothing that was acknowledged is lost") {
		t.Error("an honest server is blamed")
	}
	if r.Kills != kills+1 || r.Cuts == 0 || r.Keyed == 0 || r.Repeated == 0 || r.Scheduled == 0 || r.Cancelled < 10 || r.Twice == 0 ||
		r.Rules < 10 || r.Dropped == 0 || r.Fired < 20 || r.Skipped == 0 ||
		r.Unanswered == 0 || r.Accepted < 100*kills || r.Succeeded+r.Cancelled != r.Accepted || r.Reads < 2*r.Accepted || r.Recovery.Count == 0 || r.Ack.P50 == 0 {
		t.Errorf("something was not tried: %+v", r)
	}
}

// TestFlaws: each flaw of a server is found, and given its name.
func TestFlaws(t *testing.T) {
	for flaw, kind := range map[string]prove.Kind{"lose": prove.Lost, "undo": prove.Undone, "double": prove.Doubled,
		"needless": prove.Needless, "unfence": prove.Unfenced, "early": prove.Early, "wrong": prove.Wrong,
		"forget": prove.Lost, "revive": prove.Undone, "miss": prove.Missed, "refire": prove.Refired, "broken": prove.Broken, "silent": prove.Broken} {
		t.Run(flaw, func(t *testing.T) {
			t.Parallel()
			r := against(t, flaw, 4)
			if r.Good() || r.Faults[kind] == 0 || !strings.Contains(r.Table(), "NOT PROVED") {
				t.Errorf("%s was not found: %v", kind, r.Faults)
			}
		})
	}
}

// TestEnds: a server that ends by itself is an error, with its last words.
func TestEnds(t *testing.T) {
	r, err := prove.Run(t.Context(), prove.Config{Binary: "/bin/ls", Dir: t.TempDir(), For: time.Second, Kills: 1})
	if !errors.Is(err, prove.ErrEnded) || !strings.Contains(err.Error(), "option") || r.Good() || !strings.Contains(r.Table(), "before its time") {
		t.Errorf("proving ls: %v\n%s", err, r.Table())
	}
}

// TestInterrupted: whoever loses patience gets what was found so far, and no process stays.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	bar := writer(func(text string) {
		if strings.Contains(text, "under load") {
			cancel()
		}
	})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, err := prove.Run(ctx, prove.Config{Binary: self, Dir: t.TempDir(), For: 10 * time.Second, Kills: 40, Seed: 1, Progress: bar})
	if !errors.Is(err, context.Canceled) || r.Kills == 0 || r.Kills > 20 || len(r.Faults) > 0 || r.Good() {
		t.Errorf("after an interruption: %v\n%s", err, r.Table())
	}
}

// writer is a function as an io.Writer.
type writer func(text string)

func (w writer) Write(p []byte) (int, error) { w(string(p)); return len(p), nil }

// TestOwnFolder: without a folder it makes one, and removes it when all is well.
func TestOwnFolder(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	r, err := prove.Run(t.Context(), prove.Config{Binary: self, For: time.Second, Kills: 1})
	if err != nil || !r.Good() || r.Seed == 0 || !strings.HasPrefix(filepath.Base(r.Dir), "workman-prove-") {
		t.Fatalf("%v\n%s", err, r.Table())
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("%v, %v are left", err, left)
	}
}

// TestDocs: docs/prove.md explains each line of the table.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/prove.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^([a-z]+( [a-z]+)*) +\d`).FindAllStringSubmatch(prove.Report{}.Table(), -1)
	if len(lines) != 7+len(prove.Kinds)+4 {
		t.Errorf("the table has the lines %q", lines)
	}
	for _, line := range lines {
		if !strings.Contains(string(page), "| "+line[1]+" |") {
			t.Errorf("docs/prove.md does not explain %q", line[1])
		}
	}
}

// TestRefusals: what cannot be proved is refused with what to do, and nothing is touched.
func TestRefusals(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "precious"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := prove.Run(t.Context(), prove.Config{Binary: "workman", Dir: full})
	if !errors.Is(err, prove.ErrNotEmpty) || !strings.Contains(err.Error(), "precious") {
		t.Errorf("a folder with something in it: %v", err)
	}
	for want, c := range map[string]prove.Config{
		"prove for 1ns":      {For: 1},
		"1000 kills in 1s":   {For: time.Second, Kills: 1000},
		"-1 requests":        {Rate: -1},
		"1ms to settle":      {Settle: time.Millisecond},
		"no such file":       {Binary: filepath.Join(full, "none")},
		"a folder to prove":  {Dir: filepath.Join(full, "precious", "below")},
		"requests a second ": {Rate: 1 << 30},
	} {
		if c.Dir == "" {
			c.Dir = t.TempDir()
		}
		if _, err := prove.Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}
