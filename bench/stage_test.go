package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// startWorkman runs the real server until the test ends.
func startWorkman(t *testing.T, flags ...string) *target {
	t.Helper()
	target, err := soakServer(t).start(t.Context(), nil, nil, append([]string{"--memory"}, flags...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := target.server.stop(); err != nil {
			t.Error(err)
		}
	})
	return target
}

// small is a scenario with less of what makes it long.
func small(t *testing.T, name string) scenario {
	sc := mustFind(t, name)
	sc.Count = min(sc.Count, 3000)
	sc.Idle = min(sc.Idle, 50)
	return sc
}

// newStage is a short one on a target.
func newStage(sc scenario, target *target) stage {
	p := quick
	p.idle = 100 * time.Millisecond
	return stage{sc, target, 1, p, "", silent()}
}

func TestEveryScenarioOnTheRealServer(t *testing.T) {
	for _, sc := range scenarios {
		if sc.stores() {
			continue // see TestRunsOnTheRealServer
		}
		t.Run(sc.Name, func(t *testing.T) {
			sc := small(t, sc.Name)
			var g stage
			if sc.onDisk() {
				g = storingStage(t, soakServer(t), sc)
			} else {
				g = newStage(sc, startWorkman(t, sc.flags()...))
			}
			got, err := g.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range got.entries {
				checkRound(t, one.round)
				if one.Allocations == nil || one.ServerCPU <= 0 || one.RSS < 1e6 {
					t.Errorf("%s: %+v", one.name, one.round)
				}
			}
			rows := map[string]int{"": 1, pendingKind: 2, schedulesKind: 2}[sc.Kind]
			if sc.Beside != nil {
				rows = 2
			}
			if len(got.entries) != rows {
				t.Errorf("%d rows, not %d", len(got.entries), rows)
			}
			checkExtras(t, sc, got.extras)
			if late := got.lateness; (sc.Kind == dueKind) != (late != nil) || late != nil && late.TotalCount() != int64(sc.Count) {
				t.Errorf("lateness: %+v", late)
			}
		})
	}
}

// checkExtras looks whether a kind's figures are there, and can be true.
func checkExtras(t *testing.T, sc scenario, all []extra) {
	t.Helper()
	within := map[string][]struct {
		name   string
		lo, hi float64
	}{
		idleKind:    {{"idle connections", 50, 50}, {"memory a connection", 100, 1e5}, {"server CPU, all idle", 0, 60}},
		pendingKind: {{"waiting tasks", 3000, 3000}, {"tasks taken in", 1000, 1e8}, {"memory a waiting task", -1000, 5000}},
		schedulesKind: {{"schedules", 3000, 3000}, {"schedules set", 1000, 1e8}, {"server CPU a schedule set", 0.1, 1000},
			{"memory, before", 1, 1000}, {"memory, all set", 1, 1000}, {"memory, started again", 5, 1000},
			{"restart after a kill", 0.001, 60}, {"schedules, counted again", 3000, 3000}},
		dueKind: {{"schedules", 3000, 3000}, {"schedules set", 1000, 1e8}, {"setting them took", 0.0001, 3}, {"memory, before", 1, 1000},
			{"memory, all set", 1, 1000}, {"memory, all fired", 1, 1000}, {"of them due", 9000, 11000}, {"late, p50", 0.001, 1000}, {"late, max", 0.001, 5000}, {"server CPU a schedule fired", 0.1, 1000}},
	}[sc.Kind]
	for _, want := range within {
		found := false
		for _, e := range all {
			if e.Name == want.name || strings.HasPrefix(e.Name, want.name+",") {
				found = true
				if e.Value < want.lo || e.Value > want.hi {
					t.Errorf("%s is %g %s", e.Name, e.Value, e.Unit)
				}
			}
		}
		if !found {
			t.Errorf("%s is not in %+v", want.name, all)
		}
	}
}

func TestServerThatRefusesIsNotMeasured(t *testing.T) {
	_, err := newStage(small(t, "pending"), startWorkman(t, "--max-tasks", "1000")).run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "(--max-tasks)") {
		t.Errorf("it says %v", err)
	}
}

func TestStageEndsWhenInterrupted(t *testing.T) {
	for _, name := range []string{"pending", "schedules", "due", "idle"} {
		ctx, cancel := context.WithCancel(t.Context())
		g := newStage(small(t, name), startWorkman(t))
		g.pace.idle, g.pace.measure = time.Hour, time.Hour
		timer := time.AfterFunc(300*time.Millisecond, cancel)
		_, err := g.run(ctx)
		timer.Stop()
		if !errors.Is(err, errInterrupted) {
			t.Errorf("%s ends with %v", name, err)
		}
		cancel()
	}
}

