package protocol_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gobwas/ws"

	"workman/dispatch"
	"workman/protocol"
)

// path is the whole way of a task but for the sockets: sessions, front, ring, combiner, dispatcher, encoding. One
// producer and one worker, so many tasks a read.
type path struct {
	framing  *protocol.Framing
	front    *protocol.Front
	combiner *dispatch.Combiner
	sessions [2]protocol.Session
	out      [2][]byte
	run      []byte // a read of RunTask messages, masked
	results  []byte // a read of SendResult and GetTask messages, masked; nonces to be filled in
	nonces   []int  // where in results
	scratch  []byte
	paused   bool
}

// newPath makes a way with so many tasks a read. hello: the worker says Hello, and its results ask for the next task.
func newPath(tb testing.TB, each int, hello bool) *path {
	now := func() dispatch.Now { return dispatch.Now{Mono: 1, Wall: 1} }
	d, err := dispatch.New(dispatch.DefaultConfig(), rand.NewChaCha8([32]byte{1}), now())
	if err != nil {
		tb.Fatal(err)
	}
	p := &path{combiner: dispatch.NewCombiner(d, 64, now)}
	p.front = protocol.NewFront(func(in dispatch.Input) { p.combiner.Submit(in, p) })
	cfg := protocol.DefaultConfig()
	cfg.CheckUTF8 = false
	if p.framing, err = protocol.NewFraming(cfg, p, p.front); err != nil {
		tb.Fatal(err)
	}
	for i, endpoint := range []string{"/websocket", "/worker"} {
		p.framing.Start(&p.sessions[i], dispatch.MakeConn(0, uint32(i), 1))
		p.feed(i, []byte("GET "+endpoint+" HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
	}
	if hello {
		p.feed(1, clientText(workersHello))
		p.out[1] = nil
	}
	p.feed(1, clientText(`{"action":"RegisterTask","name":"work"}`))
	for i := range each {
		p.feed(1, clientText(`{"action":"GetTask"}`))
		p.run = append(p.run, clientText(fmt.Sprintf(
			`{"action":"RunTask","name":"work","nonce":"%08d","options":{"a":0.1234567890123456,"b":0.6543210987654321}}`, i))...)
		const head = `{"action":"SendResult","nonce":"`
		p.nonces = append(p.nonces, len(p.results)+6+len(head))
		if hello {
			p.results = append(p.results, clientText(combinedMessage)...)
			continue
		}
		p.results = append(p.results, clientText(sendResultMessage)...)
		p.results = append(p.results, clientText(getTaskMessage)...)
	}
	return p
}

// clientText is a client's frame with a mask of zeros, so that its bytes can be patched.
func clientText(text string) []byte {
	f := ws.NewTextFrame([]byte(text))
	return ws.MustCompileFrame(ws.MaskFrameWith(f, [4]byte{}))
}

func (p *path) feed(i int, b []byte) {
	p.scratch = append(p.scratch[:0], b...)
	p.sessions[i].Feed(p.scratch)
	for p.front.Flush(); p.paused; p.front.Flush() { // what was handed out is written at once
		p.paused = false
		p.front.SetSlow(&p.sessions[1], false)
	}
}

// round takes a read of tasks there and back.
func (p *path) round() {
	p.feed(0, p.run)
	at := 0
	for _, to := range p.nonces { // 24 digits stand before the end of each message
		n := int(p.out[1][at+1])
		at += 2
		if n == 126 {
			n = int(binary.BigEndian.Uint16(p.out[1][at:]))
			at += 2
		}
		at += n
		copy(p.results[to:], p.out[1][at-26:at-2])
	}
	p.out[1] = p.out[1][:0]
	p.feed(1, p.results)
	if len(p.out[0]) < 30*len(p.nonces) {
		panic("tasks are missing")
	}
	p.out[0] = p.out[0][:0]
}

// Borrow and Date make it a host, and the rest a sink.
func (p *path) Borrow(*protocol.Session) []byte { return make([]byte, 0, 1<<16) }
func (p *path) Date() []byte                    { return []byte("Tue, 15 Nov 1994 08:12:31 GMT") }
func (p *path) Begin()                          {}
func (p *path) End(int64)                       {}
func (p *path) Left()                           {}

func (p *path) Panicked(_ dispatch.Conn, v any) { panic(v) }

func (p *path) Deliver(b *dispatch.Batch) {
	for i := range b.Effects {
		e := &b.Effects[i]
		if e.Kind == dispatch.Paused {
			p.paused = true
			continue
		}
		s := &p.sessions[e.To.Slot()]
		s.Out = p.out[e.To.Slot()]
		if s.Out == nil {
			s.Out = make([]byte, 0, 1<<16)
		}
		protocol.Encode(s, e)
		p.out[e.To.Slot()] = s.Out
	}
}

// ways are with which workers tasks go: of old, and those that said Hello.
var ways = map[string]bool{"": false, "/hello": true}

// BenchmarkTask is the time of a whole task in user code, at so many messages a read.
func BenchmarkTask(b *testing.B) {
	for way, hello := range ways {
		for _, each := range []int{1, 16, 64} {
			b.Run(fmt.Sprint(each, way), func(b *testing.B) {
				p := newPath(b, each, hello)
				b.ReportAllocs()
				for i := 0; i < b.N; i += each {
					p.round()
				}
			})
		}
	}
}

// TestTaskAllocatesNothing: at steady state, a task's whole way allocates nothing.
func TestTaskAllocatesNothing(t *testing.T) {
	for way, hello := range ways {
		p := newPath(t, 16, hello)
		for range 100 {
			p.round()
		}
		if n := testing.AllocsPerRun(200, p.round); n > 0 {
			t.Errorf("16 tasks%s make %v allocations, want none", way, n)
		}
	}
}
