package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

// visits are what those do who come and go. Each is complete in itself: what
// it makes and does not see answered is left to workers that stay, so that
// nothing is left behind.
var visits = []visit{
	{"producer leaves in good order", 6, politeProducer},
	{"producer leaves with tasks waiting", 4, leavingProducer},
	{"producer leaves within a frame", 3, brokenOffProducer},
	{"HTTP producer leaves before its answer", 3, impatientPoster},
	{"HTTP request breaks off", 5, halfRequest},
	{"handshake breaks off", 3, halfHandshake},
	{"WebSocket opens and is dropped", 3, emptyWebSocket},
	{"worker leaves in good order", 4, politeWorker},
	{"worker dies with tasks in hand", 6, dyingWorker},
	{"worker dies within a result", 4, brokenOffWorker},
	{"name used once", 6, passingName},
	{"invalid messages", 4, invalidMessages},
	{"invalid frames", 4, invalidFrames},
	{"invalid requests", 6, invalidRequests},
	{"message byte by byte", 2, byteByByte},
	{"head that never ends", 1, endlessHead},
}

// bring opens a producer and sends up to twenty tasks.
func (l *load) bring(r *rand.Rand, name string) (*client, error) {
	p, err := l.websocket(name, "/websocket", visitTime)
	if err != nil {
		return nil, err
	}
	for range 1 + r.IntN(20) {
		if err := p.ask(r, l.newOrder(r, churnName(r.IntN(nameCount)), "sum", 0)); err != nil {
			p.vanish(false)
			return nil, err
		}
	}
	return p, nil
}

// readAll settles what the client waits for.
func (p *client) readAll() error {
	for p.waiting.Load() > 0 {
		message, err := p.next()
		if err != nil {
			return fmt.Errorf("waiting for %d answers: %w", p.waiting.Load(), err)
		}
		p.settle(message)
	}
	return nil
}

func politeProducer(l *load, r *rand.Rand) error {
	p, err := l.bring(r, "polite producer")
	if err != nil {
		return err
	}
	defer p.vanish(false)
	if err := p.readAll(); err != nil {
		return err
	}
	return p.goodbye()
}

func leavingProducer(l *load, r *rand.Rand) error {
	p, err := l.bring(r, "leaving producer")
	if err == nil {
		p.vanish(r.IntN(2) == 0)
	}
	return err
}

func brokenOffProducer(l *load, r *rand.Rand) error {
	p, err := l.bring(r, "producer that breaks off")
	if err != nil {
		return err
	}
	defer p.vanish(r.IntN(2) == 0)
	return p.beginFrame(r, `{"action":"RunTask","name":"plain-0","options":"`+fill(r.IntN(20<<10))+`"}`)
}

// beginFrame sends a part of a message's frame, and stays a while, perhaps.
func (p *client) beginFrame(r *rand.Rand, message string) error {
	f := p.mask.appendFrame(nil, opText, message)
	if err := p.raw(string(f[:1+r.IntN(len(f)-1)])); err != nil {
		return err
	}
	p.load.dawdle(r)
	return nil
}

// dawdle waits for up to two seconds, or not at all.
func (l *load) dawdle(r *rand.Rand) {
	if r.IntN(3) == 0 {
		wait(l.issue, someTime(r, 0, 2*time.Second))
	}
}

func impatientPoster(l *load, r *rand.Rand) error {
	p, err := l.connect("impatient poster", visitTime)
	if err != nil {
		return err
	}
	defer p.vanish(r.IntN(2) == 0)
	o := l.newOrder(r, churnName(r.IntN(nameCount)), "sum", 0)
	l.book.send(o, p)
	return p.raw(l.request("POST", o.path(), o.options))
}

