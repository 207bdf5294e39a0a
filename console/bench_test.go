package console_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"workman/dispatch"
	"workman/store"
)

// million fills a store: of each hundred runs 90 have succeeded, nine are pending, and one is dead.
func million(b *testing.B, s *server, n int) {
	b.Helper()
	var batch store.Batch
	for i := range n {
		id := dispatch.ID{0x01, 0xa3, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i), 0x70, 0, 0x80}
		name := fmt.Appendf(nil, "task-%d", i%20)
		run := dispatch.StoredRun{
			Policy: dispatch.DefaultPolicy(), Created: int64(id.Stamp() >> 12), Rank: 4, Name: name,
			Labels: fmt.Appendf(nil, "n:%d\n", i), Body: []byte(strings.Repeat("1", 200)),
		}
		put := func(table store.Table, key, value []byte) { batch.Put(table, key, value) }
		put(dispatch.TableRuns, id[:], run.Append(nil))
		outcome := dispatch.Outcome{State: dispatch.Succeeded, Finished: run.Created + 5, Result: []byte(`"done"`)}
		switch {
		case i%100 == 0:
			outcome.State = dispatch.Dead
			put(dispatch.TableFailed, dispatch.AppendFailedKey(nil, dispatch.Dead, name, id), nil)
			fallthrough
		case i%100 >= 10:
			put(dispatch.TableOutcomes, id[:], outcome.Append(nil))
		default:
			put(dispatch.TableQueue, dispatch.AppendQueueKey(nil, name, 4, id.Stamp()), id[:])
		}
		if i%1000 == 999 || i == n-1 {
			number, err := s.keeper.Store().Append(&batch)
			if err != nil {
				b.Fatal(err)
			}
			if err := s.keeper.Store().Wait(number); err != nil {
				b.Fatal(err)
			}
			batch.Reset()
		}
	}
}

// BenchmarkRuns is a page of a hundred of a million runs, by each way to find them; ten are with a worker. The last two look at
// as much as one page may, and find nothing.
func BenchmarkRuns(b *testing.B) {
	s := serve(b)
	million(b, s, 1_000_000)
	s.say(worker, dispatch.Event{Kind: dispatch.RegisterTask}, "ship", "", nil)
	s.say(worker, dispatch.Event{Kind: dispatch.GetTask, Count: 10}, "", "", nil)
	for range 10 {
		s.run("ship", nil)
	}
	s.settled()
	for _, query := range []string{
		"", "state=succeeded", "state=dead", "state=dead&task=task-0", "state=pending", "state=pending&task=task-3", "state=running",
		"task=task-7", "label=n:1", "key=none",
	} {
		b.Run(query, func(b *testing.B) {
			for b.Loop() {
				w := httptest.NewRecorder()
				s.pages.ServeHTTP(w, httptest.NewRequest("GET", "/runs?"+query, nil))
				if w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
