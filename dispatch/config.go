package dispatch

import (
	"errors"
	"fmt"
)

// Config bounds what a [Dispatcher] holds. Everything over a bound is refused with a [Reason].
type Config struct {
	MaxTasks     int     // tasks in memory: queued, with a worker, or waiting for their time. A part is kept for calls, and one for runs: see reserve
	ConnTasks    int     // of these, calls of one connection that are not answered
	MaxRuns      int     // of these, runs; the others are on the disk only
	MaxNames     int     // different task names known at once
	MaxBytes     int64   // bytes of options and nonces held, by capacity, if there is no Budget
	Budget       *Budget // shared with whoever else holds bytes for peers; may be nil
	WorkerNames  int     // names one worker may register; more are ignored
	WorkerCredit int     // tasks one worker may ask for ahead; more are not counted
	Burst        int     // bytes handed to a worker in one go, before its loop is asked whether they are written: see Paused
	Grace        int64   // milliseconds for which the tasks of a session that has lost its connection are kept for it; 0: they are not
	Leases       int     // requests for a lease that wait at once. Those that are lent tasks count too against a part of MaxTasks, if that is more: see LeasePart
	LeaseNames   int     // names in all requests for a lease that wait at once: a name of one takes more than the rest of it
	Losses       int     // workers a call may lose before it is given up: no task may take down every worker there is
	FirePerStep  int     // schedules that one Tick may start; the rest follow at once, in further Ticks

	Durable   bool  // there is a store: without, no runs are taken
	Window    int   // runs of one name and priority that wait in memory; the others are on the disk only
	Near      int   // runs that wait for their time in memory
	MaxRun    int   // bytes of a run's options, and of its result
	MaxUnsafe int64 // bytes that are not durable yet, and of what waits for that
	MaxBatch  int   // bytes for the store with which a batch ends: an input that has more is several. With MaxRun it has to fit into a segment of the store
	KeepBytes int64 // of finished runs that are kept
	Usual     Policy
	Policies  []TaskPolicy // of tasks by name; the first that fits counts

	// Next is the first time after another at which a schedule is due that recurs, in milliseconds of Unix time; 0 if there is
	// none. from is since when it has this cron expression. It must say the same whenever it is asked the same. Without it
	// there are no such schedules.
	Next func(cron, zone []byte, from, after int64) int64
}

// TaskPolicy is how runs of some tasks are treated, where a request says nothing else.
type TaskPolicy struct {
	Task string // a name; one that ends in * is every name that begins so
	Policy
}

// policy is what counts for a task.
func (c *Config) policy(name []byte) *Policy {
	for i := range c.Policies {
		p := &c.Policies[i]
		n := len(p.Task)
		if string(name) == p.Task || n > 0 && p.Task[n-1] == '*' && len(name) >= n-1 && string(name[:n-1]) == p.Task[:n-1] {
			return &p.Policy
		}
	}
	return &c.Usual
}

// DefaultConfig is right for most. MaxBytes is for main to set: it depends on the machine.
func DefaultConfig() Config {
	return Config{
		MaxTasks:     1_000_000,
		ConnTasks:    100_000,
		MaxRuns:      131_072,
		MaxNames:     100_000,
		MaxBytes:     1 << 30,
		WorkerNames:  4096,
		WorkerCredit: 65_536,
		Burst:        1 << 20,
		Grace:        5000,
		Leases:       16_384,
		LeaseNames:   131_072,
		Losses:       5,
		FirePerStep:  256,
		Window:       4096,
		Near:         65_536,
		MaxUnsafe:    64 << 20,
		MaxRun:       16 << 20,
		MaxBatch:     12 << 20,
		KeepBytes:    16 << 30,
		Usual:        DefaultPolicy(),
	}
}

// ErrConfig is returned when a configuration cannot work.
var ErrConfig = errors.New("dispatch: bad configuration")

func (c Config) validate() error {
	for _, b := range []struct {
		name string
		v    int64
	}{
		{"MaxTasks", int64(c.MaxTasks)}, {"ConnTasks", int64(c.ConnTasks)},
		{"MaxRuns", int64(c.MaxRuns)}, {"MaxNames", int64(c.MaxNames)},
		{"MaxBytes", c.MaxBytes}, {"WorkerNames", int64(c.WorkerNames)}, {"WorkerCredit", int64(c.WorkerCredit)},
		{"Burst", int64(c.Burst)}, {"Leases", int64(c.Leases)}, {"LeaseNames", int64(c.LeaseNames)},
		{"Losses", int64(c.Losses)}, {"FirePerStep", int64(c.FirePerStep)},
		{"Window", int64(c.Window)}, {"Near", int64(c.Near)}, {"MaxRun", int64(c.MaxRun)}, {"MaxBatch", int64(c.MaxBatch)}, {"MaxUnsafe", c.MaxUnsafe}, {"KeepBytes", c.KeepBytes},
	} {
		if b.v < 1 {
			return fmt.Errorf("%w: %s is %d, and must be at least 1", ErrConfig, b.name, b.v)
		}
	}
	if slots := int64(c.MaxTasks) + int64(c.MaxRuns); slots > 1<<29+1<<28 {
		return fmt.Errorf("%w: MaxTasks and MaxRuns together are %d, and must be at most %d", ErrConfig, slots, int64(1<<29+1<<28))
	}
	if c.Grace < 0 {
		return fmt.Errorf("%w: Grace is %d, and must be at least 0", ErrConfig, c.Grace)
	}
	if c.Losses > 255 {
		return fmt.Errorf("%w: Losses is %d, and must be at most 255", ErrConfig, c.Losses)
	}
	return nil
}
