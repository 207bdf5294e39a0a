package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
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
	extras    []extras
	lateness  []lateness
	scenarios []scenario
	data      dataFolder // of servers that keep runs
}

// newSuite makes a suite of a valid config.
func newSuite(ctx context.Context, c config, show *progress) (*suite, error) {
	s := &suite{config: c, pace: c.pace(), show: show}
	var err error
	if s.scenarios, err = c.scenarios(); err != nil {
		return nil, err
	}
	if s.cores, err = allowedCores(); err != nil {
		return nil, err
	}
	for _, c := range c.Cores {
		if !slices.Contains(s.cores, c) {
			return nil, fmt.Errorf("--server-cores has %d: choose from those that the bench may use, %v", c, s.cores)
		}
	}
	if c.Addr == "" {
		s.programs = append(s.programs, workmanProgram())
		if slices.ContainsFunc(s.scenarios, oldProgram().plays) {
			s.programs = append(s.programs, oldProgram())
		}
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
	if slices.ContainsFunc(s.scenarios, scenario.onDisk) {
		if s.data, err = newDataFolder(s.DataDir); err != nil {
			return err
		}
		defer s.data.remove()
	}
	for _, p := range s.programs {
		s.show.live("looking for %s, or building it", p.system)
		if err := p.build(ctx, dir); err != nil {
			return err
		}
	}
	// the loops hold their processor while they wait
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), s.Threads+1))
	err = s.measureAll(ctx)
	s.show.clear()
	if err != nil {
		return errors.Join(s.report(out), err)
	}
	return errors.Join(s.report(out), s.gate.check(s.results))
}

