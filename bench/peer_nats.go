package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"
)

// The protocol of NATS (docs.nats.io, client protocol): lines, and a payload
// behind those that announce one. A request is published with a subject for
// its reply; all workers subscribe to the requests as one queue group.
const (
	natsConnect   = `CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"protocol":1}` + "\r\n"
	natsSubscribe = "SUB work workers 1\r\nPING\r\n"
	natsTaskHead  = "MSG work 1 "
	natsInbox     = "_INBOX."
	natsNonceAt   = len("MSG ") + len(natsInbox) + 3 // two characters and a dot
	natsMiddle    = " 1 18\r\n"                      // subscription 1, sumLen bytes
	natsSumAt     = natsNonceAt + nonceLen + len(natsMiddle)
	natsResultLen = natsSumAt + sumLen + 2
)

// maxLine is the longest line taken of a system whose protocol has lines, in
// bytes. The longest is NATS' INFO.
const maxLine = 8 << 10

// natsClients speak to nats-server, over TCP or inside a WebSocket.
type natsClients struct{ webSocket bool }

func (n natsClients) producer(sc scenario, addr string, i int, l *ledger, random *source) (socket, debtor, error) {
	p := newNATSProducer(i, sc.Outstanding, l, random)
	if !n.webSocket {
		s, err := dial(addr, "")
		return s, p, err
	}
	s, err := dial(addr, "/")
	return s, &framedDebtor{framed{inner: p, mask: newMask(random.next())}, p}, err
}

// worker connects a worker and waits until the server has its subscription: a
// request that nobody listens for would be refused.
func (n natsClients) worker(_ scenario, addr string, i int, random *source) (socket, peer, error) {
	w := &natsWorker{id: i}
	var p peer = w
	greet := func(conn net.Conn) ([]byte, error) { return rehearse(conn, nil, p, &w.subscribed) }
	if n.webSocket {
		p = &framed{inner: w, mask: newMask(random.next())}
		greet = func(conn net.Conn) ([]byte, error) {
			said, err := handshake(conn, addr, "/")
			if err != nil {
				return nil, err
			}
			return rehearse(conn, said, p, &w.subscribed)
		}
	}
	s, err := connect(addr, greet)
	return s, p, err
}

// rehearse plays a peer on a blocking connection until it is ready, from what
// the server said already. It returns what the peer has not taken.
func rehearse(conn net.Conn, said []byte, p peer, ready *bool) (left []byte, err error) {
	if err := conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return nil, err
	}
	out := p.open(nil, 0)
	for more := make([]byte, maxLine); ; {
		if _, err := conn.Write(out); err != nil || *ready {
			return said, err
		}
		n, err := conn.Read(more)
		if err != nil {
			return nil, fmt.Errorf("waiting for the server's answer to %s: %w", p, err)
		}
		said = append(said, more[:n]...)
		var used int
		if used, out, err = p.receive(said, out[:0], 0); err != nil {
			return nil, err
		}
		said = said[used:]
	}
}

// natsProducer publishes requests and gets their replies in an inbox of its
// own, whose last token names the slot. It uses these subjects again and again:
// a new one for each request, which is what NATS' own clients take, misses the
// server's cache of subjects, and was measured at 1.4 times the CPU.
type natsProducer struct {
	calls
	head string // of each reply
}

func newNATSProducer(id, outstanding int, l *ledger, random *source) *natsProducer {
	inbox := natsInbox + producerTag(id) + "."
	message := fmt.Sprintf("PUB work %s%s %d\r\n%s\r\n", inbox, nonceGap, optionsLen, optionsText)
	p := &natsProducer{newCalls("NATS", id, outstanding, l, random, message), "MSG " + inbox}
	p.reuse = true
	return p
}

// open subscribes to the inbox and publishes the first requests.
func (p *natsProducer) open(out []byte, now int64) []byte {
	out = append(out, natsConnect+"SUB "+p.head[len("MSG "):]+"* 1\r\n"...)
	return p.issueAll(out, now)
}

