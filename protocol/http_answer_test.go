package protocol_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"workman/protocol"
)

func get(path string) string { return "GET " + path + " HTTP/1.1\r\n" + local + "\r\n" }

func TestAnswer(t *testing.T) {
	const date = "Date: Mon, 23 Nov 2026 12:00:00 GMT\r\n"
	for _, c := range []struct {
		name, in, want string
		a              protocol.Answer
	}{
		{"body", get("/"), "HTTP/1.1 200 OK\r\n" + date + "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nok",
			protocol.Answer{Status: 200, Type: "text/plain", Body: []byte("ok")}},
		{"no body", get("/"), "HTTP/1.1 404 Not Found\r\n" + date + "Content-Length: 0\r\n\r\n",
			protocol.Answer{Status: 404}},
		{"204", get("/"), "HTTP/1.1 204 No Content\r\n" + date + "\r\n",
			protocol.Answer{Status: 204, Body: []byte("dropped")}},
		{"HEAD", "HEAD / HTTP/1.1\r\n" + local + "\r\n", "HTTP/1.1 200 OK\r\n" + date + "Content-Length: 2\r\n\r\n",
			protocol.Answer{Status: 200, Body: []byte("ok")}},
		{"304", get("/"), "HTTP/1.1 304 Not Modified\r\n" + date + "Content-Length: 2\r\n\r\n",
			protocol.Answer{Status: 304, Body: []byte("ok")}},
		{"extra", get("/"), "HTTP/1.1 405 Method Not Allowed\r\n" + date + "Allow: GET\r\nA: b\r\nContent-Length: 0\r\n\r\n",
			protocol.Answer{Status: 405, Extra: "Allow: GET\r\nA: b\r\n"}},
		{"injection", get("/"), "HTTP/1.1 200 OK\r\n" + date + "E: f\r\nContent-Length: 0\r\n\r\n",
			protocol.Answer{Status: 200, Type: "a\r\nB: c", Extra: "\r\nA b: c\r\nD: \x00\r\nD: a\nb\r\nD\r\n\r\nE: f"}},
		{"not final", get("/"), "HTTP/1.1 500 Internal Server Error\r\n" + date + "Content-Length: 0\r\n\r\n",
			protocol.Answer{Status: 100}},
		{"close", "GET / HTTP/1.1\r\n" + local + "Connection: x, Close\r\n\r\n",
			"HTTP/1.1 200 OK\r\n" + date + "Connection: close\r\nContent-Length: 0\r\n\r\n", protocol.Answer{Status: 200}},
		{"1.0", "GET / HTTP/1.0\r\n\r\n",
			"HTTP/1.1 200 OK\r\n" + date + "Connection: close\r\nContent-Length: 0\r\n\r\n", protocol.Answer{Status: 200}},
		{"1.0 kept", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
			"HTTP/1.1 200 OK\r\n" + date + "Connection: keep-alive\r\nContent-Length: 0\r\n\r\n", protocol.Answer{Status: 200}},
		{"1.0 closed in two fields", "GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
			"HTTP/1.1 200 OK\r\n" + date + "Connection: close\r\nContent-Length: 0\r\n\r\n", protocol.Answer{Status: 200}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			r.svc.ask = func(s *protocol.Session, q *protocol.Request) { s.Respond(q.Seq, c.a) }
			if out := r.feed(c.in); out != c.want {
				t.Errorf("%q\nwant\n%q", out, c.want)
			}
			if strings.Contains(c.want, "close") {
				r.wantPhase(protocol.PhaseDone)
				r.wantCalls(r.svc.calls[0], "ended")
			} else {
				r.wantPhase(protocol.PhaseIdle)
			}
			if r.host.borrowed != 1 {
				t.Errorf("%d buffers were borrowed", r.host.borrowed)
			}
		})
	}
}

