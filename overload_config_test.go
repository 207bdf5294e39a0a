package main

import (
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"workman/dispatch"
	"workman/protocol"
	"workman/reactor"
)

// variables are the names of the environment that options know.
func variables() (all []string) {
	for f := range reflect.TypeFor[options]().Fields() {
		if name := f.Tag.Get("env"); name != "" {
			all = append(all, name)
		}
	}
	return all
}

var errExit = errors.New("the program would have ended")

// parseOptions reads a command line and an environment, one argument and one NAME=value a line, as the program does.
func parseOptions(args, env string) (o options, err error) {
	for _, name := range variables() {
		_ = os.Unsetenv(name)
	}
	for _, line := range strings.Split(env, "\n") {
		if name, value, ok := strings.Cut(line, "="); ok {
			_ = os.Setenv(name, value) // what cannot be set cannot reach a program either
		}
	}
	defer func() {
		if p := recover(); p == errExit { //nolint:errorlint // a panic's value
			err = errExit
		} else if p != nil {
			panic(p)
		}
	}()
	k, err := kong.New(&o, append(usage[:len(usage):len(usage)], kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) { panic(errExit) }))...)
	if err != nil {
		return o, err
	}
	var list []string
	if args != "" {
		list = strings.Split(args, "\n")
	}
	_, err = k.Parse(list)
	return o, err
}

// FuzzConfig: whatever the command line and the environment say, the program says what is wrong with it, or has a
// configuration that all its parts accept.
func FuzzConfig(f *testing.F) {
	for _, name := range variables() {
		if value, ok := os.LookupEnv(name); ok {
			f.Cleanup(func() { _ = os.Setenv(name, value) })
		}
	}
	f.Fuzz(func(t *testing.T, args, env string) {
		o, err := parseOptions(args, env)
		if err == errExit { //nolint:errorlint // ours
			return
		}
		if err == nil {
			err = o.accepted(t)
		}
		if err != nil {
			if text := err.Error(); len(text) < 10 || strings.Contains(text, "%!") || strings.Contains(text, "0x0") {
				t.Errorf("an error that says nothing: %q", text)
			}
		}
	})
}

// accepted makes all of the server that options describe, but for what depends on the machine: its address and the number
// of its loops.
func (o *options) accepted(t *testing.T) error {
	if o.MaxTasks < 1 || o.MaxNames < 1 || o.Loops < 0 || o.Drain < 0 || o.DeadAfter < time.Second || strings.TrimSpace(o.Host) == "" {
		t.Errorf("accepted: %+v", o)
	}
	o.logger(io.Discard).Info("hello")
	o.fit(memoryLimit())
	d, err := dispatch.New(o.dispatch(o.budget()), rand.NewChaCha8([32]byte{}), dispatch.Now{})
	if err != nil || d == nil {
		t.Fatalf("the dispatcher refuses what the options accept: %v", err)
	}
	c, err := o.reactor(slog.New(slog.DiscardHandler), o.budget())
	if err != nil {
		t.Fatalf("options that were accepted fail: %v", err)
	}
	c.Host, c.Port, c.Loops = "127.0.0.1", 0, min(c.Loops, 1)
	c.Serve = func(l *reactor.Loop) reactor.Service { return nothing{} }
	s, err := reactor.Listen(c)
	if err != nil {
		if !errors.Is(err, protocol.ErrConfig) || !strings.Contains(err.Error(), "Hosts") && !strings.Contains(err.Error(), "Origins") {
			t.Fatalf("the reactor refuses what the options accept: %v", err)
		}
		return err // names and origins are read there
	}
	return s.Close()
}

// nothing serves nobody.
type nothing struct{}

func (nothing) Request(*protocol.Session, *protocol.Request)           {}
func (nothing) Upgrade(*protocol.Session, *protocol.Request) bool      { return false }
func (nothing) Message(*protocol.Session, []byte, dispatch.Span, bool) {}
func (nothing) Ended(*protocol.Session)                                {}
func (nothing) Flush()                                                 {}
func (nothing) Woken()                                                 {}
func (nothing) SetSlow(*protocol.Session, bool)                        {}

// TestConfigErrors: what is wrong is said in the words of who set it.
func TestConfigErrors(t *testing.T) {
	for _, name := range variables() {
		if _, ok := os.LookupEnv(name); ok {
			t.Setenv(name, "") // to be set back
		}
	}
	t.Cleanup(func() { _, _ = parseOptions("", "") })
	for _, c := range []struct{ args, env, want string }{
		{"--port\n70000", "", "--port is 70000"},
		{"", "PORT=many", "PORT"},
		{"", "PORT=-1", "--port"},
		{"--host\n ", "", "--host is empty"},
		{"--max-tasks\n0", "", "--max-tasks is 0"},
		{"", "WORKMAN_MAX_MESSAGE=1", "--max-message is 1"},
		{"--drain\n-1s", "", "--drain"},
		{"", "WORKMAN_DRAIN=soon", "WORKMAN_DRAIN"},
		{"--log-level\nloud", "", "--log-level"},
		{"--lopps\n2", "", "--lopps"},
		{"stray", "", "stray"},
	} {
		if _, err := parseOptions(c.args, c.env); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %q: %v, want something about %q", c.args, c.env, err, c.want)
		}
	}
	o, err := parseOptions("--hosts\na.example,b.example\n--max-bytes=5", "PORT=0\nWORKMAN_ORIGINS=https://a.example")
	if err != nil || len(o.Hosts) != 2 || o.MaxBytes != 5 || len(o.Origins) != 1 {
		t.Errorf("%+v %v", o, err)
	}
}

// TestL15Fit: what memory does not hold is not promised, and what it does is left alone.
func TestL15Fit(t *testing.T) {
	usual := options{MaxTasks: 1_000_000, MaxRuns: 131_072, MaxNames: 100_000}
	o := usual
	if o.fit(4<<30) || !reflect.DeepEqual(o, usual) {
		t.Errorf("in 4 GiB: %d tasks, %d runs, %d names", o.MaxTasks, o.MaxRuns, o.MaxNames)
	}
	if !o.fit(256 << 20) {
		t.Error("256 MiB are said to hold them all")
	}
	if n := o.MaxTasks*taskBytes + o.MaxRuns*runBytes + o.MaxNames*nameBytes; n > 64<<20 || n < 60<<20 {
		t.Errorf("in 256 MiB they take %d bytes, want a quarter", n)
	}
	if o = usual; !o.fit(1) || o.MaxTasks != 1 || o.MaxNames != 1 {
		t.Errorf("in nothing: %+v", o)
	}
}
