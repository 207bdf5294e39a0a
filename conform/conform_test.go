package conform_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"workman/conform"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == "worker" {
		if os.Args[2] == "lease" {
			beLeaser(os.Args[3], os.Args[4])
		} else {
			beWorker(os.Args[2], os.Args[3], os.Args[4])
		}
		return
	}
	code := m.Run()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	if scratch != "" {
		if err := os.RemoveAll(scratch); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// scratch is the directory of the server that is built.
var scratch string

// server is built once. WORKMAN_BINARY names one to test with instead.
var server = sync.OnceValues(func() (binary string, err error) {
	if binary := os.Getenv("WORKMAN_BINARY"); binary != "" {
		return binary, nil
	}
	if scratch, err = os.MkdirTemp("", "workman-conform-"); err != nil {
		return "", err
	}
	binary = filepath.Join(scratch, "workman")
	if out, err := exec.Command("go", "build", "-o", binary, "..").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binary, nil
})

// examine checks the test's own worker.
func examine(t *testing.T, kind, flaw string, timeout time.Duration) conform.Report {
	t.Helper()
	binary, err := server()
	if err != nil {
		t.Error(err)
		return conform.Report{}
	}
	self, err := os.Executable()
	if err != nil {
		t.Error(err)
		return conform.Report{}
	}
	r, err := conform.Run(t.Context(), conform.Config{Binary: binary, Command: []string{self, "worker", kind, flaw, "{url}"}, Timeout: timeout})
	if err != nil {
		t.Error(err)
	}
	return r
}

// flaw is one of a worker of some kind, and the check that is to notice it.
type flaw struct {
	kind, flaw, check string
	hint              bool // it works all the same
}

// flaws are workers that do one thing wrong, and the check that is to notice it; and two that do nothing wrong.
var flaws = []flaw{
	{kind: "old"},
	{kind: "hello"},
	{kind: "old", flaw: "does not mask", check: "masks"},
	{kind: "old", flaw: "sends binary", check: "text"},
	{kind: "old", flaw: "asks before registering", check: "order"},
	{kind: "old", flaw: "answers with a wrong nonce", check: "nonce"},
	{kind: "old", flaw: "answers twice", check: "once"},
	{kind: "old", flaw: "never asks again", check: "asks again"},
	{kind: "old", flaw: "takes nothing for something", check: "left out"},
	{kind: "old", flaw: "mangles Unicode", check: "unicode"},
	{kind: "old", flaw: "mangles escapes", check: "escapes"},
	{kind: "old", flaw: "mangles numbers", check: "numbers"},
	{kind: "old", flaw: "cuts what is large", check: "large"},
	{kind: "old", flaw: "does not pong", check: "ping"},
	{kind: "old", flaw: "takes a fragment for a message", check: "fragments"},
	{kind: "old", flaw: "rejects unknown members", check: "unknown members"},
	{kind: "old", flaw: "dies on an unknown event", check: "unknown event"},
	{kind: "old", flaw: "does not reconnect", check: "returns"},
	{kind: "old", flaw: "does not register anew", check: "registers anew"},
	{kind: "old", flaw: "reconnects in a tight loop", check: "backs off"},
	{kind: "old", flaw: "does not end", check: "ends"},
	{kind: "old", flaw: "says what there is not", check: "messages"},
	{kind: "hello", flaw: "says Hello late", check: "hello"},
	{kind: "hello", flaw: "asks for none", check: "credits"},
	{kind: "hello", flaw: "hides errors", check: "errors"},
	{kind: "hello", flaw: "always retries", check: "errors"},
	{kind: "hello", flaw: "does not extend", check: "extends", hint: true},
	{kind: "hello", flaw: "says no progress", check: "progress"},
	{kind: "hello", flaw: "says too much progress", check: "progress"},
	{kind: "hello", flaw: "ignores Cancel", check: "cancels", hint: true},
	{kind: "hello", flaw: "ignores Late", check: "late", hint: true},
	{kind: "hello", flaw: "does not resume", check: "resumes", hint: true},
	{kind: "hello", flaw: "forgets what it resumed", check: "resumes"},
	{kind: "hello", flaw: "resumes a made-up session", check: "resumes"},
	{kind: "hello", flaw: "keeps what never arrived", check: "never arrived"},
	{kind: "hello", flaw: "drops all on Drain", check: "server drains"},
	{kind: "lease"},
	{kind: "lease", flaw: "asks for too many", check: "takes"},
	{kind: "lease", flaw: "answers with a wrong nonce", check: "nonce"},
	{kind: "lease", flaw: "never asks again", check: "asks again"},
	{kind: "lease", flaw: "answers twice", check: "once"},
	{kind: "lease", flaw: "does one of several", check: "several"},
	{kind: "lease", flaw: "takes nothing for something", check: "left out"},
	{kind: "lease", flaw: "mangles Unicode", check: "unicode"},
	{kind: "lease", flaw: "rejects unknown members", check: "unknown members"},
	{kind: "lease", flaw: "ends without tasks", check: "no tasks"},
	{kind: "lease", flaw: "does not wait", check: "backs off"},
	{kind: "lease", flaw: "ends when refused", check: "backs off"},
	{kind: "lease", flaw: "ends with its connection", check: "reset"},
	{kind: "lease", flaw: "ends without a server", check: "away"},
	{kind: "lease", flaw: "ends when a lease is over", check: "stale"},
	{kind: "lease", flaw: "answers again what is over", check: "stale"},
	{kind: "lease", flaw: "takes a low fence for an old task", check: "restart"},
	{kind: "lease", flaw: "hides errors", check: "errors"},
	{kind: "lease", flaw: "always retries", check: "errors"},
	{kind: "lease", flaw: "does not extend", check: "extends", hint: true},
	{kind: "lease", flaw: "says no progress", check: "progress", hint: true},
	{kind: "lease", flaw: "says too much progress", check: "progress"},
	{kind: "lease", flaw: "goes on with what is cancelled", check: "cancels", hint: true},
	{kind: "lease", flaw: "goes on without a lease", check: "late", hint: true},
	{kind: "lease", flaw: "does not end", check: "ends"},
	{kind: "lease", flaw: "drops what it has", check: "ends", hint: true},
	{kind: "lease", flaw: "says what there is not", check: "requests"},
}

// atOnce is how many workers are checked at once. They mostly wait.
const atOnce = 18

// TestFlaws: each flaw of a worker fails the check that is about it, and no other. Without one nothing fails.
func TestFlaws(t *testing.T) {
	t.Parallel()
	reports := make([]conform.Report, len(flaws))
	var all sync.WaitGroup
	places := make(chan bool, atOnce)
	for i, f := range flaws {
		all.Go(func() {
			places <- true
			defer func() { <-places }()
			reports[i] = examine(t, f.kind, f.flaw, 4*time.Second)
		})
	}
	all.Wait()
	for i, f := range flaws {
		t.Run(f.kind+", "+f.flaw, func(t *testing.T) {
			if f.flaw == "" {
				f.none(t, reports[i])
			} else {
				f.noticed(t, reports[i])
			}
		})
	}
}

// none sees that a worker that keeps to the protocol is found to.
func (f flaw) none(t *testing.T, r conform.Report) {
	for _, l := range r.Checks {
		known := strings.Contains(l.Seen, "Hello") || strings.Contains(l.Seen, "--long")
		if l.Result != conform.OK && !(l.Result == conform.NotTried && known) {
			t.Errorf("%s: %s, %s", l.Check, l.Result, l.Seen)
		}
	}
	if !r.Good() || !strings.Contains(r.Table(), "the worker keeps to the protocol") {
		t.Errorf("a good worker is blamed:\n%s", r.Table())
	}
}

// TestOne: there is one hint, not 1 hints.
func TestOne(t *testing.T) {
	for n, want := range map[int]string{0: "0 hints,", 1: "1 hint,", 2: "2 hints,"} {
		r := conform.Report{Checks: slices.Repeat([]conform.Line{{Check: "a", Result: conform.Hint}}, n)}
		if got := r.Table(); !strings.Contains(got, want) {
			t.Errorf("with %d: %s", n, got)
		}
	}
}

// isWritten reports whether there is such a section.
func isWritten(t *testing.T, section string) bool {
	t.Helper()
	heading, ours := strings.CutPrefix(section, "docs/protocol.md, ")
	if !ours {
		return strings.HasPrefix(section, "RFC 6455 section ")
	}
	page, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile("(?m)^#+ " + regexp.QuoteMeta(heading) + "$").Match(page)
}

// noticed sees that only what is wrong is reported, with all there is to say.
func (f flaw) noticed(t *testing.T, r conform.Report) {
	var got []string
	for _, l := range r.Checks {
		switch {
		case l.Check == f.check && f.hint && l.Result == conform.Hint:
			got = append(got, l.Check)
		case l.Result != conform.Failed:
		case l.Seen == "" || l.Expected == "" || !isWritten(t, l.Section) || len(l.Messages) == 0:
			t.Errorf("%s does not say all: %+v", l.Check, l)
			fallthrough
		default:
			got = append(got, l.Check)
		}
	}
	if !slices.Equal(got, []string{f.check}) || r.Good() != f.hint {
		t.Errorf("%q failed, want %q\n%s", got, f.check, r.Table())
	}
}

// TestJSON: the report for programs has what the table has.
func TestJSON(t *testing.T) {
	r := conform.Report{Worker: []string{"w"}, Took: time.Second, Checks: []conform.Line{{Check: "once", Result: conform.Failed, Seen: "twice"}}}
	raw, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Good    bool
		Seconds float64
		Worker  []string
		Checks  []conform.Line
	}
	if err := json.Unmarshal(raw, &got); err != nil || got.Good || got.Seconds != 1 || len(got.Checks) != 1 || got.Checks[0].Seen != "twice" {
		t.Errorf("%s: %v", raw, err)
	}
}

