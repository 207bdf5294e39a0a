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
	"limits",   // of a name no more at once than a worker takes
	"memory",   // bytes held are counted
	"names",    // nothing for who did not register the name
	"oldest",   // of several names the one that waits longest
	"refusals", // nothing is refused that should be accepted
	"report",   // a report when it was asked for
	"sessions", // a session goes on for who knows its name, with what it has in hand
	"sleep",    // not called for nothing, and in time
	"stats",    // the counts agree with the model's
	"stored",   // calls leave nothing to the store
	"stopped",  // nothing is handed out after Stop
	"tokens",   // a token names one thing
}

// keptCheckers are those of the worlds of runs.
var keptCheckers = []string{
	"answers",  // whoever asked is answered once, with what may be an answer
	"attempts", // failures are counted, and no more than may be
	"back",     // what is handed back costs nothing
	"back-off", // the next attempt comes when it may
	"batches",  // they are numbered without gaps
	"borrowed", // effects keep until they are delivered
	"bounds",   // no more in memory than may be
	"bytes",    // options as they were sent
	"credits",  // nothing for who did not ask, or cannot
	"draining", // no run is handed out when the server is about to end
	"durable",  // nothing is told that a crash could undo
	"early",    // nothing before its time
	"end",      // nothing stays behind
	"ends",     // a run comes to what was asked for, told or due
	"fence",    // the hand-outs of a run have numbers that rise, also after a crash
	"fires",    // a schedule has the runs that its times and its policies want, each once
	"gone",     // nothing for who has gone
	"held",     // one worker at a time
	"idle",     // nobody waits beside a worker that could serve
	"ids",      // they rise
	"keys",     // the same key, the same run
	"late",     // what waits for a time is seen to
	"limits",   // of a name no more at once than a worker takes
	"lost",     // what was acknowledged stays
	"order",    // first in, first out, wherever it waited
	"priority", // of what was stored before a crash the highest comes first
	"progress", // how far a run is, is what its worker said last
	"refusals", // nothing is refused without a reason
	"rows",     // what is written of a run agrees
	"rules",    // schedules are as people said, and due when they should be
	"sessions", // a session goes on for who knows its name, with what it has in hand
	"sleep",    // no Ticks for nothing
	"stats",    // counts are right
	"stuck",    // everything ends
	"turn",     // the more urgent first, then the older
	"undone",   // what was told stays true
	"words",    // who says what does not count is told so, and nobody else
}

// flaw is what a checker found. Its name is the checker's.
type flaw struct{ check, what string }

func (f *flaw) Error() string { return f.check + ": " + f.what }

func flawed(check, format string, args ...any) *flaw {
	if !slices.Contains(checkers, check) && !slices.Contains(keptCheckers, check) {
		panic("no such checker: " + check)
	}
	return &flaw{check, fmt.Sprintf(format, args...)}
}
