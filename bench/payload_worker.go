package main

import (
	"encoding/json"
	"fmt"
)

// payloadWorker is a worker for templates and any number of names: it gives
// each task's options back.
type payloadWorker struct {
	id       int
	credits  int
	mask     mask
	template *template
	names    taskNames
	reply    payloadReply
}

// newPayloadWorker makes a worker that asks for that many tasks at a time.
func newPayloadWorker(id int, sc scenario, t *template, random *source) *payloadWorker {
	return &payloadWorker{id: id, credits: sc.Credits, mask: newMask(random.next()), template: t, names: taskNames{sc.Names}}
}

// open registers all names and asks for the first tasks.
func (w *payloadWorker) open(out []byte, _ int64) []byte {
	for i := range max(w.names.count, 1) {
		out = w.mask.appendFrame(out, opText, `{"action":"RegisterTask","name":"`+w.names.at(i)+`"}`)
	}
	for range w.credits {
		out = w.mask.appendFrame(out, opText, getTask)
	}
	return out
}

// receive answers all whole tasks in data.
func (w *payloadWorker) receive(data, out []byte, _ int64) (used int, _ []byte, err error) {
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
func (w *payloadWorker) task(text, out []byte) ([]byte, error) {
	name, options, nonce, ok := w.parse(text)
	if !ok {
		return out, fmt.Errorf("%.300q is no task with a name, options and a nonce", text)
	}
	d, ok := w.template.read(options)
	if !ok || !w.names.signed(name, d) {
		return out, fmt.Errorf("a task %q whose %d bytes of options, %.100q, are not as they were sent for it", name, len(options), options)
	}
	return w.reply.append(out, w.mask, w.template, nonce, d), nil
}

// parse takes a task apart. Its members may come in any order.
func (w *payloadWorker) parse(text []byte) (name, options, nonce []byte, ok bool) {
	const head, middle, between, tail = `{"name":"`, `","options":`, `,"nonce":"`, `"}`
	nameEnd := len(head) + w.names.length()
	optionsAt := nameEnd + len(middle)
	optionsEnd := optionsAt + len(w.template.text)
	nonceAt, end := optionsEnd+len(between), len(text)-len(tail)
	if end > nonceAt && string(text[:len(head)]) == head && string(text[nameEnd:optionsAt]) == middle &&
		string(text[optionsEnd:nonceAt]) == between && string(text[end:]) == tail {
		return text[len(head):nameEnd], text[optionsAt:optionsEnd], text[nonceAt:end], true
	}
	var m struct {
		Name           string
		Options, Nonce json.RawMessage
	}
	if err := json.Unmarshal(text, &m); err != nil || len(m.Nonce) < 3 || m.Nonce[0] != '"' {
		return nil, nil, nil, false
	}
	return []byte(m.Name), m.Options, m.Nonce[1 : len(m.Nonce)-1], true
}

// String names the worker in errors.
func (w *payloadWorker) String() string { return fmt.Sprintf("worker %d", w.id) }

// payloadReply is a SendResult and a GetTask, masked, to be patched: for
// nonces of one length, which is what a server uses.
type payloadReply struct {
	frames   []byte
	head     int // the length of the first frame's header
	length   int // of the nonce
	resultAt int // in the message
}

// append appends the reply to one task.
func (r *payloadReply) append(out []byte, m mask, t *template, nonce []byte, d digits) []byte {
	if len(nonce) != r.length || r.frames == nil {
		before := sendHead + string(nonce) + `","result":`
		message := before + string(t.text) + `}`
		r.frames = m.appendFrame(r.frames[:0], opText, message)
		r.head, r.length, r.resultAt = len(r.frames)-len(message), len(nonce), len(before)
		r.frames = m.appendFrame(r.frames, opText, getTask)
	}
	start := len(out)
	out = append(out, r.frames...)
	text := out[start+r.head:]
	maskInto(text[len(sendHead):], nonce, m.at(len(sendHead)))
	t.fill(text[r.resultAt:], d, m, r.resultAt)
	return out
}
