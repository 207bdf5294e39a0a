package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// storingStage is a short stage of a load of runs on a server in a folder of
// its own.
func storingStage(t *testing.T, p *program, sc scenario) stage {
	t.Helper()
	target, err := p.startIn(t.Context(), t.TempDir(), nil, nil, p.flagsFor(sc)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := target.server.stop(); err != nil {
			t.Error(err)
		}
	})
	return newStage(sc, target)
}

// smallRuns is a load of runs with few of everything.
func smallRuns(t *testing.T, name string) scenario {
	sc := mustFind(t, name)
	if sc.Kind == lifeKind {
		sc.Workers, sc.Credits = 3, 5
		beside := *sc.Beside
		beside.Producers, beside.Outstanding = 3, 7
		sc.Beside = &beside
		return sc
	}
	sc.Producers, sc.Outstanding = 3, 7
	return sc
}

// TestPeersKeepRuns plays the clients of each system that keeps runs against
// its real server, which is killed and started again: all that it acknowledged
// must be there, each run worked once.
func TestPeersKeepRuns(t *testing.T) {
	for _, p := range peerPrograms() {
		if p.keepers == nil {
			continue
		}
		t.Run(p.system, func(t *testing.T) {
			require(t, p.build(t.Context(), t.TempDir()))
			for _, name := range []string{"durable", "life"} {
				sc := smallRuns(t, name)
				if sc.Kind == durableKind {
					sc.Kept = 100
				}
				g := storingStage(t, p, sc)
				g.threads = 2
				g.pace.measure = 1100 * time.Millisecond
				checkStored(t, g)
			}
		})
	}
}

// TestRunsOfWorkman plays workman's clients against a small server of its wire.
func TestRunsOfWorkman(t *testing.T) {
	for _, test := range []struct {
		scenario, fault string
		keyed           float64
		want            string // empty: all is well
	}{
		{"durable", "", 0, ""},
		{"durable", "", 0.1, ""},
		{"durable", "odd", 0, ""},
		{"life", "", 0, ""},
		{"durable", "refuse", 0, `was answered "{\"nonce\":`},
		{"durable", "forget", 0, "after a kill: the run 01234567-89ab-7def-8123-"},
		{"life", "idle", 0, "0 wrong, 0 duplicated, 0 stray, 1 lost"},
		{"life", "twice", 0, "0 wrong, 1 duplicated, 0 stray, 0 lost"},
	} {
		t.Run(test.scenario+" "+test.fault, func(t *testing.T) {
			sc := smallRuns(t, test.scenario)
			sc.Keyed = test.keyed
			if sc.Kind == durableKind {
				sc.Keys, sc.Kept = 50, 30
			}
			g := storingStage(t, testProgram(t, workman, test.fault), sc)
			g.pace.kept = 2 * time.Second
			if test.want == "" {
				g.pace.measure = 1100 * time.Millisecond
				checkStored(t, g)
				return
			}
			if _, err := g.run(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, not %q", err, test.want)
			}
		})
	}
}

func TestFillingEndsWhenInterrupted(t *testing.T) {
	sc := smallRuns(t, "durable")
	sc.Kept = maxKept
	g := storingStage(t, testProgram(t, workman, ""), sc)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	timer := time.AfterFunc(200*time.Millisecond, cancel)
	defer timer.Stop()
	if _, err := g.run(ctx); !errors.Is(err, errInterrupted) {
		t.Errorf("it ends with %v", err)
	}
}

func TestRunsOnTheRealServer(t *testing.T) {
	p := soakServer(t)
	for _, name := range []string{"durable", "life"} {
		for _, keyed := range []float64{0, 0.1} {
			sc := smallRuns(t, name)
			sc.Keyed = keyed
			if sc.Kind == durableKind {
				sc.Keys, sc.Kept = 50, 30
			}
			g := storingStage(t, p, sc)
			g.threads = 2
			g.pace.measure = 1100 * time.Millisecond
			checkStored(t, g)
		}
	}
}

// checkStored runs a stage and looks whether its figures can be true.
func checkStored(t *testing.T, g stage) {
	t.Helper()
	got, err := g.run(t.Context())
	if err != nil {
		t.Fatalf("%s: %v", g.sc.Name, err)
	}
	if want := len(g.sc.parts()); len(got.entries) != want {
		t.Fatalf("%s: %d rows, not %d", g.sc.Name, len(got.entries), want)
	}
	for _, one := range got.entries {
		checkRound(t, one.round)
		if one.ServerCPU <= 0 || len(one.PerSecond) != 1 || one.PerSecond[0] > float64(one.Tasks) || 2*one.PerSecond[0] < float64(one.Tasks) {
			t.Errorf("%s: %+v", one.name, one.round)
		}
	}
	value := map[string]float64{}
	for _, e := range got.extras {
		value[e.Name] = e.Value
	}
	if value["data folder"] <= 0 || value["data folder, a run"] <= 0 || value["restart after a kill"] <= 0 ||
		g.sc.Kept > 0 && (value["runs kept before"] < float64(g.sc.Kept) || value["runs kept before, taken in"] <= 0) {
		t.Errorf("%s: %+v", g.sc.Name, got.extras)
	}
}

