package document_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"workman/dispatch"
	"workman/document"
)

var id, _ = dispatch.ParseID([]byte("019abc00-0000-7000-8000-0000000000ff"))

// ms is the time of a text.
func ms(t *testing.T, text string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMilli()
}

// mail is a run that says everything there is to say.
func mail(t *testing.T) dispatch.StoredRun {
	t.Helper()
	return dispatch.StoredRun{
		Policy: dispatch.DefaultPolicy(), Created: ms(t, "2026-11-25T12:00:00.123Z"), Deadline: ms(t, "2026-11-26T00:00:00Z"), Rank: 4,
		Name: []byte("mail"), Key: []byte(`say "once"`), Traceparent: []byte("00-ab-cd-01"), Callback: []byte("https://a.example/done"),
		Labels: []byte("team:blue\nnote:a:b\n"), Body: []byte(`{"to": 12345678901234567890}`),
	}
}

func TestAppend(t *testing.T) {
	run := mail(t)
	failed := dispatch.Attempt{Number: 1, Began: ms(t, "2026-11-25T12:00:01Z"), Ended: ms(t, "2026-11-25T12:00:02Z"), Error: []byte(`{"title":"no"}`)}
	outcome := dispatch.Outcome{
		State: dispatch.Succeeded, Finished: ms(t, "2026-11-25T12:00:09Z"), Failures: 1, Losses: 2, History: failed.Append(nil), Result: []byte(`"sent"`),
	}
	status := dispatch.Status{Failures: 1, Due: ms(t, "2026-11-25T12:00:04Z"), History: failed.Append(nil)}
	timely := run // of a schedule that recurs
	timely.Key, timely.Due = nil, ms(t, "2026-11-25T12:00:00Z")
	held := run // with a key, until it was on the disk
	held.Due = held.Created
	plain := dispatch.StoredRun{Policy: dispatch.DefaultPolicy(), Created: 1000, Rank: 0, Name: []byte("p")}

	const (
		head = `{"id":"019abc00-0000-7000-8000-0000000000ff","task":"mail","state":`
		said = `,"key":"say \"once\"","labels":{"team":"blue","note":"a:b"},"deadline":"2026-11-26T00:00:00.000Z",` +
			`"traceparent":"00-ab-cd-01","callback":"https://a.example/done","max_attempts":5`
		attempts = `,"attempts":[{"number":1,"began":"2026-11-25T12:00:01.000Z","ended":"2026-11-25T12:00:02.000Z","error":{"title":"no"}}]`
		options  = `,"options":{"to": 12345678901234567890}`
	)
	for name, c := range map[string]struct {
		view dispatch.View
		full bool
		want string
	}{
		"finished": {
			dispatch.View{State: dispatch.Succeeded, Name: run.Name, Run: run.Append(nil), Outcome: outcome.Append(nil)}, true,
			head + `"succeeded","priority":5,"created":"2026-11-25T12:00:00.123Z","finished":"2026-11-25T12:00:09.000Z"` + said +
				`,"lost":2` + attempts + options + `,"result":"sent"}`,
		},
		"without options and result": {
			dispatch.View{State: dispatch.Succeeded, Name: run.Name, Run: run.Append(nil), Outcome: outcome.Append(nil)}, false,
			head + `"succeeded","priority":5,"created":"2026-11-25T12:00:00.123Z","finished":"2026-11-25T12:00:09.000Z"` + said +
				`,"lost":2` + attempts + `}`,
		},
		"for a time": {
			dispatch.View{State: dispatch.Pending, Name: run.Name, Run: timely.Append(nil)}, false,
			head + `"pending","priority":5,"created":"2026-11-25T12:00:00.123Z","scheduled_for":"2026-11-25T12:00:00.000Z"` +
				strings.Replace(said, `,"key":"say \"once\""`, "", 1) + `,"lost":0}`,
		},
		"held until it was on the disk": {
			dispatch.View{State: dispatch.Pending, Name: run.Name, Run: held.Append(nil)}, false,
			head + `"pending","priority":5,"created":"2026-11-25T12:00:00.123Z"` + said + `,"lost":0}`,
		},
		"retrying": {
			dispatch.View{State: dispatch.Retrying, Due: status.Due, Name: run.Name, Run: run.Append(nil), Status: status.Append(nil)}, true,
			head + `"retrying","priority":5,"created":"2026-11-25T12:00:00.123Z","due":"2026-11-25T12:00:04.000Z"` + said +
				`,"lost":0` + attempts + options + `}`,
		},
		"running": {
			dispatch.View{State: dispatch.Running, Name: plain.Name, Run: plain.Append(nil), Progress: []byte(`{"value":3,"note":"so far"}`), Said: 2000}, true,
			`{"id":"019abc00-0000-7000-8000-0000000000ff","task":"p","state":"running","priority":9,` +
				`"created":"1970-01-01T00:00:01.000Z","max_attempts":5,"lost":0,` +
				`"progress":{"value":3,"note":"so far","at":"1970-01-01T00:00:02.000Z"}}`,
		},
		"running, and it says nothing": {
			dispatch.View{State: dispatch.Running, Name: plain.Name, Run: plain.Append(nil), Progress: []byte(`{}`), Said: 2000}, false,
			`{"id":"019abc00-0000-7000-8000-0000000000ff","task":"p","state":"running","priority":9,` +
				`"created":"1970-01-01T00:00:01.000Z","max_attempts":5,"lost":0,"progress":{"at":"1970-01-01T00:00:02.000Z"}}`,
		},
		"nothing said": {
			dispatch.View{State: dispatch.Pending, Due: 5, Name: plain.Name, Run: plain.Append(nil)}, true,
			`{"id":"019abc00-0000-7000-8000-0000000000ff","task":"p","state":"pending","priority":9,` +
				`"created":"1970-01-01T00:00:01.000Z","max_attempts":5,"lost":0}`,
		},
		"short": {
			dispatch.View{State: dispatch.Waiting, Due: 1, Name: run.Name}, true,
			head + `"scheduled","due":"1970-01-01T00:00:00.001Z"}`,
		},
	} {
		c.view.ID = id
		got, err := document.Append([]byte("x"), &c.view, c.full)
		if err != nil || string(got) != "x"+c.want {
			t.Errorf("%s: %v, and\n%s, want\nx%s", name, err, got, c.want)
		}
		if !json.Valid(got[1:]) {
			t.Errorf("%s: it is no JSON", name)
		}
	}
}

