package dispatch

import "encoding/binary"

// Conn addresses one connection for as long as the server runs: the event loop it lives on (8 bits), its slot in that
// loop's table (24 bits) and the slot's generation (32 bits). It is a value, not a pointer: what is meant for a
// connection that has gone finds another generation there and is dropped, so it can never reach a successor.
// The zero Conn is nobody.
type Conn uint64

// MakeConn builds an address. loop is below 255, which is where the dispatcher keeps workers that have no connection; slot is
// below 1<<24; generations start at 1.
func MakeConn(loop int, slot, generation uint32) Conn {
	return Conn(uint64(loop)<<56 | uint64(slot&0xffffff)<<32 | uint64(generation))
}

// Loop is the index of the event loop that the connection lives on.
func (c Conn) Loop() int { return int(c >> 56) }

// Slot is the connection's place in its loop's table.
func (c Conn) Slot() uint32 { return uint32(c>>32) & 0xffffff }

// Generation tells apart the connections that had the same slot.
func (c Conn) Generation() uint32 { return uint32(c) }

// next is the connection that has its place after it. Generations begin anew after the last.
func (c Conn) next() Conn { return MakeConn(c.Loop(), c.Slot(), c.Generation()+1) }

// Now is one reading of both clocks, in milliseconds. Mono never goes back and measures how long something took; Wall
// is Unix time and may be set by people at any moment.
type Now struct{ Mono, Wall int64 }

// later is when so many milliseconds are over since a clock read this, and no sooner: of the one it reads a part is over
// already. None are over at once.
func later(now, span int64) int64 {
	if span > 0 {
		span++
	}
	return now + span
}

// Span is a part of a batch's bytes. It holds no pointer, so a queue of events is nothing to the garbage collector.
type Span struct{ Off, Len uint32 }

// Of returns the bytes meant, with a capacity that ends where they end. The zero Span is nil.
func (s Span) Of(base []byte) []byte {
	if s == (Span{}) {
		return nil
	}
	return base[s.Off : s.Off+s.Len : s.Off+s.Len]
}

// Token names one hand-out of a task (the worker's nonce): a slot of the dispatcher's table
// and 64 random bits that are drawn anew each time. It looks up without hashing and cannot be guessed.
type Token struct {
	Secret uint64
	Slot   uint32
}

// TokenLen is the length of a token as text: 8 letters for the slot and 16 for the secret, four bits each, a to p.
const TokenLen = 24

// Kind says what an [Event] is.
type Kind uint8

// The events. The comment names the fields that each uses beside Kind.
const (
	_ Kind = iota

	// From producers.
	RunTask        // Name, Nonce, Seq, Body, Terms; Count: run a task now. Body is its options as JSON; Count: the next event is of the same request
	ScheduleTask   // the same, and At: run it at a wall time. It is always a run
	UnscheduleTask // Run, Nonce, Seq: cancel a run that is still scheduled
	ListTasks      // Nonce, Seq: which names have workers
	ReadRun        // Run, Nonce, Seq, At: show a run; if it is not finished, once it is, or after At milliseconds
	CancelRun      // Run, Nonce, Seq
	RetryRun       // Run, Nonce, Seq: once more, though it is finished, or at once, if it waits for its next attempt
	ExplainRun     // Run, Nonce, Seq: why it is where it is
	ForgetRun      // Run, Seq: a finished one, before its time

	// From workers.
	RegisterTask // Name: can do this. Count: so many at once at most; 0 is as many as it asks for
	GetTask      // Count: ready for so many more tasks
	SendResult   // Token, Body; Count: done, and ready for so many more. An undefined result has the zero Span
	SendError    // Token, Body, At; Count: an attempt failed. Body is its error as JSON. At: see Usually
	SayHello     // it understands what workers of old do not. Token: the session to go on with; zero is none
	Extend       // Token, At: it needs the task for so many milliseconds more, from now
	Progress     // Token, Body: how far it is, as JSON, at most MaxProgress bytes
	HandBack     // Token: it has not begun the task, and gives it back. The zero Token: it wants no more; Count: and gives back all that it has

	// From workers without a WebSocket, over HTTP. SendResult, SendError, Extend, Progress and HandBack are theirs too, with Seq
	// for an answer, no Count, and Nonce: the eight bytes of the ticket's Secret, which make up for the connection that they do
	// not keep.
	TakeLease // Body: names, each followed by a newline; Count: tasks at most; At: milliseconds to wait; Seq. Token.Secret: milliseconds that it lasts

	// Of a connection, from its event loop.
	Block   // it does not read what it is sent: hand it no more tasks
	Unblock // it reads again, or what came before Paused is written
	Gone    // it has ended; the last event of its Conn

	// Of the server. The connection is zero.
	Tick   // time has passed: run what is due
	Report // Seq: put Stats into the batch
	Drain  // refuse new work from now on
	Stop   // answer every waiting call with a refusal; nothing is handed out any more

	// From the store.
	Committed    // Seq: every record up to this number is durable
	CommitFailed // Seq: no record after this number ever will be
	Loaded       // Seq, Body: the answer to that Load, see AppendRow. Count: LoadFailed, LoadWhole or LoadPart
	StoreLow     // Count: whether the store is nearly full, and takes only what finishes runs
	CallbackDone // Run: its callback was made, or given up

	// For people to look at.
	ListTaskInfo   // Seq, At, Count: put a Survey of tasks into the batch, from the place At, Count at most
	ListWorkerInfo // the same of workers
	ListRunning    // as ListTaskInfo, of runs that workers have
	ListRunStates  // Seq, Body: raw ids, one after the other: put a Survey of their states into the batch

	// About schedules that recur. Run is the RuleID of the name. At: refuse it with RuleChanged unless this is its Rev; 0 is any,
	// and see RuleIsThere.
	SetRule    // Seq, Body: a StoredRule; Count: see RuleIsNew
	DropRule   // Run, Seq
	PauseRule  // Run, Seq
	ResumeRule // Run, Seq: it goes on with the next time from now
	FireRule   // Run, Seq: make a run of it now
)

