package examples_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// checked is what `workman check-worker --json` prints.
type checked struct {
	Good   bool
	Checks []struct{ Check, Result, Seen string }
}

// check starts `workman check-worker`.
func check(t *testing.T, command ...string) *process {
	t.Helper()
	binary, err := server()
	if err != nil {
		t.Fatal(err)
	}
	modules, err := filepath.Abs("javascript/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"check-worker", "--timeout", "20s", "--json", "--"}, command...)
	return start(t, []string{"PYTHONUTF8=1", "NODE_PATH=" + modules}, binary, args...)
}

// good waits for what check-worker says, and sees that it has nothing against the worker.
func good(t *testing.T, p *process) (c checked) {
	t.Helper()
	<-p.ended // it has a time for each of its steps
	if err := json.Unmarshal([]byte(p.output()), &c); err != nil {
		t.Fatalf("%v:\n%s", err, p.output())
	}
	if !c.Good || len(c.Checks) < 40 || !p.cmd.ProcessState.Success() {
		t.Errorf("it is not good:\n%s", p.output())
	}
	return c
}

// TestCheckWorker: every example of a worker keeps to the protocol. All are looked at at once: that is mostly waiting.
func TestCheckWorker(t *testing.T) {
	t.Parallel()
	checks := map[string]*process{}
	for _, worker := range workers {
		if command, err := worker.runtime(); err == nil {
			checks[worker.name] = check(t, append(slices.Clone(command), worker.args...)...)
		}
	}
	for _, worker := range workers {
		t.Run(worker.name, func(t *testing.T) {
			if checks[worker.name] == nil {
				_, err := worker.runtime()
				missing(t, "%s: %v", worker.name, err)
			}
			for _, l := range good(t, checks[worker.name]).Checks {
				if l.Result == "not tried" && (l.Check == "large" || l.Check == "reset") {
					t.Errorf("%s was not tried: %s", l.Check, l.Seen)
				}
			}
		})
	}
}

// TestWorkersPage: the workers of docs/workers.md keep to the protocol, the short one and the full one, and leave nothing to
// be said but what their language does to numbers.
func TestWorkersPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/workers.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```javascript\n(.*?)^```$").FindAllSubmatch(page, -1)
	if len(blocks) != 2 {
		t.Fatalf("docs/workers.md has %d workers, want 2", len(blocks))
	}
	command, err := node()
	if err != nil {
		missing(t, "%v", err)
	}
	names := []string{"short", "full"}
	var checks []*process
	for i, name := range names {
		file := filepath.Join(t.TempDir(), name+".js")
		if err := os.WriteFile(file, blocks[i][1], 0o600); err != nil {
			t.Fatal(err)
		}
		checks = append(checks, check(t, append(slices.Clone(command), file)...))
	}
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			for _, l := range good(t, checks[i]).Checks {
				skipped := name == "full" && l.Result == "not tried" && !strings.Contains(l.Seen, "Hello")
				if skipped || l.Result == "hint" && l.Check != "exact numbers" {
					t.Errorf("%s: %s, %s", l.Check, l.Result, l.Seen)
				}
			}
		})
	}
}
