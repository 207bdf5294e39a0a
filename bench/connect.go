package main

// debtor is a producer: at the end of a round it counts what it never got.
type debtor interface {
	peer
	lost()
}

// connectWorker connects the i-th worker of a scenario to workman at addr.
func connectWorker(sc scenario, addr string, i int, random *source) (socket, peer, error) {
	s, err := dial(addr, "/worker")
	if sc.Payload.Size > 0 {
		return s, newPayloadWorker(i, sc, newTemplate(sc.Payload), random), err
	}
	return s, newWorker(i, sc.Credits, random), err
}

// connectProducer connects the i-th producer of a scenario, which counts its
// answers in l.
func connectProducer(sc scenario, addr string, i int, l *ledger, random *source) (socket, debtor, error) {
	beat := newMetronome(i%sc.Producers, sc.Producers, sc.Rate)
	if sc.HTTP {
		s, err := dial(addr, "")
		return s, newHTTPProducer(i, addr, sc.room(), beat, l, random), err
	}
	s, err := dial(addr, "/websocket")
	if sc.Payload.Size > 0 {
		return s, newPayloadProducer(i, sc, newTemplate(sc.Payload), beat, l, random), err
	}
	return s, newProducer(i, sc.room(), beat, l, random), err
}

// room is how many tasks a producer may have unanswered.
func (sc scenario) room() int {
	switch {
	case sc.Rate == 0:
		return sc.Outstanding
	case sc.HTTP:
		return openRequests
	}
	return openSlots
}
