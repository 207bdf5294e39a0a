// Command worker is a workman worker: it registers its tasks, takes one at a time, answers it, and comes back when the
// connection is lost, with the answer that was lost with it.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

type object map[string]any

var tasks = map[string]func(options json.RawMessage) (any, error){
	"add": func(options json.RawMessage) (any, error) {
		var n struct{ A, B float64 }
		err := json.Unmarshal(options, &n)
		return n.A + n.B, err
	},
	"echo": func(options json.RawMessage) (any, error) { return options, nil },
	"sleep": func(options json.RawMessage) (any, error) {
		var n struct{ Seconds float64 }
		err := json.Unmarshal(options, &n)
		time.Sleep(time.Duration(n.Seconds * float64(time.Second)))
		return n.Seconds, err
	},
}

// worker is what outlives a connection: its session, and the answer to the task it had last.
type worker struct {
	session string
	nonce   string
	answer  object
}

func main() {
	url := cmp.Or(os.Getenv("WORKMAN_URL"), "ws://localhost:9999") + "/worker"
	var w worker
	for delay := 125 * time.Millisecond; ; delay = min(2*delay, 2*time.Second) {
		if conn, _, err := websocket.Dial(context.Background(), url, nil); err == nil {
			err = w.work(context.Background(), conn)
			fmt.Println("error", err)
			delay = 125 * time.Millisecond
		}
		time.Sleep(delay)
	}
}

func (w *worker) work(ctx context.Context, conn *websocket.Conn) error {
	fmt.Println("connected")
	conn.SetReadLimit(-1)
	err := wsjson.Write(ctx, conn, object{"action": "Hello", "version": 1, "session": w.session})
	for name := range tasks {
		if err == nil {
			err = wsjson.Write(ctx, conn, object{"action": "RegisterTask", "name": name})
		}
	}
	for err == nil {
		var m struct {
			Event, Session string
			Resumed        []string
			Name, Nonce    string
			Options        json.RawMessage
		}
		if err = wsjson.Read(ctx, conn, &m); err != nil {
			break
		}
		switch {
		case m.Event == "Hello" && slices.Contains(m.Resumed, w.nonce):
			w.session = m.Session // and the answer is given once more: it was lost with the connection
		case m.Event == "Hello":
			w.session, w.answer = m.Session, object{"action": "GetTask"}
		case m.Event == "":
			fmt.Println("task", m.Name)
			w.nonce, w.answer = m.Nonce, run(m.Name, m.Options)
			w.answer["nonce"], w.answer["credit"] = m.Nonce, 1
		default: // Cancel, Late, Drain, Error
			fmt.Println("event", m.Event)
			continue
		}
		err = wsjson.Write(ctx, conn, w.answer)
	}
	return err
}

func run(name string, options json.RawMessage) object {
	task, ok := tasks[name]
	if !ok {
		return object{"action": "SendError", "error": "Unknown job " + name}
	}
	result, err := task(options)
	if err != nil {
		return object{"action": "SendError", "error": err.Error()}
	}
	return object{"action": "SendResult", "result": result}
}
