package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// Redis' lists as a task server: a producer pushes requests to the list "work"
// and waits at a list of its own, which each request names; a worker waits at
// "work" and pushes results there. Whoever waits takes as many elements at
// once as there are, up to its credits (BLMPOP, since Redis 7.0).
const (
	redisReplyTo = "reply:??" // the length of a reply list's name
	redisTaskLen = len(redisReplyTo) + 1 + nonceLen + 1 + optionsLen
	redisSumLen  = nonceLen + 1 + sumLen
	redisSumAt   = nonceLen + 1
)

// Where the parts of a request lie, in bytes.
const (
	redisNonceAt   = len(redisReplyTo) + 1
	redisOptionsAt = redisNonceAt + nonceLen + 1
)

// redisClients speak to redis-server.
type redisClients struct{}

func (redisClients) worker(sc scenario, addr string, i int, _ *source) (socket, peer, error) {
	s, err := dial(addr, "")
	return s, newRedisWorker(i, sc.Credits), err
}

func (redisClients) producer(sc scenario, addr string, i int, l *ledger, random *source) (socket, debtor, error) {
	s, err := dial(addr, "")
	return s, newRedisProducer(i, sc.Outstanding, l, random), err
}

// redisCommand is a command as it is sent (redis.io, RESP2): an array of bulk
// strings.
func redisCommand(words ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(word), word)
	}
	return b.String()
}

// redisList is the end of one connection's waiting at a list.
type redisList struct {
	ask  string // waits for elements
	head string // of the answer, before the number of elements
	bulk string // before each element: they have one length
	size int    // of an element, in bytes
	left int    // elements of the answer that are still to come
}

// newRedisList waits at a list for up to n elements of a length.
func newRedisList(key string, n, size int) redisList {
	return redisList{
		ask:  redisCommand("BLMPOP", "0", "1", key, "RIGHT", "COUNT", strconv.Itoa(n)),
		head: fmt.Sprintf("*2\r\n$%d\r\n%s\r\n*", len(key), key),
		bulk: fmt.Sprintf("$%d\r\n", size),
		size: size,
	}
}

// next takes the next piece of the server's answers: an element of the list,
// or (with a nil element) anything else that was expected. size is 0 if b
// holds only a part of it. Behind the last element it is time to ask again.
func (r *redisList) next(b []byte) (element []byte, size int, err error) {
	if r.left > 0 {
		at := len(r.bulk)
		size = at + r.size + 2
		if len(b) < size {
			return nil, 0, nil
		}
		if string(b[:at]) != r.bulk || string(b[size-2:size]) != "\r\n" {
			return nil, 0, fmt.Errorf("%.200q is no element of %d bytes", b, r.size)
		}
		r.left--
		return b[at : at+r.size], size, nil
	}
	if len(b) == 0 {
		return nil, 0, nil
	}
	skip := 0
	if b[0] == '*' {
		if n := min(len(b), len(r.head)); string(b[:n]) != r.head[:n] {
			return nil, 0, fmt.Errorf("the server answered %.200q, not with elements of the list that was asked for", b)
		}
		if len(b) <= len(r.head) {
			return nil, 0, nil
		}
		skip = len(r.head)
	}
	end := bytes.IndexByte(b[skip:], '\n')
	if end < 0 {
		return nil, 0, tooLong(b)
	}
	size = skip + end + 1
	n, ok := redisNumber(b[max(skip, 1):size])
	if !ok || b[0] != ':' && b[0] != '*' {
		return nil, 0, fmt.Errorf("the server answered %.200q", b[:size])
	}
	if b[0] == '*' {
		r.left = n
	}
	return nil, size, nil
}

// redisNumber is a number of a few digits with its end of line.
func redisNumber(line []byte) (n int, ok bool) {
	return lastNumber(bytes.TrimSuffix(line, []byte("\r\n")))
}

// redisProducer pushes requests and waits at its list.
type redisProducer struct {
	calls
	list redisList
}

func newRedisProducer(id, outstanding int, l *ledger, random *source) *redisProducer {
	replyTo := "reply:" + producerTag(id)
	message := redisCommand("LPUSH", "work", replyTo+" "+nonceGap+" "+optionsText)
	return &redisProducer{newCalls("Redis", id, outstanding, l, random, message), newRedisList(replyTo, outstanding, redisSumLen)}
}

// open pushes the first requests and waits.
func (p *redisProducer) open(out []byte, now int64) []byte {
	return append(p.issueAll(out, now), p.list.ask...)
}

// receive checks all whole results in data and pushes a request for each.
func (p *redisProducer) receive(data, out []byte, now int64) (used int, _ []byte, err error) {
	for {
		element, size, err := p.list.next(data[used:])
		if size == 0 || err != nil {
			return used, out, err
		}
		used += size
		if element == nil {
			continue
		}
		i := p.answer(binary.LittleEndian.Uint64(element), element[redisSumAt:], now)
		if i >= 0 && p.ledger.issuing {
			out = p.issue(i, out, now)
		}
		if p.list.left == 0 {
			out = append(out, p.list.ask...)
		}
	}
}

// redisWorker takes requests and pushes each result to the list it names.
type redisWorker struct {
	id    int
	list  redisList
	reply []byte // a push, to be patched
	to    int    // where the list's name goes
}

func newRedisWorker(id, credits int) *redisWorker {
	reply := redisCommand("LPUSH", redisReplyTo, nonceGap+" "+sumHead+sumGap)
	return &redisWorker{id, newRedisList("work", credits, redisTaskLen), []byte(reply), strings.Index(reply, redisReplyTo)}
}

// open waits for requests.
func (w *redisWorker) open(out []byte, _ int64) []byte { return append(out, w.list.ask...) }

// receive answers all whole requests in data.
func (w *redisWorker) receive(data, out []byte, _ int64) (used int, _ []byte, err error) {
	for {
		element, size, err := w.list.next(data[used:])
		if size == 0 || err != nil {
			return used, out, err
		}
		used += size
		if element == nil {
			continue
		}
		a, b, ok := parseOptions(element[redisOptionsAt:])
		if !ok {
			return used, out, fmt.Errorf("%.300q is no request with the options as they were sent", element)
		}
		start := len(out)
		out = append(out, w.reply...)
		copy(out[start+w.to:], element[:len(redisReplyTo)])
		sumAt := len(out) - 2 - digitsLen
		copy(out[sumAt-len(sumHead)-1-nonceLen:], element[redisNonceAt:redisNonceAt+nonceLen])
		a.plus(b).put(out[sumAt:], 0)
		if w.list.left == 0 {
			out = append(out, w.list.ask...)
		}
	}
}

// String names the worker in errors.
func (w *redisWorker) String() string { return fmt.Sprintf("Redis worker %d", w.id) }
