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

// check runs `workman check-worker` and gives what it says.
func check(t *testing.T, command ...string) (c checked) {
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
	printed := start(t, []string{"PYTHONUTF8=1", "NODE_PATH=" + modules}, binary, args...).finish()
	if err := json.Unmarshal([]byte(printed), &c); err != nil {
		t.Fatalf("%v:\n%s", err, printed)
	}
	if !c.Good || len(c.Checks) < 40 {
		t.Errorf("it is not good:\n%s", printed)
	}
	return c
}

// TestCheckWorker: every example of a worker keeps to the protocol.
func TestCheckWorker(t *testing.T) {
	for _, worker := range workers {
		t.Run(worker.name, func(t *testing.T) {
			t.Parallel()
			command, err := worker.runtime()
			if err != nil {
				missing(t, "%s: %v", worker.name, err)
			}
			c := check(t, append(slices.Clone(command), worker.args...)...)
			for _, l := range c.Checks {
				if tried := l.Result != "not tried"; !tried && (l.Check == "large" || l.Check == "reset") {
					t.Errorf("%s was not tried: %s", l.Check, l.Seen)
				}
			}
		})
	}
}

// TestWorkersPage: the workers of docs/workers.md keep to the protocol, the short one and the full one, and leave nothing to
// be said but what their language does to numbers.
func TestWorkersPage(t *testing.T) {
	page, err := os.ReadFile("../docs/workers.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```javascript\n(.*?)^```$").FindAllSubmatch(page, -1)
	if len(blocks) != 2 {
		t.Fatalf("docs/workers.md has %d workers, want 2", len(blocks))
	}
	for i, name := range []string{"short", "full"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command, err := node()
			if err != nil {
				missing(t, "%v", err)
			}
			file := filepath.Join(t.TempDir(), "worker.js")
			if err := os.WriteFile(file, blocks[i][1], 0o600); err != nil {
				t.Fatal(err)
			}
			for _, l := range check(t, append(slices.Clone(command), file)...).Checks {
				isFull := name == "full" && l.Result == "not tried" && !strings.Contains(l.Seen, "Hello")
				if isFull || l.Result == "hint" && l.Check != "exact numbers" {
					t.Errorf("%s: %s, %s", l.Check, l.Result, l.Seen)
				}
			}
		})
	}
}
