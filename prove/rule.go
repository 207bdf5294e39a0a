package prove

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Ways of a schedule whose last run is not finished.
const (
	allow = "allow"
	skip  = "skip"
)

// Rule is a schedule that recurs, as somebody sets it.
type Rule struct {
	Number  int           // its place in the book
	Every   time.Duration // in whole milliseconds, a second at least
	Overlap string        // allow or skip
	CatchUp string        // none, one or all
	Work    time.Duration // what each run costs a worker
}

// newRule makes one up. Runs of many that skip take longer than it is to the next.
func newRule(r *rand.Rand) Rule {
	u := Rule{
		Every:   time.Duration(1000+r.IntN(1000)) * time.Millisecond,
		Overlap: [...]string{allow, skip}[r.IntN(2)], CatchUp: [...]string{"none", "one", "all"}[r.IntN(3)],
	}
	if u.Overlap == skip {
		u.Work = time.Duration(r.IntN(2000)) * time.Millisecond
	}
	return u
}

func (u Rule) name() string { return fmt.Sprintf("prove-%d", u.Number) }

func (u Rule) path() string { return "/schedules/" + u.name() }

func (u Rule) cron() string { return "@every " + u.Every.String() }

// document is what is sent.
func (u Rule) document() string {
	return fmt.Sprintf(`{"cron":%q,"task":%q,"overlap":%q,"catchup":%q,"options":{"rule":%d,"work":%d},"terms":{"backoff":%q}}`,
		u.cron(), names[u.Number%len(names)], u.Overlap, u.CatchUp, u.Number, u.Work.Microseconds(), attemptBackoff)
}

// RuleDocument is what the server says of one: the members that prove looks at.
type RuleDocument struct {
	Name, Cron, Overlap, CatchUp string

	Created time.Time
	Next    []struct{ UTC time.Time }
	Runs    int
	Skipped int
	Missed  int
}

// RuleRun is what the server says of a run of one.
type RuleRun struct {
	ID       string
	Created  time.Time
	Finished time.Time // zero: it has not
	For      time.Time `json:"scheduled_for"`
}

// readRule reads a document; ok is false if it is none.
func readRule(text []byte) (d RuleDocument, ok bool) {
	return d, json.Unmarshal(text, &d) == nil && len(d.Next) > 0 && !d.Created.IsZero()
}

// readRuns reads a page of runs, and the path of the next; ok is false if it is none.
func readRuns(text []byte) (runs []RuleRun, next string, ok bool) {
	var page struct {
		Runs []RuleRun
		Next string
	}
	ok = json.Unmarshal(text, &page) == nil && (page.Next == "" || strings.HasPrefix(page.Next, "/runs?"))
	return page.Runs, page.Next, ok
}
