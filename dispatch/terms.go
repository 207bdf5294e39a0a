package dispatch

import (
	"encoding/binary"
	"errors"
)

// Policy is how a run is to be treated. Durations are in milliseconds; 0 is none.
type Policy struct {
	Attempts   int   // failed ones after which it is dead
	Backoff    int64 // before the second attempt at most; doubles with each, up to
	BackoffMax int64
	Timeout    int64 // of one attempt
	TTL        int64 // of its first attempt, from when it was asked for
	Keep       int64 // after it succeeded, was cancelled or expired
	KeepDead   int64
}

// Bounds of what a request may ask for.
const (
	MaxAttempts = 100
	MaxLabels   = 16
	MaxKeep     = 10 * 365 * 24 * 3600 * 1000 // milliseconds
	MaxStrings  = 16 << 10                    // bytes of key, labels, traceparent and callback together
)

// DefaultPolicy is right for most: four retries within minutes, results kept for a day and what failed for thirty.
func DefaultPolicy() Policy {
	const second, hour = 1000, 3600 * 1000
	return Policy{
		Attempts: 5, Backoff: second, BackoffMax: 600 * second,
		Keep: 24 * hour, KeepDead: 30 * 24 * hour,
	}
}

// Reply says what a request is answered with, and when.
type Reply uint8

// The replies.
const (
	ReplyResult   Reply = iota // the result, however long it takes. After Wait, if that is not 0: Accepted
	ReplyAccepted              // Accepted, once the run is stored
	ReplyID                    // Scheduled, once the run is stored
)

// Terms is what a request says beyond the seed's. The zero Terms asks for nothing. Numbers that are -1 were not said: what
// the task's policy says counts.
type Terms struct {
	Promise  bool // it is a run: stored before it is acknowledged. Otherwise a call, which has Priority, Deadline and TTL only
	Reply    Reply
	Wait     int64 // milliseconds; see ReplyResult
	Staffed  bool  // refuse it with Nobody if no worker has registered the name
	Priority int   // 0 to 9; 9 is first
	Deadline int64 // wall clock: what is not finished by then expires; 0 is none

	Attempts                                int
	Backoff, BackoffMax, Timeout, TTL, Keep int64
	Key, Traceparent, Callback              []byte
	Labels                                  []byte // each as key:value, followed by a newline
}

// NewTerms are terms that say nothing.
func NewTerms() Terms {
	return Terms{Priority: -1, Attempts: -1, Backoff: -1, BackoffMax: -1, Timeout: -1, TTL: -1, Keep: -1}
}

// What the first byte of encoded terms says. The reply is between them.
const (
	termsPromise = 1 << 0
	termsStaffed = 1 << 1
	termsReply   = 2      // bits further up
	termsMore    = 1 << 4 // there is more: without it nothing else was said, as in nearly all terms
)

// Append encodes the terms for an event's Terms span.
func (t *Terms) Append(dst []byte) []byte {
	flags := byte(t.Reply) << termsReply
	if t.Promise {
		flags |= termsPromise
	}
	if t.Staffed {
		flags |= termsStaffed
	}
	if !t.saysMore() {
		return append(dst, flags)
	}
	dst = append(dst, flags|termsMore)
	for _, v := range [...]int64{
		int64(t.Priority), int64(t.Attempts), t.Backoff, t.BackoffMax, t.Timeout, t.TTL, t.Keep, t.Wait, t.Deadline,
	} {
		dst = binary.AppendVarint(dst, v)
	}
	for _, s := range [...][]byte{t.Key, t.Traceparent, t.Callback, t.Labels} {
		dst = appendBytes(dst, s)
	}
	return dst
}

// saysMore tells whether the terms say more than flags do.
func (t *Terms) saysMore() bool {
	unsaid := int64(t.Priority) & int64(t.Attempts) & t.Backoff & t.BackoffMax & t.Timeout & t.TTL & t.Keep
	return unsaid != -1 || t.Wait|t.Deadline != 0 || len(t.Key)+len(t.Traceparent)+len(t.Callback)+len(t.Labels) > 0
}

var errTerms = errors.New("dispatch: terms that are none")

// decode reads what Append wrote. Slices are parts of b.
func (t *Terms) decode(b []byte) error {
	r := reader{b: b}
	flags := r.byte()
	*t = NewTerms()
	t.Promise, t.Staffed, t.Reply = flags&termsPromise != 0, flags&termsStaffed != 0, Reply(flags>>termsReply&3)
	if flags&termsMore != 0 {
		t.Priority, t.Attempts = int(r.varint()), int(r.varint())
		for _, v := range [...]*int64{&t.Backoff, &t.BackoffMax, &t.Timeout, &t.TTL, &t.Keep, &t.Wait, &t.Deadline} {
			*v = r.varint()
		}
		for _, s := range [...]*[]byte{&t.Key, &t.Traceparent, &t.Callback, &t.Labels} {
			*s = r.bytes()
		}
	}
	if r.bad || len(r.b) > 0 {
		return errTerms
	}
	return nil
}

// policy is what the terms come to with what the task says where they are silent.
func (t *Terms) policy(usual *Policy) Policy {
	return Policy{
		Attempts: said(t.Attempts, usual.Attempts), Backoff: said(t.Backoff, usual.Backoff), BackoffMax: said(t.BackoffMax, usual.BackoffMax),
		Timeout: said(t.Timeout, usual.Timeout), TTL: said(t.TTL, usual.TTL), Keep: said(t.Keep, usual.Keep), KeepDead: usual.KeepDead,
	}
}

// said is what was said, or else what is usual.
func said[N int | int64](v, usual N) N {
	if v >= 0 {
		return v
	}
	return usual
}

// usualPriority is that of whatever does not say another.
const usualPriority = 5

// rank is the place of a priority among the lanes of a name: 0 comes first.
func rank(priority int) uint8 {
	if priority < 0 || priority > 9 {
		priority = usualPriority
	}
	return uint8(9 - priority)
}

// reader takes apart what was encoded. After a fault it is bad, and gives nothing.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) fail() { r.b, r.bad = nil, true }

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// take is the next n bytes, with a capacity that ends where they end.
func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.fail()
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	return r.take(int(n))
}

func (r *reader) id() (id ID) {
	copy(id[:], r.take(len(id)))
	return id
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}
