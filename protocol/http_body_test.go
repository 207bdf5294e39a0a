package protocol_test

import (
	"fmt"
	"strings"
	"testing"

	"workman/protocol"
)

const chunkedHead = "POST /c HTTP/1.1\r\n" + local + "Transfer-Encoding: chunked\r\n\r\n"

// Requirement 5: chunk framing is strict.
func TestChunks(t *testing.T) {
	for _, c := range []struct {
		name, in, body string
		want           int
	}{
		{"one", "5\r\nhello\r\n0\r\n\r\n", "hello", 200},
		{"several", "5\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\n\r\n", "hello 0123456789", 200},
		{"none", "0\r\n\r\n", "", 200},
		{"leading zeros", "0000000000000005\r\nhello\r\n000\r\n\r\n", "hello", 200},
		{"hex", "a\r\n0123456789\r\n0\r\n\r\n", "0123456789", 200},
		{"extension", "5;a=\"b\";c\r\nhello\r\n0;d\r\n\r\n", "hello", 200},
		{"escape in a quoted extension", "5;a=\"b\\\"; c\"\r\nhello\r\n0\r\n\r\n", "hello", 200},
		{"trailers of nearly that name", "0\r\nHos: a\r\nHosts: b\r\nContent-Lengt: 1\r\nContent-Length-: 1\r\n\r\n", "", 200},
		{"trailers", "5\r\nhello\r\n0\r\nA: b\r\nC:\r\n\r\n", "hello", 200},
		{"data with CRLF", "4\r\n\r\n0\n\r\n0\r\n\r\n", "\r\n0\n", 200},

		{"no size", "\r\nhello\r\n0\r\n\r\n", "", 400},
		{"no size at the end", "\r\n\r\n", "", 400},
		{"extension without a size", ";a\r\n\r\n", "", 400},
		{"17 digits", "00000000000000005\r\nhello\r\n0\r\n\r\n", "", 400},
		{"minus", "-5\r\nhello\r\n0\r\n\r\n", "", 400},
		{"plus", "+5\r\nhello\r\n0\r\n\r\n", "", 400},
		{"0x", "0x5\r\nhello\r\n0\r\n\r\n", "", 400},
		{"underscore", "1_0\r\nhello\r\n0\r\n\r\n", "", 400},
		{"space before", " 5\r\nhello\r\n0\r\n\r\n", "", 400},
		{"trailing space", "5 \r\nhello\r\n0\r\n\r\n", "", 400},
		{"trailing tab", "5\t\r\nhello\r\n0\r\n\r\n", "", 400},
		{"bare LF behind a size", "5\nhello\r\n0\r\n\r\n", "", 400},
		{"bare CR behind a size", "5\rhello\r\n0\r\n\r\n", "", 400},
		{"bare LF behind data", "5\r\nhello\n0\r\n\r\n", "", 400},
		{"bare CR behind data", "5\r\nhello\rX0\r\n\r\n", "", 400},
		{"data too long", "5\r\nhello!\r\n0\r\n\r\n", "", 400},
		{"bare LF in an extension", "5;a\n\r\nhello\r\n0\r\n\r\n", "", 400},
		{"bare CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n", "", 400},
		{"NUL in an extension", "5;\x00\r\nhello\r\n0\r\n\r\n", "", 400},
		{"space at the end of an extension", "5;a=b \r\nhello\r\n0\r\n\r\n", "", 400},
		{"space in an extension", "5; a=b\r\nhello\r\n0\r\n\r\n", "", 400},
		{"extension without a name", "5;\r\nhello\r\n0\r\n\r\n", "", 400},
		{"extension without a value", "5;a=\r\nhello\r\n0\r\n\r\n", "", 400},
		{"extension of no form", "5;=;\xff\r\nhello\r\n0\r\n\r\n", "", 400},
		{"open quote", "5;a=\"\r\nhello\r\n0\r\n\r\n", "", 400},
		{"text behind a quote", "5;a=\"b\"c\r\nhello\r\n0\r\n\r\n", "", 400},
		{"escaped quote", "5;a=\"b\\\"\r\nhello\r\n0\r\n\r\n", "", 400},
		{"trailer Content-Length", "0\r\nContent-Length: 5\r\n\r\n", "", 400},
		{"trailer transfer-encoding", "0\r\nA: b\r\ntransfer-ENCODING: x\r\n\r\n", "", 400},
		{"trailer Host", "0\r\nHost: x\r\n\r\n", "", 400},
		{"bare LF at the end", "0\r\n\n", "", 400},
		{"bare CR at the end", "0\r\n\rX", "", 400},
		{"trailer without colon", "0\r\nA\r\n\r\n", "", 400},
		{"trailer without name", "0\r\n: b\r\n\r\n", "", 400},
		{"trailer with bare LF", "0\r\nA: b\n\r\n", "", 400},
		{"trailer folded", "0\r\nA: b\r\n c\r\n\r\n", "", 400},
		{"trailer with NUL", "0\r\nA: \x00\r\n\r\n", "", 400},
		{"too large at once", "1000001\r\n", "", 413},
		{"too large for 64 bits, nearly", "ffffffffffffffff\r\n", "", 413},
		{"too large together", "1\r\na\r\n1000000\r\n", "", 413},
		{"extensions too large", "5;" + strings.Repeat("a", 17000) + "\r\nhello\r\n0\r\n\r\n", "", 431},
		{"extensions too large together", strings.Repeat("1;"+strings.Repeat("a", 100)+"\r\nb\r\n", 200), "", 431},
		{"trailers too large", "0\r\n" + strings.Repeat("A: b\r\n", 3000) + "\r\n", "", 431},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			out := r.feed(chunkedHead + c.in + "GET /second HTTP/1.1\r\n" + local + "\r\n")
			if first := status(out[:min(len(out), 13)]); first != c.want {
				t.Fatalf("status %d, want %d: %.300q", first, c.want, out)
			}
			if c.want == 200 {
				r.wantCalls(fmt.Sprintf("request 0 POST /c? %q", c.body), `request 1 GET /second? ""`)
				return
			}
			checkProblem(t, out, c.want)
			r.wantCalls()
			r.wantPhase(protocol.PhaseDone)
		})
	}
}

