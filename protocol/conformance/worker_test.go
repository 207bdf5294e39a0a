package conformance_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
)

// worker does workman's tasks named echo: their results are their options. It is also the one that sees what workman took
// for a request of its own.
type worker struct {
	mu   sync.Mutex
	seen map[string]int // how often options came
}

func (w *worker) times(options string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[options]
}

func startWorker(t *testing.T, addr string) *worker {
	t.Helper()
	w := &worker{seen: map[string]int{}}
	s := openSocket(t, addr, "/worker")
	_ = s.SetDeadline(never)
	s.say(t, text(`{"action":"RegisterTask","name":"echo"}`))
	const credits = 16
	for range credits {
		s.say(t, text(`{"action":"GetTask"}`))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.work(s)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	return w
}

// work answers tasks until the connection ends.
func (w *worker) work(s *socket) {
	for {
		f, err := s.read()
		if err != nil || f.op == opClose {
			return
		}
		if f.op == opPing {
			_, _ = s.Write([]byte(masked(0x80|opPong, f.payload)))
			continue
		}
		var task struct {
			Nonce   string
			Options json.RawMessage
		}
		if json.Unmarshal([]byte(f.payload), &task) != nil || task.Nonce == "" {
			return // whoever waits for this task will say so
		}
		w.mu.Lock()
		w.seen[string(task.Options)]++
		w.mu.Unlock()
		result := fmt.Sprintf(`{"action":"SendResult","nonce":%q,"result":%s}`, task.Nonce, task.Options)
		_, _ = s.Write([]byte(text(result) + text(`{"action":"GetTask"}`)))
	}
}
