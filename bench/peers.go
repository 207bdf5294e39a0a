package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Words that --peers takes instead of names.
const (
	allPeers       = "all"
	installedPeers = "installed"
)

// peerPrograms are the other systems that --peers knows, in the order of all.
// Each runs as its makers ship it, but for what its command line shows.
func peerPrograms() []*program {
	oneThread := gearmandProgram("gearmand-1", "--threads=1")
	oneThread.about += "; with one I/O thread instead of 4, which is faster on one core"
	return []*program{natsProgram(), natsWSProgram(), gearmandProgram("gearmand"), oneThread, redisProgram(), beanstalkdProgram(),
		redisAOFProgram(), beanstalkdWALProgram(), jetStreamProgram()}
}

// natsProgram is nats-server, which is built at the version that
// bench/peers/go.mod names unless one that is new enough is installed.
func natsProgram() *program {
	return &program{system: "nats", binary: "nats-server", oldest: "2.12", clients: natsClients{},
		source: "github.com/nats-io/nats-server/v2", modfile: "bench/peers/go.mod",
		about: "core request/reply, workers in a queue group; reply subjects are reused, which spares the server more than its own clients do",
		less:  "no flow control: it pushes, whatever the credits; a task without a worker is refused, one whose worker is lost is lost",
		command: func(host, port string) (args, env []string) {
			return []string{"--addr", host, "--port", port}, nil
		}}
}

// natsWSProgram is nats-server with clients on its WebSocket listener. There
// are no flags for that, only a configuration; and it must have a TCP port too.
func natsWSProgram() *program {
	p := natsProgram()
	p.system, p.clients = "nats-ws", natsClients{webSocket: true}
	p.about += "; in WebSocket frames, one for all that a read brings"
	p.command = func(string, string) (args, env []string) { return []string{"--config", "/dev/stdin"}, nil }
	p.input = func(host, port string) string {
		return fmt.Sprintf("host: %s, port: -1, websocket { host: %s, port: %s, no_tls: true }\n", host, host, port)
	}
	return p
}

// gearmandProgram is gearmand with flags of its own.
func gearmandProgram(system string, flags ...string) *program {
	return &program{system: system, binary: "gearmand", pkg: "gearman-job-server", clients: gearClients{},
		about: "foreground jobs without unique ids; a worker has up to a GRAB_JOB under way for each credit",
		command: func(host, port string) (args, env []string) {
			return append([]string{"--listen=" + host, "--port=" + port, "--log-file=stderr", "--pid-file=" + system + ".pid"}, flags...), nil
		}}
}

// redisProgram is redis-server without persistence.
func redisProgram() *program {
	return &program{system: "redis", binary: "redis-server", pkg: "redis-server", oldest: "7.0", clients: redisClients{},
		about: "lists, persistence off: LPUSH to the workers' list, and for the result to the producer's; BLMPOP, as many at once as credits",
		less:  "results, errors and time-outs are by hand; a task whose worker is lost is lost",
		command: func(host, port string) (args, env []string) {
			return []string{"--bind", host, "--port", port, "--save", "", "--appendonly", "no"}, nil
		}}
}

// beanstalkdProgram is beanstalkd without its log on disk.
func beanstalkdProgram() *program {
	return &program{system: "beanstalkd", binary: "beanstalkd", pkg: "beanstalkd", clients: beanClients{},
		about: "jobs in memory, results as jobs in a tube a producer: a task is two jobs, each put, reserved and deleted",
		less:  "results are by hand; a client reserves one job at a time, whatever the credits",
		command: func(host, port string) (args, env []string) {
			return []string{"-l", host, "-p", port}, nil
		}}
}

// The systems below sync what they accept before they acknowledge it. Each runs
// in a folder of its own, and keeps its data there.

// redisAOFProgram is redis-server with a log that is synced for every command.
func redisAOFProgram() *program {
	return &program{system: "redis-aof", binary: "redis-server", pkg: "redis-server", oldest: "7.0", keepers: redisKeepers{}, awake: redisAwake,
		about: "runs: a list, its log synced before anything is answered: LPUSH, and a BRPOP for each credit",
		less:  "a run is gone once a worker has it: its outcome is not kept, nor is the run if the worker is lost",
		command: func(host, port string) (args, env []string) {
			return []string{"--bind", host, "--port", port, "--save", "", "--appendonly", "yes", "--appendfsync", "always"}, nil
		}}
}

