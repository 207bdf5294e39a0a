package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// beanstalkd as a task server: it carries jobs and no results, so a worker
// puts each result as a job into a tube of the producer, which the request
// names. A task ends when the producer has its result; both jobs are deleted.
//
// While a connection waits for a job nothing else that it sends is looked at,
// so whoever has something to send must not be waiting behind it: a client
// asks with reserve-with-timeout 0 while there are jobs, and waits with reserve
// only when it has nothing else to do.
const (
	beanTubeLen    = 3 // the name of a producer's tube
	beanNonceAt    = beanTubeLen + 1
	beanOptionsAt  = beanNonceAt + nonceLen + 1
	beanTaskLen    = beanOptionsAt + optionsLen
	beanSumAt      = nonceLen + 1
	beanSumLen     = beanSumAt + sumLen
	beanLongEnough = 3600 // s a job may stay reserved
)

// beanClients speak to beanstalkd.
type beanClients struct{}

func (beanClients) worker(sc scenario, addr string, i int, _ *source) (socket, peer, error) {
	s, err := dial(addr, "")
	return s, newBeanWorker(i, sc.Credits), err
}

func (beanClients) producer(sc scenario, addr string, i int, l *ledger, random *source) (socket, debtor, error) {
	s, err := dial(addr, "")
	return s, newBeanProducer(i, sc.Outstanding, l, random), err
}

// beanTaker takes jobs from the tube that its connection watches.
type beanTaker struct {
	credits int
	size    int // of a job, in bytes
	asked   int // asks that are not answered
	got     int // jobs that the asks under way have brought
}

// ask appends more asks once all are answered: twice as many as brought a job,
// or the one that waits.
func (t *beanTaker) ask(out []byte) []byte {
	if t.asked > 0 {
		return out
	}
	n := min(2*t.got, t.credits)
	t.got = 0
	if n <= 1 {
		t.asked = 1
		return append(out, "reserve\r\n"...)
	}
	t.asked = n
	for range n {
		out = append(out, "reserve-with-timeout 0\r\n"...)
	}
	return out
}

// next takes the server's next answer: a job with its id, or (with a nil job)
// anything else that was expected. size is 0 if b holds only a part of it.
func (t *beanTaker) next(b []byte) (id, job []byte, size int, err error) {
	size = bytes.IndexByte(b, '\n') + 1
	if size == 0 {
		return nil, nil, 0, tooLong(b)
	}
	line := bytes.TrimSuffix(b[:size], []byte("\r\n"))
	verb, rest, _ := bytes.Cut(line, []byte(" "))
	switch string(verb) {
	case "RESERVED":
		id, _, _ = bytes.Cut(rest, []byte(" "))
		if n, ok := lastNumber(rest); !ok || n != t.size {
			return nil, nil, 0, fmt.Errorf("the server said %q: no job of %d bytes", line, t.size)
		}
		if len(b) < size+t.size+2 {
			return nil, nil, 0, nil
		}
		job = b[size : size+t.size]
		size += t.size + 2
		t.got++
		t.asked--
	case "TIMED_OUT":
		t.asked--
	case "INSERTED", "DELETED", "USING", "WATCHING":
	default:
		return nil, nil, 0, fmt.Errorf("the server said %.200q, which is nothing that the bench asked for", line)
	}
	return id, job, size, nil
}

// appendDelete deletes the job with that id.
func appendDelete(out, id []byte) []byte {
	return append(append(append(out, "delete "...), id...), "\r\n"...)
}

// beanPut is a job that is put, with its body.
func beanPut(body string) string {
	return fmt.Sprintf("put 0 0 %d %d\r\n%s\r\n", beanLongEnough, len(body), body)
}

// beanProducer puts requests and takes results from its tube.
type beanProducer struct {
	calls
	tube  string
	taker beanTaker
}

func newBeanProducer(id, outstanding int, l *ledger, random *source) *beanProducer {
	tube := "r" + producerTag(id)
	message := beanPut(tube + " " + nonceGap + " " + optionsText)
	return &beanProducer{newCalls("beanstalkd", id, outstanding, l, random, message), tube, beanTaker{credits: outstanding, size: beanSumLen}}
}

// open puts the first requests and waits for results.
func (p *beanProducer) open(out []byte, now int64) []byte {
	out = append(out, "watch "+p.tube+"\r\nignore default\r\nuse work\r\n"...)
	return p.taker.ask(p.issueAll(out, now))
}

// receive checks all whole results in data and puts a request for each.
func (p *beanProducer) receive(data, out []byte, now int64) (used int, _ []byte, err error) {
	for {
		id, job, size, err := p.taker.next(data[used:])
		if size == 0 || err != nil {
			return used, p.taker.ask(out), err
		}
		used += size
		if job == nil {
			continue
		}
		out = appendDelete(out, id)
		i := p.answer(binary.LittleEndian.Uint64(job), job[beanSumAt:], now)
		if i >= 0 && p.ledger.issuing {
			out = p.issue(i, out, now)
		}
	}
}

// beanWorker takes requests and puts each result into the tube it names.
type beanWorker struct {
	id    int
	taker beanTaker
	tube  [beanTubeLen]byte // in use
	put   []byte            // of a result, to be patched
}

func newBeanWorker(id, credits int) *beanWorker {
	return &beanWorker{id: id, taker: beanTaker{credits: credits, size: beanTaskLen}, put: []byte(beanPut(nonceGap + " " + sumHead + sumGap))}
}

// open watches the requests and waits for one.
func (w *beanWorker) open(out []byte, _ int64) []byte {
	return w.taker.ask(append(out, "watch work\r\nignore default\r\n"...))
}

// receive answers all whole requests in data.
func (w *beanWorker) receive(data, out []byte, _ int64) (used int, _ []byte, err error) {
	for {
		id, job, size, err := w.taker.next(data[used:])
		if size == 0 || err != nil {
			return used, w.taker.ask(out), err
		}
		used += size
		if job == nil {
			continue
		}
		a, b, ok := parseOptions(job[beanOptionsAt:])
		if !ok {
			return used, out, fmt.Errorf("%.300q is no request with the options as they were sent", job)
		}
		if tube := job[:beanTubeLen]; string(tube) != string(w.tube[:]) {
			copy(w.tube[:], tube)
			out = append(append(append(out, "use "...), tube...), "\r\n"...)
		}
		out = append(out, w.put...)
		sumAt := len(out) - 2 - digitsLen
		copy(out[sumAt-len(sumHead)-1-nonceLen:], job[beanNonceAt:beanNonceAt+nonceLen])
		a.plus(b).put(out[sumAt:], 0)
		out = appendDelete(out, id)
	}
}

// String names the worker in errors.
func (w *beanWorker) String() string { return fmt.Sprintf("beanstalkd worker %d", w.id) }
