package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

// The messages of a worker that never change.
const askForTask = `{"action":"GetTask"}`

// register opens a worker's WebSocket, registers names and asks for tasks.
func (l *load) register(name string, within time.Duration, credits int, names ...string) (*client, error) {
	p, err := l.websocket(name, "/worker", within)
	if err != nil {
		return nil, err
	}
	messages := make([]string, 0, len(names)+credits)
	for _, n := range names {
		messages = append(messages, `{"action":"RegisterTask","name":"`+n+`"}`)
	}
	for range credits {
		messages = append(messages, askForTask)
	}
	if err := p.text(messages...); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// stayingWorker serves all names that stay, as long as the soak lives.
func stayingWorker(l *load, r *rand.Rand, name string) error {
	names := []string{schedName}
	for i := range nameCount {
		names = append(names, plainName(i), churnName(i))
	}
	p, err := l.register(name, 0, stayingCredits, names...)
	if err != nil {
		return err
	}
	defer p.close()
	for {
		j, err := p.job()
		if err != nil {
			return err
		}
		if err := p.do(r, j, true); err != nil {
			return err
		}
	}
}

// job waits for the next task.
func (p *client) job() (job, error) {
	message, err := p.next()
	if err != nil {
		return job{}, err
	}
	return p.given(message)
}

// given takes a task from a message.
func (p *client) given(message []byte) (job, error) {
	j, err := parseJob(message)
	if err != nil {
		p.load.book.fault(faultStray, "%v", err)
		return job{}, err
	}
	if j.name == schedName {
		p.load.book.fire(j.id)
	} else {
		p.load.book.take(j.id, p)
	}
	return j, nil
}

// do answers a task, and asks for another one if more.
func (p *client) do(r *rand.Rand, j job, more bool) error {
	p.load.book.give(j.id)
	reply := j.reply()
	if r.IntN(32) == 0 {
		if err := p.fragments(r, reply); err != nil || !more {
			return err
		}
		return p.text(askForTask)
	}
	if !more {
		return p.text(reply)
	}
	return p.text(reply, askForTask)
}

// Tasks for a worker that reads slowly.
const (
	lazyTasks   = 128
	lazyOptions = 32 << 10
)

// lazyWorker asks for many tasks, does not read them for a while, then reads
// and answers all. They are its own name's, and a producer of its own sends
// them.
func lazyWorker(l *load, r *rand.Rand, name string) error {
	if !l.pause(r, time.Second, 10*time.Second) {
		<-l.life.Done()
		return nil
	}
	w, err := l.register(name, visitTime, lazyTasks, lazyName)
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.conn.(*net.TCPConn).SetReadBuffer(slowRoom); err != nil {
		return err
	}
	p, err := l.websocket(name+"'s producer", "/websocket", visitTime)
	if err != nil {
		return err
	}
	defer p.close()
	defer l.book.abandon(p)
	for range lazyTasks {
		if err := p.ask(r, l.newOrder(r, lazyName, "sum", lazyOptions)); err != nil {
			return err
		}
	}
	wait(l.issue, someTime(r, time.Second, 4*time.Second))
	broken := p.collect()
	for late := time.Now().Add(visitTime); p.waiting.Load() > 0; {
		// more credit than tasks: some of a session that broke may be left
		if err := w.during(10*time.Millisecond, func(j job) error { return w.do(r, j, true) }); err != nil {
			return err
		}
		select {
		case err := <-broken:
			return err
		default:
		}
		if time.Now().After(late) {
			return fmt.Errorf("%d of %d tasks were not answered in %v", p.waiting.Load(), lazyTasks, visitTime)
		}
	}
	return nil
}
