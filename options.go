package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"syscall"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/alecthomas/kong"

	"workman/dispatch"
	"workman/reactor"
)

const about = "A task server. Producers POST tasks or send them over a WebSocket (/websocket), workers take them over a " +
	"WebSocket (/worker) when they are ready, and results go back to whoever asked."

// usage is how the command line is read.
var usage = []kong.Option{
	kong.Name("workman"),
	kong.Description(about),
	kong.ShortUsageOnError(),
	kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
}

// options are what a user can set, by flag or by environment.
type options struct {
	Host    string   `default:"localhost" env:"HOST" help:"Address to listen on. localhost is 127.0.0.1 and ::1; 0.0.0.0 is every address of the machine: anybody who reaches it can then run tasks."`
	Port    int      `default:"9999" env:"PORT" help:"Port to listen on."`
	Hosts   []string `env:"WORKMAN_HOSTS" placeholder:"NAME" help:"Names, beside localhost and addresses, by which clients and browsers may call the server: what a proxy in front sends as Host."`
	Origins []string `env:"WORKMAN_ORIGINS" placeholder:"URL" help:"Web origins whose pages may use the server, beside its own: https://app.example.com."`

	DeadAfter time.Duration `default:"30s" env:"WORKMAN_DEAD_AFTER" help:"How long a peer's machine may be out of reach before its connection is given up and its tasks go to others."`

	Data        string `default:"workman-data" env:"WORKMAN_DATA" help:"Folder that keeps runs and schedules; made if it is not there."`
	Memory      bool   `env:"WORKMAN_MEMORY" help:"Keep runs and schedules in memory only: they end with the process."`
	Durability  string `default:"fsync" enum:"fsync,async" env:"WORKMAN_DURABILITY" help:"When a run counts as stored: fsync, when the disk has it; async, when the operating system has it, and about a second may be lost in a power cut."`
	Policies    string `env:"WORKMAN_POLICIES" placeholder:"FILE" help:"JSON file that says for each task name (name* for all that begin so) how its runs are treated: {\"mail\":{\"attempts\":3,\"timeout\":\"30s\"}}."`
	KeepBytes   int64  `default:"17179869184" env:"WORKMAN_KEEP_BYTES" help:"Room for finished runs; the first to expire go before their time when there are more."`
	DiskReserve int64  `default:"0" env:"WORKMAN_DISK_RESERVE" help:"Bytes of the disk that are left for finishing what was accepted: with less free, new runs are refused; 0 for what suits."`

	CallbackSecrets []string `env:"WORKMAN_CALLBACK_SECRETS" placeholder:"SECRET" help:"What callbacks are signed with (whsec_… as of Standard Webhooks); two while one replaces the other. Without, they are not signed."`
	CallbackHosts   []string `env:"WORKMAN_CALLBACK_HOSTS" placeholder:"HOST" help:"Hosts that callbacks may reach although they are private or this machine."`
	CallbackPrivate bool     `env:"WORKMAN_CALLBACK_PRIVATE" help:"Callbacks may reach every address, private ones and this machine too."`

	Drain time.Duration `default:"25s" env:"WORKMAN_DRAIN" help:"After SIGTERM, how long running tasks may take to finish."`
	Loops int           `default:"0" env:"WORKMAN_LOOPS" help:"Event loops; 0 for what suits the machine."`

	MaxTasks   int   `default:"1000000" env:"WORKMAN_MAX_TASKS" help:"Tasks waiting or running at once."`
	MaxCalls   int   `default:"100000" env:"WORKMAN_MAX_CALLS" help:"Of these, tasks of one connection that it has no answer to yet."`
	MaxRuns    int   `default:"131072" env:"WORKMAN_MAX_RUNS" help:"Of these, runs that are stored; the others wait on the disk only."`
	MaxNames   int   `default:"100000" env:"WORKMAN_MAX_NAMES" help:"Different task names in use at once."`
	MaxBytes   int64 `default:"0" env:"WORKMAN_MAX_BYTES" help:"Memory for tasks that wait, messages that come in and answers that are not read; 0 for half of what the machine or its cgroup has."`
	MaxMessage int   `default:"16777216" env:"WORKMAN_MAX_MESSAGE" help:"Size of one WebSocket message or HTTP body."`
	MaxConns   int   `default:"0" env:"WORKMAN_MAX_CONNS" help:"Connections at once; 0 for the limit of open files less 64."`

	LogFormat string `default:"text" enum:"text,json" env:"WORKMAN_LOG_FORMAT" help:"Form of the log on standard error: text or json."`
	LogLevel  string `default:"info" enum:"debug,info,warn,error" env:"WORKMAN_LOG_LEVEL" help:"Least level that is logged: debug, info, warn or error."`
}

