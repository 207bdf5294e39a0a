package conform

import (
	"context"
	"fmt"
	"slices"
)

// Result is what came of a check.
type Result string

// The results.
const (
	OK       Result = "ok"
	Failed   Result = "FAILED"    // the protocol has it otherwise
	NotTried Result = "not tried" // there was nothing to try it with
	Hint     Result = "hint"      // it works, and could be better
)

// finding is a result with what was seen.
type finding struct {
	result Result
	seen   string
	err    error // the server, or this machine, is to blame: there is no more to check
	anew   bool  // the worker is busy with it for long: it is started anew
	entry  int   // of the recording, that shows it; 0: the last of the check
}

func ok(format string, args ...any) finding {
	return finding{result: OK, seen: fmt.Sprintf(format, args...)}
}
func failed(format string, args ...any) finding {
	return finding{result: Failed, seen: fmt.Sprintf(format, args...)}
}
func untried(format string, args ...any) finding {
	return finding{result: NotTried, seen: fmt.Sprintf(format, args...)}
}
func hint(format string, args ...any) finding {
	return finding{result: Hint, seen: fmt.Sprintf(format, args...)}
}
func broken(err error) finding { return finding{result: NotTried, seen: err.Error(), err: err} }

// check is one line of the report.
type check struct {
	name     string
	expected string
	section  string   // where that is written
	needs    []string // checks without which it means nothing
	task     string   // the worker must do it; empty: none
	hello    bool     // the worker must have said Hello
	raw      bool     // it begins whether the worker is ready for a task or not
	ends     bool     // the worker may end
	run      func(ctx context.Context, x *exam) finding
}

// Way is how a worker comes to its tasks.
type Way string

// The ways.
const (
	Sockets Way = "WebSocket"
	Leases  Way = "leases over HTTP"
)

// Names are the checks of a way, in the order in which they are made.
func Names(way Way) (names []string) {
	for _, c := range checks(way) {
		names = append(names, c.name)
	}
	return names
}

// checks are all of a way. Each fault of a worker is to fail one of them. The first is the same: it finds out which way it is.
func checks(way Way) []check {
	if way == Leases {
		return slices.Concat(beginning[:1], leaseBeginning, values, leaseDisturbances, leaseLosses, leaseOptions, leaseEnding)
	}
	return slices.Concat(beginning, values, disturbances, losses, optIn, ending)
}

// The sections of the documents.
const (
	rfc6455     = "RFC 6455 section "
	protocol    = "docs/protocol.md, "
	forWorkers  = protocol + "WebSocket, for workers"
	comingBack  = protocol + "Coming back"
	hello       = protocol + "Hello"
	noFit       = protocol + "Results that fit no task"
	inGeneral   = protocol + "WebSocket, in general"
	ownTask     = protocol + "A task, from end to end"
	postTask    = protocol + "POST /task/{name}"
	workerLost  = protocol + "When a worker is lost"
	bareRunTask = protocol + "RunTask"
	postLease   = protocol + "POST /lease"
	ofLease     = protocol + "POST /lease/{nonce}/result, /error, /extend, /progress, DELETE /lease/{nonce}"
	overHTTP    = protocol + "Leases over HTTP"
	tooBusy     = protocol + "Errors"
)
