package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// holdFarOff measures the load on an empty server, then while schedules wait
// that are far off. Then the server is killed and started again: it must still
// have each of them.
func (g stage) holdFarOff(ctx context.Context) (found, error) {
	var ids []string
	got, err := g.besides(ctx, func(ctx context.Context) (extras []extra, release func(), err error) {
		extras, ids, err = g.fillSchedules(ctx)
		return extras, func() {}, err
	})
	if err != nil || g.sc.Point != nil {
		return got, err
	}
	after, err := g.restartFarOff(ctx, ids)
	got.extras = append(got.extras, after...)
	return got, err
}

// fillSchedules sets schedules for the next century.
func (g stage) fillSchedules(ctx context.Context) (extras []extra, ids []string, err error) {
	first := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	const within = uint64(50 * 365 * 24 * time.Hour)
	if err := g.observe(ctx, &extras, "before"); err != nil {
		return nil, nil, err
	}
	set, ids, err := g.setSchedules(ctx, func(b []byte, _ int, random *source) (time.Time, []byte) {
		return first.Add(time.Duration(random.next() % within)), appendOptions(b, random)
	})
	if err != nil {
		return nil, nil, err
	}
	extras = append(extras, set...)
	return extras, ids, g.observe(ctx, &extras, "all set")
}

// restartFarOff kills the server and starts it again, and counts the schedules
// that it still has.
func (g stage) restartFarOff(ctx context.Context, ids []string) (extras []extra, err error) {
	if extras, err = g.restartKilled(ctx, int64(g.sc.Count)); err != nil {
		return extras, err
	}
	t := g.target
	if err = g.observe(ctx, &extras, "started again"); err == nil {
		err = verifySchedules(ctx, t.addr, ids, "scheduled", "")
	}
	n := 0
	if err == nil {
		n, err = g.countScheduled(ctx)
	}
	if err == nil && n != g.sc.Count {
		err = fmt.Errorf("%d schedules were set, and after a kill there are %d", g.sc.Count, n)
	}
	if err != nil {
		return extras, t.server.explain(err)
	}
	return append(extras, extra{"schedules, counted again", "", float64(n)}), nil
}

// verifySchedules asks for some of the runs by their ids.
func verifySchedules(ctx context.Context, addr string, ids []string, state, result string) error {
	for i := 0; i < len(ids); i += len(ids)/maxVerified + 1 {
		if err := verifyRun(ctx, addr, runSample{ids[i], result}, state); err != nil {
			return err
		}
	}
	return nil
}

// countScheduled counts all runs that wait for their time, a page after the
// other.
func (g stage) countScheduled(ctx context.Context) (n int, err error) {
	for next := "/scheduled?limit=1000"; next != ""; {
		status, text, err := get(ctx, "http://"+g.target.addr+next)
		var page struct {
			Scheduled []json.RawMessage
			Next      string
		}
		if err == nil && status == http.StatusOK {
			err = json.Unmarshal(text, &page)
		}
		if err != nil || status != http.StatusOK || page.Scheduled == nil {
			return n, fmt.Errorf("GET %s is answered %d: %.200q, %w", next, status, text, err)
		}
		for _, run := range page.Scheduled {
			if bytes.Contains(run, []byte(`"state":"scheduled"`)) {
				n++
			}
		}
		g.show.live("%s  %s schedules are counted", g.label, thousands(float64(n)))
		next = page.Next
	}
	return n, nil
}
