package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
)

// suite is one run of the bench: its scenarios, one after the other, each on
// servers of its own.
type suite struct {
	config
	pace      pace
	programs  []*program // workman first, unless --addr names one; then those of --relay and --peers
	gate      *gate      // nil: no --gate
	cores     []int      // that the bench may use
	show      *progress
	results   []result
	scenarios []scenario
}

// newSuite makes a suite of a valid config.
func newSuite(ctx context.Context, c config, show *progress) (*suite, error) {
	s := &suite{config: c, pace: c.pace(), show: show}
	var err error
	if s.scenarios, err = findScenarios(c.Scenario); err != nil {
		return nil, err
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
	peers, err := choosePeers(ctx, c.Peers)
	if err != nil {
		return nil, err
	}
	s.programs = append(s.programs, peers...)
	if c.Gate != "" {
		s.gate, err = readGate(c.Gate, c.GateFactor, s.scenarios)
	}
	return s, err
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
		s.show.live("looking for %s, or building it", p.system)
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
	return errors.Join(s.report(out), s.gate.check(s.results))
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
	rows := make([]result, len(targets))
	defer func() {
		for _, r := range rows {
			if len(r.Rounds) > 0 {
				s.results = append(s.results, r)
			}
		}
	}()
	for n := range s.Rounds {
		for i, t := range targets {
			rows[i].Scenario, rows[i].System = sc.Name, t.system
			label := fmt.Sprintf("%s  %s  round %d/%d", sc.Name, t.system, n+1, s.Rounds)
			one, err := runRound(ctx, sc, t, s.Threads, s.pace, label, s.show)
			if err != nil {
				return fmt.Errorf("%s on %s, round %d of %d: %w", sc.Name, t.system, n+1, s.Rounds, err)
			}
			rows[i].Rounds = append(rows[i].Rounds, one)
			s.show.line("%s  %s tasks/s  p50 %.0f µs  p99 %.0f µs  server %s µs/task  bench %.2f µs/task", label,
				thousands(one.Rate), one.P50, one.P99, known("%.2f", one.ServerCPU), one.GeneratorCPU)
		}
	}
	return nil
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
		all = append(all, &target{system: workman, clients: workmanClients{}, addr: s.Addr, pid: s.PID})
	}
	for _, p := range s.programs {
		if !p.plays(sc) {
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
	var systems []description
	for _, p := range s.programs {
		systems = append(systems, p.describe())
	}
	err := errors.Join(writeReport(out, s.results, ratios), writeSystems(out, systems, s.results))
	if s.JSON == "" {
		return err
	}
	r := report{Time: startTime, Arguments: os.Args[1:], Machine: thisMachine(), Pinned: s.Pin,
		Systems: systems, Scenarios: s.scenarios, Results: s.results, Ratios: ratios}
	return errors.Join(err, r.write(s.JSON))
}
