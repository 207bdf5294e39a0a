package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// keptConversation is what the server of one system that keeps runs says.
type keptConversation struct {
	system   string
	producer func(sc scenario, p *promises, l *ledger, random *source) (debtor, *submits)
	worker   func(p *promises) (peer, *finished)
	// acknowledged appends the acknowledgements of the runs in all slots, and
	// other things around them
	acknowledged func(b []byte, slots []slot) []byte
	// handed is what a worker gets: two runs, and other things around them; reply
	// is what it must say to that
	handed func(first, second string) string
	reply  func(first, second digits) string
	// badAnswer is what no producer takes, badRun what no worker takes
	badAnswer, badRun []string
}

// uuid is the id of a run.
const uuid = "01234567-89ab-7def-8123-456789abcdef"

var keptTested = []keptConversation{
	{
		system: workman,
		producer: func(sc scenario, p *promises, l *ledger, random *source) (debtor, *submits) {
			s := newRunSubmitter(sc, 5, p, l, random)
			return s, s.submits
		},
		worker: func(p *promises) (peer, *finished) {
			random := source(4)
			w := &runFinisher{finished: newFinished(workman, 0, p), worker: newWorker(0, 2, &random)}
			return w, w.finished
		},
		acknowledged: func(b []byte, slots []slot) []byte {
			b = append(b, 0x89, 0) // a ping
			b = append(b, text(`{"nonce":"`+nonceText(slots[1].nonce)+`","run":{"id":"`+uuid+`","task":"work","state":"pending"}}`)...)
			return append(b, text(`{"run":{"id":"`+uuid+`","task":"work","state":"running","more":1},"nonce":"`+nonceText(slots[0].nonce)+`"}`)...)
		},
		handed: func(first, second string) string {
			return string(text(`{"name":"work","options":`+first+`,"nonce":"abc"}`)) +
				string(text(`{"name":"work","nonce":"abd","run":"`+uuid+`","attempt":1,"options":`+second+`}`))
		},
		reply: func(first, second digits) string {
			return `{"action":"SendResult","nonce":"abc","result":` + first.String() + `}{"action":"GetTask"}` +
				`{"action":"SendResult","nonce":"abd","result":` + second.String() + `}{"action":"GetTask"}`
		},
		badAnswer: []string{string(text(`{"nonce":"00000000","error":{"status":503}}`)), string(text(`{`)),
			string(text(`{"nonce":"00000000","run":{"id":"` + uuid + `","task":"work","state":"dead"}}`)),
			string(text(`{"nonce":"00000000","run":{"id":"` + strings.Repeat("x", 36) + `","task":"work","state":"pending"}}`))},
		badRun: []string{string(text(`{"name":"other","nonce":"a","options":` + taskOptions + `}`)), string(text(`{}`)), string(text(`{`))},
	},
	{
		system: "redis-aof",
		producer: func(sc scenario, p *promises, l *ledger, random *source) (debtor, *submits) {
			s := newRedisSubmitter(sc, 5, p, l, random)
			return s, s.submits
		},
		worker: func(p *promises) (peer, *finished) {
			w := newRedisFinisher(0, 2, p)
			return w, w.finished
		},
		acknowledged: func(b []byte, _ []slot) []byte { return append(b, ":1\r\n:12345678\r\n"...) },
		handed: func(first, second string) string {
			return redisCommand("work", first) + redisCommand("work", second)
		},
		reply:     func(digits, digits) string { return strings.Repeat(redisCommand("BRPOP", "work", "0"), 2) },
		badAnswer: []string{":0\r\n", ":\r\n", "-ERR full\r\n", ":1x\r\n", "+OK\r\n", strings.Repeat("x", maxLine+1)},
		badRun:    []string{"*-1\r\n", "-ERR no\r\n", redisCommand("other", taskOptions)},
	},
	{
		system: "beanstalkd-wal",
		producer: func(sc scenario, p *promises, l *ledger, random *source) (debtor, *submits) {
			s := newBeanSubmitter(sc, 5, p, l, random)
			return s, s.submits
		},
		worker: func(p *promises) (peer, *finished) {
			w := &beanFinisher{finished: newFinished("beanstalkd", 0, p)}
			return w, w.finished
		},
		acknowledged: func(b []byte, _ []slot) []byte { return append(b, "USING work\r\nINSERTED 1\r\nINSERTED 2\r\n"...) },
		handed: func(first, second string) string {
			return fmt.Sprintf("WATCHING 2\r\nWATCHING 1\r\nRESERVED 7 47\r\n%s\r\nDELETED\r\nRESERVED 8 47\r\n%s\r\nDELETED\r\n", first, second)
		},
		reply:     func(digits, digits) string { return "delete 7\r\nreserve\r\ndelete 8\r\nreserve\r\n" },
		badAnswer: []string{"BURIED 1\r\n", "OUT_OF_MEMORY\r\n", "RESERVED 7 47\r\n" + taskOptions + "\r\n", strings.Repeat("x", maxLine+1)},
		badRun:    []string{"NOT_FOUND\r\n", "RESERVED 7 3\r\nabc\r\n"},
	},
	{
		system: "jetstream",
		producer: func(sc scenario, p *promises, l *ledger, random *source) (debtor, *submits) {
			s := newJetSubmitter(sc, 5, p, l, random)
			return s, s.submits
		},
		worker: func(p *promises) (peer, *finished) {
			w := newJetFinisher(0, 2, p)
			return w, w.finished
		},
		acknowledged: func(b []byte, slots []slot) []byte {
			b = append(b, "INFO {}\r\nPING\r\n"...)
			for i, s := range slots {
				answer := fmt.Sprintf(`{"stream":"WORK","seq":%d}`, 999+i)
				b = binary.LittleEndian.AppendUint64(append(b, "MSG _INBOX.05."...), s.nonce)
				b = fmt.Appendf(b, " 1 %d\r\n%s\r\n", len(answer), answer)
			}
			return b
		},
		handed: func(first, second string) string {
			return "+OK\r\nMSG work 1 $JS.ACK.WORK.C.1.1.1.9.0 47\r\n" + first + "\r\nMSG work 1 $JS.ACK.WORK.C.1.2.2.9.0 47\r\n" + second + "\r\n"
		},
		reply: func(digits, digits) string {
			const pull = "PUB $JS.API.CONSUMER.MSG.NEXT.WORK.C _D.0 11\r\n{\"batch\":1}\r\n"
			return "PUB $JS.ACK.WORK.C.1.1.1.9.0 4\r\n+ACK\r\n" + pull + "PUB $JS.ACK.WORK.C.1.2.2.9.0 4\r\n+ACK\r\n" + pull
		},
		badAnswer: []string{"-ERR 'no'\r\n", "HMSG _INBOX.05.00000000 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n",
			"MSG _INBOX.05.00000000 1 28\r\n{\"error\":{\"code\":503,\"x\":1}}\r\n"},
		badRun: []string{"-ERR 'no'\r\n", "HMSG _D.0 1 16 16\r\nNATS/1.0 409\r\n\r\n\r\n"},
	},
}

