package protocol

import (
	"bytes"
	"math"

	"github.com/valyala/fasthttp"
)

// head is what the scanner finds in a request's head. Its slices are parts of it.
type head struct {
	method, target, path, query []byte
	authority                   []byte // of the target, or else the Host field; nil if neither
	minor                       byte   // of HTTP/1.x
	length                      int    // Content-Length; -1 if there is none
	chunked                     bool
	close, keep, upgrade        bool   // what Connection lists
	websocket                   bool   // Upgrade lists it
	browser                     bool   // a User-Agent that begins with Mozilla/
	found                       uint32 // the fields that have come, by bit
	value                       [fieldOnce + 1][]byte
}

// field is a header field that the scanner knows.
type field uint8

// Those up to fieldOnce may come once in a request. Of most the RFCs say so; of the rest no sender has two, and who
// reads the first and who reads the last must not disagree about access.
const (
	fieldNone field = iota
	fieldHost
	fieldLength
	fieldCoding
	fieldAuthorization
	fieldExpect
	fieldOrigin
	fieldSite
	fieldMode
	fieldDest
	fieldKey
	fieldVersion
	fieldConnection
	fieldUpgrade
	fieldAgent
	fieldTerms // Prefer, Idempotency-Key or traceparent: whoever runs a task looks them up

	fieldOnce = fieldVersion
)

func knownField(name []byte) field {
	switch len(name) {
	case 4:
		return pick(name, "host", fieldHost)
	case 6:
		return pick(name, "expect", fieldExpect) | pick(name, "origin", fieldOrigin) | pick(name, "prefer", fieldTerms)
	case 7:
		return pick(name, "upgrade", fieldUpgrade)
	case 10:
		return pick(name, "connection", fieldConnection) | pick(name, "user-agent", fieldAgent)
	case 11:
		return pick(name, "traceparent", fieldTerms)
	case 13:
		return pick(name, "authorization", fieldAuthorization)
	case 14:
		return pick(name, "content-length", fieldLength) | pick(name, "sec-fetch-site", fieldSite) |
			pick(name, "sec-fetch-mode", fieldMode) | pick(name, "sec-fetch-dest", fieldDest)
	case 15:
		return pick(name, "idempotency-key", fieldTerms)
	case 17:
		return pick(name, "transfer-encoding", fieldCoding) | pick(name, "sec-websocket-key", fieldKey)
	case 21:
		return pick(name, "sec-websocket-version", fieldVersion)
	}
	return fieldNone
}

func pick(name []byte, lower string, f field) field {
	if fold(name, lower) {
		return f
	}
	return fieldNone
}

func (h *head) has(f field) bool { return h.found&(1<<f) != 0 }

var (
	badLine  = malformed("the request line is not METHOD SP TARGET SP VERSION")
	badFold  = malformed("a header field goes on in a second line")
	badName  = malformed("a header field has no name, or one that is not a token")
	badValue = malformed("a header field holds a control character")
	badTwice = malformed("a header field that may come once came twice")

	badLength  = malformed("Content-Length is not a number")
	badFraming = malformed("a request has either Content-Length or Transfer-Encoding")
	oldCoding  = malformed("HTTP/1.0 has no Transfer-Encoding")
	noHost     = malformed("an HTTP/1.1 request names its Host")
	badVersion = &refusal{status: fasthttp.StatusHTTPVersionNotSupported, typ: ProblemUnsupportedVersion,
		detail: "the server speaks HTTP/1.1 and HTTP/1.0"}
	badCoding = &refusal{status: fasthttp.StatusNotImplemented, typ: ProblemNotImplemented,
		detail: "the only Transfer-Encoding that is understood is chunked"}
)

// scan reads a whole head, strictly (RFC 9112 2.2, 3, 5): what two readers could understand differently is refused, so
// that nobody in front of this server and nobody behind it sees other requests than it does.
func (h *head) scan(raw []byte) *refusal {
	*h = head{length: -1}
	for raw[0] == '\r' {
		raw = raw[2:]
	}
	n := bytes.IndexByte(raw, '\n')
	if bad := h.requestLine(raw[:n-1]); bad != nil {
		return bad
	}
	for raw = raw[n+1:]; raw[0] != '\r' || raw[1] != '\n'; raw = raw[n+1:] {
		n = bytes.IndexByte(raw, '\n')
		if bad := h.line(raw[:n-1]); bad != nil {
			return bad
		}
	}
	return h.whole()
}

// line reads one header field (RFC 9112 5.1).
func (h *head) line(b []byte) *refusal {
	i := 0
	for i < len(b) && tokens[b[i]] {
		i++
	}
	switch {
	case b[0] == ' ' || b[0] == '\t':
		return badFold
	case i == 0 || i == len(b) || b[i] != ':':
		return badName
	}
	value := b[i+1:]
	if !isClean(value) {
		return badValue
	}
	if f := knownField(b[:i]); f != fieldNone {
		return h.field(f, trim(value))
	}
	return nil
}

func (h *head) field(f field, value []byte) *refusal {
	if f <= fieldOnce {
		if h.has(f) {
			return badTwice
		}
		h.value[f] = value
	}
	h.found |= 1 << f
	switch f {
	case fieldConnection:
		h.close = h.close || listed(value, "close")
		h.keep = h.keep || listed(value, "keep-alive")
		h.upgrade = h.upgrade || listed(value, "upgrade")
	case fieldUpgrade:
		h.websocket = h.websocket || listed(value, "websocket")
	case fieldAgent:
		h.browser = h.browser || bytes.HasPrefix(value, []byte("Mozilla/"))
	}
	return nil
}

// whole checks what the fields mean together.
func (h *head) whole() *refusal {
	if h.has(fieldCoding) {
		switch {
		case h.minor == 0: // RFC 9112 6.1
			return oldCoding
		case h.has(fieldLength): // RFC 9112 6.3: a sign of smuggling
			return badFraming
		case !fold(h.value[fieldCoding], "chunked"):
			return badCoding
		}
		h.chunked = true
	}
	if h.has(fieldLength) {
		if h.length = parseLength(h.value[fieldLength]); h.length < 0 {
			return badLength
		}
	}
	switch host := h.value[fieldHost]; {
	case h.has(fieldHost) && !isAuthority(host):
		return badHost
	case h.has(fieldHost) && h.authority == nil:
		h.authority = host
	case h.has(fieldHost) && !bytes.EqualFold(host, h.authority):
		// RFC 9112 3.2.2 lets that of the target go before; whoever stands in front may have looked at the other.
		return otherHost
	case !h.has(fieldHost) && h.minor > 0:
		return noHost
	}
	return nil
}

// parseLength reads a Content-Length: digits and nothing else. What no int32 holds is over every limit, and cut there.
func parseLength(b []byte) int {
	n := int64(0)
	for _, c := range b {
		if !isDigit(c) {
			return -1
		}
		n = min(n*10+int64(c-'0'), math.MaxInt32)
	}
	if len(b) == 0 {
		return -1
	}
	return int(n)
}

// ends tells whether the connection ends with the answer (RFC 9112 9.3).
func (h *head) ends() bool { return h.close || h.minor == 0 && !h.keep }

func (h *head) turnFlags() (flags uint8) {
	if string(h.method) == "HEAD" {
		flags |= turnHead
	}
	if h.ends() {
		flags |= turnClose
	} else if h.minor == 0 {
		flags |= turnKeep
	}
	return flags
}
