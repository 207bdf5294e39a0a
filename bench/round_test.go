package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// quick is the pace of the tests' rounds.
var quick = pace{warmUp: 50 * time.Millisecond, measure: 300 * time.Millisecond, drain: 3 * time.Second, kept: 10 * time.Second}

// silent is a progress that nobody sees.
func silent() *progress { return &progress{w: io.Discard} }

// mustFind is a scenario by its name.
func mustFind(t *testing.T, name string) scenario {
	t.Helper()
	found, err := findScenarios([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	return found[0]
}

func TestRoundMeasuresEveryScenario(t *testing.T) {
	for _, sc := range scenarios {
		if sc.fresh() {
			continue // the test relay knows no schedules
		}
		t.Run(sc.Name, func(t *testing.T) {
			entries, err := runRound(t.Context(), sc, startTestRelay(t, ""), 1, quick, "", silent())
			if err != nil {
				t.Fatal(err)
			}
			for i, part := range sc.parts() {
				if entries[i].name != part.Name {
					t.Errorf("%q is the row of %q", entries[i].name, part.Name)
				}
				checkRound(t, entries[i].round)
			}
		})
	}
}

// checkRound looks whether the figures fit each other.
func checkRound(t *testing.T, r round) {
	t.Helper()
	if r.Tasks < 1 || r.Rate*r.Seconds < 0.99*float64(r.Tasks) || r.Rate*r.Seconds > 1.01*float64(r.Tasks) {
		t.Errorf("%d tasks in %.3f s at %.0f a second", r.Tasks, r.Seconds, r.Rate)
	}
	if r.P50 <= 0 || r.P99 < r.P50 || r.P999 < r.P99 || r.Max < r.P999 || r.Max > 5e6 {
		t.Errorf("p50 %.0f, p99 %.0f, p99.9 %.0f, max %.0f µs", r.P50, r.P99, r.P999, r.Max)
	}
	if r.GeneratorCPU <= 0 || r.Seconds < 0.29 {
		t.Errorf("the bench used %.3f µs a task in %.3f s", r.GeneratorCPU, r.Seconds)
	}
}

func TestRoundWithSeveralThreads(t *testing.T) {
	entries, err := runRound(t.Context(), mustFind(t, "s2"), startTestRelay(t, ""), 3, quick, "", silent())
	if err != nil {
		t.Fatal(err)
	}
	checkRound(t, entries[0].round)
}

func TestRoundAcceptsWhatIsRight(t *testing.T) {
	for _, oddity := range []string{"reorder", "ping", "shuffle"} {
		t.Run(oddity, func(t *testing.T) {
			_, err := runRound(t.Context(), mustFind(t, "s1"), startTestRelay(t, oddity), 1, quick, "", silent())
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestRoundFindsPlantedFaults(t *testing.T) {
	for _, test := range []struct{ scenario, fault, want string }{
		{"s1", "corrupt", "1 wrong, 0 duplicated, 0 stray, 0 lost"},
		{"s1", "drop", "0 wrong, 0 duplicated, 0 stray, 1 lost"},
		{"s1", "duplicate", "0 wrong, 1 duplicated, 0 stray, 0 lost"},
		{"s1", "swap", "2 wrong, 0 duplicated, 0 stray, 0 lost"},
		{"s1", "forge", "0 wrong, 0 duplicated, 1 stray, 0 lost"},
		{"s2", "corrupt", "1 wrong, 0 duplicated, 0 stray, 0 lost"},
		{"s2", "drop", "0 wrong, 0 duplicated, 0 stray, 1 lost"},
		{"s2", "duplicate", "0 wrong, 1 duplicated, 0 stray, 0 lost"},
		{"s2", "swap", "2 wrong, 0 duplicated, 0 stray, 0 lost"},
		{"s2", "hangup", `closed the WebSocket with code 1001 "going away"`},
		{"http", "corrupt", "1 wrong, 0 duplicated, 0 stray, 0 lost"},
		{"http", "drop", "0 wrong, 0 duplicated, 0 stray, 1 lost"},
		{"http", "swap", "2 wrong, 0 duplicated, 0 stray, 0 lost"},
	} {
		t.Run(test.scenario+" "+test.fault, func(t *testing.T) {
			err := runUntilFault(t, mustFind(t, test.scenario), startTestRelay(t, test.fault))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("the round found %v, not %q", err, test.want)
			}
		})
	}
}

// runUntilFault runs rounds until one fails: on a busy machine the first may
// be over before the relay comes to the answer that it spoils.
func runUntilFault(t *testing.T, sc scenario, target *target) (err error) {
	t.Helper()
	for range 20 {
		_, err = runRound(t.Context(), sc, target, 1, quick, "", silent())
		if err != nil && !errors.Is(err, errNoAnswers) {
			break
		}
	}
	return err
}

func TestRoundEndsWhenInterrupted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	long := pace{warmUp: time.Hour, measure: time.Hour, drain: time.Hour}
	_, err := runRound(ctx, mustFind(t, "s1"), startTestRelay(t, ""), 1, long, "", silent())
	if !errors.Is(err, errInterrupted) {
		t.Fatalf("the round ended with %v", err)
	}
}

func TestRoundSaysWhatIsNotThere(t *testing.T) {
	_, port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	_, err = runRound(t.Context(), mustFind(t, "s1"), &target{addr: "127.0.0.1:" + port, clients: workmanClients{}}, 1, quick, "", silent())
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Fatalf("the round ended with %v", err)
	}
}
