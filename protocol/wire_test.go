package protocol_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"workman/dispatch"
	"workman/protocol"
	script "workman/protocol/transcript"
)

// TestWire replays the transcripts of the wire against the protocol and the dispatcher alone, with no socket: with what
// is sent arriving whole, and a byte at a time.
func TestWire(t *testing.T) {
	scripts, err := filepath.Glob("testdata/wire/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range scripts {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for name, step := range map[string]int{"whole": 1 << 20, "bytewise": 1, "sevens": 7} {
			t.Run(filepath.Base(file)+"/"+name, func(t *testing.T) {
				script.Run(t, newWire(t, step).dial, string(text))
			})
		}
	}
}

// wire is a whole server but for its sockets.
type wire struct {
	t       *testing.T
	step    int // bytes that arrive at once
	framing *protocol.Framing
	front   *protocol.Front
	d       *dispatch.Dispatcher
	conns   []*pipe
	now     dispatch.Now
	batch   dispatch.Batch
	store   memory
}

func newWire(t *testing.T, step int) *wire {
	w := &wire{t: t, step: step, now: dispatch.Now{Mono: 1, Wall: 1_900_000_000_000}, store: memory{}}
	w.front = protocol.NewFront(w.submit)
	cfg := protocol.DefaultConfig()
	cfg.CheckUTF8 = false
	var err error
	if w.framing, err = protocol.NewFraming(cfg, w, w.front); err != nil {
		t.Fatal(err)
	}
	dispatcher := dispatch.DefaultConfig()
	dispatcher.Durable = true
	if w.d, err = dispatch.New(dispatcher, rand.NewPCG(5, 6), w.now); err != nil {
		t.Fatal(err)
	}
	w.d.Begin(1, 0)
	return w
}

// Borrow and Date make the wire a host.
func (w *wire) Borrow(*protocol.Session) []byte { return make([]byte, 0, 64) }
func (w *wire) Date() []byte                    { return []byte("Tue, 15 Nov 1994 08:12:31 GMT") }

func (w *wire) submit(in dispatch.Input) {
	for i := range in.Events {
		w.run(in.From, &in.Events[i], in.Base)
	}
	for w.d.Sleep(w.now) == 0 {
		w.run(0, &dispatch.Event{Kind: dispatch.Tick}, nil)
	}
}

func (w *wire) run(from dispatch.Conn, ev *dispatch.Event, base []byte) {
	w.d.Step(w.now, from, ev, base, &w.batch)
	for i := range w.batch.Effects {
		e := &w.batch.Effects[i]
		if e.Kind == dispatch.Paused {
			continue // no script hands out that much
		}
		if c := w.conns[e.To.Slot()]; c.session.Phase() != protocol.PhaseDone {
			protocol.Encode(&c.session, e)
		}
	}
	w.answer()
}

// answer does for the dispatcher what a store does, at once.
func (w *wire) answer() {
	n := w.batch.N
	w.store.keep(&w.batch)
	type loaded struct {
		event dispatch.Event
		rows  []byte
	}
	var all []loaded
	for _, l := range w.batch.Loads {
		for i := range max(len(l.Keys), 1) {
			rows, how := w.store.load(&l, i)
			all = append(all, loaded{dispatch.Event{
				Kind: dispatch.Loaded, Seq: l.N + uint64(i), Count: how, Body: dispatch.Span{Len: uint32(len(rows))},
			}, rows})
		}
	}
	w.batch.Reset()
	if n > 0 {
		w.run(0, &dispatch.Event{Kind: dispatch.Committed, Seq: n}, nil)
	}
	for i := range all {
		w.run(0, &all[i].event, all[i].rows)
	}
}

func (w *wire) dial() (io.ReadWriteCloser, error) {
	c := &pipe{wire: w}
	w.framing.Start(&c.session, dispatch.MakeConn(0, uint32(len(w.conns)), 1))
	w.conns = append(w.conns, c)
	return c, nil
}

// collect moves what sessions have to send to where their clients read it.
func (w *wire) collect() {
	w.front.Flush()
	for _, c := range w.conns {
		c.out = append(c.out, c.session.Out...)
		c.session.Out = nil
	}
}

// pipe is a connection to a wire.
type pipe struct {
	wire    *wire
	session protocol.Session
	out     []byte
}

var errNothing = errors.New("the server has nothing to say")

func (p *pipe) Write(b []byte) (int, error) {
	for rest := append([]byte(nil), b...); len(rest) > 0; {
		n := min(p.wire.step, len(rest))
		p.session.Feed(rest[:n:n])
		p.wire.collect()
		clear(rest[:n]) // read buffers are used again
		rest = rest[n:]
	}
	return len(b), nil
}

func (p *pipe) Read(b []byte) (int, error) {
	if len(p.out) == 0 {
		if p.session.Phase() == protocol.PhaseDone {
			return 0, io.EOF
		}
		return 0, errNothing
	}
	n := copy(b, p.out)
	p.out = p.out[n:]
	return n, nil
}

func (p *pipe) Close() error {
	p.session.End()
	p.wire.collect()
	return nil
}
