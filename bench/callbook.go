package main

import "fmt"

// slot is one of the tasks that a producer keeps outstanding.
type slot struct {
	nonce uint64 // as it lies in memory; 0: nothing is outstanding
	sum   digits // what the answer must be, or what its digits must be
	sent  int64  // ns of the loop's clock
	turn  uint32 // how many tasks the slot has had
}

// callBook is what a WebSocket producer knows of its tasks.
type callBook struct {
	id     int
	ledger *ledger
	slots  []slot
	beat   metronome
	free   []uint16 // slots, if the metronome ticks
}

// newCallBook is for the producer whose nonces carry id (below maxPair).
func newCallBook(id, outstanding int, beat metronome, l *ledger) callBook {
	b := callBook{id: id, ledger: l, slots: make([]slot, outstanding), beat: beat}
	if beat.ticks() {
		for i := range b.slots {
			b.free = append(b.free, uint16(i))
		}
	}
	return b
}

// due implements paced.
func (b *callBook) due() int64 { return b.beat.due() }

// vacant is a free slot for the task that is due, -1 if there is none.
func (b *callBook) vacant(now int64) int {
	last := len(b.free) - 1
	if last < 0 {
		b.ledger.miss()
		return -1
	}
	b.ledger.late(b.beat.next, now)
	i := int(b.free[last])
	b.free = b.free[:last]
	return i
}

// blame counts an answer whose nonce is not outstanding: a second one if the
// nonce is of this producer, else one that is somebody else's. It returns -1: no slot is free.
func (b *callBook) blame(nonce uint64, i int) int {
	f := &b.ledger.faults
	if uint16(nonce) == pairs[b.id] && i >= 0 && i < len(b.slots) {
		f.add(&f.Duplicated, "producer %d got a second answer to nonce %q", b.id, nonceText(nonce))
	} else {
		f.add(&f.Stray, "producer %d got an answer to nonce %q, which it never sent", b.id, nonceText(nonce))
	}
	return -1
}

// wrong counts an answer that is not the one its options ask for.
func (b *callBook) wrong(nonce uint64, got string, want digits) {
	b.ledger.outstanding--
	f := &b.ledger.faults
	f.add(&f.Wrong, "producer %d got the result %.200s for nonce %q, not %s", b.id, got, nonceText(nonce), want)
}

// lost counts what is still outstanding when the round is over.
func (b *callBook) lost() {
	f := &b.ledger.faults
	for i := range b.slots {
		if n := b.slots[i].nonce; n != 0 {
			f.add(&f.Lost, "producer %d never got an answer to nonce %q", b.id, nonceText(n))
		}
	}
}

// String names the producer in errors.
func (b *callBook) String() string { return fmt.Sprintf("producer %d", b.id) }

// issuer appends a new task in a free slot, sent (or due) now.
type issuer func(i int, out []byte, now int64) []byte

// begin issues a task in each slot, or starts the metronome.
func (b *callBook) begin(issue issuer, out []byte, now int64) []byte {
	if b.beat.ticks() {
		b.beat.start(now)
		return out
	}
	for i := range b.slots {
		out = issue(i, out, now)
	}
	return out
}

// catchUp issues the tasks that are due by now, as far as there are free slots.
func (b *callBook) catchUp(issue issuer, out []byte, now int64) []byte {
	for ; b.beat.next <= now; b.beat.next += b.beat.every {
		if i := b.vacant(now); i >= 0 {
			out = issue(i, out, b.beat.next)
		}
	}
	return out
}