// keptClients are a producer with two runs under way, and a worker.
func (c *keptConversation) clients(t *testing.T) (debtor, *submits, peer, *finished) {
	t.Helper()
	p := newPromises(mustFind(t, "life"))
	random := source(7)
	producer, s := c.producer(scenario{Outstanding: 2}, p, newTestLedger(), &random)
	worker, w := c.worker(p)
	w.count(newTestLedger())
	worker.open(nil, 0)
	producer.open(nil, 0)
	s.submit(nil, 500)
	return producer, s, worker, w
}

// runText are the options of a run that was submitted.
func runText(number int64) string {
	r := newRequest(optionsText)
	return string(r.append(nil, 0, runDigits(5, number), timeDigits(500)))
}

func TestKeepersTakeAnySplit(t *testing.T) {
	for _, c := range keptTested {
		t.Run(c.system, func(t *testing.T) {
			for n := 1000; n > 0; n /= 2 {
				producer, s, worker, w := c.clients(t)
				feed(t, producer, c.acknowledged(nil, s.slots), n)
				if err := s.ledger.faults.err(); err != nil || s.acknowledged != 2 || s.issued != 4 || s.ledger.total != 2 {
					t.Fatalf("%d bytes at a time: %v, %d acknowledged, %d submitted", n, err, s.acknowledged, s.issued)
				}
				sent := string(feed(t, worker, []byte(c.handed(runText(0), runText(1))), n))
				if c.system == workman {
					sent = strings.Join(unmask(t, []byte(sent)), "")
				}
				if want := c.reply(runDigits(5, 0), runDigits(5, 1)); sent != want {
					t.Fatalf("%d bytes at a time it sent %q, not %q", n, sent, want)
				}
				if err := w.ledger.faults.err(); err != nil || w.ledger.total != 2 || w.promises.left() != 0 {
					t.Fatalf("%d bytes at a time: %v, %d worked", n, err, w.ledger.total)
				}
			}
		})
	}
}

