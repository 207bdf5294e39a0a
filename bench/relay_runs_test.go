package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// relayRuns are the runs that the test relay has promised, which it keeps in a
// file where it was started: a line for each that is acknowledged, one for
// each that has its result.
type relayRuns struct {
	file *os.File
	runs map[string]*relayRun
}

type relayRun struct {
	result string
	done   chan struct{} // closed once it has a result
}

// relayRunsFile is the file.
const relayRunsFile = "runs.txt"

// open reads what a relay before has kept.
func (k *relayRuns) open() (err error) {
	k.runs = map[string]*relayRun{}
	k.file, err = os.OpenFile(relayRunsFile, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(k.file); lines.Scan(); {
		id, result, finished := strings.Cut(lines.Text(), " ")
		if finished {
			k.finish(id, result)
		} else {
			k.add(id)
		}
	}
	return nil
}

func (k *relayRuns) add(id string) { k.runs[id] = &relayRun{done: make(chan struct{})} }

func (k *relayRuns) finish(id, result string) {
	if run := k.runs[id]; run != nil {
		run.result = result
		close(run.done)
	}
}

// promiseAll keeps the runs of a message, and acknowledges them in one.
func (r *testRelay) promiseAll(c *relayConn, text []byte) {
	var m struct {
		Nonce   string
		Options []struct{ A, B json.Number }
	}
	if err := json.Unmarshal(text, &m); err != nil || len(m.Options) == 0 {
		panic(fmt.Sprintf("the producer sent %q: %v", text, err))
	}
	answer := `{"nonce":"` + m.Nonce + `","runs":[`
	for i := range m.Options {
		id := fmt.Sprintf("01234567-89ab-7def-8123-%012x", len(r.kept.runs)+1)
		r.kept.add(id)
		if r.fault == "refuse" && i > 0 {
			answer += `{"type":"urn:workman:problem:store-full","status":503},`
			continue
		}
		if r.fault != "forget" {
			fmt.Fprintln(r.kept.file, id)
		}
		answer += `{"id":"` + id + `","task":"work","state":"pending"},`
	}
	if answer = strings.TrimSuffix(answer, ","); r.fault == "odd" {
		answer += " "
	}
	r.send(c, 0x81, answer+"]}")
}

// promise keeps a run, acknowledges it and has it worked.
func (r *testRelay) promise(t relayTask) {
	n := len(r.kept.runs) + 1
	id := fmt.Sprintf("01234567-89ab-7def-8123-%012x", n)
	t.origin.run = id
	r.kept.add(id)
	fault := r.fault
	if n != faultAt && (n < faultAt || fault != "forget") {
		fault = ""
	}
	if fault != "forget" { // which befalls all behind, too
		fmt.Fprintln(r.kept.file, id)
	}
	switch fault {
	case "refuse":
		r.send(t.origin.conn, 0x81, `{"nonce":"`+t.origin.nonce+`","error":{"status":503}}`)
		return
	case "odd":
		r.send(t.origin.conn, 0x81, `{"run":{"state":"running", "task":"work", "id":"`+id+`"},"nonce":"`+t.origin.nonce+`"}`)
	default:
		r.send(t.origin.conn, 0x81, `{"nonce":"`+t.origin.nonce+`","run":{"id":"`+id+`","task":"work","state":"pending"}}`)
	}
	if fault != "idle" {
		r.submit(t)
	}
	if fault == "twice" {
		r.submit(t)
	}
}

// finishRun keeps a run's result.
func (r *testRelay) finishRun(id, result string) {
	if r.kept.runs[id].result == "" { // not for the second time
		fmt.Fprintln(r.kept.file, id, result)
		r.kept.finish(id, result)
	}
}

// getRun is GET /runs/{id}.
func (r *testRelay) getRun(w http.ResponseWriter, q *http.Request) {
	id := strings.TrimPrefix(q.URL.Path, "/runs/")
	r.mu.Lock()
	run := r.kept.runs[id]
	r.mu.Unlock()
	if run == nil {
		http.NotFound(w, q)
		return
	}
	patience, _ := time.ParseDuration(q.URL.Query().Get("wait"))
	select {
	case <-run.done:
	case <-time.After(patience):
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if run.result == "" {
		fmt.Fprintf(w, `{"id":"%s","task":"work","state":"pending"}`, id)
		return
	}
	fmt.Fprintf(w, `{"id":"%s","task":"work","state":"succeeded","result":%s}`, id, run.result)
}
