package examples_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// node, python, golang and bash give the command that runs an example, or say what is missing for it.
var node = sync.OnceValues(func() ([]string, error) {
	binary, err := exec.LookPath("node")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat("javascript/node_modules/ws"); err != nil {
		return nil, fmt.Errorf("run `npm ci` in examples/javascript: %w", err)
	}
	return []string{binary}, nil
})

var python = sync.OnceValues(func() ([]string, error) {
	for _, candidate := range []string{os.Getenv("PYTHON"), "python3", "/usr/bin/python3"} {
		if binary, err := exec.LookPath(candidate); err == nil &&
			exec.Command(binary, "-c", "import websockets").Run() == nil {
			return []string{binary}, nil
		}
	}
	return nil, fmt.Errorf("no python3 with the package websockets")
})

var golang = func(dir string) func() ([]string, error) {
	return sync.OnceValues(func() ([]string, error) {
		binary, err := build(strings.ReplaceAll(dir, "/", "-"), "./"+dir)
		return []string{binary}, err
	})
}

var bash = sync.OnceValues(func() ([]string, error) {
	if _, err := exec.LookPath("curl"); err != nil {
		return nil, err
	}
	binary, err := exec.LookPath("bash")
	return []string{binary}, err
})

// example is one of the programs in this directory.
type example struct {
	name    string
	runtime func() ([]string, error)
	args    []string
	prints  string // what a producer prints in all, if all goes well
}

const produced = "add 5\necho héllo\nunscheduled true"

var (
	javascriptWorker = example{"javascript", node, []string{"javascript/worker.js"}, ""}
	legacyWorker     = example{"legacy", node, []string{"javascript/legacy-worker.js"}, ""}
	pythonWorker     = example{"python", python, []string{"python/worker.py"}, ""}
	goWorker         = example{"go", golang("go/worker"), nil, ""}

	workers   = []example{javascriptWorker, legacyWorker, pythonWorker, goWorker}
	producers = []example{
		{"javascript", node, []string{"javascript/producer.js"}, produced},
		{"legacy", node, []string{"javascript/legacy-producer.js"}, "completed 100, wrong 0"},
		{"python", python, []string{"python/producer.py"}, produced},
		{"go", golang("go/producer"), nil, produced},
		{"curl", bash, []string{"curl.sh"}, ""}, // its first line depends on the worker
	}
)

// start runs the example against a server.
func (e example) start(t *testing.T, url string) *process {
	t.Helper()
	command, err := e.runtime()
	if err != nil {
		missing(t, "%s: %v", e.name, err)
	}
	args := append(slices.Clone(command[1:]), e.args...)
	return start(t, []string{"WORKMAN_URL=" + url, "PYTHONUTF8=1"}, command[0], args...)
}

// TestEveryPair runs every producer against every worker.
func TestEveryPair(t *testing.T) {
	for _, worker := range workers {
		t.Run(worker.name, func(t *testing.T) {
			t.Parallel()
			w := serve(t, "")
			worker.start(t, w.websocket()).await(1, "connected")
			w.expect("POST", "/task/add", `{"a":2,"b":3}`, "5") // it has registered, then
			for _, producer := range producers {
				t.Run(producer.name, func(t *testing.T) {
					got := producer.start(t, w.websocket()).finish()
					if producer.name == "curl" {
						checkCurl(t, got)
					} else if got != producer.prints {
						t.Errorf("it printed:\n%s\nwant:\n%s", got, producer.prints)
					}
				})
			}
		})
	}
}

// checkCurl looks at what curl.sh printed: the names, a sum, a string, and whether a schedule was found. Names come in
// any order, and workers may escape what is not ASCII.
func checkCurl(t *testing.T, printed string) {
	t.Helper()
	lines := strings.Split(printed, "\n")
	if len(lines) != 4 {
		t.Fatalf("it printed %d lines, want 4:\n%s", len(lines), printed)
	}
	var names []string
	var echo string
	if err := json.Unmarshal([]byte(lines[0]), &names); err != nil || !slices.Contains(names, "add") {
		t.Errorf("names: %s: %v", lines[0], err)
	}
	if err := json.Unmarshal([]byte(lines[2]), &echo); err != nil || echo != "héllo" {
		t.Errorf("echo: %s: %v", lines[2], err)
	}
	if lines[1] != "5" || lines[3] != `{"found":true}` {
		t.Errorf("it printed:\n%s", printed)
	}
}

