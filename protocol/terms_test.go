package protocol_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"workman/dispatch"
	"workman/protocol"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]int64{
		"30s": 30_000, "1.5h": 5_400_000, "2m30s": 150_000, "20": 20_000, "0.25": 250, "0": 0, "0s": 0, "1ms": 1, "1ns": 1, "1500us": 2,
		"87600h": dispatch.MaxKeep, "315360000": dispatch.MaxKeep,
		"": -1, "s": -1, "-1s": -1, "+1s": -1, "1d": -1, "1e3": -1, "1..2": -1, "1 s": -1, "inf": -1, "0x10": -1, "1_0": -1,
		"87600h1ms": -1, "315360000.1": -1, "9999999999999999999999": -1, "1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h1h": -1,
	} {
		if got, ok := protocol.Duration([]byte(text)); ok != (want >= 0) || ok && got != want {
			t.Errorf("%q is %d, %v, want %d", text, got, ok, want)
		}
	}
}

// FuzzDuration: what is taken is what the standard library takes, in bounds, and never shorter than it.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"30s", "1.5h", "20", "0.001", "1e3", "87600h"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ms, ok := protocol.Duration(b)
		if !ok {
			return
		}
		d, err := time.ParseDuration(string(b))
		if err != nil {
			d, err = time.ParseDuration(string(b) + "s")
		}
		if err != nil && string(b) != "0" {
			t.Fatalf("%q is taken, for %d ms: %v", b, ms, err)
		}
		if diff := time.Duration(ms)*time.Millisecond - d; diff < -time.Microsecond || diff >= time.Millisecond+time.Microsecond || ms < 0 || ms > dispatch.MaxKeep {
			t.Fatalf("%q is %d ms, want %v", b, ms, d)
		}
	})
}

func TestKey(t *testing.T) {
	long := strings.Repeat("k", 255)
	for field, want := range map[string]string{
		`abc`: "abc", ` "abc" `: "abc", `"a \"b\" \\c"`: `a "b" \c`, `8e03978e-40d5-43dd-bc93-6894a57f9324`: "8e03978e-40d5-43dd-bc93-6894a57f9324",
		`a,b`: "a,b", `ähnlich`: "ähnlich", long: long, `"` + long + `"`: long,
		``: "", `""`: "", `"abc`: "", `"abc" `: "abc", `"abc";a=1`: "", `"a\b"`: "", `"a\`: "", "\"\u00e9\"": "", "\xff": "", long + "k": "",
		`"` + long + `k"`: "",
	} {
		got, ok := protocol.Key([]byte(field))
		if ok != (want != "") || ok && string(got) != want {
			t.Errorf("%q is %q, %v, want %q", field, got, ok, want)
		}
	}
}

// FuzzKey: a key that is taken is short text; a quoted one comes back from its quotes.
func FuzzKey(f *testing.F) {
	f.Add([]byte(`"a \"b\""`))
	f.Fuzz(func(t *testing.T, field []byte) {
		key, ok := protocol.Key(field)
		if ok && (len(key) == 0 || len(key) > 255 || !utf8.Valid(key) || bytes.ContainsAny(key, "\x00\n\x7f")) {
			t.Fatalf("%q gives %q", field, key)
		}
		for _, c := range key {
			if c < 0x20 || c > 0x7e {
				return
			}
		}
		if ok {
			quoted := `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(string(key)) + `"`
			if again, ok := protocol.Key([]byte(quoted)); !ok || !bytes.Equal(again, key) {
				t.Fatalf("%q comes back as %q", key, again)
			}
		}
	})
}

func TestPrefer(t *testing.T) {
	for _, c := range []struct {
		fields string // one a line
		async  bool
		wait   int64
	}{
		{"respond-async", true, -1},
		{"Respond-Async, WAIT = 20", true, 20},
		{"wait=20\nrespond-async", true, 20},
		{`wait="20"; foo="a,b", return=minimal`, false, 20},
		{`lenient; a="b, respond-async", wait=0`, false, 0},
		{`foo="\", respond-async", wait=5`, false, 5},
		{"wait=5, wait=6", false, 5}, // the first counts
		{"wait=x, wait=6", false, -1},
		{"respond-async=yes", false, -1},
		{`respond-async=""`, true, -1},
		{"wait=-1", false, -1}, {"wait", false, -1}, {"wait=1.5", false, -1}, {"", false, -1}, {",,;,=", false, -1},
		{`"respond-async`, false, -1},
		{"wait=99999999999999999999", false, dispatch.MaxKeep / 1000},
	} {
		async, wait := protocol.Prefer(bytes.Split([]byte(c.fields), []byte("\n"))...)
		if async != c.async || wait != c.wait {
			t.Errorf("%q: %v, %d, want %v, %d", c.fields, async, wait, c.async, c.wait)
		}
	}
}

