package conformance_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Requirements 4 to 6 beside what the corpus of payloads has, over a real socket. In the table {h} is a request behind.
var exchanges = []payload{
	{"HTTP/1.0, nothing more", "POST /task/echo HTTP/1.0\r\n\r\n{h}", "200"},
	{"HTTP/1.0, close", "POST /task/echo HTTP/1.0\r\n" + host + "Connection: close\r\n\r\n{h}", "200"},
	{"HTTP/1.0, keep-alive", "POST /task/echo HTTP/1.0\r\n" + host + "Connection: Keep-Alive\r\n\r\n{h}", "200 200+"},
	{"HTTP/1.1, keep-alive and close", post + "Connection: keep-alive, close\r\n\r\n{h}", "200"},
	{"two Connection fields", post + "Connection: x\r\nConnection: close\r\n\r\n{h}", "200"},
	{"closed", post + "Connection: closed\r\n\r\n{h}", "200 200+"},
	{"OPTIONS *", "OPTIONS * HTTP/1.1\r\n" + host + "\r\n{h}", "200 200+"},
	{"GET *", "GET * HTTP/1.1\r\n" + host + "\r\n{h}", "400"},
	{"two empty lines between", post + "\r\n\r\n\r\n{h}", "200 200+"},
	{"three empty lines between", post + "\r\n\r\n\r\n\r\n{h}", "200 400"},
	{"no field but Host", "POST /task/echo HTTP/1.1\r\nhOsT:localhost\r\n\r\n{h}", "200 200+"},
	{"IPv6", "POST /task/echo HTTP/1.1\r\nHost: [::1]:9999\r\n\r\n{h}", "200 200+"},
	{"bad escape", "POST /task/%zz HTTP/1.1\r\n" + host + "\r\n{h}", "400"},
	{"backslash", "POST \\task\\echo HTTP/1.1\r\n" + host + "\r\n{h}", "400"},
	{"body over the limit", post + "Content-Length: 16777217\r\n\r\n{h}", "413"},
	{"other origin", post + "Origin: http://example.com\r\n\r\n{h}", "403"},
	{"other site", post + "Sec-Fetch-Site: cross-site\r\n\r\n{h}", "403"},
	{"method too long", strings.Repeat("M", 65) + " / HTTP/1.1\r\n" + host + "\r\n{h}", "501"},
	{"many requests", strings.Repeat(post+"\r\n", 100), strings.Repeat("200 ", 100) + "+"},
}

func TestHTTP(t *testing.T) {
	for _, target := range targets {
		t.Run(target.name, func(t *testing.T) {
			t.Parallel()
			b := target.start(t)
			var wrong faults
			for i, p := range exchanges {
				if err := direct(t, b, p, marker(i), atOnce); err != nil {
					wrong.add(t, "%s: %v", p.name, err)
				}
			}
		})
	}
}

// pace makes the server read what was sent so far before more is sent. The server has one event loop, which serves
// connections in the order in which their bytes came: when this one has its answer, the other was read.
type pace struct{ *peer }

func newPace(t *testing.T, b backend) pace {
	t.Helper()
	c := dial(t, b.addr)
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(never)
	return pace{c}
}

func (p pace) turn() error {
	_, err := io.WriteString(p, "OPTIONS * HTTP/1.1\r\n"+host+"\r\n")
	if err == nil {
		_, err = readAnswer(p.in)
	}
	return err
}

// Requirement 6: every payload byte by byte.
func TestByteByByte(t *testing.T) {
	b := startEcho(t)
	p := newPace(t, b)
	var wrong faults
	byBytes := func(c *peer, raw string) error {
		for i := range len(raw) {
			_, _ = io.WriteString(c, raw[i:i+1])
			if err := p.turn(); err != nil {
				return err
			}
		}
		return nil
	}
	for i, p := range append(corpus(), exchanges...) {
		if len(p.in) > 1000 {
			continue // it is about size
		}
		if err := direct(t, b, p, marker(i), byBytes); err != nil {
			wrong.add(t, "%s: %v", p.name, err)
		}
	}
}

// Requirement 6: every payload behind requests that are not answered yet when it comes. Answers come in order.
func TestBehindOthers(t *testing.T) {
	behind := func(c *peer, raw string) error {
		all := ""
		for i := range 3 {
			all += echoRequest(fmt.Sprintf(`"before-%d"`, i))
		}
		_, _ = io.WriteString(c, all+raw)
		for i := range 3 {
			if a, err := readAnswer(c.in); err != nil || a.body != fmt.Sprintf(`"before-%d"`, i) {
				return fmt.Errorf("request %d before was answered %.300q (error: %s)", i, a.body, fmt.Sprint(err))
			}
		}
		return nil
	}
	for _, target := range targets {
		t.Run(target.name, func(t *testing.T) {
			t.Parallel()
			b := target.start(t)
			var wrong faults
			for i, p := range append(corpus(), exchanges...) {
				if p.want == "101" && !b.isEcho {
					// While workman owes answers it agrees to no handshake (a server need not: RFC 9110 7.8); echo
					// never owes any.
					p.want = "400"
				}
				if err := direct(t, b, p, marker(i), behind); err != nil {
					wrong.add(t, "%s: %v", p.name, err)
				}
			}
		})
	}
}

