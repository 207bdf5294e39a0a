package protocol

import "strconv"

// Detach takes a session's connection away from it: the service will have the request r, which it was just given,
// answered by somebody else, over the same socket. It returns the request as bytes that can be read in one way only: its
// head written anew, without what speaks of the framing, and its body with a Content-Length. Whatever the peer sent
// behind it is dropped, so the answer must end the connection.
//
// It reports false, and changes nothing, if other requests of the connection are not answered yet.
func (s *Session) Detach(r *Request) ([]byte, bool) {
	if s.mode != modeHead && s.mode != modeDrain || s.outstanding() != 1 || r.Seq != s.next-1 {
		return nil, false
	}
	body := r.Body.Of(r.Base)
	b := make([]byte, 0, 512+len(body))
	b = append(append(append(b, r.Method...), ' '), r.Path...)
	if r.Query != nil {
		b = append(append(b, '?'), r.Query...)
	}
	b = append(append(append(b, ' '), r.Header.Protocol()...), "\r\n"...)
	if r.Host != nil {
		b = append(append(append(b, "Host: "...), r.Host...), "\r\n"...)
	}
	for name, value := range r.Header.All() {
		if !isFraming(name) {
			b = append(append(b, name...), ": "...)
			b = append(append(b, value...), "\r\n"...)
		}
	}
	b = strconv.AppendInt(append(b, "Content-Length: "...), int64(len(body)), 10)
	b = append(append(b, "\r\nConnection: close\r\n\r\n"...), body...)
	s.mode = modeDone
	return b, true
}

// isFraming tells the fields that are about the message as it came over the wire, and Host.
func isFraming(name []byte) bool {
	for _, f := range [...]string{
		"Host", "Content-Length", "Transfer-Encoding", "Trailer", "Te", "Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "Expect",
	} {
		if string(name) == f {
			return true
		}
	}
	return false
}
