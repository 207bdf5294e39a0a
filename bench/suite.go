package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// gateScenario is the scenario that --max-ratio is about.
const gateScenario = "s2"

// suite is one run of the bench: its scenarios, one after the other, each on
// servers of its own.
type suite struct {
	config
	pace      pace
	programs  []*program // workman first; those that --addr and --relay leave
	cores     []int      // that the bench may use
	show      *progress
	results   []result
	scenarios []scenario
}

// newSuite makes a suite of a valid config.
func newSuite(c config, show *progress) (*suite, error) {
	s := &suite{config: c, pace: c.pace(), show: show}
	var err error
	if s.scenarios, err = findScenarios(c.Scenario); err != nil {
		return nil, err
	}
	if c.Rate > 0 {
		s.scenarios = paceAt(s.scenarios, c.Rate)
	}
	if s.cores, err = allowedCores(); err != nil {
		return nil, err
	}
	if c.Addr == "" {
		s.programs = append(s.programs, workmanProgram())
	}
	if c.Relay {
		s.programs = append(s.programs, relayProgram())
	}
	return s, nil
}

// run builds, measures and reports to out. What was measured before an error
// is reported too.
func (s *suite) run(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "workman-bench-")
	if err != nil {
		return fmt.Errorf("making a folder for the binaries: %w", err)
	}
	defer os.RemoveAll(dir)
	for _, p := range s.programs {
		s.show.live("building %s", p.system)
		if err := p.build(ctx, dir); err != nil {
			return err
		}
	}
	// the loops hold their processor while they wait
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), s.Threads+1))
	for _, sc := range s.scenarios {
		if err := s.measure(ctx, sc); err != nil {
			s.show.clear()
			return errors.Join(s.report(out), err)
		}
	}
	s.show.clear()
	return errors.Join(s.report(out), s.gate())
}

// measure runs all rounds of a scenario, the systems in turns.
func (s *suite) measure(ctx context.Context, sc scenario) (err error) {
	targets, err := s.targets(ctx, sc)
	defer func() {
		for _, t := range targets {
			err = errors.Join(err, t.server.stop())
		}
	}()
	if err != nil {
		return fmt.Errorf("%s: %w", sc.Name, err)
	}
	for n := range s.Rounds {
		for _, t := range targets {
			label := fmt.Sprintf("%s  %s  round %d/%d", sc.Name, t.system, n+1, s.Rounds)
			entries, err := runRound(ctx, sc, t, s.Threads, s.pace, label, s.show)
			if err != nil {
				return fmt.Errorf("%s on %s, round %d of %d: %w", sc.Name, t.system, n+1, s.Rounds, err)
			}
			for _, one := range entries {
				s.enter(one, t.system)
				s.show.line("%s  %s tasks/s  p50 %.0f µs  p99 %.0f µs  server %s µs/task  bench %.2f µs/task",
					strings.Replace(label, sc.Name, one.name, 1), thousands(one.Rate), one.P50, one.P99,
					known("%.2f", one.ServerCPU), one.GeneratorCPU)
			}
		}
	}
	return nil
}

// enter adds a round to the results.
func (s *suite) enter(one entry, system string) {
	for i := range s.results {
		if r := &s.results[i]; r.Scenario == one.name && r.System == system {
			r.Rounds = append(r.Rounds, one.round)
			return
		}
	}
	s.results = append(s.results, result{one.name, system, []round{one.round}})
}

// targets starts the servers of a scenario. Those that it returns must be
// stopped, even if there is an error too.
func (s *suite) targets(ctx context.Context, sc scenario) (all []*target, err error) {
	var pin, own []int
	if s.Pin {
		pin, own = placement(s.cores, sc.SameCore)
		if err := pinSelf(own); err != nil {
			return nil, err
		}
	}
	if s.Addr != "" {
		all = append(all, &target{system: workman, addr: s.Addr, pid: s.PID})
	}
	for _, p := range s.programs {
		if p.system == relay && !sc.relayed() {
			continue
		}
		t, err := p.start(ctx, pin, own)
		if err != nil {
			return all, err
		}
		all = append(all, t)
	}
	return all, nil
}

// placement divides cores between the servers and the bench: the first for
// them, the others for it; with two and sameCore, or with one, the first for
// all.
func placement(cores []int, sameCore bool) (servers, own []int) {
	if len(cores) == 1 || len(cores) == 2 && sameCore {
		return cores[:1], cores[:1]
	}
	return cores[:1], cores[1:]
}

// report prints the table and writes the file of --json.
func (s *suite) report(out io.Writer) error {
	if len(s.results) == 0 {
		return nil
	}
	ratios := compare(s.results)
	err := writeReport(out, s.results, ratios)
	if s.JSON == "" {
		return err
	}
	r := report{Time: startTime, Arguments: os.Args[1:], Machine: thisMachine(), Pinned: s.Pin,
		Scenarios: s.scenarios, Results: s.results, Ratios: ratios}
	return errors.Join(err, r.write(s.JSON))
}

// gate is an error if --max-ratio is set and exceeded.
func (s *suite) gate() error {
	if s.MaxRatio == 0 {
		return nil
	}
	for _, r := range compare(s.results) {
		if r.Scenario != gateScenario || r.Figure != cpuFigure || r.What != "workman/relay" {
			continue
		}
		if r.Median > s.MaxRatio {
			return fmt.Errorf("workman spends %.2f times the relay's CPU a task in %s: --max-ratio allows %g", r.Median, gateScenario, s.MaxRatio)
		}
		return nil
	}
	return errors.New("--max-ratio could not be decided: no CPU time of workman and the relay in s2")
}
