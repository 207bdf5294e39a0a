package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// knock is a request with some fields, as a peer may send it to a server bound to loopback and to one bound to every
// address, and the statuses it gets there.
type knock struct {
	what, line, fields string
	local, open        int
}

var knocks = []knock{
	{"a program", "GET /tasks", "Host: localhost:9999\r\n", 200, 200},
	{"a program, by address", "GET /tasks", "Host: 127.0.0.1:9999\r\n", 200, 200},
	{"a program, by another loopback address", "GET /tasks", "Host: 127.9.9.9\r\n", 200, 200},
	{"a program, by IPv6", "GET /tasks", "Host: [::1]:9999\r\n", 200, 200},
	{"a program, by a name of its own choice", "GET /tasks", "Host: worker-1.internal\r\n", 421, 200},
	{"a program, by a configured name", "GET /tasks", "Host: Tasks.Example.com\r\n", 200, 200},
	{"a program, by another machine's address", "GET /tasks", "Host: 192.0.2.1\r\n", 421, 200},
	{"a rebound name in the target", "GET http://evil.example/tasks", "Host: evil.example\r\n", 421, 200},
	{"a rebound name in the target alone", "GET http://evil.example/tasks", "Host: localhost\r\n", 400, 400},
	{"a browser, by name", "GET /tasks", "Host: localhost\r\nUser-Agent: Mozilla/5.0\r\n", 200, 200},
	{"a browser, by a rebound name", "GET /tasks", "Host: evil.example\r\nUser-Agent: Mozilla/5.0\r\n", 421, 421},
	{"a browser that says only Sec-Fetch-Mode", "GET /tasks", "Host: evil.example\r\nSec-Fetch-Mode: cors\r\n", 421, 421},
	{"a browser, by an address", "GET /tasks", "Host: 192.0.2.1\r\nUser-Agent: Mozilla/5.0\r\n", 421, 200},
	{"a page of the server's own", "POST /task/none", "Host: localhost:9999\r\nOrigin: http://localhost:9999\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 1\r\n\r\n{", 400, 400},
	{"a page of another origin", "POST /task/none", "Host: localhost\r\nOrigin: https://evil.example\r\nContent-Length: 1\r\n\r\n{", 403, 403},
	{"a page of another port", "POST /task/none", "Host: localhost:9999\r\nOrigin: http://localhost:3000\r\nContent-Length: 1\r\n\r\n{", 403, 403},
	{"a page of no origin", "POST /task/none", "Host: localhost\r\nOrigin: null\r\nContent-Length: 1\r\n\r\n{", 403, 403},
	{"a page of an allowed origin", "POST /task/none", "Host: localhost\r\nOrigin: https://app.example.com\r\nSec-Fetch-Site: cross-site\r\nContent-Length: 1\r\n\r\n{", 400, 400},
	{"an image of another site", "GET /tasks", "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n", 403, 403},
	{"a page of the same site", "GET /tasks", "Host: localhost\r\nSec-Fetch-Site: same-site\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n", 403, 403},
	{"a link that is followed", "GET /workers", "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n", 200, 200},
	{"a form that is sent", "POST /task/none", "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nContent-Length: 1\r\n\r\n{", 403, 403},
	{"a frame", "GET /workers", "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n", 403, 403},
	{"a preflight", "OPTIONS /task/none", "Host: localhost\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n", 403, 403},
	{"a program's WebSocket", "GET /worker", "Host: localhost\r\n" + upgrade, 101, 101},
	{"a page's WebSocket", "GET /websocket", "Host: localhost\r\nOrigin: http://localhost\r\n" + upgrade, 101, 101},
	{"another page's WebSocket", "GET /websocket", "Host: localhost\r\nOrigin: https://evil.example\r\n" + upgrade, 403, 403},
	{"another page's worker", "GET /worker", "Host: localhost\r\nOrigin: https://evil.example\r\n" + upgrade, 403, 403},
	{"a WebSocket by a rebound name", "GET /worker", "Host: evil.example\r\nOrigin: http://evil.example\r\n" + upgrade, 421, 421},
	{"an allowed page's WebSocket", "GET /websocket", "Host: localhost\r\nOrigin: https://app.example.com\r\n" + upgrade, 101, 101},
}