// receive checks all whole replies in data and publishes a request for each.
func (p *natsProducer) receive(data, out []byte, now int64) (used int, _ []byte, err error) {
	for {
		b := data[used:]
		if len(b) < natsResultLen || string(b[:natsNonceAt]) != p.head {
			size, next, err := natsLine(b, out)
			if size == 0 || err != nil {
				return used, out, err
			}
			out, used = next, used+size
			continue
		}
		if string(b[natsNonceAt+nonceLen:natsSumAt]) != natsMiddle || string(b[natsSumAt+sumLen:natsResultLen]) != "\r\n" {
			return used, out, fmt.Errorf("the reply is no sum of %d bytes: %.200q", sumLen, b)
		}
		used += natsResultLen
		i := p.answer(binary.LittleEndian.Uint64(b[natsNonceAt:]), b[natsSumAt:natsSumAt+sumLen], now)
		if i >= 0 && p.ledger.issuing {
			out = p.issue(i, out, now)
		}
	}
}

// natsWorker answers each request that it is given. It cannot say how many it
// wants: the server pushes.
type natsWorker struct {
	id         int
	greeted    bool
	subscribed bool
}

// open subscribes, the first time.
func (w *natsWorker) open(out []byte, _ int64) []byte {
	if w.greeted {
		return out
	}
	w.greeted = true
	return append(out, natsConnect+natsSubscribe...)
}

// natsTaskTail is what follows the reply's subject in a request.
const natsTaskTail = " 47\r\n" // optionsLen bytes

// receive answers all whole requests in data.
func (w *natsWorker) receive(data, out []byte, _ int64) (used int, _ []byte, err error) {
	for {
		b := data[used:]
		reply, options, size := natsTask(b)
		if size == 0 {
			size, next, err := natsLine(b, out)
			if size == 0 || err != nil {
				return used, out, err
			}
			w.subscribed = w.subscribed || string(b[:size]) == "PONG\r\n"
			out, used = next, used+size
			continue
		}
		x, y, ok := parseOptions(options)
		if !ok {
			return used, out, fmt.Errorf("%.300q is no request with the options as they were sent", b[:size])
		}
		used += size
		out = append(append(append(out, "PUB "...), reply...), " 18\r\n"...)
		out = append(appendSum(out, x.plus(y)), "\r\n"...)
	}
}

// String names the worker in errors.
func (w *natsWorker) String() string { return fmt.Sprintf("NATS worker %d", w.id) }

// natsTask takes the request at the start of b apart. size is 0 if there is
// none, or not all of it.
func natsTask(b []byte) (reply, options []byte, size int) {
	if len(b) < len(natsTaskHead) || string(b[:len(natsTaskHead)]) != natsTaskHead {
		return nil, nil, 0
	}
	end := bytes.IndexByte(b[len(natsTaskHead):], ' ') + len(natsTaskHead)
	at := end + len(natsTaskTail)
	size = at + optionsLen + 2
	if end < len(natsTaskHead) || len(b) < size || string(b[end:at]) != natsTaskTail {
		return nil, nil, 0
	}
	return b[len(natsTaskHead):end], b[at : at+optionsLen], size
}

// errNATSRefused is returned when the server had nobody to give a request to.
var errNATSRefused = errors.New("NATS refused a request: no worker listens")

// natsLine takes a line that is not the message that a client waits for, and
// answers a ping. size is 0 if b holds only a part of it.
func natsLine(b, out []byte) (size int, _ []byte, err error) {
	size = bytes.IndexByte(b, '\n') + 1
	if size == 0 {
		return 0, out, tooLong(b)
	}
	line := bytes.TrimRight(b[:size], "\r\n")
	verb, _, _ := bytes.Cut(line, []byte(" "))
	switch string(verb) {
	case "PING":
		return size, append(out, "PONG\r\n"...), nil
	case "PONG", "INFO", "+OK":
		return size, out, nil
	case "MSG":
		if n, ok := lastNumber(line); ok && len(b) < size+n+2 && n <= readBuffer/2 {
			return 0, out, nil // its payload is still to come
		}
	case "HMSG":
		return 0, out, errNATSRefused
	}
	return 0, out, fmt.Errorf("the server said %.300q, which is nothing that the bench asked for", b)
}

// lastNumber is the number at the end of a line, which says how long the
// payload behind it is.
func lastNumber(line []byte) (n int, ok bool) {
	for _, c := range line[bytes.LastIndexByte(line, ' ')+1:] {
		if c < '0' || c > '9' || n > readBuffer {
			return 0, false
		}
		n, ok = 10*n+int(c-'0'), true
	}
	return n, ok
}

// tooLong is an error if b, which has no end of line, is more than a line.
func tooLong(b []byte) error {
	if len(b) > maxLine {
		return fmt.Errorf("a line of more than %d bytes: %.200q", maxLine, b)
	}
	return nil
}
