package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"
)

// wsProducer sends tasks at its share of the rate over one WebSocket.
func wsProducer(l *load, r *rand.Rand, name string) error {
	p, err := l.websocket(name, "/websocket", 0)
	if err != nil {
		return err
	}
	defer p.close()
	defer l.book.abandon(p)
	broken := p.collect()
	err = l.paced(r, l.rate*wsShare/wsProducers, func() error {
		select {
		case err := <-broken:
			return err
		default:
		}
		if p.waiting.Load() >= maxWaiting {
			l.book.count(func(c *counts) { c.Skipped++ })
			return nil
		}
		return p.ask(r, l.steadyOrder(r))
	})
	if err != nil {
		return err
	}
	return p.listen(broken)
}

// steadyOrder is a small task, or now and then one of some KB. Three of four
// go to names whose workers stay: their latency counts.
func (l *load) steadyOrder(r *rand.Rand) order {
	do, size := "sum", 0
	if r.IntN(64) == 0 {
		do, size = "echo", r.IntN(8<<10)
	}
	if r.IntN(4) == 0 {
		return l.newOrder(r, churnName(r.IntN(nameCount)), do, size)
	}
	o := l.newOrder(r, plainName(r.IntN(nameCount)), do, size)
	o.timed = size == 0
	return o
}

// ask sends a task over the client's WebSocket.
func (p *client) ask(r *rand.Rand, o order) error {
	p.waiting.Add(1)
	p.load.book.send(o, p)
	return p.say(r, o.message())
}

// collect reads answers until the connection ends; the channel then says why.
func (p *client) collect() <-chan error {
	broken := make(chan error, 1)
	go func() {
		for {
			message, err := p.next()
			if err != nil {
				broken <- err
				return
			}
			p.settle(message)
		}
	}()
	return broken
}

// settle judges one answer.
func (p *client) settle(message []byte) {
	p.waiting.Add(-1)
	id, result, ok := parseAnswer(message)
	switch {
	case !ok:
		p.load.book.fault(faultStray, "%s got what is no answer: %.300q", p, message)
	case bytes.HasPrefix(result, []byte(refusal)):
		p.load.book.refuse(p, id, bytes.Contains(result, []byte("you do not read")), result)
	default:
		p.load.book.answer(p, id, result)
	}
}

// listen waits for the answers that are owed, and then a little for such that
// are not. Until the soak ends the connection must not.
func (p *client) listen(broken <-chan error) error {
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for p.waiting.Load() > 0 {
		select {
		case <-p.load.life.Done():
			return nil
		case err := <-broken:
			return err
		case <-look.C:
		}
	}
	select {
	case err := <-broken:
		return err
	case <-time.After(quiet):
	}
	return nil
}

// keepAliveProducer sends its share of tasks over one HTTP connection.
func keepAliveProducer(l *load, r *rand.Rand, name string) error {
	p, err := l.connect(name, 0)
	if err != nil {
		return err
	}
	defer p.close()
	defer l.book.abandon(p)
	return l.paced(r, l.rate*keepAliveShare/keepAlives, func() error {
		o := l.steadyOrder(r)
		if o.timed || r.IntN(2) == 0 {
			return p.post(o, l.request(http.MethodPost, o.path(), o.options), false)
		}
		return p.post(o, l.chunked(r, http.MethodPost, o.path(), o.options), false)
	})
}

// path is where to POST the order.
func (o order) path() string { return "/task/" + url.PathEscape(o.name) }

// post sends an order as this request, which asks the server to close the
// connection or not, and judges its answer.
func (p *client) post(o order, request string, closes bool) error {
	p.load.book.send(o, p)
	got, err := p.exchange(request)
	if err != nil {
		return err
	}
	switch got.status {
	case http.StatusOK:
		p.load.book.answer(p, o.id, got.body)
	case http.StatusServiceUnavailable:
		p.load.book.refuse(p, o.id, false, got.body)
	default:
		return fmt.Errorf("task %d was answered %d: %.200q", o.id, got.status, got.body)
	}
	if got.closed != closes {
		return fmt.Errorf("task %d: the server closes the connection: %v, and was asked to: %v", o.id, got.closed, closes)
	}
	if n := p.r.Buffered(); n > 0 {
		p.load.book.fault(faultDouble, "%s got %d bytes behind the answer to task %d", p, n, o.id)
		return errors.New("more came than one answer")
	}
	return nil
}

