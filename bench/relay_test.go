package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	process "workman/footprint"
)

// testRelay is a small task server: WebSocket and HTTP producers, workers with
// credits, and on request one fault. It shares no code with the bench, so that
// the two check each other.
type testRelay struct {
	mu      sync.Mutex // held while the messages of one read are handled
	credits []*relayConn
	queue   []relayTask
	running map[string]relayOrigin
	dirty   []*relayConn
	tasks   int
	answers int
	kept    relayRuns
	fault   string
	held    *relayAnswer // fault "swap": waits for another to swap with
}

// faultAt is the number of the answer that the fault befalls.
const faultAt = 100

type relayConn struct {
	net.Conn
	out   []byte
	hello bool
	lease chan string // of a worker without a WebSocket: it gets a task there
}

type relayTask struct {
	name    string
	options string
	origin  relayOrigin
}

// relayOrigin is who waits: a WebSocket with a nonce, or an HTTP request.
type relayOrigin struct {
	conn  *relayConn
	nonce string
	http  chan string
	run   string // its id, if nobody waits
}

type relayAnswer struct {
	origin relayOrigin
	result string
}

func newTestRelay(fault string) *testRelay {
	return &testRelay{running: map[string]relayOrigin{}, fault: fault}
}

// testProgram is the test relay as a program, with a fault.
func testProgram(t *testing.T, system, fault string) *program {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &program{system: system, path: path, dir: t.TempDir(), clients: workmanClients{}, keepers: workmanKeepers{}, awake: workmanReady, tells: true, command: func(host, port string) (args, env []string) {
		return nil, []string{"BENCH_TEST_RELAY=1", "BENCH_TEST_FAULT=" + fault, "HOST=" + host, "PORT=" + port}
	}}
}

// startTestRelay runs one as a process until the test ends.
func startTestRelay(t *testing.T, fault string) *target {
	t.Helper()
	target, err := testProgram(t, workman, fault).start(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := target.server.stop(); err != nil {
			t.Error(err)
		}
	})
	return target
}

// TestMain lets the test binary be the relay too, as a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("BENCH_TEST_RELAY") == "" {
		code := m.Run()
		os.RemoveAll(soakServerDir)
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	defer process.Watch(slog.New(slog.NewTextHandler(os.Stderr, nil)))()
	addr := net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT"))
	r := newTestRelay(os.Getenv("BENCH_TEST_FAULT"))
	if err := r.kept.open(); err != nil {
		fmt.Fprintln(os.Stderr, "test relay:", err)
		os.Exit(3)
	}
	s := &http.Server{Addr: addr, Handler: r}
	fmt.Fprintln(os.Stderr, "test relay listening on", addr)
	go func() {
		<-ctx.Done()
		s.Close()
	}()
	if err := s.ListenAndServe(); err != http.ErrServerClosed {
		fmt.Fprintln(os.Stderr, "test relay:", err)
		os.Exit(3)
	}
}

func (r *testRelay) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if strings.HasPrefix(q.URL.Path, "/runs/") {
		r.getRun(w, q)
		return
	}
	if nonce, ok := strings.CutPrefix(q.URL.Path, "/lease/"); ok {
		r.takeResult(w, q, strings.TrimSuffix(nonce, "/result"))
		return
	}
	switch q.URL.Path {
	case "/readyz":
	case "/task/work":
		r.post(w, q)
	case "/lease":
		r.lease(w, q)
	case "/websocket", "/worker":
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: %s\r\n\r\n", acceptKey(q.Header.Get("Sec-WebSocket-Key")))
		r.converse(&relayConn{Conn: conn}, bufio.NewReaderSize(rw, 256<<10), q.URL.Path == "/worker")
	default:
		http.NotFound(w, q)
	}
}

// post runs a task for HTTP.
func (r *testRelay) post(w http.ResponseWriter, q *http.Request) {
	options, _ := io.ReadAll(q.Body)
	answer := make(chan string, 2)
	r.mu.Lock()
	r.submit(relayTask{"work", string(options), relayOrigin{http: answer}})
	r.flush()
	r.mu.Unlock()
	select {
	case result := <-answer:
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		io.WriteString(w, result)
	case <-q.Context().Done():
	}
}

