package protocol_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"workman/dispatch"
	"workman/protocol"
)

const linesType = "Content-Type: application/x-ndjson\n"

// member is the nonce of one run of the connection's request number id for many, from 1.
func member(id, i int) string {
	return string(binary.AppendUvarint(binary.AppendUvarint([]byte{3}, uint64(id)), uint64(i)))
}

// stored are terms of a run that is acknowledged once it is stored, with what set says beyond that.
func storedTerms(set func(*dispatch.Terms)) string {
	return said(func(t *dispatch.Terms) {
		t.Promise, t.Reply = true, dispatch.ReplyAccepted
		set(t)
	})
}

// TestBulkEvents: each line, or element, is an event of its own, byte for byte, and all have the terms of the request.
func TestBulkEvents(t *testing.T) {
	nothing := func(*dispatch.Terms) {}
	blue := func(t *dispatch.Terms) { t.Labels, t.Attempts = []byte("team:blue\n"), 2 }
	bodies := []string{`{"a": 1.0e+2}`, `"\u00e9"`, `null`}
	for _, c := range []struct {
		name  string
		say   func(d *desk) string
		ws    bool
		terms [3]string
	}{
		{"lines", func(d *desk) string {
			return d.ask("POST /task/w%6frk", linesType, "\n"+bodies[0]+"\r\n \n"+bodies[1]+" \n\t"+bodies[2])
		}, false, [3]string{storedTerms(nothing), storedTerms(nothing), storedTerms(nothing)}},
		{"lines with terms", func(d *desk) string {
			return d.ask("POST /task/work?attempts=2&label=team:blue", "content-type: Application/X-NDJSON; charset=utf-8\nPrefer: wait=5\n",
				strings.Join(bodies, "\n"))
		}, false, [3]string{storedTerms(blue), storedTerms(blue), storedTerms(blue)}},
		{"lines with a key", func(d *desk) string {
			return d.ask("POST /task/work", linesType+"Idempotency-Key: \"a b\"\n", strings.Join(bodies, "\n"))
		}, false, keyedTerms("a b", nothing)},
		{"elements", func(d *desk) string {
			return d.say(`{"action":"RunTasks","name":"w\u006frk","options":[` + strings.Join(bodies, " ,\n") + `]}`)
		}, true, [3]string{storedTerms(nothing), storedTerms(nothing), storedTerms(nothing)}},
		{"elements with a key", func(d *desk) string {
			return d.say(`{"nonce":1,"options":[` + strings.Join(bodies, ",") + `],"action":"RunTasks","labels":{"team":"blue"},"attempts":2,` +
				`"durable":true,"wait":null,"key":"\u00e9","name":"work"}`)
		}, true, keyedTerms("é", blue)},
	} {
		endpoint := ""
		if c.ws {
			endpoint = "/websocket"
		}
		d := newDesk(t, endpoint)
		if out := c.say(d); out != "" {
			t.Errorf("%s: answered at once: %s", c.name, out)
			continue
		}
		var want []heard
		for i, body := range bodies {
			more := uint32(1) // of the same request
			if i == len(bodies)-1 {
				more = 0
			}
			want = append(want, heard{kind: dispatch.RunTask, name: "work", body: body, nonce: member(1, i), terms: c.terms[i], count: more})
		}
		if !slices.Equal(d.events, want) {
			t.Errorf("%s:\n%+v, want\n%+v", c.name, d.events, want)
		}
	}
}

func keyedTerms(key string, set func(*dispatch.Terms)) (all [3]string) {
	for i := range all {
		all[i] = storedTerms(func(t *dispatch.Terms) { set(t); t.Key = fmt.Appendf(nil, "%s/%d", key, i) })
	}
	return all
}

// TestBulkIsOneInput: whatever comes before and after it, all runs of a request are passed on together.
func TestBulkIsOneInput(t *testing.T) {
	l := newLobby(t)
	var inputs []int
	front := protocol.NewFront(func(in dispatch.Input) { inputs = append(inputs, len(in.Events)) })
	framing, err := protocol.NewFraming(protocol.DefaultConfig(), l, front)
	if err != nil {
		t.Fatal(err)
	}
	s := new(protocol.Session)
	framing.Start(s, 1)
	body := strings.Repeat("{}\n", protocol.MaxBulk)
	for i := 0; i < len(body); { // in pieces, as a socket has them
		n := min(len(body)-i, 8<<10)
		if i == 0 {
			s.Feed(fmt.Appendf(nil, "POST /task/one HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"+
				"POST /task/many HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n", len(body)))
		}
		s.Feed([]byte(body[i : i+n]))
		front.Flush()
		i += n
	}
	if !slices.Equal(inputs, []int{1, protocol.MaxBulk}) {
		t.Errorf("inputs of %v events", inputs)
	}
	front.Flush()
	if s.Held() < 16*protocol.MaxBulk {
		t.Errorf("%d bytes are held for the answer: they are not counted", s.Held())
	}
	s.End()
	if s.Held() != 0 {
		t.Errorf("%d bytes are held when the connection is gone", s.Held())
	}
}

