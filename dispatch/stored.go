package dispatch

import (
	"encoding/binary"
	"errors"
)

// The tables of the store, by their first byte. Numbers in keys are big-endian, so that they sort.
const (
	TableRuns     = 'r' // id → StoredRun: the run as it was asked for; never written again
	TableStatus   = 'a' // id → Status, while it is not finished and there is something to say
	TableOutcomes = 'f' // id → Outcome
	TableQueue    = 'q' // name, 0, rank, place → id: runs that wait for a worker or are with one
	TableDue      = 'd' // time, id, what for → rank and name: what is to happen at a time
	TableExpiry   = 'e' // time, id → size (uvarint): finished runs, by when they are forgotten
	TableKeys     = 'k' // hash of name and idempotency key → id
	TableFailed   = 'x' // state, name, 0, id → nothing: runs that are dead, cancelled or expired
	TableCalls    = 'c' // id → nothing: runs whose callback is still to be made
	TableRules    = 's' // hash of its name → StoredRule: a schedule that recurs
	TableNames    = 'n' // name → nothing: which of these there are
	TableMeta     = 'm' // what the server knows of itself: see MetaEpoch and MetaStamp
)

// Keys of TableMeta. Their values are 8 bytes, big-endian.
const (
	MetaEpoch = "epoch" // counts the starts of the server, and each 4 billion hand-outs as one more
	MetaStamp = "stamp" // no id that was given out and deleted since is higher
)

// RunState is where a run is.
type RunState uint8

// The states. From Succeeded on it is finished.
const (
	Waiting  RunState = iota + 1 // waits for its time
	Pending                      // waits for a worker
	Running                      // is with a worker
	Retrying                     // waits for its next attempt
	Succeeded
	Dead // failed, or lost its workers, too often
	Cancelled
	Expired // its time to live or its deadline came
)

var stateNames = [...]string{"", "scheduled", "pending", "running", "retrying", "succeeded", "dead", "cancelled", "expired"}

// String is the state's name on the wire.
func (s RunState) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return ""
}

// ParseState is the other way round; 0 for a name of none.
func ParseState(name string) RunState {
	for i, n := range stateNames {
		if n == name && i > 0 {
			return RunState(i)
		}
	}
	return 0
}

// Finished tells whether nothing more happens to the run by itself.
func (s RunState) Finished() bool { return s >= Succeeded }

// ErrStored is returned for a value of the store that this version does not understand.
var ErrStored = errors.New("dispatch: a stored value that this version does not understand")

// form is the first byte of a Status and an Outcome, for later ones.
const form = 1

// StoredRun is a run as it was asked for. Its slices are parts of the value it was decoded from.
type StoredRun struct {
	Policy
	Created  int64 // wall clock
	Due      int64 // wall clock: see ScheduledFor; if it has a key, perhaps when it was made: see hold; 0: at once
	Deadline int64
	Rank     uint8
	BodyHash [16]byte // of the options, if there is a key

	Name, Key, Traceparent, Callback, Labels []byte // as in Terms
	Body                                     []byte // the options as JSON; nil if they were left out
}

// ScheduledFor is the time that the run is for, if it was scheduled or is of a schedule that recurs, which may be past when it
// was made; 0 if it is for none.
func (r *StoredRun) ScheduledFor() int64 {
	if len(r.Key) > 0 && r.Due <= r.Created {
		return 0
	}
	return r.Due
}

// Priority is 9 for what comes first.
func (r *StoredRun) Priority() int { return 9 - int(r.Rank) }

// runForm is the first byte of a StoredRun's value. 1 was without runMarks.
const runForm = 2

// What the second byte says beside the rank, in its lower half.
const (
	runRank    = 0x0f
	runPolicy  = 1 << 4 // the policy is another than usualStored
	runTimes   = 1 << 5 // there is a time that it is due, or a deadline
	runStrings = 1 << 6 // there is more than a name
)

// usualStored is the policy that is left out of values of runForm. It is for ever what it is: only a new form can have another.
var usualStored = Policy{Attempts: 5, Backoff: 1000, BackoffMax: 600_000, Keep: 86_400_000, KeepDead: 2_592_000_000}

