package main

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"workman/dispatch"
	"workman/store"
)

// fillSchedules makes a folder with so many schedules that recur and so many that do not, as a server leaves it. They are due
// from a week on.
func fillSchedules(t *testing.T, dir string, rules, once int) {
	t.Helper()
	cfg := store.DefaultConfig()
	cfg.Async, cfg.MaxPending = true, 1<<30
	s, err := store.Open(dir, cfg)
	if err != nil {
		t.Fatal(err)
	}
	var b store.Batch
	now := time.Now()
	created, due := now.Add(-time.Hour).UnixMilli(), now.Add(7*24*time.Hour).UnixMilli()
	for i := range rules + once {
		at := due + int64(i)*10
		if i < rules {
			addRule(&b, i, created, at)
		} else {
			addScheduled(&b, uint64(created)<<12+uint64(i), created, at)
		}
		if b.Len() > 1<<20 || i+1 == rules+once {
			if _, err := s.Append(&b); err != nil {
				t.Fatal(err)
			}
			b.Reset()
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

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

func addScheduled(b *store.Batch, stamp uint64, created, due int64) {
	id := dispatch.ID{}
	binary.BigEndian.PutUint64(id[:], stamp>>12<<16|0x7000|stamp&0xfff)
	binary.BigEndian.PutUint64(id[8:], stamp|1<<63)
	r := dispatch.StoredRun{Policy: dispatch.DefaultPolicy(), Created: created, Due: due, Rank: 4, Name: []byte("report"), Body: []byte(`{"some":"options"}`)}
	b.Put(dispatch.TableRuns, id[:], r.Append(nil))
	b.Put(dispatch.TableDue, dispatch.AppendDueKey(nil, due, id, dispatch.DueStart), append([]byte{r.Rank}, r.Name...))
}

// TestMillionSchedules: a server with a million schedules that are far off, half of them recurring, is ready within seconds,
// takes little more memory than one with none, and fires another one in time.
func TestMillionSchedules(t *testing.T) {
	if testing.Short() {
		t.Skip("it writes a quarter of a gigabyte")
	}
	dir := t.TempDir() + "/data"
	began := time.Now()
	fillSchedules(t, dir, 500_000, 500_000)
	t.Logf("they were written in %v", time.Since(began))
	empty := launch(t)
	began = time.Now()
	p := launchUnready(t, "", "WORKMAN_DATA="+dir)
	p.line("workman is ready")
	took := time.Since(began)
	t.Logf("ready after %v", took)
	if took > 10*time.Second {
		t.Errorf("ready after %v", took)
	}
	a := askerOf(t, p.addr)
	a.do(201, "PUT", "/schedules/soon", `{"cron":"* * * * * *","task":"soon"}`)
	w := newHand(t, p.addr, "soon")
	w.work("1")
	w.work("2")
	if r := a.get("/schedules/rule%20499999").rule(); len(r.Next) != 10 || r.Task != "report" {
		t.Errorf("one of them: %+v", r)
	}
	with, without := p.status("VmRSS"), empty.status("VmRSS")
	t.Logf("memory: %d MiB, and %d MiB of a server whose store is empty: %.2f times as much", with>>10, without>>10, float64(with)/float64(without))
	if with > without*2+16<<10 { // 50 bytes of memory for each would be more
		t.Errorf("with a million schedules it takes %d MiB, without %d MiB", with>>10, without>>10)
	}
}
