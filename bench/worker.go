package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// The messages of a worker.
const (
	registerTask = `{"action":"RegisterTask","name":"work"}`
	getTask      = `{"action":"GetTask"}`

	taskHead  = `{"name":"work","options":` + optionsHead
	taskNonce = optionsTail + `,"nonce":"`
	taskTail  = `"}`

	sendHead   = `{"action":"SendResult","nonce":"`
	sendMiddle = `","result":0.`
	sendTail   = `}`

	// of a worker that has said Hello
	sayHello   = `{"action":"Hello","version":1}`
	helloHead  = `{"event":"Hello",`
	creditTail = `,"credit":1}`
	nonceHead  = `,"nonce":"`
	tokenLen   = 24 // of its tasks' nonces
)

// Where the varying parts of a task lie, in bytes.
const (
	taskAAt     = len(taskHead)
	taskBMid    = taskAAt + digitsLen
	taskBAt     = taskBMid + len(optionsB)
	taskBEnd    = taskBAt + digitsLen
	taskNonceAt = taskBEnd + len(taskNonce)
)

// worker is a client on /worker that answers each task with its sum and asks
// for the next: in a second message, or in the same if it has said Hello.
type worker struct {
	id      int
	credits int
	hello   bool
	mask    mask
	reply   reply
}

// newWorker makes a worker that asks for that many tasks at a time.
func newWorker(id, credits int, random *source) *worker {
	return &worker{id: id, credits: credits, mask: newMask(random.next()), reply: reply{tail: sendTail, then: getTask}}
}

// newHelloWorker makes one that says Hello.
func newHelloWorker(id, credits int, random *source) *worker {
	return &worker{id: id, credits: credits, hello: true, mask: newMask(random.next()), reply: reply{tail: creditTail}}
}

// open registers the task and asks for the first ones.
func (w *worker) open(out []byte, _ int64) []byte {
	if w.hello {
		out = w.mask.appendFrame(out, opText, sayHello)
		out = w.mask.appendFrame(out, opText, registerTask)
		return w.mask.appendFrame(out, opText, fmt.Sprintf(`{"action":"GetTask","count":%d}`, w.credits))
	}
	out = w.mask.appendFrame(out, opText, registerTask)
	for range w.credits {
		out = w.mask.appendFrame(out, opText, getTask)
	}
	return out
}

// receive answers all whole tasks in data.
func (w *worker) receive(data, out []byte, _ int64) (used int, _ []byte, err error) {
	for {
		f, size, err := nextFrame(data[used:])
		if size == 0 || err != nil {
			return used, out, err
		}
		used += size
		if f.opcode == opText {
			out, err = w.task(f.payload, out)
		} else {
			out, err = w.mask.control(f, out)
		}
		if err != nil {
			return used, out, err
		}
	}
}

// task answers one task and asks for another.
func (w *worker) task(text, out []byte) ([]byte, error) {
	end := len(text) - len(taskTail)
	if end <= taskNonceAt || string(text[:taskAAt]) != taskHead || string(text[taskBMid:taskBAt]) != optionsB ||
		text[taskBEnd] != optionsTail[0] || string(text[end:]) != taskTail {
		return w.oddTask(text, out)
	}
	nonceAt := taskNonceAt
	if w.hello { // it is told more between the options and the nonce
		nonceAt = end - tokenLen
	}
	if nonceAt < taskNonceAt || string(text[nonceAt-len(nonceHead):nonceAt]) != nonceHead {
		return w.oddTask(text, out)
	}
	sum := getDigits(text[taskAAt:]).plus(getDigits(text[taskBAt:]))
	return w.reply.append(out, w.mask, text[nonceAt:end], sum), nil
}

// oddTask answers a task that has not the exact bytes the bench expects: its
// members may come in another order. Its options must be as they were sent. An
// empty message, which the original sent after each of a worker's, is none; nor is
// the answer to Hello.
func (w *worker) oddTask(text, out []byte) ([]byte, error) {
	if len(text) == 0 || w.hello && bytes.HasPrefix(text, []byte(helloHead)) {
		return out, nil
	}
	var m struct {
		Name           string
		Options, Nonce json.RawMessage
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return out, fmt.Errorf("a task that is not JSON: %w: %.200q", err, text)
	}
	a, b, ok := parseOptions(m.Options)
	if !ok || m.Name != "work" || len(m.Nonce) < 3 || m.Nonce[0] != '"' {
		return out, fmt.Errorf(`%.300q is no task "work" with a nonce and the options as they were sent`, text)
	}
	return w.reply.append(out, w.mask, m.Nonce[1:len(m.Nonce)-1], a.plus(b)), nil
}

// parseOptions takes {"a":0.…,"b":0.…} apart.
func parseOptions(text []byte) (a, b digits, ok bool) {
	const bMid = len(optionsHead) + digitsLen
	const bAt = bMid + len(optionsB)
	const end = bAt + digitsLen
	if len(text) != end+len(optionsTail) || string(text[:len(optionsHead)]) != optionsHead ||
		string(text[bMid:bAt]) != optionsB || string(text[end:]) != optionsTail {
		return a, b, false
	}
	return getDigits(text[len(optionsHead):]), getDigits(text[bAt:]), true
}

// String names the worker in errors.
func (w *worker) String() string { return fmt.Sprintf("worker %d", w.id) }

// reply is a SendResult, and a GetTask if that is a message of its own, masked,
// to be patched: for nonces of one length, which is what a server uses.
type reply struct {
	tail    string // of the SendResult, behind the digits
	then    string // the message behind it; empty: none
	frames  []byte
	length  int // of the nonce
	nonceAt int // in frames
	sumAt   int
	nonce   uint64 // the mask where the nonce is
	sum     uint64 // and where the sum is
}

// rebuild makes the template for nonces of another length.
func (r *reply) rebuild(m mask, length int) {
	message := sendHead + string(make([]byte, length)) + sendMiddle + string(make([]byte, digitsLen)) + r.tail
	r.frames = m.appendFrame(r.frames[:0], opText, message)
	r.nonceAt = len(r.frames) - len(message) + len(sendHead)
	r.sumAt = r.nonceAt + length + len(sendMiddle)
	r.nonce = m.at(len(sendHead))
	r.sum = m.at(len(sendHead) + length + len(sendMiddle))
	if r.then != "" {
		r.frames = m.appendFrame(r.frames, opText, r.then)
	}
	r.length = length
}

// append appends the reply to one task.
func (r *reply) append(out []byte, m mask, nonce []byte, sum digits) []byte {
	if len(nonce) != r.length || r.frames == nil {
		r.rebuild(m, len(nonce))
	}
	start := len(out)
	out = append(out, r.frames...)
	maskInto(out[start+r.nonceAt:], nonce, r.nonce)
	sum.put(out[start+r.sumAt:], r.sum)
	return out
}

// maskInto writes src XOR the mask (as it falls on src's start) to dst.
func maskInto(dst, src []byte, m uint64) {
	for len(src) >= 8 && len(dst) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)^m)
		dst, src = dst[8:], src[8:]
	}
	for i, c := range src {
		dst[i] = c ^ byte(m>>(8*i))
	}
}