// Append encodes the run. Most say little: 23 of a usual run's hundred bytes are left out.
func (r *StoredRun) Append(dst []byte) []byte {
	marks := r.Rank
	if r.Policy != usualStored {
		marks |= runPolicy
	}
	if r.Due|r.Deadline != 0 {
		marks |= runTimes
	}
	if len(r.Key)+len(r.Traceparent)+len(r.Callback)+len(r.Labels) > 0 {
		marks |= runStrings
	}
	dst = binary.AppendVarint(append(dst, runForm, marks), r.Created)
	if marks&runTimes != 0 {
		dst = binary.AppendVarint(binary.AppendVarint(dst, r.Due), r.Deadline)
	}
	if marks&runPolicy != 0 {
		for _, v := range [...]int64{int64(r.Attempts), r.Backoff, r.BackoffMax, r.Timeout, r.TTL, r.Keep, r.KeepDead} {
			dst = binary.AppendVarint(dst, v)
		}
	}
	dst = appendBytes(dst, r.Name)
	if marks&runStrings != 0 {
		for _, s := range [...][]byte{r.Key, r.Traceparent, r.Callback, r.Labels} {
			dst = appendBytes(dst, s)
		}
	}
	if len(r.Key) > 0 {
		dst = append(dst, r.BodyHash[:]...)
	}
	return append(dst, r.Body...)
}

// DecodeRun decodes a value of TableRuns. It returns ErrStored.
func DecodeRun(b []byte) (r StoredRun, err error) {
	in := reader{b: b}
	if in.byte() != runForm {
		return r, ErrStored
	}
	marks := in.byte()
	r.Rank, r.Policy, r.Created = marks&runRank, usualStored, in.varint()
	if marks&runTimes != 0 {
		r.Due, r.Deadline = in.varint(), in.varint()
	}
	if marks&runPolicy != 0 {
		r.Attempts = int(in.varint())
		for _, v := range [...]*int64{&r.Backoff, &r.BackoffMax, &r.Timeout, &r.TTL, &r.Keep, &r.KeepDead} {
			*v = in.varint()
		}
	}
	r.Name = in.bytes()
	if marks&runStrings != 0 {
		for _, s := range [...]*[]byte{&r.Key, &r.Traceparent, &r.Callback, &r.Labels} {
			*s = in.bytes()
		}
	}
	if len(r.Key) > 0 {
		copy(r.BodyHash[:], in.take(len(r.BodyHash)))
	}
	if in.bad || r.Rank > 9 || marks > runRank|runPolicy|runTimes|runStrings {
		return r, ErrStored
	}
	if len(in.b) > 0 {
		r.Body = in.b
	}
	return r, nil
}

// Status is what became of a run so far. Its slices are parts of the value it was decoded from.
type Status struct {
	Attempts int    // that are over
	Failures int    // of these, the ones that failed since it was last asked for
	Losses   int    // and those whose worker was lost
	Due      int64  // wall clock, of the next attempt, if it is retrying
	Place    uint64 // in line, if it is pending and that is not its id's
	Freed    bool   // its time to live and its deadline do not count any more
	History  []byte // see Attempt.Append
}

// Append encodes the status.
func (s *Status) Append(dst []byte) []byte {
	dst = append(dst, form)
	for _, v := range [...]uint64{uint64(s.Attempts), uint64(s.Failures), uint64(s.Losses), uint64(s.Due), s.Place, flag(s.Freed)} {
		dst = binary.AppendUvarint(dst, v)
	}
	return append(dst, s.History...)
}

