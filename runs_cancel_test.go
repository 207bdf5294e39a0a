package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Cancelling, explaining and listing runs, on the whole server.

// TestCancel: what waits is cancelled for good; what a worker of today has is asked of it, and what comes first counts; a
// worker of old is not asked.
func TestCancel(t *testing.T) {
	s := serve(t, nil)
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "mail")
	waits := make(chan reply, 1)
	go func() { waits <- a.do(409, "POST", "/task/none", "1", "Idempotency-Key: 1") }()
	var list struct{ Runs []doc }
	waitFor(t, "the run that is waited for", func() bool { a.get("/runs?key=1").into(&list); return len(list.Runs) == 1 })
	if d := a.do(202, "DELETE", "/runs/"+list.Runs[0].ID, "").run(); d.State != "cancelled" || d.Finished == "" {
		t.Errorf("one that waits: %+v", d)
	}
	(<-waits).says("run-cancelled")
	a.do(409, "DELETE", "/runs/"+list.Runs[0].ID, "").says("run-finished")

	for _, consents := range []bool{true, false} {
		id := a.submit("mail", "1")
		k := w.take()
		if d := a.do(202, "DELETE", "/runs/"+id, "").run(); d.State != "running" {
			t.Errorf("one that runs: %+v", d)
		}
		w.told("Cancel", k)
		if why := a.get("/runs/" + id + "/why").body; !strings.Contains(why, `"reason":"cancelling"`) {
			t.Errorf("why: %s", why)
		}
		want := "succeeded"
		if consents {
			want = "cancelled"
			w.fail(k, `"error":"stopped"`)
		} else {
			w.done(k, `"done already"`)
		}
		if d := a.ended(id); d.State != want {
			t.Errorf("its worker consents: %v; %+v", consents, d)
		}
	}

	id := a.submit("later", "1")
	old := s.socket(t, "/worker")
	old.say(`{"action":"RegisterTask","name":"later"}`)
	old.say(`{"action":"GetTask"}`)
	task := old.hear()
	a.do(202, "DELETE", "/runs/"+id, "")
	old.say(`{"action":"SendResult","nonce":"` + tokenOf(t, task) + `","result":1}`)
	old.say(`{"action":"GetTask"}`)
	next := a.submit("later", "2")
	if got := old.hear(); !strings.HasPrefix(got, `{"name":"later","options":2,`) {
		t.Errorf("a worker of old whose task was cancelled is told %s", got)
	}
	if d := a.look(id); d.State != "succeeded" && d.State != "cancelled" {
		t.Errorf("cancelled, with a worker of old: %+v", d)
	}
	a.do(202, "DELETE", "/runs/"+next, "")
	scheduled := a.schedule(time.Now().Add(time.Hour), "mail", "1")
	if d := a.do(202, "DELETE", "/runs/"+scheduled, "").run(); d.State != "cancelled" {
		t.Errorf("one whose time has not come: %+v", d)
	}
}

// TestWhy: of each state, why a run is in it.
func TestWhy(t *testing.T) {
	s := serve(t, nil)
	a := askerOf(t, s.addr())
	why := func(id, want string) {
		t.Helper()
		if got := a.get("/runs/" + id + "/why").body; !strings.Contains(got, want) {
			t.Errorf("why: %s, want %s in it", got, want)
		}
	}
	one, two := a.submit("mail", "1"), a.submit("mail", "2")
	why(one, `"state":"pending","reason":"nobody-registered"`)
	why(two, `"ahead":1,"workers":0`)
	w := newHand(t, s.addr(), "mail")
	k := w.take()
	why(one, `"state":"running","reason":"running"`)
	why(two, `"state":"pending","reason":"workers-busy"`)
	why(two, `"ahead":0,"workers":1`)
	w.done(k, "1")
	a.is(one, "succeeded")
	why(one, `"reason":"finished"`)
	why(a.schedule(time.Now().Add(time.Hour), "mail", "1"), `"state":"scheduled","reason":"scheduled"`)
	a.do(404, "GET", "/runs/"+strings.Replace(one, one[:8], "ffffffff", 1)+"/why", "").says("no-such-run")
}

// pages reads a list page by page, and returns the ids in their order.
func (a asker) pages(path, member string) (ids []string) {
	a.t.Helper()
	for n := 0; path != ""; n++ {
		var page map[string]json.RawMessage
		a.get(path).into(&page)
		var docs []doc
		if err := json.Unmarshal(page[member], &docs); err != nil || n > 100 {
			a.t.Fatalf("%s: page %d: %v in %s", path, n, err, page)
		}
		for _, d := range docs {
			if d.Options != nil || d.Result != nil {
				a.t.Errorf("in a list a run has options or a result: %+v", d)
			}
			ids = append(ids, d.ID)
		}
		path = ""
		_ = json.Unmarshal(page["next"], &path) // the last has none
	}
	return ids
}

