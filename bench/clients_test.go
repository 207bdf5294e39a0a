package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// newTestLedger is one that counts.
func newTestLedger() *ledger {
	l := newLedger()
	l.recording = true
	return l
}

// unmask takes the frames of a client apart.
func unmask(t testing.TB, b []byte) (texts []string) {
	for len(b) > 0 {
		size, head := frameSize(b)
		size -= head
		if b[1]&0x80 == 0 || len(b) < head+size {
			t.Fatalf("no masked frame: % x", b)
		}
		text := []byte(string(b[head : head+size]))
		for i := range text {
			text[i] ^= b[head-4+i%4]
		}
		texts, b = append(texts, string(text)), b[head+size:]
	}
	return texts
}

// text is an unmasked text frame, as a server sends it.
func text(s string) []byte { return frameOf(0x81, s) }

func TestClientsSpeakTheWire(t *testing.T) {
	random := source(1)
	p := newProducer(9, 2, metronome{}, newTestLedger(), &random)
	tasks := unmask(t, p.open(nil, 0))
	if len(tasks) != 2 {
		t.Fatalf("the producer sent %q", tasks)
	}
	w := newWorker(3, 2, &random)
	opening := strings.Join(unmask(t, w.open(nil, 0)), " ")
	if want := `{"action":"RegisterTask","name":"work"} {"action":"GetTask"} {"action":"GetTask"}`; opening != want {
		t.Errorf("the worker sent %s, not %s", opening, want)
	}
	for i, task := range tasks {
		nonce, options := decodeTask(t, task)
		if want := fmt.Sprintf(`{"action":"RunTask","name":"work","nonce":"%s","options":%s}`, nonce, options); task != want {
			t.Errorf("the producer sent %s, not %s", task, want)
		}
		for _, serverNonce := range []string{"0", "abcdefgh", "00000001deadbeefcafe1234", strings.Repeat("n", 150)} {
			in := text(fmt.Sprintf(`{"name":"work","options":%s,"nonce":"%s"}`, options, serverNonce))
			used, out, err := w.receive(in, nil, 0)
			if err != nil || used != len(in) {
				t.Fatalf("the worker took %d of %d bytes: %v", used, len(in), err)
			}
			reply := unmask(t, out)
			want := fmt.Sprintf(`{"action":"SendResult","nonce":"%s","result":%s}`, serverNonce, p.slots[i].sum)
			if len(reply) != 2 || reply[0] != want || reply[1] != `{"action":"GetTask"}` {
				t.Errorf("the worker answered %q, not %s", reply, want)
			}
		}
	}
}

// decodeTask reads a RunTask with encoding/json and checks that its numbers
// have a sum that needs no carry.
func decodeTask(t *testing.T, task string) (nonce, options string) {
	t.Helper()
	var m struct {
		Nonce   string
		Options json.RawMessage
	}
	var o struct{ A, B json.Number }
	if err := json.Unmarshal([]byte(task), &m); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(m.Options, &o); err != nil {
		t.Fatal(err)
	}
	for i := 2; i < 18; i++ {
		if o.A[i] < '0' || o.B[i] < '0' || o.A[i]+o.B[i]-'0' > '9' {
			t.Errorf("%s and %s add up with a carry", o.A, o.B)
		}
	}
	return m.Nonce, string(m.Options)
}

func TestSumIsTheSum(t *testing.T) {
	random := source(42)
	for range 1000 {
		a, b := random.draw()
		x, _ := json.Number(a.String()).Float64()
		y, _ := json.Number(b.String()).Float64()
		sum, _ := json.Number(a.plus(b).String()).Float64()
		if d := x + y - sum; d > 1e-15 || d < -1e-15 {
			t.Fatalf("%s + %s is not %s", a, b, a.plus(b))
		}
	}
}

