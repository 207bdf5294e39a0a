package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// helpText is the head of --help, and explains what the table shows.
const helpText = `Measures a workman server as its clients see it: starts it, plays producers and workers, checks every answer, prints one table. Any answer that is wrong, doubled, astray or missing ends the bench with exit status 1.

A task is the whole way: a producer asks for it, the server gives it to a worker, the worker answers, the server passes the answer to the producer. Without a payload the options are two numbers and the answer is their sum; with one, the answer is the options again, and each byte of it is compared on both sides.

Scenarios:
${scenario_help}

Sweeps (--sweep, instead of scenarios; each point on a server of its own, all points in turns):
${sweep_help}

Runs that are kept (durable, life): each round on servers in fresh folders under --data-dir, which must be on a disk. Each system syncs a run to the disk before it acknowledges it. The digits of a run's options tell which it is: that each was worked once is counted. Then the server is killed and started again, and must still have all that it acknowledged: as many as were not worked, or, of workman, a sample of up to 200 by their ids, with their results.

Other systems, with --relay and --peers, on servers that the bench starts. Their clients do the same work: the same options go to a worker, the sum comes back and is checked; they are as cheap as workman's, patch what they send in place, pipeline all they can, and write once a read. The relay plays all loads over WebSocket with one name; the others s1, s2 and ws64, without a rate and without idle connections beside. redis-aof, beanstalkd-wal and jetstream, which sync, play durable and life instead, unless runs are to have keys.
${peer_help}

Figures (the median of the rounds, each after a warm-up):
  tasks/s         tasks answered a second, all producers together; then the worst and the best round
  MB/s            bytes of options and of results a second, each counted once
  p50 µs          half of the tasks were answered within this many µs of being sent
  p99 µs          99 of 100 tasks were
  p99.9 µs        999 of 1000 were
  max µs          all were
  server µs/task  CPU time of the server process for one task, user and kernel
  allocs/task     how often the server's Go runtime allocated memory for one task, all told (it logs it on SIGUSR1)
  bench µs/task   CPU time of this program for one task: if it is the greater, then the bench, not the server, limits tasks/s
  RSS MB          memory of the server process at the end of the round
  –               not known: a server that runs already shows its own with --pid

Rows of one scenario: durable has one, whose tasks are runs acknowledged. life has one for runs that workers finished, with latencies from being submitted to that (producers are up to 4096 runs ahead of workers, and it includes the wait for that), and one for their acknowledgements; costs are those of a whole life in both. mixed has one for the flood and one for the modest producers; pending and schedules have one for the load on the server while it was empty, and one for the same load while it held them. Costs a task are of all tasks of the scenario. The modest producers share the bench's threads with the flood: the relay's row shows how much of their latency is not the server's.

Figures without a column (a table below, of the scenarios that have some):
  memory a connection, a waiting task
                  how much the server's memory grew, divided by how many they are, beyond their options: resident memory (RSS), and what its runtime says of heap and stacks in use, garbage included
  server CPU, all idle
                  of one core, while nobody sends anything for 35 s: long enough for a ping to each connection, and its pong
  tasks taken in  a second, pipelined over one WebSocket at a time
  schedules set   a second, over 16 WebSockets at once; each is on the disk before it is answered
  memory, before, all set, all fired, started again
                  what the server holds in all at that time: resident memory (RSS), and heap and stacks
  schedules, counted again
                  on the server that was killed and started again, page by page
  runs kept before, keys stored before
                  what --kept and --keys have stored before the load, and how many a second
  slowest second  of the whole ones of a round (--plot draws them all)
  data folder     the files in it after the load, and their bytes for each run that was acknowledged
  restart after a kill
                  from starting the server on what it has kept until it is ready: workman when /readyz says so
  late            from when a schedule was due to when a worker had it; with a histogram below the tables, and --lateness to draw it

A rate (--rate, and the modest producers of mixed): tasks are sent when they are due, whatever is unanswered, and their latencies count from then, not from when the bench came to send them. How late it was, and how many tasks could not be sent since a producer had 4096 of them (1000 over HTTP) unanswered, is told below the table.

Ratios (the median, worst and best of the pairs of rounds that ran one after the other):
  workman/…       beside another system: of tasks/s more is better, of all others less. bench/echo --relay is the limit
  http/ws64       the same load from HTTP producers beside WebSocket's
  workman/workman-old
                  workers that say Hello, or take leases over HTTP, beside WebSocket workers that do not, on the same server
  pipe/http       HTTP requests pipelined 16 deep beside one at a time
  names10/names1  tasks of ten names beside tasks of one; and so for a thousand
  bulk/durable    runs asked for many in a message (--bulk) beside one in each, as many under way
  pending/empty, schedules/empty
                  the load on a server that holds them beside the same on an empty one`

// startTime is when the bench was started.
var startTime = time.Now()

func main() {
	os.Exit(run())
}

// commands are what the bench can do. Flags without a command are measure's.
type commands struct {
	Measure config     `cmd:"" default:"withargs" help:"Measure a server in scenarios, one round after the other, and print one table. This is what the bench does if no command is named."`
	Soak    soakConfig `cmd:"" help:"Churn a server for minutes or hours, and see whether it leaks or errs."`
}

// options are how kong reads the command line.
func options() []kong.Option {
	return []kong.Option{kong.Name("bench"), kong.Description("Plays the clients of a workman server. bench measure --help and bench soak --help explain each figure."),
		kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: 120}),
		kong.Vars{"scenarios": scenarioNames(), "usual": usualScenarios, "sweeps": sweepNames(),
			"scenario_help": scenarioHelp(), "peers": peerNames()}}
}

// Help is the long text of bench measure --help.
func (config) Help() string {
	return strings.NewReplacer("${scenario_help}", scenarioHelp(), "${sweep_help}", sweepHelp(), "${peer_help}", peerHelp()).Replace(helpText)
}

// run is the command; it returns the exit status.
func run() int {
	var c commands
	command := kong.Parse(&c, options()...).Command()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	show := newProgress(os.Stderr)
	chosen := c.Measure.run
	if command == "soak" {
		chosen = c.Soak.run
	}
	err := supported()
	if err == nil {
		err = chosen(ctx, show)
	}
	if err != nil {
		show.clear()
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

// run does what the command line says.
func (c config) run(ctx context.Context, show *progress) error {
	if err := c.validate(); err != nil {
		return err
	}
	s, err := newSuite(ctx, c, show)
	if err != nil {
		return err
	}
	return s.run(ctx, os.Stdout)
}

// scenarioHelp lists the scenarios for --help.
func scenarioHelp() (text string) {
	for i, sc := range scenarios {
		if i > 0 {
			text += "\n"
		}
		text += fmt.Sprintf("  %-9s  %s", sc.Name, sc.What)
	}
	return text
}
