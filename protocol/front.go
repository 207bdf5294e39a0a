package protocol

import (
	"workman/dispatch"
)

// The endpoints of WebSocket sessions, kept in Session.Tag, beside the flag that a session does not read its output.
const (
	tagProducer uint32 = 1 // and the lowest bit tells the two apart
	tagWorker   uint32 = 2
	tagEndpoint uint32 = 3
	tagStrike   uint32 = 1 << 8 // one invalid message; the bits of tagStrikes count those in a row
	tagStrikes  uint32 = 0xfff << 8
	tagLearn    uint32 = 1 << 20   // one template that was learned from it; with so many it is taken for one that never
	tagLearned  uint32 = 0xf << 20 // repeats itself, and costs more than it saves (see templates.used)
	tagSlow     uint32 = 1 << 31
)

// MaxInvalid is how many invalid messages a WebSocket may send in a row; with one more it is closed with 1008. Nobody
// who makes a mistake sends so many, and whoever does nothing else is not answered for ever.
const MaxInvalid = 1024

// Front is workman's own [Service]: it makes events for the dispatcher of what producers and workers say, and answers
// itself what is wrong with it. It collects the events of one turn and passes them on in one input, which borrows the
// bytes that they were read into.
//
// One Front belongs to one event loop.
type Front struct {
	submit func(dispatch.Input)

	// Elsewhere, if set, has a request for a page answered by somebody else: it reports false if it cannot now.
	Elsewhere func(s *Session, r *Request) bool
	// Unready, if set, says why the server does not take all new work: Draining, or NotStored; 0: it does.
	Unready func() dispatch.Reason
	// Starting, if set, says how far a server is that does not take anything yet; empty: it does.
	Starting func() string
	// CheckCallback, if set, says what is wrong with the URL of a callback, for whoever sent it. Without it there are none.
	CheckCallback func(url string) error

	from    dispatch.Conn
	base    []byte // what the spans of events are parts of
	events  []dispatch.Event
	passing bool            // submit is at it: it has events and base, and they must stay
	ended   []dispatch.Conn // sessions that ended meanwhile
	scratch []byte          // base for HTTP requests and for terms: name, options and what else, one request after another
	msg     Message
	asked   asked           // by the request that is being read
	bulk    []dispatch.Span // the options of the runs that it asks for, if it is for many
	known   *templates
}

// NewFront makes a front that passes its events to submit, which must not keep the input after it returned.
func NewFront(submit func(dispatch.Input)) *Front {
	return &Front{submit: submit, known: newTemplates()}
}

// Flush passes on what was collected. The owner calls it at the end of each turn.
func (f *Front) Flush() {
	if f.passing {
		return
	}
	f.pass()
	for len(f.ended) > 0 {
		f.from, f.events = f.ended[0], append(f.events, dispatch.Event{Kind: dispatch.Gone})
		f.ended = f.ended[1:]
		f.pass()
	}
}

// pass submits what was collected. What follows from it may well be the end of a session, which is passed on after it.
func (f *Front) pass() {
	if len(f.events) == 0 {
		return
	}
	f.passing = true
	defer f.passed() // after a panic too: else each turn from now on would meet it again
	f.submit(dispatch.Input{From: f.from, Base: f.base, Events: f.events})
}

// keptEvents is the most room for events that is kept.
const keptEvents = 4096

func (f *Front) passed() {
	f.passing = false
	f.events, f.base = f.events[:0], nil
	if cap(f.events) > keptEvents {
		f.events = nil
	}
	f.scratch = f.scratch[:0]
	if cap(f.scratch) > 64<<10 {
		f.scratch = nil
	}
}

// SetSlow notes whether a session reads what it is sent. While it does not, nothing that needs an answer is taken from
// it, and workers get no tasks.
func (f *Front) SetSlow(s *Session, slow bool) {
	kind := dispatch.Unblock
	if s.Tag &^= tagSlow; slow {
		s.Tag |= tagSlow
		kind = dispatch.Block
	}
	if s.Tag&tagEndpoint == tagWorker {
		f.event(s, nil).Kind = kind
	}
}

// Ended tells the dispatcher that a connection is gone.
func (f *Front) Ended(s *Session) {
	s.forgetEarly()
	if f.passing {
		f.ended = append(f.ended, s.ID)
		return
	}
	f.event(s, nil).Kind = dispatch.Gone
}

// event appends an empty event of a session, whose spans are to be parts of base (nil: it has none). It is filled in
// field by field: to make one and copy it costs several times as much.
func (f *Front) event(s *Session, base []byte) *dispatch.Event {
	if len(f.events) > 0 && (f.from != s.ID || base != nil && f.base != nil && &base[0] != &f.base[0]) {
		f.Flush()
	}
	f.from = s.ID
	if base != nil {
		f.base = base
	}
	if n := len(f.events); n < cap(f.events) {
		f.events = f.events[:n+1]
	} else {
		f.events = append(f.events, dispatch.Event{})
	}
	e := &f.events[len(f.events)-1]
	*e = dispatch.Event{}
	return e
}