// Requirement 2's like for bodies: what is declared costs nothing, only what has come.
func TestBodyGrowsWithWhatArrives(t *testing.T) {
	r := newRig(t, nil)
	const size = 16 << 20
	r.feed(fmt.Sprintf("POST / HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n", local, size))
	r.wantPhase(protocol.PhaseBody)
	part := strings.Repeat("x", 1000)
	for sent := 0; sent < size; sent += len(part) {
		if held := r.s.Held(); held > 4*sent+2048 {
			t.Fatalf("after %d bytes %d are held", sent, held)
		}
		r.feed(part[:min(len(part), size-sent)])
	}
	if out := string(r.out); status(out) != 200 || len(out) < size {
		t.Errorf("%d bytes: %.100q", len(out), out)
	}
	if r.s.Held() != 0 {
		t.Errorf("%d bytes held at the end", r.s.Held())
	}
	r = newRig(t, nil)
	r.feed(chunkedHead + "1000000\r\n")
	if r.s.Held() > 4096 {
		t.Errorf("a declared chunk holds %d bytes", r.s.Held())
	}
}

func TestBodyOverLimitNamesIt(t *testing.T) {
	r := newRig(t, func(c *protocol.Config) { c.MaxBody = 1234 })
	out := r.feed("POST / HTTP/1.1\r\n" + local + "Expect: 100-continue\r\nContent-Length: 1235\r\n\r\n")
	if status(out) != 413 || !strings.Contains(out, "1234 bytes") || strings.Contains(out, " 100 ") {
		t.Errorf("%q", out)
	}
	r = newRig(t, func(c *protocol.Config) { c.MaxBody = 1234 })
	if out := r.feed("POST / HTTP/1.1\r\n" + local + "Content-Length: 1234\r\n\r\n" + strings.Repeat("a", 1234)); status(out) != 200 {
		t.Errorf("%q", out)
	}
}

// RFC 9110 10.1.1: 100 (Continue) when it is that request's turn, and its body is not there yet.
func TestContinue(t *testing.T) {
	const goOn = "HTTP/1.1 100 Continue\r\n\r\n"
	const head = "POST /e HTTP/1.1\r\n" + local + "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n"
	r := newRig(t, nil)
	if out := r.feed(head); out != goOn {
		t.Errorf("%q", out)
	}
	if out := r.feed("ab"); status(out) != 200 || strings.Contains(out, "100") {
		t.Errorf("%q", out)
	}
	if out := r.feed(head + "a"); out != "" {
		t.Errorf("the body has begun to come: %q", out)
	}
	r.feed("b")
	if out := r.feed("POST /e HTTP/1.1\r\n" + local + "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n"); status(out) != 200 {
		t.Errorf("there is no body: %q", out)
	}
	if out := r.feed("POST /e HTTP/1.1\r\n" + local + "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"); out != goOn {
		t.Errorf("%q", out)
	}
	r.feed("0\r\n\r\n")

	if out := r.feed("GET /later HTTP/1.1\r\n" + local + "\r\n" + head); out != "" {
		t.Errorf("it is not its turn: %q", out)
	}
	r.svc.release(&r.s)
	if out := r.turn(); !strings.HasSuffix(out, "later 4"+goOn) {
		t.Errorf("%q", out)
	}
	r.feed("ab")

	for _, in := range [][]string{
		{head, "a", "b"},
		{"POST /e HTTP/1.1\r\n" + local + "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n", "0", "\r\n\r\n"},
	} {
		if out := r.feed(get("/later")+in[0]) + r.feed(in[1]); out != "" {
			t.Errorf("%q", out)
		}
		r.svc.release(&r.s)
		if out := r.turn(); status(out) != 200 || strings.Contains(out, " 100 ") {
			t.Errorf("the body has begun to come meanwhile: %q", out)
		}
		r.feed(in[2])
	}

	r = newRig(t, nil)
	if out := r.feed("POST /e HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"); out != "" {
		t.Errorf("HTTP/1.0: %q", out)
	}
}
