package main

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// leaseNonceLen is the length of a lease's nonce.
const leaseNonceLen = 40

// leaser is a worker without a WebSocket: on one HTTP keep-alive connection it
// takes up to so many tasks with POST /lease, answers each with POST
// /lease/{nonce}/result, and takes the next when it is told that all are taken.
// It never has a request of one kind under way beside one of the other.
type leaser struct {
	id     int
	ask    []byte // POST /lease
	result []byte // POST /lease/{nonce}/result, to be patched
	sumAt  int    // in it

	leased responses // 200
	done   responses // 204
	owed   int       // results that are not taken yet
}

// The start of the request that brings a result: the nonce comes behind it.
const leaseHead = "POST /lease/"

// newLeaser makes a worker that names host in its requests and takes up to count
// tasks at a time.
func newLeaser(id int, host string, count int) *leaser {
	body := fmt.Sprintf(`{"tasks":["work"],"count":%d,"wait":"30s"}`, count)
	ask := fmt.Sprintf("POST /lease HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", host, len(body), body)
	head := fmt.Sprintf("%s%s/result HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		leaseHead, bytes.Repeat([]byte("?"), leaseNonceLen), host, sumLen, sumHead)
	return &leaser{id: id, ask: []byte(ask), result: append([]byte(head), sumGap...), sumAt: len(head),
		leased: responses{status: "200"}, done: responses{status: "204"}}
}

// open asks for the first tasks.
func (w *leaser) open(out []byte, _ int64) []byte { return append(out, w.ask...) }

// receive takes all whole responses in data.
func (w *leaser) receive(data, out []byte, _ int64) (used int, _ []byte, err error) {
	for {
		if w.owed > 0 {
			_, size, err := w.done.next(data[used:])
			if size == 0 || err != nil {
				return used, out, err
			}
			used += size
			w.owed--
		} else {
			body, size, err := w.leased.next(data[used:])
			if size == 0 || err != nil {
				return used, out, err
			}
			used += size
			if out, err = w.work(body, out); err != nil {
				return used, out, err
			}
		}
		if w.owed == 0 {
			out = append(out, w.ask...)
		}
	}
}

// The body of a POST /lease, around its tasks.
const (
	leasesHead = `{"tasks":[`
	leasesTail = `]}`
)

// work appends the results of the tasks that a lease has brought, which may be
// none.
func (w *leaser) work(body, out []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(body, []byte(leasesHead))
	for ok && len(rest) > taskNonceAt {
		if string(rest[:taskAAt]) != taskHead || string(rest[taskBMid:taskBAt]) != optionsB || rest[taskBEnd] != optionsTail[0] {
			break
		}
		nonceAt := bytes.Index(rest, []byte(nonceHead)) + len(nonceHead)
		end := nonceAt + leaseNonceLen
		if nonceAt < taskNonceAt || len(rest) < end+len(taskTail) || string(rest[end:end+len(taskTail)]) != taskTail {
			break
		}
		out = w.answer(out, rest[nonceAt:end], getDigits(rest[taskAAt:]).plus(getDigits(rest[taskBAt:])))
		rest = bytes.TrimPrefix(rest[end+len(taskTail):], []byte(","))
	}
	if ok && string(rest) == leasesTail {
		return out, nil
	}
	return w.oddWork(rest, out)
}

// oddWork takes what has not the exact bytes that the bench expects: the rest of
// the tasks, whose members may come in another order.
func (w *leaser) oddWork(rest, out []byte) ([]byte, error) {
	var m struct {
		Tasks []struct {
			Name    string
			Options json.RawMessage
			Nonce   string
		}
	}
	if !bytes.HasPrefix(rest, []byte("{\"tasks")) && bytes.HasSuffix(rest, []byte(leasesTail)) {
		rest = append([]byte(leasesHead), rest...)
	}
	if err := json.Unmarshal(rest, &m); err != nil || m.Tasks == nil {
		return out, fmt.Errorf("a lease that is none: %.300q", rest)
	}
	for _, t := range m.Tasks {
		a, b, ok := parseOptions(t.Options)
		if !ok || t.Name != "work" || len(t.Nonce) != leaseNonceLen {
			return out, fmt.Errorf(`%.300q has a task that is no "work" with a nonce and the options as they were sent`, rest)
		}
		out = w.answer(out, []byte(t.Nonce), a.plus(b))
	}
	return out, nil
}

// answer appends one result.
func (w *leaser) answer(out, nonce []byte, sum digits) []byte {
	start := len(out)
	out = append(out, w.result...)
	copy(out[start+len(leaseHead):], nonce)
	sum.put(out[start+w.sumAt:], 0)
	w.owed++
	return out
}

// String names the worker in errors.
func (w *leaser) String() string { return fmt.Sprintf("HTTP worker %d", w.id) }
