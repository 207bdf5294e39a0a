package protocol

import (
	"github.com/valyala/fasthttp"

	"workman/document"
)

// Every answer that refuses is a problem document (RFC 9457). Its type is urn:workman:problem: and a kind. Types are
// part of the wire's contract and do not change. These are the framing's; the service adds its own by the same scheme.
//
//	kind                        status         when
//	malformed                   400            a request's head or the framing of its body breaks RFC 9112
//	handshake                   400            a WebSocket handshake breaks RFC 6455 4.2.1, or comes at a wrong moment
//	origin                      403            Origin is neither the server's own nor configured
//	cross-site                  403            Sec-Fetch-Site tells of another site, and it is no plain navigation
//	timeout                     408            a head or a body that comes too slowly
//	body-too-large              413            over MaxBody
//	target-too-long             414            over MaxTarget
//	expectation                 417            an Expect other than 100-continue
//	host                        421            Host names the server in a way that is not configured
//	websocket-version           426            a handshake for a version other than 13
//	head-too-large              431            over MaxHeader
//	not-implemented             501            a transfer coding other than chunked, CONNECT, a method of over 64 bytes
//	too-many-requests           503            over MaxPipelined
//	unsupported-version         505            neither HTTP/1.0 nor HTTP/1.1
const (
	ProblemMalformed          = "urn:workman:problem:malformed"
	ProblemHandshake          = "urn:workman:problem:handshake"
	ProblemOrigin             = "urn:workman:problem:origin"
	ProblemCrossSite          = "urn:workman:problem:cross-site"
	ProblemTimeout            = "urn:workman:problem:timeout"
	ProblemBodyTooLarge       = "urn:workman:problem:body-too-large"
	ProblemTargetTooLong      = "urn:workman:problem:target-too-long"
	ProblemExpectation        = "urn:workman:problem:expectation"
	ProblemHost               = "urn:workman:problem:host"
	ProblemWebSocketVersion   = "urn:workman:problem:websocket-version"
	ProblemHeadTooLarge       = "urn:workman:problem:head-too-large"
	ProblemNotImplemented     = "urn:workman:problem:not-implemented"
	ProblemTooManyRequests    = "urn:workman:problem:too-many-requests"
	ProblemUnsupportedVersion = "urn:workman:problem:unsupported-version"
)

// ProblemType is the Content-Type of a problem document.
const ProblemType = document.ProblemType

// refusal is an answer that ends the connection.
type refusal struct {
	status             int
	typ, detail, extra string // as in AppendProblem and Answer
}

func malformed(detail string) *refusal {
	return &refusal{status: fasthttp.StatusBadRequest, typ: ProblemMalformed, detail: detail}
}

// AppendProblem appends a problem document: see [document.AppendProblem].
func AppendProblem(dst []byte, status int, typ, detail string) []byte {
	return document.AppendProblem(dst, status, typ, detail, nil)
}
