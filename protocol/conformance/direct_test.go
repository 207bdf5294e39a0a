package conformance_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// Requirements 4 and 5, asked directly: each payload gets exactly the answers that its table says. Behind a refusal comes
// the end of the connection, and nothing of what follows is read as a request.
func TestDirect(t *testing.T) {
	for _, target := range targets {
		t.Run(target.name, func(t *testing.T) {
			t.Parallel()
			b := target.start(t)
			var wrong faults
			for i, p := range corpus() {
				if err := direct(t, b, p, marker(i), atOnce); err != nil {
					wrong.add(t, "%s: %v\nsent %.400q", p.name, err, p.fill(whole(marker(i))))
				}
			}
			for i, p := range corpus() { // at the end, so that what was done late shows too
				if err := b.saw(marker(i), p.isSecond()); err != nil {
					wrong.add(t, "%s: %v\nsent %.400q", p.name, err, p.fill(whole(marker(i))))
				}
			}
		})
	}
}

func marker(i int) string { return fmt.Sprintf(`"hidden-%03d"`, i) }

// isSecond tells whether the hidden request is a request of its own to our server, as it is to everybody.
func (p payload) isSecond() bool {
	return strings.HasPrefix(p.want, "200 200") && strings.Contains(p.in, "{h}")
}

// way is how bytes are sent; it may read answers to what it sends before them. A server that refuses may close while we
// write: that is no fault.
type way func(c *peer, raw string) error

func atOnce(c *peer, raw string) error {
	_, _ = io.WriteString(c, raw)
	return nil
}

// direct sends one payload and a probe behind it, and compares what comes with what is wanted.
func direct(t *testing.T, b backend, p payload, marker string, send way) error {
	c := dial(t, b.addr)
	defer func() { _ = c.Close() }()
	probe := strings.Replace(marker, "hidden", "probe", 1)
	if err := send(c, p.fill(whole(marker))+echoRequest(probe)); err != nil {
		return err
	}
	if b.isNaive {
		_ = c.Conn.(*net.TCPConn).CloseWrite() // it would wait for ever for what it believes is still to come
	}
	statuses, kept := strings.CutSuffix(p.want, "+")
	var last answer
	for i, want := range strings.Fields(statuses) {
		a, err := readAnswer(c.in)
		if err != nil {
			return fmt.Errorf("answer %d of %q: %w", i+1, p.want, err)
		}
		if last = a; !b.fits(a.status, want) {
			return fmt.Errorf("answer %d is %d, want %q: %.300q", i+1, a.status, p.want, a.body)
		}
		if i == 1 && p.isSecond() && a.body != marker {
			return fmt.Errorf("the request behind was answered %.300q", a.body)
		}
	}
	if kept {
		a, err := readAnswer(c.in)
		if err != nil || a.status != 200 || a.body != probe {
			return fmt.Errorf("the probe was answered %d %.300q (error: %s)", a.status, a.body, fmt.Sprint(err))
		}
		return nil
	}
	return b.ended(c, last)
}

// fits compares a status with the echo's, who is happy with any request. Of workman such a one gets an answer of another
// kind (that there is no such page, say), and the connection stays as well.
func (b backend) fits(status int, want string) bool {
	return fmt.Sprint(status) == want || want == "200" && !b.isEcho && status/100 != 5
}

// saw checks with the worker that the hidden request was done as often as it should have been.
func (b backend) saw(marker string, once bool) error {
	if b.worker == nil {
		return nil
	}
	if n := b.worker.times(marker); n > 1 || (n == 1) != once {
		return fmt.Errorf("the hidden request was done %d times", n)
	}
	return nil
}

// ended checks that the connection ends behind its last answer, with the end of the stream and not with a reset, which
// could destroy the answer on its way (RFC 9112 9.6).
func (b backend) ended(c *peer, last answer) error {
	rest, err := io.ReadAll(c.in)
	if last.status == 101 { // RFC 6455 7.1.7: it is a WebSocket now, and what followed was no frame
		if string(rest) != "\x88\x02\x03\xea" || err != nil {
			return fmt.Errorf("behind the handshake came %.300q (error: %s)", rest, fmt.Sprint(err))
		}
		return nil
	}
	switch {
	case err != nil:
		return fmt.Errorf("behind the last answer: %w", err)
	case len(rest) > 0:
		return fmt.Errorf("behind the last answer came %.300q", rest)
	case !last.closes:
		return fmt.Errorf("the last answer does not say Connection: close")
	case last.status >= 400 && !bytes.HasPrefix([]byte(last.body), []byte(`{"type":"urn:workman:problem:`)):
		return fmt.Errorf("the refusal is no problem document: %.300q", last.body)
	}
	return nil
}

// answer is a response, but for what changes with time.
type answer struct {
	status int
	closes bool
	body   string
}

var errInterim = errors.New("too many interim responses")

// readAnswer takes one final response (RFC 9110 15.2: 1xx are not, but for 101, which ends HTTP).
func readAnswer(in *bufio.Reader) (answer, error) {
	for range 10 {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return answer{}, err
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode >= 200 || res.StatusCode == 101 {
			return answer{res.StatusCode, res.Close, string(body)}, err
		}
	}
	return answer{}, errInterim
}