// Requirement 6: answers come in the order of the requests, whatever the order in which they were ready.
func TestAnswersAreInOrder(t *testing.T) {
	r := newRig(t, nil)
	r.feed(get("/later") + get("/later") + "HEAD /later HTTP/1.1\r\n" + local + "\r\n" + get("/later"))
	if len(r.out) > 0 {
		t.Errorf("%q", r.out)
	}
	r.wantPhase(protocol.PhaseWaiting)
	body := []byte("third")
	r.s.Respond(2, protocol.Answer{Status: 203, Body: body})
	copy(body, "XXXXX")
	r.s.Respond(3, protocol.Answer{Status: 200, Body: []byte("fourth")})
	r.s.Respond(3, protocol.Answer{Status: 500})
	r.s.Respond(9, protocol.Answer{Status: 500})
	if r.s.Out != nil || r.s.Held() < 200 {
		t.Errorf("%q, %d held", r.s.Out, r.s.Held())
	}
	r.s.Respond(0, protocol.Answer{Status: 201})
	r.s.Respond(0, protocol.Answer{Status: 500})
	if out := r.turn(); status(out) != 201 || strings.Count(out, "HTTP/1.1") != 1 {
		t.Errorf("%q", out)
	}
	r.s.Respond(1, protocol.Answer{Status: 202})
	r.s.Respond(1, protocol.Answer{Status: 500})
	r.s.Respond(2, protocol.Answer{Status: 500})
	out := r.turn()
	var got []string
	for _, m := range statusLine.FindAllStringSubmatch(out, -1) {
		got = append(got, m[1])
	}
	if fmt.Sprint(got) != "[202 203 200]" || !strings.HasSuffix(out, "fourth") || !strings.Contains(out, "Content-Length: 5") ||
		strings.Contains(out, "XXX") {
		t.Errorf("%v: %q", got, out)
	}
	r.wantPhase(protocol.PhaseIdle)
	if r.s.Held() != 0 {
		t.Errorf("%d held", r.s.Held())
	}
}

// A line of requests that is never empty does not grow for ever.
func TestLongPipeline(t *testing.T) {
	r := newRig(t, nil)
	r.feed(get("/later"))
	most := 0
	for i := range 5000 {
		r.feed(get("/later"))
		r.s.Respond(uint64(i), protocol.Answer{Status: 200, Body: fmt.Appendf(nil, "answer %d", i)})
		r.turn()
		most = max(most, r.s.Held())
	}
	if most > 1024 {
		t.Errorf("up to %d bytes were held", most)
	}
	in := bufio.NewReader(strings.NewReader(string(r.out)))
	for i := range 5000 {
		a, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(a.Body); string(b) != fmt.Sprintf("answer %d", i) {
			t.Fatalf("%d: %q", i, b)
		}
	}
}

func TestPipelineIsBounded(t *testing.T) {
	r := newRig(t, func(c *protocol.Config) { c.MaxPipelined = 3 })
	r.feed(strings.Repeat(get("/later"), 5))
	r.wantPhase(protocol.PhaseWaiting)
	if len(r.svc.later) != 3 || r.svc.ended != 0 {
		t.Errorf("%q", r.svc.calls)
	}
	r.svc.release(&r.s)
	out := r.turn()
	if n := strings.Count(out, "HTTP/1.1 200"); n != 3 || status(out) != 503 ||
		!strings.Contains(out, "\r\nRetry-After: 1\r\n") || !strings.Contains(out, "Connection: close") {
		t.Errorf("%q", out)
	}
	r.wantPhase(protocol.PhaseDone)
	if r.svc.ended != 1 || r.s.Held() != 0 {
		t.Errorf("ended %d, held %d", r.svc.ended, r.s.Held())
	}
}

// What is wrong is answered behind what was asked before it, and nothing behind it is read.
func TestRefusalWaitsForItsTurn(t *testing.T) {
	r := newRig(t, nil)
	if out := r.feed(get("/later") + "GET / HTTP/3.0\r\n\r\n" + get("/second")); out != "" {
		t.Errorf("%q", out)
	}
	r.feed(get("/third"))
	if r.svc.ended != 0 {
		t.Error("ended with an answer outstanding")
	}
	r.svc.release(&r.s)
	if out := r.turn(); !strings.HasPrefix(out, "HTTP/1.1 200") || status(out) != 505 {
		t.Errorf("%q", out)
	}
	r.wantCalls(`request 0 GET /later? ""`, "ended")
}