// TestRefusals: what cannot be checked is an error that says why.
func TestRefusals(t *testing.T) {
	for want, c := range map[string]conform.Config{
		"there is no command": {Binary: "workman"},
		"not found":           {Binary: "workman", Command: []string{"no-such-worker"}},
		"--timeout is 1ms":    {Binary: "workman", Command: []string{"ls"}, Timeout: time.Millisecond},
		"no server":           {Binary: "/bin/ls", Command: []string{"ls"}},
	} {
		if _, err := conform.Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestEndsAtOnce: a worker that ends is told so, with its last words.
func TestEndsAtOnce(t *testing.T) {
	binary, err := server()
	if err != nil {
		t.Fatal(err)
	}
	r, err := conform.Run(t.Context(), conform.Config{Binary: binary, Command: []string{"sh", "-c", "echo my last words; exit 3"}, Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if table := r.Table(); !strings.Contains(table, "ended by itself (exit status 3)") || !strings.Contains(table, "my last words") {
		t.Error("\n" + table)
	}
}

// TestInterrupted: progress is shown, and whoever loses patience gets what was found so far.
func TestInterrupted(t *testing.T) {
	binary, err := server()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	bar := writer(func(text string) {
		if strings.Contains(text, "checking: connects") {
			cancel()
		}
	})
	r, err := conform.Run(ctx, conform.Config{Binary: binary, Command: []string{"sleep", "1000"}, Progress: bar})
	if !errors.Is(err, context.Canceled) || r.Good() {
		t.Errorf("after an interruption: %v\n%s", err, r.Table())
	}
}

// writer is a function as an io.Writer.
type writer func(text string)

func (w writer) Write(p []byte) (int, error) { w(string(p)); return len(p), nil }

// TestDocs: docs/workers.md explains each check, in the order in which they are made, and no other.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/workers.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z A-Z]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		listed = append(listed, m[1])
	}
	names := conform.Names(conform.Sockets)
	through := names[slices.Index(names, "null") : slices.Index(names, "fails")+1]
	for i, name := range conform.Names(conform.Leases) {
		if i > 0 && !slices.Contains(through, name) { // what goes through a worker, and how it begins, is the same
			names = append(names, name)
		}
	}
	if !slices.Equal(listed, names) {
		t.Errorf("docs/workers.md explains\n%q, and there are\n%q", listed, names)
	}
}
