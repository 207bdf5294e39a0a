package protocol

import (
	"github.com/gobwas/ws"
	"github.com/valyala/fasthttp"

	"workman/dispatch"
)

// Host is where a session's output goes: the reactor's event loop, or a test.
type Host interface {
	// Borrow is called when a session that holds no output (Out is nil) gets some: it returns an empty buffer to
	// append to, and remembers to take s.Out at the end of the turn.
	Borrow(s *Session) []byte
	// Date returns the current value for the Date header field (RFC 9110 6.6.1), 29 bytes.
	Date() []byte
}

// Service is what answers: workman itself, an echo, a relay. One value serves one event loop, and its methods run on
// that loop. From within them it may call the methods of the session it was given, and of others of the same loop, but
// never Feed.
type Service interface {
	// Request takes one whole HTTP request. It must answer r.Seq with s.Respond or s.Problem, now or later.
	Request(s *Session, r *Request)
	// Upgrade is asked about a valid WebSocket handshake for r.Path. If it returns false it has answered, or will
	// answer, r.Seq itself (404, say).
	Upgrade(s *Session, r *Request) bool
	// Message takes one whole WebSocket data message, the part of base that at names: the zero Span for an empty one. A
	// base that is the buffer given to Feed stays good until Feed returns, and is the same for all messages found in it;
	// a base that the session assembled, which is all message, is only good for the call. (Not a struct: one so large
	// would be copied through memory, at half the price of the rest of the call.)
	Message(s *Session, base []byte, at dispatch.Span, text bool)
	// Ended is told that nothing more comes and nothing more can be sent: a WebSocket was closed by either side or
	// failed, the last answer before the end of an HTTP connection was written, or the socket is gone. It comes
	// exactly once for each session that was upgraded or got a request, and is the last call for that session; never
	// from within another call of the service for the same session.
	Ended(s *Session)
}

// Request is one HTTP request. All it points to is borrowed for the call.
type Request struct {
	Seq       uint64 // counts the requests of a connection from 0; what Respond wants to know
	Method    []byte
	Target    []byte // as sent
	Path      []byte // of the target, not decoded: "/" at least, or "*" for OPTIONS
	Query     []byte // of the target, not decoded, without the question mark
	Host      []byte // the authority asked for: of an absolute-form target, or else the Host field; nil if neither
	Header    *fasthttp.RequestHeader
	Base      []byte // holds the body, at
	Body      dispatch.Span
	IsUpgrade bool // it is a WebSocket handshake: only ever true in Service.Upgrade
	Terms     bool // there is one of the fields Prefer, Idempotency-Key and traceparent
}

// Phase is what a session is doing, for the host's time-outs.
type Phase uint8

// The phases.
const (
	PhaseIdle    Phase = iota // HTTP, between requests
	PhaseHead                 // a request's head is coming
	PhaseBody                 // a request's body is coming
	PhaseWaiting              // the service owes an answer, and no further request has begun
	PhaseWS                   // an open WebSocket
	PhaseClosing              // a close frame is sent, and the peer's is awaited
	PhaseDone                 // nothing more is read: write Out, shut down the writing side, and linger
)

// mode is what the next byte of input is.
type mode uint8

const (
	modeHead    mode = iota // of a request's head
	modeBody                // of a body with a Content-Length
	modeChunks              // of a chunked body
	modeFrames              // of WebSocket frames
	modeClosing             // of WebSocket frames, of which only a close counts
	modeDrain               // ignored: the HTTP connection ends when what is outstanding has been answered
	modeDone                // ignored
)

// Flags of a session.
const (
	flagBusy  = 1 << iota // inside Feed: what a session borrows to the service must stay
	flagTold              // the service knows of it
	flagEnded             // the service was told that it ended
	flagFin               // the frame whose payload is coming is its message's last
)

// Session is one connection: HTTP until it is upgraded, WebSocket from then on. It lives on one event loop, and is made
// ready by [Framing.Start]. Between messages it holds no buffer, so that an idle one costs its struct and no more.
type Session struct {
	ID    dispatch.Conn // set by Start, for the host and the service
	Out   []byte        // the output of this turn. The host writes it and sets it to nil
	Tag   uint32        // free for the service
	Memo  [2]uint8      // likewise
	Heard bool          // a pong has come; the host sets it to false again

	mode     mode
	flags    uint8
	op       ws.OpCode // of the message that is being assembled; 0 if none is
	controls uint16    // control frames since the last message or ping of ours
	frags    uint32    // fragments of the message that is being assembled

	// What has come of something that is not whole yet: a head; a head and its body; a message and behind it the
	// beginning of a frame.
	buf  []byte
	mark uint32 // where the first of the two ends. In a head: 1 once the request line is whole
	seen uint32 // how far buf has been looked at: for a head's end, for valid UTF-8
	left uint32 // bytes still to come of a body, a chunk or a frame's payload
	mask uint32 // of the next four of these bytes

	next uint64    // the Seq of the next request
	x    *exchange // HTTP under way; nil between requests and after the upgrade
	f    *Framing
}

