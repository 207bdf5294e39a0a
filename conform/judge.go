package conform

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/gobwas/ws"
)

// judge follows the conversation: what the worker may say now, what it has in hand, and what it did wrong.
type judge struct {
	conns  []*conn          // in the order in which they were opened
	hands  map[string]*hand // by nonce
	order  []*hand          // as they were handed out
	faults map[string]*fault
	now    int // the entry that is judged

	requests int       // over HTTP
	asked    []*asking // for tasks there
	waiting  int       // of these, for an answer,
	most     int       // and how many did at once
}

// fault is what is against a check.
type fault struct {
	what  string
	entry int // that shows it
}

// conn is one connection to /worker.
type conn struct {
	number   int
	first    bool            // of its process
	names    map[string]bool // registered on it, or before by its session
	asked    int             // for so many tasks, in all
	handed   int
	messages int // of the worker
	results  int // of these, SendResult and SendError
	hello    bool
	welcome  bool   // Hello was answered
	asksFor  string // the session it would go on with
	session  string // that it has
	resumed  bool
	wrong    int // messages that the judge has found wrong, and the server has not said so yet
	ended    bool
}

// ready reports whether a task would be handed out on it.
func (c *conn) ready() bool {
	return !c.ended && len(c.names) > 0 && c.asked > c.handed && c.hello == c.welcome
}

// hand is a task that was handed out.
type hand struct {
	nonce, task string
	conn        int // where it may be answered
	at          time.Duration
	answers     int
	answered    string  // SendResult or SendError
	answer      message // the last; without the result
	said        []said  // in order
	late        time.Duration
	handedBack  bool
	told        int  // the status that its answer over HTTP was answered with last; 0: none
	toStop      bool // the worker was told there that it may stop
}

// said is a message about a task.
type said struct {
	action string
	at     time.Duration
}

// times is how often the worker said something of it.
func (h *hand) times(action string) (n int) {
	for _, s := range h.said {
		if s.action == action {
			n++
		}
	}
	return n
}

// last is the connection that was opened last; one that has ended if there was none.
func (j *judge) last() *conn {
	if len(j.conns) == 0 {
		return &conn{ended: true}
	}
	return j.conns[len(j.conns)-1]
}

// open begins a connection.
func (j *judge) open(first bool) *conn {
	c := &conn{number: len(j.conns) + 1, first: first, names: map[string]bool{}}
	j.conns = append(j.conns, c)
	return c
}

// fault notes what is against a check; the first is kept.
func (j *judge) fault(check, format string, args ...any) {
	if j.faults[check] == nil {
		j.faults[check] = &fault{fmt.Sprintf(format, args...), j.now}
	}
}

func (j *judge) take(e entry, masked bool) {
	if e.happened || e.conn == 0 || e.conn > len(j.conns) {
		return
	}
	c := j.conns[e.conn-1]
	if e.toWorker {
		if e.op == ws.OpText {
			j.server(c, e)
		}
		return
	}
	if !masked {
		j.fault("masks", "a frame of the worker is not masked: %s", brief(e.text))
	}
	switch e.op {
	case ws.OpBinary:
		c.messages++
		j.fault("text", "a message came as binary: %s", brief(e.text))
	case ws.OpText:
		c.messages++
		j.worker(c, e)
	}
}

// server takes a message to the worker.
func (j *judge) server(c *conn, e entry) {
	m, err := parse(e.text)
	if err != nil {
		return
	}
	switch m.text("event") {
	case "":
		if !has(m["nonce"]) {
			return
		}
		h := &hand{nonce: m.text("nonce"), task: m.text("name"), conn: c.number, at: e.at}
		j.hands[h.nonce] = h
		j.order = append(j.order, h)
		c.handed++
	case "Hello":
		j.welcome(c, m)
	case "Error":
		if c.wrong > 0 {
			c.wrong--
			return
		}
		j.fault("messages", "the server said what is wrong with a message: %s", brief(m["error"]))
	case "Late":
		if h := j.hands[m.text("nonce")]; h != nil && h.late == 0 {
			h.late = e.at
		}
	}
}

// welcome takes the answer to Hello. A session that goes on has its names and what it had in hand, and no credit.
func (j *judge) welcome(c *conn, m message) {
	c.welcome, c.session = true, m.text("session")
	var resumed []string
	if json.Unmarshal(m["resumed"], &resumed) != nil || resumed == nil {
		return
	}
	c.resumed = true
	for _, old := range j.conns[:c.number-1] {
		if old.session == c.session {
			for name := range old.names {
				c.names[name] = true
			}
		}
	}
	for _, nonce := range resumed {
		if h := j.hands[nonce]; h != nil {
			h.conn = c.number
		}
	}
}

// strange is the check in which the server says what the protocol does not have: then a worker may answer strangely.
const strange = "unknown event"

// worker takes a message of the worker.
func (j *judge) worker(c *conn, e entry) {
	m, err := parse(e.text)
	if err != nil {
		j.fault("messages", "%v: %s", err, brief(e.text))
		return
	}
	name := m.text("action")
	if concerns, wrong := shape(m, c.hello); wrong != "" && e.during != strange {
		j.fault(concerns, "%s: %s", wrong, brief(e.text))
		if c.wrong++; c.hello {
			return // it changes nothing
		}
	}
	switch name {
	case "Hello":
		if c.messages > 1 {
			j.fault("hello", "Hello is message %d of its connection; it must be the first", c.messages)
		}
		c.hello, c.asksFor = true, m.text("session")
	case "RegisterTask":
		c.names[m.text("name")] = true
	case "GetTask":
		if len(c.names) == 0 && c.first {
			j.fault("order", "GetTask came before any RegisterTask")
		}
		c.asked += m.number("count", 1)
	case "Drain":
		if has(m["nonce"]) {
			j.about(c, e, m)
			return
		}
		c.asked = c.handed
		for _, h := range j.hands {
			h.handedBack = h.handedBack || h.conn == c.number && h.answers == 0 && string(m["return"]) == "true"
		}
	case "SendResult", "SendError", "Extend", "Progress":
		c.asked += m.number("credit", 0)
		j.about(c, e, m)
	}
}

// about takes a message about a task.
func (j *judge) about(c *conn, e entry, m message) {
	name, nonce := m.text("action"), m.text("nonce")
	if name == "SendResult" || name == "SendError" {
		c.results++
	}
	h := j.hands[nonce]
	if h == nil {
		if e.during != strange {
			j.fault("nonce", "%s of the nonce %q, which was never handed out", name, nonce)
		}
		return
	}
	h.said = append(h.said, said{name, e.at})
	switch {
	case h.conn != c.number: // of a connection that was lost: it is ignored
		h.said[len(h.said)-1].action = "stale " + name
	case name == "Drain":
		h.handedBack = true
	case name == "SendResult" || name == "SendError":
		h.answers++
		h.answered = name
		delete(m, "result")
		h.answer = m
		if h.answers > 1 {
			j.fault("once", "the nonce %q was answered %d times on its connection", nonce, h.answers)
		}
	}
}
