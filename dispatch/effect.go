package dispatch

// EffectKind says what an [Effect] is.
type EffectKind uint8

// The effects. The comment names the fields that each uses beside Kind and To.
const (
	_           EffectKind = iota
	HandOut                // Name, Body (options), Token (the nonce): a task for a worker. Nonce is a Ticket if it said hello
	Result                 // Seq, Nonce, Body: what a run came to; nil for an undefined result
	Listed                 // Seq, Nonce, Body: the names, each followed by a newline (no name holds one)
	Scheduled              // Seq, Nonce, Body: a short View
	Unscheduled            // Seq, Nonce, Found
	Refused                // Seq, Nonce, Reason; of a RegisterTask: Name
	Failed                 // Seq, Nonce, Body: a call's worker said that it failed, with an error as JSON
	Accepted               // Seq, Nonce, Body: a short View: the run is stored, and not finished
	Done                   // Seq, Nonce, Body: a View: the run that was waited for is finished
	Shown                  // Seq, Nonce, Body: a View, of a run that was asked about
	Changed                // Seq, Nonce, Body: a View, of a run that was cancelled, is asked to stop, or is tried once more
	Explained              // Seq, Nonce, Body: a Why
	Forgotten              // Seq
	Cancel                 // Token: the worker that holds it, and said hello, may stop
	Welcome                // Token: the session's name. Found: it goes on, with the hand-outs in Body, see NextToken. Answers SayHello
	Late                   // Token: what the worker said of that task counts for nothing: it does not have it, or no longer
	NoMoreTasks            // a worker that said hello is told that the server is ending
	Hangup                 // another connection has gone on with its session: it is to be closed
	Leased                 // Seq, Name, Body (options), Token, Nonce: a Ticket. One task of a lease; Found: more follow. Its Ticket has Secret and Deadline
	NoLease                // Seq: there was nothing to do in the time that TakeLease was ready to wait
	LeaseTaken             // Seq: what was said of a lease counts, and is stored if that was promised. Found: the worker may stop, see Cancel
	RuleIs                 // Seq, Body: a StoredRule, as it is now; Found: it is new
	RuleGone               // Seq: a schedule is deleted
	Paused                 // a worker has been handed much at once and gets no more: answer Unblock when it is written
)

// Reason says why something was refused.
type Reason uint8

// The reasons. Each but WorkersLost passes by itself, so that trying again later makes sense.
const (
	_              Reason = iota
	TooMany               // as many tasks wait as may
	TooManyName           // as many different names are known as may be
	NoMemory              // the budget of bytes is used up
	Draining              // the server is about to end
	NotStored             // the store could not make it durable
	Overloaded            // the ring is full; said by a loop, not by the dispatcher
	WorkersLost           // every worker that took the run was lost with it
	TooManyHere           // as many calls of this connection wait as may
	StoreFull             // the disk is nearly full, or too much waits for it
	Nobody                // no worker has registered the name, and it was asked to be refused then
	TooLate               // the call's deadline or time to live came before it was done
	KeyReused             // the idempotency key was used with other options
	NoRun                 // there is no such run
	RunFinished           // it is finished
	RunNotFailed          // it cannot be tried once more: it did not fail, and is not about to be tried anyway
	RunNotFinished        // it cannot be forgotten: it is not finished
	TooLarge              // more than can be stored of one run
	NoRule                // there is no schedule of that name
	RuleThere             // there is one, and it was to be new
	RuleChanged           // it is not any more, or not yet, as who asked takes it to be
	TooManyLeases         // as many requests for a lease wait, or have as many names, or as many are lent, as may
	StaleLease            // a lease that is over, or never was: its task is somebody else's by now, or done
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

// Op is one change to the store: a key of a table is set or deleted. Key and Value are parts of Batch.Data.
type Op struct {
	Table  byte
	Delete bool
	Key    Span
	Value  Span
}

// Load is a question to the store. Its answer is a [Loaded] event with the same number, and must know everything that was
// committed before the Load was asked; more does no harm. One with Keys is that many questions, numbered on from N, each with
// an event of its own. They are answered in their order, and those that fit into Bytes in one input: what comes of them is one
// batch then.
type Load struct {
	N     uint64
	Keys  [][16]byte // looked up in Table: the caller keeps them. The others say what is to be done if there are none
	Table byte       // scanned, from From up to but without To, Limit keys at most, 0 if none is to be scanned
	From  []byte     // To too: the caller keeps them
	To    []byte
	Limit int
	Bytes int    // after the row with which the answer has so many bytes, it ends
	ID    ID     // if Table is 0: the run that is asked about
	Also  string // tables to look up each run in: ID, or the one that each row is about. That may be newer than the scan
}

// Fault says that durable work is over until the server is started again.
type Fault uint8

// The faults.
const (
	_        Fault = iota
	Panicked       // what is in memory may differ from the store: nothing may be kept any more
	Stopped        // that, or a CommitFailed, has been heard of: what was promised is taken back, and nothing is promised any more
)

// Batch collects what one or more steps came to. The zero Batch is empty and ready.
type Batch struct {
	Effects []Effect
	N       uint64 // the number of Ops, if there are any: each batch with some has the next, from 1
	Ops     []Op   // to be made durable together, before anything that promises it leaves
	Data    []byte // of Ops
	Loads   []Load
	Calls   []ID    // runs whose callback is to be made
	Asked   uint64  // the Seq of the event that the next two answer
	Stats   *Stats  // answers Report; nil otherwise
	Survey  *Survey // answers ListTaskInfo and those behind it; nil otherwise
	Fault   Fault   // 0: none
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

// keptData is the most room for operations that a batch keeps.
const keptData = 1 << 20

func (b *Batch) empty() bool {
	return len(b.Effects) == 0 && len(b.Ops) == 0 && len(b.Loads) == 0 && len(b.Calls) == 0 && b.Stats == nil && b.Survey == nil && b.Fault == 0
}

// Reset empties the batch and keeps its room.
func (b *Batch) Reset() {
	clear(b.Effects) // let go of what the effects pointed to
	b.Effects = b.Effects[:0]
	b.N, b.Ops, b.Data = 0, b.Ops[:0], b.Data[:0]
	if cap(b.Data) > keptData {
		b.Data = nil
	}
	clear(b.Loads)
	b.Loads, b.Calls = b.Loads[:0], b.Calls[:0]
	b.Asked, b.Stats, b.Survey, b.Fault = 0, nil, nil, 0
}

// Stats is what the dispatcher counted since it began, and what it holds now.
type Stats struct {
	Submitted, Finished, Refused      uint64 // runs asked for, answered, and turned away
	HandedOut, Requeued, BadResults   uint64 // hand-outs, those that came back unanswered, results that fitted none
	Fired                             uint64 // runs whose time came
	Queued, Leased, Waiting, Schedule int    // now: in a queue and in memory, with a worker, effects parked, waiting for a time and in memory
	Accepted, Succeeded, Died         uint64 // runs stored, and those that succeeded, and are dead
	Failures                          uint64 // attempts that failed
	Unread                            uint64 // stored runs that could not be understood
	Stored                            int    // now: runs in a queue that are on the disk only
	Loads                             int    // now: questions to the store that are not answered
	Lent, Away                        int    // now: of those Leased, the ones lent over HTTP, and those of sessions without a connection: what they come to is said over new ones
	Workers, Names                    int    // now: connections that registered or asked, names known
	GivenUp                           uint64 // runs refused with WorkersLost
	Bytes                             int64  // now: owned by queues, by capacity
}
