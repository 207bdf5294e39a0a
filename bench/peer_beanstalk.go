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
// While a connection waits for a job the server looks at nothing else that it
// sends. So a client asks for one job at a time, behind what it has to say: asks
// ahead would hold up its results. (Asks that do not wait were tried: they cost
// an answer each, and win nothing.) The server is busy all the same.
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

func (beanClients) worker(_ scenario, addr string, i int, _ *source) (socket, peer, error) {
	s, err := dial(addr, "")
	return s, newBeanWorker(i), err
}

func (beanClients) producer(sc scenario, addr string, i int, l *ledger, random *source) (socket, debtor, error) {
	s, err := dial(addr, "")
	return s, newBeanProducer(i, sc.Outstanding, l, random), err
}

// beanReserve asks for a job.
const beanReserve = "reserve\r\n"

// nextBean takes the server's next answer: a job of a length with its id, or
// (with a nil job) anything else that was expected. size is 0 if b holds only a
// part of it.
func nextBean(b []byte, length int) (id, job []byte, size int, err error) {
	size = bytes.IndexByte(b, '\n') + 1
	if size == 0 {
		return nil, nil, 0, tooLong(b)
	}
	line := bytes.TrimSuffix(b[:size], []byte("\r\n"))
	verb, rest, _ := bytes.Cut(line, []byte(" "))
	switch string(verb) {
	case "INSERTED", "DELETED", "USING", "WATCHING":
		return nil, nil, size, nil
	case "RESERVED":
		id, _, _ = bytes.Cut(rest, []byte(" "))
		if n, ok := lastNumber(rest); !ok || n != length {
			return nil, nil, 0, fmt.Errorf("the server said %q: no job of %d bytes", line, length)
		}
		if len(b) < size+length+2 {
			return nil, nil, 0, nil
		}
		return id, b[size : size+length], size + length + 2, nil
	}
	return nil, nil, 0, fmt.Errorf("the server said %.200q, which is nothing that the bench asked for", line)
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
	tube string
}

func newBeanProducer(id, outstanding int, l *ledger, random *source) *beanProducer {
	tube := "r" + producerTag(id)
	message := beanPut(tube + " " + nonceGap + " " + optionsText)
	return &beanProducer{newCalls("beanstalkd", id, outstanding, l, random, message), tube}
}

// open puts the first requests and waits for results.
func (p *beanProducer) open(out []byte, now int64) []byte {
	out = append(out, "watch "+p.tube+"\r\nignore default\r\nuse work\r\n"...)
	return append(p.issueAll(out, now), beanReserve...)
}

// receive checks all whole results in data and puts a request for each.
func (p *beanProducer) receive(data, out []byte, now int64) (used int, _ []byte, err error) {
	for {
		id, job, size, err := nextBean(data[used:], beanSumLen)
		if size == 0 || err != nil {
			return used, out, err
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
		out = append(out, beanReserve...)
	}
}

// beanWorker takes requests and puts each result into the tube it names.
type beanWorker struct {
	id   int
	tube [beanTubeLen]byte // in use
	put  []byte            // of a result, to be patched
}

func newBeanWorker(id int) *beanWorker {
	return &beanWorker{id: id, put: []byte(beanPut(nonceGap + " " + sumHead + sumGap))}
}

// open watches the requests and waits for one.
func (w *beanWorker) open(out []byte, _ int64) []byte {
	return append(out, "watch work\r\nignore default\r\n"+beanReserve...)
}

// receive answers all whole requests in data.
func (w *beanWorker) receive(data, out []byte, _ int64) (used int, _ []byte, err error) {
	for {
		id, job, size, err := nextBean(data[used:], beanTaskLen)
		if size == 0 || err != nil {
			return used, out, err
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
		out = append(appendDelete(out, id), beanReserve...)
	}
}

// String names the worker in errors.
func (w *beanWorker) String() string { return fmt.Sprintf("beanstalkd worker %d", w.id) }
