package prove

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// names are the tasks' names.
var names = []string{"prove-a", "prove-b", "prove-c"}

// attemptBackoff is the back-off of attempts that fail, as runs are told.
const attemptBackoff = "100ms"

// waitFor is how long producers that wait for a result do so before they are content with the promise.
const waitFor = time.Second

// newOrder makes up a request.
func newOrder(r *rand.Rand, now time.Time) (o Order) {
	if r.IntN(3) == 0 {
		o.Key = fmt.Sprintf("key-%016x", r.Uint64())
	}
	switch r.IntN(10) {
	case 0:
		o.Due = now.Add(time.Duration(200+r.IntN(3000)) * time.Millisecond).Truncate(time.Millisecond)
	case 1:
		o.Wait = true
	}
	switch n := r.IntN(20); {
	case n == 0:
		o.Work = time.Duration(100+r.IntN(400)) * time.Millisecond
	case n < 4:
		o.Work = time.Duration(1+r.IntN(20)) * time.Millisecond
	}
	if r.IntN(12) == 0 {
		o.Cancel = true
		o.Work += time.Duration(r.IntN(2)) * 200 * time.Millisecond // it runs by then, or does not yet
	}
	if r.IntN(20) == 0 {
		o.Fail = 1 + r.IntN(maxFailures)
	}
	return o
}

// task is its name.
func (o Order) task() string { return names[o.Number%len(names)] }

// options is what workers are told, always in the same bytes.
func (o Order) options() json.RawMessage {
	return fmt.Appendf(nil, `{"order":%d,"work":%d}`, o.Number, o.Work.Microseconds())
}

// when is the time of a schedule.
func (o Order) when() string { return o.Due.UTC().Format("2006-01-02T15:04:05.000Z") }

// answer is what came back for an order, over HTTP or a WebSocket.
type answer struct {
	id      string
	state   string
	result  json.RawMessage
	refused bool // for now
}

// problem is an RFC 9457 document of workman.
type problem struct {
	Type   string `json:"type"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Run    string `json:"run"`
}

// ended reads a problem that says how a run has ended; ok is false for all others.
func (p problem) ended() (state string, ok bool) {
	switch strings.TrimPrefix(p.Type, "urn:workman:problem:") {
	case "run-failed":
		return dead, true
	case "run-expired":
		return expired, true
	case "run-cancelled":
		return cancelled, true
	}
	return "", false
}

// promised tells the book of an answer that is no refusal; one that was nonsense has no id, and was blamed by then. mark and took are as Book has them.
func (b *Book) promised(o Order, a answer, mark int, took time.Duration) {
	if a.id != "" && b.Acknowledge(o.Number, a.id, took) && a.state != "" {
		b.Read(o.Number, mark, Document{ID: a.id, State: a.state, Result: a.result})
	}
}
