package main

import (
	"context"
	"time"
)

// verifyTimeout is how long a server may take to tell what it has: it may still
// be busy with the load.
const verifyTimeout = 30 * time.Second

// keepers makes the clients of a system that stores what it accepts, one that
// acknowledges a run once it is on the disk.
type keepers interface {
	// submitter connects the i-th producer, which submits runs and counts their
	// acknowledgements in l.
	submitter(sc scenario, addr string, i int, p *promises, l *ledger, random *source) (socket, debtor, error)
	// finisher connects the i-th worker, which is counting.
	finisher(sc scenario, addr string, i int, p *promises, random *source) (socket, peer, error)
	// verify looks whether the server at addr has all that it has promised, once
	// the loops have ended.
	verify(ctx context.Context, addr string, all []*promises) error
}

// keeping are the clients of a load of runs.
type keeping struct {
	keepers
	promises *promises
}

func (k keeping) worker(sc scenario, addr string, i int, random *source) (socket, peer, error) {
	return k.finisher(sc, addr, i, k.promises, random)
}

func (k keeping) producer(sc scenario, addr string, i int, l *ledger, random *source) (socket, debtor, error) {
	return k.submitter(sc, addr, i, k.promises, l, random)
}
