package reactor_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"workman/dispatch"
	"workman/reactor"
)

// borrow asks for tasks named work for a day, as a connection of a loop would that has gone since.
func borrow(tasks *reactor.Tasks, from dispatch.Conn, count uint32) {
	const names = "work\n"
	tasks.Submitter().Submit(dispatch.Input{From: from, Base: []byte(names), Events: []dispatch.Event{{
		Kind: dispatch.TakeLease, Body: dispatch.Span{Len: uint32(len(names))}, Count: count, At: time.Hour.Milliseconds(),
		Token: dispatch.Token{Secret: dispatch.MaxLease},
	}}}, nil)
}

// counts waits until the dispatcher's counts are so.
func counts(t *testing.T, tasks *reactor.Tasks, what string, is func(s dispatch.Stats) bool) {
	t.Helper()
	waitFor(t, what, func() bool {
		s, err := tasks.Stats(context.Background())
		return err == nil && is(s)
	})
}

// TestLeaseOfWhoHasGone: a task that is lent to a connection which turns out to have gone, on whatever loop that was, is back in
// line at once. No attempt of it is spent, and no worker was lost with it.
func TestLeaseOfWhoHasGone(t *testing.T) {
	const slot = 1000 // that nobody has
	for range 6 {     // the kernel says which of the loops a connection is on
		s, tasks, _, _ := work(t, func(cfg *reactor.Config) { cfg.Loops = 2 })
		q, w, neighbour := dial(t, s), dial(t, s), dial(t, s).endpoint("/worker")
		neighbour.say(`{"action":"GetTask"}`)
		var loop int
		waitFor(t, "a loop that there is", func() bool {
			survey, err := tasks.WorkerInfo(context.Background(), 0, 10)
			if err != nil || len(survey.Workers) != 1 {
				return false
			}
			loop = survey.Workers[0].Conn.Loop()
			return true
		})
		gone := dispatch.MakeConn(loop, slot, 1)
		ask := func(body string) (answer string) {
			w.send(fmt.Sprintf("POST /lease HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
			status, answer := w.answer()
			if status != 200 {
				t.Fatalf("POST /lease %s: %d %s", body, status, answer)
			}
			return answer
		}
		// It waits when the task comes.
		borrow(tasks, gone, 1)
		counts(t, tasks, "the lease to wait", func(s dispatch.Stats) bool { return s.Workers == 2 })
		q.send("POST /task/work HTTP/1.1\r\nHost: localhost\r\nPrefer: respond-async\r\nContent-Length: 1\r\n\r\n1")
		if status, body := q.answer(); status != 202 {
			t.Fatalf("submitting: %d %s", status, body)
		}
		counts(t, tasks, "the run to be back", func(s dispatch.Stats) bool { return s.Lent == 0 && s.Queued == 1 && s.Workers == 1 })
		// It takes two that are there.
		q.send("POST /task/work HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n2")
		counts(t, tasks, "the call to wait", func(s dispatch.Stats) bool { return s.Queued == 2 })
		before, err := tasks.Stats(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		borrow(tasks, gone, 2)
		counts(t, tasks, "both to be back", func(s dispatch.Stats) bool {
			return s.HandedOut == before.HandedOut+2 && s.Lent == 0 && s.Queued == 2 && s.Workers == 1
		})
		got := ask(`{"tasks":["work"],"count":2}`)
		if i := strings.Index(got, `"options":1`); i < 0 || strings.Index(got, `"options":2`) < i || strings.Count(got, `"attempt":1,`) != 2 {
			t.Errorf("who asks next gets %s", got)
		}
	}
}
