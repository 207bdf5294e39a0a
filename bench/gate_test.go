package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeGate writes a file for --gate.
func writeGate(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "ratio.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestGateChecksTheMedian(t *testing.T) {
	measured := []scenario{mustFind(t, "s1"), mustFind(t, "s2")}
	g, err := readGate(writeGate(t, `{"measured": "with care", "ratios": {"s1": 2, "s2": 1.2, "ws64": 1}}`), 1.5, measured)
	if err != nil {
		t.Fatal(err)
	}
	relayed := rounds(1, 1, 1, 1, 1, 1)
	for _, test := range []struct {
		name   string
		s1, s2 []round
		want   []string // parts of the error; none: no error
	}{
		{"as it was", rounds(1, 2, 1, 2, 1, 2), rounds(1, 1.2, 1, 1.2, 1, 1.2), nil},
		{"at the limit, one round over it", rounds(1, 3, 1, 3, 1, 9), rounds(1, 1.7, 1, 9, 1, 1), nil},
		{"over it in one", rounds(1, 3.1, 1, 3.1, 1, 1), rounds(1, 1, 1, 1, 1, 1), []string{"3.10 times", "in s1", "has 2, and 3.00 is allowed"}},
		{"over it in both", rounds(1, 4, 1, 4, 1, 4), rounds(1, 2, 1, 2, 1, 2), []string{"4.00 times", "in s1", "2.00 times", "in s2", "has 1.2, and 1.80 is allowed"}},
		{"not known in one", rounds(1, 2, 1, 2, 1, 2), nil, []string{"could not be decided", "in s2"}},
	} {
		err := g.check([]result{{"s1", workman, test.s1}, {"s1", relay, relayed}, {"s1", "nats", rounds(1, 0.01)}, {"s2", workman, test.s2}, {"s2", relay, relayed}})
		if (err == nil) != (test.want == nil) {
			t.Errorf("%s: %v", test.name, err)
		}
		for _, want := range test.want {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, without %q", test.name, err, want)
			}
		}
	}
}

func TestGateRefusesWhatDecidesNothing(t *testing.T) {
	measured := []scenario{mustFind(t, "s2")}
	for text, want := range map[string]string{
		`{`:                          "reading the ratios of --gate from",
		`{"ratios": {"s9": 1}}`:      `"s9" is unknown`,
		`{"ratios": {"s2": 0}}`:      "has the ratio 0 for s2",
		`{"ratios": {"s1": 1}}`:      `has ratios for "s1" only: add one of these to --scenario`,
		`{"measured": "not at all"}`: `has ratios for "" only`,
	} {
		if _, err := readGate(writeGate(t, text), 1.5, measured); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %q", text, err, want)
		}
	}
	if _, err := readGate(filepath.Join(t.TempDir(), "none"), 1.5, measured); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("no file: %v", err)
	}
}

func TestCommittedRatiosAreWhatTheGateReads(t *testing.T) {
	g, err := readGate("ratio.json", 1.5, scenarios)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.scenarios) < 2 || g.Measured == "" {
		t.Errorf("%+v", g)
	}
}
