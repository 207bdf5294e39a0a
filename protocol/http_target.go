package protocol

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

var (
	badTarget = malformed("the request's target is neither a path nor an http URL")
	badEscape = malformed("in the request's target a percent sign is not followed by two hexadecimal digits")
	badHost   = malformed("Host is not a name or an address with an optional port")
	otherHost = malformed("the target names another host than the field Host")
	noConnect = &refusal{status: fasthttp.StatusNotImplemented, typ: ProblemNotImplemented,
		detail: "the server is not a proxy"}
)

// requestLine reads METHOD SP TARGET SP VERSION (RFC 9112 3); that the method is a token was seen to.
func (h *head) requestLine(b []byte) *refusal {
	i := bytes.IndexByte(b, ' ')
	j := bytes.LastIndexByte(b, ' ')
	if i < 0 || i == j {
		return badLine
	}
	h.method, h.target = b[:i], b[i+1:j]
	v := b[j+1:]
	if len(v) != 8 || string(v[:5]) != "HTTP/" || !isDigit(v[5]) || v[6] != '.' || !isDigit(v[7]) {
		return badLine
	}
	if v[5] != '1' || v[7] > '1' {
		return badVersion
	}
	h.minor = v[7] - '0'
	for _, c := range h.target {
		if c <= ' ' || c == 0x7f || c == '#' { // RFC 3986 has no fragment in a target. Bytes from 0x80: curl sends them
			return badTarget
		}
	}
	if string(h.method) == "CONNECT" {
		return noConnect
	}
	return h.form()
}

// form tells the forms of a target apart (RFC 9112 3.2).
func (h *head) form() *refusal {
	path := h.target
	switch {
	case len(path) > 0 && path[0] == '/':
	case string(path) == "*" && string(h.method) == "OPTIONS":
	case len(path) > 7 && fold(path[:7], "http://"):
		path = path[7:]
	case len(path) > 8 && fold(path[:8], "https://"):
		path = path[8:]
	default:
		return badTarget
	}
	if absolute := len(h.target) - len(path); absolute > 0 {
		n := bytes.IndexAny(path, "/?")
		if n < 0 {
			n = len(path)
		}
		if h.authority = path[:n]; !isAuthority(h.authority) { // RFC 9110 4.2.4: and no user in it
			return badTarget
		}
		path = path[n:]
	}
	if i := bytes.IndexByte(path, '?'); i >= 0 {
		path, h.query = path[:i], path[i+1:]
	}
	if h.path = path; len(path) == 0 {
		h.path = rootPath
	}
	if !areEscapes(path) {
		return badEscape
	}
	return nil
}

var rootPath = []byte("/")

func areEscapes(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '%')
		if i < 0 {
			return true
		}
		if len(b) < i+3 || !isHex(b[i+1]) || !isHex(b[i+2]) {
			return false
		}
		b = b[i+3:]
	}
}

// isAuthority tells whether b is host [":" port] (RFC 9110 7.2), of letters, digits and what else names are made of in
// practice: of RFC 3986's reg-name we do without escapes and sub-delims, which a name in the DNS cannot have.
func isAuthority(b []byte) bool {
	host, port := splitAuthority(b)
	number := 0
	for _, c := range port {
		if !isDigit(c) {
			return false
		}
		number = min(number*10+int(c-'0'), 1<<16)
	}
	if len(host) == 0 || len(port) > 5 || number >= 1<<16 {
		return false
	}
	if host[0] != '[' {
		for _, c := range host {
			if !isHostByte(c) {
				return false
			}
		}
		return true
	}
	_, ok := parseIPv6(host)
	return ok
}

// splitAuthority cuts the port off, without its colon. What it leaves is for isAuthority to judge.
func splitAuthority(b []byte) (host, port []byte) {
	for i := len(b) - 1; i >= 0 && b[i] != ']'; i-- {
		if b[i] == ':' {
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

func isHostByte(c byte) bool {
	return isDigit(c) || 'a' <= lowered(c) && lowered(c) <= 'z' || c == '-' || c == '.' || c == '_' || c == '~'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= lowered(c) && lowered(c) <= 'f' }
