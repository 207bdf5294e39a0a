package prove

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// credits is for how many tasks a worker is ready at once.
const credits = 8

// worker takes tasks, over one connection after the other.
type worker struct {
	server *server
	book   *Book
	rand   *rand.Rand // of when it reconnects
	cuts   *rand.Rand // of when it is cut
	mean   time.Duration
	hello  bool // it opts in with Hello; others speak the old protocol
}

// toWorker is a message to a worker: a task, or an event.
type toWorker struct {
	Event   string          `json:"event"`
	Version int             `json:"version"`
	Name    string          `json:"name"`
	Options json.RawMessage `json:"options"`
	Nonce   string          `json:"nonce"`
	Run     string          `json:"run"`
	Attempt int             `json:"attempt"`
	Fence   uint64          `json:"fence"`
}

// fromWorker is a message of a worker.
type fromWorker struct {
	Action  string `json:"action"`
	Version int    `json:"version,omitempty"`
	Name    string `json:"name,omitempty"`
	Nonce   string `json:"nonce,omitempty"`
	Result  any    `json:"result,omitempty"`
	Error   any    `json:"error,omitempty"`
}

// run works until ctx ends. Its connections are cut until load does.
func (w *worker) run(ctx, load context.Context) {
	retry := backoff{rand: w.rand}
	for {
		k, release, err := w.server.open(ctx, "/worker")
		if err == nil {
			retry.reset()
			w.session(ctx, load, k, release)
		}
		if !retry.wait(ctx) {
			return
		}
	}
}

// shift is a worker on one connection.
type shift struct {
	*worker
	socket  *socket
	session *Session
	mu      sync.Mutex
	cancels map[string]context.CancelFunc // by nonce
	tasks   sync.WaitGroup
}

func (w *worker) session(ctx, load context.Context, k *socket, release func()) {
	s := &shift{worker: w, socket: k, session: &Session{Life: k.life}, cancels: map[string]context.CancelFunc{}}
	ending, end := context.WithCancel(ctx)
	s.tasks.Go(func() { s.cut(ending, load) })
	err := s.greet()
	for err == nil {
		err = s.next(ending)
	}
	if s.book.Leave(s.session) && ctx.Err() == nil {
		s.book.BrokenIn(k.life, "a worker's WebSocket was closed: %v", err)
	}
	end()
	release()
	s.tasks.Wait()
}

// greet registers the names, and says for how much it is ready.
func (s *shift) greet() error {
	if s.hello {
		if err := s.socket.say(fromWorker{Action: "Hello", Version: 1}); err != nil {
			return err
		}
		var m toWorker
		if err := s.socket.hear(&m); err != nil {
			return err
		}
		if m.Event != "Hello" || m.Version != 1 {
			return fmt.Errorf("%w: Hello was answered with %+v", errNonsense, m)
		}
	}
	for _, name := range names {
		if err := s.socket.say(fromWorker{Action: "RegisterTask", Name: name}); err != nil {
			return err
		}
	}
	for range credits {
		if err := s.socket.say(fromWorker{Action: "GetTask"}); err != nil {
			return err
		}
	}
	return nil
}

// cut ends the connection at a random moment, most likely with tasks in hand.
func (s *shift) cut(ctx, load context.Context) {
	for sleep(ctx, time.Duration(s.cuts.Int64N(int64(2*s.mean)))) && load.Err() == nil {
		if s.book.Cut(s.session) {
			s.socket.conn.Close()
			return
		}
	}
}

// next takes the next message.
func (s *shift) next(ctx context.Context) error {
	var m toWorker
	if err := s.socket.hear(&m); err != nil {
		return err
	}
	if m.Event == "Cancel" && s.hello {
		s.mu.Lock()
		defer s.mu.Unlock()
		if cancel := s.cancels[m.Nonce]; cancel != nil {
			cancel()
		}
		return nil
	}
	var options struct{ Order, Rule, Work *int }
	if err := json.Unmarshal(m.Options, &options); err != nil || (options.Order == nil) == (options.Rule == nil) || options.Work == nil || m.Event != "" {
		return fmt.Errorf("%w: a task that is none of ours: %+v", errNonsense, m)
	}
	work := time.Duration(*options.Work) * time.Microsecond
	if s.hello && (m.Run == "" || m.Fence == 0 || m.Attempt == 0) {
		s.book.Fault(Broken, "a worker that said Hello was given a run without its id, fence or attempt: %+v", m)
	}
	if options.Rule != nil {
		s.tasks.Go(func() { s.chore(ctx, m.Nonce, *options.Rule, work) })
		return nil
	}
	h := s.book.Take(s.session, Task{Number: *options.Order, Run: m.Run, Fence: m.Fence}, time.Now())
	if h == nil {
		return errLeft
	}
	running, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	s.cancels[m.Nonce] = cancel
	s.mu.Unlock()
	s.tasks.Go(func() {
		defer cancel()
		s.work(ctx, running, h, m.Nonce, work)
	})
	return nil
}

// errLeft is returned when the connection was cut.
var errLeft = fmt.Errorf("the worker has left")

// work does a task and answers it. An error in sending is seen by whoever reads.
func (s *shift) work(ctx, running context.Context, h *Hand, nonce string, d time.Duration) {
	whole := sleep(running, d)
	s.mu.Lock()
	delete(s.cancels, nonce)
	s.mu.Unlock()
	m := fromWorker{Action: "SendResult", Nonce: nonce, Result: Result{Order: h.order, Hand: h.Number}}
	switch {
	case ctx.Err() != nil:
		return
	case !whole && s.book.Consent(h):
		m = fromWorker{Action: "SendError", Nonce: nonce, Error: "cancelled, as was asked for"}
	case s.hello && s.book.Fail(h):
		m = fromWorker{Action: "SendError", Nonce: nonce, Error: map[string]string{"type": "about:blank", "title": "prove", "detail": "this attempt is to fail"}}
	case !s.book.Send(h):
		return
	}
	_ = s.socket.say(m)
	_ = s.socket.say(fromWorker{Action: "GetTask"})
}

// chore does a task of a schedule that recurs. What becomes of it is not followed, only that it was there to be done.
func (s *shift) chore(ctx context.Context, nonce string, number int, d time.Duration) {
	if !sleep(ctx, d) {
		return
	}
	_ = s.socket.say(fromWorker{Action: "SendResult", Nonce: nonce, Result: number})
	_ = s.socket.say(fromWorker{Action: "GetTask"})
}
