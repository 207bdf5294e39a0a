package protocol_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"workman/dispatch"
	"workman/protocol"
)

// quietService answers at once, and notes nothing.
type quietService struct{ n int }

func (v *quietService) Request(s *protocol.Session, r *protocol.Request) {
	v.n++
	s.Respond(r.Seq, protocol.Answer{Status: 200, Type: "application/json; charset=utf-8", Body: quietBody})
}
func (v *quietService) Upgrade(*protocol.Session, *protocol.Request) bool { return true }
func (v *quietService) Message(_ *protocol.Session, _ []byte, at dispatch.Span, _ bool) {
	v.n += int(at.Len)
}
func (v *quietService) Ended(*protocol.Session) {}

var quietBody = []byte(`{"a":1}`)

// quiet is a session whose host and service allocate nothing.
func quiet(t testing.TB, websocket bool, utf8 bool) (*protocol.Session, *quietService) {
	cfg := protocol.DefaultConfig()
	cfg.CheckUTF8 = utf8
	host := &framingHost{spare: make([]byte, 0, 64<<10)}
	svc := &quietService{}
	f, err := protocol.NewFraming(cfg, host, svc)
	if err != nil {
		t.Fatal(err)
	}
	s := &protocol.Session{}
	f.Start(s, 1)
	if websocket {
		s.Feed([]byte(handshake))
		s.Out = nil
	}
	return s, svc
}

const usualPost = "POST /task/work HTTP/1.1\r\nHost: localhost:9999\r\nUser-Agent: node\r\nAccept: */*\r\n" +
	"Content-Type: application/json\r\nConnection: keep-alive\r\nContent-Length: 15\r\n\r\n{\"a\":1, \"b\": 2}"

// Target: nothing is allocated for a message or a request at steady state, whole or in pieces, in turn or not.
func TestNothingIsAllocated(t *testing.T) {
	text := strings.Repeat("a", 107)
	for name, c := range map[string]struct {
		websocket bool
		pieces    []string
	}{
		"request":         {false, []string{usualPost}},
		"pipelined":       {false, []string{usualPost + usualPost + usualPost}},
		"request cut":     {false, []string{usualPost[:20], usualPost[20:100], usualPost[100:]}},
		"body cut":        {false, []string{usualPost[:len(usualPost)-4], usualPost[len(usualPost)-4:]}},
		"chunked":         {false, []string{chunkedHead + "5\r\nhello\r\n0\r\n\r\n"}},
		"origin":          {false, []string{"GET / HTTP/1.1\r\nHost: localhost:9999\r\nOrigin: http://localhost:9999\r\nUser-Agent: Mozilla/5.0\r\n\r\n"}},
		"message":         {true, []string{masked(ws.OpText, true, text)}},
		"messages":        {true, []string{masked(ws.OpText, true, text) + masked(ws.OpText, true, text)}},
		"message cut":     {true, []string{masked(ws.OpText, true, text)[:50], masked(ws.OpText, true, text)[50:]}},
		"header cut":      {true, []string{masked(ws.OpText, true, text)[:3], masked(ws.OpText, true, text)[3:]}},
		"fragments":       {true, []string{masked(ws.OpText, false, text) + masked(ws.OpContinuation, true, text)}},
		"ping":            {true, []string{masked(ws.OpPing, true, "ping") + masked(ws.OpText, true, "x")}},
		"ping cut":        {true, []string{masked(ws.OpPing, true, "ping")[:8], masked(ws.OpPing, true, "ping")[8:] + masked(ws.OpText, true, "x")}},
		"large, in 64 K":  {true, []string{masked(ws.OpBinary, true, strings.Repeat("a", 120_000))[:64_000], masked(ws.OpBinary, true, strings.Repeat("a", 120_000))[64_000:]}},
		"ping and answer": {true, []string{masked(ws.OpText, true, "x")}},
	} {
		s, svc := quiet(t, c.websocket, true)
		var originals, pieces [][]byte
		for _, p := range c.pieces {
			originals, pieces = append(originals, []byte(p)), append(pieces, []byte(p))
		}
		run := func() {
			for i, p := range pieces {
				copy(p, originals[i]) // it was unmasked
				s.Feed(p)
				s.Out = nil
			}
		}
		run()
		if n := testing.AllocsPerRun(200, run); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if svc.n == 0 || s.Phase() == protocol.PhaseDone || s.Held() != 0 {
			t.Errorf("%s: %d calls, phase %d, %d held", name, svc.n, s.Phase(), s.Held())
		}
	}
}

func BenchmarkMessage(b *testing.B) {
	for _, n := range []int{16, 107, 1000, 64 << 10} {
		for _, utf8 := range []bool{false, true} {
			b.Run(fmt.Sprintf("%dB/utf8=%v", n, utf8), func(b *testing.B) {
				s, _ := quiet(b, true, utf8)
				one := masked(ws.OpText, true, strings.Repeat("a", n))
				zero := []byte(one) // with a key of zeros, so that it can be fed again
				copy(zero[len(zero)-n-4:], "\x00\x00\x00\x00"+strings.Repeat("a", n))
				turn := []byte(strings.Repeat(string(zero), 64))
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for i := 0; i < b.N; i += 64 {
					s.Feed(turn)
				}
			})
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	s, _ := quiet(b, false, true)
	in := []byte(usualPost)
	b.ReportAllocs()
	for b.Loop() {
		s.Feed(in)
		s.Out = nil
	}
}

func BenchmarkSend(b *testing.B) {
	s, _ := quiet(b, true, true)
	p := []byte(strings.Repeat("a", 107))
	b.ReportAllocs()
	for b.Loop() {
		for range 64 {
			s.Text(len(p))
			s.Out = append(s.Out, p...)
		}
		s.Out = nil
	}
}
