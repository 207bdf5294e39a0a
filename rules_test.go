package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// rule is the document of a schedule.
type rule struct {
	Name, Task, Cron, Zone, Overlap, CatchUp, Created, Problem string

	Paused  bool
	Options json.RawMessage
	Terms   map[string]any
	Next    []struct{ UTC, Local time.Time }
	Last    *struct {
		At  time.Time
		Run string
	}
	Runs, Skipped, Missed int
}

func (r reply) rule() (d rule) { r.t.Helper(); r.into(&d); return d }

// TestRules: a schedule from its first PUT to its end, over HTTP, through a restart.
func TestRules(t *testing.T) {
	dir := t.TempDir() + "/data"
	p := launch(t, "WORKMAN_DATA="+dir)
	a := askerOf(t, p.addr)
	body := `{"cron":"30 3 * * *","zone":"Europe/Helsinki","task":"report","options":{"n": 1},"terms":{"attempts":2,"timeout":"90s","labels":{"team":"blue"}}}`
	made := a.do(201, "PUT", "/schedules/nightly%20report", body)
	r := made.rule()
	if r.Name != "nightly report" || r.Overlap != "allow" || r.CatchUp != "one" || len(r.Next) != 10 || string(r.Options) != `{"n": 1}` ||
		fmt.Sprint(r.Terms) != "map[attempts:2 labels:map[team:blue] timeout:1m30s]" || made.head.Get("Location") != "/schedules/nightly%20report" {
		t.Errorf("made: %s %v", made.body, made.head)
	}
	for _, n := range r.Next {
		if local := n.Local.Format("15:04"); local != "03:30" && local != "04:00" || !n.Local.Equal(n.UTC) || n.UTC.Location() != time.UTC {
			t.Errorf("next: %v", n)
		}
	}
	tag := made.head.Get("ETag")
	if same := a.do(200, "PUT", "/schedules/nightly%20report", body); same.head.Get("ETag") != tag || same.body != made.body {
		t.Errorf("the same again: %s %s", same.head.Get("ETag"), same.body)
	}
	a.do(412, "PUT", "/schedules/nightly%20report", body, "If-None-Match: *").says("schedule-exists")
	a.do(412, "PUT", "/schedules/nightly%20report", body, `If-Match: "7"`).says("schedule-changed")
	for _, old := range []string{`"7"`, `"abc"`, "W/" + tag, `"0"`, `"-1"`} {
		for _, c := range [][2]string{{"DELETE", ""}, {"POST", "/run"}, {"POST", "/pause"}, {"POST", "/resume"}} {
			a.do(412, c[0], "/schedules/nightly%20report"+c[1], "", "If-Match: "+old).says("schedule-changed")
		}
	}
	for _, none := range []string{strings.Trim(tag, `"`), tag + ", " + tag, `"`, "abc"} {
		a.do(400, "DELETE", "/schedules/nightly%20report", "", "If-Match: "+none)
	}
	a.do(412, "PUT", "/schedules/nightly%20report", body, `If-Match: "abc"`).says("schedule-changed")
	a.do(412, "PUT", "/schedules/other", body, "If-Match: *").says("schedule-changed")
	a.do(200, "PUT", "/schedules/nightly%20report", body, "If-Match: *")
	changed := a.do(200, "PUT", "/schedules/nightly%20report", `{"cron":"@every 1h","task":"report","paused":true}`, "If-Match: "+tag)
	if r := changed.rule(); !r.Paused || len(r.Next) != 0 || r.Zone != "UTC" || changed.head.Get("ETag") == tag {
		t.Errorf("changed: %s", changed.body)
	}
	if r := a.do(200, "PUT", "/schedules/nightly%20report", `{"cron":"@every 2h","task":"report"}`).rule(); !r.Paused {
		t.Errorf("a change that does not say so let it go on: %+v", r)
	}
	for _, path := range []string{"/run", "/pause", "/resume"} {
		if r := a.do(400, "POST", "/schedules/nightly%20report"+path, `{"n":2}`); !strings.Contains(r.body, "PUT /schedules/nightly%20report") ||
			!strings.Contains(r.body, "POST /task/{name}") {
			t.Errorf("with a body: %s", r.body)
		}
	}
	if r := a.get("/schedules/nightly%20report").rule(); r.Runs != 0 || !r.Paused {
		t.Errorf("what was refused was done: %+v", r)
	}
	ran := a.do(202, "POST", "/schedules/nightly%20report/run", "")
	id := ran.run().ID
	if got := a.look(id); ran.head.Get("Location") != "/runs/"+id || got.Task != "report" || got.Labels["schedule"] != "nightly report" {
		t.Errorf("its run: %s %+v", ran.body, got)
	}
	if r := a.do(200, "POST", "/schedules/nightly%20report/resume", "").rule(); r.Paused || len(r.Next) != 10 || r.Last == nil || r.Last.Run != id || r.Runs != 1 {
		t.Errorf("resumed: %+v", r)
	}
	p.signal()
	p.exit(0)
	p = launch(t, "WORKMAN_DATA="+dir)
	a = askerOf(t, p.addr)
	if r := a.get("/schedules/nightly%20report").rule(); r.Cron != "@every 2h" || r.Last.Run != id || len(r.Next) != 10 {
		t.Errorf("after a restart: %+v", r)
	}
	a.do(204, "DELETE", "/schedules/nightly%20report", "", "If-Match: "+a.get("/schedules/nightly%20report").head.Get("ETag"))
	for _, c := range [][2]string{{"GET", ""}, {"DELETE", ""}, {"POST", "/run"}, {"POST", "/pause"}, {"POST", "/resume"}} {
		a.do(404, c[0], "/schedules/nightly%20report"+c[1], "").says("no-such-schedule")
	}
}

