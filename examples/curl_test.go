package examples_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// echoWorker serves the task echo from within the test. Unlike any JSON library it gives the options back exactly as
// they came, so that what the server does to them shows. It runs until the test ends.
func echoWorker(t *testing.T, w *workman) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	conn, _, err := websocket.Dial(ctx, w.websocket()+"/worker", nil)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	conn.SetReadLimit(-1)
	say := func(m []byte) error { return conn.Write(ctx, websocket.MessageText, m) }
	if err := say([]byte(`{"action":"RegisterTask","name":"echo"}`)); err != nil {
		t.Error(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if say([]byte(`{"action":"GetTask"}`)) != nil {
				return
			}
			_, m, err := conn.Read(ctx)
			if err != nil {
				return
			}
			var task struct {
				Nonce   string
				Options json.RawMessage
			}
			if err := json.Unmarshal(m, &task); err != nil {
				t.Errorf("the worker was sent %q: %v", m, err)
				return
			}
			if say(fmt.Appendf(nil, `{"action":"SendResult","nonce":%q,"result":%s}`, task.Nonce, task.Options)) != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		conn.CloseNow()
		<-ended
	})
}

// curled is one answer, as curl saw it.
type curled struct {
	status  string
	headers []string // of the last answer, in lower case
	body    string
	reused  bool // the last of several transfers went over the first one's connection
}

// curl runs curl with these arguments. PATH in them is the server's address.
func curl(t *testing.T, w *workman, stdin string, args ...string) curled {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		missing(t, "%v", err)
	}
	dir := t.TempDir()
	head, body := filepath.Join(dir, "head"), filepath.Join(dir, "body")
	all := []string{"-sS", "--max-time", "25", "-D", head, "-o", body, "-w", "%{http_code} %{num_connects}\n"}
	for _, a := range args {
		all = append(all, strings.ReplaceAll(a, "URL", "http://"+w.address()))
	}
	cmd := exec.Command("curl", all...)
	dieWithTest(cmd)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("curl %q: %v\n%s", all, err, out)
	}
	lines := strings.Fields(string(out))
	c := curled{status: lines[len(lines)-2], reused: lines[len(lines)-1] == "0"}
	raw, err := os.ReadFile(head)
	if err != nil {
		t.Fatal(err)
	}
	heads := strings.Split(strings.TrimSpace(string(raw)), "\r\n\r\n")
	for _, line := range strings.Split(heads[len(heads)-1], "\r\n") {
		c.headers = append(c.headers, strings.ToLower(line))
	}
	if raw, err := os.ReadFile(body); err == nil { // curl makes none for an empty body
		c.body = string(raw)
	}
	return c
}

