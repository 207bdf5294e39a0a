package main

import (
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// config is the command line. kong reads it by these tags.
type config struct {
	Scenario   []string `help:"What to measure, by name: ${scenarios}; or all." default:"${usual}"`
	Rounds     int      `help:"How often each is measured. The table shows medians." default:"3"`
	Seconds    float64  `help:"How long a round is measured." default:"3"`
	Warmup     float64  `help:"How many seconds a round runs before anything counts." default:"0.5"`
	Rate       float64  `help:"Hold this rate of tasks a second, whatever comes back, instead of sending a task for each answer." placeholder:"N"`
	Idle       int      `help:"Idle WebSockets beside each load, and in the scenario idle." placeholder:"N"`
	Pending    int      `help:"Tasks that wait in the scenario pending." default:"1000000"`
	Schedules  int      `help:"Schedules that wait in the scenario schedules." default:"1000000"`
	Due        int      `help:"Schedules that come due in the scenario due." default:"200000"`
	Kept       int      `help:"Runs that are stored before the load in the scenario durable." placeholder:"N"`
	Keys       int      `help:"Runs with a key each that are stored before the load in the scenario durable; workman alone." placeholder:"N"`
	Keyed      float64  `help:"Share of the runs in the scenarios durable and life that have a key, 0 to 1; workman alone." placeholder:"X"`
	Bulk       int      `help:"Producers of the scenario durable have so many runs unanswered, instead of 64, and it is measured once more with as many in each message, as bulk." placeholder:"N"`
	DataDir    string   `help:"Where servers keep runs, each in a folder of its own that is removed afterwards. It must be on a disk." default:"." placeholder:"DIR"`
	Sweep      string   `help:"Measure how the cost grows with something, instead of scenarios: ${sweeps}." placeholder:"AXIS"`
	Addr       string   `help:"Drive the server that listens there, instead of building and starting one." placeholder:"HOST:PORT"`
	PID        int      `name:"pid" help:"That server's process, to read its CPU time and memory." placeholder:"PID"`
	Relay      bool     `help:"Measure bench/echo --relay too, in turns: what the sockets allow."`
	Peers      []string `help:"Measure other systems too, in turns, by name: ${peers}; all; or installed for those found on this machine." placeholder:"NAME"`
	Pin        bool     `help:"Keep the servers on one core and the bench on the others. On 2 cores s1 puts both on one."`
	Cores      []int    `name:"server-cores" help:"The cores that --pin gives to the servers, instead of the first; the bench has the others." placeholder:"N"`
	Spin       bool     `help:"Poll the sockets without ever sleeping, so that no server is charged for waking the bench, which on a virtual machine is dear. It wants a core for itself (--pin); s1, which shares one, sleeps on. bench µs/task is then all of its time."`
	Threads    int      `help:"How many threads play the clients." default:"1"`
	SVG        string   `name:"svg" help:"Draw the results, or the growth of a sweep, to this file." placeholder:"FILE"`
	Plot       string   `help:"Draw the tasks of each second of the last rounds to this file." placeholder:"FILE"`
	Lateness   string   `help:"Draw how late the schedules of the scenario due were to this file." placeholder:"FILE"`
	JSON       string   `name:"json" help:"Write everything measured to this file." placeholder:"FILE"`
	Gate       string   `help:"Fail if workman's CPU a task over the relay's has grown, beside the ratios of this file (bench/ratio.json). Needs --relay." placeholder:"FILE"`
	GateFactor float64  `help:"How much it may have grown: so many times the ratio of the file." default:"1.5" placeholder:"X"`
}

// The bounds of the flags.
const (
	maxRounds  = 1000
	maxSeconds = 3600
	maxThreads = 64
	maxRate    = 10_000_000
	maxCount   = 20_000_000
	maxKept    = 1_000_000_000
)

// validate finds what cannot be meant.
func (c config) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	all, err := c.scenarios()
	errs = append(errs, err)
	for _, sc := range all {
		check(!sc.fresh() || c.Addr == "", "%s is measured on servers of its own: give no --addr with it", sc.Name)
	}
	check(c.Rounds >= 1 && c.Rounds <= maxRounds, "--rounds is %d: give 1 to %d", c.Rounds, maxRounds)
	check(c.Seconds > 0 && c.Seconds <= maxSeconds, "--seconds is %g: give more than 0, at most %d", c.Seconds, maxSeconds)
	check(c.Warmup >= 0 && c.Warmup <= maxSeconds, "--warmup is %g: give 0 to %d seconds", c.Warmup, maxSeconds)
	check(c.Threads >= 1 && c.Threads <= maxThreads, "--threads is %d: give 1 to %d", c.Threads, maxThreads)
	check(c.Rate >= 0 && c.Rate <= maxRate, "--rate is %g: give tasks a second, at most %d", c.Rate, maxRate)
	check(c.Rate == 0 || c.Sweep == "", "--rate is for scenarios: give none with --sweep")
	check(c.Idle >= 0 && c.Idle <= maxCount, "--idle is %d: give 0 to %d", c.Idle, maxCount)
	for name, n := range map[string]int{"pending": c.Pending, "schedules": c.Schedules, "due": c.Due} {
		check(n >= 1 && n <= maxCount, "--%s is %d: give 1 to %d", name, n, maxCount)
	}
	for name, n := range map[string]int{"kept": c.Kept, "keys": c.Keys} {
		check(n >= 0 && n <= maxKept, "--%s is %d: give 0 to %d", name, n, maxKept)
	}
	check(c.Keyed >= 0 && c.Keyed <= 1, "--keyed is %g: give the share of runs with a key, 0 to 1", c.Keyed)
	check(c.Bulk >= 0 && c.Bulk <= maxBulk, "--bulk is %d: give the runs of a message, 1 to %d", c.Bulk, maxBulk)
	check(c.Bulk == 0 || c.Keyed == 0 && c.Keys == 0, "--bulk is for runs without keys: give it, or --keyed and --keys")
	check(c.PID >= 0, "--pid is %d: give the server's process id", c.PID)
	check(c.PID == 0 || c.Addr != "", "--pid %d is for a server that --addr names: give both or none", c.PID)
	if c.Addr != "" {
		_, _, err := net.SplitHostPort(c.Addr)
		check(err == nil, "--addr is %q: give host:port, as 127.0.0.1:9999", c.Addr)
	}
	check(len(c.Cores) == 0 || c.Pin, "--server-cores is for --pin: give both or none")
	return errors.Join(append(errs, c.validateGate())...)
}

