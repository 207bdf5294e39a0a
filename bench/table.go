package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// header names the columns of the table; --help explains them.
var header = []string{"scenario", "system", "tasks/s", "min–max", "MB/s", "p50 µs", "p99 µs", "p99.9 µs", "max µs",
	"server µs/task", "allocs/task", "bench µs/task", "RSS MB"}

// leftColumns is how many columns of the first two tables are aligned to the
// left.
const leftColumns = 2

// busy is the share of its threads' time from which on the bench is what
// limits tasks a second.
const busy = 0.9

// writeReport prints the table, then the ratios, the figures without a column,
// and what to know about all of them.
func writeReport(w io.Writer, results []result, ratios []ratio, more []extras, late []lateness, scenarios []scenario) error {
	var b strings.Builder
	if len(results) > 0 {
		rows := [][]string{header}
		for _, r := range results {
			rows = append(rows, row(r))
		}
		align(&b, rows, leftColumns)
	}
	writeRatios(&b, ratios)
	writeExtras(&b, more)
	writeLateness(&b, late)
	writeFlags(&b, scenarios)
	writePaces(&b, results)
	writeNotes(&b, results, scenarios)
	_, err := io.WriteString(w, b.String())
	return err
}

// row is a result's line in the table.
func row(r result) []string {
	tasks, allocations := r.of(rate), "–"
	if a, known := r.allocations(); known {
		allocations = fmt.Sprintf("%.3f", a.Median)
	}
	return []string{r.Scenario, r.System,
		thousands(tasks.Median), compact(tasks.Min) + "–" + compact(tasks.Max),
		known("%.1f", r.of(func(r round) float64 { return r.Bytes }).Median/1e6),
		thousands(r.of(p50).Median), thousands(r.of(p99).Median), thousands(r.of(p999).Median), thousands(r.of(longest).Median),
		known("%.2f", r.of(serverCPU).Median), allocations,
		known("%.2f", r.of(func(r round) float64 { return r.GeneratorCPU }).Median),
		known("%.1f", r.of(func(r round) float64 { return r.RSS }).Median/1e6),
	}
}

// align writes rows in columns as wide as their widest cell, the first of them
// aligned to the left.
func align(b *strings.Builder, rows [][]string, left int) {
	widths := make([]int, len(rows[0]))
	for _, cells := range rows {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, cells := range rows {
		var line strings.Builder
		for i, cell := range cells {
			gap := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i < left {
				line.WriteString(cell + gap + "  ")
			} else {
				line.WriteString(gap + cell + "  ")
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// writeRatios writes a second table: a line for each pair of systems in a
// scenario.
func writeRatios(b *strings.Builder, ratios []ratio) {
	if len(ratios) == 0 {
		return
	}
	rows := [][]string{{"scenario", "ratio"}}
	for _, figure := range compared {
		rows[0] = append(rows[0], figure.name)
	}
	for _, r := range ratios {
		if last := rows[len(rows)-1]; last[0] != r.Scenario || last[1] != r.What {
			rows = append(rows, []string{r.Scenario, r.What, "–", "–", "–", "–", "–"})
		}
		for i, figure := range compared {
			if figure.name == r.Figure {
				rows[len(rows)-1][leftColumns+i] = fmt.Sprintf("%.2f (%.2f–%.2f)", r.Median, r.Min, r.Max)
			}
		}
	}
	b.WriteString("\n")
	align(b, rows, leftColumns)
}

// disturbed is the share of the machine that other processes may have before
// the figures are called unsteady.
const disturbed = 0.1

// writeNotes says where tasks a second tell more of the bench than of the
// server, and where all figures tell of something else.
func writeNotes(b *strings.Builder, results []result, scenarios []scenario) {
	worst := 0.0
	for _, r := range results {
		worst = max(worst, r.of(func(r round) float64 { return r.Others }).Max)
	}
	if worst >= disturbed {
		fmt.Fprintf(b, "\nOther processes took up to %.0f%% of the machine in a round: the figures are unsteady. Trust the ratios first.\n", 100*worst)
	}
	for _, r := range results {
		share := r.of(func(r round) float64 { return r.GeneratorBusy }).Median
		spins := slices.ContainsFunc(scenarios, func(sc scenario) bool { return sc.Name == r.Scenario && sc.Spin }) // always busy
		if share >= busy && !spins {
			fmt.Fprintf(b, "\n%s %s: the bench itself was busy %.0f%% of the time. Compare server µs/task, not tasks/s.\n",
				r.Scenario, r.System, 100*share)
		}
	}
}

// known formats a figure, or a dash if it is not known.
func known(format string, v float64) string {
	if v == 0 {
		return "–"
	}
	return fmt.Sprintf(format, v)
}

// thousands is a whole number with separators: 1,234,567.
func thousands(v float64) string {
	s := strconv.FormatInt(int64(v+0.5), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// compact is a number with three digits or so: 1.23M, 45.6k, 789.
func compact(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.2fM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%.1fk", v/1e3)
	}
	return fmt.Sprintf("%.0f", v)
}