// TestNames sees the names of a worker come with it and go with it.
func TestNames(t *testing.T) {
	t.Parallel()
	w := serve(t, "")
	w.expect("GET", "/tasks", "", "[]")
	worker := goWorker.start(t, w.websocket())
	worker.await(1, "connected")
	w.expect("POST", "/task/echo", "1", "1") // answered after it asked for a task, and so after it registered
	_, body, err := w.ask("GET", "/tasks", "")
	var names []string
	if err == nil {
		err = json.Unmarshal([]byte(body), &names)
	}
	slices.Sort(names)
	if err != nil || !slices.Equal(names, []string{"add", "echo", "sleep"}) {
		t.Errorf("GET /tasks: %s %v", body, err)
	}
	worker.kill()
	until(t, func() error {
		if _, body, err := w.ask("GET", "/tasks", ""); err != nil || body != "[]" {
			return fmt.Errorf("GET /tasks after the worker was killed: %s %w", body, err)
		}
		return nil
	})
}

// until tries again and again, until there is no error.
func until(t *testing.T, try func() error) {
	t.Helper()
	deadline := time.After(patience)
	retry := time.NewTicker(5 * time.Millisecond)
	defer retry.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-retry.C:
		case <-deadline:
			t.Fatal(err)
		}
	}
}

// answer is what came of an HTTP request made meanwhile.
type answer struct {
	status int
	body   string
	err    error
}

func (w *workman) meanwhile(method, path, body string) <-chan answer {
	c := make(chan answer, 1)
	go func() {
		var a answer
		a.status, a.body, a.err = w.ask(method, path, body)
		c <- a
	}()
	return c
}

// TestKilledWorker kills a worker with a task in hand: another one, of another language, does it.
func TestKilledWorker(t *testing.T) {
	for i, victim := range workers {
		heir := workers[(i+1)%len(workers)]
		t.Run(victim.name+" to "+heir.name, func(t *testing.T) {
			t.Parallel()
			w := serve(t, "")
			first := victim.start(t, w.websocket())
			first.await(1, "connected")
			waiting := w.meanwhile("POST", "/task/sleep", `{"seconds":1}`)
			first.await(1, "task sleep")
			first.kill()
			second := heir.start(t, w.websocket())
			second.await(1, "task sleep")
			if a := <-waiting; a.err != nil || a.status != http.StatusOK || a.body != "1" {
				t.Errorf("%d %q %v, want 200 1", a.status, a.body, a.err)
			}
		})
	}
}

// TestLostConnection loses a worker's connection while it is at a task. Those that say Hello go on with it: the caller has the
// answer without anybody beginning anew.
func TestLostConnection(t *testing.T) {
	for _, worker := range []example{javascriptWorker, goWorker} {
		t.Run(worker.name, func(t *testing.T) {
			t.Parallel()
			w := serve(t, "")
			cable := layCable(t, w.address())
			p := worker.start(t, "ws://"+cable.address())
			p.await(1, "connected")
			for i := range 3 {
				waiting := w.meanwhile("POST", "/task/sleep", `{"seconds":0.5}`)
				p.await(i+1, "task sleep")
				cable.pull()
				p.await(i+2, "connected")
				if a := <-waiting; a.err != nil || a.status != http.StatusOK || a.body != "0.5" {
					t.Errorf("%d %q %v, want 200 0.5", a.status, a.body, a.err)
				}
				if n, _ := p.count("task sleep"); n != i+1 {
					t.Errorf("it began %d tasks, want %d", n, i+1)
				}
			}
		})
	}
}

// TestRestartedServer stops the server and starts another on its port: workers come back by themselves and serve.
func TestRestartedServer(t *testing.T) {
	for _, worker := range workers {
		t.Run(worker.name, func(t *testing.T) {
			t.Parallel()
			w := serve(t, "")
			p := worker.start(t, w.websocket())
			for i := range 3 {
				p.await(i+1, "connected")
				w.expect("POST", "/task/add", `{"a":2,"b":3}`, "5")
				if i%2 == 0 {
					w.stop()
				} else {
					w.kill()
				}
				if i < 2 {
					w = serve(t, w.port)
				}
			}
		})
	}
}

// TestLateResults is the quirk of node-workman-worker that matters most: what it could not send while disconnected it
// sends on the next connection, ahead of all else, and on each later one. Nobody may take these results for others.
func TestLateResults(t *testing.T) {
	t.Parallel()
	w := serve(t, "")
	worker := legacyWorker.start(t, w.websocket())
	worker.await(1, "connected")
	for i := range 3 {
		lost := w.meanwhile("POST", "/task/sleep", `{"seconds":0.2}`)
		worker.await(i+1, "task sleep")
		w.kill()
		if a := <-lost; a.err == nil {
			t.Errorf("the server was killed and yet answered %d %q", a.status, a.body)
		}
		worker.await(i+1, "done sleep")
		w = serve(t, w.port)
		worker.await(i+2, "connected")
		for n := range 20 {
			w.expect("POST", "/task/add", fmt.Sprintf(`{"a":%d,"b":1}`, n), fmt.Sprint(n+1))
		}
	}
	w.expect("POST", "/task/nothing", "", "null") // an undefined result
}

