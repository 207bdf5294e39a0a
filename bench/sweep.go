package main

import (
	"fmt"
	"slices"
	"strings"
)

// sweepAxes are what --sweep knows, and what each tells.
var sweepAxes = []struct{ name, what string }{
	{"connections", "idle WebSockets beside s2's load, from none to what the limit of open files allows"},
	{"names", "task names of s2's load, 1 to 4096"},
	{"pending", "tasks that wait beside s2's load, 0 to --pending"},
	{"schedules", "schedules that wait beside s2's load, 0 to --schedules"},
	{"payload", "bytes of options and of the result, 64 to 65,536, as one string and as dense JSON"},
}

// sweepNames lists them.
func sweepNames() string {
	names := make([]string, len(sweepAxes))
	for i, axis := range sweepAxes {
		names[i] = axis.name
	}
	return strings.Join(names, ",")
}

// sweepHelp lists them for --help.
func sweepHelp() (text string) {
	for i, axis := range sweepAxes {
		if i > 0 {
			text += "\n"
		}
		text += fmt.Sprintf("  %-11s  %s", axis.name, axis.what)
	}
	return text
}

// point is where a scenario lies on the axis of a sweep.
type point struct {
	At     int    `json:"at"`
	Series string `json:"series,omitempty"` // if the sweep has more than one
}

// sweepPoints are the scenarios of a sweep, in their order on its axis.
func (c config) sweepPoints() (all []scenario, err error) {
	load := scenario{Producers: 8, Outstanding: 64, Workers: 4, Credits: 64}
	switch c.Sweep {
	case "connections":
		for _, n := range upTo(min(maxFiles()-spareFiles, mostIdle), 0, 1000, 3000, 10_000) {
			sc := load
			sc.Idle, sc.Point = n, &point{At: n}
			all = append(all, sc)
		}
	case "names":
		for _, n := range []int{1, 10, 100, 1000, maxNames} {
			sc := namesScenario("", n)
			sc.Point = &point{At: n}
			all = append(all, sc)
		}
	case "pending", "schedules":
		most := map[string]int{"pending": c.Pending, "schedules": c.Schedules}[c.Sweep]
		for _, n := range upTo(most, 0, 1000, 10_000, 100_000) {
			sc := load
			sc.Kind, sc.Count, sc.Point = c.Sweep, n, &point{At: n}
			all = append(all, sc)
		}
	case "payload":
		for _, kind := range []string{textPayload, jsonPayload} {
			for _, size := range []int{minPayload, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10} {
				sc := payloadScenario("", payload{kind, size})
				sc.Point = &point{size, kind}
				all = append(all, sc)
			}
		}
	default:
		return nil, fmt.Errorf("--sweep %q is unknown: choose from %s", c.Sweep, sweepNames())
	}
	for i := range all {
		all[i].Name = strings.TrimPrefix(all[i].Point.Series+" ", " ") + c.Sweep + " " + thousands(float64(all[i].Point.At))
	}
	return all, nil
}

const (
	// spareFiles are descriptors for what is not an idle connection.
	spareFiles = 300
	// mostIdle is how many of them there may be: one address has some 28,000
	// ports to connect from.
	mostIdle = 20_000
)

// upTo are steps below most, then most.
func upTo(most int, steps ...int) []int {
	steps = slices.DeleteFunc(steps, func(n int) bool { return n >= most })
	return append(steps, most)
}
