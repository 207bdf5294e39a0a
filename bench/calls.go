package main

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// The gaps of a message that is patched, as long as what goes there.
const (
	nonceGap = "nonce???"
	aGap     = "a???????????????"
	bGap     = "b???????????????"
	sumGap   = "sum?????????????"
	keyGap   = "key?????????????"
)

// optionsText are the options of a task, to be patched.
const optionsText = optionsHead + aGap + optionsB + bGap + optionsTail

// Lengths of what every system carries, in bytes.
const (
	optionsLen = len(optionsText)
	sumHead    = "0."
	sumLen     = len(sumHead) + digitsLen
)

// calls are the tasks that a producer of another system keeps outstanding: it
// makes them, and judges their answers as producer does.
type calls struct {
	name    string // in errors
	id      int
	ledger  *ledger
	random  *source
	slots   []slot
	request request
	reuse   bool // a slot keeps its nonce: only the sum tells an answer from a late one
}

// newCalls makes the calls of the id-th producer of a system. message is one
// request with the gaps of optionsText and, unless the system has its own way
// to tell whose an answer is, nonceGap.
func newCalls(system string, id, outstanding int, l *ledger, random *source, message string) calls {
	name := fmt.Sprintf("%s producer %d", system, id)
	return calls{name: name, id: id, ledger: l, random: random, slots: make([]slot, outstanding),
		request: newRequest(message)}
}

// issueAll appends a task in each slot.
func (c *calls) issueAll(out []byte, now int64) []byte {
	for i := range c.slots {
		out = c.issue(i, out, now)
	}
	return out
}

// issue appends a new task in a free slot.
func (c *calls) issue(i int, out []byte, now int64) []byte {
	s := &c.slots[i]
	if !c.reuse {
		s.turn++
	}
	s.nonce = makeNonce(c.id, i, s.turn)
	a, b := c.random.draw()
	s.sum, s.sent = a.plus(b), now
	c.ledger.outstanding++
	return c.request.append(out, s.nonce, a, b)
}

// answer takes the result that came with a nonce and returns the slot that it
// frees, -1 for none.
func (c *calls) answer(nonce uint64, result []byte, now int64) int {
	i := nonceSlot(nonce)
	if i < 0 || i >= len(c.slots) || c.slots[i].nonce != nonce {
		c.blame(nonce)
		return -1
	}
	c.finish(i, result, now)
	return i
}

// finish takes the result of a slot's task, and frees it.
func (c *calls) finish(i int, result []byte, now int64) {
	s := &c.slots[i]
	if len(result) != sumLen || string(result[:len(sumHead)]) != sumHead || getDigits(result[len(sumHead):]) != s.sum {
		c.ledger.outstanding--
		f := &c.ledger.faults
		f.add(&f.Wrong, "%s got the result %.200q for nonce %q, not %s", c.name, result, nonceText(s.nonce), s.sum)
	} else {
		c.ledger.settle(s.sent, now)
	}
	s.nonce = 0
}

// blame counts an answer whose nonce is not outstanding: a second one if the
// nonce is of this producer, else one that is somebody else's.
func (c *calls) blame(nonce uint64) {
	f := &c.ledger.faults
	if i := nonceSlot(nonce); uint16(nonce) == pairs[c.id] && i >= 0 && i < len(c.slots) {
		f.add(&f.Duplicated, "%s got a second answer to nonce %q", c.name, nonceText(nonce))
		return
	}
	f.add(&f.Stray, "%s got an answer to nonce %q, which it never sent", c.name, nonceText(nonce))
}

// lost counts what is still outstanding when the round is over.
func (c *calls) lost() {
	f := &c.ledger.faults
	for i := range c.slots {
		if n := c.slots[i].nonce; n != 0 {
			f.add(&f.Lost, "%s never got an answer to nonce %q", c.name, nonceText(n))
		}
	}
}

// String names the producer in errors.
func (c *calls) String() string { return c.name }

// request is a message with gaps, to be patched for each task.
type request struct {
	text []byte
	mask mask // of a WebSocket frame, 0: none
	head int  // bytes before what is masked
	// -1: there is none
	nonceAt, aAt, bAt, keyAt int
}

// newRequest finds the gaps of a message.
func newRequest(message string) request {
	at := func(gap string) int { return strings.Index(message, gap) }
	return request{text: []byte(message), nonceAt: at(nonceGap), aAt: at(aGap), bAt: at(bGap), keyAt: at(keyGap)}
}

// framed is the request in a WebSocket frame.
func (r request) framed(m mask) request {
	message := string(r.text)
	r.text, r.mask = m.appendFrame(nil, opText, message), m
	r.head = len(r.text) - len(message)
	for _, at := range []*int{&r.nonceAt, &r.aAt, &r.bAt, &r.keyAt} {
		if *at >= 0 {
			*at += r.head
		}
	}
	return r
}

// append appends the message with its gaps filled; a is the key too.
func (r *request) append(out []byte, nonce uint64, a, b digits) []byte {
	start := len(out)
	out = append(out, r.text...)
	text := out[start:]
	if r.nonceAt >= 0 {
		binary.LittleEndian.PutUint64(text[r.nonceAt:], nonce^r.mask.at(r.nonceAt-r.head))
	}
	a.put(text[r.aAt:], r.mask.at(r.aAt-r.head))
	b.put(text[r.bAt:], r.mask.at(r.bAt-r.head))
	if r.keyAt >= 0 {
		a.put(text[r.keyAt:], r.mask.at(r.keyAt-r.head))
	}
	return out
}

// appendSum appends a result: 0. and its digits.
func appendSum(out []byte, sum digits) []byte {
	out = append(out, sumHead+sumGap...)
	sum.put(out[len(out)-digitsLen:], 0)
	return out
}

// producerTag is the part of a name that is the producer's own: two characters.
func producerTag(id int) string {
	return string(binary.LittleEndian.AppendUint16(nil, pairs[id&(maxPair-1)]))
}
