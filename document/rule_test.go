package document_test

import (
	"encoding/json"
	"testing"
	"time"

	"workman/dispatch"
	"workman/document"
)

func TestAppendRule(t *testing.T) {
	terms := dispatch.NewTerms()
	terms.Attempts, terms.Timeout, terms.Callback, terms.Labels = 3, 90_000, []byte("http://a.example/"), []byte("team:blue\n")
	r := dispatch.StoredRule{
		Last: id, Created: ms(t, "2026-11-25T12:00:00Z"), LastAt: ms(t, "2026-11-26T01:30:00Z"), Overlap: dispatch.OverlapReplace, CatchUp: dispatch.CatchUpAll,
		Runs: 3, Skipped: 2, Missed: 1, Name: []byte(`the "report"`), Cron: []byte("30 3 * * *"), Zone: []byte("Europe/Helsinki"), Task: []byte("report"),
		Terms: terms.Append(nil), Body: []byte(`{"n": 1}`),
	}
	next := []time.Time{time.Date(2026, 11, 27, 3, 30, 0, 0, time.FixedZone("", 7200))}
	const (
		head = `{"name":"the \"report\"","task":"report","cron":"30 3 * * *","zone":"Europe/Helsinki","overlap":"replace","catchup":"all","paused":false,` +
			`"created":"2026-11-25T12:00:00.000Z"`
		tail = `,"terms":{"attempts":3,"timeout":"1m30s","callback":"http://a.example/","labels":{"team":"blue"}},` +
			`"next":[{"utc":"2026-11-27T01:30:00.000Z","local":"2026-11-27T03:30:00.000+02:00"}],` +
			`"last":{"at":"2026-11-26T01:30:00.000Z","run":"019abc00-0000-7000-8000-0000000000ff"},"runs":3,"skipped":2,"missed":1}`
	)
	for full, want := range map[bool]string{true: head + `,"options":{"n": 1}` + tail, false: head + tail} {
		got, err := document.AppendRule([]byte("x"), &r, next, "", full)
		if err != nil || string(got) != "x"+want || !json.Valid(got[1:]) {
			t.Errorf("%v\n%s\nwant\n%s", err, got, want)
		}
	}
	plain := dispatch.StoredRule{Paused: true, Created: 1000, Name: []byte("p"), Cron: []byte("@daily"), Zone: []byte("UTC"), Task: []byte("t")}
	got, err := document.AppendRule(nil, &plain, nil, `no "zone"`, true)
	if want := `{"name":"p","task":"t","cron":"@daily","zone":"UTC","overlap":"allow","catchup":"none","paused":true,"created":"1970-01-01T00:00:01.000Z",` +
		`"next":[],"problem":"no \"zone\"","runs":0,"skipped":0,"missed":0}`; err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	r.Terms = []byte{1, 2}
	if got, err := document.AppendRule([]byte("x"), &r, next, "", true); err == nil || string(got) != "x" {
		t.Errorf("with terms that are none: %s", got)
	}
}