// scenarios are those that are to be measured, as the flags change them.
func (c config) scenarios() ([]scenario, error) {
	if c.Sweep != "" {
		return c.sweepPoints()
	}
	all, err := findScenarios(c.Scenario)
	for i := range all {
		sc := &all[i]
		if sc.Beside == nil && sc.Kind == "" {
			sc.Rate = c.Rate
		}
		sc.Spin = c.Spin && sc.Kind == "" && !sc.SameCore
		if sc.Kind != idleKind || c.Idle > 0 {
			sc.Idle = c.Idle
		}
		switch sc.Kind {
		case pendingKind:
			sc.Count = c.Pending
		case schedulesKind:
			sc.Count = c.Schedules
		case dueKind:
			sc.Count = c.Due
			sc.Idle = 0
		case durableKind:
			sc.Kept, sc.Keys, sc.Keyed, sc.Idle = c.Kept, c.Keys, c.Keyed, 0
		case lifeKind:
			sc.Keyed, sc.Idle = c.Keyed, 0
		}
	}
	if i := slices.IndexFunc(all, func(sc scenario) bool { return sc.Name == durableKind }); i >= 0 && c.Bulk > 0 {
		all[i].Outstanding = c.Bulk
		all[i].What = strings.Replace(all[i].What, "64 outstanding", strconv.Itoa(c.Bulk)+" outstanding", 1)
		all = slices.Insert(all, i+1, bulkScenario(all[i], c.Bulk))
	}
	return all, err
}

// validateGate checks that --gate can be decided.
func (c config) validateGate() error {
	switch {
	case !(c.GateFactor > 0) || math.IsInf(c.GateFactor, 0):
		return fmt.Errorf("--gate-factor is %g: give a number above 0, as 1.5", c.GateFactor)
	case c.Gate == "":
		return nil
	case !c.Relay:
		return errors.New("--gate compares workman to the relay: add --relay")
	case c.Addr != "" && c.PID == 0:
		return errors.New("--gate compares CPU times: add --pid, the process of the server at --addr")
	}
	return nil
}

// pace is how long the parts of a round take.
func (c config) pace() pace {
	return pace{warmUp: seconds(c.Warmup), measure: seconds(c.Seconds), drain: 5 * time.Second, kept: 2 * time.Minute, idle: idleTime}
}

// seconds is a number of them as a duration.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
