package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
)

// payloadProducer is a producer whose options are a template, and whose tasks
// have any number of names, in turns. The result must be its options.
type payloadProducer struct {
	callBook
	random   *source
	mask     mask
	template *template
	names    taskNames
	turn     int

	frame     []byte // a RunTask, masked, to be patched
	head      int    // the length of the frame's header
	nonceAt   int    // in the message
	optionsAt int

	resultHead []byte // the answer from the nonce to the result
}

// newPayloadProducer makes a producer whose nonces carry id (below maxPair).
func newPayloadProducer(id int, sc scenario, t *template, beat metronome, l *ledger, random *source) *payloadProducer {
	p := &payloadProducer{callBook: newCallBook(id, sc.room(), beat, l), random: random, mask: newMask(random.next()),
		template: t, names: taskNames{sc.Names}}
	before := `{"action":"RunTask","name":"` + p.names.at(0) + `","nonce":"`
	p.nonceAt = len(before)
	before += digitsGap[:nonceLen] + `","options":`
	p.optionsAt = len(before)
	message := before + string(t.text) + `}`
	p.frame = p.mask.appendFrame(nil, opText, message)
	p.head = len(p.frame) - len(message)
	p.resultHead = []byte(`","result":`)
	return p
}

// open sends the first tasks, one a slot.
func (p *payloadProducer) open(out []byte, now int64) []byte { return p.begin(p.issue, out, now) }

// fire implements paced.
func (p *payloadProducer) fire(out []byte, now int64) []byte { return p.catchUp(p.issue, out, now) }

// issue appends a new task in a free slot, sent (or due) now.
func (p *payloadProducer) issue(i int, out []byte, now int64) []byte {
	s := &p.slots[i]
	s.turn++
	s.nonce = makeNonce(p.id, i, s.turn)
	d, _ := p.random.draw()
	start := len(out)
	out = append(out, p.frame...)
	text := out[start+p.head:]
	if p.names.many() {
		d = p.names.sign(d, p.turn)
		p.names.put(text, d, p.mask)
		if p.turn++; p.turn == p.names.count {
			p.turn = 0
		}
	}
	s.sum, s.sent = d, now
	binary.LittleEndian.PutUint64(text[p.nonceAt:], s.nonce^p.mask.at(p.nonceAt))
	p.template.fill(text[p.optionsAt:], d, p.mask, p.optionsAt)
	p.ledger.outstanding++
	return out
}

// receive checks all whole answers in data and sends a new task for each.
func (p *payloadProducer) receive(data, out []byte, now int64) (used int, _ []byte, err error) {
	for {
		f, size, err := nextFrame(data[used:])
		if size == 0 || err != nil {
			return used, out, err
		}
		used += size
		if f.opcode != opText {
			if out, err = p.mask.control(f, out); err != nil {
				return used, out, err
			}
			continue
		}
		i := p.answer(f.payload, now)
		switch {
		case i < 0:
		case p.beat.ticks():
			p.free = append(p.free, uint16(i))
		case p.ledger.issuing:
			out = p.issue(i, out, now)
		}
	}
}

// answer takes one answer and returns the slot that it frees, -1 for none.
func (p *payloadProducer) answer(text []byte, now int64) int {
	nonce, result, ok := p.parse(text)
	if !ok {
		f := &p.ledger.faults
		f.add(&f.Stray, "producer %d got an answer without a nonce of its own: %.200q", p.id, text)
		return -1
	}
	i := nonceSlot(nonce)
	if i < 0 || i >= len(p.slots) || p.slots[i].nonce != nonce {
		return p.blame(nonce, i)
	}
	s := &p.slots[i]
	s.nonce = 0
	if d, ok := p.template.read(result); !ok || d != s.sum {
		p.wrong(nonce, string(result[:min(len(result), 200)]), s.sum)
		return i
	}
	p.ledger.settle(s.sent, now)
	return i
}

// parse takes an answer apart. Its members may come in any order.
func (p *payloadProducer) parse(text []byte) (nonce uint64, result []byte, ok bool) {
	const nonceAt = len(resultHead)
	const nonceEnd = nonceAt + nonceLen
	resultAt, end := nonceEnd+len(p.resultHead), len(text)-1
	if end > resultAt && string(text[:nonceAt]) == resultHead && bytes.Equal(text[nonceEnd:resultAt], p.resultHead) && text[end] == '}' {
		return binary.LittleEndian.Uint64(text[nonceAt:]), text[resultAt:end], true
	}
	var m struct {
		Nonce  string
		Result json.RawMessage
	}
	if err := json.Unmarshal(text, &m); err != nil || len(m.Nonce) != nonceLen {
		return 0, nil, false
	}
	return binary.LittleEndian.Uint64([]byte(m.Nonce)), m.Result, true
}
