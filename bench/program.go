package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The systems that are measured, as the table names them.
const (
	workman    = "workman"
	workmanOld = "workman-old" // the same, with workers of old
	relay      = "relay"
)

// program is a server that the bench can start: built from source, or found
// where it is installed.
type program struct {
	system string
	about  string // how the bench uses it; empty for workman
	less   string // what it does less than workman, or otherwise

	source  string // its package, from the module's root; empty if it is not built
	modfile string // the module file with its version, from there; empty for workman's own
	binary  string // its name where it is installed; empty if it is not looked for
	pkg     string // Debian's package that has it
	oldest  string // the oldest version taken, as "2.12"; empty: any

	path    string // its binary; empty until found or built
	version string // what the binary says of itself
	dir     string // it runs there; empty: where the bench does

	clients clients // nil: it is only for runs that are kept
	keepers keepers // nil: it keeps nothing
	tells   bool    // what its runtime has used, in its log, on SIGUSR1
	// command is how it is told to listen on a host and a port
	command func(host, port string) (args, env []string)
	// awake is nil once it answers, if it accepts connections before; nil: it does not
	awake func(ctx context.Context, addr string) error
	// patience is how long it may take until it accepts and is awake; 0: readyTimeout
	patience time.Duration
	// input is what it reads from its standard input; nil: nothing
	input func(host, port string) string
}

// workmanProgram is the server of this repository, as its README starts it.
func workmanProgram() *program {
	return &program{system: workman, source: ".", clients: workmanClients{}, keepers: workmanKeepers{}, tells: true, awake: workmanReady,
		command: func(host, port string) (args, env []string) {
			return nil, []string{"HOST=" + host, "PORT=" + port}
		}}
}

// oldProgram is the same server, for scenarios that are about what workers speak:
// with workers as they were.
func oldProgram() *program {
	p := workmanProgram()
	p.system, p.clients = workmanOld, oldClients{}
	p.about = "the same server, with workers that say no Hello: over WebSocket, for each task a SendResult and a GetTask"
	return p
}

// relayProgram is the limit: the same sockets and messages, and no server.
func relayProgram() *program {
	return &program{system: relay, source: "./bench/echo", clients: oldClients{}, tells: true,
		about: "copies workman's messages: the limit of what the sockets allow",
		less:  "no JSON is read, nothing is checked, kept or given to another worker",
		command: func(host, port string) (args, env []string) {
			return []string{"--relay", "--addr", host + ":" + port}, nil
		}}
}

// plays says whether the program and its clients can play a scenario: workman
// all, the relay what needs no more than messages passed on, others plain loads,
// or, if they keep what they accept, loads of runs.
func (p *program) plays(sc scenario) bool {
	switch {
	case p.system == workman:
		return true
	case p.system == workmanOld:
		return sc.Worker != ""
	case sc.stores(): // the others know no keys
		return p.keepers != nil && sc.Keyed == 0 && sc.Keys == 0
	case p.system == relay:
		return sc.relayed()
	}
	return p.clients != nil && sc.plain()
}

// flagsFor are the flags that the program needs for a scenario.
func (p *program) flagsFor(sc scenario) []string {
	if p.system == workman || p.system == workmanOld {
		return sc.flags()
	}
	return nil
}

// build finds the program's binary where it is installed, or else compiles it
// into dir, where it will run. One that has a binary already stays as it is.
func (p *program) build(ctx context.Context, dir string) error {
	if p.dir == "" {
		p.dir = dir
	}
	if p.path != "" {
		return nil
	}
	if p.binary != "" {
		err := p.find(ctx)
		if err == nil || p.source == "" {
			return err
		}
	}
	return p.compile(ctx, dir)
}

// compile compiles the program into dir, from the checkout around the working
// directory.
func (p *program) compile(ctx context.Context, dir string) error {
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	args := []string{"build"}
	if p.modfile != "" {
		args = append(args, "-modfile="+p.modfile)
	} else if _, err := os.Stat(filepath.Join(root, p.source)); err != nil {
		return fmt.Errorf("%s cannot be built: %w", p.system, err)
	}
	path := filepath.Join(dir, cmp.Or(p.binary, p.system))
	cmd := exec.CommandContext(ctx, "go", append(args, "-o", path, p.source)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s (%s in %s): %w\n%s", p.system, strings.Join(cmd.Args, " "), root, err, out)
	}
	p.path = path
	if p.modfile != "" {
		p.version, err = askVersion(ctx, path)
	}
	return err
}

// errNoCheckout is returned when there is nothing to build from.
var errNoCheckout = errors.New("the bench builds the server from its checkout, and this is none: cd there, or name a running server with --addr")

// moduleRoot is the folder of workman's go.mod, at or above the working
// directory.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("asking go for the module: %w", err)
	}
	path := strings.TrimSpace(string(out))
	text, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(text), "module workman\n") {
		return "", errNoCheckout
	}
	return filepath.Dir(path), nil
}
