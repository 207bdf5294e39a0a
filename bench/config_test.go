package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// parse reads a command line as main does.
func parse(t *testing.T, args ...string) (c config) {
	t.Helper()
	p, err := kong.New(&c, kong.Vars{"scenarios": scenarioNames(), "usual": usualScenarios, "sweeps": sweepNames(),
		"scenario_help": scenarioHelp(), "peers": peerNames()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Parse(args); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFlagsHaveDefaults(t *testing.T) {
	c := parse(t)
	if err := c.validate(); err != nil {
		t.Error(err)
	}
	if c.Rounds != 3 || c.Seconds != 3 || c.Threads != 1 || strings.Join(c.Scenario, " ") != "s1 s2 http ws64 pipe mixed" {
		t.Errorf("%+v", c)
	}
}

func TestFlagsAreChecked(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"--scenario s1,s3", `"s3" is unknown: choose from s1,s2,http,ws64,pipe`},
		{"--rounds 0", "--rounds is 0"},
		{"--seconds 0", "--seconds is 0"},
		{"--seconds NaN", "--seconds is NaN"},
		{"--warmup=-1", "--warmup is -1"},
		{"--threads 65", "--threads is 65"},
		{"--rate=-1", "--rate is -1"},
		{"--rate 1e8", "--rate is 1e+08"},
		{"--idle=-1", "--idle is -1"},
		{"--pending 0", "--pending is 0"},
		{"--kept=-1", "--kept is -1"},
		{"--keys 1000000001", "--keys is 1000000001"},
		{"--keyed 1.5", "--keyed is 1.5"},
		{"--bulk=-1", "--bulk is -1"},
		{"--bulk 1025", "--bulk is 1025"},
		{"--bulk 10 --keyed 0.5", "--bulk is for runs without keys"},
		{"--scenario durable --addr localhost:1", "durable is measured on servers of its own"},
		{"--scenario all --addr localhost:1", "idle is measured on servers of its own"},
		{"--sweep x", `--sweep "x" is unknown: choose from connections,names,pending,schedules,payload`},
		{"--sweep names --addr localhost:1", "names 10 is measured on servers of its own"},
		{"--sweep names --rate 5", "--rate is for scenarios"},
		{"--pid 4", "--addr names: give both or none"},
		{"--addr localhost", "give host:port"},
		{"--gate f", "add --relay"},
		{"--gate f --relay --gate-factor 0", "--gate-factor is 0"},
		{"--gate-factor NaN", "--gate-factor is NaN"},
		{"--gate f --relay --addr localhost:1", "add --pid"},
	} {
		err := parse(t, strings.Fields(test.args)...).validate()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, not %q", test.args, err, test.want)
		}
	}
	if err := parse(t, "--scenario", "s2", "--relay", "--gate", "f").validate(); err != nil {
		t.Error(err)
	}
}

func TestPlacement(t *testing.T) {
	for _, test := range []struct {
		cores, chosen []int
		same          bool
		servers, own  []int
	}{
		{[]int{3}, nil, false, []int{3}, []int{3}},
		{[]int{0, 1}, nil, true, []int{0}, []int{0}},
		{[]int{0, 1}, nil, false, []int{0}, []int{1}},
		{[]int{0, 1, 2}, nil, true, []int{0}, []int{1, 2}},
		{[]int{0, 1}, []int{1}, false, []int{1}, []int{0}},
		{[]int{0, 1}, []int{1}, true, []int{1}, []int{1}},
		{[]int{0, 1, 2, 3}, []int{1, 2}, true, []int{1, 2}, []int{0, 3}},
		{[]int{0, 1}, []int{0, 1}, false, []int{0, 1}, []int{0, 1}},
	} {
		servers, own := placement(test.cores, test.chosen, test.same)
		if !slices.Equal(servers, test.servers) || !slices.Equal(own, test.own) {
			t.Errorf("%v, %v, %v: %v and %v", test.cores, test.chosen, test.same, servers, own)
		}
	}
}

func TestScenariosFitTheirNonces(t *testing.T) {
	for _, sc := range scenarios {
		if sc.Producers > maxPair || sc.Outstanding > maxPair {
			t.Errorf("%+v", sc)
		}
	}
	if runTaskLen := runTaskBAt + digitsLen + len(runTaskTail); runTaskLen > 125 {
		t.Errorf("RunTask takes %d bytes: its header is longer than %d", runTaskLen, shortHead)
	}
}
