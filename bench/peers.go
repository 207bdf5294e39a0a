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
	return []*program{
		natsProgram("nats", natsClients{}, natsCommand, nil),
		natsProgram("nats-ws", natsClients{webSocket: true}, natsWSCommand, natsWSInput),
		gearmandProgram("gearmand", "with its 4 I/O threads"),
		gearmandProgram("gearmand-1", "with one I/O thread, which is faster on one core", "--threads=1"),
		redisProgram(),
		beanstalkdProgram(),
	}
}

// natsProgram is nats-server, which is built at the version that
// bench/peers/go.mod names unless one that is new enough is installed.
func natsProgram(system string, c natsClients, command func(host, port string) (args, env []string), input func(host, port string) string) *program {
	return &program{system: system, binary: "nats-server", oldest: "2.12", clients: c, command: command, input: input,
		source: "github.com/nats-io/nats-server/v2", modfile: "bench/peers/go.mod",
		about: "core request/reply, an inbox a producer, workers in a queue group. No flow control: it pushes, and credits do not count. " +
			"Keeps nothing: a request with no worker is refused, one whose worker is lost is never answered"}
}

// natsCommand is nats-server's TCP listener.
func natsCommand(host, port string) (args, env []string) {
	return []string{"--addr", host, "--port", port}, nil
}

// natsWSCommand reads natsWSInput: there are no flags for the WebSocket.
func natsWSCommand(string, string) (args, env []string) {
	return []string{"--config", "/dev/stdin"}, nil
}

// natsWSInput is a configuration with a WebSocket listener, and TCP on any
// free port, since there must be one.
func natsWSInput(host, port string) string {
	return fmt.Sprintf("host: %s, port: -1, websocket { host: %s, port: %s, no_tls: true }\n", host, host, port)
}

// gearmandProgram is gearmand with flags of its own.
func gearmandProgram(system, threads string, flags ...string) *program {
	return &program{system: system, binary: "gearmand", pkg: "gearman-job-server", clients: gearClients{},
		about: threads + ". Foreground jobs, kept in memory, without unique ids; a worker has a GRAB_JOB under way for each credit",
		command: func(host, port string) (args, env []string) {
			return append([]string{"--listen=" + host, "--port=" + port, "--log-file=stderr", "--pid-file=" + system + ".pid"}, flags...), nil
		}}
}

// redisProgram is redis-server without persistence.
func redisProgram() *program {
	return &program{system: "redis", binary: "redis-server", pkg: "redis-server", oldest: "7.0", clients: redisClients{},
		about: "lists, persistence off: LPUSH to the workers' list and to one a producer, BLMPOP with as many at once as credits. " +
			"Results by hand; a task whose worker is lost is lost",
		command: func(host, port string) (args, env []string) {
			return []string{"--bind", host, "--port", port, "--save", "", "--appendonly", "no"}, nil
		}}
}

// beanstalkdProgram is beanstalkd without its log on disk.
func beanstalkdProgram() *program {
	return &program{system: "beanstalkd", binary: "beanstalkd", pkg: "beanstalkd", clients: beanClients{},
		about: "jobs in memory. It has no results: a worker puts each as a job into the producer's tube, so a task is two jobs, " +
			"each put, reserved and deleted",
		command: func(host, port string) (args, env []string) {
			return []string{"-l", host, "-p", port}, nil
		}}
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

// peerHelp explains them for --help.
func peerHelp() string {
	var lines []string
	for _, p := range peerPrograms() {
		lines = append(lines, fmt.Sprintf("  %-10s %s: %s", p.system, p.line(), p.about))
	}
	return strings.Join(lines, "\n")
}

// line is the program's command line, with names for what differs each time.
func (p *program) line() string {
	args, env := p.command("127.0.0.1", "PORT")
	words := append(env, filepath.Base(p.path))
	if p.binary != "" {
		words[len(words)-1] = p.binary
	}
	for _, arg := range args {
		if arg == "" {
			arg = `""`
		}
		words = append(words, arg)
	}
	line := strings.Join(words, " ")
	if p.input != nil {
		line += " <<< '" + strings.TrimSpace(p.input("127.0.0.1", "PORT")) + "'"
	}
	return line
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