// cuttable are a few streams of requests. What they are answered is taken from the server itself: it was checked elsewhere.
var cuttable = []string{
	echoRequest(`"a"`) + "\r\n" + echoRequest(`"bc"`),
	post + "Transfer-Encoding: chunked\r\n\r\n2;x=\"y\"\r\n\"a\r\n00001\r\n\"\r\n0;z\r\nX: y\r\n\r\n" + echoRequest(`"d"`),
	post + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n\"e\"" + echoRequest(`"f"`),
	"POST /task/echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n12HEAD /none HTTP/1.0\r\n\r\n" + echoRequest(`"g"`),
	fmt.Sprintf(handshake, "/websocket", "") + masked(fin|opPing, "h") + ending(1000, ""),
	echoRequest(`"i"`) + post + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	echoRequest(`"j"`) + post + "X: y\r\n z\r\n\r\n" + echoRequest(`"k"`),
	post + "Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\n\r\n" + echoRequest(`"l"`),
	"GET /tasks HTTP/1.1\r\nX: y\r\n\r\n" + echoRequest(`"m"`),
}

// Requirement 6: cut at every place, and the answers are those to the whole.
func TestCuts(t *testing.T) {
	for _, target := range targets {
		t.Run(target.name, func(t *testing.T) {
			t.Parallel()
			b := target.start(t)
			p := newPace(t, b)
			var wrong faults
			for _, in := range cuttable {
				in += post + "Connection: close\r\nContent-Length: 1\r\n\r\n1"
				want := p.replies(t, b, in, "")
				if strings.Count(want, "|") < 1 {
					t.Fatalf("%q gets only %q", in, want)
				}
				for i := 1; i < len(in); i++ {
					if got := p.replies(t, b, in[:i], in[i:]); got != want {
						wrong.add(t, "%q | %q: %q, want %q", in[:i], in[i:], got, want)
					}
				}
			}
		})
	}
}

// replies is everything that two pieces are answered with, but for dates and interim responses, until the end of the
// connection. The server has accepted the connection, and reads what comes, before the first piece is sent.
func (p pace) replies(t *testing.T, b backend, first, second string) string {
	t.Helper()
	c := dial(t, b.addr)
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, echoRequest(`"begin"`))
	if _, err := readAnswer(c.in); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, first)
	if err := p.turn(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, second)
	rest, err := io.ReadAll(c.in)
	if err != nil {
		t.Fatalf("%q | %q: %v", first, second, err)
	}
	out := ""
	for _, l := range strings.SplitAfter(string(rest), "\r\n") {
		if !strings.HasPrefix(l, "Date: ") {
			out += l
		}
	}
	out = strings.ReplaceAll(out, "HTTP/1.1 100 Continue\r\n\r\n", "")
	return strings.ReplaceAll(out, "HTTP/1.1 ", "|")
}

// RFC 9110 10.1.1: who waits for 100 (Continue) gets it, once, and only in its turn.
func TestContinue(t *testing.T) {
	for _, target := range targets {
		t.Run(target.name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, target.start(t).addr)
			defer func() { _ = c.Close() }()
			_, _ = io.WriteString(c, echoRequest(`"first"`)+post+"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
			if a, err := readAnswer(c.in); err != nil || a.body != `"first"` {
				t.Fatalf("%v %v", a, err)
			}
			res, err := http.ReadResponse(c.in, nil)
			if err != nil || res.StatusCode != http.StatusContinue {
				t.Fatalf("%v %v", res, err)
			}
			_, _ = io.WriteString(c, `"b"`)
			res, err = http.ReadResponse(c.in, nil)
			if err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("%v %v", res, err)
			}
		})
	}
}

// RFC 9110 9.3.2: an answer to HEAD has no body, however long it says that it would be.
func TestHead(t *testing.T) {
	for _, target := range targets {
		t.Run(target.name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, target.start(t).addr)
			defer func() { _ = c.Close() }()
			_, _ = io.WriteString(c, "HEAD /none HTTP/1.1\r\n"+host+"Content-Length: 3\r\n\r\nabc"+echoRequest(`"next"`))
			in := bufio.NewReader(c)
			res, err := http.ReadResponse(in, &http.Request{Method: http.MethodHead})
			if err != nil || res.ContentLength < 1 {
				t.Fatalf("%v %v", res, err)
			}
			if a, err := readAnswer(in); err != nil || a.body != `"next"` {
				t.Errorf("%v %v", a, err)
			}
		})
	}
}

// RFC 9112 9.6: who is refused in the middle of a long body can still read why, and is not cut off by a reset.
func TestRefusedWhileWriting(t *testing.T) {
	for _, target := range targets {
		t.Run(target.name, func(t *testing.T) {
			t.Parallel()
			b := target.start(t)
			body := strings.Repeat("x", 1<<20)
			for name, in := range map[string]string{
				"413": post + "Content-Length: 33554432\r\n\r\n",
				"400": post + "Content-Length: 33554432\r\nTransfer-Encoding: chunked\r\n\r\n",
			} {
				c := dial(t, b.addr)
				_, err := io.WriteString(c, in)
				for range 32 {
					if err == nil {
						_, err = io.WriteString(c, body)
					}
				}
				if err != nil {
					t.Errorf("%s, while writing: %v", name, err)
				}
				a, err := readAnswer(c.in)
				if err != nil || fmt.Sprint(a.status) != name {
					t.Errorf("%s: %d (error: %v)", name, a.status, err)
				} else if err := b.ended(c, a); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				_ = c.Close()
			}
		})
	}
}
