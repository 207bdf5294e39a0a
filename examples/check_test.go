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
	Way    string
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
	if !c.Good || len(c.Checks) < map[string]int{"WebSocket": 40, "leases over HTTP": 30}[c.Way] || !p.cmd.ProcessState.Success() {
		t.Errorf("it is not good:\n%s", p.output())
	}
	return c
}

// TestCheckWorker: every example of a worker keeps to the protocol, and those of docs/workers.md do, and README.md's in two lines of
// shell; those of docs/workers.md leave nothing to be said but what their language does to numbers. All are looked at at once: that is
// mostly waiting.
func TestCheckWorker(t *testing.T) {
	t.Parallel()
	ofPage := pageWorkers(t)
	checks := map[string]*process{}
	for _, worker := range slices.Concat(workers, ofPage) {
		if command, err := worker.runtime(); err == nil {
			checks[worker.name] = check(t, append(slices.Clone(command), worker.args...)...)
		}
	}
	for _, worker := range slices.Concat(workers, ofPage) {
		t.Run(worker.name, func(t *testing.T) {
			if checks[worker.name] == nil {
				_, err := worker.runtime()
				missing(t, "%s: %v", worker.name, err)
			}
			for _, l := range good(t, checks[worker.name]).Checks {
				untried := l.Result == "not tried"
				known := strings.Contains(l.Seen, "Hello") || strings.Contains(l.Seen, "--long") ||
					worker.name != "full" && strings.Contains(l.Seen, "does no task") ||
					strings.Contains("shell two lines", worker.name) && (strings.Contains(l.Seen, "one at a time") || strings.Contains(l.Seen, `needs "progress"`))
				switch worker.name {
				case "short", "full", "shell", "two lines":
					if untried && !known || l.Result == "hint" && l.Check != "exact numbers" {
						t.Errorf("%s: %s, %s", l.Check, l.Result, l.Seen)
					}
				default:
					if untried && (l.Check == "large" || l.Check == "reset") {
						t.Errorf("%s was not tried: %s", l.Check, l.Seen)
					}
				}
			}
		})
	}
}

// pageWorkers are those of docs/workers.md, the short one, the full one and the one in a shell; and that of README.md, which adds,
// made to do what it is checked with.
func pageWorkers(t *testing.T) (all []example) {
	t.Helper()
	page, err := os.ReadFile("../docs/workers.md")
	if err != nil {
		t.Fatal(err)
	}
	add := func(name string, runtime func() ([]string, error), file, text string) {
		file = filepath.Join(t.TempDir(), file)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		all = append(all, example{name, runtime, []string{file}, ""})
	}
	blocks := regexp.MustCompile("(?ms)^```(?:javascript|bash)\n(.*?)^```$").FindAllSubmatch(page, -1)
	_, lines := readme(t, "bash")
	if len(blocks) != 3 || len(lines) != 1 {
		t.Fatalf("docs/workers.md has %d workers, want 3, and README.md %d in a shell, want 1", len(blocks), len(lines))
	}
	add("short", node, "short.js", string(blocks[0][1]))
	add("full", node, "full.js", string(blocks[1][1]))
	add("shell", bash, "shell.sh", string(blocks[2][1]))
	echo := strings.NewReplacer("localhost:9999", "$HOST:$PORT", `"add"`, `"echo"`, ".a + .b", "tojson").Replace(lines[0])
	if strings.Count(echo, "echo")*strings.Count(echo, "tojson") != 1 {
		t.Fatalf("README.md's worker in two lines is not known any more:\n%s", lines[0])
	}
	add("two lines", bash, "two.sh", echo)
	return all
}
