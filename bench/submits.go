package main

// submits are the runs that a producer has submitted and that are not
// acknowledged yet. Slots are taken in the order in which they became free: where
// acknowledgements come in order, the slots do too.
type submits struct {
	calls
	promises *promises
	keyed    request  // as request, with a key
	free     []uint16 // a ring of slots
	head     int      // of it
	vacant   int      // slots in it
	owed     int      // what is outstanding for a run: that it is acknowledged, and if somebody works, worked
	share    float64  // of the next run that has a key

	issued       int64 // runs submitted: the next one's number
	acknowledged int64 // of them
}

// newSubmits makes the runs of the id-th producer of a system; message is one
// request with its gaps.
func newSubmits(system string, sc scenario, id int, p *promises, l *ledger, random *source, message string) *submits {
	s := &submits{calls: newCalls(system, id, sc.Outstanding, l, random, message), promises: p, vacant: sc.Outstanding, owed: 1}
	for i := range sc.Outstanding {
		s.free = append(s.free, uint16(i))
	}
	if p.ahead > 0 {
		s.owed = 2
	}
	p.submitters = append(p.submitters, s)
	return s
}

// due implements paced: at once, if a run can be submitted.
func (s *submits) due() int64 {
	if s.vacant > 0 && s.promises.room() {
		return 0
	}
	return never
}

// fire implements paced.
func (s *submits) fire(out []byte, now int64) []byte { return s.submit(out, now) }

// submit appends a run for each slot that is free, as far as there is room.
func (s *submits) submit(out []byte, now int64) []byte {
	for s.vacant > 0 && s.promises.room() {
		one := s.take(now)
		r := &s.request
		if s.share += s.promises.keyed; s.share >= 1 {
			s.share--
			r = &s.keyed
		}
		out = r.append(out, one.nonce, one.sum, timeDigits(now))
	}
	return out
}

// take takes the slot that has been free for longest for the next run. One must be.
func (s *submits) take(now int64) *slot {
	i := int(s.free[s.head])
	s.head = (s.head + 1) % len(s.free)
	s.vacant--
	one := &s.slots[i]
	if !s.reuse {
		one.turn++
	}
	one.nonce, one.sum, one.sent = makeNonce(s.id, i, one.turn), runDigits(s.id, s.issued), now
	s.issued++
	s.promises.issued.Add(1)
	s.ledger.outstanding += s.owed
	return one
}

// slotOf is the slot of the run that a nonce names, -1 if there is none.
func (s *submits) slotOf(nonce uint64) int {
	i := nonceSlot(nonce)
	if i < 0 || i >= len(s.slots) || s.slots[i].nonce != nonce {
		s.blame(nonce)
		return -1
	}
	return i
}

// oldest is the slot of the run submitted first, for systems that acknowledge
// in order; -1 if there is none.
func (s *submits) oldest() int {
	i := int(s.acknowledged % int64(len(s.slots)))
	if s.slots[i].nonce == 0 {
		s.ledger.faults.add(&s.ledger.faults.Stray, "%s got an acknowledgement of nothing", s.name)
		return -1
	}
	return i
}

// settle counts the acknowledgement of a slot's run, and frees it.
func (s *submits) settle(i int, now int64) {
	s.slots[i].nonce = 0
	s.free[(s.head+s.vacant)%len(s.free)] = uint16(i)
	s.vacant++
	s.acknowledged++
	s.ledger.settle(s.slots[i].sent, now)
}
