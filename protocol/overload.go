package protocol

import (
	"github.com/gobwas/ws"
	"github.com/valyala/fasthttp"
)

// ProblemOverloaded is the type of a refusal (503) for want of memory for what is coming in.
const ProblemOverloaded = "urn:workman:problem:overloaded"

// statusTryAgainLater is registered with IANA, for a server that is short of something for the moment.
const statusTryAgainLater ws.StatusCode = 1013

// Overload makes the session let go of what it holds, since the server has no memory for it: a request that is coming is
// refused with 503, a WebSocket closed with 1013. It does nothing between requests.
func (s *Session) Overload() {
	const detail = "the server has no memory left for what is coming in (--max-bytes); try again in a moment"
	r := &refusal{status: fasthttp.StatusServiceUnavailable, extra: "Retry-After: 1\r\n", typ: ProblemOverloaded, detail: detail}
	switch s.Phase() {
	case PhaseHead:
		s.refuse(r, 0)
	case PhaseBody:
		s.refuse(r, s.x.coming)
	case PhaseWS:
		s.Close(statusTryAgainLater, detail)
	}
}
