package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// gate is the file of --gate: what workman's CPU a task was over the relay's
// when it was last measured with care. A figure that has grown by more than
// the factor fails the bench.
type gate struct {
	Measured string             `json:"measured"` // how, for people
	Ratios   map[string]float64 `json:"ratios"`   // by scenario

	path      string
	factor    float64
	scenarios []scenario // those that are measured and have a ratio
}

// readGate reads the file for a run of these scenarios. It is an error if that
// would decide nothing.
func readGate(path string, factor float64, measured []scenario) (*gate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the ratios of --gate: %w", err)
	}
	g := &gate{path: path, factor: factor}
	if err := json.Unmarshal(text, g); err != nil {
		return nil, fmt.Errorf("reading the ratios of --gate from %s: %w", path, err)
	}
	names := slices.Sorted(maps.Keys(g.Ratios))
	if _, err := findScenarios(names); err != nil {
		return nil, fmt.Errorf("--gate %s has a ratio of no scenario: %w", path, err)
	}
	for _, sc := range measured {
		switch r, ok := g.Ratios[sc.Name]; {
		case ok && r <= 0:
			return nil, fmt.Errorf("--gate %s has the ratio %g for %s: give one above 0", path, r, sc.Name)
		case ok:
			g.scenarios = append(g.scenarios, sc)
		}
	}
	if len(g.scenarios) == 0 {
		return nil, fmt.Errorf("--gate %s has ratios for %q only: add one of these to --scenario", path, strings.Join(names, ","))
	}
	return g, nil
}

// check is an error for each scenario in which workman takes too much. A nil
// gate lets all pass.
func (g *gate) check(results []result) error {
	if g == nil {
		return nil
	}
	var errs []error
	ratios := compare(results)
	for _, sc := range g.scenarios {
		i := slices.IndexFunc(ratios, func(r ratio) bool {
			return r.Scenario == sc.Name && r.Figure == cpuFigure && r.What == workman+"/"+relay
		})
		allowed := g.Ratios[sc.Name] * g.factor
		switch {
		case i < 0:
			errs = append(errs, fmt.Errorf("--gate could not be decided: no CPU time of workman and the relay in %s", sc.Name))
		case ratios[i].Median > allowed:
			errs = append(errs, fmt.Errorf("workman spends %.2f times the relay's CPU a task in %s: %s has %g, and %.2f is allowed (%g times that). "+
				"See what has made it slower, or measure anew and commit the ratio", ratios[i].Median, sc.Name, g.path, g.Ratios[sc.Name], allowed, g.factor))
		}
	}
	return errors.Join(errs...)
}
