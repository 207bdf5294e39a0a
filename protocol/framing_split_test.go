package protocol_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"workman/protocol"
)

// small makes every limit one that a fuzzer reaches.
func small(c *protocol.Config) {
	c.MaxHeader, c.MaxTarget, c.MaxBody, c.MaxMessage = 512, 128, 300, 300
	c.MaxPipelined, c.MaxFragments, c.MaxControls = 8, 6, 10
}

// transcript is all that a session does when it is fed in pieces, the lengths of which cuts gives, over and over.
func transcript(t *testing.T, first string, in, cuts []byte) string {
	r := newRig(t, small)
	r.feed(first)
	for i := 0; len(in) > 0; i++ {
		n := len(in)
		if len(cuts) > 0 {
			n = min(n, int(cuts[i%len(cuts)])%61)
		}
		r.feed(string(in[:n])) // a copy: what the service keeps hold of by mistake is not what comes next
		if in = in[n:]; n == 0 && i%61 == 60 {
			cuts = nil
		}
	}
	phase := r.s.Phase()
	r.svc.release(&r.s)
	r.turn()
	r.s.End()
	if r.s.Held() != 0 {
		t.Errorf("%d bytes held at the end", r.s.Held())
	}
	if want := min(1, len(r.svc.calls)); r.svc.ended != want {
		t.Errorf("ended %d times, want %d", r.svc.ended, want)
	}
	// Whether a body was there when its turn came is a matter of how it was cut.
	out := strings.ReplaceAll(string(r.out), "HTTP/1.1 100 Continue\r\n\r\n", "")
	return fmt.Sprintf("%s\n%q\n%d, %v", strings.Join(r.svc.calls, "\n"), out, phase, r.s.Heard)
}

func checkSplit(t *testing.T, first string, in, cuts []byte) {
	want := transcript(t, first, in, nil)
	for _, c := range [][]byte{cuts, {1}} {
		if got := transcript(t, first, in, c); len(c) > 0 && got != want {
			t.Fatalf("cut by %v:\n%s\nwhole:\n%s", c, got, want)
		}
	}
}