// TestA18WebPages and TestA19Hosts in one: what a page that a person visits, a name that was rebound to this machine, and
// programs may do with a server on loopback and with one on all addresses.
func TestA18WebPages(t *testing.T) {
	access(t, func(k *knock) bool {
		return strings.Contains(k.fields, "Origin:") || strings.Contains(k.fields, "Sec-Fetch")
	})
}

// TestA19Hosts is about requests that are judged by Host alone.
func TestA19Hosts(t *testing.T) {
	access(t, func(k *knock) bool { return !strings.Contains(k.fields, "Origin:") })
}

func access(t *testing.T, about func(*knock) bool) {
	for _, host := range []string{"localhost", "0.0.0.0"} {
		s := serve(t, func(o *options) {
			o.Host, o.Hosts, o.Origins = host, []string{"tasks.example.com"}, []string{"https://app.example.com"}
		})
		for _, k := range knocks {
			if !about(&k) {
				continue
			}
			want := k.local
			if host != "localhost" {
				want = k.open
			}
			end := "\r\n"
			if strings.Contains(k.fields, "\r\n\r\n") {
				end = ""
			}
			res, body := ask(t, s.loopback(), k.line+" HTTP/1.1\r\n"+k.fields+end)
			if res.StatusCode != want {
				t.Errorf("HOST=%s: %s got %d, want %d: %s", host, k.what, res.StatusCode, want, body)
			}
			for name := range res.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("HOST=%s: %s got %s", host, k.what, name)
				}
			}
		}
	}
}

// loopback is the server's address as this machine reaches it.
func (s *service) loopback() string {
	_, port, _ := net.SplitHostPort(s.addr())
	return net.JoinHostPort("127.0.0.1", port)
}

// TestA20OnlyWhenTold: nobody but this machine reaches the server unless it is told so, and then it warns.
func TestA20OnlyWhenTold(t *testing.T) {
	outside := ""
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			outside = ip.IP.String()
		}
	}
	reaches := func(p *program) bool {
		_, port, _ := net.SplitHostPort(p.addr)
		c, err := net.DialTimeout("tcp", net.JoinHostPort(outside, port), 5*time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}
	local := launch(t)
	open := launchUnready(t, "", "HOST=0.0.0.0")
	warning := open.line("other machines can reach this server")
	open.line("workman is ready")
	for _, want := range []string{"level=WARN", "no tokens", "firewall or a proxy", "leave HOST at localhost", "host=0.0.0.0"} {
		if !strings.Contains(warning, want) {
			t.Errorf("the warning does not say %q: %s", want, warning)
		}
	}
	if outside == "" {
		require(t, "this needs an address that is not loopback")
	}
	if reaches(local) {
		t.Errorf("the server is reached at %s, and was not told to be", outside)
	}
	if !reaches(open) {
		t.Errorf("HOST=0.0.0.0, and the server is not reached at %s", outside)
	}
	local.signal()
	local.exit(0)
	for l := range local.log {
		if strings.Contains(l, "WARN") {
			t.Errorf("a server on loopback warns: %s", l)
		}
	}
}

