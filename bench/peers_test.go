package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// require skips a test for which the machine lacks something, and fails it
// where everything has to be tested.
func require(t *testing.T, lacks error) {
	t.Helper()
	if lacks != nil && os.Getenv("WORKMAN_REQUIRE") == "all" {
		t.Fatal(lacks)
	}
	if lacks != nil {
		t.Skip(lacks)
	}
}

// TestPeersDoTheWork plays each system's clients against its real server, which
// runs on from round to round: one task at a time, many, and more workers'
// credits than tasks.
func TestPeersDoTheWork(t *testing.T) {
	for _, p := range peerPrograms() {
		if p.clients == nil {
			continue // see TestPeersKeepRuns
		}
		t.Run(p.system, func(t *testing.T) {
			require(t, p.build(t.Context(), t.TempDir()))
			target, err := p.start(t.Context(), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := target.server.stop(); err != nil {
					t.Error(err)
				}
			}()
			for _, sc := range []scenario{
				{Name: "one at a time", Producers: 3, Outstanding: 1, Workers: 2, Credits: 1},
				{Name: "many", Producers: 3, Outstanding: 40, Workers: 2, Credits: 30},
				{Name: "more credits than tasks", Producers: 2, Outstanding: 1, Workers: 3, Credits: 20},
				{Name: "many again", Producers: 3, Outstanding: 40, Workers: 2, Credits: 30},
			} {
				entries, err := runRound(t.Context(), sc, target, 2, quick, "", silent())
				if err != nil {
					t.Fatalf("%s: %v", sc.Name, err)
				}
				r := entries[0].round
				checkRound(t, r)
				if r.ServerCPU <= 0 || r.RSS < 1e6 {
					t.Errorf("%s: the server used %.2f µs a task and %.0f bytes", sc.Name, r.ServerCPU, r.RSS)
				}
			}
		})
	}
}

// fakeServer writes a program that says what a real one says of its version.
func fakeServer(t *testing.T, name, says string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho '"+says+"'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestPeersAreFound(t *testing.T) {
	for _, test := range []struct{ binary, says, want string }{ // want: the version, or a part of the error
		{"redis-server", "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", "7.0.15"},
		{"redis-server", "Redis server v=10.0 sha=0", "10.0"},
		{"redis-server", "Redis server v=6.2.14 sha=0", "is 6.2.14, and the bench needs 7.0 or later"},
		{"redis-server", "no", "it names no version"},
		{"beanstalkd", "beanstalkd 1.12", "1.12"},
	} {
		fakeServer(t, test.binary, test.says)
		p := redisProgram()
		if test.binary == "beanstalkd" {
			p = beanstalkdProgram()
		}
		err := p.build(t.Context(), t.TempDir())
		if err == nil && p.version != test.want || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: version %q, error %v, not %q", test.says, p.version, err, test.want)
		}
	}
	lost := &program{system: "lost", binary: "no-such-server", pkg: "lost-server"}
	if err := lost.build(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "apt-get install lost-server") {
		t.Errorf("what is not installed: %v", err)
	}
}

func TestOldNATSIsBuiltInstead(t *testing.T) {
	fakeServer(t, "nats-server", "nats-server: v2.9.10")
	p := natsProgram()
	if err := p.find(t.Context()); err == nil || !strings.Contains(err.Error(), "2.9.10") {
		t.Errorf("an old one: %v", err)
	}
	require(t, p.build(t.Context(), t.TempDir()))
	if older(p.version, p.oldest) || strings.Contains(p.path, "PATH") {
		t.Errorf("built %s at %s", p.version, p.path)
	}
}

func TestPeersAreChosen(t *testing.T) {
	all := "nats nats-ws gearmand gearmand-1 redis beanstalkd redis-aof beanstalkd-wal jetstream"
	fakeServer(t, "redis-server", "Redis server v=6.0")
	for _, test := range []struct{ names, want string }{
		{"", ""},
		{"all", all},
		{"redis nats redis", "redis nats"},
		{"beanstalkd all", "beanstalkd nats nats-ws gearmand gearmand-1 redis redis-aof beanstalkd-wal jetstream"},
		{"postgres", `"postgres" is unknown: choose from nats,nats-ws,`},
	} {
		got, err := chosenNames(t.Context(), strings.Fields(test.names))
		if err == nil && strings.Join(got, " ") != test.want || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %q, %v, not %q", test.names, got, err, test.want)
		}
	}
	got, err := chosenNames(t.Context(), []string{"installed"})
	if err != nil || slices.Contains(got, "redis") {
		t.Errorf("installed: %q, %v", got, err)
	}
	fakeServer(t, "redis-server", "Redis server v=8.2.1")
	if got, err := chosenNames(t.Context(), []string{"installed"}); err != nil || !slices.Contains(got, "redis") {
		t.Errorf("installed: %q, %v", got, err)
	}
}

// chosenNames are the systems that --peers chooses.
func chosenNames(ctx context.Context, names []string) (systems []string, err error) {
	programs, err := choosePeers(ctx, names)
	for _, p := range programs {
		systems = append(systems, p.system)
	}
	return systems, err
}

const wantSystems = `
The others, as they were run. They carry bytes; workman checks that options and results are JSON.
  relay           relay --relay --addr 127.0.0.1:PORT
                how: copies workman's messages: the limit of what the sockets allow
                but: no JSON is read, nothing is checked, kept or given to another worker
  redis           7.0.15: redis-server --bind 127.0.0.1 --port PORT --save "" --appendonly no
                how: lists, persistence off: LPUSH to the workers' list, and for the result to the producer's; BLMPOP, as many at once as credits
                but: results, errors and time-outs are by hand; a task whose worker is lost is lost
`

func TestSystemsAreDescribed(t *testing.T) {
	redis := redisProgram()
	redis.version = "7.0.15"
	var all []description
	for _, p := range []*program{workmanProgram(), relayProgram(), redis, beanstalkdProgram()} {
		all = append(all, p.describe())
	}
	var b strings.Builder
	if err := writeSystems(&b, all, []result{{System: workman}, {System: "redis"}, {System: relay}}); err != nil {
		t.Fatal(err)
	}
	if b.String() != wantSystems {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), wantSystems)
	}
	b.Reset()
	if err := writeSystems(&b, all, []result{{System: workman}}); err != nil || b.Len() > 0 {
		t.Errorf("workman alone is beside %q (%v)", b.String(), err)
	}
	if got := all[0].Command; got != "HOST=127.0.0.1 PORT=PORT workman" {
		t.Errorf("workman is started with %q", got)
	}
}