// TestRulesFire: it fires on time, once, and skips, replaces and pauses as it should.
func TestRulesFire(t *testing.T) {
	p := launch(t)
	a := askerOf(t, p.addr)
	for _, way := range []string{"allow", "skip", "replace"} {
		a.do(201, "PUT", "/schedules/"+way, `{"cron":"* * * * * *","task":"`+way+`","options":"`+way+`","overlap":"`+way+`"}`)
	}
	waitFor(t, "runs of each", func() bool {
		return a.get("/schedules/allow").rule().Runs >= 3 && a.get("/schedules/skip").rule().Skipped >= 2 && a.get("/schedules/replace").rule().Runs >= 3
	})
	for _, way := range []string{"allow", "skip", "replace"} {
		r := a.do(200, "POST", "/schedules/"+way+"/pause", "").rule()
		var page struct {
			Runs []doc
			Next string
		}
		a.get("/runs?label=schedule:" + way).into(&page)
		states, times := map[string]int{}, map[string]bool{}
		for _, run := range page.Runs {
			states[run.State]++
			times[run.For] = true
			if run.Created < run.For || !strings.HasSuffix(run.For, ".000Z") {
				t.Errorf("%s: made at %s for %s", way, run.Created, run.For)
			}
		}
		if len(times) != len(page.Runs) || r.Last.At.Format("2006-01-02T15:04:05.000Z") != page.Runs[0].For {
			t.Errorf("%s: %d runs are for %v, and the last for %v", way, len(page.Runs), times, r.Last.At)
		}
		want := map[string]int{"allow": r.Runs, "skip": 1, "replace": 1}[way]
		if states["pending"] != want || way == "replace" && states["cancelled"] != r.Runs-1 || !r.Paused || len(r.Next) > 0 {
			t.Errorf("%s: %v of %+v", way, states, r)
		}
		if after := a.get("/schedules/" + way).rule(); after.Runs != r.Runs || r.Last.At.Nanosecond() != 0 {
			t.Errorf("%s: it goes on, though it is paused, or was not due at a whole second: %+v %+v", way, r, after)
		}
	}
	w := newHand(t, p.addr, "skip")
	if k := w.work("1"); string(k.Options) != `"skip"` {
		t.Errorf("the worker has %+v", k)
	}
}

