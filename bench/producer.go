package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
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

// slot is one of the tasks that a producer keeps outstanding.
type slot struct {
	nonce uint64 // as it lies in memory; 0: nothing is outstanding
	sum   digits // what the answer must be
	sent  int64  // ns of the loop's clock
	turn  uint32 // how many tasks the slot has had
}

// producer is a client on /websocket that keeps len(slots) tasks outstanding,
// or, if its metronome ticks, sends them when they are due, while there is a
// free slot.
type producer struct {
	id     int
	ledger *ledger
	random *source
	mask   mask
	slots  []slot
	frame  []byte // a RunTask, masked, to be patched
	beat   metronome
	free   []uint16 // slots, if the metronome ticks
}

// newProducer makes a producer whose nonces carry id (below maxPair).
func newProducer(id, outstanding int, beat metronome, l *ledger, random *source) *producer {
	p := &producer{id: id, ledger: l, random: random, mask: newMask(random.next()), beat: beat}
	p.slots = make([]slot, outstanding)
	gap := string(make([]byte, digitsLen))
	message := runTaskHead + gap[:nonceLen] + runTaskA + gap + optionsB + gap + runTaskTail
	p.frame = p.mask.appendFrame(nil, opText, message)
	return p
}

// open sends the first tasks, one a slot.
func (p *producer) open(out []byte, now int64) []byte {
	if p.beat.ticks() {
		p.beat.start(now)
		for i := range p.slots {
			p.free = append(p.free, uint16(i))
		}
		return out
	}
	for i := range p.slots {
		out = p.issue(i, out, now)
	}
	return out
}

// due implements paced.
func (p *producer) due() int64 { return p.beat.due() }

// fire implements paced.
func (p *producer) fire(out []byte, now int64) []byte {
	for ; p.beat.next <= now; p.beat.next += p.beat.every {
		last := len(p.free) - 1
		if last < 0 {
			p.ledger.miss()
			continue
		}
		p.ledger.late(p.beat.next, now)
		out = p.issue(int(p.free[last]), out, p.beat.next)
		p.free = p.free[:last]
	}
	return out
}

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
		p.blame(nonce)
		return -1
	}
	s := &p.slots[i]
	s.nonce = 0
	if sum := getDigits(text[resultSumAt:]); sum != s.sum {
		p.wrong(nonce, s, sum.String())
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
		p.blame(nonce)
		return -1
	}
	s := &p.slots[i]
	s.nonce = 0
	if string(m.Result) != s.sum.String() {
		p.wrong(nonce, s, string(m.Result))
		return i
	}
	p.ledger.settle(s.sent, now)
	return i
}

// blame counts an answer whose nonce is not outstanding: a second one if the
// nonce is of this producer, else one that is somebody else's.
func (p *producer) blame(nonce uint64) {
	f := &p.ledger.faults
	if i := nonceSlot(nonce); uint16(nonce) == pairs[p.id] && i >= 0 && i < len(p.slots) {
		f.add(&f.Duplicated, "producer %d got a second answer to nonce %q", p.id, nonceText(nonce))
		return
	}
	f.add(&f.Stray, "producer %d got an answer to nonce %q, which it never sent", p.id, nonceText(nonce))
}

// wrong counts an answer that is not the sum of its options.
func (p *producer) wrong(nonce uint64, s *slot, got string) {
	p.ledger.outstanding--
	f := &p.ledger.faults
	f.add(&f.Wrong, "producer %d got the result %.200s for nonce %q, not %s", p.id, got, nonceText(nonce), s.sum)
}

// lost counts what is still outstanding when the round is over.
func (p *producer) lost() {
	f := &p.ledger.faults
	for i := range p.slots {
		if n := p.slots[i].nonce; n != 0 {
			f.add(&f.Lost, "producer %d never got an answer to nonce %q", p.id, nonceText(n))
		}
	}
}

// String names the producer in errors.
func (p *producer) String() string { return fmt.Sprintf("producer %d", p.id) }
