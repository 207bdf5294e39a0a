package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The systems that are measured, as the table names them.
const (
	workman = "workman"
	relay   = "relay"
)

// program is a server that the bench can build and start.
type program struct {
	system string
	source string // its package, from the module's root
	path   string // its binary; empty until built
	tells  bool   // what its runtime has used, in its log, on SIGUSR1
	// command is how it is told to listen on a host and a port
	command func(host, port string) (args, env []string)
}

// workmanProgram is the server of this repository, as its README starts it.
func workmanProgram() *program {
	return &program{system: workman, source: ".", tells: true, command: func(host, port string) (args, env []string) {
		return nil, []string{"HOST=" + host, "PORT=" + port, "WORKMAN_LOG_FORMAT=text", "WORKMAN_LOG_LEVEL=info"}
	}}
}

// relayProgram is the limit: the same sockets and messages, and no server.
func relayProgram() *program {
	return &program{system: relay, source: "./bench/echo", tells: true, command: func(host, port string) (args, env []string) {
		return []string{"--relay", "--addr", host + ":" + port}, nil
	}}
}

// build compiles the program into dir, from the checkout around the working
// directory. One that has a binary already stays as it is.
func (p *program) build(ctx context.Context, dir string) error {
	if p.path != "" {
		return nil
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(root, p.source)); err != nil {
		return fmt.Errorf("%s cannot be built: %w", p.system, err)
	}
	path := filepath.Join(dir, p.system)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, p.source)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s (go build %s in %s): %w\n%s", p.system, p.source, root, err, out)
	}
	p.path = path
	return nil
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