func TestBulkIsRefused(t *testing.T) {
	long := strings.Repeat("k", 254)
	labels := ""
	for i := range 16 {
		labels += "&label=" + strconv.Itoa(i) + ":" + strings.Repeat("x", 256)
	}
	many := strings.Repeat("1\n", protocol.MaxBulk)
	for _, c := range []struct{ target, head, body, want string }{
		{"POST /task/work", "", "1\nno\n2\n", "400 Bad Request…bad-json…line 2, which begins at byte 2 of the body"},
		{"POST /task/work", "", "", "400 Bad Request…bad-json…the body has no lines"},
		{"POST /task/work", "", many + "1\n", "413 …too-many-runs…at most 10000 runs"},
		{"POST /task/work?attempts=2" + labels, "", many, "413 …too-many-runs…comes to more than 16777216 bytes"},
		{"POST /task/%00", "", "1\n", "400 Bad Request…bad-name…"},
		{"POST /task/work?priority=10", "", "1\n", "422 …bad-term…"},
		{"POST /task/work?priorty=9", "", "1\n", "422 …bad-term…priorty"},
		{"POST /task/work", "Idempotency-Key: \n", "1\n", "400 Bad Request…bad-key…"},
		{"POST /task/work", "Idempotency-Key: " + long + "\n", "1\n", "400 Bad Request…bad-key…too long a key for 1 runs"},
	} {
		d := newDesk(t, "")
		out := d.ask(c.target, linesType+c.head, c.body)
		for part := range strings.SplitSeq(c.want, "…") {
			if !strings.Contains(out, part) || len(d.events) > 0 || d.session.Held() != 0 {
				t.Errorf("%.60s %.40s: %d events, want %q in\n%s", c.target, c.head, len(d.events), part, out)
			}
		}
	}
	const run = `{"action":"RunTasks","nonce":7,"name":"work",`
	for message, want := range map[string]string{
		run + `"wait":1,"options":[1]}`:                           "bad-term…wait is no term of RunTasks",
		run + `"options":{"a":1}}`:                                "bad-message…must be an array",
		run + `"options":[]}`:                                     "bad-message…must be an array",
		run + `"key":"k"}`:                                        "bad-message…must be an array",
		run + `"options":[` + strings.Repeat("1,", 1e4) + `1]}`:   "too-many-runs…",
		run + `"options":[1],"ttl":-5}`:                           "bad-term…is no value for ttl",
		run + `"options":[1],"key":"` + long + `"}`:               "bad-key…too long a key for 1 runs",
		`{"action":"RunTasks","nonce":7,"name":"","options":[1]}`: "bad-name…",
	} {
		d := newDesk(t, "/websocket")
		out := d.say(message)
		kind, detail, _ := strings.Cut(want, "…")
		if !strings.HasPrefix(out, `{"nonce":7,"error":{"type":"urn:workman:problem:`+kind+`"`) || !strings.Contains(out, detail) || len(d.events) > 0 {
			t.Errorf("%.80s: %+v, want %s in\n%s", message, d.events, want, out)
		}
	}
}

// settle has the runs of a desk's requests acknowledged or refused, in an order.
func (d *desk) settle(order []int, why func(i int) dispatch.Reason, seqs ...uint64) {
	events := slices.Clone(d.events)
	for _, i := range order {
		e := dispatch.Effect{Kind: dispatch.Accepted, To: 1, Nonce: []byte(events[i].nonce), Body: view(dispatch.Pending, false)}
		if len(seqs) > 0 {
			e.Seq = seqs[i]
		}
		if e.Reason = why(i); e.Reason != 0 {
			e.Kind, e.Body = dispatch.Refused, nil
		}
		protocol.Encode(&d.session, &e)
	}
}

func accepted(int) dispatch.Reason { return 0 }

// TestBulkAnswers: with the last outcome, in whatever order they came, the answer is there, in the order of the runs.
func TestBulkAnswers(t *testing.T) {
	second := func(i int) dispatch.Reason { return [...]dispatch.Reason{0, dispatch.KeyReused, 0}[i] }
	const elements = `[` + shortMail + `pending"},{"type":"urn:workman:problem:key-reused",…},` + shortMail + `pending"}]`
	fits := func(out, want string) bool {
		head, tail, _ := strings.Cut(want, "…")
		return strings.HasPrefix(out, head) && strings.HasSuffix(out, tail)
	}
	d := newDesk(t, "")
	d.ask("POST /task/mail", linesType+"Prefer: respond-async\n", "1\n2\n3\n")
	d.settle([]int{2, 0}, second)
	if d.session.Out != nil {
		t.Fatalf("answered before all is known: %s", d.session.Out)
	}
	d.settle([]int{1}, second)
	head, body, _ := strings.Cut(string(d.session.Out), "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.1 202 Accepted\r\n") || !strings.Contains(head, "Content-Type: application/json; charset=utf-8\r\n") ||
		!strings.Contains(head, "Preference-Applied: respond-async\r\n") || !fits(body, elements) || d.session.Held() != 0 {
		t.Errorf("over HTTP: %s\n%s", head, body)
	}

	d = newDesk(t, "/websocket")
	d.say(`{"action":"RunTasks","name":"mail","options":[1,2,3],"nonce":{"a":1}}`, `{"action":"RunTasks","name":"mail","options":[1]}`)
	d.settle([]int{3, 1, 2, 0}, func(i int) dispatch.Reason { return second(i % 3) })
	first, all, _ := strings.Cut(d.texts(), "\n")
	if first != `{"runs":[`+shortMail+`pending"}]}` || !fits(all, `{"nonce":{"a":1},"runs":`+elements+`}`) {
		t.Errorf("over WebSocket: %s\n%s", first, all)
	}
	if d.session.Held() != 0 {
		t.Errorf("%d bytes are held after the answers", d.session.Held())
	}
}

