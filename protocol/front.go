package protocol

import (
	"workman/dispatch"
)

// The endpoints of WebSocket sessions, kept in Session.Tag, beside the flag that a session does not read its output.
const (
	tagProducer uint32 = 1
	tagWorker   uint32 = 2
	tagEndpoint uint32 = 3
	tagSlow     uint32 = 1 << 31
)

// Front is workman's own [Service]: it makes events for the dispatcher of what producers and workers say, and answers
// itself what is wrong with it. It collects the events of one turn and passes them on in one input, which borrows the
// bytes that they were read into.
//
// One Front belongs to one event loop.
type Front struct {
	submit func(dispatch.Input)

	// Elsewhere, if set, has a request for a page answered by somebody else: it reports false if it cannot now.
	Elsewhere func(s *Session, r *Request) bool
	// Ready, if set, tells whether the server takes new work.
	Ready func() bool

	from    dispatch.Conn
	base    []byte // what the spans of events are parts of
	events  []dispatch.Event
	scratch []byte // base for HTTP requests: name and options, one request after another
	msg     Message
}

// NewFront makes a front that passes its events to submit, which must not keep the input after it returned.
func NewFront(submit func(dispatch.Input)) *Front { return &Front{submit: submit} }

// Flush passes on what was collected. The owner calls it at the end of each turn.
func (f *Front) Flush() {
	if len(f.events) == 0 {
		return
	}
	in := dispatch.Input{From: f.from, Base: f.base, Events: f.events}
	f.submit(in)
	f.events, f.base = f.events[:0], nil
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
func (f *Front) Ended(s *Session) { f.event(s, nil).Kind = dispatch.Gone }

// event appends an empty event of a session, whose spans are to be parts of base (nil: it has none).
func (f *Front) event(s *Session, base []byte) *dispatch.Event {
	if len(f.events) > 0 && (f.from != s.ID || base != nil && f.base != nil && &base[0] != &f.base[0]) {
		f.Flush()
	}
	f.from = s.ID
	if base != nil {
		f.base = base
	}
	f.events = append(f.events, dispatch.Event{})
	return &f.events[len(f.events)-1]
}