func TestRunDigits(t *testing.T) {
	for _, producer := range []int{0, 1, 8, maxPair - 1} {
		for _, number := range []int64{0, 1, 7, 8, 1 << 24, 1<<36 - 1, 12345678901} {
			d := runDigits(producer, number)
			if p, n, ok := d.run(); p != producer || n != number || !ok {
				t.Errorf("%d, %d: %s is %d, %d, %v", producer, number, d, p, n, ok)
			}
		}
	}
	for _, ns := range []int64{0, 1, 1 << 24, 3600e9, 1<<48 - 1} {
		if got, ok := timeDigits(ns).time(); got != ns || !ok {
			t.Errorf("%d is %d, %v", ns, got, ok)
		}
	}
	if d := runDigits(0o1234, 0o567); d.String() != "0.4321000076500000" {
		t.Errorf("%s", d)
	}
	for _, bad := range []string{"8000000000000000", "0000000000000009", "000000 000000000 ", "00000000\x000000000"} {
		if _, _, ok := getDigits([]byte(bad)).run(); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}

// newTestPromises is an account with a producer of two slots and a worker.
func newTestPromises(t *testing.T) (*promises, *submits, *finished) {
	t.Helper()
	sc := mustFind(t, "life")
	p := newPromises(sc)
	random := source(7)
	s := newSubmits("test", scenario{Outstanding: 2}, 5, p, newTestLedger(), &random, optionsText)
	w := newFinished("test", 0, p)
	w.count(newTestLedger())
	return p, s, w
}

func TestPromisesFindFaults(t *testing.T) {
	run := func(number int64) []byte {
		r := newRequest(optionsText)
		return r.append(nil, 0, runDigits(5, number), timeDigits(1000))
	}
	for _, test := range []struct {
		fault string
		take  func(p *promises, w *finished)
		want  string
	}{
		{"none", func(_ *promises, w *finished) { w.take(run(0)); w.take(run(1)) }, ""},
		{"one is never worked", func(_ *promises, w *finished) { w.take(run(1)) }, "1 lost\n  no worker ever got run 0 of test producer 5"},
		{"one goes to two workers", func(p *promises, w *finished) {
			other := newFinished("test", 1, p)
			other.count(newTestLedger())
			other.take(run(0))
			w.take(run(0))
			w.take(run(1))
		}, "1 duplicated, 0 stray, 0 lost"},
	} {
		p, s, w := newTestPromises(t)
		s.submit(nil, 500)
		test.take(p, w)
		if err := p.check(); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, not %q", test.fault, err, test.want)
		}
	}
	_, s, w := newTestPromises(t)
	s.submit(nil, 500)
	w.take(run(0))
	w.take(run(0))
	if err := w.ledger.faults.err(); err == nil || !strings.Contains(err.Error(), "test worker 0 got run 0 of producer 5 twice") {
		t.Errorf("one twice: %v", err)
	}
	for _, bad := range [][]byte{run(2), []byte(taskOptions), []byte(oddOptions), nil} {
		if _, _, err := w.take(bad); err == nil {
			t.Errorf("%q is taken for a run", bad)
		}
	}
}

func TestSubmitsKeepTheirOrderAndTheirBounds(t *testing.T) {
	p, s, w := newTestPromises(t)
	p.ahead, p.keyed = 3, 0.5
	s.keyed = newRequest(keyGap + optionsText)
	out := string(s.submit(nil, 1000))
	if strings.Count(out, optionsHead) != 2 || strings.Count(out, "5000000000000000"+optionsHead) != 0 || s.due() != never {
		t.Errorf("%q, due at %d", out, s.due())
	}
	if i := s.oldest(); i != 0 {
		t.Errorf("the oldest is in slot %d", i)
	}
	s.settle(0, 2000)
	s.settle(1, 2000)
	if i := s.oldest(); i >= 0 || s.ledger.faults.Stray != 1 {
		t.Errorf("of none the oldest is in slot %d; %+v", i, s.ledger.faults)
	}
	if s.due() != 0 || strings.Count(string(s.submit(nil, 3000)), optionsHead) != 1 || s.due() != never {
		t.Errorf("a third, and no fourth, can be submitted: %+v", s)
	}
	w.settle(1000, 4000)
	if s.due() != 0 || p.left() != 1 {
		t.Errorf("one is worked, so there is room for one: due at %d, %d left", s.due(), p.left())
	}
	if s.ledger.outstanding+w.ledger.outstanding != 3 {
		t.Errorf("%d are outstanding at the producer, %d at the worker", s.ledger.outstanding, w.ledger.outstanding)
	}
	p.most = 3
	if s.due() != never {
		t.Error("more than the most can be submitted")
	}
}