// TestRulesRefused: what is wrong is said with its member, its value and what may be there.
func TestRulesRefused(t *testing.T) {
	a := askerOf(t, launch(t).addr)
	for _, c := range []struct{ body, says string }{
		{`[]`, `want an object like`},
		{`null`, `want an object like`},
		{`{"cron":"@daily","task":"x","task":"y"}`, `\"task\" is given twice`},
		{`{"cron":"@daily","task":"x","t\u0061sk":"y"}`, `\"task\" is given twice`},
		{`{"cron":"@daily","task":"x","terms":{"attempts":2,"attempts":3}}`, `is given twice`},
		{`{"task":"x"}`, "cron is missing"},
		{`{"cron":"0 3 * * *"}`, "task is missing"},
		{`{"cron":"0 25 * * *","task":"x"}`, `hour is \"25\"`},
		{`{"cron":5,"task":"x"}`, "cron is 5, and must be a string"},
		{`{"cron":"@daily","task":""}`, "task is"},
		{`{"cron":"@daily","task":"x","zone":"Europe/Nowhere"}`, "the name of a time zone"},
		{`{"cron":"@daily","task":"x","zone":"Local"}`, "the name of a time zone"},
		{`{"cron":"@daily","task":"x","zone":"Europe//Helsinki"}`, "the name of a time zone"},
		{`{"cron":"@daily","task":"x","zone":"posix/Europe/Helsinki"}`, "the name of a time zone"},
		{`{"cron":"@daily","task":"x","zone":"localtime"}`, "the name of a time zone"},
		{`{"cron":"@daily","task":"x","overlap":"no"}`, "must be one of allow, skip, replace"},
		{`{"cron":"@daily","task":"x","catchup":"no"}`, "must be one of none, one, all"},
		{`{"cron":"@daily","task":"x","paused":1}`, "paused is 1, and must be true or false"},
		{`{"cron":"@daily","task":"x","crom":1}`, `\"crom\" is no member of a schedule; there are cron, zone, task`},
		{`{"cron":"@daily","task":"x","terms":{"priority":10}}`, "want a whole number from 0 to 9"},
		{`{"cron":"@daily","task":"x","terms":{"key":"k"}}`, "is no term of these runs; there are priority"},
		{`{"cron":"@daily","task":"x","terms":{"callback":"ftp://x"}}`, "is no value for callback"},
		{`{"cron":"@daily","task":"x","terms":{"labels":{"schedule":"y"}}}`, "have a label schedule"},
		{`{"cron":"@daily","task":"x","terms":[]}`, "want an object"},
	} {
		got := a.do(422, "PUT", "/schedules/x", c.body)
		if got.says("bad-schedule"); !strings.Contains(got.body, c.says) {
			t.Errorf("%s: %s, want %s", c.body, got.body, c.says)
		}
	}
	for _, body := range []string{"", `{"cron":"@daily"`, `{"cron":"@daily","task":"x"} x`} {
		if got := a.do(400, "PUT", "/schedules/x", body); !strings.Contains(got.body, "the body is not JSON: ") {
			t.Errorf("%s: %s", body, got.body)
		} else {
			got.says("bad-json")
		}
	}
	a.do(413, "PUT", "/schedules/x", `{"cron":"@daily","task":"x","options":"`+strings.Repeat("x", 1<<20)+`"}`).says("body-too-large")
	a.do(400, "PUT", "/schedules/"+strings.Repeat("x", 129), `{"cron":"@daily","task":"x"}`).says("bad-name")
	a.do(400, "PUT", "/schedules/x", `{"cron":"@daily","task":"x"}`, `If-None-Match: "1"`)
	a.do(405, "POST", "/schedules/x", "")
	a.do(404, "PUT", "/schedules/..", `{"cron":"@daily","task":"x"}`)
	a.do(201, "PUT", "/schedules/%2e%2e", `{"cron":"@daily","task":"x"}`)
	a.do(404, "POST", "/schedules/x/stop", "")
	a.do(400, "GET", "/schedules?cursor="+strings.Repeat("x", 129), "")
}