// TestBulkAllRefused: what holds for all is said once.
func TestBulkAllRefused(t *testing.T) {
	full := func(int) dispatch.Reason { return dispatch.StoreFull }
	mixed := func(i int) dispatch.Reason { return [...]dispatch.Reason{dispatch.StoreFull, dispatch.NoMemory}[i] }
	d := newDesk(t, "")
	d.ask("POST /task/mail", linesType, "1\n2\n")
	d.settle([]int{0, 1}, full)
	if out := string(d.session.Out); !strings.HasPrefix(out, "HTTP/1.1 503 Service Unavailable\r\n") || !strings.Contains(out, "Retry-After: 30\r\n") ||
		strings.Count(out, "urn:workman:problem:store-full") != 1 {
		t.Errorf("over HTTP: %s", out)
	}
	d.ask("POST /task/mail", linesType, "1\n2\n")
	d.settle([]int{0, 1}, mixed, 1, 1)
	if out := string(d.session.Out); !strings.HasPrefix(out, "HTTP/1.1 202 Accepted\r\n") || !strings.Contains(out, `[{"type":"urn:workman:problem:store-full"`) ||
		!strings.Contains(out, `},{"type":"urn:workman:problem:memory-full"`) {
		t.Errorf("for two reasons: %s", out)
	}
	for nonce, want := range map[string]string{`,"nonce":7`: `{"nonce":7,"error":{"type":"urn:workman:problem:store-full"`, "": `{"error":{"type":"urn:workman:problem:store-full"`} {
		d = newDesk(t, "/websocket")
		d.say(`{"action":"RunTasks","name":"mail","options":[1,2]` + nonce + `}`)
		if d.settle([]int{0, 1}, full); !strings.HasPrefix(d.texts(), want) {
			t.Errorf("over WebSocket: %s", d.texts())
		}
	}
}

// TestBulkStrayEffects: what is of no request that waits here, whatever its nonce looks like, is answered as ever, or goes
// nowhere.
func TestBulkStrayEffects(t *testing.T) {
	d := newDesk(t, "")
	d.ask("POST /task/mail", linesType, "1\n")
	protocol.Encode(&d.session, &dispatch.Effect{Kind: dispatch.Refused, Reason: dispatch.StaleLease, To: 1, Seq: 1, Nonce: []byte(member(1, 0))})
	protocol.Encode(&d.session, &dispatch.Effect{Kind: dispatch.Accepted, To: 1, Seq: 1, Nonce: []byte("\x03\xff"), Body: view(dispatch.Pending, false)})
	if d.session.Out != nil {
		t.Errorf("answered: %s", d.session.Out)
	}
	d.settle([]int{0}, accepted)
	if !strings.HasPrefix(string(d.session.Out), "HTTP/1.1 202 ") {
		t.Errorf("answered: %s", d.session.Out)
	}
}

// TestBulkAllocations: a run costs no allocation of its own, on its way in and on its way out.
func TestBulkAllocations(t *testing.T) {
	l := newLobby(t)
	var events []dispatch.Event
	var base []byte
	front := protocol.NewFront(func(in dispatch.Input) { events, base = append(events[:0], in.Events...), append(base[:0], in.Base...) })
	framing, err := protocol.NewFraming(protocol.DefaultConfig(), l, front)
	if err != nil {
		t.Fatal(err)
	}
	s := new(protocol.Session)
	framing.Start(s, 1)
	const runs = 1000
	body := view(dispatch.Pending, false)
	var seq uint64
	raw := fmt.Appendf(nil, "POST /task/many HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nIdempotency-Key: k\r\nContent-Length: %d\r\n\r\n%s",
		3*runs, strings.Repeat("{}\n", runs))
	n := testing.AllocsPerRun(20, func() {
		s.Feed(raw)
		front.Flush()
		for i := range events {
			protocol.Encode(s, &dispatch.Effect{Kind: dispatch.Accepted, To: 1, Seq: seq, Nonce: events[i].Nonce.Of(base), Body: body})
		}
		if len(s.Out) < runs*len(shortMail) {
			t.Fatalf("answered: %s", s.Out)
		}
		s.Out = nil
		seq++
	})

	if n > 40 {
		t.Errorf("%v allocations for a request for %d runs", n, runs)
	}
}