func FuzzPrefer(f *testing.F) {
	f.Add([]byte(`wait=20; a="b,c", respond-async`))
	f.Fuzz(func(t *testing.T, field []byte) {
		async, wait := protocol.Prefer(field)
		if wait < -1 || wait > dispatch.MaxKeep/1000 {
			t.Fatalf("%q: wait %d", field, wait)
		}
		// What stands in front of it, quoted and unknown, does not matter.
		quoted, _ := json.Marshal(strings.ToValidUTF8(string(field), ""))
		async2, wait2 := protocol.Prefer([]byte("x="+string(quoted)+" , other"), field)
		if async != async2 || wait != wait2 {
			t.Fatalf("%q: %v %d, and behind something else %v %d", field, async, wait, async2, wait2)
		}
	})
}

func TestTrace(t *testing.T) {
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for text, want := range map[string]int{
		good: 55, "cc" + good[2:]: 55, "cc" + good[2:] + "-more": 55,
		"": 0, good[:54]: 0, good + "-more": 0, "cc" + good[2:] + "x": 0, "ff" + good[2:]: 0, strings.ToUpper(good): 0,
		"00-" + strings.Repeat("0", 32) + good[35:]: 0, good[:36] + strings.Repeat("0", 16) + "-01": 0,
		strings.Replace(good, "-", "_", 1): 0, strings.Replace(good, "a", "g", 1): 0,
	} {
		if got := protocol.Trace([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestNote(t *testing.T) {
	doc := []byte(`{"id":1}`)
	for _, c := range []struct {
		async   bool
		wait    int64
		match   string
		applied string
		knows   bool
	}{
		{false, -1, "", "", false},
		{true, -1, "", "Preference-Applied: respond-async\r\n", false},
		{true, 300, "", "Preference-Applied: respond-async, wait=300\r\n", false},
		{false, 0, "*", "Preference-Applied: wait=0\r\n", true},
		{false, -1, `"a,b", W/"0000000000000000"`, "", false},
	} {
		if applied, knows := protocol.Note(c.async, c.wait, c.match, doc); applied != c.applied || knows != c.knows {
			t.Errorf("%+v: %q %v", c, applied, knows)
		}
	}
}

// FuzzTerms: whatever a request says of its run, over HTTP or in a message, there is either an event or an answer.
func FuzzTerms(f *testing.F) {
	f.Add("priority=9&label=a:b&ttl=1.5h", "wait=20, respond-async", `"key"`, `"durable":true,"labels":{"a":"b\u0063"}`)
	f.Add("deadline=2027-01-31T12%3A00%3A00Z&x=%zz", "", "k", `"wait":"20s","ttl":5,"callback":"https://a.example/","key":"\ud800"`)
	f.Fuzz(func(t *testing.T, query, prefer, key, fields string) {
		clean := func(s string) string {
			return strings.Map(func(r rune) rune {
				if r <= ' ' || r == 0x7f || r == '#' || r == utf8.RuneError {
					return '_'
				}
				return r
			}, s)
		}
		d := newDesk(t, "")
		out := d.ask("POST /task/x?"+clean(query), "Prefer: "+clean(prefer)+"\nIdempotency-Key: "+clean(key)+"\n", "1")
		if (out == "") != (len(d.events) == 1) {
			t.Errorf("%q, %q, %q: %d events, and answered %q", query, prefer, key, len(d.events), out)
		}
		d = newDesk(t, "/websocket")
		out = d.say(`{"action":"RunTask","name":"x",` + fields + `}`)
		if d.session.Phase() == protocol.PhaseWS && (out == "") != (len(d.events) == 1) {
			t.Errorf("%q: %d events, and answered %q", fields, len(d.events), out)
		}
	})
}
