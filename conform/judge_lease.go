package conform

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gobwas/ws"
)

// What the judge knows of a worker that leases over HTTP. It calls what is said of a task as it is called over WebSocket.

// asking is a POST /lease.
type asking struct {
	number int
	at     time.Duration
	names  []string
	count  int
	status int // of its answer; 0: it waits, -1: it went without one
}

// verbs are what may be said of a lease, by the rest of the path.
var verbs = map[string]string{"result": "SendResult", "error": "SendError", "extend": "Extend", "progress": "Progress", "": "Drain"}

// calls records a request. It returns false once there are too many.
func (r *recording) calls(c *call) bool {
	text := fmt.Appendf(nil, "%s %s %s", c.head.Method, c.head.RequestURI, c.body)
	return r.record(entry{op: ws.OpText, text: text}, func(j *judge, e *entry) {
		j.requests++
		c.number, e.conn = j.requests, j.requests
		j.call(*e, c)
	})
}

// answered records an answer.
func (r *recording) answered(c *call, a reply) {
	text := fmt.Appendf(nil, "%d %s", a.status, a.body)
	r.record(entry{conn: c.number, toWorker: true, op: ws.OpText, text: text}, func(j *judge, e *entry) { j.answer(*e, c, a) })
}

// over records that a request's connection has ended.
func (r *recording) over(c *call, err error) {
	if err == nil {
		return
	}
	r.look(func(j *judge) { j.waited(c, -1) })
	r.happen(c.number, "the connection is over (%v)", err)
}

// call takes a request of the worker.
func (j *judge) call(e entry, c *call) {
	if c.isLease() {
		a := &asking{number: c.number, at: e.at, count: 1}
		var said struct {
			Tasks []string
			Count *int
		}
		if json.Unmarshal(c.body, &said) == nil { // or the server says so
			a.names = said.Tasks
			if said.Count != nil {
				a.count = *said.Count
			}
		}
		j.asked = append(j.asked, a)
		j.waiting++
		j.most = max(j.most, j.waiting)
		return
	}
	nonce, verb, is := aboutLease(c)
	if !is {
		return
	}
	h := j.hands[nonce]
	if h == nil {
		j.fault("nonce", "%s %s is of the nonce %q, which was never handed out", c.head.Method, c.head.URL.Path, nonce)
		return
	}
	h.said = append(h.said, said{verb, e.at})
	switch {
	case verb == "Drain":
		h.handedBack = true
	case verb == "SendResult" || verb == "SendError":
		switch {
		case h.told == http.StatusConflict:
			j.fault("stale", "the nonce %q was answered again, though its lease was said to be over (409)", nonce)
		case h.told != 0:
			j.fault("once", "the nonce %q was answered again, after %d", nonce, h.told)
		}
		h.answers++
		h.answered = verb
	}
}

// aboutLease takes the path of what is said of a lease apart.
func aboutLease(c *call) (nonce, verb string, is bool) {
	rest, is := strings.CutPrefix(c.head.URL.Path, leasePath+"/")
	nonce, what, _ := strings.Cut(rest, "/")
	verb, known := verbs[what]
	return nonce, verb, is && known
}

// answer takes the answer to a request.
func (j *judge) answer(e entry, c *call, a reply) {
	if c.isLease() {
		j.lent(e, c, a)
		return
	}
	nonce, verb, is := aboutLease(c)
	h := j.hands[nonce]
	switch {
	case a.status == http.StatusConflict && h != nil && h.late == 0:
		h.late = e.at
	case a.status == http.StatusOK && h != nil && is:
		h.toStop = true
	}
	if h != nil && (verb == "SendResult" || verb == "SendError") {
		h.told = a.status
	}
	if isWrong(a.status) && (h != nil || !is) {
		concerns := "requests"
		if verb == "Progress" {
			concerns = "progress"
		}
		j.fault(concerns, "%s %s was answered with %d: %s", c.head.Method, c.head.RequestURI, a.status, brief(a.body))
	}
}

// lent takes the answer to who asks for tasks.
func (j *judge) lent(e entry, c *call, a reply) {
	if isWrong(a.status) {
		j.fault("takes", "%s was answered with %d: %s", brief(c.body), a.status, brief(a.body))
	}
	j.waited(c, a.status)
	var got struct {
		Tasks []struct{ Name, Nonce string }
	}
	if a.status != http.StatusOK || json.Unmarshal(a.body, &got) != nil {
		return
	}
	for _, t := range got.Tasks {
		h := &hand{nonce: t.Nonce, task: t.Name, at: e.at}
		j.hands[h.nonce] = h
		j.order = append(j.order, h)
	}
}

// waited notes how the wait of who asked for tasks ended, if it has not yet.
func (j *judge) waited(c *call, status int) {
	for i := len(j.asked) - 1; i >= 0; i-- {
		if a := j.asked[i]; a.number == c.number && a.status == 0 {
			a.status = status
			j.waiting--
			return
		}
	}
}

// isWrong tells whether the server says that a request is wrong, rather than that it is too late or too much.
func isWrong(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusConflict && status != http.StatusTooManyRequests
}

// askers is how many ask at once: so many waited at the same time, or ask for different tasks.
func (j *judge) askers() int {
	differ := map[string]bool{}
	for _, a := range j.asked {
		differ[strings.Join(a.names, "\n")] = true
	}
	return max(len(differ), j.most, 1)
}

// offers are the names that the worker would take tasks of: it waits for one, or has asked for one since.
func (j *judge) offers(since int) (names []string) {
	for i, a := range j.asked {
		if a.status == 0 || i >= since && a.status == http.StatusOK {
			names = append(names, a.names...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
