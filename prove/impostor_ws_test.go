package prove_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// laborer is a worker's connection.
type laborer struct {
	conn  net.Conn
	hello bool
	hands map[string]*run // by nonce
	i     *impostor
}

type request struct {
	Action, When, Name, Wait, Key, Nonce, ID string
	Version                                  int
	Options, Result                          json.RawMessage
}

// serve reads messages until the connection ends.
func serve(w http.ResponseWriter, q *http.Request, f func(c net.Conn, text []byte)) net.Conn {
	c, _, _, err := ws.UpgradeHTTP(q, w)
	if err != nil {
		return nil
	}
	defer c.Close()
	for {
		text, err := wsutil.ReadClientText(c)
		if err != nil {
			return c
		}
		f(c, text)
	}
}

func say(c net.Conn, m any) {
	text, _ := json.Marshal(m)
	_ = wsutil.WriteServerText(c, text)
}

func (i *impostor) producer(w http.ResponseWriter, q *http.Request) {
	var writing sync.Mutex
	serve(w, q, func(c net.Conn, text []byte) {
		var m struct {
			request
			Nonce int
		}
		if err := json.Unmarshal(text, &m); err != nil {
			return
		}
		if m.Action == "CancelRun" {
			now, status := i.end(m.ID)
			answer := map[string]any{"nonce": m.Nonce, "run": now.document()}
			if status != 202 {
				answer = map[string]any{"nonce": m.Nonce, "error": refusal("oops", status, "")}
			}
			writing.Lock()
			defer writing.Unlock()
			say(c, answer)
			return
		}
		due, _ := time.Parse(time.RFC3339, m.When)
		r := i.submit(m.Name, m.Key, m.Options, due)

		if i.flaw == "silent" && m.Nonce%20 == 0 {
			return
		}
		go func() {
			d, _ := time.ParseDuration(m.Wait)
			now := i.wait(r, d)
			answer := map[string]any{"nonce": m.Nonce, "run": map[string]string{"id": r.ID, "state": now.State}}
			switch {
			case m.Action == "ScheduleTask":
				answer = map[string]any{"nonce": m.Nonce, "result": map[string]string{"id": r.ID}}
			case d > 0 && now.State == "succeeded":
				answer["result"] = now.Result
			case d > 0 && now.State == "cancelled":
				answer = map[string]any{"nonce": m.Nonce, "error": refusal("run-cancelled", 409, r.ID)}
			}
			writing.Lock()
			defer writing.Unlock()
			say(c, answer)
		}()
	})
}

func (i *impostor) worker(w http.ResponseWriter, q *http.Request) {
	l := &laborer{hands: map[string]*run{}, i: i}
	serve(w, q, func(c net.Conn, text []byte) {
		var m request
		if err := json.Unmarshal(text, &m); err != nil {
			return
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		l.conn = c
		l.hear(m)
	})
	i.mu.Lock()
	defer i.mu.Unlock()
	i.idle = slices.DeleteFunc(i.idle, func(other *laborer) bool { return other == l })
	for _, r := range l.hands {
		if r.State == "running" {
			r.State = "pending"
			i.queue = append(i.queue, r)
		}
	}
	i.match()
}

// hear takes one message.
func (l *laborer) hear(m request) {
	i, r := l.i, l.hands[m.Nonce]
	delete(l.hands, m.Nonce)
	switch {
	case m.Action == "Hello":
		l.hello = true
		say(l.conn, map[string]any{"event": "Hello", "version": 1})
	case m.Action == "GetTask":
		i.idle = append(i.idle, l)
		i.match()
	case r == nil || r.finished():
	case m.Action == "SendResult":
		r.Result = m.Result
		if i.wrong("wrong", 100) {
			r.Result = json.RawMessage(`{"order":0,"hand":0}`)
		}
		i.set(r, "succeeded")
	case m.Action == "SendError" && r.CancelAsked:
		i.set(r, "cancelled")
	case m.Action == "SendError":
		r.State = "pending"
		i.enqueue(r)
	}
}

// give sends a task.
func (l *laborer) give(r *run) {
	i := l.i
	i.hands++
	nonce := fmt.Sprint(i.hands)
	l.hands[nonce] = r
	m := map[string]any{"name": r.Task, "options": r.Options, "nonce": nonce}
	if l.hello {
		fence := i.epoch<<32 | i.hands
		if i.flaw == "unfence" {
			fence = 1<<62 - fence
		}
		m["run"], m["attempt"], m["fence"] = r.ID, 1, fence
	}
	r.holder = l
	say(l.conn, m)
	if r.CancelAsked {
		l.askCancel(r)
	}
}

// askCancel tells the worker, if it has opted in.
func (l *laborer) askCancel(r *run) {
	for nonce, other := range l.hands {
		if other == r && l.hello {
			say(l.conn, map[string]string{"event": "Cancel", "nonce": nonce})
		}
	}
}