func TestNoncesAreAllDifferent(t *testing.T) {
	seen := map[uint64]bool{}
	for producer := range 40 {
		for slot := range 70 {
			for turn := range uint32(70) {
				n := makeNonce(producer, slot, turn)
				if seen[n] || nonceSlot(n) != slot || uint16(n) != pairs[producer] {
					t.Fatalf("nonce %q of %d, %d, %d", nonceText(n), producer, slot, turn)
				}
				seen[n] = true
			}
		}
	}
	for _, foreign := range []string{"00!00000", "00\"0000}", "00\xff\xff0000"} {
		if i := nonceSlot(binary.LittleEndian.Uint64([]byte(foreign))); i >= 0 {
			t.Errorf("nonce %q names slot %d", foreign, i)
		}
	}
}

func TestProducerTakesAnySplit(t *testing.T) {
	random := source(7)
	l := newTestLedger()
	p := newProducer(0, 3, metronome{}, l, &random)
	p.open(nil, 0)
	l.issuing = false
	var in []byte
	for _, s := range p.slots {
		in = append(in, text(fmt.Sprintf(`{"nonce":"%s","result":%s}`, nonceText(s.nonce), s.sum))...)
	}
	for end, start := 1, 0; end <= len(in); end++ {
		used, _, err := p.receive(in[start:end], nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		start += used
	}
	if l.total != 3 || l.outstanding != 0 || l.faults.err() != nil {
		t.Errorf("%d answers, %d outstanding, %v", l.total, l.outstanding, l.faults.err())
	}
}

func TestHTTPProducerTakesAnySplit(t *testing.T) {
	random := source(7)
	l := newTestLedger()
	p := newHTTPProducer(0, "localhost:9999", 3, metronome{}, l, &random)
	requests := string(p.open(nil, 0))
	head, rest, _ := strings.Cut(requests, "\r\n\r\n")
	if want := "POST /task/work HTTP/1.1\r\nHost: localhost:9999\r\n"; strings.Count(requests, want) != 3 || !strings.HasPrefix(head, want) ||
		!strings.Contains(head, fmt.Sprintf("\r\nContent-Length: %d", strings.Index(rest, "POST"))) {
		t.Errorf("the requests are %q", requests)
	}
	for turn := range 4 {
		var in []byte
		for i := range 3 {
			in = fmt.Appendf(in, "HTTP/1.1 200 OK\r\nDate: %d\r\nContent-Length: 18\r\n\r\n%s", turn/2, p.asked[(p.oldest+i)%3].sum)
		}
		start := 0
		for end := 1; end <= len(in); end++ {
			used, _, err := p.receive(in[start:end], nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			start += used
		}
	}
	if l.total != 12 || l.outstanding != 3 || l.faults.err() != nil {
		t.Errorf("%d answers, %d outstanding, %v", l.total, l.outstanding, l.faults.err())
	}
}

func TestHTTPAnswersOutOfOrderAreWrong(t *testing.T) {
	random := source(7)
	l := newTestLedger()
	p := newHTTPProducer(0, "localhost:9999", 2, metronome{}, l, &random)
	p.open(nil, 0)
	l.issuing = false
	for _, i := range []int{1, 0, 0} {
		in := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n%s", p.asked[i].sum)
		if _, _, err := p.receive(in, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	if l.faults.Wrong != 2 || l.faults.Duplicated != 1 || l.outstanding != 0 {
		t.Errorf("%+v, %d outstanding", l.faults, l.outstanding)
	}
}

func TestResponseHeads(t *testing.T) {
	for _, test := range []struct {
		head string
		want int // -1: refused
	}{
		{"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n", 18},
		{"HTTP/1.1 200\r\nDATE: x\r\ncontent-length:0\r\n", 0},
		{"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n", -1},
		{"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n", -1},
		{"HTTP/1.1 2000\r\nContent-Length: 0\r\n", -1},
		{"HTTP/1.1 200 OK\r\n", -1},
		{"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n", -1},
		{"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n", -1},
		{"HTTP/1.1 200 OK\r\nContent-Length: \r\n", -1},
		{"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n", -1},
		{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n", -1},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", -1},
		{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n", -1},
		{"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n", -1},
		{"HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 1\r\n", -1},
	} {
		got, err := parseHead([]byte(test.head), "200")
		if err != nil {
			got = -1
		}
		if got != test.want {
			t.Errorf("%q has length %d (%v), not %d", test.head, got, err, test.want)
		}
	}
}

func TestResponsesWithoutContentHaveNoLength(t *testing.T) {
	for head, good := range map[string]bool{
		"HTTP/1.1 204 No Content\r\nDate: x\r\n":                    true,
		"HTTP/1.1 204\r\n":                                          true,
		"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n":          false,
		"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n":            false,
		"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n": false,
	} {
		if n, err := parseHead([]byte(head), "204"); n != 0 || (err == nil) != good {
			t.Errorf("%q has length %d, %v", head, n, err)
		}
	}
}

func TestWorkerRefusesWhatIsNoTask(t *testing.T) {
	for _, bad := range []string{
		`{"name":"work","options":{"a":0.5,"b":0.25},"nonce":"x"}`,
		`{"name":"other","options":{"a":0.1234567012345670,"b":0.1111111111111111},"nonce":"x"}`,
		`{"name":"work","options":{"a":0.1234567012345670,"b":0.1111111111111111},"nonce":7}`,
		`{"name":"work"`,
		`{"error":"no"}`,
	} {
		random := source(7)
		if _, _, err := newWorker(0, 1, &random).receive(text(bad), nil, 0); err == nil {
			t.Errorf("the worker took %s", bad)
		}
	}
}

// exchange is a producer and a worker with a server between them that only
// copies: what the bench itself computes.
type exchange struct {
	p       *producer
	w       *worker
	answers []byte
	tasks   []byte
	reply   []byte
	sent    []byte
}

func newExchange(outstanding int) *exchange {
	random := source(3)
	e := &exchange{p: newProducer(0, outstanding, metronome{}, newTestLedger(), &random), w: newWorker(0, 64, &random)}
	e.sent = e.p.open(nil, 0)
	return e
}

// answer makes the answers to all that is outstanding.
func (e *exchange) answer() {
	e.answers = e.answers[:0]
	for i := range e.p.slots {
		s := &e.p.slots[i]
		at := len(e.answers)
		e.answers = append(e.answers, 0x81, byte(resultLen))
		e.answers = append(e.answers, resultHead+"01234567"+resultMiddle+"0123456701234567"+resultTail...)
		binary.LittleEndian.PutUint64(e.answers[at+2+resultNonceAt:], s.nonce)
		s.sum.put(e.answers[at+2+resultSumAt:], 0)
	}
}

func (e *exchange) round() {
	e.answer()
	_, e.sent, _ = e.p.receive(e.answers, e.sent[:0], 1000)
	_, e.reply, _ = e.w.receive(e.tasks, e.reply[:0], 0)
}

func TestClientsDoNotAllocate(t *testing.T) {
	e := newExchange(64)
	for range 64 {
		e.tasks = append(e.tasks, text(`{"name":"work","options":{"a":0.1234567012345670,"b":0.1111111111111111},"nonce":"00000001deadbeefcafe1234"}`)...)
	}
	if n := testing.AllocsPerRun(100, e.round); n > 0 {
		t.Errorf("%g allocations for 64 tasks", n)
	}
	if err := e.p.ledger.faults.err(); err != nil || e.p.ledger.total < 6400 {
		t.Errorf("%d answers: %v", e.p.ledger.total, err)
	}
}

func BenchmarkClients(b *testing.B) {
	e := newExchange(64)
	for range 64 {
		e.tasks = append(e.tasks, text(`{"name":"work","options":{"a":0.1234567012345670,"b":0.1111111111111111},"nonce":"00000001deadbeefcafe1234"}`)...)
	}
	b.ReportAllocs()
	for b.Loop() {
		e.round()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/task")
}
