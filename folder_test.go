package main

import (
	"fmt"
	"hash/crc32"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The real binary and its folder.

// workman runs the binary to its end, and returns what it printed and its exit status.
func workman(t *testing.T, args ...string) (string, int) {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, args...)
	out, _ := cmd.CombinedOutput() // the status says it
	return string(out), cmd.ProcessState.ExitCode()
}

// TestFolderInUse: a second server on the same folder is refused, and the first does not notice.
func TestFolderInUse(t *testing.T) {
	t.Parallel()
	p := launch(t)
	id := askerOf(t, p.addr).submit("mail", "1")
	out, code := workman(t, "--port", "0", "--data", p.data())
	if code != 1 || !strings.Contains(out, "in use by another server") || !strings.Contains(out, p.data()) {
		t.Errorf("exit status %d: %s", code, out)
	}
	if d := askerOf(t, p.addr).look(id); d.State != "pending" {
		t.Errorf("%+v", d)
	}
}

// TestFolderOfNewer: a folder that a newer version has written is refused and left as it is; so is one that is damaged.
func TestFolderOfNewer(t *testing.T) {
	t.Parallel()
	p := launch(t)
	askerOf(t, p.addr).submit("mail", "1")
	p.signal()
	p.exit(0)
	file := filepath.Join(p.data(), "store", "format")
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(was), "crc32c")
	version := regexp.MustCompile(`format (\d+)`).FindStringSubmatch(text)[1]
	n, _ := strconv.Atoi(version)
	text = strings.Replace(text, "format "+version, fmt.Sprint("format ", n+1), 1)
	text += fmt.Sprintf("crc32c %08x\n", crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)))
	for content, want := range map[string]string{text: "newer version", "x" + string(was): "damaged"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		out, code := workman(t, "--port", "0", "--data", p.data())
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("exit status %d, want the word %q: %s", code, want, out)
		}
		if is, err := os.ReadFile(file); err != nil || string(is) != content {
			t.Errorf("the format now says %s (%v)", is, err)
		}
	}
}

// TestMemoryOnly: with --memory there are runs as ever, no folder, nothing after a restart, and nothing to copy.
func TestMemoryOnly(t *testing.T) {
	t.Parallel()
	p := launch(t, "WORKMAN_MEMORY=true")
	a, w := askerOf(t, p.addr), newHand(t, p.addr, "mail")
	id := a.submit("mail", "1", "Idempotency-Key: k")
	w.fail(w.take(), `"error":"again","after":0`)
	w.work("1")
	if d := a.ended(id); d.State != "succeeded" || len(d.Attempts) != 1 {
		t.Errorf("%+v", d)
	}
	a.schedule(time.Now().Add(time.Hour), "mail", "1")
	a.do(501, "POST", "/backup", `{"dir":"`+t.TempDir()+`/backup"}`)
	if _, err := os.Stat(p.data()); !os.IsNotExist(err) {
		t.Errorf("there is a folder: %v", err)
	}
	_ = w.conn.Close()
	p.signal()
	p.exit(0)
	p = launch(t, "WORKMAN_MEMORY=true", "WORKMAN_DATA="+p.data())
	askerOf(t, p.addr).do(404, "GET", "/runs/"+id, "")
}

// acked are the ids of runs that were acknowledged, from many goroutines.
type acked struct {
	mu  sync.Mutex
	ids []string
}

func (k *acked) all() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]string(nil), k.ids...)
}

// load asks for runs from so many goroutines until the server does not answer, or stop is closed.
func (k *acked) load(a asker, askers int, stop chan struct{}) *sync.WaitGroup {
	var all sync.WaitGroup
	for range askers {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got, err := a.try("POST", "/task/load?label=a:b", `{"some":"options"}`, "Prefer: respond-async")
				if err != nil {
					return
				}
				if got.status == 202 {
					id := got.run().ID
					k.mu.Lock()
					k.ids = append(k.ids, id)
					k.mu.Unlock()
				}
			}
		})
	}
	return &all
}

// holds fails the test unless the server knows all of these runs.
func (a asker) holds(ids []string) {
	a.t.Helper()
	there := map[string]bool{}
	for _, id := range a.pages("/runs?limit=1000", "runs") {
		there[id] = true
	}
	missing := 0
	for _, id := range ids {
		if !there[id] {
			missing++
		}
	}
	if missing > 0 {
		a.t.Errorf("of %d runs that were acknowledged %d are not there", len(ids), missing)
	}
}

// TestAsyncKilled: with --durability async what was acknowledged survives kill -9.
func TestAsyncKilled(t *testing.T) {
	t.Parallel()
	p := launch(t, "WORKMAN_DURABILITY=async")
	var k acked
	over := k.load(askerOf(t, p.addr), 8, nil)
	waitFor(t, "some runs", func() bool { return len(k.all()) >= 300 })
	p.kill()
	over.Wait()
	p = launch(t, "WORKMAN_DURABILITY=async", "WORKMAN_DATA="+p.data())
	askerOf(t, p.addr).holds(k.all())
}

// TestBackupUnderLoad: a copy that is made while runs come holds what was acknowledged before, and a server starts from it.
func TestBackupUnderLoad(t *testing.T) {
	t.Parallel()
	p := launch(t)
	var k acked
	stop := make(chan struct{})
	over := k.load(askerOf(t, p.addr), 4, stop)
	waitFor(t, "some runs", func() bool { return len(k.all()) >= 200 })
	before := k.all()
	_, port, _ := net.SplitHostPort(p.addr)
	dir := filepath.Join(t.TempDir(), "backup")
	out, code := workman(t, "backup", "--port", port, dir)
	if code != 0 || !strings.Contains(out, "--data "+dir) {
		t.Fatalf("exit status %d: %s", code, out)
	}
	n := len(k.all())
	waitFor(t, "runs after the backup", func() bool { return len(k.all()) > n+50 })
	if out, code = workman(t, "backup", "--port", port, dir); code != 1 || !strings.Contains(out, dir) {
		t.Errorf("over one that is there: exit status %d: %s", code, out)
	}
	close(stop)
	over.Wait()
	askerOf(t, p.addr).holds(k.all())
	copied := launch(t, "WORKMAN_DATA="+dir)
	a := askerOf(t, copied.addr)
	a.holds(before)
	id := a.submit("load", `"new"`)
	first := newHand(t, copied.addr, "load").work("1")
	if first.Run > before[0] || a.look(id).State != "pending" { // ids are in the order of time
		t.Errorf("the copy's first run in line is %s, and it was asked for %s before", first.Run, before[0])
	}
	if out, code = workman(t, "backup", "--port", "1", dir+"2"); code != 1 || !strings.Contains(out, "is it running") {
		t.Errorf("of a server that is not there: exit status %d: %s", code, out)
	}
}