// Phase tells what the session is doing.
func (s *Session) Phase() Phase {
	switch s.mode {
	case modeHead:
		if len(s.buf) > 4 || len(s.buf) > 0 && s.buf[0] != '\r' { // not only empty lines, which promise nothing
			return PhaseHead
		}
		if s.outstanding() > 0 {
			return PhaseWaiting
		}
		return PhaseIdle
	case modeBody, modeChunks:
		return PhaseBody
	case modeFrames:
		return PhaseWS
	case modeClosing:
		return PhaseClosing
	case modeDrain:
		return PhaseWaiting
	default:
		return PhaseDone
	}
}

// IsWebSocket tells whether the session is an open WebSocket: one that can be sent messages.
func (s *Session) IsWebSocket() bool { return s.mode == modeFrames }

// Requests counts the HTTP requests that have come whole, or were refused: it changes with each, for the host's
// time-outs.
func (s *Session) Requests() uint64 { return s.next }

// Held is how many bytes of buffers the session holds, by capacity. Out is the host's, and not counted.
func (s *Session) Held() int {
	n := cap(s.buf)
	if s.x != nil {
		n += s.x.held()
	}
	if len(s.f.bulks) > 0 {
		n += s.f.gathered(s)
	}
	return n
}

// Feed consumes all of in, which is borrowed for the call and written to: frames are unmasked in place.
func (s *Session) Feed(in []byte) {
	s.flags |= flagBusy
	defer s.fed()
	for at := 0; at < len(in); {
		switch s.mode {
		case modeFrames, modeClosing:
			at = s.feedFrames(in, at)
		case modeHead:
			at = s.feedHead(in, at)
		case modeBody:
			at = s.feedBody(in, at)
		case modeChunks:
			at = s.feedChunks(in, at)
		default: // RFC 9112 9.6, RFC 6455 7.1.7: what comes behind the end is not looked at
			at = len(in)
		}
	}
}

// fed ends a turn of input. After a panic of the service it leaves the session so that the host can End it.
func (s *Session) fed() {
	s.flags &^= flagBusy
	s.settle()
}

// Shutdown ends the session in good order. A WebSocket is closed with 1001. Over HTTP what is outstanding is still
// answered, and a request that has not come whole is dropped.
func (s *Session) Shutdown() {
	switch s.mode {
	case modeFrames:
		s.Close(ws.StatusGoingAway, "")
	case modeHead, modeBody, modeChunks:
		s.drain()
		s.settle()
	}
}

// Timeout ends a session whose peer takes too long over a request: what has not come whole is answered with 408, in its
// turn, and detail. Between requests it is Shutdown.
func (s *Session) Timeout(detail string) {
	r := &refusal{status: fasthttp.StatusRequestTimeout, typ: ProblemTimeout, detail: detail}
	switch s.Phase() {
	case PhaseHead:
		s.refuse(r, 0)
	case PhaseBody:
		s.refuse(r, s.x.coming)
	default:
		s.Shutdown()
	}
}

// End tells the session that its socket is gone. It is not fed again.
func (s *Session) End() {
	s.mode = modeDone
	s.settle()
}

// settle lets go of what is not needed any more, and tells the service of the end; but not in the middle of a call.
func (s *Session) settle() {
	if s.flags&flagBusy != 0 {
		return
	}
	if s.mode == modeDone {
		s.drop()
	}
	if s.x != nil && (s.mode == modeDone || s.mode == modeHead && len(s.buf) == 0 && s.x.outstanding() == 0) {
		s.f.giveExchange(s.x)
		s.x = nil
	}
	if (s.mode == modeDone || s.mode == modeClosing) && s.flags&(flagTold|flagEnded) == flagTold {
		s.flags |= flagEnded
		delete(s.f.bulks, s.ID)
		s.f.svc.Ended(s)
	}
}

// room makes Out ready to be appended to.
func (s *Session) room() {
	if s.Out == nil {
		s.Out = s.f.host.Borrow(s)
	}
}
