package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestL11BytesFull: tasks that fill the memory set aside for them are refused, over HTTP with 503 and Retry-After, over a
// WebSocket with an error that says why; those accepted before are done, byte for byte and in order, and then there is
// room again.
func TestL11BytesFull(t *testing.T) {
	s := serve(t, func(o *options) { o.MaxBytes, o.MaxTasks, o.MaxCalls = 1<<20, 100_000, 100_000 })
	q := s.socket(t, "/websocket")
	options := func(i int) string { return fmt.Sprintf(`"%d %s"`, i, strings.Repeat("x", 3000)) }
	accepted := 0
	for ; ; accepted++ { // a task that is accepted is not answered yet, so the answer to the list is the first
		q.say(fmt.Sprintf(`{"action":"RunTask","name":"work","nonce":%d,"options":%s}`, accepted, options(accepted)))
		q.say(`{"action":"GetTasks","nonce":"next"}`)
		if got := q.hear(); got != `{"nonce":"next","result":[]}` {
			want := fmt.Sprintf(`{"nonce":%d,"result":{"error":"Refused: the waiting tasks fill the memory`, accepted)
			if !strings.HasPrefix(got, want) {
				t.Fatalf("got %s, want %s", got, want)
			}
			q.hear()
			break
		}
		if accepted > 1000 {
			t.Fatal("a mebibyte holds more than a thousand tasks of 3 KB")
		}
	}
	if accepted < 200 {
		t.Errorf("a mebibyte held only %d tasks of 3 KB", accepted)
	}
	body := options(0)
	post := fmt.Sprintf("POST /%%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	res, text := s.ask(t, fmt.Sprintf(post, "task/work"))
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(text, "urn:workman:problem:memory-full") {
		t.Errorf("a task over HTTP: %v %s", res, text)
	}
	if res, text = s.ask(t, fmt.Sprintf(post, "schedule/2099-01-01T00:00:00Z/work")); res.StatusCode != 200 { // it is stored
		t.Errorf("a schedule: %v %s", res, text)
	}
	w := s.socket(t, "/worker")
	w.say(`{"action":"RegisterTask","name":"work"}`)
	for i := range accepted {
		w.say(`{"action":"GetTask"}`)
		task := w.hear()
		if want := `{"name":"work","options":` + options(i) + `,"nonce":"`; !strings.HasPrefix(task, want) {
			t.Fatalf("task %d is %.80s", i, task)
		}
		w.say(fmt.Sprintf(`{"action":"SendResult","nonce":"%s","result":%d}`, tokenOf(t, task), i))
		if got, want := q.hear(), fmt.Sprintf(`{"nonce":%d,"result":%d}`, i, i); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	q.say(`{"action":"RunTask","name":"work","nonce":"again","options":` + options(0) + `}`)
	w.say(`{"action":"GetTask"}`)
	if task := w.hear(); !strings.HasPrefix(task, `{"name":"work","options":`+options(0)) {
		t.Errorf("with room again: %.80s", task)
	}
}

// TestL11NoRoomForWhatComes: a message or a body too large for the memory that is left is refused while it comes: the
// one with a close frame that says to try again (1013), the other with 503. Others keep what they have.
func TestL11NoRoomForWhatComes(t *testing.T) {
	s := serve(t, func(o *options) { o.MaxBytes = 1 << 20 })
	other := s.socket(t, "/websocket")
	other.say(`{"action":"RunTask","name":"work","nonce":1,"options":"` + strings.Repeat("y", 100_000) + `"}`)
	large := strings.Repeat("x", 1_000_000)
	q := s.socket(t, "/websocket")
	_, _ = q.conn.Write(clientFrame(`{"action":"RunTask","name":"work","options":"` + large + `"}`)) // it may be closed before all is written
	if got := q.hear(); got != "close 1013" {
		t.Errorf("a large message: %s", got)
	}
	res, text := s.ask(t, fmt.Sprintf("POST /task/work HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n\"%s\"", len(large)+2, large))
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(text, "urn:workman:problem:overloaded") {
		t.Errorf("a large body: %v %s", res, text)
	}
	w := s.socket(t, "/worker")
	w.say(`{"action":"RegisterTask","name":"work"}`)
	w.say(`{"action":"GetTask"}`)
	task := w.hear()
	w.say(`{"action":"SendResult","nonce":"` + tokenOf(t, task) + `","result":2}`)
	if got := other.hear(); got != `{"nonce":1,"result":2}` || strings.Count(task, "y") != 100_000 {
		t.Errorf("the task that was accepted: %s", got)
	}
}
