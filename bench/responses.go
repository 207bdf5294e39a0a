package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxHead is the longest response head taken, in bytes.
const maxHead = 16 << 10

// responses are what comes on an HTTP connection, all with one status.
type responses struct {
	status string
	head   []byte // the last one's: the next is most likely the same
	length int    // and its Content-Length
}

// next finds the next response in b. size is its whole length, 0 if b holds only
// a part of it.
func (p *responses) next(b []byte) (body []byte, size int, err error) {
	if len(p.head) == 0 || !bytes.HasPrefix(b, p.head) {
		end := bytes.Index(b, []byte("\r\n\r\n"))
		if end < 0 {
			if len(b) > maxHead {
				return nil, 0, fmt.Errorf("no end of the response's head in %d bytes: %.200q", len(b), b)
			}
			return nil, 0, nil
		}
		if p.length, err = parseHead(b[:end+2], p.status); err != nil {
			p.head = p.head[:0]
			return nil, 0, fmt.Errorf("%w: %.500q", err, b)
		}
		p.head = append(p.head[:0], b[:end+4]...)
	}
	size = len(p.head) + p.length
	if len(b) < size {
		return nil, 0, nil
	}
	return b[len(p.head):size], size, nil
}

// parseHead reads a response's status line and header lines, each with its
// CRLF, and returns its Content-Length. All but an HTTP/1.1 response of that
// status, with one Content-Length (none if it is 204: RFC 9110, section 8.6), on a
// connection that stays, is an error.
func parseHead(head []byte, status string) (length int, err error) {
	lines := strings.Split(strings.TrimSuffix(string(head), "\r\n"), "\r\n")
	if want := "HTTP/1.1 " + status; lines[0] != want && !strings.HasPrefix(lines[0], want+" ") {
		return 0, fmt.Errorf("the response is %q, not %s", lines[0], want)
	}
	length = -1
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return 0, fmt.Errorf("the response has the header line %q", line)
		}
		value = strings.Trim(value, " \t")
		switch strings.ToLower(name) {
		case "content-length":
			if length >= 0 {
				return 0, errors.New("the response has two Content-Lengths")
			}
			if length, err = contentLength(value); err != nil {
				return 0, err
			}
		case "transfer-encoding":
			return 0, fmt.Errorf("the response has Transfer-Encoding %q: the bench wants a Content-Length", value)
		case "connection":
			if strings.EqualFold(value, "close") {
				return 0, errors.New("the response closes the connection, which was to be kept alive")
			}
		}
	}
	if noContent := status == "204"; noContent != (length < 0) {
		return 0, fmt.Errorf("the response with status %s has a Content-Length, or should have one", status)
	}
	return max(length, 0), nil
}

// contentLength parses the length of a body, in bytes: digits only (RFC 9110
// 8.6), and no more than a loop's buffer holds.
func contentLength(value string) (int, error) {
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil || value[0] == '+' || n > readBuffer-maxHead {
		return 0, fmt.Errorf("the response has Content-Length %q: not a number from 0 to %d", value, readBuffer-maxHead)
	}
	return int(n), nil
}
