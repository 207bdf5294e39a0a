package conform_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/gobwas/ws"
)

// A worker that does all of it, and, with a flaw, one thing wrong. It is a program of its own: this test's binary.

type object map[string]any

// worker is what outlives a connection.
type worker struct {
	flaw     string
	hello    bool
	session  string
	stop     context.Context // at SIGTERM
	tasks    sync.WaitGroup
	mu       sync.Mutex
	running  map[string]context.CancelCauseFunc // by nonce
	unsent   []object                           // answers to what is in hand, while there is no connection
	attempts int
}

// beWorker works until SIGTERM.
func beWorker(kind, flaw, url string) {
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	w := &worker{flaw: flaw, hello: kind == "hello", stop: stop, running: map[string]context.CancelCauseFunc{}}
	wait := 125 * time.Millisecond
	for stop.Err() == nil {
		if conn, in, _, err := (ws.Dialer{}).Dial(stop, url); err == nil {
			wait = 125 * time.Millisecond
			w.attempts++
			w.work(&wire{Conn: conn, in: in, flaw: flaw})
		}
		switch flaw {
		case "does not reconnect":
			<-stop.Done()
		case "reconnects in a tight loop":
			wait = time.Millisecond
		}
		select {
		case <-time.After(wait):
		case <-stop.Done():
		}
		wait = min(2*wait, 2*time.Second)
	}
	if flaw == "does not end" {
		select {}
	}
}

// wire is a connection.
type wire struct {
	net.Conn
	in      *bufio.Reader
	flaw    string
	mu      sync.Mutex
	resumed bool
	beat    time.Duration // after so long a silence it is given up; 0: never
}

func (c *wire) write(f ws.Frame) {
	if c.flaw != "does not mask" {
		f = ws.MaskFrame(f)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = ws.WriteFrame(c.Conn, f) // who reads notices
}

func (c *wire) say(o object) {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	op := ws.OpText
	if c.flaw == "sends binary" {
		op = ws.OpBinary
	}
	c.write(ws.NewFrame(op, true, text))
}

// hear reads a message, and answers what control frames there are.
func (c *wire) hear() (text []byte, err error) {
	for {
		if c.beat > 0 {
			_ = c.SetReadDeadline(time.Now().Add(c.beat))
		}
		f, err := c.frame()
		if err != nil {
			return nil, err
		}
		switch f.Header.OpCode {
		case ws.OpPing:
			if c.flaw != "does not pong" {
				c.write(ws.NewPongFrame(f.Payload))
			}
		case ws.OpClose:
			c.write(ws.NewCloseFrame(f.Payload))
			return nil, io.EOF
		case ws.OpText, ws.OpContinuation:
			if text = append(text, f.Payload...); f.Header.Fin || c.flaw == "takes a fragment for a message" {
				return text, nil
			}
		}
	}
}

func (c *wire) frame() (f ws.Frame, err error) {
	var in io.Reader = c.Conn
	if c.in != nil {
		in = c.in
	}
	if f.Header, err = ws.ReadHeader(in); err != nil {
		return f, err
	}
	f.Payload = make([]byte, f.Header.Length)
	_, err = io.ReadFull(in, f.Payload)
	return f, err
}

// work is what a worker does on one connection.
func (w *worker) work(c *wire) {
	defer c.Close()
	defer context.AfterFunc(w.stop, func() { w.leave(c) })()
	if !w.greet(c) {
		return
	}
	for {
		text, err := c.hear()
		if err != nil {
			return
		}
		w.take(c, text)
	}
}

func (w *worker) greet(c *wire) bool {
	first := w.attempts == 1
	if w.hello {
		w.sayHello(c)
	}
	names := []string{"echo", "fail", "sleep", "count"}
	if w.flaw == "asks before registering" && first {
		c.say(object{"action": "GetTask"})
	} else {
		defer w.ask(c)
	}
	if !first && w.flaw == "does not register anew" {
		return true
	}
	for _, name := range names {
		c.say(object{"action": "RegisterTask", "name": name})
	}
	return true
}

func (w *worker) ask(c *wire) {
	switch {
	case !w.hello:
		c.say(object{"action": "GetTask"})
	case w.flaw == "asks for none":
		c.say(object{"action": "GetTask", "count": 0})
		c.say(object{"action": "GetTask"})
	default:
		c.say(object{"action": "GetTask", "count": 2})
	}
}

func (w *worker) sayHello(c *wire) {
	o := object{"action": "Hello", "version": 1}
	switch w.flaw {
	case "says Hello late":
		c.say(object{"action": "RegisterTask", "name": "echo"})
	case "resumes a made-up session":
		if w.session != "" {
			w.session = "aaaaaaaabcdefghijklmnopa"
		}
	}
	if w.session != "" && w.flaw != "does not resume" {
		o["session"] = w.session
	}
	c.say(o)
}

// message is what the server says.
type message struct {
	Event, Name, Nonce, Session string
	Heartbeat                   int
	Resumed                     []string
	Options                     json.RawMessage
}

func (w *worker) take(c *wire, text []byte) {
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		panic(err)
	}
	switch {
	case m.Event == "Hello":
		w.welcome(c, m)
	case m.Event == "Cancel" && w.flaw != "ignores Cancel", m.Event == "Late" && w.flaw != "ignores Late":
		w.mu.Lock()
		if end := w.running[m.Nonce]; end != nil {
			end(fmt.Errorf("%s", m.Event))
		}
		w.mu.Unlock()
	case m.Event == "Drain" && w.flaw == "drops all on Drain":
		c.Close()
		w.cancelAll()
	case m.Event != "":
		if w.flaw == "dies on an unknown event" && m.Event != "Cancel" && m.Event != "Late" && m.Event != "Drain" {
			panic("what is this?")
		}
	case slices.Contains([]string{"rejects unknown members"}, w.flaw) && len(text) > 0 && json.Valid(text) && hasMember(text, "later"):
		c.Close()
	default:
		w.begin(c, m)
	}
}

