package conform

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// What is kept: so many entries, and so many bytes of each.
const (
	maxEntries = 100_000
	maxKept    = 4 << 10
)

// entry is a message, a control frame, or something that happened to a connection.
type entry struct {
	at       time.Duration // since the recording began
	conn     int           // number of the connection, from 1; over HTTP, of the request
	toWorker bool
	op       ws.OpCode
	text     []byte // the beginning; of what is no message, what happened
	size     int    // of all
	happened bool   // it is no message
	lost     bool   // on the way
	during   string // which check was under way
}

// maxLine is how much of a message is shown.
const maxLine = 300

// line is the entry as docs/protocol.md would write it.
func (e entry) line() string {
	arrow := ">"
	if e.toWorker {
		arrow = "<"
	}
	if e.lost {
		arrow = "< lost:"
	}
	text := shorten(e.text, maxLine)
	switch {
	case e.happened:
		arrow = "x"
	case e.op == ws.OpClose && len(e.text) >= 2:
		code, reason := ws.ParseCloseFrameData(e.text)
		text = strings.TrimSpace(fmt.Sprintf("close %d %s", code, reason))
	case e.op != ws.OpText:
		text = map[ws.OpCode]string{ws.OpBinary: "binary", ws.OpClose: "close", ws.OpPing: "ping", ws.OpPong: "pong"}[e.op] + " " + text
	}
	return fmt.Sprintf("%7.3f s  worker%d %s %s", e.at.Seconds(), e.conn, arrow, strings.ToValidUTF8(text, "\ufffd"))
}

// recording is all that was said. The judge looks at it as it comes.
type recording struct {
	mu      sync.Mutex
	began   time.Time
	entries []entry
	judge   judge
	during  string
	more    chan struct{} // closed, and replaced, at each entry
}

func newRecording() *recording {
	return &recording{began: time.Now(), more: make(chan struct{}), judge: judge{hands: map[string]*hand{}, faults: map[string]*fault{}}}
}

// begin says which check is under way from now on.
func (r *recording) begin(check string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.during = check
}

// add records an entry and has it judged. It returns false once there are too many: whoever floods is cut off.
func (r *recording) add(e entry, masked bool) bool {
	return r.record(e, func(j *judge, e *entry) { j.take(*e, masked) })
}

// record records an entry and lets the judge look at it.
func (r *recording) record(e entry, look func(j *judge, e *entry)) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.entries) == maxEntries {
		return false
	}
	e.at, e.size, e.during = time.Since(r.began), len(e.text), r.during
	r.judge.now = len(r.entries)
	look(&r.judge, &e)
	if len(e.text) > maxKept {
		e.text = append([]byte(nil), e.text[:maxKept]...)
	}
	r.entries = append(r.entries, e)
	close(r.more)
	r.more = make(chan struct{})
	return true
}

// happen records something that is no message.
func (r *recording) happen(conn int, format string, args ...any) {
	r.add(entry{conn: conn, happened: true, text: fmt.Appendf(nil, format, args...)}, true)
}

// look runs f on what there is.
func (r *recording) look(f func(j *judge)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.judge)
}

// await waits until f is true of what there is, or gives up with the context's error.
func (r *recording) await(ctx context.Context, f func(j *judge) bool) error {
	for {
		r.mu.Lock()
		is, more := f(&r.judge), r.more
		r.mu.Unlock()
		if is {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// last are the last lines until an entry; of one check, unless that is empty.
func (r *recording) last(n, until int, check string) (lines []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := min(until, len(r.entries)-1); i >= 0 && len(lines) < n; i-- {
		if check == "" || r.entries[i].during == check {
			lines = append(lines, r.entries[i].line())
		}
	}
	slices.Reverse(lines)
	return lines
}

// find finds an entry from a mark on.
func (r *recording) find(from int, f func(e entry) bool) (found entry, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.entries[from:] {
		if f(e) {
			return e, true
		}
	}
	return entry{}, false
}

// mark is where the next entry will be.
func (r *recording) mark() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.entries)
}

// fault is what the judge has against a check; nil if nothing.
func (r *recording) fault(check string) (f *fault) {
	r.look(func(j *judge) { f = j.faults[check] })
	return f
}

// holds reports whether the worker sent a frame of a kind with this text from a mark on. The caller has the lock.
func (r *recording) holds(from int, op ws.OpCode, text string) bool {
	return slices.ContainsFunc(r.entries[from:], func(e entry) bool {
		return !e.toWorker && !e.happened && e.op == op && string(e.text) == text
	})
}
