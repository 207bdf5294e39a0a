package document

import (
	"net/http"
	"strconv"
)

// ProblemURN is what the type of each problem begins with; its kind follows.
const ProblemURN = "urn:workman:problem:"

// ProblemType is the Content-Type of a problem document.
const ProblemType = "application/problem+json"

// AppendProblem appends a problem document (RFC 9457), which also carries what the original's errors had: statusCode,
// error and message. typ is an absolute URI; an empty one makes it about:blank, with which the status says all there is to
// say (RFC 9457 4.2.1). more is further members as JSON, with commas between them and none in front; it may be empty.
func AppendProblem(dst []byte, status int, typ, detail string, more []byte) []byte {
	title := http.StatusText(status)
	if typ == "" {
		typ = "about:blank"
	}
	if detail == "" {
		detail = title
	}
	dst = AppendText(append(dst, `{"type":`...), typ)
	dst = AppendText(append(dst, `,"title":`...), title)
	dst = strconv.AppendInt(append(dst, `,"status":`...), int64(status), 10)
	dst = AppendText(append(dst, `,"detail":`...), detail)
	dst = strconv.AppendInt(append(dst, `,"statusCode":`...), int64(status), 10)
	dst = AppendText(append(dst, `,"error":`...), title)
	dst = AppendText(append(dst, `,"message":`...), detail)
	if len(more) > 0 {
		dst = append(append(dst, ','), more...)
	}
	return append(dst, '}')
}
