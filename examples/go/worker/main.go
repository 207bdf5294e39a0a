// Command worker is a workman worker: it registers its tasks, takes one at a time, answers it, and comes back when the
// connection is lost.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
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

func main() {
	url := cmp.Or(os.Getenv("WORKMAN_URL"), "ws://localhost:9999") + "/worker"
	for delay := 125 * time.Millisecond; ; delay = min(2*delay, 2*time.Second) {
		if conn, _, err := websocket.Dial(context.Background(), url, nil); err == nil {
			err = work(context.Background(), conn)
			fmt.Println("error", err)
			delay = 125 * time.Millisecond
		}
		time.Sleep(delay)
	}
}

func work(ctx context.Context, conn *websocket.Conn) error {
	fmt.Println("connected")
	conn.SetReadLimit(-1)
	for name := range tasks {
		if err := wsjson.Write(ctx, conn, object{"action": "RegisterTask", "name": name}); err != nil {
			return err
		}
	}
	for {
		if err := wsjson.Write(ctx, conn, object{"action": "GetTask"}); err != nil {
			return err
		}
		var task struct {
			Name, Nonce string
			Options     json.RawMessage
		}
		if err := wsjson.Read(ctx, conn, &task); err != nil {
			return err
		}
		fmt.Println("task", task.Name)
		result := object{"action": "SendResult", "nonce": task.Nonce, "result": run(task.Name, task.Options)}
		if err := wsjson.Write(ctx, conn, result); err != nil {
			return err
		}
	}
}

func run(name string, options json.RawMessage) any {
	task, ok := tasks[name]
	if !ok {
		return object{"error": "Unknown job " + name}
	}
	result, err := task(options)
	if err != nil {
		return object{"error": err.Error()}
	}
	return result
}