func TestKeepersRefuseWhatIsNotTheirs(t *testing.T) {
	for _, c := range keptTested {
		for _, says := range c.badAnswer {
			producer, _, _, _ := c.clients(t)
			if _, _, err := producer.receive([]byte(says), nil, 0); err == nil {
				t.Errorf("%s's producer took %.100q", c.system, says)
			}
		}
		for _, says := range append(c.badRun, c.handed(taskOptions, taskOptions), c.handed(runText(99), runText(98))) {
			_, _, worker, _ := c.clients(t)
			if _, _, err := worker.receive([]byte(says), nil, 0); err == nil {
				t.Errorf("%s's worker took %.100q", c.system, says)
			}
		}
	}
}

func TestKeepersFindWhatIsAcknowledgedTwice(t *testing.T) {
	for _, c := range keptTested {
		producer, s, _, _ := c.clients(t)
		s.ledger.issuing = false
		said := c.acknowledged(nil, s.slots)
		feed(t, producer, said, 1000)
		feed(t, producer, said, 1000)
		if err := s.ledger.faults.err(); err == nil || !strings.Contains(err.Error(), "0 wrong, 2 duplicated, 0 stray") && !strings.Contains(err.Error(), "0 wrong, 0 duplicated, 2 stray") {
			t.Errorf("%s: %v", c.system, err)
		}
	}
}

func TestKeepersSubmitWithKeys(t *testing.T) {
	c := keptTested[0]
	p := newPromises(mustFind(t, "life"))
	p.keyed = 0.5
	random := source(7)
	producer, s := c.producer(scenario{Outstanding: 4}, p, newTestLedger(), &random)
	messages := unmask(t, s.submit(producer.open(nil, 0), 1000))
	if len(messages) != 4 {
		t.Fatalf("%q", messages)
	}
	for i, m := range messages {
		key := ""
		if i%2 == 1 {
			key = `"key":"` + p.tag + strings.TrimPrefix(runDigits(5, int64(i)).String(), "0.") + `",`
		}
		want := `{"action":"RunTask","name":"work","nonce":"` + nonceText(s.slots[i].nonce) + `","durable":true,` + key +
			`"options":{"a":` + runDigits(5, int64(i)).String() + `,"b":` + timeDigits(1000).String() + `}}`
		if m != want {
			t.Errorf("it sent %s, not %s", m, want)
		}
	}
}

func TestKeepersDoNotAllocate(t *testing.T) {
	for _, c := range keptTested {
		producer, s, worker, w := c.clients(t)
		said, handed := c.acknowledged(nil, s.slots), []byte(c.handed(runText(0), runText(1)))
		if c.system == workman { // in the usual order of members
			said = append(text(runHead+nonceGap+runMiddle+uuid+runTail), text(runHead+nonceGap+runMiddle+uuid+runTail)...)
			handed = append(text(`{"name":"work","options":`+runText(0)+`,"nonce":"abc"}`), text(`{"name":"work","options":`+runText(1)+`,"nonce":"abd"}`)...)
		}
		nonceAt, aAt := strings.Index(string(said), nonceGap), strings.Index(string(handed), optionsHead)+len(optionsHead)
		secondAt := strings.LastIndex(string(handed), optionsHead) + len(optionsHead)
		var sent []byte
		number := int64(0)
		n := testing.AllocsPerRun(200, func() {
			if c.system == workman {
				binary.LittleEndian.PutUint64(said[nonceAt:], s.slots[0].nonce)
				binary.LittleEndian.PutUint64(said[len(said)/2+nonceAt:], s.slots[1].nonce)
			}
			_, sent, _ = producer.receive(said, sent[:0], 1000)
			runDigits(5, number).put(handed[aAt:], 0)
			runDigits(5, number+1).put(handed[secondAt:], 0)
			number += 2
			_, sent, _ = worker.receive(handed, sent[:0], 1000)
		})
		if err := errors.Join(s.ledger.faults.err(), w.ledger.faults.err()); n > 0 || err != nil || s.acknowledged < 400 || w.ledger.total < 400 {
			t.Errorf("%s: %g allocations for two runs, %v; %d acknowledged, %d worked", c.system, n, err, s.acknowledged, w.ledger.total)
		}
	}
}
