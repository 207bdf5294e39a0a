package main

import (
	"fmt"
	"testing"
	"time"

	"workman/dispatch"
	"workman/store"
)

func addRule(b *store.Batch, i int, created, due int64) {
	r := dispatch.StoredRule{
		Rev: 1, CatchUp: dispatch.CatchUpOne, Created: created, From: created, Next: due, Name: fmt.Appendf(nil, "rule %d", i),
		Cron: []byte("0 3 * * *"), Zone: []byte("Europe/Helsinki"), Task: []byte("report"), Body: []byte(`{"some":"options"}`),
	}
	id := dispatch.RuleID(r.Name)
	b.Put(dispatch.TableRules, id[:], r.Append(nil))
	b.Put(dispatch.TableNames, r.Name, nil)
	b.Put(dispatch.TableDue, dispatch.AppendDueKey(nil, due, id, dispatch.DueRule), []byte{0})
}

func addScheduled(b *store.Batch, created int64, before int, due int64) {
	r := dispatch.StoredRun{Created: created, Due: due, Name: []byte("report"), Body: []byte(`{"some":"options"}`)}
	id, _ := addRun(b, r, before)
	b.Put(dispatch.TableDue, dispatch.AppendDueKey(nil, due, id, dispatch.DueStart), append([]byte{4}, r.Name...))
}

// TestMillionSchedules: a server with a million schedules that are far off, half of them recurring, is ready within seconds,
// takes little more memory than one with none, fires another one within a second of its time, and lists them from anywhere.
func TestMillionSchedules(t *testing.T) {
	if testing.Short() {
		t.Skip("it writes a quarter of a gigabyte")
	}
	const rules, once = 500_000, 500_000
	dir := t.TempDir() + "/data"
	now := time.Now()
	created, due := now.Add(-time.Hour).UnixMilli(), now.Add(7*24*time.Hour).UnixMilli()
	fillStore(t, dir, rules+once, func(b *store.Batch, i int) {
		if at := due + int64(i)*10; i < rules {
			addRule(b, i, created, at)
		} else {
			addScheduled(b, created, i, at)
		}
	})
	empty := launch(t)
	began := time.Now()
	p := launchUnready(t, "", "WORKMAN_DATA="+dir)
	p.line("workman is ready")
	took := time.Since(began)
	t.Logf("ready after %v", took)
	if took > 10*time.Second {
		t.Errorf("ready after %v", took)
	}
	a := askerOf(t, p.addr)
	w := newHand(t, p.addr, "soon")
	a.do(201, "PUT", "/schedules/soon", `{"cron":"* * * * * *","task":"soon"}`)
	for range 2 {
		k := w.take()
		came := time.Now()
		w.done(k, "1")
		due, err := time.Parse(time.RFC3339, a.look(k.Run).For)
		late := came.Sub(due)
		t.Logf("late by %v", late)
		if err != nil || late < 0 || late > time.Second { // the worker waited for it
			t.Errorf("late by %v: %v", late, err)
		}
	}
	if r := a.get("/schedules/rule%20499999").rule(); len(r.Next) != 10 || r.Task != "report" {
		t.Errorf("one of them: %+v", r)
	}
	var page struct {
		Schedules []rule
		Next      string
	}
	began = time.Now()
	if a.get("/schedules?limit=1000&cursor=rule%20250000").into(&page); len(page.Schedules) != 1000 || page.Schedules[0].Name != "rule 250001" {
		t.Errorf("a page from the middle has %d, from %+v on", len(page.Schedules), page.Schedules[:1])
	}
	t.Logf("a page of a thousand took %v", time.Since(began))
	p.isFlat(empty)
}