// Requirement 6: a request cut at any byte gets the same answers as one sent whole, in order.
func FuzzSplitHTTP(f *testing.F) {
	post := func(fields, body string) string { return "POST /p?q HTTP/1.1\r\n" + local + fields + "\r\n" + body }
	for _, in := range []string{
		get("/") + get("/later") + get("/later") + post("Content-Length: 5\r\n", "hello") + get("/x"),
		post("Transfer-Encoding: chunked\r\n", "5;a\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n") + get("/later"),
		post("Expect: 100-continue\r\nContent-Length: 2\r\n", "ab") + "\r\n" + get("/later") +
			post("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
		get("/later") + handshake + "behind",
		handshake + masked(ws.OpText, true, "behind") + masked(ws.OpClose, true, ""),
		strings.Replace(handshake, "/ws", "/no", 1) + get("/"),
		"HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n" + get("/"),
		strings.Repeat(get("/later"), 10),
		post("Content-Length: 301\r\n", ""), post("Transfer-Encoding: chunked\r\n", "12d\r\n"),
		get("/" + strings.Repeat("a", 200)), get("/#" + strings.Repeat("a", 200)), get("/") + "GET /" + strings.Repeat("a", 600), sized(512), sized(513),
		"GET / HTTP/1.1\r\nHost: x\n\n", "\r\n\r\n" + get("/"), "\r\n\r\n\r\n", "\x16\x03\x01", "GET / HTTP/1.1\r\n" + local + "A: \x00\r\n\r\n",
	} {
		f.Add([]byte(in), []byte{3, 50, 7})
		f.Add([]byte(in), []byte{1})
	}
	f.Fuzz(func(t *testing.T, in, cuts []byte) { checkSplit(t, "", in, cuts) })
}

// The same of frames.
func FuzzSplitWS(f *testing.F) {
	text := strings.Repeat("text \u20ac ", 20)
	for _, in := range []string{
		masked(ws.OpText, true, "hello") + masked(ws.OpBinary, true, "") + masked(ws.OpText, true, text),
		masked(ws.OpText, false, text[:6]) + masked(ws.OpPing, true, "ping") + masked(ws.OpContinuation, false, text[6:7]) +
			masked(ws.OpPong, true, "") + masked(ws.OpContinuation, true, text[7:]) + masked(ws.OpText, true, "next"),
		masked(ws.OpText, true, "ok") + masked(ws.OpClose, true, "\x03\xe8bye") + masked(ws.OpText, true, "behind"),
		masked(ws.OpText, false, "\xed\xa0") + masked(ws.OpPing, true, "x"),
		masked(ws.OpBinary, false, strings.Repeat("x", 200)) + masked(ws.OpPing, true, "x") + masked(ws.OpContinuation, true, strings.Repeat("y", 101)),
		masked(ws.OpBinary, true, strings.Repeat("x", 301)),
		masked(ws.OpText, false, "") + strings.Repeat(masked(ws.OpContinuation, false, ""), 9),
		strings.Repeat(masked(ws.OpPing, true, "p"), 12),
		"\x81\x05hello", "\x81\xfe\x00\x05\x00\x00\x00\x00hello", "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		f.Add([]byte(in), []byte{3, 50, 7})
		f.Add([]byte(in), []byte{2, 4})
	}
	f.Fuzz(func(t *testing.T, in, cuts []byte) { checkSplit(t, handshake, in, cuts) })
}

// What we take, net/http must read the same way: else somebody behind us would see another request than we did.
func FuzzHead(f *testing.F) {
	for _, in := range []string{
		get("/tasks"), get("/a%2Fb?c=%&d"), get("http://localhost:9/x?y"), get("//a//b?"), get("/\xc3\xa4"), get("/a?b#c"),
		"OPTIONS * HTTP/1.1\r\n" + local + "\r\n", "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
		"POST / HTTP/1.1\r\n" + local + "Content-Length: 005\r\n\r\nhello", chunkedHead + "5\r\nhello\r\n0\r\nA: b\r\n\r\n",
		"POST / HTTP/1.1\r\n" + local + "transfer-encoding:\tCHUNKED \r\ntrailer: A\r\n\r\n1;x=y\r\na\r\n00\r\n\r\n",
		"POST / HTTP/1.1\r\n" + local + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\n" + local + "Content-Length : 5\r\n\r\nhello", "GET / HTTP/1.1\r\n" + local + "A: b\r\n c\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n", "\r\n" + get("/"),
	} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := newRig(t, func(c *protocol.Config) { c.Access.Loopback = false })
		taken := false
		r.svc.ask = func(s *protocol.Session, q *protocol.Request) {
			if !taken {
				sameAsStandard(t, in, q)
			}
			taken = true
			s.Respond(q.Seq, protocol.Answer{Status: 204})
		}
		r.feed(string(in))
	})
}

func sameAsStandard(t *testing.T, in []byte, q *protocol.Request) {
	for bytes.HasPrefix(in, []byte("\r\n")) { // net/http lets none pass
		in = in[2:]
	}
	std, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(in)))
	if err != nil {
		t.Fatalf("net/http: %v", err)
	}
	if std.Method != string(q.Method) || std.RequestURI != string(q.Target) || std.URL.RawQuery != string(q.Query) {
		t.Fatalf("%q %q %q", std.Method, std.RequestURI, std.URL.RawQuery)
	}
	path, err := url.PathUnescape(string(q.Path))
	if err != nil || path != std.URL.Path && (std.URL.Path != "" || path != "/") {
		t.Fatalf("path %q, and for net/http %q (%v)", path, std.URL.Path, err)
	}
	if std.Host != string(q.Host) {
		t.Fatalf("host %q, and for net/http %q", q.Host, std.Host)
	}
	body, err := io.ReadAll(std.Body)
	if errors.Is(err, io.ErrUnexpectedEOF) || err != nil || !bytes.Equal(body, q.Body.Of(q.Base)) {
		t.Fatalf("body %q, and for net/http %q (%v)", q.Body.Of(q.Base), body, err)
	}
}