// closeProducer makes a connection for each task.
func closeProducer(l *load, r *rand.Rand, name string) error {
	return l.paced(r, min(l.rate*closeShare, maxClosesPerSec)/closers, func() error {
		p, err := l.connect(name, visitTime)
		if err != nil {
			return err
		}
		defer p.close()
		defer l.book.abandon(p)
		o := l.newOrder(r, churnName(r.IntN(nameCount)), "sum", 0)
		if err := p.post(o, l.request(http.MethodPost, o.path(), o.options, "Connection: close"), true); err != nil {
			return err
		}
		if n, err := p.r.Read(make([]byte, 1)); n > 0 || err == nil {
			return errors.New("the server did not end a connection that was to close")
		}
		return nil
	})
}

// large is a task of 64 KB to 1 MB, there and back.
func (l *load) large(r *rand.Rand) order {
	return l.newOrder(r, plainName(r.IntN(nameCount)), "echo", 64<<10+r.IntN(960<<10))
}

// largeWS sends large payloads over a WebSocket.
func largeWS(l *load, r *rand.Rand, name string) error {
	p, err := l.websocket(name, "/websocket", 0)
	if err != nil {
		return err
	}
	defer p.close()
	defer l.book.abandon(p)
	broken := p.collect()
	err = l.paced(r, largePerSec, func() error {
		select {
		case err := <-broken:
			return err
		default:
			return p.ask(r, l.large(r))
		}
	})
	if err != nil {
		return err
	}
	return p.listen(broken)
}

// largeHTTP sends large payloads over HTTP: whole, in chunks, and with
// Expect: 100-continue.
func largeHTTP(l *load, r *rand.Rand, name string) error {
	p, err := l.connect(name, 0)
	if err != nil {
		return err
	}
	defer p.close()
	defer l.book.abandon(p)
	return l.paced(r, largePerSec, func() error {
		switch o := l.large(r); r.IntN(3) {
		case 0:
			return p.post(o, l.request(http.MethodPost, o.path(), o.options), false)
		case 1:
			return p.post(o, l.request(http.MethodPost, o.path(), o.options, "Expect: 100-continue"), false)
		default:
			return p.post(o, l.chunked(r, http.MethodPost, o.path(), o.options), false)
		}
	})
}

// A producer that reads slowly: so many results of this size, for which it
// has so little room, are more than the kernel takes.
const (
	slowTasks  = 160
	slowResult = 64 << 10
	slowRoom   = 32 << 10
)

// slowProducer asks for more than it reads for some seconds, then reads all.
// The server may refuse what it is asked meanwhile, but must answer the rest.
func slowProducer(l *load, r *rand.Rand, name string) error {
	if !l.pause(r, time.Second, 10*time.Second) {
		return nil
	}
	p, err := l.websocket(name, "/websocket", visitTime)
	if err != nil {
		return err
	}
	defer p.close()
	defer l.book.abandon(p)
	if err := p.conn.(*net.TCPConn).SetReadBuffer(slowRoom); err != nil {
		return err
	}
	for range slowTasks {
		if err := p.ask(r, l.newOrder(r, churnName(r.IntN(nameCount)), "grow", slowResult)); err != nil {
			return err
		}
		wait(l.issue, 2*time.Millisecond)
	}
	wait(l.issue, someTime(r, 2*time.Second, 6*time.Second))
	for p.waiting.Load() > 0 {
		message, err := p.next()
		if err != nil {
			return err
		}
		p.settle(message)
	}
	return p.goodbye()
}
