package dispatch

// EffectKind says what an [Effect] is.
type EffectKind uint8

// The effects. The comment names the fields that each uses beside Kind and To.
const (
	_           EffectKind = iota
	HandOut                // Name, Body (options), Token (the nonce): a task for a worker
	Result                 // Seq, Nonce, Body: what a run came to; nil for an undefined result
	Listed                 // Seq, Nonce, Body: the names, each followed by a newline (no name holds one)
	Scheduled              // Seq, Nonce, Token: the id
	Unscheduled            // Seq, Nonce, Found
	Refused                // Seq, Nonce, Reason
	Paused                 // a worker has been handed much at once and gets no more: answer Unblock when it is written
)

// Reason says why something was refused.
type Reason uint8

// The reasons. Each but WorkersLost passes by itself, so that trying again later makes sense.
const (
	_           Reason = iota
	TooMany            // as many tasks wait as may
	TooManyTime        // as many schedules wait as may
	TooManyName        // as many different names are known as may be
	NoMemory           // the budget of bytes is used up
	Draining           // the server is about to end
	NotStored          // the store could not make it durable
	Overloaded         // the ring is full; said by a loop, not by the dispatcher
	WorkersLost        // every worker that took the run was lost with it
	TooManyHere        // as many calls of this connection wait as may
)

// Effect is one thing to send. Its slices are good until the batch it stands in is delivered, no longer.
type Effect struct {
	Kind   EffectKind
	Reason Reason
	Found  bool
	To     Conn
	Seq    uint64
	Token  Token
	Nonce  []byte
	Name   []byte
	Body   []byte
}

// RecordKind says what a [Record] is.
type RecordKind uint8

// The records.
const (
	_             RecordKind = iota
	RecordAdded              // Token, At, Name, Body: a schedule was accepted
	RecordRemoved            // Token: it was removed, or became a run
)

// Record is one thing to make durable, before the effects that promise it leave. Records are numbered from 1 without
// gaps. Its slices are good until the batch is delivered: whoever keeps it copies them.
type Record struct {
	Kind  RecordKind
	N     uint64
	Token Token
	At    int64
	Name  []byte
	Body  []byte
}

// Load asks the store for a schedule that is not in memory. The answer is a [Loaded] event with the same number.
type Load struct {
	N     uint64
	Token Token
}

// Batch collects what one or more steps came to. The zero Batch is empty and ready.
type Batch struct {
	Effects []Effect
	Records []Record
	Loads   []Load
	Asked   uint64  // the Seq of the event that the next two answer
	Stats   *Stats  // answers Report; nil otherwise
	Survey  *Survey // answers ListTaskInfo and ListWorkerInfo; nil otherwise
}

// add appends an effect with nothing but its kind and whom it is for. It is filled in field by field: to make one and copy
// it costs several times as much.
func (b *Batch) add(kind EffectKind, to Conn) *Effect {
	if n := len(b.Effects); n < cap(b.Effects) {
		b.Effects = b.Effects[:n+1] // Reset has emptied it
	} else {
		b.Effects = append(b.Effects, Effect{})
	}
	e := &b.Effects[len(b.Effects)-1]
	e.Kind, e.To = kind, to
	return e
}

func (b *Batch) empty() bool {
	return len(b.Effects) == 0 && len(b.Records) == 0 && len(b.Loads) == 0 && b.Stats == nil && b.Survey == nil
}

// Reset empties the batch and keeps its room.
func (b *Batch) Reset() {
	clear(b.Effects) // let go of what the effects pointed to
	b.Effects = b.Effects[:0]
	b.Records = b.Records[:0]
	b.Loads = b.Loads[:0]
	b.Asked, b.Stats, b.Survey = 0, nil, nil
}

// Stats is what the dispatcher counted since it began, and what it holds now.
type Stats struct {
	Submitted, Finished, Refused      uint64 // runs asked for, answered, and turned away
	HandedOut, Requeued, BadResults   uint64 // hand-outs, those that came back unanswered, results that fitted none
	Fired                             uint64 // schedules that became runs
	Queued, Leased, Waiting, Schedule int    // now: in a queue, with a worker, records parked, schedules
	Workers, Names                    int    // now: connections that registered or asked, names known
	GivenUp                           uint64 // runs refused with WorkersLost
	Bytes                             int64  // now: owned by queues, by capacity
}
