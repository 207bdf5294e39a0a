package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// sizes of payloads that tests try: around the lengths of frame headers too.
var sizes = []int{minPayload, 125, 126, 1 << 10, 64<<10 - 1, 64 << 10, maxPayload}

func TestTemplatesAreJSONOfTheirSize(t *testing.T) {
	for _, kind := range []string{textPayload, jsonPayload} {
		for _, size := range sizes {
			tmpl := newTemplate(payload{kind, size})
			text := bytes.Clone(tmpl.text)
			random := source(5)
			d, _ := random.draw()
			tmpl.fill(text, d, 0, 0)
			if !json.Valid(text) || len(text) != size || len(tmpl.at) < 2 || size >= 1<<10 && len(tmpl.at) != 3 {
				t.Errorf("%s of %d bytes: %d places, %.300q", kind, size, len(tmpl.at), text)
			}
			if got, ok := tmpl.read(text); !ok || got != d {
				t.Errorf("%s of %d bytes reads as %s, not %s (%v)", kind, size, got, d, ok)
			}
		}
	}
}

func TestDenseJSONIsDense(t *testing.T) {
	text := newTemplate(payload{jsonPayload, 64 << 10}).text
	if n := bytes.Count(text, []byte(":")); n < 4000 {
		t.Errorf("%d members in %d bytes", n, len(text))
	}
	if strings.Contains(string(text), "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx") {
		t.Error("much of it is padding")
	}
}

func TestEveryByteOfAPayloadIsChecked(t *testing.T) {
	for _, kind := range []string{textPayload, jsonPayload} {
		tmpl := newTemplate(payload{kind, 300})
		random := source(5)
		d, _ := random.draw()
		text := bytes.Clone(tmpl.text)
		tmpl.fill(text, d, 0, 0)
		for i := range text {
			text[i] ^= 1
			if got, ok := tmpl.read(text); ok && got == d {
				t.Errorf("%s: byte %d may be anything", kind, i)
			}
			text[i] ^= 1
		}
		if _, ok := tmpl.read(text[:299]); ok {
			t.Errorf("%s: it may be shorter", kind)
		}
	}
}

// payloadPair are a producer and a worker of a scenario.
func payloadPair(sc scenario, l *ledger) (*payloadProducer, *payloadWorker) {
	random := source(3)
	tmpl := newTemplate(sc.Payload)
	return newPayloadProducer(7, sc, tmpl, newMetronome(0, 1, sc.Rate), l, &random), newPayloadWorker(2, sc, tmpl, &random)
}

func TestPayloadClientsSpeakTheWire(t *testing.T) {
	for _, names := range []int{0, 3} {
		for _, size := range sizes {
			sc := payloadScenario("x", payload{jsonPayload, size})
			sc.Outstanding, sc.Credits, sc.Names = 5, 2, names
			l := newTestLedger()
			p, w := payloadPair(sc, l)
			opening := strings.Join(unmask(t, w.open(nil, 0)), " ")
			if want := `{"action":"RegisterTask","name":"work"} {"action":"GetTask"} {"action":"GetTask"}`; names == 0 && opening != want {
				t.Errorf("the worker sent %s, not %s", opening, want)
			}
			if names == 3 && !strings.Contains(opening, `"work0002"} {"action":"GetTask"`) {
				t.Errorf("the worker sent %s", opening)
			}
			tasks := unmask(t, p.open(nil, 0))
			for i, task := range tasks {
				var m struct {
					Action, Name, Nonce string
					Options             json.RawMessage
				}
				if err := json.Unmarshal([]byte(task), &m); err != nil || m.Action != "RunTask" {
					t.Fatalf("%v: %s", err, task)
				}
				if want := (taskNames{names}).at(i % max(names, 1)); m.Name != want {
					t.Errorf("task %d is for %s, not %s", i, m.Name, want)
				}
				out := relayTo(t, w, fmt.Sprintf(`{"name":"%s","options":%s,"nonce":"00000001deadbeefcafe1234"}`, m.Name, m.Options))
				if want := fmt.Sprintf(`{"action":"SendResult","nonce":"00000001deadbeefcafe1234","result":%s}`, m.Options); out != want {
					t.Errorf("the worker answered %.300s, not %.300s", out, want)
				}
				if out := relayTo(t, w, fmt.Sprintf(`{"nonce":"7", "options":%s,"name":"%s"}`, m.Options, m.Name)); !strings.Contains(out, `"nonce":"7"`) {
					t.Errorf("to a task in another order: %.300s", out)
				}
				in := text(fmt.Sprintf(`{"nonce":"%s","result":%s}`, m.Nonce, m.Options))
				l.issuing = false
				if used, _, err := p.receive(in, nil, 1000); err != nil || used != len(in) {
					t.Fatalf("the producer took %d of %d bytes: %v", used, len(in), err)
				}
			}
			if l.answered != 5 || l.outstanding != 0 || l.faults.err() != nil {
				t.Errorf("%d answers, %d outstanding, %v", l.answered, l.outstanding, l.faults.err())
			}
		}
	}
}