// converse handles one WebSocket until it ends: all whole frames that a read
// has brought under one lock.
func (r *testRelay) converse(c *relayConn, in *bufio.Reader, worker bool) {
	defer c.Close()
	for {
		text, err := relayFrame(in)
		if err != nil {
			r.forget(c)
			return
		}
		r.mu.Lock()
		for text != nil {
			if worker {
				r.fromWorker(c, text)
			} else {
				r.fromProducer(c, text)
			}
			text = bufferedFrame(in)
		}
		r.flush()
		r.mu.Unlock()
	}
}

// relayFrame reads a client's frame.
func relayFrame(in *bufio.Reader) (text []byte, err error) {
	for have := 4; ; {
		b, err := in.Peek(have)
		if err != nil {
			return nil, err
		}
		size, _ := frameSize(b)
		if size <= have {
			return bufferedFrame(in), nil
		}
		have = size
	}
}

// frameSize is the length of a masked frame, and of its header, of which b has
// the start.
func frameSize(b []byte) (size, head int) {
	switch b[1] & 0x7f {
	case 126:
		return 8 + int(binary.BigEndian.Uint16(b[2:])), 8
	case 127:
		if len(b) < 10 {
			return 10, 14
		}
		return 14 + int(binary.BigEndian.Uint64(b[2:])), 14
	}
	return 6 + int(b[1]&0x7f), 6
}

// bufferedFrame takes a client's frame if all of it is in the buffer.
func bufferedFrame(in *bufio.Reader) (text []byte) {
	b, _ := in.Peek(in.Buffered())
	if len(b) < 6 {
		return nil
	}
	size, head := frameSize(b)
	if len(b) < size || len(b) < head {
		return nil
	}
	text = bytes.Clone(b[head:size])
	for i := range text {
		text[i] ^= b[head-4+i%4]
	}
	in.Discard(size)
	return text
}

// forget drops the credits of a worker that has gone.
func (r *testRelay) forget(c *relayConn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.credits = slices.DeleteFunc(r.credits, func(owner *relayConn) bool { return owner == c })
}

func (r *testRelay) fromProducer(c *relayConn, text []byte) {
	action := between(text, `"action":"`)
	if action == "RunTasks" {
		r.promiseAll(c, text)
		return
	}
	if action != "RunTask" {
		if string(text) != pingText {
			panic(fmt.Sprintf("the producer sent %q", text))
		}
		r.answer(*r.held) // the pong has come: all is well
		r.held = nil
		return
	}
	_, options, _ := strings.Cut(string(text), `"options":`)
	t := relayTask{between(text, `"name":"`), options[:len(options)-1], relayOrigin{conn: c, nonce: between(text, `"nonce":"`)}}
	if strings.Contains(string(text), `"durable":true`) {
		r.promise(t)
		return
	}
	r.submit(t)
}

func (r *testRelay) fromWorker(c *relayConn, text []byte) {
	switch between(text, `"action":"`) {
	case "Hello":
		c.hello = true
		r.send(c, 0x81, `{"event":"Hello","version":1,"heartbeat":30,"session":"abc","grace":5}`)
	case "GetTask":
		r.grant(c, max(1, countIn(text, `"count":`)))
	case "SendResult":
		_, result, _ := strings.Cut(string(text), `"result":`)
		result, _, _ = strings.Cut(strings.TrimSuffix(result, "}"), `,"credit":`)
		r.finish(between(text, `"nonce":"`), result)
		r.grant(c, countIn(text, `"credit":`))
	}
}

// countIn is the number behind a prefix, 0 without.
func countIn(text []byte, prefix string) (n int) {
	_, rest, _ := bytes.Cut(text, []byte(prefix))
	fmt.Sscanf(string(rest), "%d", &n)
	return n
}

// grant notes that a worker is ready for n more.
func (r *testRelay) grant(c *relayConn, n int) {
	for range n {
		r.credits = append(r.credits, c)
	}
	r.dispatch()
}

