package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestMetronomesTakeTurns(t *testing.T) {
	const n, rate = 4, 1000.0
	for i := range n {
		m := newMetronome(i, n, rate)
		m.start(5)
		if want := int64(4 * time.Millisecond); m.every != want || m.due() != 5+int64(i)*want/4 {
			t.Errorf("number %d ticks every %d ns from %d on", i, m.every, m.due())
		}
	}
	if m := newMetronome(1, n, 0); m.ticks() || m.due() != never {
		t.Errorf("without a rate: %+v", m)
	}
}

func TestProducerSendsWhenTasksAreDue(t *testing.T) {
	random := source(7)
	l := newTestLedger()
	p := newProducer(0, 3, newMetronome(0, 1, 1e6), l, &random) // one a µs
	if out := p.open(nil, 10_000); len(out) > 0 || p.due() != 10_000 {
		t.Fatalf("%d bytes at once, the next task at %d", len(out), p.due())
	}
	// the bench comes 4 µs late: five tasks are due, and three fit
	if tasks := unmask(t, p.fire(nil, 14_000)); len(tasks) != 3 || l.outstanding != 3 || l.unsent != 2 || p.due() != 15_000 {
		t.Fatalf("%q; %d outstanding, %d not sent, the next at %d", tasks, l.outstanding, l.unsent, p.due())
	}
	if got := l.lateness.Max(); got != 4 {
		t.Errorf("the latest was sent %d µs late", got)
	}
	var in []byte
	for _, s := range p.slots {
		in = append(in, text(fmt.Sprintf(`{"nonce":"%s","result":%s}`, nonceText(s.nonce), s.sum))...)
	}
	if _, out, err := p.receive(in, nil, 20_000); err != nil || len(out) > 0 {
		t.Fatalf("%d bytes in answer to answers, %v", len(out), err)
	}
	if lo, hi := l.latency.Min(), l.latency.Max(); l.answered != 3 || lo != 8 || hi != 10 {
		t.Errorf("%d answers, %d to %d µs after they were due", l.answered, lo, hi)
	}
	if tasks := unmask(t, p.fire(nil, 15_000)); len(tasks) != 1 || l.faults.err() != nil {
		t.Errorf("then %q, %v", tasks, l.faults.err())
	}
}

func TestHTTPProducerSendsWhenTasksAreDue(t *testing.T) {
	random := source(7)
	l := newTestLedger()
	p := newHTTPProducer(0, "h", 3, newMetronome(0, 1, 1e6), l, &random)
	if out := p.open(nil, 0); len(out) > 0 {
		t.Fatalf("at once: %q", out)
	}
	if out := p.fire(nil, 4000); strings.Count(string(out), "POST ") != 3 || l.unsent != 2 || p.due() != 5000 {
		t.Fatalf("%q; %d not sent, the next at %d", out, l.unsent, p.due())
	}
	in := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n%s", p.asked[0].sum)
	if _, out, err := p.receive(in, nil, 20_000); err != nil || len(out) > 0 {
		t.Fatalf("%q in answer to an answer, %v", out, err)
	}
	if l.answered != 1 || l.latency.Max() != 20 {
		t.Errorf("%d answers, the last %d µs after it was due", l.answered, l.latency.Max())
	}
}

func TestPacedProducersDoNotAllocate(t *testing.T) {
	e := newExchange(64)
	e.p.beat = newMetronome(0, 1, 1e9)
	e.p.free = make([]uint16, 0, 64)
	now := int64(1 << 40)
	e.p.beat.start(now - 64)
	if n := testing.AllocsPerRun(100, func() {
		e.answer()
		e.p.receive(e.answers, nil, now)
		e.sent = e.p.fire(e.sent[:0], now+63)
		now += 64
	}); n > 0 {
		t.Errorf("%g allocations for 64 tasks", n)
	}
}

func TestRateIsHeld(t *testing.T) {
	for _, name := range []string{"s2", "http"} {
		t.Run(name, func(t *testing.T) {
			sc := mustFind(t, name)
			sc.Rate = 2000
			entries, err := runRound(t.Context(), sc, startTestRelay(t, ""), 2, quick, "", silent())
			if err != nil {
				t.Fatal(err)
			}
			r := entries[0].round
			checkRound(t, r)
			if got := r.Rate + float64(r.Unsent)/r.Seconds; got < 1500 || got > 2500 || r.Late < 1 {
				t.Errorf("%.0f tasks a second, %d not sent, %.0f µs late", r.Rate, r.Unsent, r.Late)
			}
		})
	}
}

func TestWhatWasNotSentIsTold(t *testing.T) {
	var b strings.Builder
	writePaces(&b, []result{{"s1", workman, rounds(1, 1)}, {"s2", workman, []round{{Unsent: 1234, Late: 56}}}})
	if want := "  s2 workman: 56 µs; 1,234 a round were not sent, for too many were unanswered\n"; !strings.HasSuffix(b.String(), "it):\n"+want) {
		t.Errorf("%q", b.String())
	}
}
