// Echo serves workman's sockets, framing and parsing without workman: each WebSocket message and each POST body is
// answered with itself. Conformance suites are pointed at it. With --relay it passes the four messages of a task between
// producers and workers with no dispatcher, no JSON and no check, only a queue of tasks and one of workers that are ready:
// what is left is what the sockets allow, and that is the baseline for benchmarks.
//
// It is for tests and benchmarks only.
package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/alecthomas/kong"

	"workman/footprint"
	"workman/reactor"
)

type options struct {
	Addr  string `default:"127.0.0.1:9998" help:"Address and port to listen on."`
	Relay bool   `help:"Pass tasks between /websocket and /worker instead of echoing."`
	Loops int    `default:"1" help:"Event loops. The relay has one."`
}

func main() {
	var o options
	kong.Parse(&o, kong.Name("echo"), kong.Description("workman's sockets without workman, for tests and benchmarks."))
	if err := run(o); err != nil {
		slog.Error("echo cannot go on", "error", err)
		os.Exit(1)
	}
}

func run(o options) error {
	host, port, err := net.SplitHostPort(o.Addr)
	if err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	cfg := reactor.DefaultConfig()
	cfg.Host = host
	if cfg.Port, err = strconv.Atoi(port); err != nil {
		return fmt.Errorf("--addr: port %q is no number", port)
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return err
	}
	cfg.Loops, cfg.MaxConns = o.Loops, int(files.Cur)-64
	cfg.Serve = func(*reactor.Loop) reactor.Service { return echo{} }
	if o.Relay {
		cfg.Loops = 1
		cfg.Serve = func(*reactor.Loop) reactor.Service { return newRelay() }
		cfg.Protocol.CheckUTF8 = false
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer footprint.Watch(slog.New(slog.NewTextHandler(os.Stderr, nil)))()
	s, err := reactor.Listen(cfg)
	if err != nil {
		return err
	}
	for _, a := range s.Addrs() {
		fmt.Fprintln(os.Stderr, "listening on", a)
	}
	<-signals
	return s.Close()
}