func hasMember(text []byte, name string) bool {
	var o map[string]json.RawMessage
	_ = json.Unmarshal(text, &o)
	return o[name] != nil
}

// welcome goes on with what is in hand, or forgets it.
func (w *worker) welcome(c *wire, m message) {
	if m.Heartbeat > 0 {
		c.beat = 2 * time.Duration(m.Heartbeat) * time.Second
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.session = m.Session
	if m.Resumed == nil {
		for _, end := range w.running {
			end(errLost)
		}
	}
	if w.flaw == "forgets what it resumed" {
		for _, end := range w.running {
			end(errLost)
		}
	}
	for _, nonce := range m.Resumed {
		if w.running[nonce] == nil && !w.hasUnsent(nonce) && w.flaw != "keeps what never arrived" {
			c.say(object{"action": "Drain", "nonce": nonce})
		}
	}
	for _, o := range w.unsent {
		if nonce, _ := o["nonce"].(string); slices.Contains(m.Resumed, nonce) {
			c.say(o)
		}
	}
	w.unsent = nil
	c.resumed = true
	current = c
}

// hasUnsent reports whether there is an answer to a task that may not have arrived.
func (w *worker) hasUnsent(nonce string) bool {
	return slices.ContainsFunc(w.unsent, func(o object) bool { return o["nonce"] == nonce })
}

// current is the connection that answers go to; under the worker's lock.
var current *wire

var errLost = fmt.Errorf("the connection is lost")

func (w *worker) cancelAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, end := range w.running {
		end(errLost)
	}
}

// leave finishes what is in hand, or hands it back.
func (w *worker) leave(c *wire) {
	if w.hello {
		c.say(object{"action": "Drain", "return": true})
		w.cancelAll()
	}
	w.tasks.Wait()
	if w.flaw != "does not end" {
		c.Close()
	}
}
