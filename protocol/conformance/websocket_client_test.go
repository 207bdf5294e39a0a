package conformance_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// The opcodes of RFC 6455 5.2.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

const fin = 0x80

var never time.Time // no deadline

// socket is a client of the WebSocket protocol that does as it is told, right or wrong. It shares no code with the server.
type socket struct{ *peer }

const handshake = "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n"

func openSocket(t *testing.T, addr, path string, fields ...string) *socket {
	t.Helper()
	s := &socket{dial(t, addr)}
	t.Cleanup(func() { _ = s.Close() })
	extra := ""
	for _, f := range fields {
		extra += f + "\r\n"
	}
	s.say(t, fmt.Sprintf(handshake, path, extra))
	res, err := http.ReadResponse(s.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 101 || res.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" { // RFC 6455 1.3
		t.Fatalf("handshake: %v", res)
	}
	if e := res.Header.Get("Sec-WebSocket-Extensions") + res.Header.Get("Sec-WebSocket-Protocol"); e != "" {
		t.Fatalf("the server agreed to %q", e)
	}
	return s
}

func (s *socket) say(t *testing.T, raw string) {
	t.Helper()
	if _, err := io.WriteString(s, raw); err != nil {
		t.Fatal(err)
	}
}

// frame is one that the server sent.
type frame struct {
	op      byte
	payload string
}

// String is what the tables of cases say: an opcode and a payload, of a close frame only the code.
func (f frame) String() string {
	p := f.payload
	switch f.op {
	case opText:
		return "text:" + p
	case opBinary:
		return "binary:" + p
	case opPing:
		return "ping:" + p
	case opPong:
		return "pong:" + p
	case opClose:
		if len(p) == 0 {
			return "close:"
		}
		return fmt.Sprint("close:", binary.BigEndian.Uint16([]byte(p)))
	}
	return fmt.Sprintf("opcode %d:%s", f.op, p)
}

var errServerFrame = errors.New("the server sent a frame that it must not")

// read takes one frame, and is as strict about the server as the server is about clients (RFC 6455 5.1, 5.2, 5.5).
func (s *socket) read() (frame, error) {
	var h [8]byte
	if _, err := io.ReadFull(s.in, h[:2]); err != nil {
		return frame{}, err
	}
	b0, n := h[0], uint64(h[1])
	wrong := b0&0xf0 != fin || n > 127 || b0&8 != 0 && n > 125 // not whole, reserved bits, masked
	switch n {
	case 126:
		if _, err := io.ReadFull(s.in, h[:2]); err != nil {
			return frame{}, err
		}
		n = uint64(binary.BigEndian.Uint16(h[:]))
		wrong = wrong || n < 126
	case 127:
		if _, err := io.ReadFull(s.in, h[:8]); err != nil {
			return frame{}, err
		}
		n = binary.BigEndian.Uint64(h[:])
		wrong = wrong || n < 1<<16 || n > 1<<30
	}
	if wrong {
		return frame{}, fmt.Errorf("%w: %08b, length %d", errServerFrame, b0, n)
	}
	p := make([]byte, n)
	_, err := io.ReadFull(s.in, p)
	if b0&15 == opClose && (n == 1 || n > 1 && binary.BigEndian.Uint16(p) < 1000) {
		return frame{}, fmt.Errorf("%w: close with %q", errServerFrame, p)
	}
	return frame{b0 & 15, string(p)}, err
}

var key = [4]byte{0x9c, 0x01, 0xfe, 0x37}

// header is the beginning of a masked frame of n bytes, in the shortest form.
func header(b0 byte, n int) string {
	b := []byte{b0}
	switch {
	case n <= 125:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	return string(append(b, key[:]...))
}

func mask(payload string) string {
	b := []byte(payload)
	for i := range b {
		b[i] ^= key[i&3]
	}
	return string(b)
}

// masked is a whole frame.
func masked(b0 byte, payload string) string { return header(b0, len(payload)) + mask(payload) }

func text(p string) string { return masked(fin|opText, p) }

// ending is a close frame.
func ending(code int, reason string) string {
	return masked(fin|opClose, string(binary.BigEndian.AppendUint16(nil, uint16(code)))+reason)
}
