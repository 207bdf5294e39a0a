package prove

import "fmt"

// Kind is something that no correct server does.
type Kind string

// The kinds.
const (
	Lost     Kind = "lost"     // acknowledged, and unknown now, or never finished as it should
	Undone   Kind = "undone"   // told to be finished, and reads otherwise later, or is worked again
	Doubled  Kind = "doubled"  // one key, or one request, and two runs
	Missed   Kind = "missed"   // a time of a schedule that recurs, and no run
	Refired  Kind = "refired"  // such a time, and two runs
	Needless Kind = "needless" // handed out again though its worker was there and had not failed
	Unfenced Kind = "unfenced" // a later hand-out without a higher fence
	Early    Kind = "early"    // a schedule that ran before its time
	Wrong    Kind = "wrong"    // a document or result that is not the run's
	Broken   Kind = "broken"   // a server that was alive did not keep to docs/protocol.md
)

// Kinds are all of them, the gravest first.
var Kinds = []Kind{Lost, Undone, Doubled, Missed, Refired, Needless, Unfenced, Early, Wrong, Broken}

// maxExamples is how many faults of a kind are described.
const maxExamples = 5

// faults counts them and describes the first.
type faults struct {
	count    map[Kind]int
	examples []string
}

func (f *faults) blame(kind Kind, format string, args ...any) {
	if f.count == nil {
		f.count = map[Kind]int{}
	}
	f.count[kind]++
	if f.count[kind] <= maxExamples {
		f.examples = append(f.examples, string(kind)+": "+fmt.Sprintf(format, args...))
	}
}