// TestLists: runs by task, state, key, label and time, in pages, the newest first.
func TestLists(t *testing.T) {
	s := serve(t, nil)
	a := askerOf(t, s.addr())
	var all []string
	middle := time.Time{}
	for i := range 12 {
		if i == 6 {
			middle = time.UnixMilli(time.Now().UnixMilli() + 2)
			waitFor(t, "the next millisecond", func() bool { return time.Now().After(middle) })
		}
		field := "Prefer: respond-async"
		if i%4 == 0 {
			field = fmt.Sprintf("Idempotency-Key: k%d", i)
		}
		all = append(all, a.submit(fmt.Sprintf("task-%d?label=third:%d&label=all:yes", i%2, i%3), "1", field))
	}
	for _, i := range []int{1, 3} {
		a.do(202, "DELETE", "/runs/"+all[i], "")
	}
	at := url.QueryEscape(middle.UTC().Format(time.RFC3339Nano))
	for query, want := range map[string][]int{
		"":                               {11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
		"limit=5":                        {11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
		"task=task-1&limit=2":            {11, 9, 7, 5, 3, 1},
		"state=cancelled":                {3, 1},
		"state=cancelled&limit=1":        {3, 1},
		"state=pending&task=task-1":      {11, 9, 7, 5},
		"state=succeeded":                {},
		"key=k4":                         {4},
		"key=k4&task=task-0":             {4},
		"key=k4&task=task-1":             {},
		"label=third:1&label=all:yes":    {10, 7, 4, 1},
		"label=third:1&limit=1":          {10, 7, 4, 1},
		"after=" + at:                    {11, 10, 9, 8, 7, 6},
		"before=" + at + "&limit=2":      {5, 4, 3, 2, 1, 0},
		"after=" + at + "&label=third:0": {9, 6},
	} {
		var ids []string
		for _, i := range want {
			ids = append(ids, all[i])
		}
		if got := a.pages("/runs?"+query, "runs"); fmt.Sprint(got) != fmt.Sprint(ids) {
			t.Errorf("GET /runs?%s lists %v, want %v", query, got, ids)
		}
	}
	a.do(400, "GET", "/runs?stat=dead", "")
	a.do(400, "GET", "/runs?limit=0", "")
	a.do(400, "GET", "/runs?cursor=zz", "")
}

// TestScheduled: schedules are listed, the soonest first, taken back, and are runs like any other.
func TestScheduled(t *testing.T) {
	s := serve(t, nil)
	a, q := askerOf(t, s.addr()), s.socket(t, "/websocket")
	var ids []string
	for _, after := range []time.Duration{3 * time.Hour, time.Minute, 24 * 365 * time.Hour, 2 * time.Hour} {
		ids = append(ids, a.schedule(time.Now().Add(after), "report", "1"))
	}
	want := []string{ids[1], ids[3], ids[0], ids[2]}
	for _, path := range []string{"/scheduled", "/scheduled?limit=1", "/scheduled?limit=3"} {
		if got := a.pages(path, "scheduled"); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s lists %v, want %v", path, got, want)
		}
	}
	for _, found := range []bool{true, false} {
		if got := a.do(200, "DELETE", "/scheduled/"+ids[0], "").body; got != fmt.Sprintf(`{"found":%v}`, found) {
			t.Errorf("taken back: %s", got)
		}
	}
	q.say(`{"action":"UnscheduleTask","id":"` + ids[1] + `","nonce":1}`)
	if got := q.hear(); got != `{"nonce":1,"result":{"found":true}}` {
		t.Errorf("taken back over WebSocket: %s", got)
	}
	if got := a.pages("/scheduled", "scheduled"); fmt.Sprint(got) != fmt.Sprint([]string{ids[3], ids[2]}) {
		t.Errorf("left are %v", got)
	}
	if d := a.look(ids[2]); d.State != "scheduled" || d.Due == "" {
		t.Errorf("%+v", d)
	}
	ran := a.schedule(time.Now().Add(-time.Hour), "report", `"past"`)
	w := newHand(t, s.addr(), "report")
	if k := w.work("1"); k.Run != ran || string(k.Options) != `"past"` {
		t.Errorf("a time that has passed: %+v", k)
	}
	a.is(ran, "succeeded")
	if got := a.do(200, "DELETE", "/scheduled/"+ran, "").body; got != `{"found":false}` {
		t.Errorf("one that was done is taken back: %s", got)
	}
	a.do(422, "POST", "/schedule/2999-01-01T00:00:00Z/report?attempts=0", "1").says("bad-term")
}
