package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

var long = flag.Bool("long", false, "long variants of the tests of overload: a million names over HTTP too")

// count counts what fits in what a connection sends until it ends.
func count(r io.Reader, parts ...string) (n []int, err error) {
	n = make([]int, len(parts))
	b := make([]byte, 64<<10)
	kept := 0
	for {
		k, err := r.Read(b[kept:])
		text := b[:kept+k]
		cut := bytes.LastIndexByte(text, '}') + 1
		for i, p := range parts {
			n[i] += bytes.Count(text[:cut], []byte(p))
		}
		kept = copy(b, text[cut:])
		if err != nil {
			return n, err
		}
	}
}

// TestL16AMillionNames: a million different task names over a WebSocket, many over HTTP, and more than may be that workers
// register. The server keeps as many as it may and refuses the others, aloud where somebody listens; its memory stays
// bounded; names it knows go on being served, and there is room for new ones once old ones are not in use.
func TestL16AMillionNames(t *testing.T) {
	const most = 8000
	p := launch(t, fmt.Sprintf("WORKMAN_MAX_NAMES=%d", most))
	known := newPair(t, p.addr, "known")
	before := p.status("VmRSS")
	total, requests := 1_000_000, 50_000
	if raceEnabled {
		total = 200_000
	}
	if *long {
		requests = 1_000_000
	}
	q := p.socket("/websocket")
	go func() {
		var all []byte
		for i := range total {
			all = append(all, clientFrame(fmt.Sprintf(`{"action":"RunTask","name":"%0100d","nonce":%d}`, i, i))...)
			if len(all) > 60_000 || i == total-1 {
				_, _ = q.conn.Write(all)
				all = all[:0]
			}
		}
		_, _ = q.conn.Write(clientFrame(`{"action":"GetTasks","nonce":"the end"}`))
	}()
	refused := 0
	for {
		got := q.hear()
		if strings.Contains(got, `"the end"`) {
			break
		}
		if !strings.Contains(got, "--max-names") && !strings.Contains(got, "you do not read") {
			t.Fatalf("got %s", got)
		}
		if refused++; refused%100_000 == 0 {
			known.task()
		}
	}
	if want := total - most + 1; refused != want {
		t.Errorf("of %d names %d were refused, want %d", total, refused, want)
	}
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	go func() {
		for i := range requests {
			end := ""
			if i == requests-1 {
				end = "Connection: close\r\n"
			}
			if _, err := fmt.Fprintf(c, "POST /schedule/2099-01-01T00:00:00Z/h%d HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: 0\r\n\r\n", i, end); err != nil {
				return
			}
		}
	}()
	got, err := count(c, `"urn:workman:problem:names-full"`)
	if !errors.Is(err, io.EOF) || got[0] != requests {
		t.Errorf("of %d names over HTTP %d were refused, want all: %v", requests, got[0], err)
	}
	var workers []*socket
	for i := range 4 { // a name too many is not registered, and a worker is told nothing
		w := p.socket("/worker")
		for k := range 1000 {
			_, _ = w.conn.Write(bytes.Repeat(clientFrame(fmt.Sprintf(`{"action":"RegisterTask","name":"w%d-%d"}`, i, k)), 1))
		}
		workers = append(workers, w)
	}
	res, body := ask(t, p.addr, getTasks)
	if res.StatusCode != 200 || body != `["known"]` {
		t.Errorf("the names with workers: %v %.200s", res, body)
	}
	after := p.status("VmRSS")
	t.Logf("%d names over a WebSocket and %d over HTTP: resident %d MiB before, %d MiB after", total, requests, before>>10, after>>10)
	if after-before > 100<<10 {
		t.Errorf("names took %d MiB", (after-before)>>10)
	}
	known.task()
	// Workers for the names that wait: each may register 4096.
	for half := range 2 {
		w := p.socket("/worker")
		var all []byte
		for i := range 4000 {
			all = append(all, clientFrame(fmt.Sprintf(`{"action":"RegisterTask","name":"%0100d"}`, half*4000+i))...)
			all = append(all, clientFrame(`{"action":"GetTask"}`)...)
		}
		if _, err := w.conn.Write(all); err != nil {
			t.Fatal(err)
		}
		for range min(4000, most-1-half*4000) {
			w.say(`{"action":"SendResult","nonce":"` + tokenOf(t, w.hear()) + `","result":1}`)
		}
		defer func() { _ = w.conn.Close() }()
		workers = append(workers, w)
	}
	for range most - 1 {
		if got := q.hear(); !strings.HasSuffix(got, `"result":1}`) {
			t.Fatalf("got %s", got)
		}
	}
	for _, w := range workers {
		_ = w.conn.Close()
	}
	waitFor(t, "room for names", func() bool {
		_, body := ask(t, p.addr, getTasks)
		return body == `["known"]`
	})
	newPair(t, p.addr, "new").task()
}