// TestA22Results: a nonce counts once, and only from the worker that it was handed to.
func TestA22Results(t *testing.T) {
	s := serve(t, nil)
	w, thief, q := s.socket(t, "/worker"), s.socket(t, "/worker"), s.socket(t, "/websocket")
	thief.say(`{"action":"RegisterTask","name":"another"}`)
	w.say(`{"action":"RegisterTask","name":"work"}`)
	w.say(`{"action":"GetTask"}`)
	q.say(`{"action":"RunTask","name":"work","nonce":1}`)
	token := tokenOf(t, w.hear())
	bad := func(want uint64) {
		t.Helper()
		waitFor(t, fmt.Sprint(want, " bad results"), func() bool {
			stats, err := s.tasks.Stats(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return stats.BadResults == want
		})
	}
	other := []byte(token)
	other[len(other)-1] ^= 1
	thief.say(`{"action":"SendResult","nonce":"` + token + `","result":"stolen"}`)
	bad(1)
	w.say(`{"action":"SendResult","nonce":"` + string(other) + `","result":"guessed"}`)
	w.say(`{"action":"SendResult","nonce":"` + strings.ToUpper(token) + `x","result":"no nonce"}`)
	w.say(`{"action":"SendResult","result":"none"}`)
	bad(4)
	w.say(`{"action":"SendResult","nonce":"` + token + `","result":"right"}`)
	w.say(`{"action":"SendResult","nonce":"` + token + `","result":"twice"}`)
	bad(5)
	q.say(`{"action":"GetTasks","nonce":2}`)
	for _, want := range []string{`{"nonce":1,"result":"right"}`, `{"nonce":2,"result":["another","work"]}`} {
		if got := q.hear(); got != want {
			t.Errorf("the producer got %s, want %s", got, want)
		}
	}
}

// TestA22NobodyIsReadyTwice: an answer that is the end of its caller's connection counts once, and so does what the worker
// said with it.
func TestA22NobodyIsReadyTwice(t *testing.T) {
	s := serve(t, nil)
	w := s.socket(t, "/worker")
	w.say(`{"action":"RegisterTask","name":"work"}`)
	w.say(`{"action":"GetTask"}`)
	c, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, "POST /task/work HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1")
	_, _ = w.conn.Write(append(clientFrame(`{"action":"SendResult","nonce":"`+tokenOf(t, w.hear())+`","result":1}`), clientFrame(`{"action":"GetTask"}`)...))
	if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	stats, err := s.tasks.Stats(t.Context())
	if err != nil || stats.BadResults != 0 {
		t.Errorf("%d bad results: %v", stats.BadResults, err)
	}
	if _, body := s.ask(t, "GET /workers HTTP/1.1\r\nHost: localhost\r\n\r\n"); !strings.Contains(body, `"ready":1,"running":0`) {
		t.Errorf("a worker that is ready for one: %s", body)
	}
}

// TestA23NoLinesAdded: what a peer says adds no field to an answer's head and no line to it.
func TestA23NoLinesAdded(t *testing.T) {
	s := serve(t, nil)
	fields := []string{"Allow", "Cache-Control", "Connection", "X-Content-Type-Options", "Content-Length", "Content-Type", "Date", "Retry-After", "Upgrade"}
	for _, evil := range []string{"%0d%0aX-Evil:%20yes", "%0D%0A%0D%0Aevil", "%0a", "x%00", "é%0d%0aX-Evil:%20yes", "%e2%80%a8X-Evil:yes", "\"},\\u000d"} {
		for _, path := range []string{"POST /task/%s", "POST /schedule/%s/x", "POST /schedule/2099-01-01T00:00:00Z/%s", "DELETE /scheduled/%s", "GET /%s", "GET /workers?limit=%s", "PUT /task/%s"} {
			if path == "POST /task/%s" && !strings.Contains(evil, "%0") {
				continue // a good name: it would wait for a worker
			}
			line := fmt.Sprintf(path, strings.ReplaceAll(evil, " ", "%20"))
			res, body := s.ask(t, line+" HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: abc\tX-Evil: yes\r\nContent-Length: 0\r\n\r\n")
			for name := range res.Header {
				if !slices.Contains(fields, name) {
					t.Errorf("%s: the answer has %s", line, name)
				}
			}
			if res.StatusCode >= 400 && strings.ContainsAny(body, "\r\n\x00") {
				t.Errorf("%s: the answer has control characters: %q", line, body)
			}
		}
	}
}
