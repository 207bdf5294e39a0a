package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// readSVG is what an SVG file says, text by text. It must be well-formed.
func readSVG(t *testing.T, path string) (texts []string, shapes int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := xml.NewDecoder(f)
	inText := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts, shapes
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			inText = token.Name.Local == "text"
			if token.Name.Local == "path" {
				shapes++
			}
		case xml.CharData:
			if inText {
				texts = append(texts, strings.TrimSpace(string(token)))
			}
		case xml.EndElement:
			inText = false
		}
	}
}

func TestChartShowsEverySystem(t *testing.T) {
	one := round{Rate: 12_345, ServerCPU: 1.5, P99: 321}
	more := one
	more.Rate = 23_456
	results := []result{{"s1", workman, []round{one, more}}, {"s1", "gearmand", []round{one}}, {"s2", workman, []round{{Rate: 99_000}}}}
	path := filepath.Join(t.TempDir(), "chart.svg")
	if err := drawChart(path, "of this machine", scenarios, results); err != nil {
		t.Fatal(err)
	}
	texts, shapes := readSVG(t, path)
	for _, want := range []string{"of this machine", "s1", "s2", workman, "gearmand", "17.9k", "12.3k", "1.50", "321", "99.0k",
		"tasks/s (more is better)", mustFind(t, "s1").What} {
		if !slices.Contains(texts, want) {
			t.Errorf("%q is not in %q", want, texts)
		}
	}
	// background, a line a group, and seven bars with whiskers of three lines
	if want := 1 + 2 + 7*4; shapes != want {
		t.Errorf("%d shapes, not %d", shapes, want)
	}
}

func TestChartIsNotScaledByTheOneFarBehind(t *testing.T) {
	of := func(values ...float64) (all []result) {
		for _, v := range values {
			all = append(all, result{"s1", "x", []round{{Rate: v}}})
		}
		return all
	}
	for _, test := range []struct {
		results []result
		want    float64
	}{{of(1, 2, 3), 3}, {of(1, 2, 3, 100), 10}, {of(1, 100), 100}, {of(0, 0), 0}} {
		if got := chartScale(test.results, rate); got != test.want {
			t.Errorf("%v: %g, not %g", test.results, got, test.want)
		}
	}
	path := filepath.Join(t.TempDir(), "chart.svg")
	if err := drawChart(path, "", nil, of(1, 2, 3, 100)); err != nil {
		t.Fatal(err)
	}
	if texts, _ := readSVG(t, path); !slices.Contains(texts, "100") {
		t.Errorf("the bar that is cut has no number: %q", texts)
	}
}

func TestSecondsAreDrawn(t *testing.T) {
	of := func(system string, seconds ...float64) result {
		return result{"durable", system, []round{{}, {PerSecond: seconds}}}
	}
	path := filepath.Join(t.TempDir(), "seconds.svg")
	results := []result{of(workman, 400_000, 410_000, 390_000), of("redis-aof", 300_000, 90_000, 300_000), of("jetstream", 4000),
		{"s2", workman, []round{{PerSecond: []float64{7, 8}}}}}
	if err := drawSeconds(path, "of this machine", results); err != nil {
		t.Fatal(err)
	}
	texts, _ := readSVG(t, path)
	for _, want := range []string{"of this machine", "durable, tasks/s", workman, "redis-aof", "s2, tasks/s: workman", "400,000", "2.5"} {
		if !slices.Contains(texts, want) {
			t.Errorf("%q is not in %q", want, texts)
		}
	}
	if slices.Contains(texts, "jetstream") {
		t.Error("a line of one second is drawn")
	}
	if err := drawSeconds(path, "", results[2:3]); err == nil || !strings.Contains(err.Error(), "two --seconds or more") {
		t.Errorf("nothing to draw: %v", err)
	}
}

func TestChartSaysWhereItCannotBeWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "chart.svg")
	err := drawChart(path, "", scenarios, []result{{"s1", workman, rounds(1, 1)}})
	if err == nil || !strings.Contains(err.Error(), "--svg") || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestSweepsHaveTheirPoints(t *testing.T) {
	for axis, want := range map[string]string{
		"names":       "names 1, names 10, names 100, names 1,000, names 4,096",
		"pending":     "pending 0, pending 1,000, pending 5,000",
		"schedules":   "schedules 0, schedules 700",
		"connections": "connections 0, connections 1,000",
		"payload":     "text payload 64, text payload 256, text payload 1,024, text payload 4,096, text payload 16,384, text payload 65,536, json payload 64",
	} {
		c := parse(t, "--sweep", axis, "--pending", "5000", "--schedules", "700")
		if err := c.validate(); err != nil {
			t.Fatal(err)
		}
		points, err := c.scenarios()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, sc := range points {
			names = append(names, sc.Name)
			if !sc.fresh() || sc.Producers > maxPair || sc.room() > maxPair {
				t.Errorf("%+v", sc)
			}
		}
		if got := strings.Join(names, ", "); !strings.HasPrefix(got, want) {
			t.Errorf("%s has the points %s, not %s", axis, got, want)
		}
	}
	if got := upTo(5, 0, 3, 5, 9); !slices.Equal(got, []int{0, 3, 5}) {
		t.Errorf("%v", got)
	}
}

func TestSweepOfTheRealServer(t *testing.T) {
	dir := t.TempDir()
	file, svg := filepath.Join(dir, "sweep.json"), filepath.Join(dir, "sweep.svg")
	s := newTestSuite(t, "", "--sweep=pending", "--pending=1500", "--rounds=2", "--json="+file, "--svg="+svg)
	s.programs = []*program{soakServer(t)}
	var out strings.Builder
	if err := s.run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pending 0      workman", "pending 1,500  workman  waiting tasks", "pending 1,500: --memory --max-tasks 11500"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "empty") {
		t.Errorf("an empty server has a row beside that of no tasks:\n%s", out.String())
	}
	texts, _ := readSVG(t, svg)
	for _, want := range []string{"How the cost grows: pending", "0", "1,000", "1,500", "tasks/s"} {
		if !slices.Contains(texts, want) {
			t.Errorf("%q is not in %q", want, texts)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil || len(r.Results) != 3 || len(r.Results[2].Rounds) != 2 || len(r.Extras) != 8 ||
		len(r.Extras[0].Values) != 2 || r.Scenarios[2].Point.At != 1500 {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestSweepSeriesAreSystemsAndKinds(t *testing.T) {
	points, err := config{Sweep: "payload"}.sweepPoints()
	if err != nil {
		t.Fatal(err)
	}
	var results []result
	for _, sc := range points {
		for _, system := range []string{workman, relay} {
			results = append(results, result{sc.Name, system, []round{{Rate: float64(sc.Payload.Size), ServerCPU: 1, P99: 1}}})
		}
	}
	places, lines := sweepSeries(points, results)
	if !slices.Equal(places, []int{64, 256, 1024, 4096, 16384, 65536}) || len(lines) != 4 {
		t.Fatalf("%v, %d lines", places, len(lines))
	}
	for i, want := range []string{"workman, text", "relay, text", "workman, json", "relay, json"} {
		if l := lines[i]; l.name != want || len(l.results) != 6 || (l.dashes != nil) != (i >= 2) || l.results[5].of(rate).Median != 65536 {
			t.Errorf("line %d is %s with %d results, dashes %v", i, l.name, len(l.results), l.dashes)
		}
	}
	path := filepath.Join(t.TempDir(), "sweep.svg")
	if err := drawSweep(path, "payload", "", points, results); err != nil {
		t.Fatal(err)
	}
	if texts, _ := readSVG(t, path); !slices.Contains(texts, "MB/s of options and results") || !slices.Contains(texts, "65,536") {
		t.Errorf("%q", texts)
	}
}