// Validate is called by kong. It says what is wrong in the terms the user set it in.
func (o *options) Validate() error {
	if o.Port < 0 || o.Port > 65535 {
		return fmt.Errorf("--port is %d, and must be from 0 (any free one) to 65535", o.Port)
	}
	if strings.TrimSpace(o.Host) == "" {
		return fmt.Errorf("--host is empty; use localhost, an address of this machine, or 0.0.0.0 for all of them")
	}
	for _, b := range []struct {
		flag string
		v    int64
		lo   int64
		hi   int64
	}{
		{"drain", int64(o.Drain), 0, int64(time.Hour * 24)},
		{"dead-after", int64(o.DeadAfter), int64(time.Second), int64(time.Hour)}, {"loops", int64(o.Loops), 0, 255},
		{"max-tasks", int64(o.MaxTasks), 1, 1 << 29},
		{"max-calls", int64(o.MaxCalls), 1, 1 << 30}, {"max-runs", int64(o.MaxRuns), 1, 1 << 28},
		{"max-names", int64(o.MaxNames), 1, 1 << 30}, {"max-bytes", o.MaxBytes, 0, 1 << 50},
		{"keep-bytes", o.KeepBytes, 1 << 20, 1 << 50}, {"disk-reserve", o.DiskReserve, 0, 1 << 50},
		{"max-message", int64(o.MaxMessage), 1024, 1 << 30}, {"max-conns", int64(o.MaxConns), 0, 1 << 24},
	} {
		if b.v < b.lo || b.v > b.hi {
			return fmt.Errorf("--%s is %d, and must be from %d to %d", b.flag, b.v, b.lo, b.hi)
		}
	}
	return nil
}

func (o *options) logger(to io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(o.LogLevel)) // one of the enum
	h := &slog.HandlerOptions{Level: level}
	if o.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(to, h))
	}
	return slog.New(slog.NewTextHandler(to, h))
}

// budget is what tasks and connections may hold together, but for what is kept for output.
func (o *options) budget() *dispatch.Budget { return dispatch.NewBudget(o.bytes() - o.reserve()) }

func (o *options) reserve() int64 { return o.bytes() / 4 }

func (o *options) bytes() int64 {
	if o.MaxBytes > 0 {
		return o.MaxBytes
	}
	return memoryLimit() / 2
}

// What a task, a run and a name take beside the bytes they carry, at most; and what a lease takes, which not every task may have.
const (
	taskBytes  = 96 + leaseBytes/dispatch.LeasePart
	runBytes   = 96 + 320
	nameBytes  = 512
	leaseBytes = 1152
)

// fit lowers the bounds on how many tasks, runs and names there may be to what a quarter of so much memory holds,
// all alike, and reports whether it did. Half is for the bytes they carry, and the last quarter for everything else.
func (o *options) fit(memory int64) bool {
	want := float64(o.MaxTasks)*taskBytes + float64(o.MaxRuns)*runBytes + float64(o.MaxNames)*nameBytes
	share := float64(memory/4) / want
	if share >= 1 {
		return false
	}
	for _, n := range []*int{&o.MaxTasks, &o.MaxRuns, &o.MaxNames} {
		*n = max(1, int(float64(*n)*share))
	}
	return true
}

func (o *options) dispatch(budget *dispatch.Budget) dispatch.Config {
	c := dispatch.DefaultConfig()
	c.MaxTasks, c.ConnTasks, c.MaxRuns, c.MaxNames = o.MaxTasks, o.MaxCalls, o.MaxRuns, o.MaxNames
	c.Budget = budget
	c.Durable, c.KeepBytes = true, o.KeepBytes
	if o.Memory {
		c.MaxRun, c.MaxBatch = 7<<20, 512<<10 // what a store in memory takes at once
	}
	c.MaxUnsafe = min(c.MaxUnsafe, max(memoryLimit()/16, 1<<20))
	return c
}

func (o *options) reactor(log *slog.Logger, budget *dispatch.Budget) (reactor.Config, error) {
	c := reactor.DefaultConfig()
	c.Host, c.Port, c.Log, c.Budget = o.Host, o.Port, log, budget
	c.Reserve = o.reserve()
	if c.Loops = o.Loops; c.Loops == 0 {
		// Measured: on two cores that clients share, one loop beats two.
		c.Loops = min(max(1, cores/2), 64)
	}
	if c.MaxConns = o.MaxConns; c.MaxConns == 0 {
		var files syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
			return c, fmt.Errorf("read the limit of open files: %w", err)
		}
		c.MaxConns = int(min(max(int64(files.Cur)-64, 16), 1<<24))
	}
	c.PingTime, c.UserTime = o.DeadAfter, o.DeadAfter
	c.Protocol.Heartbeat = o.DeadAfter
	c.Protocol.Grace = time.Duration(dispatch.DefaultConfig().Grace) * time.Millisecond
	c.Protocol.MaxBody, c.Protocol.MaxMessage = o.MaxMessage, o.MaxMessage
	c.Protocol.CheckUTF8 = false // the decoder of messages does it
	c.Protocol.Access.Hosts, c.Protocol.Access.Origins = o.Hosts, o.Origins
	return c, nil
}

// memoryLimit is how many bytes the process may have: what its cgroup allows, or what the machine has.
func memoryLimit() int64 {
	limit, err := memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)()
	if err != nil || limit == 0 {
		return 2 << 30
	}
	return int64(min(limit, 1<<50))
}
