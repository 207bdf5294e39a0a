package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"

	"workman/dispatch"
	"workman/protocol"
)

// relay passes tasks from producers to workers, and results back. It keeps to the flow control, so that the same messages
// move in the same rhythm: a task goes to the worker whose GetTask is the oldest, or waits for the next one. It knows the messages by their first bytes
// and their fields by their positions, which are those that this repository's bench sends:
//
//	{"action":"RunTask","name":"work","nonce":"NNNNNNNN","options":O}      producer
//	{"name":"work","options":O,"nonce":"PPPPPPPPNNNNNNNNSSSSSSSS"}         to a worker
//	{"action":"SendResult","nonce":"PPPPPPPPNNNNNNNNSSSSSSSS","result":R}  worker
//	{"nonce":"NNNNNNNN","result":R}                                        to the producer
//
// P is the producer's number and S the request's on its connection, in hexadecimal; both are only for the way back.
type relay struct {
	quiet
	producers []*protocol.Session
	ready     fifo[*protocol.Session] // a worker for each GetTask that has no task yet
	waiting   fifo[task]              // tasks that have no worker yet
	spare     []task                  // for tasks to come
}

// fifo is a queue that does not allocate at steady state.
type fifo[T any] struct {
	all  []T
	from int
}

func (f *fifo[T]) push(v T) { f.all = append(f.all, v) }

func (f *fifo[T]) pop() (v T, ok bool) {
	if f.from == len(f.all) {
		return v, false
	}
	v = f.all[f.from]
	if f.from++; f.from == len(f.all) {
		f.all, f.from = f.all[:0], 0
	} else if f.from >= 1024 && 2*f.from >= len(f.all) {
		f.all, f.from = append(f.all[:0], f.all[f.from:]...), 0
	}
	return v, true
}

type task struct{ options, nonce []byte }

const (
	taskHead   = `{"name":"work","options":`
	taskNonce  = `,"nonce":"`
	taskEnd    = `"}`
	runHead    = `{"action":"RunTask","name":"work","nonce":"`
	runOptions = `","options":`
	sendHead   = `{"action":"SendResult","nonce":"`
	sendResult = `","result":`
	answerHead = `{"nonce":"`
	nonceLen   = 8
	tokenLen   = 24
)

const isWorker = 1 << 31 // in Session.Tag

func newRelay() *relay { return &relay{} }

func (r *relay) Upgrade(s *protocol.Session, q *protocol.Request) bool {
	if string(q.Path) == "/worker" {
		s.Tag = isWorker
	} else {
		r.enter(s)
	}
	return true
}

// enter gives a producer its number, from 1.
func (r *relay) enter(s *protocol.Session) {
	r.producers = append(r.producers, s)
	s.Tag = uint32(len(r.producers))
}

// Request passes on a POST of a task, which has no nonce of its own.
func (r *relay) Request(s *protocol.Session, q *protocol.Request) {
	if s.Tag == 0 {
		r.enter(s)
	}
	var token [tokenLen]byte
	r.pass(q.Body.Of(q.Base), r.token(&token, s.Tag, []byte("--------"), uint32(q.Seq)))
}

func (r *relay) token(t *[tokenLen]byte, producer uint32, nonce []byte, seq uint32) []byte {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], producer)
	hex.Encode(t[:8], b[:])
	copy(t[8:16], nonce)
	binary.BigEndian.PutUint32(b[:], seq)
	hex.Encode(t[16:], b[:])
	return t[:]
}

func (r *relay) Message(s *protocol.Session, base []byte, at dispatch.Span, _ bool) {
	p := at.Of(base)
	if s.Tag == isWorker {
		switch {
		case bytes.HasPrefix(p, []byte(sendHead)) && len(p) > len(sendHead)+tokenLen+len(sendResult):
			p = p[len(sendHead):]
			r.answer(p[:tokenLen], p[tokenLen+len(sendResult):len(p)-1])
		case bytes.HasPrefix(p, []byte(`{"action":"Get`)):
			if t, ok := r.waiting.pop(); ok {
				send(s, t.options, t.nonce)
				r.spare = append(r.spare, t)
			} else {
				r.ready.push(s)
			}
		}
		return
	}
	if len(p) > len(runHead)+nonceLen+len(runOptions) && bytes.HasPrefix(p, []byte(runHead)) {
		p = p[len(runHead):]
		var token [tokenLen]byte
		r.pass(p[nonceLen+len(runOptions):len(p)-1], r.token(&token, s.Tag, p[:nonceLen], 0))
	}
}

// pass sends a task to a worker that is ready for one, or keeps it. The credits of a worker that has gone are passed over.
func (r *relay) pass(options, token []byte) {
	for {
		w, ok := r.ready.pop()
		if !ok {
			r.waiting.push(r.keep(options, token))
			return
		}
		if send(w, options, token) {
			return
		}
	}
}

// keep copies a task, into one that is not needed any more if there is one.
func (r *relay) keep(options, token []byte) (t task) {
	if n := len(r.spare); n > 0 {
		t, r.spare = r.spare[n-1], r.spare[:n-1]
	}
	return task{append(t.options[:0], options...), append(t.nonce[:0], token...)}
}

// send writes a task to a worker; false if it has gone.
func send(w *protocol.Session, options, token []byte) bool {
	if !w.Text(len(taskHead) + len(options) + len(taskNonce) + len(token) + len(taskEnd)) {
		return false
	}
	out := append(append(w.Out, taskHead...), options...)
	w.Out = append(append(append(out, taskNonce...), token...), taskEnd...)
	return true
}

// answer sends a result to the producer that its token names.
func (r *relay) answer(token, result []byte) {
	var b [8]byte
	if _, err := hex.Decode(b[:4], token[:8]); err != nil {
		return
	}
	if _, err := hex.Decode(b[4:], token[16:]); err != nil {
		return
	}
	n := int(binary.BigEndian.Uint32(b[:4]))
	if n < 1 || n > len(r.producers) {
		return
	}
	p := r.producers[n-1]
	if !p.IsWebSocket() {
		p.Respond(uint64(binary.BigEndian.Uint32(b[4:])), protocol.Answer{Status: 200, Type: "application/json", Body: result})
		return
	}
	if p.Text(len(answerHead) + nonceLen + len(sendResult) + len(result) + 1) {
		out := append(append(p.Out, answerHead...), token[8:16]...)
		p.Out = append(append(append(out, sendResult...), result...), '}')
	}
}