// TestCurl has curl send what people have it send.
func TestCurl(t *testing.T) {
	const (
		odd = `{ "b" : 12345678901234567890, "a":1.0e+2, "é":"\u00e9\/", "b":[] }` // no library gives this back as it is
		bin = "Content-Type: application/octet-stream"
	)
	big := `"` + strings.Repeat("0123456789abcdef", 1<<17) + `"` // 2 MiB: curl asks first, with Expect
	w := serve(t, "")
	echoWorker(t, w)
	for _, c := range []struct {
		name  string
		stdin string
		args  []string
		want  string
	}{
		{"form type", "", []string{"URL/task/echo", "-d", odd}, odd},
		{"json type", "", []string{"URL/task/echo", "--json", odd}, odd},
		{"text type", "", []string{"URL/task/echo", "-d", odd, "-H", "Content-Type: text/plain"}, odd},
		{"other type", "", []string{"URL/task/echo", "-d", odd, "-H", bin}, odd},
		{"no type", "", []string{"URL/task/echo", "-d", odd, "-H", "Content-Type:"}, odd},
		{"empty data", "", []string{"URL/task/echo", "-d", ""}, "null"},
		{"no data, no length", "", []string{"URL/task/echo", "-X", "POST"}, "null"},
		{"chunked", odd, []string{"URL/task/echo", "-X", "POST", "-T", "-"}, odd},
		{"chunked, empty", "", []string{"URL/task/echo", "-X", "POST", "-T", "-"}, "null"},
		{"chunked, big", big, []string{"URL/task/echo", "-X", "POST", "-T", "-", "-H", "Expect:"}, big},
		{"expect", "", []string{"URL/task/echo", "-d", odd, "-H", "Expect: 100-continue"}, odd},
		{"big", big, []string{"URL/task/echo", "-d", "@-"}, big},
		{"big, unasked", big, []string{"URL/task/echo", "-d", "@-", "-H", "Expect:"}, big},
		{"HTTP/1.0", "", []string{"URL/task/echo", "-d", odd, "--http1.0"}, odd},
		{"connection close", "", []string{"URL/task/echo", "-d", odd, "-H", "Connection: close"}, odd},
		{"upgrade to HTTP/2 offered", "", []string{"URL/task/echo", "-d", odd, "--http2"}, odd},
		{"a query", "", []string{"URL/task/echo?a=b", "-d", odd}, odd},
		{"an encoded name", "", []string{"URL/task/ech%6f", "-d", odd}, odd},
		{"a number", "", []string{"URL/task/echo", "-d", "-0.0"}, "-0.0"},
		{"a string", "", []string{"URL/task/echo", "-d", `"<b>"`}, `"<b>"`},
		{"a boolean", "", []string{"URL/task/echo", "-d", "true"}, "true"},
		{"null", "", []string{"URL/task/echo", "-d", "null"}, "null"},
		{"an array", "", []string{"URL/task/echo", "-d", "[1,[2]]"}, "[1,[2]]"},
		{"the list", "", []string{"URL/tasks"}, `["echo"]`},
		{"own origin", "", []string{"URL/task/echo", "-d", "1", "-H", "Origin: URL"}, "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := curl(t, w, c.stdin, c.args...)
			if got.status != "200" || got.body != c.want {
				t.Errorf("%s %.200q, want 200 %.200q", got.status, got.body, c.want)
			}
			if !slices.Contains(got.headers, "content-type: application/json; charset=utf-8") {
				t.Errorf("the headers are %q", got.headers)
			}
		})
	}
	t.Run("kept alive", func(t *testing.T) {
		got := curl(t, w, "", "URL/task/echo", "-d", odd, "--next", "-sS", "-w", "%{http_code} %{num_connects}\n",
			"-o", os.DevNull, "URL/tasks")
		if got.status != "200" || !got.reused {
			t.Errorf("the second request's status is %s, and its connection the first's: %v", got.status, got.reused)
		}
	})
}

// TestCurlSchedules tries the ways to write a time, and some that are none.
func TestCurlSchedules(t *testing.T) {
	w := serve(t, "")
	echoWorker(t, w)
	for when, status := range map[string]string{
		"2999-02-02T20:20:20Z":               "200",
		"2999-02-02T20:20:20.123Z":           "200",
		"2999-02-02T20%3A20%3A20Z":           "200",
		"2999-02-02T20:20:20.123456789Z":     "200",
		"2999-02-02T20:20:20+02:00":          "200",
		"2999-02-02T20:20:20%2B02:00":        "200",
		"2999-02-02T20:20:20.5-11:30":        "200",
		"2024-02-29T00:00:00Z":               "200", // past: at once
		"garbage":                            "400",
		"2999-02-31T00:00:00Z":               "400",
		"2999-02-29T00:00:00Z":               "400",
		"2999-13-01T00:00:00Z":               "400",
		"2999-01-01T25:00:00Z":               "400",
		"2999-01-01":                         "400",
		"2999-01-01T00:00:00":                "400",
		"4102444800":                         "400",
		"2999-02-02T20:20:20Z%00":            "400",
		"2999-02-02T20:20:20Z%0AX":           "400",
		strings.Repeat("9", 1000) + "-01-01": "400",
	} {
		t.Run(when[:min(len(when), 40)], func(t *testing.T) {
			got := curl(t, w, "", "URL/schedule/"+when+"/echo", "-d", "{}")
			if got.status != status {
				t.Fatalf("%s %q, want %s", got.status, got.body, status)
			}
			if status == "200" {
				var scheduled struct{ ID string }
				if err := json.Unmarshal([]byte(got.body), &scheduled); err != nil || scheduled.ID == "" {
					t.Fatalf("%q: %v", got.body, err)
				}
				want := fmt.Sprintf(`{"found":%v}`, !strings.HasPrefix(when, "2024"))
				if strings.HasPrefix(when, "2024") {
					w.expect("POST", "/task/echo", "1", "1") // by now it has run
				}
				if got := curl(t, w, "", "-X", "DELETE", "URL/scheduled/"+scheduled.ID); got.body != want {
					t.Errorf("DELETE: %s %q, want %s", got.status, got.body, want)
				}
			}
		})
	}
}

