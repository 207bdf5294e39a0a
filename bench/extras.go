package main

import (
	"fmt"
	"strings"
)

// extras are the figures of one system in one scenario that have no column in
// the table, over all rounds.
type extras struct {
	Scenario string    `json:"scenario"`
	System   string    `json:"system"`
	Name     string    `json:"name"`
	Unit     string    `json:"unit,omitempty"`
	Values   []float64 `json:"values"`
}

// enterExtra adds a round's figure to those of the rounds before.
func enterExtra(all []extras, scenario, system string, e extra) []extras {
	for i := range all {
		if a := &all[i]; a.Scenario == scenario && a.System == system && a.Name == e.Name && a.Unit == e.Unit {
			a.Values = append(a.Values, e.Value)
			return all
		}
	}
	return append(all, extras{scenario, system, e.Name, e.Unit, []float64{e.Value}})
}

// writeExtras writes a table of them.
func writeExtras(b *strings.Builder, all []extras) {
	if len(all) == 0 {
		return
	}
	rows := [][]string{{"scenario", "system", "figure", "unit", "median", "min–max"}}
	for _, e := range all {
		s := spreadOf(e.Values)
		rows = append(rows, []string{e.Scenario, e.System, e.Name, e.Unit, short(s.Median), short(s.Min) + "–" + short(s.Max)})
	}
	b.WriteString("\n")
	align(b, rows, 4)
}

// short is a number with as many decimals as its size needs.
func short(v float64) string {
	switch {
	case v >= 100 || v <= -100 || v == float64(int64(v)):
		if v < 0 {
			return "-" + thousands(-v)
		}
		return thousands(v)
	case v >= 10 || v <= -10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// writeFlags tells what workman was started with beside its defaults.
func writeFlags(b *strings.Builder, scenarios []scenario) {
	said := false
	for _, sc := range scenarios {
		flags := sc.flags()
		if len(flags) == 0 {
			continue
		}
		if !said {
			b.WriteString("\nFlags that workman was started with:\n")
			said = true
		}
		fmt.Fprintf(b, "  %s: %s\n", sc.Name, strings.Join(flags, " "))
	}
}
