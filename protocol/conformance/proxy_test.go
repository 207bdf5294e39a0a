package conformance_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

// Requirement 4, through real proxies: whatever a client sends, a proxy and the server behind it agree where one request
// ends and the next begins. What is refused, and by whom, does not matter here.
//
// Two things show that they do not. The backend gives an answer to which the proxy sent no request (see tap); or a client
// who comes after, over a connection of its own to the proxy, gets another answer than its own.
func TestProxies(t *testing.T) {
	for _, p := range proxies {
		for _, target := range targets {
			t.Run(p.name+"/"+target.name, func(t *testing.T) {
				t.Parallel()
				c := newChain(t, p, target.start(t).addr)
				var wrong faults
				for _, pl := range corpus() {
					for name, hidden := range hiding {
						if err := c.attack(t, pl, hidden); err != nil {
							wrong.add(t, "%s, %s: %v", pl.name, name, err)
						}
					}
				}
				c.finish(t)
			})
		}
	}
}

// hiding are the kinds of hidden requests.
var hiding = map[string]func(string) string{"hidden whole": whole, "hidden prefix": prefix}

// chain is a proxy, a tap and a backend.
type chain struct {
	addr   string
	tap    *tap
	probes int
	wait   time.Duration // for an answer to somebody innocent
}

func newChain(t *testing.T, p proxy, back string) *chain {
	t.Helper()
	find(t, p.program)
	c := &chain{tap: startTap(t, back), wait: patience / 2}
	c.addr = p.run(t, c.tap.addr())
	if err := c.innocents(t); err != nil {
		t.Fatal(err)
	}
	return c
}

// attack sends one payload, and has others come behind it.
func (c *chain) attack(t *testing.T, p payload, hidden func(string) string) error {
	raw := p.fill(hidden(marker(c.probes)))
	c.send(t, raw)
	if err := errors.Join(append([]error{c.innocents(t)}, c.tap.faults()...)...); err != nil {
		return fmt.Errorf("%w\nthe client sent %.800q", err, raw)
	}
	return nil
}

// undecided is how long a payload may leave the proxy waiting for more. It is no fault if it does: then the connection is
// given up. Shorter would only mean to give up on some that would have been answered.
const undecided = 150 * time.Millisecond

// send sends bytes and a probe behind them over one connection, and waits for the probe's answer, for the end of the
// connection, or for as long as is reasonable.
func (c *chain) send(t *testing.T, raw string) {
	t.Helper()
	conn := dial(t, c.addr)
	defer func() { _ = conn.Close() }()
	probe := c.probe()
	_, _ = io.WriteString(conn, raw+echoRequest(probe)) // who refuses may close while we write
	_ = conn.SetReadDeadline(time.Now().Add(undecided))
	for {
		if a, err := readAnswer(conn.in); err != nil || a.body == probe || a.status == 101 {
			return
		}
	}
}

func (c *chain) probe() string {
	c.probes++
	return fmt.Sprintf(`"probe-%06d"`, c.probes)
}

var errShifted = errors.New("a request got an answer that is not its own")

// innocents are two clients that come after: each must get its own answer, and nothing behind it.
func (c *chain) innocents(t *testing.T) error {
	for i := range 2 {
		probe := c.probe()
		conn := dial(t, c.addr)
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(c.wait))
		_, err := io.WriteString(conn, echoRequest(probe))
		if err != nil {
			return err
		}
		a, err := readAnswer(conn.in)
		if err != nil || a.status != 200 || a.body != probe {
			return fmt.Errorf("%w: client %d sent %s and got %d %.200q (error: %s)", errShifted, i+1, probe, a.status, a.body, fmt.Sprint(err))
		}
		if n := conn.in.Buffered(); n > 0 {
			return fmt.Errorf("%w: client %d sent %s and got %d bytes more", errShifted, i+1, probe, n)
		}
	}
	return nil
}

// finish looks once more when all is over, and checks that connections to the backend were indeed shared: else nothing
// could have been found.
func (c *chain) finish(t *testing.T) {
	t.Helper()
	_ = c.tap.ln.Close()
	c.tap.cut()
	c.tap.wg.Wait()
	for _, err := range c.tap.faults() {
		t.Error(err)
	}
	conns, requests := c.tap.counts()
	t.Logf("%d requests over %d connections", requests, conns)
	if requests < 2*conns {
		t.Errorf("%d requests over %d connections: the proxy hardly uses one twice", requests, conns)
	}
}
