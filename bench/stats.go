package main

import (
	"cmp"
	"slices"
	"strings"
)

// spread is a figure over all rounds.
type spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// spreadOf summarises values; the median of an even number of them is the mean
// of the middle two. Of none, all is zero.
func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	v := slices.Sorted(slices.Values(values))
	return spread{v[0], (v[(len(v)-1)/2] + v[len(v)/2]) / 2, v[len(v)-1]}
}

// round is what one round has measured. Figures that are not known are zero.
type round struct {
	Tasks         int64     `json:"tasks"`
	Seconds       float64   `json:"seconds"`
	Rate          float64   `json:"tasks_per_second"`
	Bytes         float64   `json:"bytes_per_second"` // of options and results
	P50           float64   `json:"p50_us"`
	P99           float64   `json:"p99_us"`
	P999          float64   `json:"p99_9_us"`
	Max           float64   `json:"max_us"`
	ServerCPU     float64   `json:"server_cpu_us_per_task,omitempty"`
	GeneratorCPU  float64   `json:"generator_cpu_us_per_task"`
	GeneratorBusy float64   `json:"generator_busy"` // CPU time over the time of its threads
	RSS           float64   `json:"server_rss_bytes,omitempty"`
	Allocations   *float64  `json:"allocations_per_task,omitempty"` // of the server
	Others        float64   `json:"others,omitempty"`               // share of the machine's CPU that other processes had
	PerSecond     []float64 `json:"each_second,omitempty"`          // tasks in each whole second
	Unsent        int64     `json:"unsent,omitempty"`               // tasks that were due when too many were unanswered
	Late          float64   `json:"late_p99_us,omitempty"`          // how late tasks with a time were sent
}

// result is one system in one scenario.
type result struct {
	Scenario string  `json:"scenario"`
	System   string  `json:"system"`
	Rounds   []round `json:"rounds"`
}

// of is the spread of one figure over the rounds.
func (r result) of(figure func(round) float64) spread {
	values := make([]float64, len(r.Rounds))
	for i, one := range r.Rounds {
		values[i] = figure(one)
	}
	return spreadOf(values)
}

// The figures of a round that are compared.
var (
	rate      = func(r round) float64 { return r.Rate }
	p50       = func(r round) float64 { return r.P50 }
	p99       = func(r round) float64 { return r.P99 }
	p999      = func(r round) float64 { return r.P999 }
	longest   = func(r round) float64 { return r.Max }
	serverCPU = func(r round) float64 { return r.ServerCPU }
)

// allocations is the spread of those that the server told; known is false if
// it told none.
func (r result) allocations() (s spread, known bool) {
	var told []float64
	for _, one := range r.Rounds {
		if one.Allocations != nil {
			told = append(told, *one.Allocations)
		}
	}
	return spreadOf(told), len(told) > 0
}

// ratio compares a figure of two results. Each pair of rounds that ran one
// after the other gives one value: the machine's moods cancel out.
type ratio struct {
	Scenario string `json:"scenario"`
	What     string `json:"what"` // "workman/relay"
	Figure   string `json:"figure"`
	spread
}

// compared are the figures that ratios are made of.
var compared = []struct {
	name  string
	value func(round) float64
}{{"tasks/s", rate}, {"p50", p50}, {"p99", p99}, {"p99.9", p999}, {cpuFigure, serverCPU}}

// cpuFigure is the name of the ratio that --gate looks at.
const cpuFigure = "server CPU/task"

// ratiosOf compares a to b. A figure that one of them lacks is left out.
func ratiosOf(scenario, what string, a, b result) (all []ratio) {
	for _, figure := range compared {
		var pairs []float64
		for i := range min(len(a.Rounds), len(b.Rounds)) {
			x, y := figure.value(a.Rounds[i]), figure.value(b.Rounds[i])
			if x > 0 && y > 0 {
				pairs = append(pairs, x/y)
			}
		}
		if len(pairs) > 0 {
			all = append(all, ratio{scenario, what, figure.name, spreadOf(pairs)})
		}
	}
	return all
}

// find returns the result of a system in a scenario.
func find(results []result, scenario, system string) (result, bool) {
	i := slices.IndexFunc(results, func(r result) bool { return r.Scenario == scenario && r.System == system })
	if i < 0 {
		return result{}, false
	}
	return results[i], true
}

// besides are scenarios that are compared to each other: the same load in two
// ways.
var besides = []struct{ scenario, to string }{{"http", "ws64"}, {"pipe", "http"}, {"names10", "names1"}, {"names1000", "names1"},
	{"pending", "pending: empty"}, {"schedules", "schedules: empty"}, {"bulk", "durable"}}

// compare makes all ratios that the results allow: workman to each other
// system in each scenario, and the pairs of besides.
func compare(results []result) (all []ratio) {
	for _, b := range results {
		if a, ok := find(results, b.Scenario, workman); ok && b.System != workman {
			all = append(all, ratiosOf(b.Scenario, workman+"/"+b.System, a, b)...)
		}
	}
	for _, pair := range besides {
		a, ok := find(results, pair.scenario, workman)
		if b, both := find(results, pair.to, workman); ok && both {
			all = append(all, ratiosOf(pair.scenario, pair.scenario+"/"+strings.TrimPrefix(pair.to, pair.scenario+": "), a, b)...)
		}
	}
	return all
}

// perTask is a duration's share of one task in µs, 0 if there were none.
func perTask[D ~int64](d D, tasks int64) float64 {
	return float64(d) / 1000 / float64(cmp.Or(tasks, 1))
}
