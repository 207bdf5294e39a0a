package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
)

// badMessages are answered with an error, and the connection stays.
var badMessages = []string{
	`not JSON`, `null`, ``, `[]`, `{"action":"Bogus"}`, `{"action":"RunTask","name":""}`, `{"action":"RunTask"}`,
	`{"action":"RunTask","name":"plain-0","name":"plain-1"}`, `{"action":"RunTask","name":"plain-0","options":01}`,
	`{"action":"RunTask","name":"plain-0","options":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
	`{"action":"RunTask","name":"` + strings.Repeat("n", 200) + `"}`,
	`{"action":"ScheduleTask","when":"tomorrow","name":"sched"}`, `{"action":"GetTasks"} {}`, `{`, "{\"action\":\"\x01\"}",
}

func invalidMessages(l *load, r *rand.Rand) error {
	p, err := l.websocket("invalid messages", "/websocket", visitTime)
	if err != nil {
		return err
	}
	defer p.vanish(false)
	for range 1 + r.IntN(10) {
		bad := badMessages[r.IntN(len(badMessages))]
		if err := p.say(r, bad); err != nil {
			return err
		}
		answer, err := p.next()
		if err != nil {
			return fmt.Errorf("behind the invalid message %q: %w", bad, err)
		}
		if !bytes.HasPrefix(answer, []byte(refusal)) {
			l.book.fault(faultConduct, "the message %q was answered %.200q, not with an error", bad, answer)
		}
	}
	if err := p.say(r, `{"action":"GetTasks"}`); err != nil {
		return err
	}
	answer, err := p.next()
	if err != nil {
		return fmt.Errorf("behind invalid messages: %w", err)
	}
	if !bytes.HasPrefix(answer, []byte("[")) || !bytes.Contains(answer, []byte(`"plain-0"`)) {
		l.book.fault(faultConduct, "GetTasks behind invalid messages was answered %.200q", answer)
	}
	return p.goodbye()
}

// badFrames end a WebSocket with a code (RFC 6455 7.4.1).
var badFrames = []struct {
	what string
	code int
	send func(m mask) []byte
}{
	{"an unmasked frame", 1002, func(mask) []byte { return []byte("\x81\x02{}") }},
	{"a reserved bit", 1002, func(m mask) []byte { return flip(m.appendFrame(nil, opText, "{}"), 0x40) }},
	{"a reserved opcode", 1002, func(m mask) []byte { return m.appendFrame(nil, 3, "{}") }},
	{"a continuation of nothing", 1002, func(m mask) []byte { return m.appendFrame(nil, 0, "{}") }},
	{"a ping in fragments", 1002, func(m mask) []byte { return flip(m.appendFrame(nil, opPing, ""), 0x80) }},
	{"a ping of 126 bytes", 1002, func(m mask) []byte { return m.appendFrame(nil, opPing, strings.Repeat("p", 126)) }},
	{"a message within a message", 1002, func(m mask) []byte {
		return m.appendFrame(flip(m.appendFrame(nil, opText, "{"), 0x80), opText, "{}")
	}},
	{"a close frame of one byte", 1002, func(m mask) []byte { return m.appendFrame(nil, opClose, "\x03") }},
	{"a close frame with 1005", 1002, func(m mask) []byte { return m.appendFrame(nil, opClose, "\x03\xed") }},
	{"text that is not UTF-8", 1007, func(m mask) []byte { return m.appendFrame(nil, opText, "\"\xff\"") }},
	{"a frame of 2^40 bytes", 1009, func(mask) []byte {
		return append(binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, 1<<40), "mask"...)
	}},
	{"3000 pongs", 1008, func(m mask) (all []byte) {
		for range 3000 {
			all = m.appendFrame(all, opPong, "")
		}
		return all
	}},
}

// flip changes bits of a frame's first byte.
func flip(frame []byte, bits byte) []byte {
	frame[0] ^= bits
	return frame
}

func invalidFrames(l *load, r *rand.Rand) error {
	bad := badFrames[r.IntN(len(badFrames))]
	p, err := l.websocket("invalid frames", []string{"/websocket", "/worker"}[r.IntN(2)], visitTime)
	if err != nil {
		return err
	}
	defer p.vanish(false)
	if err := p.raw(string(bad.send(p.mask))); err != nil {
		return fmt.Errorf("sending %s: %w", bad.what, err)
	}
	code, err := p.ended()
	if code != bad.code {
		l.book.fault(faultConduct, "%s was answered with the close code %d (%v), not %d", bad.what, code, err, bad.code)
	}
	return nil
}

// badRequests are refused with a status. HOST stands for the server's.
var badRequests = []struct {
	request string
	status  int
	closes  bool // the connection cannot be used any more
}{
	{"GET /nothing HTTP/1.1\r\nHost: HOST\r\n\r\n", 404, false},
	{"GET /task/plain-0 HTTP/1.1\r\nHost: HOST\r\n\r\n", 405, false},
	{"GET /worker HTTP/1.1\r\nHost: HOST\r\n\r\n", 426, false},
	{"POST /task/plain-0 HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\n\r\n{]}", 400, false},
	{"POST /task/%zz HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n", 400, true},
	{"POST /task/%00 HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n", 400, false},
	{"POST /schedule/2026-02-31T00:00:00Z/sched HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n", 400, false},
	{"POST /task/plain-0 HTTP/1.1\r\nHost: HOST\r\nOrigin: https://example.com\r\nContent-Length: 0\r\n\r\n", 403, true},
	{"GET /tasks HTTP/1.1\r\n\r\n", 400, true},
	{"GET /tasks HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n", 400, true},
	{"GET /tasks HTTP/1.1\r\nHost: HOST\r\nA : b\r\n\r\n", 400, true},
	{"GET /tasks HTTP/1.1\r\nHost: HOST\r\nA: b\r\n c\r\n\r\n", 400, true},
	{"GET /tasks HTTP/1.1\nHost: HOST\n\n", 400, true},
	{"GET /tasks HTTP/4.0\r\nHost: HOST\r\n\r\n", 505, true},
	{"POST /task/plain-0 HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, true},
	{"POST /task/plain-0 HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n11", 400, true},
	{"POST /task/plain-0 HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: gzip\r\n\r\n", 501, true},
	{"POST /task/plain-0 HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400, true},
	{"POST /task/plain-0 HTTP/1.1\r\nHost: HOST\r\nContent-Length: 99999999999\r\n\r\n", 413, true},
	{"GET /" + strings.Repeat("a", 10<<10) + " HTTP/1.1\r\nHost: HOST\r\n\r\n", 414, true},
	{"GET /tasks HTTP/1.1\r\nHost: HOST\r\nX: " + strings.Repeat("x", 20<<10) + "\r\n\r\n", 431, true},
}

func invalidRequests(l *load, r *rand.Rand) error {
	p, err := l.connect("invalid requests", visitTime)
	if err != nil {
		return err
	}
	defer p.vanish(false)
	for range 1 + r.IntN(5) {
		bad := badRequests[r.IntN(len(badRequests))]
		got, err := p.exchange(strings.ReplaceAll(bad.request, "HOST", l.addr))
		if err != nil {
			return fmt.Errorf("behind the invalid request %.100q: %w", bad.request, err)
		}
		if got.status != bad.status || got.closed != bad.closes || !bytes.Contains(got.body, []byte(`"status":`)) {
			l.book.fault(faultConduct, "the request %.150q was answered %d (closing: %v) %.300q, not %d (closing: %v) with a problem document",
				bad.request, got.status, got.closed, got.body, bad.status, bad.closes)
		}
		if !got.closed {
			continue
		}
		if n, err := p.r.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
			l.book.fault(faultConduct, "behind the answer to %.150q the connection did not end, but: %d bytes, %v", bad.request, n, err)
		}
		return nil
	}
	return nil
}
