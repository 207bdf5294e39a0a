package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
)

// newTestProducer makes a producer, sends its first tasks and returns the calls
// that are outstanding.
func (c *conversation) newTestProducer() (debtor, *calls) {
	random := source(7)
	p, calls := c.producer(newTestLedger(), &random)
	p.open(nil, 0)
	return p, calls
}

func TestPeerProducersTakeAnySplit(t *testing.T) {
	for _, c := range tested {
		t.Run(c.system, func(t *testing.T) {
			var want string
			for n := 1000; n > 0; n /= 2 { // the whole first, single bytes last
				p, calls := c.newTestProducer()
				sent := feed(t, p, c.answer([]byte(c.greeting), calls.slots), n)
				l := calls.ledger
				if l.total != 2 || l.outstanding != 2 || l.faults.err() != nil {
					t.Fatalf("%d bytes at a time: %d answers, %d outstanding, %v", n, l.total, l.outstanding, l.faults.err())
				}
				if want == "" {
					want = string(sent)
				}
				if string(sent) != want || strings.Count(want, optionsHead) != 2 {
					t.Fatalf("%d bytes at a time it sent %q, not %q", n, sent, want)
				}
			}
		})
	}
}

func TestPeerWorkersTakeAnySplit(t *testing.T) {
	for _, c := range tested {
		t.Run(c.system, func(t *testing.T) {
			for n := 1000; n > 0; n /= 2 {
				w := c.worker()
				w.open(nil, 0)
				if sent := feed(t, w, []byte(c.task), n); string(sent) != c.reply {
					t.Fatalf("%d bytes at a time it sent %q, not %q", n, sent, c.reply)
				}
			}
		})
	}
}

func TestPeerProducersSendSumsThatFit(t *testing.T) {
	for _, c := range tested {
		random := source(3)
		p, calls := c.producer(newTestLedger(), &random)
		sent := string(p.open(nil, 0))
		for _, s := range calls.slots {
			_, rest, _ := strings.Cut(sent, optionsHead)
			a, b, ok := parseOptions([]byte(optionsHead + rest[:optionsLen-len(optionsHead)]))
			if !ok || a.plus(b) != s.sum || c.system != "gearmand" && !strings.Contains(sent, nonceText(s.nonce)) {
				t.Errorf("%s sent %q for %+v", c.system, sent, s)
			}
			sent = rest
		}
	}
}

func TestPeerProducersFindFaults(t *testing.T) {
	for _, c := range tested {
		for _, test := range []struct {
			fault string
			spoil func(slots []slot) // before the answers are made of them
			want  string
		}{
			{"a wrong sum", func(s []slot) { s[0].sum.lo ^= 1 }, "1 wrong, 0 duplicated, 0 stray, 0 lost"},
			{"two swapped", func(s []slot) { s[0].sum, s[1].sum = s[1].sum, s[0].sum }, "2 wrong, 0 duplicated, 0 stray, 0 lost"},
			{"one twice", func(s []slot) { s[0] = s[1] }, "0 wrong, 1 duplicated, 0 stray, 1 lost"},
			{"somebody else's", func(s []slot) { s[0].nonce = makeNonce(6, 0, 1) }, "0 wrong, 0 duplicated, 1 stray, 1 lost"},
		} {
			if c.system == "gearmand" && strings.Contains(test.want, "1 lost") {
				continue // it tells jobs by handles: see TestGearmanHandles
			}
			p, calls := c.newTestProducer()
			calls.ledger.issuing = false
			slots := append([]slot(nil), calls.slots...)
			test.spoil(slots)
			feed(t, p, c.answer([]byte(c.greeting), slots), 1000)
			p.lost()
			if err := calls.ledger.faults.err(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s, %s: %v, not %q", c.system, test.fault, err, test.want)
			}
		}
	}
}

func TestGearmanHandles(t *testing.T) {
	random := source(7)
	l := newTestLedger()
	l.issuing = false
	p := newGearProducer(0, 2, l, &random)
	p.open(nil, 0)
	sum := p.slots[1].sum.String()
	in := gearSays(gearJobCreated, "H:m:7") + gearSays(gearJobCreated, "H:m:8") + gearSays(gearWorkComplete, "H:m:8\x00"+sum) +
		gearSays(gearWorkComplete, "H:m:8\x00"+sum) + gearSays(gearWorkComplete, "H:m:9\x00"+sum)
	feed(t, p, []byte(in), 1000)
	p.lost()
	if err := l.faults.err(); err == nil || !strings.Contains(err.Error(), "0 wrong, 0 duplicated, 2 stray, 1 lost") || l.total != 1 {
		t.Errorf("%d answers, %v", l.total, err)
	}
	for _, pair := range [][2]string{{"H:m:7", "H:m:17"}, {"H:machine:99999999", "H:machine:99999998"}, {"a", "\x00a"}, {"", "a"}} {
		if handleKey([]byte(pair[0])) == handleKey([]byte(pair[1])) || handleKey([]byte(pair[0])) == 0 {
			t.Errorf("%q and %q are the same handle", pair[0], pair[1])
		}
	}
}

