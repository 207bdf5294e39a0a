package examples_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// readme returns README.md and its fenced blocks of one language.
func readme(t *testing.T, language string) (page string, blocks []string) {
	t.Helper()
	raw, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(string(raw), -1) {
		blocks = append(blocks, m[1])
	}
	return string(raw), blocks
}

// readmeWorkers are the workers of README.md: their language, what runs them, and as what file.
var readmeWorkers = []struct {
	language, file string
	runtime        func() ([]string, error)
}{
	{"javascript", "worker.js", node},
	{"python", "worker.py", python},
	{"go", "worker.go", nil},
}

// TestReadme does what README.md says: each of its workers is run as it stands there, then its curl commands, and the
// worker serves again after the server was restarted. Only the port is another.
func TestReadme(t *testing.T) {
	_, consoles := readme(t, "console")
	if len(consoles) != 1 {
		t.Fatalf("README.md has %d console blocks, want 1", len(consoles))
	}
	for _, worker := range readmeWorkers {
		t.Run(worker.language, func(t *testing.T) {
			t.Parallel()
			_, blocks := readme(t, worker.language)
			if len(blocks) != 1 {
				t.Fatalf("README.md has %d workers in %s, want 1", len(blocks), worker.language)
			}
			w := serve(t, "")
			there := func(text string) string { return strings.ReplaceAll(text, "localhost:9999", w.address()) }
			file := filepath.Join(t.TempDir(), worker.file)
			if err := os.WriteFile(file, []byte(there(blocks[0])), 0o600); err != nil {
				t.Fatal(err)
			}
			var command []string
			if worker.runtime == nil {
				binary, err := build("readme-"+worker.language, file)
				if err != nil {
					t.Fatal(err)
				}
				command = []string{binary}
			} else {
				var err error
				if command, err = worker.runtime(); err != nil {
					missing(t, "%s: %v", worker.language, err)
				}
				command = append(slices.Clone(command), file)
			}
			modules, err := filepath.Abs("javascript/node_modules")
			if err != nil {
				t.Fatal(err)
			}
			start(t, []string{"NODE_PATH=" + modules}, command[0], command[1:]...)

			w.expect("POST", "/task/add", `{"a":20,"b":3}`, "23") // waits for the worker
			console(t, there(consoles[0]))
			w.stop()
			w = serve(t, w.port)
			w.expect("POST", "/task/add", `{"a":20,"b":4}`, "24")
		})
	}
}

// TestReadmeShell runs the worker in shell, as it stands there: it does tasks, and comes back when the server does.
func TestReadmeShell(t *testing.T) {
	t.Parallel()
	for _, needs := range []string{"curl", "jq"} {
		if _, err := exec.LookPath(needs); err != nil {
			missing(t, "%v", err)
		}
	}
	command, err := bash()
	if err != nil {
		missing(t, "%v", err)
	}
	_, blocks := readme(t, "bash")
	if len(blocks) != 1 || strings.Count(blocks[0], "\n") != 2 {
		t.Fatalf("README.md has %q as its worker in shell, want two lines", blocks)
	}
	w := serve(t, "")
	start(t, nil, command[0], "-c", strings.ReplaceAll(blocks[0], "localhost:9999", w.address()))
	for i := range 5 {
		w.expect("POST", "/task/add", fmt.Sprintf(`{"a":%d,"b":0.5}`, i), fmt.Sprint(float64(i)+0.5))
	}
	w.stop()
	w = serve(t, w.port)
	w.expect("POST", "/task/add", `{"a":20,"b":4}`, "24")
}

// console runs each command of a console block and compares what it prints. In that, ... stands for anything.
func console(t *testing.T, block string) {
	t.Helper()
	if _, err := bash(); err != nil {
		missing(t, "%v", err)
	}
	for _, part := range strings.Split("\n"+block, "\n$ ")[1:] {
		command, want, _ := strings.Cut(part, "\n")
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, "bash", "-c", command)
		dieWithTest(cmd)
		got, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v", command, err)
		}
		pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(want)), `\.\.\.`, ".+")
		if !regexp.MustCompile("^" + pattern + "$").Match(got) {
			t.Errorf("%s printed %q, want %q", command, got, want)
		}
	}
}

var (
	flagInHelp = regexp.MustCompile(`(?m)^ +(--[a-z-]+)(?:=(?:"([^"]*)"|(\S+)))?`)
	flagRow    = regexp.MustCompile("(?m)^\\| `(--[a-z-]+)` \\| `([A-Z_]+)` \\| (?:`([^`]*)`)? ?\\|")
	envInHelp  = regexp.MustCompile(`\$([A-Z_]+)`)
)

// TestReadmeFlags compares the table of flags, with their defaults and variables, to what serve --help lists.
func TestReadmeFlags(t *testing.T) {
	binary, err := server()
	if err != nil {
		t.Fatal(err)
	}
	help := start(t, nil, binary, "serve", "--help").finish()
	var flags, envs []string
	for _, m := range flagInHelp.FindAllStringSubmatch(help, -1) {
		value := m[2] + m[3]
		if strings.HasSuffix(value, ",...") || value == "FILE" {
			value = "" // a list, which is empty by default: this stands for what goes there
		}
		flags = append(flags, m[1]+"="+value)
	}
	for _, m := range envInHelp.FindAllStringSubmatch(help, -1) {
		envs = append(envs, m[1])
	}
	var listed, listedEnvs []string
	page, _ := readme(t, "sh")
	for _, m := range flagRow.FindAllStringSubmatch(page, -1) {
		listed, listedEnvs = append(listed, m[1]+"="+m[3]), append(listedEnvs, m[2])
	}
	if flags, listed := set(flags), set(listed); !slices.Equal(flags, listed) {
		t.Errorf("--help lists\n%q, README.md\n%q", flags, listed)
	}
	if envs, listed := set(envs), set(listedEnvs); !slices.Equal(envs, listed) {
		t.Errorf("--help lists\n%q, README.md\n%q", envs, listed)
	}
}

func set(words []string) []string {
	words = slices.Clone(words)
	slices.Sort(words)
	return slices.Compact(words)
}

// TestReadmeLinks looks whether the files that the pages link to are there.
func TestReadmeLinks(t *testing.T) {
	code := regexp.MustCompile("(?ms)^```.*?^```$")
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	var pages []string
	for _, pattern := range []string{"../*.md", "../docs/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	links := 0
	for _, page := range pages {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllSubmatch(code.ReplaceAll(raw, nil), -1) {
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), string(m[1]))); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
		}
	}
	if links < 5 {
		t.Errorf("only %d links were found in %q", links, pages)
	}
}

// TestProblemTypes compares the problem types that docs/protocol.md lists with those in the source.
func TestProblemTypes(t *testing.T) {
	urn := regexp.MustCompile(`urn:workman:problem:[a-z-]+`)
	page, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../protocol/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var used []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		used = append(used, urn.FindAllString(string(raw), -1)...)
	}
	if used, listed := set(used), set(urn.FindAllString(string(page), -1)); !slices.Equal(used, listed) {
		t.Errorf("the source uses\n%q, docs/protocol.md lists\n%q", used, listed)
	}
}
