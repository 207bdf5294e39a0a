package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestPages: lists of what there is, in pages, over connections that leave the event loops.
func TestPages(t *testing.T) {
	s := serve(t, nil)
	w := s.socket(t, "/worker")
	for i := range 5 {
		w.say(fmt.Sprintf(`{"action":"RegisterTask","name":"task-%d"}`, i))
	}
	w.say(`{"action":"GetTask"}`)
	w.say(`{"action":"GetTask"}`)
	q := s.socket(t, "/websocket")
	q.say(`{"action":"RunTask","name":"task-1","nonce":1}`)
	q.say(`{"action":"RunTask","name":"waits","nonce":2}`)
	q.say(`{"action":"ScheduleTask","name":"later","when":"` + time.Now().Add(20*time.Second).UTC().Format(time.RFC3339) + `","nonce":3}`)
	q.hear()
	w.hear()

	type page struct {
		Tasks []struct {
			Name                                string
			Workers, Queued, Running, Scheduled int
		}
		Workers []struct {
			ID             string
			Tasks          []string
			Ready, Running int
			Reading        bool
		}
		Next string
	}
	got := map[string]string{}
	next := "/tasks?detail=1&limit=2"
	for pages := 0; next != ""; pages++ {
		if pages > 20 {
			t.Fatal("the pages do not end")
		}
		res, body := s.ask(t, "GET "+next+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if res.StatusCode != 200 || !res.Close {
			t.Fatalf("%s: %v %s", next, res, body)
		}
		var p page
		if err := json.Unmarshal([]byte(body), &p); err != nil || len(p.Tasks) > 2 {
			t.Fatalf("%s: %v %s", next, err, body)
		}
		for _, k := range p.Tasks {
			got[k.Name] = fmt.Sprint(k.Workers, k.Queued, k.Running, k.Scheduled)
		}
		next = p.Next
	}
	for name, want := range map[string]string{"task-0": "1 0 0 0", "task-1": "1 0 1 0", "waits": "0 1 0 0", "later": "0 0 0 1"} {
		if got[name] != want {
			t.Errorf("%s: workers, queued, running, scheduled are %q, want %q", name, got[name], want)
		}
	}
	if len(got) != 7 {
		t.Errorf("%d names, want 7: %v", len(got), got)
	}

	_, body := s.ask(t, "GET /workers HTTP/1.1\r\nHost: localhost\r\n\r\n")
	var p page
	if err := json.Unmarshal([]byte(body), &p); err != nil || len(p.Workers) != 1 {
		t.Fatalf("%v %s", err, body)
	}
	if k := p.Workers[0]; len(k.Tasks) != 5 || k.Ready != 1 || k.Running != 1 || !k.Reading {
		t.Errorf("the worker: %s", body)
	}
	res, body := s.ask(t, "GET /workers?limit=0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if res.StatusCode != 400 || res.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("a bad limit: %v %s", res, body)
	}
	if res, _ = s.ask(t, "GET /workers HTTP/1.1\r\nHost: evil.example\r\n\r\n"); res.StatusCode != 421 {
		t.Errorf("a page by another name: %v", res)
	}
}

// TestPagesAmongOthers: a page behind answered requests of its connection comes in order; behind an unanswered one it is
// refused, and the other is still answered. What comes behind a page is not looked at. Descriptors come back.
func TestPagesAmongOthers(t *testing.T) {
	s := serve(t, nil)
	const get = "GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
	before := descriptors(t)
	for i := range 50 {
		c, err := s.dial()
		if err != nil {
			t.Fatal(err)
		}
		raw := fmt.Sprintf(get+get+get, "tasks", "workers", "tasks")
		for _, part := range []string{raw[:i], raw[i:]} {
			if _, err := io.WriteString(c, part); err != nil {
				t.Fatal(err)
			}
		}
		in := bufio.NewReader(c)
		for _, want := range []string{"[]", `{"workers":[]}`} {
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(res.Body); err != nil || string(body) != want {
				t.Fatalf("%s %v, want %s", body, err, want)
			}
		}
		if _, err := in.ReadByte(); err != io.EOF {
			t.Fatalf("the connection goes on behind a page: %v", err)
		}
		_ = c.Close()
	}
	waitFor(t, "the descriptors to come back", func() bool { return descriptors(t) <= before })

	w := s.socket(t, "/worker")
	w.say(`{"action":"RegisterTask","name":"work"}`)
	w.say(`{"action":"GetTask"}`)
	c, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, "POST /task/work HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n1"+fmt.Sprintf(get+get, "workers", "tasks"))
	w.say(`{"action":"SendResult","nonce":"` + nonce.FindStringSubmatch(w.hear())[1] + `","result":"done"}`)
	in := bufio.NewReader(c)
	for i, want := range []string{`"done"`, "own", `["work"]`} {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(res.Body); !strings.Contains(string(body), want) || (res.StatusCode == 503) != (i == 1) {
			t.Errorf("answer %d: %v %s", i, res.Status, body)
		}
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(all)
}

// TestHealth: alive always, ready until it drains.
func TestHealth(t *testing.T) {
	p := launch(t, "WORKMAN_DRAIN=5s")
	w := p.socket("/worker")
	w.say(`{"action":"RegisterTask","name":"work"}`)
	w.say(`{"action":"GetTask"}`)
	q := p.socket("/websocket")
	q.say(`{"action":"RunTask","name":"work"}`)
	task := w.hear()
	probe := &http.Client{Transport: &http.Transport{}}
	defer probe.CloseIdleConnections()
	for _, path := range []string{"/healthz", "/readyz"} {
		res, err := probe.Get("http://" + p.addr + path)
		if err != nil || res.StatusCode != 200 {
			t.Fatal(path, res, err)
		}
		_ = res.Body.Close()
	}
	w.say(`{"action":"SendResult","nonce":"` + nonce.FindStringSubmatch(task)[1] + `","result":1}`)
	q.hear()
	p.signal()
	p.exit(0)
}
