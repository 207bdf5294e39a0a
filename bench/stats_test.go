package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestSpread(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   spread
	}{
		{nil, spread{}},
		{[]float64{5}, spread{5, 5, 5}},
		{[]float64{3, 1, 2}, spread{1, 2, 3}},
		{[]float64{4, 1, 3, 2}, spread{1, 2.5, 4}},
	} {
		if got := spreadOf(test.values); got != test.want {
			t.Errorf("%v: %v, not %v", test.values, got, test.want)
		}
	}
}

// rounds makes rounds of rates and CPU times, in turns.
func rounds(figures ...float64) (all []round) {
	for i := 0; i < len(figures); i += 2 {
		all = append(all, round{Rate: figures[i], ServerCPU: figures[i+1]})
	}
	return all
}

func TestRatiosAreOfPairs(t *testing.T) {
	a := result{"s2", workman, rounds(100, 2, 200, 3, 300, 8)}
	b := result{"s2", relay, rounds(50, 1, 400, 2, 100, 2)}
	got := compare([]result{a, b})
	want := []ratio{
		{"s2", "workman/relay", "tasks/s", spread{0.5, 2, 3}},
		{"s2", "workman/relay", cpuFigure, spread{1.5, 2, 4}},
	}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%v, not %v", got, want)
	}
}

func TestRatiosNeedBoth(t *testing.T) {
	all := compare([]result{{"s1", workman, rounds(1, 1)}, {"http", workman, rounds(6, 3)}, {"ws64", workman, rounds(3, 0)}})
	if len(all) != 1 || all[0] != (ratio{"http", "http/ws64", "tasks/s", spread{2, 2, 2}}) {
		t.Errorf("%v", all)
	}
}

func TestRatiosAreOfAllSystems(t *testing.T) {
	one := rounds(6, 1)
	var got []string
	for _, r := range compare([]result{{"s1", workman, one}, {"s1", "redis", one}, {"s1", "nats", rounds(3, 4)}, {"s2", "nats", one}}) {
		got = append(got, fmt.Sprintf("%s %s %s %g", r.Scenario, r.What, r.Figure, r.Median))
	}
	want := []string{"s1 workman/redis tasks/s 1", "s1 workman/redis server CPU/task 1", "s1 workman/nats tasks/s 2", "s1 workman/nats server CPU/task 0.25"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
}

func TestPerTask(t *testing.T) {
	if got := perTask(int64(3000), 2); got != 1.5 {
		t.Errorf("%g", got)
	}
	if got := perTask(int64(3000), 0); got != 3 {
		t.Errorf("%g", got)
	}
}

func TestHistogramIsGoodToThreeDigits(t *testing.T) {
	l := newTestLedger()
	for us := int64(1); us <= 100_000; us++ {
		l.outstanding++
		l.settle(0, us*1000)
	}
	for percentile, want := range map[float64]int64{50: 50_000, 99: 99_000, 99.9: 99_900, 100: 100_000} {
		if got := l.latency.ValueAtPercentile(percentile); got < want-want/1000-1 || got > want+want/1000+1 {
			t.Errorf("p%g is %d, not %d", percentile, got, want)
		}
	}
	l.settle(0, 1e15)
	if got := l.latency.Max(); got < maxLatency*999/1000 || got > maxLatency*1001/1000 {
		t.Errorf("the longest is %d", got)
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567.6: "1,234,568", 12345: "12,345"} {
		if got := thousands(v); got != want {
			t.Errorf("%g is %q, not %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{12: "12", 1049: "1.0k", 65_432: "65.4k", 2_041_000: "2.04M"} {
		if got := compact(v); got != want {
			t.Errorf("%g is %q, not %q", v, got, want)
		}
	}
}

const wantTable = `scenario  system     tasks/s      min–max  MB/s  p50 µs  p99 µs  p99.9 µs  max µs  server µs/task  allocs/task  bench µs/task  RSS MB
s2        workman  1,500,000  1.40M–1.60M  93.0     240     440     1,000   2,000            0.50        0.002           0.62    12.3
s2        relay    2,000,000  2.00M–2.00M     –       0       0         0       0               –            –           0.10       –

scenario  ratio                   tasks/s  p50  p99  p99.9  server CPU/task
s2        workman/relay  0.75 (0.70–0.80)    –    –      –                –

Other processes took up to 25% of the machine in a round: the figures are unsteady. Trust the ratios first.

s2 workman: the bench itself was busy 95% of the time. Compare server µs/task, not tasks/s.
`

func TestTable(t *testing.T) {
	one := round{Rate: 1.5e6, Bytes: 93e6, P50: 240, P99: 440, P999: 1000, Max: 2000, ServerCPU: 0.5, GeneratorCPU: 0.62, GeneratorBusy: 0.95, RSS: 12.3e6}
	few := 0.0015
	one.Allocations = &few
	low, high := one, one
	low.Rate, high.Rate = 1.4e6, 1.6e6
	high.Others = 0.25
	limit := round{Rate: 2e6, GeneratorCPU: 0.1}
	results := []result{{"s2", workman, []round{low, one, high}}, {"s2", relay, []round{limit, limit, limit}}}
	var b strings.Builder
	if err := writeReport(&b, results, compare(results), nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	if b.String() != wantTable {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), wantTable)
	}
}
