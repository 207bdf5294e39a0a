package conform_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A worker that leases over HTTP and does all of it, and, with a flaw, one thing wrong.

type leaser struct {
	worker
	base  string
	stop  context.Context // at SIGTERM
	fence uint64          // the highest so far
}

// leased is a task.
type leased struct {
	Name, Nonce string
	Options     json.RawMessage
	Fence       uint64
}

// beLeaser works until SIGTERM.
func beLeaser(flaw, url string) {
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	w := &leaser{worker: worker{flaw: flaw, hello: true}, stop: stop, base: "http://" + strings.TrimSuffix(strings.TrimPrefix(url, "ws://"), "/worker")}
	wait := 125 * time.Millisecond
	for stop.Err() == nil {
		tasks, after, err := w.take()
		switch {
		case err != nil && w.endsWith(err):
			return
		case err != nil:
			_ = pause(stop, max(wait, after).Seconds())
			wait = min(2*wait, 2*time.Second)
			continue
		case len(tasks) == 0 && flaw == "ends without tasks":
			return
		case len(tasks) > 1 && flaw == "does one of several":
			tasks = tasks[:1]
		}
		wait = 125 * time.Millisecond
		var all sync.WaitGroup
		for _, t := range tasks {
			if w.fence = max(w.fence, t.Fence); t.Fence == w.fence || flaw != "takes a low fence for an old task" {
				all.Go(func() { w.begin(t) })
			}
		}
		all.Wait()
		if len(tasks) > 0 && flaw == "never asks again" {
			<-stop.Done()
		}
	}
	if flaw == "does not end" {
		select {}
	}
}

// refused is an answer that is none.
type refused int

func (r refused) Error() string { return strconv.Itoa(int(r)) }

// endsWith tells whether a flaw makes it end with an error.
func (w *leaser) endsWith(err error) bool {
	no := refused(0)
	switch w.flaw {
	case "ends when refused":
		return errors.As(err, &no)
	case "ends with its connection":
		return !errors.As(err, &no) && w.stop.Err() == nil && !errors.Is(err, syscall.ECONNREFUSED)
	case "ends without a server":
		return errors.Is(err, syscall.ECONNREFUSED)
	}
	return false
}

// say sends a request.
func (w *leaser) say(ctx context.Context, method, path string, body any) (status int, text []byte, after time.Duration, err error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, nil, 0, err
	}
	r, err := http.NewRequestWithContext(ctx, method, w.base+path, bytes.NewReader(raw))
	if err != nil {
		return 0, nil, 0, err
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, 0, err
	}
	defer a.Body.Close()
	seconds, _ := strconv.Atoi(a.Header.Get("Retry-After"))
	text, err = io.ReadAll(a.Body)
	return a.StatusCode, text, time.Duration(seconds) * time.Second, err
}

// take leases tasks. after is how long it should wait if that is refused.
func (w *leaser) take() (tasks []leased, after time.Duration, err error) {
	ask := object{"tasks": []string{"echo", "fail", "sleep", "count"}, "count": 3, "wait": "10s"}
	if w.flaw == "asks for too many" {
		ask["count"] = 1000
	}
	for {
		status, text, after, err := w.say(w.stop, http.MethodPost, "/lease", ask)
		switch {
		case err != nil:
			return nil, 0, err
		case status != http.StatusOK && w.flaw == "does not wait":
			continue
		case status != http.StatusOK:
			return nil, after, refused(status)
		}
		var got struct {
			Tasks []leased
			Later any
		}
		if err := json.Unmarshal(text, &got); err != nil {
			return nil, 0, err
		}
		if got.Later != nil && w.flaw == "rejects unknown members" {
			return nil, 0, nil
		}
		return got.Tasks, 0, nil
	}
}

// begin does a task while it is not told to stop.
func (w *leaser) begin(t leased) {
	ctx, end := context.WithCancelCause(context.Background())
	defer end(nil)
	path := "/lease/" + t.Nonce
	defer context.AfterFunc(w.stop, func() { // it hands back what it has
		switch w.flaw {
		case "drops what it has":
			syscall.Exit(1)
		case "does not end":
		default:
			_, _, _, _ = w.say(context.Background(), http.MethodDelete, path, nil)
			end(errLost)
		}
	})()
	say := func(o object) {
		status, text, _, err := w.say(ctx, http.MethodPost, path+"/"+strings.ToLower(o["action"].(string)), without(o, "action"))
		switch {
		case err != nil:
		case status == http.StatusConflict && w.flaw != "goes on without a lease":
			end(errLost)
		case string(text) == `{"cancel":true}` && w.flaw != "goes on with what is cancelled":
			end(errors.New("cancelled"))
		}
	}
	result, err := w.do(ctx, message{Name: t.Name, Options: t.Options}, say)
	if errors.Is(context.Cause(ctx), errLost) {
		return
	}
	w.answer(path, result, err)
}

func without(o object, member string) object {
	delete(o, member)
	return o
}

func (w *leaser) answer(path string, result any, err error) {
	what, body := "/result", result
	switch {
	case err != nil && w.flaw == "hides errors":
		body = object{"error": err.Error()}
	case err != nil:
		what, body = "/error", object{"error": err.Error(), "retry": w.flaw == "always retries" || !errors.As(err, &final{})}
	}
	times := 1
	switch w.flaw {
	case "answers with a wrong nonce":
		path = "/lease/" + strings.Repeat("b", 40)
	case "says what there is not":
		_, _, _, _ = w.say(context.Background(), http.MethodPost, path+"/done", nil)
	case "answers twice":
		times = 2
	}
	for range times {
		status, _, _, err := w.say(context.Background(), http.MethodPost, path+what, body)
		if status != http.StatusConflict || err != nil {
			continue
		}
		switch w.flaw {
		case "answers again what is over":
			_, _, _, _ = w.say(context.Background(), http.MethodPost, path+what, body)
		case "ends when a lease is over":
			fmt.Println("409: what is that?")
			syscall.Exit(1)
		}
	}
}