// finish passes a result on.
func (r *testRelay) finish(nonce, result string) {
	origin, ok := r.running[nonce]
	if !ok {
		panic("the worker answered a task it never got: " + nonce)
	}
	delete(r.running, nonce)
	if origin.run != "" {
		r.finishRun(origin.run, result)
		return
	}
	r.answers++
	r.spoil(relayAnswer{origin, result})
}

func (r *testRelay) submit(t relayTask) {
	r.queue = append(r.queue, t)
	r.dispatch()
}

func (r *testRelay) dispatch() {
	for len(r.queue) > 0 && len(r.credits) > 0 {
		t, c := r.queue[0], r.credits[0]
		r.queue, r.credits = r.queue[1:], r.credits[1:]
		r.tasks++
		nonce := fmt.Sprintf("%024x", r.tasks)
		r.running[nonce] = t.origin
		if c.lease != nil {
			nonce = fmt.Sprintf("%040x", r.tasks)
			r.running[nonce] = t.origin
			c.lease <- `{"name":"` + t.name + `","options":` + t.options + `,"attempt":1,"fence":1,"nonce":"` + nonce + `"}`
			continue
		}
		if c.hello {
			r.send(c, 0x81, `{"name":"`+t.name+`","options":`+t.options+`,"attempt":1,"fence":1,"nonce":"`+nonce+`"}`)
			continue
		}
		if r.fault == "shuffle" {
			r.send(c, 0x81, `{"nonce":"`+nonce+`", "options":`+t.options+`,"name":"`+t.name+`"}`)
			continue
		}
		r.send(c, 0x81, `{"name":"`+t.name+`","options":`+t.options+`,"nonce":"`+nonce+`"}`)
	}
}

const pingText = "are you there?"

// spoil passes an answer on, with the fault if its time has come.
func (r *testRelay) spoil(a relayAnswer) {
	if r.fault == "swap" && r.held != nil {
		a.result, r.held.result = r.held.result, a.result
		r.answer(*r.held)
		r.held = nil
	}
	fault := r.fault
	if r.answers != faultAt {
		fault = ""
	}
	switch fault {
	case "drop":
	case "swap":
		r.held = &a
	case "ping":
		r.held = &a
		r.send(a.origin.conn, 0x89, pingText)
	case "corrupt":
		a.result = a.result[:5] + string('0'+(a.result[5]-'0'+1)%10) + a.result[6:]
		r.answer(a)
	case "duplicate":
		r.answer(a)
		r.answer(a)
	case "forge":
		r.answer(a)
		a.origin.nonce = "!" + a.origin.nonce[1:]
		r.answer(a)
	case "reorder":
		r.send(a.origin.conn, 0x81, ` {"result": `+a.result+`, "nonce": "`+a.origin.nonce+`"}`)
	case "hangup":
		r.send(a.origin.conn, 0x88, "\x03\xe9going away")
	default:
		r.answer(a)
	}
}

func (r *testRelay) answer(a relayAnswer) {
	if a.origin.http != nil {
		a.origin.http <- a.result
		return
	}
	r.send(a.origin.conn, 0x81, `{"nonce":"`+a.origin.nonce+`","result":`+a.result+`}`)
}

// send queues a frame, and flush writes what is queued.
func (r *testRelay) send(c *relayConn, first byte, text string) {
	if len(c.out) == 0 {
		r.dirty = append(r.dirty, c)
	}
	c.out = append(c.out, frameOf(first, text)...)
}

// frameOf is an unmasked frame, as a server sends it.
func frameOf(first byte, text string) []byte {
	b := []byte{first}
	switch n := len(text); {
	case n > 0xffff:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	case n > 125:
		b = append(b, 126, byte(n>>8), byte(n))
	default:
		b = append(b, byte(n))
	}
	return append(b, text...)
}

// flush writes with the lock held: what a test has under way fits the sockets'
// buffers.
func (r *testRelay) flush() {
	for _, c := range r.dirty {
		c.Write(c.out)
		c.out = c.out[:0]
	}
	r.dirty = r.dirty[:0]
}

// between is the text from prefix to the next quote.
func between(text []byte, prefix string) string {
	_, rest, _ := bytes.Cut(text, []byte(prefix))
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}