// measureAll runs everything: one scenario after the other, or the points of a
// sweep in turns, so that the machine's moods befall all of them.
func (s *suite) measureAll(ctx context.Context) error {
	if s.Sweep == "" {
		for _, sc := range s.scenarios {
			if err := s.measure(ctx, sc); err != nil {
				return err
			}
		}
		return nil
	}
	for n := range s.Rounds {
		for _, sc := range s.scenarios {
			if err := s.measureFresh(ctx, sc, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// measure runs all rounds of a scenario, the systems in turns.
func (s *suite) measure(ctx context.Context, sc scenario) (err error) {
	if sc.fresh() {
		for n := range s.Rounds {
			if err := s.measureFresh(ctx, sc, n); err != nil {
				return err
			}
		}
		return nil
	}
	targets, err := s.targets(ctx, sc)
	defer func() { err = errors.Join(err, stopAll(targets)) }()
	if err != nil {
		return fmt.Errorf("%s: %w", sc.Name, err)
	}
	for n := range s.Rounds {
		for _, t := range targets {
			if err := s.once(ctx, sc, t, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// measureFresh runs the n-th round of a scenario, each system's on a server of
// its own.
func (s *suite) measureFresh(ctx context.Context, sc scenario, n int) (err error) {
	for _, p := range s.programs {
		if !p.plays(sc) {
			continue
		}
		t, err := s.start(ctx, sc, p)
		if err != nil {
			return fmt.Errorf("%s: %w", sc.Name, err)
		}
		err = errors.Join(s.once(ctx, sc, t, n), t.server.stop())
		if t.dir != "" {
			err = errors.Join(err, os.RemoveAll(t.dir)) // the next round wants the space
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// once runs the n-th round of a scenario on a target.
func (s *suite) once(ctx context.Context, sc scenario, t *target, n int) error {
	label := fmt.Sprintf("%s  %s  round %d/%d", sc.Name, t.system, n+1, s.Rounds)
	got, err := stage{sc, t, s.Threads, s.pace, label, s.show}.run(ctx)
	if err != nil {
		return fmt.Errorf("%s on %s, round %d of %d: %w", sc.Name, t.system, n+1, s.Rounds, err)
	}
	for _, one := range got.entries {
		s.enter(one, t.system)
		s.show.line("%s  %s tasks/s  p50 %.0f µs  p99 %.0f µs  server %s µs/task  bench %.2f µs/task",
			strings.Replace(label, sc.Name, one.name, 1), thousands(one.Rate), one.P50, one.P99,
			known("%.2f", one.ServerCPU), one.GeneratorCPU)
	}
	for _, one := range got.extras {
		s.extras = enterExtra(s.extras, sc.Name, t.system, one)
		s.show.line("%s  %s: %s %s", label, one.Name, short(one.Value), one.Unit)
	}
	if got.lateness != nil {
		s.lateness = enterLateness(s.lateness, sc.Name, t.system, got.lateness)
	}
	return nil
}

// enter adds a round to the results. Those of one scenario stand together.
func (s *suite) enter(one entry, system string) {
	at := len(s.results)
	for i := range s.results {
		r := &s.results[i]
		if r.Scenario != one.name {
			continue
		}
		if r.System == system {
			r.Rounds = append(r.Rounds, one.round)
			return
		}
		at = i + 1
	}
	s.results = slices.Insert(s.results, at, result{one.name, system, []round{one.round}})
}

// targets starts the servers of a scenario. Those that it returns must be
// stopped, even if there is an error too.
func (s *suite) targets(ctx context.Context, sc scenario) (all []*target, err error) {
	if s.Addr != "" {
		if _, err := s.place(sc); err != nil {
			return nil, err
		}
		all = append(all, &target{system: workman, clients: workmanClients{}, addr: s.Addr, pid: s.PID})
	}
	for _, p := range s.programs {
		if !p.plays(sc) {
			continue
		}
		t, err := s.start(ctx, sc, p)
		if err != nil {
			return all, err
		}
		all = append(all, t)
	}
	return all, nil
}

// start starts one server for a scenario.
func (s *suite) start(ctx context.Context, sc scenario, p *program) (*target, error) {
	pin, err := s.place(sc)
	if err != nil {
		return nil, err
	}
	if !sc.onDisk() {
		return p.start(ctx, pin.servers, pin.own, p.flagsFor(sc)...)
	}
	dir, err := os.MkdirTemp(s.data.path, p.system+"-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the data of %s: %w", p.system, err)
	}
	return p.startIn(ctx, dir, pin.servers, pin.own, p.flagsFor(sc)...)
}

// stopAll stops servers.
func stopAll(targets []*target) (err error) {
	for _, t := range targets {
		err = errors.Join(err, t.server.stop())
	}
	return err
}

// cores are where servers and the bench run; none: anywhere.
type cores struct{ servers, own []int }

// place keeps the bench on its cores, if it is to be pinned, and tells which
// are the servers'.
func (s *suite) place(sc scenario) (c cores, err error) {
	if !s.Pin {
		return c, nil
	}
	c.servers, c.own = placement(s.cores, s.Cores, sc.SameCore)
	return c, pinSelf(c.own)
}

// placement divides cores between the servers and the bench: those chosen, or
// the first, for them, the others for it. With two and sameCore, or where none is
// left, it shares theirs.
func placement(cores, chosen []int, sameCore bool) (servers, own []int) {
	if servers = chosen; len(chosen) == 0 {
		servers = cores[:1]
	}
	own = slices.DeleteFunc(slices.Clone(cores), func(c int) bool { return slices.Contains(servers, c) })
	if len(own) == 0 || len(cores) == 2 && sameCore {
		return servers, servers
	}
	return servers, own
}

// report prints the table and writes the file of --json.
func (s *suite) report(out io.Writer) error {
	if len(s.results)+len(s.extras) == 0 {
		return nil
	}
	ratios := compare(s.results)
	var systems []description
	for _, p := range s.programs {
		systems = append(systems, p.describe())
	}
	err := errors.Join(writeReport(out, s.results, ratios, s.extras, s.lateness, s.scenarios), writeSystems(out, systems, s.results), s.data.write(out))
	if s.SVG != "" {
		err = errors.Join(err, s.draw())
	}
	if s.Plot != "" {
		err = errors.Join(err, drawSeconds(s.Plot, s.circumstances(), s.results))
	}
	if s.Lateness != "" {
		err = errors.Join(err, drawLateness(s.Lateness, s.circumstances(), s.lateness))
	}
	if s.JSON == "" {
		return err
	}
	r := report{Time: startTime, Arguments: os.Args[1:], Machine: thisMachine(), Pinned: s.Pin,
		Systems: systems, Scenarios: s.scenarios, Results: s.results, Ratios: ratios, Extras: s.extras, Disk: s.data.kind}
	return errors.Join(err, r.write(s.JSON))
}
