package main

import (
	"os"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const tail = " S 1 2 3 0 -1 4194304 100 0 0 0 250 75 0 0 20 0 5 0 12345 1000000 500"
	for _, command := range []string{"(workman)", "(a b)", "(a) S 9 9)", "())"} {
		got, err := parseStat("4711 " + command + tail)
		if err != nil || got != 3250*time.Millisecond {
			t.Errorf("%s: %v, %v", command, got, err)
		}
	}
	for _, bad := range []string{"", "4711", "4711 (x) S 1 2", "4711 (x) S 1 2 3 0 -1 4194304 100 0 0 0 250 y 0"} {
		if got, err := parseStat(bad); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
}

func TestParseSchedstat(t *testing.T) {
	if got, err := parseSchedstat("91395123 66760 2\n"); err != nil || got != 91395123 {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "x 1 2", "-"} {
		if got, err := parseSchedstat(bad); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
}

func TestParseRSS(t *testing.T) {
	if got, err := parseRSS("Name:\tx\nVmHWM:\t  9 kB\nVmRSS:\t  1024 kB\nThreads:\t3\n"); err != nil || got != 1<<20 {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "VmRSS:\t12 MB\n", "VmRSS:\t-\n", "Name:\tzombie\nState:\tZ\n"} {
		if got, err := parseRSS(bad); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
}

func TestUsagePrefersTheFineClock(t *testing.T) {
	for _, test := range []struct{ sched, stat, want time.Duration }{
		{sched: 1003, stat: 1000, want: 1003},
		{sched: 985, stat: 1000, want: 985},
		{sched: 100, stat: 1000, want: 1000}, // a thread has ended
		{sched: -50, stat: 1000, want: 1000},
		{sched: 0, stat: 500, want: 500}, // no schedstat
	} {
		before := usage{sched: time.Hour, stat: time.Minute}
		after := usage{sched: time.Hour + test.sched*time.Millisecond, stat: time.Minute + test.stat*time.Millisecond}
		if got := after.since(before); got != test.want*time.Millisecond {
			t.Errorf("%d and %d ms: %v", test.sched, test.stat, got)
		}
	}
}

// TestUsageOfThisProcess burns CPU and looks whether both clocks saw it.
func TestUsageOfThisProcess(t *testing.T) {
	before, err := readUsage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	own := ownCPU()
	for x := source(1); ownCPU()-own < 100*time.Millisecond; {
		x.next()
	}
	after, err := readUsage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	used := ownCPU() - own
	if got := after.since(before); got < used-40*time.Millisecond || got > used+40*time.Millisecond {
		t.Errorf("/proc says %v, getrusage %v", got, used)
	}
	if rss, err := readRSS(os.Getpid()); err != nil || rss < 1<<20 || rss > 1<<34 {
		t.Errorf("RSS is %d, %v", rss, err)
	}
}

func TestParseMachine(t *testing.T) {
	busy, all, err := parseMachine("cpu  100 20 30 400 50 6 7 8 90 10\ncpu0 1 2 3\n")
	if err != nil || busy != 1710*time.Millisecond || all != 6210*time.Millisecond {
		t.Errorf("busy %v of %v, %v", busy, all, err)
	}
	for _, bad := range []string{"", "cpu 1 2 3 4 5 6 7", "cpu0 1 2 3 4 5 6 7 8", "cpu 1 2 3 4 5 6 7 x"} {
		if _, _, err := parseMachine(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if busy, all, err := readMachine(); err != nil || busy <= 0 || all < busy {
		t.Errorf("this machine: busy %v of %v, %v", busy, all, err)
	}
}

func TestModelName(t *testing.T) {
	if got := modelName("processor\t: 0\nmodel\t\t: 17\nmodel name\t: AMD: EPYC\n"); got != "AMD: EPYC" {
		t.Errorf("%q", got)
	}
}
