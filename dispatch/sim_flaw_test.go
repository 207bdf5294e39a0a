package dispatch_test

import (
	"fmt"
	"slices"
)

// checkers are all there are. TestSimCatches shows of each that it can fail.
var checkers = []string{
	"answers",  // whoever asked is answered once, with the right thing
	"blocked",  // nothing for who does not read
	"burst",    // no more at once than may be on its way
	"borrowed", // effects keep until they are delivered
	"bounds",   // nothing is accepted that is over a bound
	"bytes",    // options as they were sent
	"credits",  // nothing for who did not ask
	"end",      // nothing stays behind
	"fifo",     // first in, first out, by name
	"gone",     // nothing for who has gone
	"idle",     // nobody waits beside a worker that could serve
	"memory",   // bytes held are counted
	"names",    // nothing for who did not register the name
	"oldest",   // of several names the one that waits longest
	"refusals", // nothing is refused that should be accepted
	"report",   // a report when it was asked for
	"sleep",    // not called for nothing
	"stats",    // the counts agree with the model's
	"stored",   // calls leave nothing to the store
	"stopped",  // nothing is handed out after Stop
	"tokens",   // a token names one thing
}

// flaw is what a checker found. Its name is the checker's.
type flaw struct{ check, what string }

func (f *flaw) Error() string { return f.check + ": " + f.what }

func flawed(check, format string, args ...any) *flaw {
	if !slices.Contains(checkers, check) {
		panic("no such checker: " + check)
	}
	return &flaw{check, fmt.Sprintf(format, args...)}
}