// halfRequest sends the beginning of a request, anywhere in head or body.
func halfRequest(l *load, r *rand.Rand) error {
	p, err := l.connect("half a request", visitTime)
	if err != nil {
		return err
	}
	defer p.vanish(r.IntN(2) == 0)
	request := l.request("POST", "/task/plain-0", `"`+fill(r.IntN(20<<10))+`"`)
	if r.IntN(2) == 0 {
		request = l.chunked(r, "POST", "/task/plain-0", `"`+fill(r.IntN(20<<10))+`"`)
	}
	if err := p.raw(request[:1+r.IntN(len(request)-1)]); err != nil {
		return err
	}
	l.dawdle(r)
	return nil
}

func halfHandshake(l *load, r *rand.Rand) error {
	p, err := l.connect("half a handshake", visitTime)
	if err != nil {
		return err
	}
	defer p.vanish(r.IntN(2) == 0)
	request := l.request("GET", "/worker", "", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "Sec-WebSocket-Version: 13")
	if err := p.raw(request[:1+r.IntN(len(request)-1)]); err != nil {
		return err
	}
	l.dawdle(r)
	return nil
}

func emptyWebSocket(l *load, r *rand.Rand) error {
	path := []string{"/worker", "/websocket"}[r.IntN(2)]
	p, err := l.websocket("empty WebSocket", path, visitTime)
	if err != nil {
		return err
	}
	l.dawdle(r)
	if r.IntN(3) == 0 {
		defer p.vanish(false)
		return p.goodbye()
	}
	p.vanish(r.IntN(2) == 0)
	return nil
}

// someNames are up to four of those that come-and-go workers share with those
// that stay.
func someNames(r *rand.Rand) (names []string) {
	for range 1 + r.IntN(4) {
		names = append(names, churnName(r.IntN(nameCount)))
	}
	return names
}

// during works for as long as within says and no longer; then the worker is
// in the middle of whatever it was.
func (p *client) during(within time.Duration, work func(j job) error) error {
	until := time.Now().Add(within)
	for {
		if err := p.conn.SetReadDeadline(until); err != nil {
			return err
		}
		_, waited := p.r.Peek(1) // no part of a task is lost by this
		if err := p.conn.SetReadDeadline(time.Now().Add(visitTime)); err != nil {
			return err
		}
		if errors.Is(waited, os.ErrDeadlineExceeded) {
			return nil
		}
		message, err := p.step() // a pong must not make it wait for a task
		if err != nil {
			return err
		}
		if message == nil {
			continue
		}
		j, err := p.given(message)
		if err == nil {
			err = work(j)
		}
		if err != nil {
			return err
		}
	}
}

func politeWorker(l *load, r *rand.Rand) error {
	p, err := l.register("polite worker", visitTime, 1+r.IntN(8), someNames(r)...)
	if err != nil {
		return err
	}
	defer p.vanish(false)
	err = p.during(someTime(r, 50*time.Millisecond, time.Second), func(j job) error { return p.do(r, j, true) })
	if err != nil {
		return err
	}
	return p.goodbye()
}

// errDone ends a worker's work early.
var errDone = errors.New("done")

// patience is how long a worker that will die waits for tasks.
const patience = 300 * time.Millisecond

// hold takes tasks until it has all it asked for, or no more come. It answers
// those that died with others before.
func (p *client) hold(r *rand.Rand, credits int) (held []job, err error) {
	err = p.during(patience, func(j job) error {
		if !p.load.book.lose(j.id) {
			return p.do(r, j, true)
		}
		if held = append(held, j); len(held) == credits {
			return errDone
		}
		return nil
	})
	if errors.Is(err, errDone) {
		err = nil
	}
	return held, err
}

func dyingWorker(l *load, r *rand.Rand) error {
	credits := 1 + r.IntN(8)
	p, err := l.register("dying worker", visitTime, credits, someNames(r)...)
	if err != nil {
		return err
	}
	defer p.vanish(r.IntN(2) == 0)
	_, err = p.hold(r, credits)
	return err
}

func brokenOffWorker(l *load, r *rand.Rand) error {
	credits := 1 + r.IntN(4)
	p, err := l.register("worker that breaks off", visitTime, credits, someNames(r)...)
	if err != nil {
		return err
	}
	defer p.vanish(r.IntN(2) == 0)
	held, err := p.hold(r, credits)
	if err != nil || len(held) == 0 {
		return err
	}
	return p.beginFrame(r, held[0].reply())
}

