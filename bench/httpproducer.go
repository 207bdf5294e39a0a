package main

import "fmt"

// Where the digits lie in the options of a request.
const (
	bodyAAt = len(optionsHead)
	bodyBAt = bodyAAt + digitsLen + len(optionsB)
	bodyLen = bodyBAt + digitsLen + len(optionsTail)
)

// httpProducer is an HTTP/1.1 keep-alive client of POST /task/work that keeps
// len(asked) requests outstanding on its connection or, if its metronome ticks,
// sends them when they are due, up to so many. The answers come in the order of
// the requests (RFC 9112, section 9.3.2).
type httpProducer struct {
	id      int
	ledger  *ledger
	random  *source
	request []byte // head and body, to be patched
	bodyAt  int

	asked   []asked // a ring of the requests outstanding
	oldest  int     // the place of the first of them
	waiting int     // how many they are
	beat    metronome

	answers responses
}

// asked is a request without its answer.
type asked struct {
	sum  digits // what the answer must be
	sent int64  // ns of the loop's clock
}

// newHTTPProducer makes a producer that names host in its requests and keeps
// so many of them outstanding.
func newHTTPProducer(id int, host string, outstanding int, beat metronome, l *ledger, random *source) *httpProducer {
	gap := string(make([]byte, digitsLen))
	body := optionsHead + gap + optionsB + gap + optionsTail
	head := fmt.Sprintf("POST /task/work HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		host, len(body))
	return &httpProducer{id: id, ledger: l, random: random, request: []byte(head + body), bodyAt: len(head),
		asked: make([]asked, outstanding), beat: beat, answers: responses{status: "200"}}
}

// open sends the first requests.
func (p *httpProducer) open(out []byte, now int64) []byte {
	if p.beat.ticks() {
		p.beat.start(now)
		return out
	}
	for range p.asked {
		out = p.issue(out, now)
	}
	return out
}

// due implements paced.
func (p *httpProducer) due() int64 { return p.beat.due() }

// fire implements paced.
func (p *httpProducer) fire(out []byte, now int64) []byte {
	for ; p.beat.next <= now; p.beat.next += p.beat.every {
		if p.waiting == len(p.asked) {
			p.ledger.miss()
			continue
		}
		p.ledger.late(p.beat.next, now)
		out = p.issue(out, p.beat.next)
	}
	return out
}

// issue appends a new request, sent (or due) now. There must be room in the
// ring.
func (p *httpProducer) issue(out []byte, now int64) []byte {
	a, b := p.random.draw()
	at := p.oldest + p.waiting
	if at >= len(p.asked) {
		at -= len(p.asked)
	}
	p.asked[at] = asked{a.plus(b), now}
	p.waiting++
	start := len(out)
	out = append(out, p.request...)
	body := out[start+p.bodyAt:]
	a.put(body[bodyAAt:], 0)
	b.put(body[bodyBAt:], 0)
	p.ledger.outstanding++
	return out
}

// receive checks all whole responses in data and sends a new request for each
// that was outstanding.
func (p *httpProducer) receive(data, out []byte, now int64) (used int, _ []byte, err error) {
	for {
		body, size, err := p.answers.next(data[used:])
		if size == 0 || err != nil {
			return used, out, err
		}
		used += size
		if p.answer(body, now) && p.ledger.issuing && !p.beat.ticks() {
			out = p.issue(out, now)
		}
	}
}

// answer takes one response's body and says whether it was waited for.
func (p *httpProducer) answer(body []byte, now int64) bool {
	f := &p.ledger.faults
	if p.waiting == 0 {
		f.add(&f.Duplicated, "HTTP producer %d got a response to no request: %.200q", p.id, body)
		return false
	}
	due := p.asked[p.oldest]
	p.waiting--
	if p.oldest++; p.oldest == len(p.asked) {
		p.oldest = 0
	}
	if len(body) != 2+digitsLen || string(body[:2]) != "0." || getDigits(body[2:]) != due.sum {
		p.ledger.outstanding--
		f.add(&f.Wrong, "HTTP producer %d got the result %.200q, not %s", p.id, body, due.sum)
		return true
	}
	p.ledger.settle(due.sent, now)
	return true
}

// lost counts the requests that are still outstanding when the round is over.
func (p *httpProducer) lost() {
	f := &p.ledger.faults
	for range p.waiting {
		f.add(&f.Lost, "HTTP producer %d never got a response", p.id)
	}
}

// String names the producer in errors.
func (p *httpProducer) String() string { return fmt.Sprintf("HTTP producer %d", p.id) }
