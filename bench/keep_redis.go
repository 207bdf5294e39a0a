package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// Redis as a queue that keeps: a producer pushes runs to the list "work"; the
// length of the list is the acknowledgement, which Redis sends once its log is
// synced (appendfsync always). A worker pops them, one a command, with as many
// commands under way as it has credits. That a run was worked is not kept: it is
// gone from the list before the worker has it.
const (
	redisRunHead = "*2\r\n$4\r\nwork\r\n$47\r\n" // optionsLen bytes
	redisRunLen  = len(redisRunHead) + optionsLen + 2
)

// redisKeepers speak to a redis-server that syncs.
type redisKeepers struct{}

func (redisKeepers) submitter(sc scenario, addr string, i int, p *promises, l *ledger, random *source) (socket, debtor, error) {
	s, err := dial(addr, "")
	return s, newRedisSubmitter(sc, i, p, l, random), err
}

func (redisKeepers) finisher(sc scenario, addr string, i int, p *promises, _ *source) (socket, peer, error) {
	s, err := dial(addr, "")
	return s, newRedisFinisher(i, sc.Credits, p), err
}

// redisSubmitter pushes runs.
type redisSubmitter struct{ *submits }

func newRedisSubmitter(sc scenario, id int, p *promises, l *ledger, random *source) *redisSubmitter {
	return &redisSubmitter{newSubmits("Redis", sc, id, p, l, random, redisCommand("LPUSH", "work", optionsText))}
}

// open sends nothing: runs are pushed when they are due.
func (s *redisSubmitter) open(out []byte, _ int64) []byte { return out }

// receive counts all whole acknowledgements in data and pushes a run for each.
func (s *redisSubmitter) receive(data, out []byte, now int64) (used int, _ []byte, err error) {
	for {
		size := bytes.IndexByte(data[used:], '\n') + 1
		if size == 0 {
			if err := tooLong(data[used:]); err != nil {
				return used, out, err
			}
			break
		}
		line := data[used : used+size]
		if !redisLength(line) {
			return used, out, fmt.Errorf("the server answered a push %.200q, not with the length of the list", line)
		}
		used += size
		if i := s.oldest(); i >= 0 {
			s.settle(i, now)
		}
	}
	if s.ledger.issuing {
		out = s.submit(out, now)
	}
	return used, out, nil
}

// redisLength says whether a line is the length of a list, which is not empty.
func redisLength(line []byte) bool {
	if len(line) < 4 || line[0] != ':' || line[1] == '0' || line[len(line)-2] != '\r' {
		return false
	}
	for _, c := range line[1 : len(line)-2] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// redisFinisher pops runs.
type redisFinisher struct {
	*finished
	ask     string // pops one, once there is one
	credits int
}

func newRedisFinisher(i, credits int, p *promises) *redisFinisher {
	return &redisFinisher{newFinished("Redis", i, p), redisCommand("BRPOP", "work", "0"), credits}
}

// open asks for the first runs.
func (w *redisFinisher) open(out []byte, _ int64) []byte {
	return append(out, strings.Repeat(w.ask, w.credits)...)
}

// receive counts all whole runs in data and asks for another for each.
func (w *redisFinisher) receive(data, out []byte, now int64) (used int, _ []byte, err error) {
	for {
		b := data[used:]
		if n := min(len(b), len(redisRunHead)); string(b[:n]) != redisRunHead[:n] {
			return used, out, fmt.Errorf("the server answered %.200q, not with a run", b)
		}
		if len(b) < redisRunLen {
			return used, out, nil
		}
		_, sent, err := w.take(b[len(redisRunHead) : redisRunLen-2])
		if err != nil {
			return used, out, err
		}
		used += redisRunLen
		w.settle(sent, now)
		out = append(out, w.ask...)
	}
}

// verify looks how long the list is.
func (redisKeepers) verify(ctx context.Context, addr string, all []*promises) error {
	answer, err := askLine(ctx, addr, redisCommand("LLEN", "work"), "")
	if err != nil {
		return err
	}
	return compareKept(answer, ":", all)
}

// redisAwake says whether the server has read its log: until then it accepts
// connections and refuses commands.
func redisAwake(ctx context.Context, addr string) error {
	answer, err := askLine(ctx, addr, redisCommand("PING"), "")
	if err == nil && answer != "+PONG" {
		err = fmt.Errorf("it answers PING with %q", answer)
	}
	return err
}

// askLine asks a system whose protocol has lines, and returns the first line of
// its answer that begins with one of these.
func askLine(ctx context.Context, addr, question string, begins ...string) (line string, err error) {
	conn, err := (&net.Dialer{Timeout: verifyTimeout}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", fmt.Errorf("asking %.30q: %w", question, err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(verifyTimeout)); err != nil {
		return "", err
	}
	if _, err := conn.Write([]byte(question)); err != nil {
		return "", fmt.Errorf("asking %.30q: %w", question, err)
	}
	r := bufio.NewReader(conn)
	for {
		if line, err = r.ReadString('\n'); err != nil {
			return "", fmt.Errorf("asking %.30q: %w", question, err)
		}
		if slices.ContainsFunc(begins, func(b string) bool { return strings.HasPrefix(line, b) }) {
			return strings.TrimRight(line, "\r\n"), nil
		}
	}
}

// compareKept compares the number behind a prefix to how many runs must be kept.
func compareKept(answer, prefix string, all []*promises) error {
	want := int64(0)
	for _, p := range all {
		want += p.left()
	}
	if answer != fmt.Sprintf("%s%d", prefix, want) {
		return fmt.Errorf("%d runs were acknowledged and are not worked: started again, the server says it has %q", want, strings.TrimPrefix(answer, prefix))
	}
	return nil
}
