package main

// clients makes the clients of one system: each connects to its server at addr
// and keeps as much under way as the scenario says. The loops play them.
type clients interface {
	// worker connects the i-th worker. Once it is there, tasks that producers
	// send are taken.
	worker(sc scenario, addr string, i int, random *source) (socket, peer, error)
	// producer connects the i-th producer, which counts its answers in l.
	producer(sc scenario, addr string, i int, l *ledger, random *source) (socket, debtor, error)
}

// debtor is a producer: at the end of a round it counts what it never got.
type debtor interface {
	peer
	lost()
}

// counting is a worker that counts what it finishes.
type counting interface {
	count(l *ledger)
}

// workmanClients speak the wire of docs/protocol.md.
type workmanClients struct{}

func (workmanClients) worker(sc scenario, addr string, i int, random *source) (socket, peer, error) {
	if sc.Worker == leaseWorkers {
		s, err := dial(addr, "")
		return s, newLeaser(i, addr, sc.Credits), err
	}
	s, err := dial(addr, "/worker")
	switch {
	case sc.Payload.Size > 0:
		return s, newPayloadWorker(i, sc, newTemplate(sc.Payload), random), err
	case sc.Worker == helloWorkers:
		return s, newHelloWorker(i, sc.Credits, random), err
	}
	return s, newWorker(i, sc.Credits, random), err
}

// oldClients are workman's, with workers as node-workman had them: for each task
// a SendResult and a GetTask.
type oldClients struct{ workmanClients }

func (c oldClients) worker(sc scenario, addr string, i int, random *source) (socket, peer, error) {
	sc.Worker = ""
	return c.workmanClients.worker(sc, addr, i, random)
}

func (workmanClients) producer(sc scenario, addr string, i int, l *ledger, random *source) (socket, debtor, error) {
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