// DecodeStatus decodes a value of TableStatus. It returns ErrStored.
func DecodeStatus(b []byte) (s Status, err error) {
	in := reader{b: b}
	if in.byte() != form {
		return s, ErrStored
	}
	s.Attempts, s.Failures, s.Losses = int(in.uvarint()), int(in.uvarint()), int(in.uvarint())
	s.Due, s.Place, s.Freed = int64(in.uvarint()), in.uvarint(), in.uvarint() != 0
	if in.bad {
		return s, ErrStored
	}
	s.History = in.b
	return s, nil
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// Attempt is one that failed, or whose worker was lost.
type Attempt struct {
	Number       int
	Began, Ended int64  // wall clock
	Error        []byte // JSON: an object as in RFC 9457
}

// MaxHistory is how many attempts are remembered, the last ones.
const MaxHistory = 16

// MaxError is how many bytes of an attempt's error are kept; a longer one is replaced by its beginning.
const MaxError = 8 << 10

// Append encodes the attempt behind others.
func (a *Attempt) Append(history []byte) []byte {
	for _, v := range [...]uint64{uint64(a.Number), uint64(a.Began), uint64(a.Ended)} {
		history = binary.AppendUvarint(history, v)
	}
	return appendBytes(history, a.Error)
}

// Attempts decodes a history. It returns ErrStored.
func Attempts(history []byte) (all []Attempt, err error) {
	in := reader{b: history}
	for len(in.b) > 0 {
		all = append(all, Attempt{
			Number: int(in.uvarint()), Began: int64(in.uvarint()), Ended: int64(in.uvarint()), Error: in.bytes(),
		})
	}
	if in.bad {
		return nil, ErrStored
	}
	return all, nil
}

// Outcome is what a finished run came to. Its slices are parts of the value it was decoded from.
type Outcome struct {
	State    RunState
	Finished int64 // wall clock
	Expires  int64 // wall clock: when it is forgotten
	Attempts int   // as in Status
	Failures int
	Losses   int
	History  []byte
	Result   []byte // JSON; nil for an undefined one, and if it did not succeed
}

// Append encodes the outcome.
func (o *Outcome) Append(dst []byte) []byte {
	dst = append(dst, form, byte(o.State))
	for _, v := range [...]uint64{
		uint64(o.Finished), uint64(o.Expires), uint64(o.Attempts), uint64(o.Failures), uint64(o.Losses),
	} {
		dst = binary.AppendUvarint(dst, v)
	}
	return append(appendBytes(dst, o.History), o.Result...)
}

// DecodeOutcome decodes a value of TableOutcomes. It returns ErrStored.
func DecodeOutcome(b []byte) (o Outcome, err error) {
	in := reader{b: b}
	if in.byte() != form {
		return o, ErrStored
	}
	o.State = RunState(in.byte())
	o.Finished, o.Expires = int64(in.uvarint()), int64(in.uvarint())
	o.Attempts, o.Failures, o.Losses = int(in.uvarint()), int(in.uvarint()), int(in.uvarint())
	o.History = in.bytes()
	if in.bad || !o.State.Finished() || int(o.State) >= len(stateNames) {
		return o, ErrStored
	}
	if len(in.b) > 0 {
		o.Result = in.b
	}
	return o, nil
}

// What is to happen at a time: the last byte of a key of TableDue.
const (
	DueStart    = 0 // a schedule becomes pending
	DueRetry    = 1 // the next attempt does
	DueTTL      = 2 // what has not begun expires
	DueDeadline = 3 // what is not finished expires
	DueRule     = 4 // a schedule fires: its id is that of a rule, not of a run
)

// AppendDueKey is a key of TableDue.
func AppendDueKey(dst []byte, at int64, id ID, what byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(max(at, 0)))
	return append(append(dst, id[:]...), what)
}

// ParseDueKey takes it apart.
func ParseDueKey(key []byte) (at int64, id ID, what byte, ok bool) {
	if len(key) != 8+16+1 {
		return 0, id, 0, false
	}
	copy(id[:], key[8:])
	return int64(binary.BigEndian.Uint64(key)), id, key[24], true
}

// AppendQueueKey is a key of TableQueue. No two runs of a store ever have the same place.
func AppendQueueKey(dst, name []byte, rank uint8, place uint64) []byte {
	return binary.BigEndian.AppendUint64(append(append(append(dst, name...), 0), rank), place)
}

// ParseQueueKey takes it apart.
func ParseQueueKey(key []byte) (name []byte, rank uint8, place uint64, ok bool) {
	n := len(key) - (1 + 1 + 8)
	if n < 0 || key[n] != 0 || key[n+1] > 9 {
		return nil, 0, 0, false
	}
	return key[:n:n], key[n+1], binary.BigEndian.Uint64(key[n+2:]), true
}

// AppendExpiryKey is a key of TableExpiry.
func AppendExpiryKey(dst []byte, at int64, id ID) []byte {
	return append(binary.BigEndian.AppendUint64(dst, uint64(max(at, 0))), id[:]...)
}

// ParseExpiryKey takes it apart.
func ParseExpiryKey(key []byte) (at int64, id ID, ok bool) {
	if len(key) != 8+16 {
		return 0, id, false
	}
	copy(id[:], key[8:])
	return int64(binary.BigEndian.Uint64(key)), id, true
}

// AppendFailedKey is a key of TableFailed.
func AppendFailedKey(dst []byte, s RunState, name []byte, id ID) []byte {
	dst = append(append(append(dst, byte(s)), name...), 0)
	return append(dst, id[:]...)
}