// How a load ended: it could not be read, everything that was asked for is there, or Limit or Bytes ended it.
const (
	LoadFailed uint32 = iota
	LoadWhole
	LoadPart
)

// What a worker says about the next attempt, beside a number of milliseconds until then.
const (
	Usually int64 = -1 // as the run's policy has it
	Never   int64 = -2 // there is no point
)

// Event is one thing that happened, as the dispatcher takes it. It points nowhere: its spans are parts of the bytes
// that its batch came with.
type Event struct {
	Kind  Kind
	Count uint32 // credits, or a truth value
	Seq   uint64 // over HTTP, which request of its connection is to be answered; 0 over WebSocket
	Name  Span
	Nonce Span // a producer's, as JSON; the zero Span is none
	Body  Span
	Terms Span  // see Terms.Append; the zero Span says nothing
	At    int64 // wall clock, milliseconds of Unix time
	Token Token
}

// Run is where the event names a run: an ID's 16 bytes. No event has it beside Name, so they share their place.
func (e *Event) Run() *Span { return &e.Name }

// ofLease tells whether a worker says this over HTTP: its Nonce has a secret then. Its Seq counts from 0, and tells nothing.
func (e *Event) ofLease() bool { return e.Nonce != (Span{}) }

// Append appends the token's text.
func (t Token) Append(dst []byte) []byte {
	var b [TokenLen]byte
	t.Put(b[:])
	return append(dst, b[:]...)
}

// Put writes the token's text over the first TokenLen bytes of b.
func (t Token) Put(b []byte) {
	_ = b[TokenLen-1]
	binary.BigEndian.PutUint64(b[0:], letters(t.Slot))
	binary.BigEndian.PutUint64(b[8:], letters(uint32(t.Secret>>32)))
	binary.BigEndian.PutUint64(b[16:], letters(uint32(t.Secret)))
}

// ParseToken reads a token's text: exactly 24 letters from a to p.
func ParseToken(b []byte) (Token, bool) {
	if len(b) != TokenLen {
		return Token{}, false
	}
	slot := binary.BigEndian.Uint64(b[0:]) - letterA
	high := binary.BigEndian.Uint64(b[8:]) - letterA
	low := binary.BigEndian.Uint64(b[16:]) - letterA
	// What is no such letter leaves more than four bits; the first from the right does, whatever it borrows from the next.
	ok := (slot|high|low)&(0xf0*0x0101010101010101) == 0
	return Token{Slot: nibbles(slot), Secret: uint64(nibbles(high))<<32 | uint64(nibbles(low))}, ok
}

// letterA is eight times the letter of zero. The sixteen letters follow one another, unlike hexadecimal digits, so that
// a token is written and read eight letters at a time with nothing but shifts, masks and one addition.
const letterA = 'a' * 0x0101010101010101

// letters are the eight letters of v.
func letters(v uint32) uint64 {
	x := uint64(v)
	x = (x&0xffff0000)<<16 | x&0xffff
	x = (x&0x0000ff000000ff00)<<8 | x&0x000000ff000000ff
	x = (x&0x00f000f000f000f0)<<4 | x&0x000f000f000f000f
	return x + letterA
}

// nibbles is letters the other way round, of what is left when letterA is taken off.
func nibbles(x uint64) uint32 {
	x = (x | x>>4) & 0x00ff00ff00ff00ff
	x = (x | x>>8) & 0x0000ffff0000ffff
	return uint32(x | x>>16)
}
