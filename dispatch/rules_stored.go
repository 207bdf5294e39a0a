package dispatch

import (
	"bytes"
	"encoding/binary"
)

// Overlap is what a schedule does when its time comes and its last run is not finished.
type Overlap uint8

// The ways.
const (
	OverlapAllow   Overlap = iota // another run
	OverlapSkip                   // no run
	OverlapReplace                // another run, and the last is cancelled if it waits, and asked to stop if it runs
)

// CatchUp is what a schedule does with times that have passed by more than a minute: the server was down, or its clock was
// set forward.
type CatchUp uint8

// The ways.
const (
	CatchUpNone CatchUp = iota // no runs
	CatchUpOne                 // one, for the latest
	CatchUpAll                 // one for each of the latest, MaxCatchUp at most
)

// Names of both on the wire.
var (
	OverlapNames = [...]string{"allow", "skip", "replace"}
	CatchUpNames = [...]string{"none", "one", "all"}
)

// MaxCatchUp is how many times are caught up with at most.
const MaxCatchUp = 100

// StoredRule is a schedule that recurs: what is to be run and when, and how far it is. Its slices are parts of the value it
// was decoded from.
type StoredRule struct {
	Last    ID     // its last run; zero: there was none
	Rev     uint64 // changes with whatever people change
	Paused  bool
	Overlap Overlap
	CatchUp CatchUp

	Created int64  // wall clock, as are the following
	From    int64  // since when it has this cron expression: what @every counts from
	Next    int64  // when it is due; 0: never, or it is paused
	Passed  int64  // no time up to this one comes again
	LastAt  int64  // the time that its last run is for
	Runs    uint64 // that it has made
	Skipped uint64 // times without a run, since the one before was not finished
	Missed  uint64 // times without a run, since they were not caught up with; of each stretch at most countMost are counted

	Name, Cron, Zone, Task []byte
	Terms                  []byte // of its runs: see Terms.Append
	Body                   []byte // their options as JSON; nil if they were left out
}

// RuleID is where the schedule of a name is recorded: a hash.
func RuleID(name []byte) ID { return ID(hashOf(name)) }

// lastAt is where the last run stands in the value, for RuleLast.
const lastAt = 1

// RuleLast is the last run of a schedule, from its value in TableRules. It reports false if that is none.
func RuleLast(value []byte) (id ID, ok bool) {
	if len(value) < lastAt+len(id) {
		return id, false
	}
	copy(id[:], value[lastAt:])
	return id, true
}

// ruleForm is the first byte of a StoredRule's value. 1 had no row in TableNames.
const ruleForm = 2

// Append encodes the schedule.
func (r *StoredRule) Append(dst []byte) []byte {
	dst = append(append(dst, ruleForm), r.Last[:]...)
	dst = append(dst, byte(flag(r.Paused)), byte(r.Overlap), byte(r.CatchUp))
	for _, v := range [...]int64{r.Created, r.From, r.Next, r.Passed, r.LastAt} {
		dst = binary.AppendVarint(dst, v)
	}
	for _, v := range [...]uint64{r.Rev, r.Runs, r.Skipped, r.Missed} {
		dst = binary.AppendUvarint(dst, v)
	}
	for _, s := range [...][]byte{r.Name, r.Cron, r.Zone, r.Task, r.Terms} {
		dst = appendBytes(dst, s)
	}
	return append(dst, r.Body...)
}

// DecodeRule decodes a value of TableRules. It returns ErrStored.
func DecodeRule(b []byte) (r StoredRule, err error) {
	in := reader{b: b}
	if in.byte() != ruleForm {
		return r, ErrStored
	}
	r.Last = in.id()
	r.Paused, r.Overlap, r.CatchUp = in.byte() != 0, Overlap(in.byte()), CatchUp(in.byte())
	for _, v := range [...]*int64{&r.Created, &r.From, &r.Next, &r.Passed, &r.LastAt} {
		*v = in.varint()
	}
	for _, v := range [...]*uint64{&r.Rev, &r.Runs, &r.Skipped, &r.Missed} {
		*v = in.uvarint()
	}
	for _, s := range [...]*[]byte{&r.Name, &r.Cron, &r.Zone, &r.Task, &r.Terms} {
		*s = in.bytes()
	}
	if in.bad || int(r.Overlap) >= len(OverlapNames) || int(r.CatchUp) >= len(CatchUpNames) {
		return StoredRule{}, ErrStored
	}
	if len(in.b) > 0 {
		r.Body = in.b
	}
	return r, nil
}

// DecodeTerms decodes what Terms.Append wrote. It returns ErrStored.
func DecodeTerms(b []byte) (t Terms, err error) {
	t = NewTerms()
	if len(b) > 0 && t.decode(b) != nil {
		return NewTerms(), ErrStored
	}
	return t, nil
}

// isTimedAs tells whether both are due at the same times.
func (r *StoredRule) isTimedAs(o *StoredRule) bool {
	return bytes.Equal(r.Cron, o.Cron) && bytes.Equal(r.Zone, o.Zone)
}

// isAs tells whether people said the same of both.
func (r *StoredRule) isAs(o *StoredRule) bool {
	return r.isTimedAs(o) && r.Overlap == o.Overlap && r.CatchUp == o.CatchUp && r.Paused == o.Paused &&
		bytes.Equal(r.Task, o.Task) && bytes.Equal(r.Terms, o.Terms) && bytes.Equal(r.Body, o.Body)
}