func TestPeersRefuseWhatIsNotTheirs(t *testing.T) {
	for _, c := range tested {
		for _, says := range append(c.badTask, c.refused...) {
			w := c.worker()
			w.open(nil, 0)
			if _, _, err := w.receive([]byte(says), nil, 0); err == nil {
				t.Errorf("%s's worker took %.100q", c.system, says)
			}
		}
		for _, says := range append(c.badAnswer, c.refused...) {
			p, _ := c.newTestProducer()
			if _, _, err := p.receive([]byte(says), nil, 0); err == nil {
				t.Errorf("%s's producer took %.100q", c.system, says)
			}
		}
	}
}

func TestPeersDoNotAllocate(t *testing.T) {
	for _, c := range tested {
		p, calls := c.newTestProducer()
		w := c.worker()
		w.open(nil, 0)
		var in, sent []byte
		task := []byte(c.task)
		n := testing.AllocsPerRun(100, func() { // as in most reads, a part of a message is left each time
			in = c.answer(in[:0], calls.slots)
			var used int
			used, sent, _ = p.receive(in[:len(in)-20], sent[:0], 1000)
			_, sent, _ = p.receive(in[used:], sent, 1000)
			used, sent, _ = w.receive(task[:len(task)/2], sent[:0], 0)
			_, sent, _ = w.receive(task[used:], sent, 0)
		})
		if err := calls.ledger.faults.err(); n > 0 || err != nil || calls.ledger.total < 200 {
			t.Errorf("%s: %g allocations for four tasks; %d answers, %v", c.system, n, calls.ledger.total, err)
		}
	}
}

func BenchmarkPeerClients(b *testing.B) {
	for _, c := range tested {
		b.Run(c.system, func(b *testing.B) {
			p, calls := c.newTestProducer()
			w := c.worker()
			w.open(nil, 0)
			var in, sent []byte
			task := []byte(c.task)
			b.ReportAllocs()
			for b.Loop() {
				in = c.answer(in[:0], calls.slots)
				_, sent, _ = p.receive(in, sent[:0], 1000)
				_, sent, _ = w.receive(task, sent, 0)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2, "ns/task")
		})
	}
}

func TestFramedPeersTakeAnySplitOfFrames(t *testing.T) {
	c := tested[0]
	for cut := 1; cut <= len(c.task); cut += 7 { // bytes of the stream in a frame
		var in []byte
		for rest := c.task; rest != ""; {
			n := min(cut, len(rest))
			in = append(append(in, 0x82), text(rest[:n])[1:]...)
			in = append(in, 0x89, 0) // a ping between
			rest = rest[n:]
		}
		for _, n := range []int{1, 10, len(in)} {
			f := &framed{inner: c.worker(), mask: newMask(0x12345678)}
			f.open(nil, 0)
			var stream string
			pongs := 0
			for _, payload := range unmask(t, feed(t, f, in, n)) {
				if payload == "" {
					pongs++
				}
				stream += payload
			}
			if stream != c.reply || pongs != (len(c.task)+cut-1)/cut {
				t.Fatalf("cut at %d, %d bytes at a time: %d pongs and %q, not %q", cut, n, pongs, stream, c.reply)
			}
		}
	}
}

func TestFramedPeersSayWhoTheyAre(t *testing.T) {
	random := source(1)
	p := newNATSProducer(5, 1, newTestLedger(), &random)
	f := &framedDebtor{framed{inner: p, mask: newMask(1)}, p}
	f.open(nil, 0)
	if _, _, err := f.receive([]byte("\x88\x02\x03\xe9"), nil, 0); err == nil || !strings.Contains(err.Error(), "1001") {
		t.Errorf("a close is %v", err)
	}
	f.lost()
	if err := p.ledger.faults.err(); err == nil || f.String() != "NATS producer 5" {
		t.Errorf("%s: %v", f, fmt.Sprint(err))
	}
}

// serveOnce answers one connection with what says, once all of until has come.
func serveOnce(t *testing.T, until, says string) (addr string, heard *atomic.Bool) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	heard = new(atomic.Bool)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var all []byte
		for b := make([]byte, 1000); !strings.HasSuffix(string(all), until); {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			all = append(all, b[:n]...)
		}
		heard.Store(true)
		io.WriteString(conn, says)
	}()
	return l.Addr().String(), heard
}

func TestNATSWorkerIsSubscribedBeforeTasksAreSent(t *testing.T) {
	addr, heard := serveOnce(t, natsConnect+natsSubscribe, "INFO {}\r\nPONG\r\nPI")
	s, w, err := natsClients{}.worker(scenario{}, addr, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer closeSocket(s.fd)
	if !heard.Load() || string(s.said) != "PI" || len(w.open(nil, 0)) > 0 {
		t.Errorf("heard %v, left %q, and it would greet again: %q", heard.Load(), s.said, w.open(nil, 0))
	}
	for says, want := range map[string]string{"-ERR 'no'\r\n": "-ERR 'no'", "": "waiting for the server's answer to NATS worker 3"} {
		addr, _ := serveOnce(t, natsSubscribe, says)
		if _, _, err := (natsClients{}).worker(scenario{}, addr, 3, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, not %q", says, err, want)
		}
	}
}
