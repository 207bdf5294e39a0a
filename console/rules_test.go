package console_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"workman/dispatch"
	"workman/store"
)

// ruleDoc is a schedule as it is shown.
type ruleDoc struct {
	Runs, Skipped, Missed int
	Next                  []struct{ UTC time.Time }
	Last                  *struct {
		At  time.Time
		Run string
	}
}

// rule asks for something about a schedule, and returns its document.
func (s *server) rule(method, path, body string, status int) (d ruleDoc) {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.pages.ServeHTTP(w, httptest.NewRequest(method, "/schedules/"+path, strings.NewReader(body)))
	if w.Code != status {
		s.t.Fatalf("%s %s: %d %s, want %d", method, path, w.Code, w.Body, status)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		s.t.Fatal(err, w.Body)
	}
	return d
}

// leap sets the clock, and lets happen what is due then.
func (s *server) leap(ms int64) {
	s.t.Helper()
	s.pass(ms)
	for range 20 { // what is loaded, or durable, makes more due
		s.say(0, dispatch.Event{Kind: dispatch.Tick}, "", "", nil)
		s.settled()
	}
}

const hour = 3600 * 1000

// TestRulesMissed: the clock is set forward by ten days, and back again. What was missed is caught up with as each schedule
// says, and nothing comes twice.
func TestRulesMissed(t *testing.T) {
	s := serve(t)
	for _, way := range []string{"none", "one", "all"} {
		s.rule("PUT", way, `{"cron":"0 * * * *","task":"`+way+`","catchup":"`+way+`"}`, 201)
	}
	s.leap(10*24*hour + 600_000) // to ten past eight
	want := map[string]ruleDoc{"none": {Missed: 240}, "one": {Runs: 1, Missed: 239}, "all": {Runs: 100, Missed: 140}}
	for way, w := range want {
		d := s.rule("GET", way, "", 200)
		if d.Runs != w.Runs || d.Missed != w.Missed || d.Skipped != 0 || d.Next[0].UTC.UnixMilli() != start+(10*24+1)*hour {
			t.Errorf("%s: %+v", way, d)
		}
		if d.Last != nil && d.Last.At.UnixMilli() != start+10*24*hour {
			t.Errorf("%s: the last is for %v", way, d.Last.At)
		}
		if got := len(s.all("/runs?limit=1000&task=" + way)); got != w.Runs {
			t.Errorf("%s: %d runs", way, got)
		}
	}
	s.leap(-10 * 24 * hour)
	s.leap(24 * hour)
	for way, w := range want {
		if d := s.rule("GET", way, "", 200); d.Runs != w.Runs {
			t.Errorf("%s: times come again once the clock was set back: %+v", way, d)
		}
	}
	s.rule("PUT", "one", `{"cron":"30 * * * *","task":"one"}`, 200) // forgets it
	s.leap(hour)
	if d := s.rule("GET", "one", "", 200); d.Runs != 2 {
		t.Errorf("with a new expression: %+v", d)
	}
}

// TestRulesPaused: what is missed while a schedule is paused is not made good.
func TestRulesPaused(t *testing.T) {
	s := serve(t)
	s.rule("PUT", "x", `{"cron":"@every 1h","task":"x","catchup":"all"}`, 201)
	s.leap(hour)
	if d := s.rule("POST", "x/pause", "", 200); d.Runs != 1 || len(d.Next) != 0 {
		t.Errorf("paused: %+v", d)
	}
	s.leap(24*hour + 60_000)
	if d := s.rule("POST", "x/resume", "", 200); d.Runs != 1 || d.Missed != 0 || d.Next[0].UTC.UnixMilli() != start+26*hour {
		t.Errorf("resumed: %+v", d)
	}
	s.leap(hour)
	if d := s.rule("GET", "x", "", 200); d.Runs != 2 {
		t.Errorf("it goes on: %+v", d)
	}
}

// TestRulesOverlap: while no run is finished, times have theirs, are skipped, or replace the last: the runs that schedules replace are cancelled.
func TestRulesOverlap(t *testing.T) {
	s := serve(t)
	for _, way := range []string{"allow", "skip", "replace"} {
		s.rule("PUT", way, `{"cron":"0 * * * *","task":"`+way+`","overlap":"`+way+`","catchup":"all"}`, 201)
	}
	for range 3 {
		s.leap(hour)
	}
	for way, want := range map[string]string{
		"allow": "3 runs, 0 skipped; 3 pending, 0 cancelled", "skip": "1 runs, 2 skipped; 1 pending, 0 cancelled",
		"replace": "3 runs, 0 skipped; 1 pending, 2 cancelled",
	} {
		d := s.rule("GET", way, "", 200)
		got := fmt.Sprintf("%d runs, %d skipped; %d pending, %d cancelled", d.Runs, d.Skipped,
			len(s.all("/runs?state=pending&task="+way)), len(s.all("/runs?state=cancelled&task="+way)))
		if got != want {
			t.Errorf("%s: %s, want %s", way, got, want)
		}
	}
}

// TestRulesUnread: schedules that cannot be read are in the list as what they are, and the others as ever.
func TestRulesUnread(t *testing.T) {
	s := serve(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		s.rule("PUT", name, `{"cron":"@daily","task":"x"}`, 201)
	}
	var b store.Batch
	terms := dispatch.StoredRule{Name: []byte("c"), Cron: []byte("@daily"), Zone: []byte("UTC"), Task: []byte("x"), Terms: []byte{1, 2}}
	for name, value := range map[string][]byte{"b": []byte("of a later version"), "c": terms.Append(nil)} {
		id := dispatch.RuleID([]byte(name))
		b.Put(dispatch.TableRules, id[:], value)
	}
	n, err := s.keeper.Store().Append(&b)
	if err == nil {
		err = s.keeper.Store().Wait(n)
	}
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Schedules []struct{ Name, Task, Problem string }
	}
	if err := json.Unmarshal([]byte(s.ask("GET", "/schedules", 200).raw), &list); err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, r := range list.Schedules {
		got += fmt.Sprintf("%s %q %t; ", r.Name, r.Task, strings.Contains(r.Problem, "cannot be read"))
	}
	if want := `a "x" false; b "" true; c "" true; d "x" false; `; got != want {
		t.Errorf("listed: %s, want %s", got, want)
	}
	s.ask("GET", "/schedules/b", 500)
}
