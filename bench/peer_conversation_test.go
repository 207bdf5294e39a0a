package main

import (
	"encoding/binary"
	"strings"
	"testing"
)

// conversation is what the server of one system says, so that its clients can
// be tested without it.
type conversation struct {
	system   string
	producer func(l *ledger, random *source) (debtor, *calls)
	worker   func() peer
	// greeting is what a producer may get before any answer
	greeting string
	// answer appends the result of the tasks in all slots, some way
	answer func(b []byte, slots []slot) []byte
	// task is what a worker gets: two tasks with these options, and other
	// things around them. reply is what it must say to that.
	task, reply string
	// refused is what neither takes, badTask what no worker takes, badAnswer
	// what no producer takes
	refused, badTask, badAnswer []string
}

const (
	taskOptions = `{"a":0.1234567012345670,"b":0.1111111111111111}`
	taskSum     = `0.2345678123456781`
	oddOptions  = `{"a":1.1234567012345670,"b":0.1111111111111111}`
)

// tested are the clients of all systems, with two tasks outstanding.
var tested = []conversation{
	{
		system: "nats",
		producer: func(l *ledger, random *source) (debtor, *calls) {
			p := newNATSProducer(5, 2, l, random)
			return p, &p.calls
		},
		worker:   func() peer { return &natsWorker{} },
		greeting: "INFO {\"server_id\":\"N\",\"headers\":true} \r\nPING\r\n+OK\r\n",
		answer: func(b []byte, slots []slot) []byte {
			for _, s := range slots {
				b = append(binary.LittleEndian.AppendUint64(append(b, "MSG _INBOX.05."...), s.nonce), " 1 18\r\n"...)
				b = append(appendSum(b, s.sum), "\r\n"...)
			}
			return b
		},
		task: "PONG\r\nMSG work 1 _INBOX.05.abcdefgh 47\r\n" + taskOptions + "\r\nPING\r\nMSG work 1 x 47\r\n" + taskOptions + "\r\n",
		refused: []string{"-ERR 'Authorization Violation'\r\n", "HMSG _INBOX.05.00000000 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n",
			"MSG other 1 5\r\nhello\r\n", "MSG work 1 x nine\r\n", strings.Repeat("x", maxLine+1)},
		badTask:   []string{"MSG work 1 x 47\r\n" + oddOptions + "\r\n", "MSG work 1 x 3\r\n0.5\r\n", "MSG work 1 x 46\r\n" + taskOptions + "\r\n"},
		badAnswer: []string{"MSG _INBOX.05.00000000 1 3\r\n0.5\r\n"},
		reply:     "PUB _INBOX.05.abcdefgh 18\r\n" + taskSum + "\r\nPONG\r\nPUB x 18\r\n" + taskSum + "\r\n",
	},
	{
		system: "gearmand",
		producer: func(l *ledger, random *source) (debtor, *calls) {
			p := newGearProducer(5, 2, l, random)
			return p, &p.calls
		},
		worker: func() peer { return newGearWorker(1, 4) },
		answer: func(b []byte, slots []slot) []byte {
			for i := range slots {
				b = append(b, "\x00RES\x00\x00\x00\x08\x00\x00\x00\x0fH:machine:12345"...)
				b[len(b)-1] = byte('0' + i)
			}
			for i := range slots {
				b = append(b, "\x00RES\x00\x00\x00\x0d\x00\x00\x00\x22H:machine:12345\x00"...)
				b[len(b)-2] = byte('0' + i)
				b = appendSum(b, slots[i].sum)
			}
			return b
		},
		task: gearSays(gearJobAssign, "H:m:1\x00work\x00"+taskOptions) + gearSays(gearJobAssign, "H:machine:23456\x00work\x00"+taskOptions) +
			gearSays(gearNoJob, "") + gearSays(gearNoJob, "") + gearSays(gearNoJob, "") + gearSays(gearNoJob, "") + gearSays(gearNoop, ""),
		refused: []string{gearSays(gearError, "code\x00text"), "\x00REQ\x00\x00\x00\x08\x00\x00\x00\x00", "\x00RES\x00\x00\x00\x08\xff\xff\xff\xff",
			gearSays(99, ""), "HTTP/1.1 400"},
		badTask:   []string{gearSays(gearJobAssign, "H:m:1\x00other\x00"+taskOptions), gearSays(gearJobAssign, "H:m:1\x00work\x00"+oddOptions)},
		badAnswer: []string{strings.Repeat(gearSays(gearJobCreated, "H:m:1"), 3)},
		reply: gearPacket(gearWorkComplete, "H:m:1\x00"+taskSum) + gearGrab + // four are under way: one is due
			gearPacket(gearWorkComplete, "H:machine:23456\x00"+taskSum) + gearGrab + gearSleep + gearGrab,
	},
	{
		system: "redis",
		producer: func(l *ledger, random *source) (debtor, *calls) {
			p := newRedisProducer(5, 2, l, random)
			return p, &p.calls
		},
		worker:   func() peer { return newRedisWorker(1, 4) },
		greeting: ":1\r\n:1234567\r\n",
		answer: func(b []byte, slots []slot) []byte {
			b = append(b, "*2\r\n$8\r\nreply:05\r\n*2\r\n"...)
			for _, s := range slots {
				b = append(binary.LittleEndian.AppendUint64(append(b, "$27\r\n"...), s.nonce), ' ')
				b = append(appendSum(b, s.sum), "\r\n"...)
			}
			return append(b, ":2\r\n"...)
		},
		task:      ":3\r\n*2\r\n$4\r\nwork\r\n*2\r\n$65\r\nreply:05 abcdefgh " + taskOptions + "\r\n$65\r\nreply:-- 01234567 " + taskOptions + "\r\n:12\r\n",
		refused:   []string{"-NOAUTH Authentication required.\r\n", "*-1\r\n", "*2\r\n$5\r\nother\r\n*1\r\n", "$3\r\nabc\r\n", ":\r\n", "+OK\r\n"},
		badTask:   []string{"*2\r\n$4\r\nwork\r\n*1\r\n$65\r\nreply:05 abcdefgh " + oddOptions + "\r\n", "*2\r\n$4\r\nwork\r\n*1\r\n$66\r\nreply:05 abcdefgh " + taskOptions + " \r\n"},
		badAnswer: []string{"*2\r\n$8\r\nreply:05\r\n*1\r\n$28\r\n00000000 " + taskSum + "0\r\n"},
		reply: "*3\r\n$5\r\nLPUSH\r\n$8\r\nreply:05\r\n$27\r\nabcdefgh " + taskSum + "\r\n*3\r\n$5\r\nLPUSH\r\n$8\r\nreply:--\r\n$27\r\n01234567 " + taskSum + "\r\n" +
			"*7\r\n$6\r\nBLMPOP\r\n$1\r\n0\r\n$1\r\n1\r\n$4\r\nwork\r\n$5\r\nRIGHT\r\n$5\r\nCOUNT\r\n$1\r\n4\r\n",
	},
	{
		system: "beanstalkd",
		producer: func(l *ledger, random *source) (debtor, *calls) {
			p := newBeanProducer(5, 2, l, random)
			return p, &p.calls
		},
		worker:   func() peer { return newBeanWorker(1) },
		greeting: "WATCHING 2\r\nWATCHING 1\r\nUSING work\r\nINSERTED 1\r\nINSERTED 1234567890123456789\r\n",
		answer: func(b []byte, slots []slot) []byte {
			for _, s := range slots {
				b = append(binary.LittleEndian.AppendUint64(append(b, "RESERVED 77 27\r\n"...), s.nonce), ' ')
				b = append(appendSum(b, s.sum), "\r\nDELETED\r\nINSERTED 78\r\n"...)
			}
			return b
		},
		task: "WATCHING 2\r\nWATCHING 1\r\nRESERVED 3 60\r\nr05 abcdefgh " + taskOptions + "\r\nUSING r05\r\nINSERTED 5\r\nDELETED\r\n" +
			"RESERVED 4 60\r\nr05 01234567 " + taskOptions + "\r\nINSERTED 6\r\nDELETED\r\n",
		refused:   []string{"OUT_OF_MEMORY\r\n", "DEADLINE_SOON\r\n", "NOT_FOUND\r\n", "RESERVED 3 5\r\nhello\r\n", strings.Repeat("x", maxLine+1)},
		badTask:   []string{"RESERVED 3 60\r\nr05 abcdefgh " + oddOptions + "\r\n"},
		badAnswer: []string{"RESERVED 3 60\r\nr05 abcdefgh " + taskOptions + "\r\n"},
		reply: "use r05\r\nput 0 0 3600 27\r\nabcdefgh " + taskSum + "\r\ndelete 3\r\nreserve\r\n" +
			"put 0 0 3600 27\r\n01234567 " + taskSum + "\r\ndelete 4\r\nreserve\r\n",
	},
}

// gearSays is a packet of the server.
func gearSays(kind uint32, body string) string {
	return strings.Replace(gearPacket(kind, body), "REQ", "RES", 1)
}

// feed gives a peer n more bytes of what a server says at a time, as a loop
// would, and returns what it sends.
func feed(t *testing.T, p peer, in []byte, n int) (sent []byte) {
	t.Helper()
	start := 0
	for end := n; ; end += n {
		end = min(end, len(in))
		used, out, err := p.receive(in[start:end], sent, 1000)
		if err != nil {
			t.Fatalf("%s, at %q: %v", p, in[start:end], err)
		}
		start, sent = start+used, out
		if end == len(in) {
			break
		}
	}
	if start != len(in) {
		t.Fatalf("%s left %q", p, in[start:])
	}
	return sent
}
