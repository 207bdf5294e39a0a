package reactor_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/goleak"

	"workman/dispatch"
	"workman/protocol"
	"workman/reactor"
)

func TestMain(m *testing.M) {
	// gnet keeps a pool of goroutines for the life of the process, made when it is imported.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/panjf2000/ants/v2.(*poolCommon).purgeStaleWorkers"),
		goleak.IgnoreAnyFunction("github.com/panjf2000/ants/v2.(*poolCommon).ticktock"))
}

// echo answers everything with itself.
type echo struct{}

func (echo) Request(s *protocol.Session, r *protocol.Request) {
	s.Respond(r.Seq, protocol.Answer{Status: 200, Body: r.Body.Of(r.Base)})
}
func (echo) Upgrade(*protocol.Session, *protocol.Request) bool { return true }
func (echo) Message(s *protocol.Session, base []byte, at dispatch.Span, _ bool) {
	s.Send(ws.OpText, at.Of(base))
}
func (echo) Ended(*protocol.Session)         {}
func (echo) Flush()                          {}
func (echo) Woken()                          {}
func (echo) SetSlow(*protocol.Session, bool) {}

// journal is a log that tests can read.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// listen starts a server on a free port, and ends it with the test.
func listen(t *testing.T, set func(*reactor.Config)) (*reactor.Server, *journal) {
	t.Helper()
	log := new(journal)
	cfg := reactor.DefaultConfig()
	cfg.Host, cfg.Port, cfg.MaxConns = "127.0.0.1", 0, 10_000
	cfg.Serve = func(*reactor.Loop) reactor.Service { return echo{} }
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	set(&cfg)
	s, err := reactor.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if n := s.Conns(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
	return s, log
}

// peer is a client of a server, with a deadline for all it does.
type peer struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

const patience = 20 * time.Second

func dial(t *testing.T, s *reactor.Server) *peer {
	t.Helper()
	c, err := net.Dial("tcp", s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &peer{t: t, Conn: c, in: bufio.NewReaderSize(c, 512)}
}

func (p *peer) send(raw string) {
	p.t.Helper()
	if _, err := io.WriteString(p, raw); err != nil {
		p.t.Fatal(err)
	}
}

// answer reads one response.
func (p *peer) answer() (int, string) {
	p.t.Helper()
	res, err := http.ReadResponse(p.in, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// post has a body echoed.
func (p *peer) post(body string) {
	p.t.Helper()
	p.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	if status, got := p.answer(); status != 200 || got != body {
		p.t.Fatalf("%d %.80q, want 200 %.80q", status, got, body)
	}
}

// upgrade makes a WebSocket of the connection.
func (p *peer) upgrade() *peer {
	p.t.Helper()
	p.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if status, body := p.answer(); status != 101 {
		p.t.Fatalf("handshake: %d %s", status, body)
	}
	return p
}

func (p *peer) say(text string) {
	p.t.Helper()
	if err := wsutil.WriteClientText(p, []byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

// hear returns the next message, or "close" and the code of a close frame, or "end".
func (p *peer) hear() string {
	p.t.Helper()
	for {
		h, err := ws.ReadHeader(p.in)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				p.t.Fatal(err)
			}
			return "end"
		}
		payload := make([]byte, h.Length)
		if _, err := io.ReadFull(p.in, payload); err != nil {
			p.t.Fatal(err)
		}
		switch h.OpCode {
		case ws.OpText:
			return string(payload)
		case ws.OpClose:
			code, _ := ws.ParseCloseFrameData(payload)
			return fmt.Sprint("close ", int(code))
		}
	}
}

// over waits for the end of the connection, whatever comes before it.
func (p *peer) over() {
	p.t.Helper()
	if _, err := io.Copy(io.Discard, p.in); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			p.t.Fatal("the connection is not closed")
		}
	}
}

// waitFor asks again until something is so.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	every := time.NewTicker(2 * time.Millisecond)
	defer every.Stop()
	limit := time.After(patience)
	for !is() {
		select {
		case <-every.C:
		case <-limit:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