func TestShutdown(t *testing.T) {
	r := newRig(t, nil)
	r.s.Shutdown()
	r.wantPhase(protocol.PhaseDone)
	r.wantCalls()

	r = newRig(t, nil)
	r.feed(get("/later") + get("/later") + "POST / HTTP/1.1\r\n" + local + "Content-Length: 9\r\n\r\nhalf")
	r.wantPhase(protocol.PhaseBody)
	r.s.Shutdown()
	r.wantPhase(protocol.PhaseWaiting)
	r.feed(" done")
	r.svc.release(&r.s)
	if out := r.turn(); strings.Count(out, "HTTP/1.1 200") != 2 || strings.Count(out, "Connection: close") != 1 ||
		!strings.Contains(out, "Connection: close\r\nContent-Length: 7\r\n\r\nlater 1") {
		t.Errorf("%q", out)
	}
	r.wantPhase(protocol.PhaseDone)
	if r.svc.ended != 1 || r.s.Held() != 0 {
		t.Errorf("ended %d, held %d", r.svc.ended, r.s.Held())
	}

	r = newRig(t, nil) // from within a request whose head and body the session holds
	r.svc.ask = func(s *protocol.Session, q *protocol.Request) {
		s.Shutdown()
		s.Respond(q.Seq, protocol.Answer{Status: 200, Body: q.Body.Of(q.Base)})
	}
	r.feed("POST / HTTP/1.1\r\n" + local + "Content-Length: 4\r\n\r\nbo")
	if out := r.feed("dy" + get("/second")); !strings.HasSuffix(out, "body") || !strings.Contains(out, "Connection: close") {
		t.Errorf("%q", out)
	}
	r.wantCalls(`request 0 POST /? "body"`, "ended")
}

// Ended comes once, for those who were told of the session, and never in the middle of a call.
func TestEndedComesOnce(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		ask  func(*protocol.Session, *protocol.Request)
		want int
	}{
		"nothing":     {"", nil, 0},
		"refused":     {"GET", nil, 0},
		"idle":        {get("/"), nil, 1},
		"outstanding": {get("/later"), nil, 1},
		"closed":      {"GET / HTTP/1.0\r\n\r\n", nil, 1},
		"websocket":   {handshake, nil, 1},
		"in the call": {get("/"), func(s *protocol.Session, _ *protocol.Request) { s.End() }, 1},
	} {
		r := newRig(t, nil)
		r.svc.ask = c.ask
		if c.ask != nil {
			r.svc.ask = func(s *protocol.Session, q *protocol.Request) {
				c.ask(s, q)
				if r.svc.ended > 0 {
					t.Errorf("%s: within the call", name)
				}
			}
		}
		r.feed(c.in)
		r.s.End()
		r.s.End()
		r.feed(get("/"))
		r.s.Respond(0, protocol.Answer{Status: 200})
		r.s.Shutdown()
		if out := r.turn(); out != "" || r.svc.ended != c.want || r.s.Held() != 0 {
			t.Errorf("%s: %q, ended %d, held %d", name, out, r.svc.ended, r.s.Held())
		}
		r.wantPhase(protocol.PhaseDone)
	}
}

// Requirement 17: a host that recovers from a panic of the service ends the session, and the service hears of it.
func TestEndAfterPanic(t *testing.T) {
	r := newRig(t, nil)
	r.svc.ask = func(*protocol.Session, *protocol.Request) { panic("service") }
	func() {
		defer func() { recover() }()
		r.feed("POST / HTTP/1.1\r\n" + local + "Content-Length: 4\r\n\r\nbo")
		r.feed("dy")
		t.Error("no panic")
	}()
	r.s.End()
	if r.svc.ended != 1 || r.s.Held() != 0 {
		t.Errorf("ended %d, held %d", r.svc.ended, r.s.Held())
	}
}

func TestProblem(t *testing.T) {
	got := string(protocol.AppendProblem([]byte("x"), 404, "", "no \"such\" path \\ \n\x7f \xff ä"))
	want := `x{"type":"about:blank","title":"Not Found","status":404,"detail":"no \"such\" path \\ \u000a\u007f ` + "\ufffd ä" +
		`","statusCode":404,"error":"Not Found","message":"no \"such\" path \\ \u000a\u007f ` + "\ufffd ä" + `"}`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	got = string(protocol.AppendProblem(nil, 503, protocol.ProblemTooManyRequests, ""))
	if !strings.Contains(got, `"type":"urn:workman:problem:too-many-requests"`) || !strings.Contains(got, `"detail":"Service Unavailable"`) {
		t.Error(got)
	}
}