// View is a run as it is shown: what is stored of it, and where it is now. Its slices are as they are in the store, or nil.
type View struct {
	ID       ID
	State    RunState
	Due      int64  // wall clock, if it is scheduled or retrying
	Name     []byte // of its task
	Run      []byte // StoredRun; nil in a short view
	Status   []byte // Status, if there is one and it is not finished
	Outcome  []byte // Outcome, if it is finished
	Progress []byte // JSON: what its worker said last of how far it is, if it is running
	Said     int64  // wall clock: when that was
	Attached bool   // the request was not the first of its idempotency key
}

// Append encodes the view, for an effect's Body.
func (v *View) Append(dst []byte) []byte {
	attached := byte(0)
	if v.Attached {
		attached = 1
	}
	dst = append(append(dst, byte(v.State), attached), v.ID[:]...)
	dst = binary.AppendVarint(binary.AppendVarint(dst, v.Due), v.Said)
	for _, s := range [...][]byte{v.Name, v.Run, v.Status, v.Outcome, v.Progress} {
		dst = appendBytes(dst, s)
	}
	return dst
}

// DecodeView decodes an effect's Body. It returns ErrStored.
func DecodeView(b []byte) (v View, err error) {
	in := reader{b: b}
	v.State, v.Attached, v.ID, v.Due, v.Said = RunState(in.byte()), in.byte() != 0, in.id(), in.varint(), in.varint()
	for _, s := range [...]*[]byte{&v.Name, &v.Run, &v.Status, &v.Outcome, &v.Progress} {
		if *s = in.bytes(); len(*s) == 0 {
			*s = nil
		}
	}
	if in.bad {
		return View{}, ErrStored
	}
	return v, nil
}

// Ticket is what a worker that said Hello is told of a task beyond name, options and nonce.
type Ticket struct {
	Run         ID // zero for a call
	Attempt     int
	Fence       uint64
	Deadline    int64  // wall clock: of the lease, the attempt or the run, whichever is the earliest; 0 is none
	Secret      uint64 // of a lease: random, and part of its nonce; 0 otherwise
	Traceparent []byte
}

// Plain says whether the ticket has no more than attempt and fence.
func (t *Ticket) Plain() bool {
	return t.Run == (ID{}) && t.Deadline == 0 && t.Secret == 0 && len(t.Traceparent) == 0
}

// ticketHead is the length of an encoded ticket that is plain, as that of most calls.
const ticketHead = 4 + 8

// Append encodes the ticket, for the Nonce of a HandOut.
func (t *Ticket) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(t.Attempt))
	dst = binary.LittleEndian.AppendUint64(dst, t.Fence)
	if t.Plain() {
		return dst
	}
	dst = binary.AppendVarint(append(dst, t.Run[:]...), t.Deadline)
	return append(binary.BigEndian.AppendUint64(dst, t.Secret), t.Traceparent...)
}

// DecodeTicket decodes it. It returns ErrStored.
func DecodeTicket(b []byte) (t Ticket, err error) {
	if len(b) < ticketHead {
		return Ticket{}, ErrStored
	}
	t.Attempt, t.Fence = int(binary.LittleEndian.Uint32(b)), binary.LittleEndian.Uint64(b[4:])
	if len(b) == ticketHead {
		return t, nil
	}
	in := reader{b: b[ticketHead:]}
	t.Run, t.Deadline = in.id(), in.varint()
	secret := in.take(8)
	if in.bad {
		return Ticket{}, ErrStored
	}
	t.Secret, t.Traceparent = binary.BigEndian.Uint64(secret), in.b
	return t, nil
}

// AppendRow encodes one row of a Loaded event's Body: a key and its value, and for each table of Load.Also its value there;
// nil for one that is not there.
func AppendRow(dst, key, value []byte, also [][]byte) []byte {
	dst = appendBytes(appendBytes(dst, key), value)
	for _, v := range also {
		if v == nil {
			dst = append(dst, 0)
			continue
		}
		dst = append(binary.AppendUvarint(dst, uint64(len(v))+1), v...)
	}
	return dst
}

// row is one of them, with at most three tables looked up.
type row struct {
	key, value []byte
	also       [3][]byte
}

// row takes the next apart.
func (r *reader) row(also int) (w row) {
	w.key, w.value = r.bytes(), r.bytes()
	for i := range also {
		if n := r.uvarint(); n > 0 {
			w.also[i] = r.take(int(min(n-1, 1<<40)))
			if w.also[i] == nil && !r.bad {
				w.also[i] = []byte{}
			}
		}
	}
	return w
}