// TestSchedules sees a schedule come due, not early, and one that was taken back not at all.
func TestSchedules(t *testing.T) {
	for _, worker := range workers {
		t.Run(worker.name, func(t *testing.T) {
			t.Parallel()
			w := serve(t, "")
			p := worker.start(t, w.websocket())
			p.await(1, "connected")
			w.expect("POST", "/task/add", `{"a":2,"b":3}`, "5")

			due := time.Now().UTC().Add(400 * time.Millisecond).Truncate(time.Millisecond)
			w.schedule(due, "sleep", `{"seconds":0}`)
			gone := w.schedule(due.Add(-50*time.Millisecond), "echo", "1")
			w.expect("DELETE", "/scheduled/"+gone, "", `{"found":true}`)
			w.expect("DELETE", "/scheduled/"+gone, "", `{"found":false}`)

			p.await(1, "task sleep")
			if early := time.Until(due); early > 0 {
				t.Errorf("the task came %v early", early)
			}
			if n, _ := p.count("task echo"); n != 0 {
				t.Error("the schedule taken back came all the same")
			}
			w.schedule(time.Now().Add(-time.Hour), "echo", "1") // in the past: at once
			p.await(1, "task echo")
			w.expect("POST", "/task/add", `{"a":2,"b":3}`, "5") // and it has answered: nothing is left to drain
		})
	}
}

// schedule schedules a task and returns the id.
func (w *workman) schedule(at time.Time, name, options string) string {
	w.t.Helper()
	path := fmt.Sprintf("/schedule/%s/%s", at.UTC().Format("2006-01-02T15:04:05.000Z"), name)
	status, body, err := w.ask("POST", path, options)
	var scheduled struct{ ID string }
	if err == nil {
		err = json.Unmarshal([]byte(body), &scheduled)
	}
	if err != nil || status != http.StatusOK || scheduled.ID == "" {
		w.t.Fatalf("POST %s: %d %q %v", path, status, body, err)
	}
	return scheduled.ID
}

// TestUnknownJob hands each worker a task that it never registered. The server here is the test's own.
func TestUnknownJob(t *testing.T) {
	for _, worker := range workers {
		t.Run(worker.name, func(t *testing.T) {
			t.Parallel()
			name := "constructor" // which every object of JavaScript has
			if worker.name == "legacy" {
				name = "mystery" // the original library took the other for a task
			}
			results := make(chan string, 1)
			fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				conn, err := websocket.Accept(w, r, nil)
				if err != nil {
					return
				}
				defer conn.CloseNow()
				for {
					var m struct {
						Action, Nonce string
						Result, Error json.RawMessage
					}
					if err := wsjson.Read(r.Context(), conn, &m); err != nil {
						return
					}
					switch m.Action {
					case "Hello":
						if conn.Write(r.Context(), websocket.MessageText, []byte(`{"event":"Hello","version":1,"session":"s"}`)) != nil {
							return
						}
					case "GetTask":
						task := fmt.Appendf(nil, `{"name":%q,"options":null,"nonce":"n1"}`, name)
						if conn.Write(r.Context(), websocket.MessageText, task) != nil {
							return
						}
					case "SendResult":
						results <- m.Nonce + " " + strings.ReplaceAll(string(m.Result), `": "`, `":"`)
						return
					case "SendError":
						results <- m.Nonce + ` {"error":` + string(m.Error) + `}`
						return
					}
				}
			}))
			defer fake.Close()
			p := worker.start(t, "ws"+strings.TrimPrefix(fake.URL, "http"))
			defer p.kill()
			select {
			case got := <-results:
				if want := fmt.Sprintf(`n1 {"error":"Unknown job %s"}`, name); got != want {
					t.Errorf("it answered %s, want %s", got, want)
				}
			case <-time.After(patience):
				t.Error("it did not answer")
			}
		})
	}
}

// TestBackOff refuses each worker's connections and looks how long it waits: 125 ms, doubling, up to 2 s.
func TestBackOff(t *testing.T) {
	for _, worker := range workers {
		t.Run(worker.name, func(t *testing.T) {
			t.Parallel()
			waits := []time.Duration{125 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second}
			if worker.name == "legacy" {
				waits = slices.Insert(waits, 0, 0)
			}
			attempts := make(chan time.Time, 100)
			fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				attempts <- time.Now()
				http.Error(w, "not now", http.StatusServiceUnavailable)
			}))
			defer fake.Close()
			p := worker.start(t, "ws"+strings.TrimPrefix(fake.URL, "http"))
			defer p.kill()
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			var last time.Time
			for i := range len(waits) + 1 {
				select {
				case at := <-attempts:
					if i > 0 && at.Sub(last) < waits[i-1]*9/10 {
						t.Errorf("attempt %d came %v after the one before, want at least %v", i, at.Sub(last), waits[i-1])
					}
					last = at
				case <-ctx.Done():
					t.Fatalf("attempt %d never came", i)
				}
			}
		})
	}
}
