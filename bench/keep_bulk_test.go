package main

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"
)

// bulkAnswer acknowledges two runs whose message has a nonce; between stands
// between them.
func bulkAnswer(nonce uint64, between string) string {
	one := `{"id":"` + uuid + `","task":"work","state":"pending"}`
	return `{"nonce":"` + nonceText(nonce) + `","runs":[` + one + between + one + `]}`
}

// newBulkPair is a producer that has sent a message for two runs.
func newBulkPair(t *testing.T) (*bulkSubmitter, string) {
	t.Helper()
	random := source(7)
	s := newBulkSubmitter(scenario{Outstanding: 2}, 5, newPromises(mustFind(t, "durable")), newTestLedger(), &random)
	if sent := s.open(nil, 0); len(sent) > 0 || s.due() != 0 {
		t.Fatalf("it sends %q before its time, which is %d", sent, s.due())
	}
	sent := unmask(t, s.fire(nil, 500))
	if len(sent) != 1 || s.due() != never || len(s.fire(nil, 600)) > 0 {
		t.Fatalf("it sends %q, and is due at %d", sent, s.due())
	}
	return s, sent[0]
}

func TestBulkSpeaksTheWire(t *testing.T) {
	s, sent := newBulkPair(t)
	want := `{"action":"RunTasks","name":"work","nonce":"` + nonceText(s.slots[0].nonce) + `","options":[` + runText(0) + `,` + runText(1) + `]}`
	if sent != want {
		t.Errorf("it sent %s, not %s", sent, want)
	}
	for n := 1000; n > 0; n /= 2 {
		for _, between := range []string{",", " ,\n"} {
			s, _ := newBulkPair(t)
			next := unmask(t, feed(t, s, []byte("\x89\x00"+string(text(bulkAnswer(s.slots[0].nonce, between)))), n))
			if err := s.ledger.faults.err(); err != nil || s.acknowledged != 2 || s.issued != 4 || s.ledger.total != 2 || len(next) != 2 ||
				!strings.Contains(next[1], fmt.Sprintf(`"a":%s`, runDigits(5, 3))) {
				t.Fatalf("%d bytes at a time: %v, %d acknowledged, %d submitted, %q", n, err, s.acknowledged, s.issued, next)
			}
		}
	}
}

func TestBulkRefusesWhatIsNotIts(t *testing.T) {
	for _, says := range []string{
		`{`, `{"nonce":"%s","error":{"status":503}}`, `{"nonce":"%s","runs":[]}`,
		`{"nonce":"%s","runs":[{"id":"` + uuid + `","task":"work","state":"pending"},{"type":"urn:workman:problem:store-full"}]}`,
		`{"nonce":"%s","runs":[{"id":"` + uuid + `","task":"work","state":"pending"},{"id":"` + strings.Repeat("x", 36) + `","task":"work","state":"pending"}]}`,
	} {
		s, _ := newBulkPair(t)
		says = strings.Replace(says, "%s", nonceText(s.slots[0].nonce), 1)
		if _, _, err := s.receive(text(says), nil, 0); err == nil {
			t.Errorf("it took %s", says)
		}
	}
	s, _ := newBulkPair(t)
	s.ledger.issuing = false
	answer := text(bulkAnswer(s.slots[0].nonce, ","))
	feed(t, s, append(answer, answer...), 1000)
	if err := s.ledger.faults.err(); err == nil || !strings.Contains(err.Error(), "0 wrong, 1 duplicated, 0 stray") {
		t.Errorf("two answers: %v", err)
	}
}

func TestBulkDoesNotAllocate(t *testing.T) {
	s, _ := newBulkPair(t)
	answer := text(bulkAnswer(s.slots[0].nonce, ","))
	at := strings.Index(string(answer), nonceText(s.slots[0].nonce))
	var sent []byte
	n := testing.AllocsPerRun(200, func() {
		binary.LittleEndian.PutUint64(answer[at:], s.slots[0].nonce)
		_, sent, _ = s.receive(answer, sent[:0], 1000)
	})
	if err := s.ledger.faults.err(); n > 0 || err != nil || s.acknowledged < 400 {
		t.Errorf("%g allocations for a message, %v; %d acknowledged", n, err, s.acknowledged)
	}
}

// TestBulkOfWorkman plays it against a small server of workman's wire, beside
// the scenario that has one run a message.
func TestBulkOfWorkman(t *testing.T) {
	all, err := parse(t, "--scenario", "durable", "--bulk", "9").scenarios()
	if err != nil || len(all) != 2 || all[0].Bulk || !all[1].Bulk || all[0].Outstanding != 9 || all[1].Outstanding != 9 || !strings.Contains(all[0].What, "× 9 ") {
		t.Fatalf("%+v, %v", all, err)
	}
	for fault, want := range map[string]string{"": "", "odd": "", "refuse": "a run was answered", "forget": "after a kill: the run 01234567-89ab-7def-8123-"} {
		sc := all[1]
		sc.Producers, sc.Kept = 3, 30
		g := storingStage(t, testProgram(t, workman, fault), sc)
		g.pace.kept = 2 * time.Second
		if want == "" {
			g.pace.measure = 1100 * time.Millisecond
			checkStored(t, g)
			continue
		}
		if _, err := g.run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, not %q", fault, err, want)
		}
	}
}