// relayTo gives a worker a task and returns the result that it sends.
func relayTo(t *testing.T, w *payloadWorker, task string) string {
	t.Helper()
	in := text(task)
	used, out, err := w.receive(in, nil, 0)
	if err != nil || used != len(in) {
		t.Fatalf("the worker took %d of %d bytes: %v", used, len(in), err)
	}
	reply := unmask(t, out)
	if len(reply) != 2 || reply[1] != `{"action":"GetTask"}` {
		t.Fatalf("the worker answered %.300q", reply)
	}
	return reply[0]
}

func TestPayloadProducerFindsFaults(t *testing.T) {
	sc := payloadScenario("x", payload{textPayload, 200})
	l := newTestLedger()
	p, _ := payloadPair(sc, l)
	tasks := unmask(t, p.open(nil, 0))
	options := func(i int) string { return between([]byte(tasks[i]), `"options":"`) }
	for _, answer := range []string{
		fmt.Sprintf(`{"nonce":"%s","result":"%s"}`, nonceText(p.slots[0].nonce), options(1)),
		fmt.Sprintf(`{"result":"%s","nonce":"%s"}`, options(1), nonceText(p.slots[1].nonce)),
		fmt.Sprintf(`{"nonce":"%s","result":"%s"}`, nonceText(makeNonce(7, 0, 1)), options(0)),
		`{"nonce":"0000","result":1}`,
	} {
		l.issuing = false
		if _, _, err := p.receive(text(answer), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	p.lost()
	if f := l.faults; f.Wrong != 1 || f.Duplicated != 1 || f.Stray != 1 || f.Lost != 62 || l.answered != 1 {
		t.Errorf("%+v, %d answers", f, l.answered)
	}
}

func TestPayloadWorkerRefusesWhatIsNotItsTask(t *testing.T) {
	sc := namesScenario("x", 3)
	_, w := payloadPair(sc, newTestLedger())
	good := bytes.Clone(w.template.text)
	random := source(9)
	d, _ := random.draw()
	w.template.fill(good, w.names.sign(d, 1), 0, 0)
	for _, bad := range []string{
		fmt.Sprintf(`{"name":"work0002","options":%s,"nonce":"x"}`, good),
		fmt.Sprintf(`{"name":"work0001","options":%s,"nonce":"x"}`, bytes.ToUpper(good)),
		fmt.Sprintf(`{"name":"work0001","options":%s,"nonce":7}`, good),
		`{"name":"work0001"`,
	} {
		if _, _, err := w.receive(text(bad), nil, 0); err == nil {
			t.Errorf("the worker took %s", bad)
		}
	}
	if _, _, err := w.receive(text(fmt.Sprintf(`{"name":"work0001","options":%s,"nonce":"x"}`, good)), nil, 0); err != nil {
		t.Error(err)
	}
}

func TestPayloadClientsDoNotAllocate(t *testing.T) {
	sc := namesScenario("x", 10)
	l := newTestLedger()
	p, w := payloadPair(sc, l)
	sent := p.open(nil, 0)
	answers, tasks, replies := []byte{}, []byte{}, []byte{}
	answer := `{"nonce":"12345678","result":` + string(p.template.text) + `}`
	task := `{"name":"work0000","options":` + string(p.template.text) + `,"nonce":"00000001deadbeefcafe1234"}`
	answerFrame, taskFrame := text(answer), text(task)
	if n := testing.AllocsPerRun(100, func() {
		answers, tasks = answers[:0], tasks[:0]
		for _, s := range p.slots {
			answers = append(answers, answerFrame...)
			at := answers[len(answers)-len(answer):]
			binary.LittleEndian.PutUint64(at[len(resultHead):], s.nonce)
			p.template.fill(at[len(resultHead)+nonceLen+len(`","result":`):], s.sum, 0, 0)
			tasks = append(tasks, taskFrame...)
			at = tasks[len(tasks)-len(task):]
			binary.LittleEndian.PutUint32(at[len(`{"name":"work`):], uint32(s.sum.lo))
			w.template.fill(at[len(`{"name":"work0000","options":`):], s.sum, 0, 0)
		}
		var err, err2 error
		_, replies, err = w.receive(tasks, replies[:0], 0)
		_, sent, err2 = p.receive(answers, sent[:0], 1000)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
	}); n > 0 {
		t.Errorf("%g allocations for 64 tasks", n)
	}
	if l.faults.err() != nil || l.answered < 6400 {
		t.Errorf("%d answers, %v", l.answered, l.faults.err())
	}
}

func TestNamesAreTheirDigits(t *testing.T) {
	n := taskNames{maxNames}
	seen := map[string]bool{}
	for i := range maxNames {
		d := n.sign(digits{zeros, zeros}, i)
		if name := n.at(i); seen[name] || !n.signed([]byte(name), d) || n.signed([]byte(n.at((i+1)%maxNames)), d) {
			t.Fatalf("name %d is %q", i, name)
		} else {
			seen[name] = true
		}
	}
}