// TestRulesPages: the list has each schedule once, in the order of names, whatever comes and goes between its pages, also
// where one has ended.
func TestRulesPages(t *testing.T) {
	a := askerOf(t, launch(t).addr)
	body := `{"cron":"@daily","task":"x"}`
	for _, name := range []string{"m", "long " + strings.Repeat("z", 123), "a", "B", "a%20b", "aa", "%C3%A4"} {
		a.do(201, "PUT", "/schedules/"+name, body)
	}
	seen := []string{}
	for next := "/schedules?limit=2"; next != ""; {
		var page struct {
			Schedules []rule
			Next      string
		}
		a.get(next).into(&page)
		for _, r := range page.Schedules {
			if len(r.Next) != 1 {
				t.Errorf("when it is due next is not there: %+v", r)
			}
			seen = append(seen, r.Name)
		}
		switch len(seen) {
		case 2: // it ended with "a"
			a.do(204, "DELETE", "/schedules/a", "")
			a.do(201, "PUT", "/schedules/A", body) // before that
			a.do(201, "PUT", "/schedules/aaa", body)
		case 4:
			a.do(204, "DELETE", "/schedules/m", "")
		}
		if next = page.Next; len(page.Schedules) > 2 {
			t.Errorf("a page has %d", len(page.Schedules))
		}
	}
	want := []string{"B", "a", "a b", "aa", "aaa", "long " + strings.Repeat("z", 123), "ä"}
	if !slices.Equal(seen, want) {
		t.Errorf("the pages have %q, want %q", seen, want)
	}
}

// TestRulesZoneGone: the server is started where a schedule's zone is not known, and again where it is. The document says why
// it does not fire, and what is said there brings it back.
func TestRulesZoneGone(t *testing.T) {
	dir, zones := t.TempDir()+"/data", t.TempDir()
	utc := append(append([]byte("TZif"), make([]byte, 16)...), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4)
	utc = append(append(utc, 0, 0, 0, 0, 0, 0), "AST\x00"...) // one offset, 0, named AST (tzfile(5))
	if err := os.WriteFile(zones+"/Atlantis", utc, 0o600); err != nil {
		t.Fatal(err)
	}
	const body, other = `{"cron":"* * * * * *","zone":"Atlantis","task":"dive"}`, `{"cron":"* * * * * *","task":"dive"}`
	start := func(env ...string) (*program, asker) {
		p := launch(t, append(env, "WORKMAN_DATA="+dir)...)
		return p, askerOf(t, p.addr)
	}
	stop := func(p *program) { p.signal(); p.exit(0) }

	p, a := start("ZONEINFO=" + zones)
	for _, name := range []string{"a", "b"} {
		if r := a.do(201, "PUT", "/schedules/"+name, body).rule(); len(r.Next) == 0 || r.Problem != "" {
			t.Errorf("while its zone is known: %+v", r)
		}
	}
	stop(p)
	p, a = start()
	if r := a.get("/schedules/a").rule(); len(r.Next) != 0 || !strings.Contains(r.Problem, `has no "Atlantis"`) {
		t.Errorf("while its zone is not known: %+v", r)
	}
	if list := a.get("/schedules"); strings.Count(list.body, `has no \"Atlantis\"`) != 2 {
		t.Errorf("the list: %s", list.body)
	}
	a.do(422, "PUT", "/schedules/a", body).says("bad-schedule")
	if r := a.do(200, "PUT", "/schedules/a", other).rule(); len(r.Next) != 10 || r.Problem != "" {
		t.Errorf("with another zone: %+v", r)
	}
	runs := func(name string) int { return a.get("/schedules/" + name).rule().Runs }
	goesOn := func(name string) {
		from := runs(name)
		waitFor(t, name+" to go on", func() bool { return runs(name) > from+1 })
	}
	goesOn("a") // by then the other was due too
	last := runs("b")
	goesOn("a")
	if got := runs("b"); got != last {
		t.Errorf("without its zone it goes on: %d runs, then %d", last, got)
	}
	stop(p)
	p, a = start("ZONEINFO=" + zones)
	stopped := a.get("/schedules/b").rule()
	if !strings.Contains(stopped.Problem, "PUT it as it is") {
		t.Errorf("when its zone is known again: %+v", stopped)
	}
	if r := a.do(200, "PUT", "/schedules/b", body).rule(); len(r.Next) != 10 || r.Problem != "" {
		t.Errorf("PUT as it is: %+v", r)
	}
	goesOn("b")
	stop(p)
}