// TestAppendMalformed cuts and changes what is stored: there is an error or a document, and never a panic.
func TestAppendMalformed(t *testing.T) {
	run := mail(t)
	good := dispatch.View{ID: id, State: dispatch.Dead, Run: run.Append(nil)}
	outcome := dispatch.Outcome{State: dispatch.Dead, History: []byte{1, 2}}
	for name, v := range map[string]dispatch.View{
		"run":     {ID: id, State: dispatch.Pending, Run: []byte{9}},
		"status":  {ID: id, State: dispatch.Pending, Run: good.Run, Status: []byte{1}},
		"outcome": {ID: id, State: dispatch.Dead, Run: good.Run, Outcome: []byte{1, 1}},
		"history": {ID: id, State: dispatch.Dead, Run: good.Run, Outcome: outcome.Append(nil)},
	} {
		if got, err := document.Append([]byte("x"), &v, true); !errors.Is(err, dispatch.ErrStored) || string(got) != "x" {
			t.Errorf("%s: %q, %v; want ErrStored and nothing appended", name, got, err)
		}
	}
	head := len(good.Run) - len(run.Body)
	for n := range head {
		v := good
		if v.Run = good.Run[:n]; n == 0 {
			v.Run = []byte{}
		}
		if got, err := document.Append(nil, &v, true); !errors.Is(err, dispatch.ErrStored) || len(got) > 0 {
			t.Errorf("the first %d bytes of a run: %q, %v; want ErrStored", n, got, err)
		}
	}
}

func TestAppendTime(t *testing.T) {
	for ms, want := range map[int64]string{
		0:                   `"1970-01-01T00:00:00.000Z"`,
		-1:                  `"1969-12-31T23:59:59.999Z"`,
		253402300799999:     `"9999-12-31T23:59:59.999Z"`,
		8640000000000000:    `"+275760-09-13T00:00:00.000Z"`,
		-62198755200000 - 1: `"-000002-12-31T23:59:59.999Z"`,
	} {
		if got := string(document.AppendTime(nil, ms)); got != want {
			t.Errorf("AppendTime(%d) = %s, want %s", ms, got, want)
		}
	}
}

func TestAppendProblem(t *testing.T) {
	got := document.AppendProblem(nil, 422, document.ProblemURN+"key-reused", `"a" was used`, []byte(`"run":"r","attempts":2`))
	want := `{"type":"urn:workman:problem:key-reused","title":"Unprocessable Entity","status":422,"detail":"\"a\" was used",` +
		`"statusCode":422,"error":"Unprocessable Entity","message":"\"a\" was used","run":"r","attempts":2}`
	if string(got) != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	if got := string(document.AppendProblem(nil, 404, "", "", nil)); !strings.HasPrefix(got, `{"type":"about:blank","title":"Not Found","status":404,"detail":"Not Found",`) {
		t.Errorf("got %s", got)
	}
}

func FuzzAppendText(f *testing.F) {
	f.Add([]byte("a\"\\\x00\x7f\xff\u2028"))
	f.Fuzz(func(t *testing.T, s []byte) {
		got := document.AppendText(nil, s)
		if string(document.AppendText(nil, string(s))) != string(got) {
			t.Fatal("a string and its bytes differ")
		}
		var back string
		if err := json.Unmarshal(got, &back); err != nil || !utf8.Valid(got) {
			t.Fatalf("%q is not JSON: %v", got, err)
		}
		if want := strings.ToValidUTF8(string(s), "\ufffd"); utf8.Valid(s) && back != want {
			t.Fatalf("%q came back as %q", want, back)
		}
	})
}