// passingName uses a name that nobody used before: a producer asks, a worker
// takes the tasks and dies, a second one does them, all leave.
func passingName(l *load, r *rand.Rand) error {
	name := fmt.Sprintf("passing/%d é", l.names.Add(1))
	p, err := l.websocket("passing producer", "/websocket", visitTime)
	if err != nil {
		return err
	}
	defer p.vanish(false)
	tasks := 1 + r.IntN(5)
	for range tasks {
		if err := p.ask(r, l.newOrder(r, name, "sum", 0)); err != nil {
			return err
		}
	}
	if r.IntN(2) == 0 {
		first, err := l.register("first passing worker", visitTime, tasks, name)
		if err != nil {
			return err
		}
		for range tasks {
			j, err := first.job()
			if err != nil {
				first.vanish(false)
				return err
			}
			l.book.lose(j.id)
		}
		first.vanish(r.IntN(2) == 0)
	}
	return l.relieve(r, p, name, tasks)
}

// relieve is the worker that does the tasks of a passing name, in spite of
// some rubbish that it says before.
func (l *load) relieve(r *rand.Rand, p *client, name string, tasks int) error {
	w, err := l.register("passing worker", visitTime, tasks, name)
	if err != nil {
		return err
	}
	defer w.vanish(false)
	if r.IntN(2) == 0 {
		err = w.text("not JSON", `{"action":"Bogus"}`, `{"action":"RegisterTask","name":""}`, "null",
			`{"action":"SendResult","nonce":"000000000000000000000000","result":"forged"}`, `{"action":"SendResult"}`)
		if err != nil {
			return err
		}
	}
	for i := range tasks {
		j, err := w.job()
		if err != nil {
			return fmt.Errorf("waiting for task %d of %d of %q: %w", i+1, tasks, name, err)
		}
		if err := w.do(r, j, false); err != nil {
			return err
		}
		if r.IntN(8) == 0 { // a second result for the same task: ignored
			if err := w.text(`{"action":"SendResult","nonce":"` + j.nonce + `","result":"again"}`); err != nil {
				return err
			}
		}
	}
	if err := p.readAll(); err != nil {
		return err
	}
	return errors.Join(w.goodbye(), p.goodbye())
}

func byteByByte(l *load, r *rand.Rand) error {
	p, err := l.websocket("byte by byte", "/websocket", visitTime)
	if err != nil {
		return err
	}
	defer p.vanish(false)
	o := l.newOrder(r, plainName(r.IntN(nameCount)), "sum", 0)
	l.book.send(o, p)
	p.waiting.Add(1)
	for _, c := range p.mask.appendFrame(nil, opText, o.message()) {
		if _, err := p.conn.Write([]byte{c}); err != nil {
			return err
		}
	}
	if err := p.readAll(); err != nil {
		return err
	}
	return p.goodbye()
}

// endlessHead sends a line a second and never ends: the server has to, within
// ten seconds or so, with 408.
func endlessHead(l *load, _ *rand.Rand) error {
	p, err := l.connect("endless head", visitTime)
	if err != nil {
		return err
	}
	defer p.vanish(false)
	done, stop := context.WithCancel(l.issue)
	defer stop()
	var got response
	var failed error
	go func() {
		got, failed = p.respond()
		stop()
	}()
	err = p.raw("GET /tasks HTTP/1.1\r\nHost: " + l.addr + "\r\n")
	for i := 0; done.Err() == nil && err == nil; i++ {
		wait(done, time.Second)
		err = p.raw(fmt.Sprintf("X-%d: y\r\n", i))
	}
	<-done.Done()
	if l.issue.Err() != nil {
		return nil
	}
	if failed != nil || got.status != 408 || !bytes.Contains(got.body, []byte("urn:workman:problem:timeout")) {
		l.book.fault(faultConduct, "a head that never ends was answered %d %.200q (%v), not 408", got.status, got.body, failed)
	}
	return nil
}
