package prove

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report is what was found.
type Report struct {
	Seed       uint64
	Dir        string // with the server's data and its log
	Took       time.Duration
	Stopped    string // why it ended before its time; empty: it did not
	Kills      int    // of the server
	Cuts       int    // of workers' connections, with work in hand or not
	Sent       int    // requests
	Unanswered int    // of them: the server died before it answered, and nothing was promised
	Refused    int    // 503, tried again
	Accepted   int    // of them: acknowledged with an id
	Keyed      int    // of these: with a key
	Repeated   int    // times that such a key was sent again later
	Scheduled  int    // of these: for a time
	Succeeded  int
	Cancelled  int
	Twice      int // runs that were handed out more than once, as they may be after a crash
	Rules      int // schedules that recur: acknowledged
	Dropped    int // of them: deleted
	Fired      int // of their times: with a run
	Skipped    int // without one, since the last was not finished
	Reads      int // documents of runs that were compared with what had been told before
	Faults     map[Kind]int
	Examples   []string // the first faults of each kind, described
	Ack        Times    // from a request to its promise
	Late       Times    // of schedules, the server being up
	LateCrash  Times    // of schedules that a crash came in between
	Recovery   Times    // from the start of a process until it is ready
}

// Good reports whether there was no fault, all was looked at, and there was something to find a fault in.
func (r Report) Good() bool { return len(r.Faults) == 0 && r.Stopped == "" && r.Accepted > 0 }

// Report sums up what the book has.
func (b *Book) Report() Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := Report{Kills: b.counts.kills, Cuts: b.counts.cuts, Sent: len(b.entries), Unanswered: b.counts.unanswered,
		Refused: b.counts.refused, Accepted: len(b.known), Repeated: b.counts.repeated, Reads: b.counts.reads,
		Faults: maps.Clone(b.faults.count), Examples: slices.Clone(b.faults.examples),
		Ack: b.times.ack.sum(), Late: b.times.late.sum(), LateCrash: b.times.lateCrash.sum(), Recovery: b.times.recovery.sum()}
	for _, number := range b.known {
		e := b.entries[number]
		r.Keyed += one(e.asked.Key != "")
		r.Scheduled += one(!e.asked.Due.IsZero())
		r.Succeeded += one(e.told.state == succeeded)
		r.Cancelled += one(e.told.state == cancelled)
		r.Twice += one(len(e.given) > 1+e.failures)
	}
	for _, u := range b.rules {
		r.Rules += one(u.set)
		r.Dropped += one(!u.dropped.IsZero())
		r.Fired += u.fired
		r.Skipped += u.skipped
	}
	return r
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

// said explains each kind of fault.
var said = map[Kind]string{
	Lost:     "acknowledged, and unknown now or never finished",
	Undone:   "told to be finished, and reads otherwise later or was worked again",
	Doubled:  "one key or one request, and two runs",
	Missed:   "a time of a recurring schedule, and no run",
	Refired:  "a time of a recurring schedule, and two runs",
	Needless: "handed out again without a crash, a lost worker or a failure",
	Unfenced: "handed out later without a higher fence",
	Early:    "scheduled, and begun before its time",
	Wrong:    "a document or result that is not the run's",
	Broken:   "an answer that docs/protocol.md does not have, from a server that was up",
}

// Table is the report for people.
func (r Report) Table() string {
	var b strings.Builder
	line := func(what string, n int, about string, args ...any) {
		fmt.Fprintf(&b, "%-15s %9d   %s\n", what, n, fmt.Sprintf(about, args...))
	}
	line("killed", r.Kills, "times the server, %d times a worker; %v with seed %d", r.Cuts, r.Took.Round(time.Second), r.Seed)
	line("sent", r.Sent, "requests; %d of them without an answer, %d times one was refused for now", r.Unanswered, r.Refused)
	line("accepted", r.Accepted, "acknowledged with an id; %d with a key (%d sent again), %d scheduled", r.Keyed, r.Repeated, r.Scheduled)
	line("succeeded", r.Succeeded, "and %d were cancelled, as asked for", r.Cancelled)
	line("run twice", r.Twice, "after a crash or with a lost worker, as may be")
	line("recurring", r.Rules, "schedules, of which %d were deleted; %d of their times had a run, %d were skipped as asked for", r.Dropped, r.Fired, r.Skipped)
	line("read", r.Reads, "documents of runs, each compared with what was told before")
	b.WriteString("\n")
	for _, kind := range Kinds {
		line(string(kind), r.Faults[kind], "%s", said[kind])
	}
	b.WriteString("\n" + r.timesTable() + "\n")
	for _, text := range r.Examples {
		b.WriteString(text + "\n")
	}
	b.WriteString(r.verdict() + "\n")
	return b.String()
}

// timesTable is how long things took.
func (r Report) timesTable() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-15s %9s %9s %9s %9s\n", "ms", "count", "p50", "p99", "max")
	for _, row := range []struct {
		what string
		t    Times
	}{{"acknowledged", r.Ack}, {"late", r.Late}, {"late by a crash", r.LateCrash}, {"recovery", r.Recovery}} {
		fmt.Fprintf(&b, "%-15s %9d %9s %9s %9s\n", row.what, row.t.Count, ms(row.t.P50), ms(row.t.P99), ms(row.t.Max))
	}
	return b.String()
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond)) }

// verdict is the last line.
func (r Report) verdict() string {
	switch {
	case len(r.Faults) > 0:
		return fmt.Sprintf("NOT PROVED: the server did wrong; its data and its log are in %s, and seed %d plans the same again", r.Dir, r.Seed)
	case r.Stopped != "":
		return "NOT PROVED: it ended before its time, and not every run was asked for: " + r.Stopped
	case r.Accepted == 0:
		return "NOT PROVED: the server has accepted nothing"
	}
	return fmt.Sprintf("nothing that was acknowledged is lost: all %d runs ended, and read as they were told", r.Accepted)
}
