package prove_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// The impostor is a small server of the wire that prove knows, with a flaw if it is told so: a prover that cannot find
// them is none. It is the test binary itself, started by prove as if it were workman. Its journal is a file that it
// appends to: that outlives SIGKILL.

func TestMain(m *testing.M) {
	if !slices.Contains(os.Args, "--data") {
		os.Exit(m.Run())
	}
	data, host, port, flaw := flag.String("data", "", ""), flag.String("host", "", ""), flag.String("port", "", ""), flag.String("flaw", "", "")
	flag.Parse()
	i := &impostor{flaw: *flaw, runs: map[string]*run{}, keys: map[string]*run{}, rules: map[string]*rule{}, changed: make(chan struct{})}
	if err := i.recover(*data); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, http.ListenAndServe(*host+":"+*port, i.routes()))
	os.Exit(1)
}

// run is what it knows of one.
type run struct {
	ID, Task, Key, State string
	Of                   string // a schedule that recurs
	Options, Result      json.RawMessage
	Made, Due, Finished  time.Time
	CancelAsked          bool
	holder               *laborer
}

// entry is a line of its journal: a run as it was when something had happened to it, a schedule that recurs, or both.
type entry struct {
	run
	Rule *rule
}

// impostor is the server.
type impostor struct {
	flaw    string
	mu      sync.Mutex
	journal *os.File
	epoch   uint64
	hands   uint64
	runs    map[string]*run
	keys    map[string]*run
	rules   map[string]*rule
	queue   []*run
	idle    []*laborer    // one entry a credit
	changed chan struct{} // closed, and made anew, when a run changes
	flawed  int           // occasions to do wrong
}

// wrong reports whether to do wrong now, if this is the flaw: one time of many.
func (i *impostor) wrong(flaw string, many int) bool {
	if i.flaw != flaw {
		return false
	}
	i.flawed++
	return i.flawed%many == many/2
}

// recover reads the journal.
func (i *impostor) recover(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	journal, err := os.OpenFile(filepath.Join(dir, "journal"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	i.journal = journal
	var order []string
	for lines := bufio.NewScanner(journal); lines.Scan(); {
		var e entry
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue // the last line may be torn
		}
		if e.Rule != nil {
			i.rules[e.Rule.Name] = e.Rule
		}
		if e.ID != "" {
			order = append(order, e.ID)
			i.runs[e.ID] = &e.run
		} else if e.Rule == nil {
			i.epoch++
		}
	}

	i.write(&run{}, nil)
	slices.Sort(order)
	i.flawed = 7 * int(i.epoch) // not the same ones at each start
	for _, id := range slices.Compact(order) {
		r := i.runs[id]
		if i.wrong("lose", 100) {
			delete(i.runs, id)
			continue
		}
		if i.wrong("undo", 100) {
			r.State = "pending"
		}
		if r.Key != "" && i.flaw != "double" {
			i.keys[r.Key] = r
		}
		switch r.State {
		case "pending":
			i.queue = append(i.queue, r)
		case "scheduled":
			i.await(r)
		}
	}
	i.recoverRules()
	return nil
}

// write appends a run to the journal, and the schedule that has made it.
func (i *impostor) write(r *run, u *rule) {
	line, err := json.Marshal(entry{*r, u})
	if err == nil {
		_, err = i.journal.Write(append(line, '\n'))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// set changes a run's state, durably.
func (i *impostor) set(r *run, state string) {
	r.State = state
	if r.finished() {
		r.Finished = time.Now().Truncate(time.Millisecond)
	}
	i.write(r, nil)
	close(i.changed)
	i.changed = make(chan struct{})
}

func newRun(task, key string, options json.RawMessage) *run {
	return &run{
		ID: uuid.Must(uuid.NewV7()).String(), Task: task, Key: key, State: "pending", Options: options, Made: time.Now().Truncate(time.Millisecond),
	}
}

// submit makes a run, or finds that of the key.
func (i *impostor) submit(task, key string, options json.RawMessage, due time.Time) *run {
	i.mu.Lock()
	defer i.mu.Unlock()
	if r := i.keys[key]; key != "" && r != nil {
		return r
	}
	r := newRun(task, key, options)
	r.Due = due
	i.runs[r.ID] = r
	if key != "" {
		i.keys[key] = r
	}
	if !due.IsZero() {
		i.set(r, "scheduled")
		i.await(r)
		return r
	}
	i.set(r, "pending")
	i.enqueue(r)
	return r
}

// await waits for the time of a schedule.
func (i *impostor) await(r *run) {
	d := time.Until(r.Due) + time.Millisecond
	if i.flaw == "early" {
		d -= 100 * time.Millisecond
	}
	time.AfterFunc(d, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		if r.State == "scheduled" {
			i.set(r, "pending")
			i.enqueue(r)
		}
	})
}

func (i *impostor) enqueue(r *run) {
	i.queue = append(i.queue, r)
	i.match()
}

// match gives tasks to workers.
func (i *impostor) match() {
	for len(i.queue) > 0 && len(i.idle) > 0 {
		r, w := i.queue[0], i.idle[0]
		i.queue, i.idle = i.queue[1:], i.idle[1:]
		if r.State != "pending" {
			i.idle = append(i.idle, w)
			continue
		}
		r.State = "running" // a crash makes it pending again
		w.give(r)
		if i.wrong("needless", 100) {
			r.State = "pending"
			i.queue = append(i.queue, r)
		}
	}
}

// wait waits until a run has finished, but no longer than d, and returns a copy.
func (i *impostor) wait(r *run, d time.Duration) run {
	late := time.After(d)
	for {
		i.mu.Lock()
		now, changed := *r, i.changed
		i.mu.Unlock()
		if d == 0 || now.finished() {
			return now
		}
		select {
		case <-changed:
		case <-late:
			d = 0
		}
	}
}

func (r *run) finished() bool { return r.State == "succeeded" || r.State == "cancelled" }
