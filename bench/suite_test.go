package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// newTestSuite is a suite of short rounds on the test relay, in both roles.
func newTestSuite(t *testing.T, fault string, args ...string) *suite {
	t.Helper()
	c := parse(t, args...)
	if err := c.validate(); err != nil {
		t.Fatal(err)
	}
	s, err := newSuite(t.Context(), c, silent())
	if err != nil {
		t.Fatal(err)
	}
	s.pace = quick
	s.programs = []*program{testProgram(t, workman, fault), testProgram(t, relay, "")}
	return s
}

func TestSuiteComparesTwoSystems(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.json")
	committed := writeGate(t, `{"ratios": {"s2": 1000, "s1": 0.001}}`)
	s := newTestSuite(t, "", "--scenario=s2,http,ws64", "--relay", "--rounds=2", "--gate="+committed, "--json="+file)
	var out strings.Builder
	if err := s.run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{"scenario", "s2        workman", "s2        relay", "http      workman", "ws64      workman",
		"ws64      relay", "", "scenario  ratio", "s2        workman/relay", "ws64      workman/relay", "http      http/ws64"} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d is %q, not %q:\n%s", i+1, lines[i], want, out.String())
		}
	}
	if strings.Contains(out.String(), "  –") {
		t.Errorf("something is not known:\n%s", out.String())
	}
	checkReport(t, file)
}

// checkReport looks whether the file has what the table has.
func checkReport(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Systems) != 2 || r.Systems[0].System != workman || len(r.Results) != 5 || len(r.Ratios) != 15 || len(r.Scenarios) != 3 || r.Machine.Cores < 1 || r.Time.IsZero() {
		t.Errorf("%s", text)
	}
	for _, result := range r.Results {
		if len(result.Rounds) != 2 || result.Rounds[1].ServerCPU <= 0 || result.Rounds[1].RSS < 1e6 {
			t.Errorf("%+v", result)
		}
	}
}

func TestSuiteGate(t *testing.T) {
	committed := writeGate(t, `{"ratios": {"s2": 0.01}}`)
	s := newTestSuite(t, "", "--scenario=s2", "--relay", "--rounds=1", "--gate="+committed)
	var out strings.Builder
	err := s.run(t.Context(), &out)
	if err == nil || !strings.Contains(err.Error(), "times the relay's CPU a task in s2: "+committed+" has 0.01, and 0.01 is allowed (1.5 times that)") {
		t.Errorf("the gate says %v", err)
	}
	if !strings.Contains(out.String(), "workman/relay") {
		t.Errorf("the table is missing: %q", out.String())
	}
}

func TestSuiteReportsWhatItHasBeforeAFault(t *testing.T) {
	s := newTestSuite(t, "corrupt", "--scenario=s1", "--relay", "--rounds=1")
	s.programs[0], s.programs[1] = s.programs[1], s.programs[0]
	var out strings.Builder
	err := s.run(t.Context(), &out)
	if err == nil || !strings.Contains(err.Error(), "s1 on workman, round 1 of 1") || !strings.Contains(err.Error(), "1 wrong") {
		t.Errorf("the suite says %v", err)
	}
	if !strings.Contains(out.String(), "s1        relay") {
		t.Errorf("the table is %q", out.String())
	}
}

func TestSuitePins(t *testing.T) {
	s := newTestSuite(t, "", "--scenario=s1", "--pin")
	before, err := allowedCores()
	if err != nil {
		t.Fatal(err)
	}
	defer pinSelf(before)
	targets, err := s.targets(t.Context(), s.scenarios[0])
	defer func() {
		for _, target := range targets {
			target.server.stop()
		}
	}()
	if err != nil {
		t.Fatal(err)
	}
	servers, own := placement(before, nil, true)
	if got, err := allowedCores(); err != nil || len(got) != len(own) || got[0] != own[0] {
		t.Errorf("the bench is on %v, not %v (%v)", got, own, err)
	}
	for _, target := range targets {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", target.pid))
		if want := fmt.Sprintf("\nCpus_allowed_list:\t%d\n", servers[0]); !strings.Contains(string(status), want) {
			t.Errorf("%s is not on core %d alone:\n%s", target.system, servers[0], status)
		}
	}
}

func TestServerThatEndsAtOnceIsExplained(t *testing.T) {
	p := &program{system: workman, path: "/bin/sh", clients: workmanClients{}, command: func(string, string) (args, env []string) {
		return []string{"-c", "echo no licence >&2; exit 7"}, nil
	}}
	_, err := p.start(t.Context(), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "exit status 7") || !strings.Contains(err.Error(), "no licence") {
		t.Errorf("starting it says %v", err)
	}
}

func TestServerThatDiesInARoundIsExplained(t *testing.T) {
	target := startTestRelay(t, "")
	timer := time.AfterFunc(150*time.Millisecond, func() { target.server.cmd.Process.Signal(syscall.SIGQUIT) })
	defer timer.Stop()
	_, err := runRound(t.Context(), mustFind(t, "s1"), target, 1, quick, "", silent())
	if err == nil || !strings.Contains(err.Error(), "the server has ended (exit status 2)") {
		t.Errorf("the round says %v", err)
	}
}

func TestServerEndsOnStop(t *testing.T) {
	target := startTestRelay(t, "")
	if err := target.server.stop(); err != nil {
		t.Error(err)
	}
	if _, err := readUsage(target.pid); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the server is still there: %v", err)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var kept tail
	for range 3 {
		kept.Write([]byte(strings.Repeat("a", tailSize/2)))
	}
	kept.Write([]byte("the end"))
	if s := kept.String(); len(s) != tailSize || !strings.HasSuffix(s, "athe end") {
		t.Errorf("%d bytes: …%q", len(s), s[max(0, len(s)-20):])
	}
}

func TestModuleRootIsThisCheckout(t *testing.T) {
	root, err := moduleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "bench", "program.go")); err != nil {
		t.Error(err)
	}
	t.Chdir(t.TempDir())
	if _, err := moduleRoot(t.Context()); !errors.Is(err, errNoCheckout) {
		t.Errorf("an empty folder: %v", err)
	}
}
