package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// soakReport is what --json writes.
type soakReport struct {
	Time       time.Time           `json:"time"`
	Arguments  []string            `json:"arguments"`
	Machine    machine             `json:"machine"`
	Good       bool                `json:"good"`
	Judgements []judgement         `json:"judgements"`
	Counts     counts              `json:"counts"`
	Visits     map[string]int64    `json:"visits"`
	Faults     map[faultKind]int64 `json:"faults"`
	Examples   []string            `json:"examples"`
	RSSTrend   trend               `json:"rss_trend"` // bytes
	Before     vitals              `json:"before"`
	After      vitals              `json:"after"`
	Samples    []sample            `json:"samples"`
}

// write saves the report as JSON.
func (r soakReport) write(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the samples that --json asks for: %w", err)
	}
	return nil
}

// soakHeader names the columns; --help explains them.
var soakHeader = []string{"when", "time", "tasks/s", "p50 µs", "p99 µs", "p99.9 µs", "RSS MB", "anon MB",
	"fds", "threads", "goroutines", "clients", "server CPU", "bench CPU", "other CPU"}

// writeSoak prints the table, what was done, and the verdict.
func writeSoak(w io.Writer, o outcome, latency *latencies, visits map[string]int64, all []judgement) error {
	var b strings.Builder
	rows := [][]string{soakHeader, vitalsRow("before", "", o.before)}
	for i, part := range quarterly(o.samples) {
		if len(part) > 0 {
			rows = append(rows, quarterRow(fmt.Sprintf("quarter %d", i+1), part, latency.quarter(i)))
		}
	}
	rows = append(rows, vitalsRow("after", fmt.Sprintf("+%.1fs", o.settled.Seconds()), o.after))
	align(&b, rows, leftColumns)
	b.WriteString("\nWhat went on: " + o.counts.String() + "\nVisits: " + countsText(visits) + "\n")
	for _, text := range o.examples {
		b.WriteString("  " + text + "\n")
	}
	if others := meanOf(o.samples, func(s sample) float64 { return s.Others }) / float64(runtime.NumCPU()); others >= disturbed {
		fmt.Fprintf(&b, "\nOther processes took %.0f%% of the machine: latencies, and tasks/s below --rate, are theirs as much as the server's.\n", 100*others)
	}
	b.WriteString("\n")
	for _, j := range all {
		mark := "ok  "
		switch {
		case !j.Good:
			mark = "FAIL"
		case j.Open:
			mark = "–   "
		}
		fmt.Fprintf(&b, "%s  %-11s  %s\n", mark, j.What, j.Said)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// quarterly divides samples by time.
func quarterly(samples []sample) (parts [4][]sample) {
	if len(samples) == 0 {
		return parts
	}
	end := samples[len(samples)-1].At
	for _, s := range samples {
		i := min(int(4*(s.At-1e-9)/end), 3)
		parts[i] = append(parts[i], s)
	}
	return parts
}

// vitalsRow is a line for a time without load.
func vitalsRow(when, at string, v vitals) []string {
	dash := "–"
	return []string{when, at, dash, dash, dash, dash, fmt.Sprintf("%.1f", float64(v.RSS)/1e6), fmt.Sprintf("%.1f", float64(v.Anonymous)/1e6),
		fmt.Sprint(v.FDs), fmt.Sprint(v.Threads), known("%.0f", float64(v.Goroutines)), "0", dash, dash, dash}
}

// quarterRow is a line for a quarter of the load.
func quarterRow(when string, part []sample, latency *hdrhistogram.Histogram) []string {
	mean := func(figure func(sample) float64) float64 { return meanOf(part, figure) }
	p50, p99, p999 := percentiles(latency)
	last := part[len(part)-1]
	return []string{when, "to " + clock(last.At), thousands(mean(func(s sample) float64 { return s.Rate })),
		thousands(p50), thousands(p99), thousands(p999),
		fmt.Sprintf("%.1f", mean(func(s sample) float64 { return float64(s.RSS) })/1e6),
		fmt.Sprintf("%.1f", mean(func(s sample) float64 { return float64(s.Anonymous) })/1e6),
		fmt.Sprintf("%.0f", mean(func(s sample) float64 { return float64(s.FDs) })),
		fmt.Sprintf("%.0f", mean(func(s sample) float64 { return float64(s.Threads) })),
		known("%.0f", mean(func(s sample) float64 { return float64(s.Goroutines) })),
		fmt.Sprintf("%.0f", mean(func(s sample) float64 { return float64(s.Connections) })),
		fmt.Sprintf("%.0f%%", 100*mean(func(s sample) float64 { return s.ServerCPU })),
		fmt.Sprintf("%.0f%%", 100*mean(func(s sample) float64 { return s.BenchCPU })),
		fmt.Sprintf("%.0f%%", 100*mean(func(s sample) float64 { return s.Others }))}
}

// meanOf is the mean of a figure.
func meanOf(samples []sample, figure func(sample) float64) (mean float64) {
	for _, s := range samples {
		mean += figure(s) / float64(len(samples))
	}
	return mean
}

// clock is a number of seconds as 1:02:03 or 2:03.
func clock(seconds float64) string {
	n := int(seconds + 0.5)
	if n >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", n/3600, n/60%60, n%60)
	}
	return fmt.Sprintf("%d:%02d", n/60, n%60)
}

// String says what was done, in a line.
func (c counts) String() string {
	n := func(v int64) string { return thousands(float64(v)) }
	text := fmt.Sprintf("%s tasks sent, %s answered, %s abandoned by producers that left, %s refused to producers that did not read, %s refused otherwise; "+
		"%s times a worker died with a task; %s schedules, %s ran, %s taken back; %s connections opened",
		n(c.Sent), n(c.Answered), n(c.Abandoned), n(c.Unread), n(c.Refused), n(c.Losses), n(c.Scheduled), n(c.Fired), n(c.Cancelled), n(c.Opened))
	if c.Skipped > 0 {
		text += fmt.Sprintf("; %s tasks not sent, since their producer had %d unanswered: the server, or a busy machine, does not keep the rate", n(c.Skipped), maxWaiting)
	}
	return text
}

// countsText lists numbers by name.
func countsText(of map[string]int64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		parts = append(parts, fmt.Sprintf("%s %s", name, thousands(float64(of[name]))))
	}
	return strings.Join(parts, ", ")
}
