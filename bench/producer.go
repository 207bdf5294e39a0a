package main

import (
	"encoding/binary"
	"encoding/json"
)

// The messages of a producer, around what differs from task to task.
const (
	runTaskHead  = `{"action":"RunTask","name":"work","nonce":"`
	runTaskA     = `","options":` + optionsHead
	optionsHead  = `{"a":0.`
	optionsB     = `,"b":0.`
	optionsTail  = `}`
	runTaskTail  = optionsTail + `}`
	resultHead   = `{"nonce":"`
	resultMiddle = `","result":0.`
	resultTail   = `}`
)

// Where the varying parts lie in these messages, in bytes.
const (
	runTaskNonceAt = len(runTaskHead)
	runTaskAAt     = runTaskNonceAt + nonceLen + len(runTaskA)
	runTaskBAt     = runTaskAAt + digitsLen + len(optionsB)

	resultNonceAt = len(resultHead)
	resultMidAt   = resultNonceAt + nonceLen
	resultSumAt   = resultMidAt + len(resultMiddle)
	resultTailAt  = resultSumAt + digitsLen
	resultLen     = resultTailAt + len(resultTail)

	// shortHead is the length of the header of a masked frame of up to 125
	// bytes, which RunTask is.
	shortHead = 6
)

// producer is a client on /websocket that keeps len(slots) tasks outstanding,
// or, if its metronome ticks, sends them when they are due, while there is a
// free slot.
type producer struct {
	callBook
	random *source
	mask   mask
	frame  []byte // a RunTask, masked, to be patched
}

// newProducer makes a producer whose nonces carry id (below maxPair).
func newProducer(id, outstanding int, beat metronome, l *ledger, random *source) *producer {
	p := &producer{callBook: newCallBook(id, outstanding, beat, l), random: random, mask: newMask(random.next())}
	gap := string(make([]byte, digitsLen))
	message := runTaskHead + gap[:nonceLen] + runTaskA + gap + optionsB + gap + runTaskTail
	p.frame = p.mask.appendFrame(nil, opText, message)
	return p
}

// open sends the first tasks, one a slot.
func (p *producer) open(out []byte, now int64) []byte { return p.begin(p.issue, out, now) }

// fire implements paced.
func (p *producer) fire(out []byte, now int64) []byte { return p.catchUp(p.issue, out, now) }

// issue appends a new task in a free slot, sent (or due) now.
func (p *producer) issue(i int, out []byte, now int64) []byte {
	s := &p.slots[i]
	s.turn++
	s.nonce = makeNonce(p.id, i, s.turn)
	a, b := p.random.draw()
	s.sum, s.sent = a.plus(b), now
	start := len(out)
	out = append(out, p.frame...)
	text := out[start+shortHead:]
	binary.LittleEndian.PutUint64(text[runTaskNonceAt:], s.nonce^p.mask.at(runTaskNonceAt))
	a.put(text[runTaskAAt:], p.mask.at(runTaskAAt))
	b.put(text[runTaskBAt:], p.mask.at(runTaskBAt))
	p.ledger.outstanding++
	return out
}

// receive checks all whole answers in data and sends a new task for each.
func (p *producer) receive(data, out []byte, now int64) (used int, _ []byte, err error) {
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
func (p *producer) answer(text []byte, now int64) int {
	if len(text) != resultLen || string(text[:resultNonceAt]) != resultHead ||
		string(text[resultMidAt:resultSumAt]) != resultMiddle || text[resultTailAt] != resultTail[0] {
		return p.oddAnswer(text, now)
	}
	nonce := binary.LittleEndian.Uint64(text[resultNonceAt:])
	i := nonceSlot(nonce)
	if i < 0 || i >= len(p.slots) || p.slots[i].nonce != nonce {
		return p.blame(nonce, i)
	}
	s := &p.slots[i]
	s.nonce = 0
	if sum := getDigits(text[resultSumAt:]); sum != s.sum {
		p.wrong(nonce, sum.String(), s.sum)
		return i
	}
	p.ledger.settle(s.sent, now)
	return i
}

// oddAnswer takes an answer that has not the exact bytes the bench expects:
// the same JSON in another order or with spaces is right too.
func (p *producer) oddAnswer(text []byte, now int64) int {
	var m struct {
		Nonce  string
		Result json.RawMessage
	}
	if err := json.Unmarshal(text, &m); err != nil || len(m.Nonce) != nonceLen {
		p.ledger.faults.add(&p.ledger.faults.Stray, "producer %d got an answer without a nonce of its own: %.200q", p.id, text)
		return -1
	}
	nonce := binary.LittleEndian.Uint64([]byte(m.Nonce))
	i := nonceSlot(nonce)
	if i < 0 || i >= len(p.slots) || p.slots[i].nonce != nonce {
		return p.blame(nonce, i)
	}
	s := &p.slots[i]
	s.nonce = 0
	if string(m.Result) != s.sum.String() {
		p.wrong(nonce, string(m.Result), s.sum)
		return i
	}
	p.ledger.settle(s.sent, now)
	return i
}
