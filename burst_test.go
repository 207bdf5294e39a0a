package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestBurst: a worker may ask for far more than should be sent in one go. It gets it all, as it reads, and is not taken
// for one that does not.
func TestBurst(t *testing.T) {
	s := serve(t, func(o *options) { o.MaxTasks, o.MaxMessage = 10_000, 1<<20 })
	q := s.socket(t, "/websocket")
	const n = 100
	big := strings.Repeat("x", 900_000)
	for i := range n {
		q.say(fmt.Sprintf(`{"action":"RunTask","name":"big","nonce":%d,"options":"%s"}`, i, big))
	}
	w := s.socket(t, "/worker")
	for range n {
		w.say(`{"action":"GetTask"}`)
	}
	w.say(`{"action":"RegisterTask","name":"big"}`) // 90 MB are due now, and may wait as 16 MB
	var results []string
	for range n {
		task := w.hear()
		results = append(results, nonce.FindStringSubmatch(task[len(task)-40:])[1])
	}
	// Results that each make room for another large task come in one read.
	for i := range n {
		q.say(fmt.Sprintf(`{"action":"RunTask","name":"big","nonce":%d,"options":"%s"}`, n+i, big))
	}
	q.say(`{"action":"GetTasks","nonce":"all said"}`)
	if got := q.hear(); !strings.Contains(got, "all said") {
		t.Fatal(got)
	}
	var frames []byte
	for _, token := range results {
		frames = append(frames, clientFrame(`{"action":"SendResult","nonce":"`+token+`","result":1}`)...)
		frames = append(frames, clientFrame(`{"action":"GetTask"}`)...)
	}
	if _, err := w.conn.Write(frames); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if got, want := q.hear(), fmt.Sprintf(`{"nonce":%d,"result":1}`, i); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		task := w.hear()
		w.say(`{"action":"SendResult","nonce":"` + nonce.FindStringSubmatch(task[len(task)-40:])[1] + `","result":2}`)
	}
	for i := range n {
		if got, want := q.hear(), fmt.Sprintf(`{"nonce":%d,"result":2}`, n+i); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}
