package protocol_test

import (
	"math/rand"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"workman/protocol"
)

// What fuzzers that know no grammar take long to find: requests and frames put together at random of pieces that are
// good, bad and between.

var headPieces = [][]string{
	{"GET", "POST", "HEAD", "OPTIONS", "CONNECT", "get", "G(T", ""},
	{" ", "  ", "\t"},
	{"/", "/later", "/a%2fb", "/a%", "/a?b=%", "*", "http://a/b", "HTTP://a:80?c", "//a//", "/#", "/\xff", "a", "http://a@b/", "/ /", ""},
	{" ", " ", " ", "  "},
	{"HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", ""},
}

var fieldPieces = []string{
	"Content-Length: 5", "content-length:5", "Content-Length: 05", "Content-Length: 5 ", "Content-Length: +5", "Content-Length: 5,5",
	"Content-Length: 0", "Content-Length:", "Content-Length : 5", "Content-Length: 4294967297", "Content-Length: 5\x00",
	"Transfer-Encoding: chunked", "transfer-encoding: Chunked\t", "Transfer-Encoding: gzip", "Transfer-Encoding: chunked, chunked",
	"Transfer-Encoding: identity", "Transfer-Encoding:", "Transfer-Encoding\t: chunked", "Transfer-Encoding: chunked\x0b", "X: y\r\n z",
	" X: y", ": y", "X", "X: a\rb", "X: y\nContent-Length: 3", "Host: b", "Connection: close", "Connection: keep-alive", "Trailer: X",
	"Trailer: Content-Length", "Expect: 100-continue", "Expect: x", "X-\xc3: y", "X: \xc3\xa4", "Sec-Fetch-Site: none", "Upgrade: h2c", "Connection: upgrade",
}

var bodyPieces = []string{
	"hello", "5\r\nhello\r\n0\r\n\r\n", "5;x\r\nhello\r\n00\r\nA: b\r\n\r\n", "0\r\n\r\n", "5\nhello\n0\n\n", "5 \r\nhello\r\n0\r\n\r\n", "",
	"1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", "2\r\nhello\r\n0\r\n\r\n", "0\r\n X: y\r\n\r\n",
}

func randomRequest(rnd *rand.Rand) string {
	pick := func(from []string, good float64) string { // the first ones are the good ones
		if rnd.Float64() < good {
			return from[rnd.Intn(min(3, len(from)))]
		}
		return from[rnd.Intn(len(from))]
	}
	var b strings.Builder
	for i, p := range headPieces {
		if i&1 == 1 || i == 4 {
			b.WriteString(p[rnd.Intn(len(p))*rnd.Intn(2)*rnd.Intn(2)])
			continue
		}
		b.WriteString(pick(p, 0.8))
	}
	lines := []string{"Host: localhost"}
	for range rnd.Intn(4) {
		lines = append(lines, fieldPieces[rnd.Intn(len(fieldPieces))])
	}
	rnd.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	end := "\r\n"
	if rnd.Intn(20) == 0 {
		end = "\n"
	}
	b.WriteString(end + strings.Join(lines, "\r\n") + end + "\r\n")
	b.WriteString(pick(bodyPieces, 0.6))
	return b.String()
}

func TestRandomHeadsAgainstStandard(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	taken := 0
	for range 60_000 {
		in := randomRequest(rnd)
		r := newRig(t, func(c *protocol.Config) { c.Access.Loopback = false })
		r.svc.ask = func(s *protocol.Session, q *protocol.Request) {
			if q.Seq == 0 {
				taken++
				sameAsStandard(t, []byte(in), q)
			}
			s.Respond(q.Seq, protocol.Answer{Status: 204})
		}
		r.feed(in)
		if t.Failed() {
			t.Fatalf("%q", in)
		}
	}
	if taken < 6000 {
		t.Errorf("only %d were taken", taken)
	}
}

func TestRandomSplits(t *testing.T) {
	rnd := rand.New(rand.NewSource(2))
	cuts := func() []byte {
		b := make([]byte, 1+rnd.Intn(5))
		for i := range b {
			b[i] = byte(rnd.Intn(61))
		}
		return b
	}
	for range 3000 {
		in := ""
		for range 1 + rnd.Intn(4) {
			if rnd.Intn(2) == 0 {
				in += randomRequest(rnd)
			} else {
				in += []string{get("/"), get("/later"), handshake, "\r\n", usualPost}[rnd.Intn(5)]
			}
		}
		checkSplit(t, "", []byte(in), cuts())
	}
	for range 3000 {
		in := ""
		for range 1 + rnd.Intn(8) {
			in += randomFrame(rnd)
		}
		checkSplit(t, handshake, []byte(in), cuts())
	}
}

func randomFrame(rnd *rand.Rand) string {
	ops := []ws.OpCode{ws.OpText, ws.OpText, ws.OpText, ws.OpBinary, ws.OpContinuation, ws.OpContinuation, ws.OpPing, ws.OpPong}
	text := strings.Repeat([]string{"", "a", "\u20ac", "\xe2", "\x82\xac", "ab\u00e4"}[rnd.Intn(6)], rnd.Intn(40))
	frame := masked(ops[rnd.Intn(len(ops))], rnd.Intn(3) > 0 || rnd.Intn(2) > 0, text)
	switch rnd.Intn(30) {
	case 0:
		return masked(ws.OpClose, true, []string{"", "\x03\xe8", "\x03\xe8bye", "\x00", "\x03\xec"}[rnd.Intn(5)])
	case 1:
		return frame[:rnd.Intn(len(frame))]
	case 2:
		return string(rune(rnd.Intn(256))) + frame
	}
	return frame
}