// TestCurlRefused sends what the server has to refuse, and looks whether it says so properly.
func TestCurlRefused(t *testing.T) {
	w := serve(t, "")
	echoWorker(t, w)
	post := []string{"URL/task/echo", "-d", "1"}
	for _, c := range []struct {
		name     string
		args     []string
		statuses []string
		header   string // that the answer has to hold
	}{
		{"not JSON", []string{"URL/task/echo", "-d", "{"}, []string{"400"}, ""},
		{"a form", []string{"URL/task/echo", "-d", "a=b"}, []string{"400"}, ""},
		{"two values", []string{"URL/task/echo", "-d", "1 2"}, []string{"400"}, ""},
		{"not UTF-8", []string{"URL/task/echo", "-d", "\"\xff\""}, []string{"400"}, ""},
		{"too deep", []string{"URL/task/echo", "-d", strings.Repeat("[", 10000) + strings.Repeat("]", 10000)}, []string{"400"}, ""},
		{"schedules not JSON", []string{"URL/schedule/2999-01-01T00:00:00Z/echo", "-d", "{"}, []string{"400"}, ""},
		{"unknown path", []string{"URL/nothing"}, []string{"404"}, ""},
		{"a path below", []string{"URL/task/echo/more", "-d", "1"}, []string{"404"}, ""},
		{"wrong method", []string{"URL/task/echo"}, []string{"405"}, "allow: "},
		{"wrong method", []string{"URL/tasks", "-d", "1"}, []string{"405"}, "allow: "},
		{"wrong method", []string{"URL/scheduled/1", "-X", "PUT"}, []string{"405"}, "allow: "},
		{"no WebSocket", []string{"URL/websocket"}, []string{"426"}, "upgrade: websocket"},
		{"no WebSocket", []string{"URL/worker"}, []string{"426"}, "upgrade: websocket"},
		{"a foreign page", slices.Concat(post, []string{"-H", "Origin: https://example.com"}), []string{"403"}, ""},
		{"a foreign page", slices.Concat(post, []string{"-H", "Origin: null"}), []string{"403"}, ""},
		{"a foreign page", slices.Concat(post, []string{"-H", "Sec-Fetch-Site: cross-site"}), []string{"403"}, ""},
		{"a foreign name", slices.Concat(post, []string{"-H", "Host: example.com"}), []string{"403", "421"}, ""},
		{"a foreign name", []string{"URL/tasks", "-H", "Host: example.com"}, []string{"403", "421"}, ""},
		{"a foreign page", []string{"URL/worker", "-H", "Origin: https://example.com", "-H", "Connection: Upgrade",
			"-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13",
			"-H", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="}, []string{"403"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := curl(t, w, "", c.args...)
			if !slices.Contains(c.statuses, got.status) {
				t.Fatalf("%s %q, want %v", got.status, got.body, c.statuses)
			}
			var problem struct {
				Type, Title, Error, Message *string
				Status, StatusCode          int
			}
			if err := json.Unmarshal([]byte(got.body), &problem); err != nil {
				t.Fatalf("%q: %v", got.body, err)
			}
			if problem.Type == nil || problem.Title == nil || problem.Error == nil || problem.Message == nil ||
				fmt.Sprint(problem.Status) != got.status || fmt.Sprint(problem.StatusCode) != got.status {
				t.Errorf("the problem document is %s", got.body)
			}
			holds := func(want string) bool {
				return slices.ContainsFunc(got.headers, func(h string) bool { return strings.HasPrefix(h, want) })
			}
			if !holds("content-type: application/problem+json") || c.header != "" && !holds(c.header) {
				t.Errorf("the headers are %q, want %q among them", got.headers, c.header)
			}
		})
	}
	w.expect("POST", "/task/echo", "1", "1") // it has got over all of that
}

// TestCurlMethods tries the methods that every HTTP server knows.
func TestCurlMethods(t *testing.T) {
	w := serve(t, "")
	got := curl(t, w, "", "-I", "URL/tasks")
	if got.status != "200" || got.body != "" && !strings.HasPrefix(got.body, "HTTP/1.1 200") {
		t.Errorf("HEAD /tasks: %s %q", got.status, got.body)
	}
	if want := "content-length: 2"; !slices.Contains(got.headers, want) {
		t.Errorf("HEAD /tasks: the headers are %q, want %q among them", got.headers, want)
	}
	for path, allowed := range map[string]string{"/tasks": "get", "/task/echo": "post", "/scheduled/1": "delete"} {
		got := curl(t, w, "", "-X", "OPTIONS", "URL"+path)
		if got.status != "200" && got.status != "204" {
			t.Errorf("OPTIONS %s: %s", path, got.status)
		}
		if !slices.ContainsFunc(got.headers, func(h string) bool {
			return strings.HasPrefix(h, "allow: ") && strings.Contains(h, allowed)
		}) {
			t.Errorf("OPTIONS %s: the headers are %q", path, got.headers)
		}
	}
}
