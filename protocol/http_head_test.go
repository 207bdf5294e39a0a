package protocol_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"workman/protocol"
)

var statusLine = regexp.MustCompile(`HTTP/1\.1 (\d{3}) `)

// status is the status code of a response, or of the last of several; 0 if there is none.
func status(out string) int {
	all := statusLine.FindAllStringSubmatch(out, -1)
	if all == nil {
		return 0
	}
	code, _ := strconv.Atoi(all[len(all)-1][1])
	return code
}

const local = "Host: localhost\r\n"

// Requirements 4, 5: what is refused by the head alone. Each is followed by a second request, which must not be read.
func TestHeadIsStrict(t *testing.T) {
	long := strings.Repeat("a", 9000)
	for _, c := range []struct {
		name, in string
		want     int
	}{
		{"plain", "GET / HTTP/1.1\r\n" + local + "\r\n", 200},
		{"two empty lines before", "\r\n\r\nGET / HTTP/1.1\r\n" + local + "\r\n", 200},
		{"three empty lines before", "\r\n\r\n\r\nGET / HTTP/1.1\r\n" + local + "\r\n", 400},
		{"LF before", "\nGET / HTTP/1.1\r\n" + local + "\r\n", 400},
		{"unknown method", "FROB /x HTTP/1.1\r\n" + local + "\r\n", 200},
		{"method of 64 bytes", strings.Repeat("M", 64) + " / HTTP/1.1\r\n" + local + "\r\n", 200},
		{"method of 65 bytes", strings.Repeat("M", 65) + " / HTTP/1.1\r\n" + local + "\r\n", 501},
		{"CONNECT", "CONNECT a:80 HTTP/1.1\r\n" + local + "\r\n", 501},
		{"tls", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
		{"ssh", "SSH-2.0-OpenSSH_9.9\r\n", 400},
		{"http/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"HTTP/0.9", "GET /\r\n\r\n", 400},
		{"HTTP/1.2", "GET / HTTP/1.2\r\n" + local + "\r\n", 505},
		{"HTTP/1.9", "GET / HTTP/1.9\r\n" + local + "\r\n", 505},
		{"HTTP/2.0", "GET / HTTP/2.0\r\n" + local + "\r\n", 505},
		{"HTTP/0.1", "GET / HTTP/0.1\r\n" + local + "\r\n", 505},
		{"HTTP/1.10", "GET / HTTP/1.10\r\n" + local + "\r\n", 400},
		{"http/1.1", "GET / http/1.1\r\n" + local + "\r\n", 400},
		{"two spaces", "GET  / HTTP/1.1\r\n" + local + "\r\n", 400},
		{"two spaces behind", "GET /  HTTP/1.1\r\n" + local + "\r\n", 400},
		{"tab", "GET\t/ HTTP/1.1\r\n" + local + "\r\n", 400},
		{"space at the end", "GET / HTTP/1.1 \r\n" + local + "\r\n", 400},
		{"target with space", "GET /a b HTTP/1.1\r\n" + local + "\r\n", 400},
		{"target with tab", "GET /a\tb HTTP/1.1\r\n" + local + "\r\n", 400},
		{"target with NUL", "GET /a\x00b HTTP/1.1\r\n" + local + "\r\n", 400},
		{"target with DEL", "GET /a\x7fb HTTP/1.1\r\n" + local + "\r\n", 400},
		{"target with a fragment", "GET /a#b HTTP/1.1\r\n" + local + "\r\n", 400},
		{"target with UTF-8", "GET /\u00e4 HTTP/1.1\r\n" + local + "\r\n", 200},
		{"target with an escape", "GET /%C3%A4 HTTP/1.1\r\n" + local + "\r\n", 200},
		{"target with half an escape", "GET /%C HTTP/1.1\r\n" + local + "\r\n", 400},
		{"target with no escape", "GET /%xy HTTP/1.1\r\n" + local + "\r\n", 400},
		{"no path", "GET tasks HTTP/1.1\r\n" + local + "\r\n", 400},
		{"star", "OPTIONS * HTTP/1.1\r\n" + local + "\r\n", 200},
		{"star with GET", "GET * HTTP/1.1\r\n" + local + "\r\n", 400},
		{"absolute", "GET http://localhost:9999/x?y HTTP/1.1\r\nHost: localhost:9999\r\n\r\n", 200},
		{"absolute, another Host", "GET http://localhost:9999/x?y HTTP/1.1\r\n" + local + "\r\n", 400},
		{"port too large", "GET / HTTP/1.1\r\nHost: localhost:65536\r\n\r\n", 400},
		{"absolute, empty path", "GET HTTP://localhost HTTP/1.1\r\n" + local + "\r\n", 200},
		{"absolute, query only", "GET http://localhost?y HTTP/1.1\r\n" + local + "\r\n", 200},
		{"absolute with a user", "GET http://a@localhost/ HTTP/1.1\r\n" + local + "\r\n", 400},
		{"absolute without a host", "GET http:///x HTTP/1.1\r\n" + local + "\r\n", 400},
		{"absolute, other scheme", "GET ftp://localhost/x HTTP/1.1\r\n" + local + "\r\n", 400},
		{"absolute without Host", "GET http://localhost/ HTTP/1.1\r\n\r\n", 400},
		{"target too long", "GET /" + long + " HTTP/1.1\r\n" + local + "\r\n", 414},
		{"target too long by one", "GET /" + long[:8192] + " HTTP/1.1\r\n" + local + "\r\n", 414},
		{"target as long as may be", "GET /" + long[:8191] + " HTTP/1.1\r\n" + local + "\r\n", 200},
		{"target without end", "GET /" + long + long + long, 414},
		{"head too large", "GET / HTTP/1.1\r\n" + local + "A: " + long + long + "\r\n\r\n", 431},
		{"head too large by one", sized(16<<10 + 1), 431},
		{"head as large as may be", sized(16 << 10), 200},

		{"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"two Hosts", "GET / HTTP/1.1\r\n" + local + local + "\r\n", 400},
		{"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
		{"Host with a path", "GET / HTTP/1.1\r\nHost: localhost/x\r\n\r\n", 400},
		{"Host with a user", "GET / HTTP/1.1\r\nHost: a@localhost\r\n\r\n", 400},
		{"Host with a space", "GET / HTTP/1.1\r\nHost: local host\r\n\r\n", 400},
		{"Host with a comma", "GET / HTTP/1.1\r\nHost: localhost,localhost\r\n\r\n", 400},
		{"Host with a bad port", "GET / HTTP/1.1\r\nHost: localhost:x\r\n\r\n", 400},
		{"Host with a long port", "GET / HTTP/1.1\r\nHost: localhost:999999\r\n\r\n", 400},
		{"Host, half an address", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
		{"Host, bad address", "GET / HTTP/1.1\r\nHost: [::g]\r\n\r\n", 400},
		{"Host, address", "GET / HTTP/1.1\r\nHost: [::1]:9999\r\n\r\n", 200},
		{"Host, empty port", "GET / HTTP/1.1\r\nHost: localhost:\r\n\r\n", 200},
		{"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", 200},
		{"HTTP/1.0 with a bad Host", "GET / HTTP/1.0\r\nHost: a b\r\n\r\n", 400},

		{"CL and TE", "POST / HTTP/1.1\r\n" + local + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"TE and CL", "POST / HTTP/1.1\r\n" + local + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
		{"CL and TE, whole", "POST / HTTP/1.1\r\n" + local + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"differing CLs", "POST / HTTP/1.1\r\n" + local + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
		{"equal CLs", "POST / HTTP/1.1\r\n" + local + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
		{"CL list", "POST / HTTP/1.1\r\n" + local + "Content-Length: 5, 5\r\n\r\n", 400},
		{"CL with plus", "POST / HTTP/1.1\r\n" + local + "Content-Length: +5\r\n\r\n", 400},
		{"CL with minus", "POST / HTTP/1.1\r\n" + local + "Content-Length: -5\r\n\r\n", 400},
		{"CL in hex", "POST / HTTP/1.1\r\n" + local + "Content-Length: 0x5\r\n\r\n", 400},
		{"empty CL", "POST / HTTP/1.1\r\n" + local + "Content-Length:\r\n\r\n", 400},
		{"huge CL", "POST / HTTP/1.1\r\n" + local + "Content-Length: 99999999999999999999999\r\n\r\n", 413},
		{"CL over the limit", "POST / HTTP/1.1\r\n" + local + "Content-Length: 16777217\r\n\r\n", 413},
		{"TE identity", "POST / HTTP/1.1\r\n" + local + "Transfer-Encoding: identity\r\n\r\n", 501},
		{"TE gzip", "POST / HTTP/1.1\r\n" + local + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
		{"TE xchunked", "POST / HTTP/1.1\r\n" + local + "Transfer-Encoding: xchunked\r\n\r\n", 501},
		{"TE quoted", "POST / HTTP/1.1\r\n" + local + "Transfer-Encoding: \"chunked\"\r\n\r\n", 501},
		{"TE with VT", "POST / HTTP/1.1\r\n" + local + "Transfer-Encoding: \x0bchunked\r\n\r\n", 400},
		{"TE twice", "POST / HTTP/1.1\r\n" + local + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"TE in HTTP/1.0", "POST / HTTP/1.0\r\n" + local + "Transfer-Encoding: chunked\r\n\r\n", 400},
		{"TE in HTTP/1.0, whole", "POST / HTTP/1.0\r\n" + local + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{"TE with a space before the colon", "POST / HTTP/1.1\r\n" + local + "Transfer-Encoding : chunked\r\n\r\n", 400},

		{"obs-fold", "GET / HTTP/1.1\r\n" + local + "A: b\r\n c\r\n\r\n", 400},
		{"obs-fold with tab", "GET / HTTP/1.1\r\n" + local + "A: b\r\n\tc\r\n\r\n", 400},
		{"fold before the first field", "GET / HTTP/1.1\r\n " + local + "\r\n", 400},
		{"NUL in a value", "GET / HTTP/1.1\r\n" + local + "A: b\x00c\r\n\r\n", 400},
		{"bare CR in a value", "GET / HTTP/1.1\r\n" + local + "A: b\rc\r\n\r\n", 400},
		{"CR CR LF", "GET / HTTP/1.1\r\n" + local + "A: b\r\r\n\r\n", 400},
		{"bare CR in the request line", "GET / HTTP/1.1\r\r\n" + local + "\r\n", 400},
		{"bell in a long value", "GET / HTTP/1.1\r\n" + local + "A: 0123456789012345\x07\r\n\r\n", 400},
		{"DEL in a long value", "GET / HTTP/1.1\r\n" + local + "A: 01234567\x7f89012345\r\n\r\n", 400},
		{"tab and UTF-8 in a value", "GET / HTTP/1.1\r\n" + local + "A: 0123\t56789\u00e4012345\r\n\r\n", 200},
		{"bare LF", "GET / HTTP/1.1\n" + local + "\n", 400},
		{"bare LF later", "GET / HTTP/1.1\r\nHost: localhost\n\r\n", 400},
		{"bare LF at the end", "GET / HTTP/1.1\r\n" + local + "\n", 400},
		{"empty name", "GET / HTTP/1.1\r\n" + local + ": b\r\n\r\n", 400},
		{"no colon", "GET / HTTP/1.1\r\n" + local + "Ab\r\n\r\n", 400},
		{"space before the colon", "GET / HTTP/1.1\r\n" + local + "A : b\r\n\r\n", 400},
		{"space in the name", "GET / HTTP/1.1\r\n" + local + "A b: c\r\n\r\n", 400},
		{"UTF-8 in the name", "GET / HTTP/1.1\r\n" + local + "\u00e4: c\r\n\r\n", 400},
		{"bracket in the name", "GET / HTTP/1.1\r\n" + local + "A(b: c\r\n\r\n", 400},
		{"several Authorizations", "GET / HTTP/1.1\r\n" + local + "Authorization: a\r\nauthorization: b\r\n\r\n", 400},
		{"several Origins", "GET / HTTP/1.1\r\n" + local + "Origin: http://localhost\r\nOrigin: http://localhost\r\n\r\n", 400},
		{"other expectation", "POST / HTTP/1.1\r\n" + local + "Expect: a-pony\r\nContent-Length: 1\r\n\r\n", 417},
		{"other expectation in HTTP/1.0", "POST / HTTP/1.0\r\nExpect: a-pony\r\n\r\n", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			out := r.feed(c.in + "GET /second HTTP/1.1\r\n" + local + "\r\n")
			first := status(out[:min(len(out), 13)])
			if first != c.want {
				t.Fatalf("status %d, want %d: %.300q", first, c.want, out)
			}
			if c.want == 200 {
				return
			}
			if len(r.svc.calls) > 0 {
				t.Errorf("the service was called: %q", r.svc.calls)
			}
			r.wantPhase(protocol.PhaseDone)
			if !strings.Contains(out, "\r\nConnection: close\r\n") || r.s.Held() != 0 {
				t.Errorf("held %d, and the answer is %q", r.s.Held(), out)
			}
			checkProblem(t, out, c.want)
			if strings.Contains(out, "the head cannot be read") {
				t.Error("only fasthttp refused it")
			}
			if again := r.feed("GET / HTTP/1.1\r\n" + local + "\r\n"); again != "" {
				t.Errorf("read on: %q", again)
			}
		})
	}
}

// sized is a request whose head has n bytes.
func sized(n int) string {
	const begin = "GET / HTTP/1.1\r\n" + local + "A: "
	return begin + strings.Repeat("a", n-len(begin)-4) + "\r\n\r\n"
}

func checkProblem(t *testing.T, out string, status int) {
	t.Helper()
	_, body, _ := strings.Cut(out, "\r\n\r\n")
	var p struct {
		Type, Title, Detail, Error, Message string
		Status, StatusCode                  int
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("%v: %q", err, body)
	}
	if p.Status != status || p.StatusCode != status || p.Title != p.Error || p.Detail != p.Message ||
		!strings.HasPrefix(p.Type, "urn:workman:problem:") || p.Title == "" || p.Detail == "" {
		t.Errorf("%+v", p)
	}
	if !strings.Contains(out, "\r\nContent-Type: application/problem+json\r\n") {
		t.Errorf("%q", out)
	}
}

// What is wrong from the start is not waited for.
func TestGarbageIsRefusedAtOnce(t *testing.T) {
	for _, in := range []string{"\x16", "\x00", " ", "{", "G\x01", "GET\r", "<", "\r\r", "GET / HTTP/1.1\n", "GET / HTTP/1.1\r\nA\n"} {
		r := newRig(t, nil)
		if out := r.feed(in); status(out) != 400 {
			t.Errorf("%q: %q", in, out)
		}
	}
	r := newRig(t, nil)
	r.feed("\r\n")
	r.wantPhase(protocol.PhaseIdle)
	if out := r.feed("GET / HTTP/1.1\r\nHost"); out != "" {
		t.Errorf("%q", out)
	}
	r.wantPhase(protocol.PhaseHead)
}

func TestRequestIsRaw(t *testing.T) {
	for in, want := range map[string]string{
		"/task/a%2Fb/../c?x=%20&y":        "/task/a%2Fb/../c x=%20&y localhost",
		"/a??":                            "/a ? localhost",
		"http://127.0.0.1:9/x?y=http://z": "/x y=http://z 127.0.0.1:9",
		"HTTPS://[::1]?y":                 "/ y [::1]",
		"//double":                        "//double  localhost",
	} {
		r := newRig(t, nil)
		got := ""
		r.svc.ask = func(s *protocol.Session, q *protocol.Request) {
			got = fmt.Sprintf("%s %s %s", q.Path, q.Query, q.Host)
			if string(q.Target) != in || string(q.Header.RequestURI()) != in {
				t.Errorf("%q, %q", q.Target, q.Header.RequestURI())
			}
			s.Respond(q.Seq, protocol.Answer{Status: 204})
		}
		r.feed("GET " + in + " HTTP/1.1\r\nHost: " + want[strings.LastIndexByte(want, ' ')+1:] + "\r\n\r\n")
		if got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

// A head that comes a byte at a time is looked at once, not once a byte: its last part takes no longer than its first.
func TestSlowHeadIsNotReadAgain(t *testing.T) {
	in := []byte(sized(1 << 20))
	var first, last time.Duration
	for range 5 { // the machine has other things to do as well
		r := newRig(t, func(c *protocol.Config) { c.MaxHeader = 1 << 20 })
		feed := func(from, to int) time.Duration {
			start := time.Now()
			for i := from; i < to; i++ {
				r.s.Feed(in[i : i+1])
			}
			return time.Since(start)
		}
		const part = 32 << 10
		first = feed(0, part)
		r.s.Feed(in[part : len(in)-part])
		last = feed(len(in)-part, len(in))
		if out := r.turn(); status(out) != 200 {
			t.Fatalf("%.100q", out)
		}
		if last < first+200*time.Millisecond { // it would be a second: a megabyte is looked at in 30 µs
			return
		}
	}
	t.Errorf("the first bytes took %v, and as many at the end %v", first, last)
}

// A session that holds too much for the server lets go of it, and says why.
func TestOverload(t *testing.T) {
	r := newRig(t, nil)
	r.feed(get("/later") + "POST / HTTP/1.1\r\n" + local + "Content-Length: 5000\r\n\r\n" + strings.Repeat("a", 4000))
	r.s.Overload()
	if r.s.Held() > 1000 {
		t.Errorf("%d bytes are still held", r.s.Held())
	}
	r.svc.release(&r.s)
	if out := r.turn(); status(out) != 503 || !strings.Contains(out, "Retry-After: 1\r\n") {
		t.Errorf("%q", out)
	}
	r.wantPhase(protocol.PhaseDone)

	r = upgraded(t, nil)
	r.feed(masked(ws.OpText, true, strings.Repeat("a", 9000))[:8000])
	r.s.Overload()
	if out := r.turn(); closing(t, out) != 1013 || r.s.Held() != 0 {
		t.Errorf("%q, %d held", out, r.s.Held())
	}
	r.wantPhase(protocol.PhaseClosing)
}

func TestTimeout(t *testing.T) {
	for in, want := range map[string]int{
		"":                                    0,
		"GET":                                 408,
		"GET / HTTP/1.1\r\n" + local + "\r\n": 200,
		"POST / HTTP/1.1\r\n" + local + "Content-Length: 5\r\n\r\n":     408,
		"HEAD / HTTP/1.1\r\n" + local + "Content-Length: 5\r\n\r\nabcd": 408,
	} {
		r := newRig(t, nil)
		r.feed(in)
		r.s.Timeout("too slow")
		r.turn()
		if got := status(string(r.out)); got != want {
			t.Errorf("%q: %d, want %d", in, got, want)
		}
		if strings.HasPrefix(in, "HEAD") == strings.Contains(string(r.out), "too slow") && want == 408 {
			t.Errorf("%q", r.out)
		}
		r.wantPhase(protocol.PhaseDone)
		if r.s.Held() != 0 {
			t.Errorf("%q: %d bytes held", in, r.s.Held())
		}
	}
}
