package callback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// answer is what came of a call.
type answer struct {
	status int           // 0 if there was none
	detail string        // what was wrong
	wait   time.Duration // that was asked for
}

// maxDetail is how many bytes of an error are told: peers may have a part in it.
const maxDetail = 256

// deliver makes one call for a run that pop gave to this goroutine.
func (p *Pool) deliver(d *delivery) {
	address, document, ok, err := p.cfg.Source.Outcome(d.run)
	if err != nil {
		p.with(func(q *queue) {
			p.failed = err
			q.missed = true
			q.forget(d)
		})
		return
	}
	if !ok {
		p.with(func(q *queue) { q.forget(d) })
		return
	}
	u, err := p.cfg.Access.parse(address)
	if err != nil { // it was allowed once: the configuration has changed
		p.finish(d, false, answer{detail: err.Error()})
		return
	}
	if d.host == nil {
		var begun bool
		p.with(func(q *queue) { begun = q.enter(d, strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))) })
		if !begun {
			return
		}
	}
	d.calls++
	p.settle(d, p.call(u, d.run, document))
}

// settle decides what is next after a call.
func (p *Pool) settle(d *delivery, a answer) {
	delivered := a.status >= 200 && a.status <= 299
	switch {
	case delivered:
		p.finish(d, true, a)
	case p.ctx.Err() != nil: // Close has cut it off: nobody knows how it would have ended
		p.with(func(q *queue) { q.forget(d) })
	case a.status == http.StatusGone || d.calls >= p.cfg.Attempts:
		p.finish(d, false, a)
	default:
		wait := max(backoff(d.calls, p.cfg.FirstDelay, p.cfg.MaxDelay), min(a.wait, p.cfg.MaxDelay))
		p.with(func(q *queue) { q.later(d, time.Now().Add(wait)) })
	}
}

// finish tells how it ended. The run is forgotten only then: between the two the Source still has it, and a reading would
// add it again.
func (p *Pool) finish(d *delivery, delivered bool, a answer) {
	p.cfg.Done(d.run, delivered, a.status, a.detail)
	p.with(func(q *queue) { q.forget(d) })
}

// call makes a call. It uses the transport as it is: a client would follow redirects, and keep cookies.
func (p *Pool) call(u *url.URL, run [16]byte, document []byte) answer {
	ctx, cancel := context.WithTimeout(p.ctx, p.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(document))
	if err != nil {
		return answer{detail: p.explain(err)}
	}
	id, timestamp := uuid(run), strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "workman")
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", timestamp)
	if len(p.cfg.Secrets) > 0 {
		req.Header.Set("webhook-signature", sign(p.cfg.Secrets, id, timestamp, document))
	}
	res, err := p.transport.RoundTrip(req)
	if err != nil {
		return answer{detail: p.explain(err)}
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols { // there the body is the connection, and has no end
		// The status is what counts. The body is read, as far as it may be, so that the connection can be used again.
		_, _ = io.CopyN(io.Discard, res.Body, p.cfg.MaxResponse)
	}
	a := answer{status: res.StatusCode}
	if a.status < 200 || a.status > 299 {
		a.detail = strings.TrimSpace(fmt.Sprintf("the answer was %d %s", a.status, http.StatusText(a.status)))
		if a.status >= 300 && a.status <= 399 {
			a.detail += ": redirects are not followed"
		}
		a.wait = retryAfter(res.Header, time.Now())
	}
	return a
}

// explain says in words why there was no answer. They are for whoever asked for the callback, so they tell nothing of the
// network that the server is in: neither what its names resolve to, nor who resolves them.
func (p *Pool) explain(err error) string {
	var lookup *net.DNSError
	switch {
	case errors.Is(err, ErrRefused):
		return "the host's address is not a public one, and callbacks may reach others only if the server's configuration allows it"
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return "the host's name is not known"
	case errors.As(err, &lookup):
		return "the host's name could not be looked up"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Sprintf("there was no answer within %v", p.cfg.Timeout)
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) { // it names both ends
		return fmt.Sprintf("the connection failed: %v", op.Err)
	}
	s := err.Error()
	if len(s) > maxDetail {
		s = s[:maxDetail]
	}
	return strings.ToValidUTF8(s, "?")
}

// uuid is a run's id as a UUID is written (RFC 9562, 4).
func uuid(run [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", run[:4], run[4:6], run[6:8], run[8:10], run[10:])
}
