package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

// TestA23NothingSecretIsLogged: at the most talkative level, with secrets in every place that a peer can write to, and
// in all that goes wrong, none of them is in the log.
func TestA23NothingSecretIsLogged(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		p := launch(t, "WORKMAN_LOG_LEVEL=debug", "WORKMAN_LOG_FORMAT="+format, "WORKMAN_MAX_CONNS=20", "WORKMAN_MAX_BYTES=4000000", "WORKMAN_DRAIN=100ms")
		log := p.drain()
		const fields = "Host: localhost\r\nAuthorization: Bearer SECRET-a\r\nCookie: SECRET-b\r\nX-Api-Key: SECRET-c\r\n" +
			"User-Agent: SECRET-d\r\nReferer: http://SECRET-e/\r\nProxy-Authorization: SECRET-f\r\n"
		for _, raw := range []string{
			"GET /tasks?SECRET-g HTTP/1.1\r\n" + fields + "\r\n",
			"GET /workers?key=SECRET-h HTTP/1.1\r\n" + fields + "\r\n", // by way of net/http
			"GET /workers?limit=SECRET-h HTTP/1.1\r\n" + fields + "\r\n",
			"GET /tasks?detail=1&SECRET-i HTTP/1.0\r\n" + fields + "\r\n",
			"GET /SECRET-j HTTP/1.1\r\n" + fields + "\r\n",
			"SECRET-k /tasks HTTP/1.1\r\n" + fields + "\r\n",
			"GET /tasks HTTP/1.1\r\n" + fields + "SECRET-l : x\r\n\r\n",
			"GET /tasks HTTP/1.1\r\nHost: SECRET-m.example\r\n\r\n",
			"GET /tasks HTTP/1.1\r\n" + fields + "Origin: https://SECRET-n.example\r\n\r\n",
			"POST /task/SECRET-o HTTP/1.1\r\n" + fields + "Content-Length: 8\r\n\r\nSECRET-p",
			"POST /schedule/SECRET-q/x HTTP/1.1\r\n" + fields + "Content-Length: 10\r\n\r\n\"SECRET-r\"",
			"POST /schedule/2099-01-01T00:00:00Z/SECRET-s HTTP/1.1\r\n" + fields + "Content-Length: 10\r\n\r\n\"SECRET-t\"",
			"DELETE /scheduled/SECRET-u HTTP/1.1\r\n" + fields + "\r\n",
			"POST /task/x HTTP/1.1\r\n" + fields + "Transfer-Encoding: chunked\r\n\r\n1;SECRET-v\r\n1\r\n0\r\nX: SECRET-w\r\nbad line\r\n\r\n",
			"POST /task/x HTTP/1.1\r\n" + fields + "Content-Length: 5000000\r\n\r\n\"" + strings.Repeat("SECRET-x", 600_000),
		} {
			ask(t, p.addr, raw)
		}
		q, w := p.socket("/websocket"), p.socket("/worker")
		w.say(`{"action":"RegisterTask","name":"SECRET-A"}`)
		w.say(`SECRET-B`)
		w.say(`{"action":"GetTask"}`)
		q.say(`SECRET-C`)
		q.hear()
		q.say(`{"action":"SECRET-D","nonce":"SECRET-E"}`)
		q.hear()
		q.say(`{"action":"RunTask","name":"SECRET-A","options":"SECRET-F","nonce":"SECRET-G"}`)
		w.say(`{"action":"SendResult","nonce":"` + tokenOf(t, w.hear()) + `","result":"SECRET-H"}`)
		q.hear()
		w.say(`{"action":"SendResult","nonce":"SECRET-I","result":"SECRET-J"}`)
		_, _ = p.socket("/worker").conn.Write([]byte("\x81\x08SECRET-K")) // not masked
		deaf(t, p, log)
		var all []net.Conn // more than may be
		for range 25 {
			all = append(all, dialMany(t, p.addr, 1)...)
		}
		answered(all[24])
		q.say(`{"action":"RunTask","name":"SECRET-L","options":"SECRET-M"}`)
		p.signal()
		waitFor(t, "the end", func() bool { return strings.Contains(log(), "workman has ended") })
		got := log()
		if strings.Contains(got, "SECRET") || strings.Contains(got, "Bearer") {
			t.Errorf("secrets are in the log:\n%s", got)
		}
		for _, want := range []string{"does not read", "draining"} {
			if !strings.Contains(got, want) {
				t.Errorf("the log does not say %q, so that this was not tried:\n%s", want, got)
			}
		}
		if i := strings.IndexFunc(got, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f }); i >= 0 {
			t.Errorf("the log has a control character at %d: %q", i, got[max(0, i-100):])
		}
	}
}

// deaf is a producer that reads nothing, and is closed for it.
func deaf(t *testing.T, p *program, log func() string) {
	t.Helper()
	w := p.socket("/worker")
	defer func() { _ = w.conn.Close() }()
	var all []byte
	for i := range 1000 {
		all = append(all, clientFrame(fmt.Sprintf(`{"action":"RegisterTask","name":"SECRET-N %0100d"}`, i))...)
	}
	_, _ = w.conn.Write(all)
	q := p.socket("/websocket")
	go func() { _, _ = q.conn.Write(bytes.Repeat(clientFrame(`{"action":"GetTasks"}`), 2000)) }()
	waitFor(t, "the deaf one to be closed", func() bool { return strings.Contains(log(), "does not read") })
	_ = q.conn.Close()
}

// TestA23ControlCharactersAreEscaped: should something that a peer wrote ever come into a log, it stays on its line.
func TestA23ControlCharactersAreEscaped(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var to bytes.Buffer
		o := options{LogFormat: format, LogLevel: "debug"}
		evil := "a\nlevel=ERROR msg=forged\r\x1b[31m\x00\u2028\u202e\xff\""
		o.logger(&to).Error(evil, "remote", evil, evil, errors.New(evil), "at", time.Time{}, slog.Group(evil, "k", evil))
		got := to.String()
		line, ok := strings.CutSuffix(got, "\n")
		if !ok || strings.IndexFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0 {
			t.Errorf("%s: %q", format, got)
		}
		if format == "json" && !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}
