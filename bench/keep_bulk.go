package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
)

// maxBulk is how many runs a message may ask for here: what a loop's read buffer
// holds of its answer.
const maxBulk = 1024

// The answer to a message that asks for many runs, around its nonce and what
// differs from run to run.
const (
	bulkHead   = `{"nonce":"`
	bulkMiddle = `","runs":[`
	bulkRun    = `{"id":"`
	bulkRest   = `","task":"work","state":"pending"},`
	bulkLast   = `","task":"work","state":"pending"}]}`

	bulkNonceAt = len(bulkHead)
	bulkMidAt   = bulkNonceAt + nonceLen
	bulkRunsAt  = bulkMidAt + len(bulkMiddle)
	bulkIDAt    = len(bulkRun)
	bulkRestAt  = bulkIDAt + runIDLen
	bulkRunLen  = bulkRestAt + len(bulkRest)
)

// bulkSubmitter is a producer that asks for as many runs as it has slots with
// each message, and sends the next when it has the answer.
type bulkSubmitter struct {
	*runSubmitter
	first request // the message, with the gaps of its first run
	each  int     // bytes from one run to the next
}

func newBulkSubmitter(sc scenario, id int, p *promises, l *ledger, random *source) *bulkSubmitter {
	options := strings.Repeat(optionsText+",", sc.Outstanding)
	message := newRequest(`{"action":"RunTasks","name":"work","nonce":"` + nonceGap + `","options":[` + strings.TrimSuffix(options, ",") + `]}`)
	s := &bulkSubmitter{runSubmitter: newRunSubmitter(sc, id, p, l, random), each: len(optionsText + ",")}
	s.first = message.framed(s.mask)
	return s
}

// due implements paced: at once, if all the runs of a message can be submitted.
func (s *bulkSubmitter) due() int64 {
	if s.vacant == len(s.slots) && s.promises.room() {
		return 0
	}
	return never
}

// fire implements paced.
func (s *bulkSubmitter) fire(out []byte, now int64) []byte { return s.submit(out, now) }

// submit appends a message, if its runs can be submitted. They are those of the
// slots, in order, and its nonce is that of the first.
func (s *bulkSubmitter) submit(out []byte, now int64) []byte {
	if s.due() == never {
		return out
	}
	start, r := len(out), &s.first
	out = append(out, r.text...)
	text, b := out[start:], timeDigits(now)
	for i := range s.slots {
		one := s.take(now)
		one.sum.put(text[r.aAt+i*s.each:], r.mask.at(r.aAt+i*s.each-r.head))
		b.put(text[r.bAt+i*s.each:], r.mask.at(r.bAt+i*s.each-r.head))
	}
	binary.LittleEndian.PutUint64(text[r.nonceAt:], s.slots[0].nonce^r.mask.at(r.nonceAt-r.head))
	return out
}

// receive checks all whole answers in data and sends a message for each.
func (s *bulkSubmitter) receive(data, out []byte, now int64) (used int, _ []byte, err error) {
	return s.mask.texts(data, out, func(text, out []byte) ([]byte, error) {
		err := s.acknowledge(text, now)
		if err == nil && s.ledger.issuing {
			out = s.submit(out, now)
		}
		return out, err
	})
}

// acknowledge takes one answer.
func (s *bulkSubmitter) acknowledge(text []byte, now int64) error {
	n := len(s.slots)
	if len(text) != bulkRunsAt+n*bulkRunLen+len(bulkLast)-len(bulkRest) || string(text[:bulkNonceAt]) != bulkHead ||
		string(text[bulkMidAt:bulkRunsAt]) != bulkMiddle {
		return s.odd(text, now)
	}
	runs := text[bulkRunsAt:]
	for i := range n {
		one := runs[i*bulkRunLen:]
		rest := bulkRest
		if i == n-1 {
			rest = bulkLast
		}
		if string(one[:bulkIDAt]) != bulkRun || string(one[bulkRestAt:min(len(one), bulkRestAt+len(rest))]) != rest {
			return s.odd(text, now)
		}
	}
	if s.slotOf(binary.LittleEndian.Uint64(text[bulkNonceAt:])) < 0 {
		return nil
	}
	for i := range n {
		if err := s.keep(s.slots[i].nonce, runID(runs[i*bulkRunLen+bulkIDAt:]), now); err != nil {
			return err
		}
	}
	return nil
}

// odd takes an answer that has not the exact bytes the bench expects.
func (s *bulkSubmitter) odd(text []byte, now int64) error {
	var m struct {
		Nonce string
		Runs  []json.RawMessage
	}
	if err := json.Unmarshal(text, &m); err != nil || len(m.Nonce) != nonceLen || len(m.Runs) != len(s.slots) {
		return fmt.Errorf("%d runs were answered %.300q, not acknowledged", len(s.slots), text)
	}
	if s.slotOf(binary.LittleEndian.Uint64([]byte(m.Nonce))) < 0 {
		return nil
	}
	for i, run := range m.Runs {
		one := bytes.Join([][]byte{[]byte(runHead + nonceText(s.slots[i].nonce) + `","run":`), run, []byte("}")}, nil)
		if err := s.runSubmitter.odd(one, now); err != nil {
			return err
		}
	}
	return nil
}