func TestSchedulesThatFireWronglyAreFound(t *testing.T) {
	now := time.Now()
	see := func(f *firings, i int, at time.Time) {
		t.Helper()
		text := fmt.Sprintf(`{"name":"later","options":%s,"nonce":"n%d"}`, appendAppointment(nil, i, at), i)
		if nonce, err := f.see([]byte(text), now); err != nil || nonce != fmt.Sprintf("n%d", i) {
			t.Fatalf("%q, %v", nonce, err)
		}
	}
	a := &firings{times: make([]uint8, 3), lateness: newHistogram()}
	b := &firings{times: make([]uint8, 3), lateness: newHistogram()}
	see(a, 0, now.Add(-50*time.Millisecond))
	see(b, 1, now.Add(-7*time.Second))
	see(b, 2, now.Add(-time.Millisecond))
	lateness, err := fired([]*firings{a, b}, 3)
	if got := lateness.Max(); err != nil || got < 6_900_000 || got > 7_100_000 {
		t.Errorf("at most %d µs late, %v", got, err)
	}
	see(a, 2, now.Add(-time.Millisecond))
	see(a, 2, now.Add(2*time.Millisecond))
	b.times[1] = 0
	if _, err := fired([]*firings{a, b}, 3); err == nil || !strings.Contains(err.Error(), "1 never fired, 1 more than once, 1 early") {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{`{"name":"later","options":{"i":3,"at":1},"nonce":"n"}`, `{"name":"work","options":{"i":0,"at":1},"nonce":"n"}`,
		`{"name":"later","options":{"i":-1,"at":1},"nonce":"n"}`, `{"name":"later","options":{"at":1},"nonce":"n"}`, `{}`, ``} {
		if _, err := a.see([]byte(bad), now); err == nil {
			t.Errorf("%q is taken for a schedule", bad)
		}
	}
}

// callerPair is a caller and the other end of its connection.
func callerPair(t *testing.T) (*caller, net.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return &caller{conn: ours, mask: newMask(5), stop: func() bool { return true }}, theirs
}

// answered takes an answer with an id.
func answered(result []byte) error {
	if !strings.HasPrefix(string(result), `{"id":"`) {
		return fmt.Errorf("%q has no id", result)
	}
	return nil
}

func TestCallerTakesAnySplit(t *testing.T) {
	const n = 3
	var in []byte
	for _, i := range []int{2, 0, 1} {
		in = append(in, text(fmt.Sprintf(`{"nonce":%d,"result":{"id":"%d"}}`, i, i))...)
	}
	in = append(frameOf(0x89, "ping"), in...)
	for split := range in {
		c, server := callerPair(t)
		go func() {
			server.Write(in[:split])
			pong := make([]byte, 10)
			if split < 6 {
				server.Write(in[split:6])
			}
			server.Read(pong)
			server.Write(in[max(split, 6):])
		}()
		got := 0
		if err := c.answers(n, answered, func(done int) { got = done }); err != nil || got != n {
			t.Fatalf("split at %d: %d answers, %v", split, got, err)
		}
	}
}

func TestCallerFindsWrongAnswers(t *testing.T) {
	for _, bad := range []string{`{"nonce":0,"result":{"id":"x"}}`, `{"nonce":2,"result":{"id":"x"}}`, `{"nonce":1,"result":{"error":"full"}}`,
		`{"nonce":1}`, `{"nonce":"1","result":{"id":"x"}}`, `{"nonce":,"result":{"id":"x"}}`, `{}`} {
		c, server := callerPair(t)
		go func() {
			server.Write(text(`{"nonce":0,"result":{"id":"x"}}`))
			server.Write(text(bad))
		}()
		if err := c.answers(2, answered, func(int) {}); err == nil || !strings.Contains(err.Error(), bad[1:]) && !strings.Contains(err.Error(), `\"`) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestExtrasTable(t *testing.T) {
	var all []extras
	for _, v := range []float64{3, 1.5, 12345.6} {
		all = enterExtra(all, "due", workman, extra{"late, max", "ms", v})
		all = enterExtra(all, "due", relay, extra{"late, max", "ms", -v})
	}
	var b strings.Builder
	writeExtras(&b, all)
	writeFlags(&b, []scenario{mustFind(t, "s1"), {Name: "x", Kind: pendingKind, Count: 5}})
	const want = `
scenario  system   figure     unit  median        min–max
due       workman  late, max  ms         3    1.50–12,346
due       relay    late, max  ms        -3  -12,346–-1.50

Flags that workman was started with:
  s1: --memory
  x: --memory --max-tasks 10005
`
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
}