// beanstalkdWALProgram is beanstalkd with a log that is synced for every job.
func beanstalkdWALProgram() *program {
	return &program{system: "beanstalkd-wal", binary: "beanstalkd", pkg: "beanstalkd", keepers: beanKeepers{},
		about: "runs: jobs, its log synced for each: put; and reserve, delete by workers, one at a time each",
		less:  "a job is gone once it is deleted: its outcome is not kept",
		command: func(host, port string) (args, env []string) {
			return []string{"-l", host, "-p", port, "-f", "0", "-b", "."}, nil
		}}
}

// jetStreamProgram is nats-server with JetStream, which syncs every message.
func jetStreamProgram() *program {
	p := natsProgram()
	return &program{system: "jetstream", binary: p.binary, oldest: p.oldest, source: p.source, modfile: p.modfile, keepers: jetKeepers{},
		about: "runs: a work queue in a file, synced for each message; workers pull half of their credits at a time, and acknowledge each",
		less:  "a message is gone once it is acknowledged, which is not confirmed to workers: its outcome is not kept",
		command: func(host, port string) (args, env []string) {
			return []string{"--addr", host, "--port", port, "--config", "/dev/stdin"}, nil
		},
		input: func(string, string) string { return "jetstream { store_dir: \".\", sync_interval: always }\n" }}
}

// choosePeers are the programs that --peers names, in its order, each once.
func choosePeers(ctx context.Context, names []string) (chosen []*program, err error) {
	known := peerPrograms()
	add := func(p *program) {
		if !slices.ContainsFunc(chosen, func(q *program) bool { return q.system == p.system }) {
			chosen = append(chosen, p)
		}
	}
	for _, name := range names {
		found := false
		for _, p := range known {
			switch {
			case name == allPeers, name == p.system:
				add(p)
				found = true
			case name == installedPeers:
				if p.find(ctx) == nil {
					add(p)
				}
				found = true
			}
		}
		if !found {
			return nil, fmt.Errorf("--peers %q is unknown: choose from %s, or %s, or %s for those found on this machine", name, peerNames(), allPeers, installedPeers)
		}
	}
	return chosen, nil
}

// peerNames lists them all.
func peerNames() string {
	var names []string
	for _, p := range peerPrograms() {
		names = append(names, p.system)
	}
	return strings.Join(names, ",")
}

// find looks for the installed binary, and checks its version.
func (p *program) find(ctx context.Context) error {
	path, err := exec.LookPath(p.binary)
	if err != nil { // Debian's servers are where only root looks
		path, err = exec.LookPath("/usr/sbin/" + p.binary)
	}
	if err != nil {
		return fmt.Errorf("%s is not installed: install %s (Debian: apt-get install %s), or leave %s out of --peers", p.binary, p.binary, p.pkg, p.system)
	}
	version, err := askVersion(ctx, path)
	if err != nil {
		return err
	}
	if older(version, p.oldest) {
		return fmt.Errorf("%s is %s, and the bench needs %s or later: update it, or leave %s out of --peers", path, version, p.oldest, p.system)
	}
	p.path, p.version = path, version
	return nil
}

// errNoVersion is returned when a binary does not say what it is.
var errNoVersion = errors.New("it names no version")

// versionNumber is a version with two or more parts.
var versionNumber = regexp.MustCompile(`\d+(\.\d+)+`)

// askVersion is the version number that a binary names.
func askVersion(ctx context.Context, path string) (string, error) {
	flag := "--version"
	if filepath.Base(path) == "beanstalkd" {
		flag = "-v"
	}
	out, err := exec.CommandContext(ctx, path, flag).Output()
	version := versionNumber.Find(out)
	if err == nil && version == nil {
		err = errNoVersion
	}
	if err != nil {
		return "", fmt.Errorf("asking %s %s: %w: %.100q", path, flag, err, out)
	}
	return string(version), nil
}

// older says whether a version is before another, which may be empty.
func older(version, than string) bool {
	a, b := strings.Split(version, "."), strings.Split(than, ".")
	for i := range min(len(a), len(b)) {
		x, _ := strconv.Atoi(a[i])
		y, _ := strconv.Atoi(b[i])
		if x != y {
			return x < y
		}
	}
	return false
}
