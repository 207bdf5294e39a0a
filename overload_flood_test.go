package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"workman/protocol"
)

// TestL13Floods: whoever sends nothing but pings, empty fragments or messages that are none is closed with 1008, and
// costs little until then: what comes behind is not looked at.
func TestL13Floods(t *testing.T) {
	p := launch(t)
	log := p.drain()
	others := newPair(t, p.addr, "others")
	empty := ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(ws.OpText, false, nil)))
	const many = 200_000
	for _, c := range []struct {
		what, path string
		bytes      []byte
		answers    int
	}{
		{"pings", "/websocket", frames(ws.NewPingFrame([]byte("hello")), many), 0},
		{"pongs", "/worker", frames(ws.NewPongFrame(nil), many), 0},
		{"empty fragments", "/websocket", append(empty, frames(ws.NewFrame(ws.OpContinuation, false, nil), many)...), 0},
		{"messages that are not JSON", "/websocket", frames(ws.NewTextFrame([]byte("nonsense")), many), protocol.MaxInvalid + 1},
		{"unknown actions", "/websocket", frames(ws.NewTextFrame([]byte(`{"action":"Bogus","nonce":1}`)), many), protocol.MaxInvalid + 1},
		{"names that are none", "/websocket", frames(ws.NewTextFrame([]byte(`{"action":"RunTask","name":""}`)), many), protocol.MaxInvalid + 1},
		{"times that are none", "/websocket", frames(ws.NewTextFrame([]byte(`{"action":"ScheduleTask","name":"x","when":"now"}`)), many), protocol.MaxInvalid + 1},
		{"a worker's messages that are not JSON", "/worker", frames(ws.NewTextFrame([]byte("nonsense")), many), 0},
		{"a worker's unknown actions", "/worker", frames(ws.NewTextFrame([]byte(`{"action":"RunTask"}`)), many), 0},
	} {
		before := p.cpu()
		s := p.socket(c.path)
		go func() { _, _ = s.conn.Write(c.bytes) }() // it is closed before all is written
		code, answers := s.ended()
		_ = s.conn.Close()
		used := p.cpu() - before
		t.Logf("%d %s: closed with %d after %d answers; the server used %v", many, c.what, code, answers, used)
		if code != 1008 || answers != c.answers {
			t.Errorf("%s: closed with %d after %d answers, want 1008 after %d", c.what, code, answers, c.answers)
		}
		if used > time.Second {
			t.Errorf("%s: the server used %v of the processor", c.what, used)
		}
		others.task()
	}
	if got := log(); got != "" {
		t.Errorf("floods were logged:\n%.1000s", got)
	}
}

// TestL13MistakesAreForgiven: who errs often, but not always, stays.
func TestL13MistakesAreForgiven(t *testing.T) {
	s := serve(t, nil)
	q, w := s.socket(t, "/websocket"), s.socket(t, "/worker")
	for range 3 {
		if _, err := q.conn.Write(frames(ws.NewTextFrame([]byte("nonsense")), protocol.MaxInvalid)); err != nil {
			t.Fatal(err)
		}
		for range protocol.MaxInvalid {
			q.hear()
		}
		q.say(`{"action":"GetTasks","nonce":1}`)
		if got := q.hear(); got[:len(`{"nonce":1,"result":[`)] != `{"nonce":1,"result":[` {
			t.Fatalf("after %d mistakes: %s", protocol.MaxInvalid, got)
		}
		if _, err := w.conn.Write(frames(ws.NewTextFrame([]byte("nonsense")), protocol.MaxInvalid)); err != nil {
			t.Fatal(err)
		}
		w.say(`{"action":"RegisterTask","name":"work"}`)
	}
	w.say(`{"action":"GetTask"}`)
	q.say(`{"action":"RunTask","name":"work","nonce":2}`)
	w.say(fmt.Sprintf(`{"action":"SendResult","nonce":"%s","result":3}`, tokenOf(t, w.hear())))
	if got := q.hear(); got != `{"nonce":2,"result":3}` {
		t.Errorf("got %s", got)
	}
}
