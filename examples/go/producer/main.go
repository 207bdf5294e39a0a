// Command producer is a workman producer: it runs two tasks at once, schedules a third for tomorrow, and takes that
// back.
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

func main() {
	if err := produce(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func produce(ctx context.Context) error {
	url := cmp.Or(os.Getenv("WORKMAN_URL"), "ws://localhost:9999") + "/websocket"
	conn, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	conn.SetReadLimit(-1)

	// Answers come as they are ready, in any order: the nonce says whose each is.
	answers, err := ask(ctx, conn,
		object{"action": "RunTask", "name": "add", "options": object{"a": 2, "b": 3}, "nonce": "add"},
		object{"action": "RunTask", "name": "echo", "options": "héllo", "nonce": "echo"})
	if err != nil {
		return err
	}
	fmt.Println("add", answers["add"])
	fmt.Println("echo", answers["echo"])

	when := time.Now().AddDate(0, 0, 1)
	answers, err = ask(ctx, conn,
		object{"action": "ScheduleTask", "when": when, "name": "echo", "options": nil, "nonce": "schedule"})
	if err != nil {
		return err
	}
	id := answers["schedule"].(map[string]any)["id"]
	answers, err = ask(ctx, conn, object{"action": "UnscheduleTask", "id": id, "nonce": "unschedule"})
	if err != nil {
		return err
	}
	fmt.Println("unscheduled", answers["unschedule"].(map[string]any)["found"])
	return conn.Close(websocket.StatusNormalClosure, "")
}

func ask(ctx context.Context, conn *websocket.Conn, requests ...object) (map[string]any, error) {
	for _, request := range requests {
		if err := wsjson.Write(ctx, conn, request); err != nil {
			return nil, err
		}
	}
	answers := map[string]any{}
	for range requests {
		var answer struct {
			Nonce  string
			Result json.RawMessage
		}
		if err := wsjson.Read(ctx, conn, &answer); err != nil {
			return nil, err
		}
		var result any
		if err := json.Unmarshal(answer.Result, &result); err != nil {
			return nil, err
		}
		answers[answer.Nonce] = result
	}
	return answers, nil
}
