package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

// soakServerDir is where the real server is built, once for all tests.
var soakServerDir string

var buildSoakServer = sync.OnceValues(func() (p *program, err error) {
	if soakServerDir, err = os.MkdirTemp("", "workman-soak-test-"); err != nil {
		return nil, err
	}
	p = workmanProgram()
	return p, p.build(context.Background(), soakServerDir)
})

// soakServer is the real server as a program.
func soakServer(t *testing.T) *program {
	t.Helper()
	p, err := buildSoakServer()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSoakOfTheRealServer(t *testing.T) {
	dir := t.TempDir()
	c := soakConfig{Duration: 2 * time.Second, Rate: 1500, SVG: filepath.Join(dir, "soak.svg"), JSON: filepath.Join(dir, "soak.json")}
	s := newSoak(c, soakServer(t), silent())
	var out strings.Builder
	if err := s.run(t.Context(), &out); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"before ", "quarter 1  to 0:0", "quarter 4  to 0:0", "after ", "ok    answers", "–     memory       too short",
		"ok    descriptors", "–     threads      too short", "What went on:", "Visits: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	checkSoakReport(t, c.JSON)
	checkPlot(t, c.SVG)
}

// checkSoakReport looks whether the file of --json is complete.
func checkSoakReport(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r soakReport
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if !r.Good || len(r.Samples) < 3 || len(r.Judgements) < 4 || r.Counts.Answered < 200 || r.Counts.Fired < 1 || r.Counts.Cancelled < 1 ||
		r.Before.FDs < 3 || r.After.FDs > r.Before.FDs+storeFiles || len(r.Visits) < 4 {
		t.Errorf("%.3000s", text)
	}
	last := r.Samples[len(r.Samples)-1]
	if last.RSS < 1e6 || last.Anonymous < 1e5 || last.Threads < 2 || last.FDs <= r.Before.FDs || last.Connections < 20 || last.P50 <= 0 ||
		last.P999 < last.P50 || last.ServerCPU <= 0 || last.BenchCPU <= 0 || last.Rate <= 0 {
		t.Errorf("%+v", last)
	}
}

// checkPlot looks whether the file is well-formed and shows every panel.
func checkPlot(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(strings.NewReader(string(text)))
	for err == nil {
		_, err = decoder.Token()
	}
	if !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	for _, want := range []string{"<svg", "tasks/s", "latency", "memory", "descriptors", "threads", "CPU", "p99.9", "fitted"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the plot has no %q", want)
		}
	}
	if lines := strings.Count(string(text), "<path"); lines < 30 {
		t.Errorf("the plot has only %d paths", lines)
	}
}

func TestSoakDrivesAServerThatRuns(t *testing.T) {
	target, err := soakServer(t).start(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer target.server.stop()
	s := newSoak(soakConfig{Duration: time.Second, Rate: 500, Addr: target.addr, PID: target.pid}, nil, silent())
	var out strings.Builder
	if err := s.run(t.Context(), &out); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	if _, err := readUsage(target.pid); err != nil {
		t.Errorf("the server was not left running: %v", err)
	}
}

func TestSoakFindsAServerThatDies(t *testing.T) {
	s := newSoak(soakConfig{Duration: time.Minute, Rate: 500}, soakServer(t), silent())
	stop, err := s.begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	timer := time.AfterFunc(1500*time.Millisecond, func() { s.target.server.cmd.Process.Kill() })
	defer timer.Stop()
	if err := s.target.server.explain(s.soak(t.Context())); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the soak says %v", err)
	}
}

func TestSoakThatIsInterruptedReportsWhatItSaw(t *testing.T) {
	target, err := soakServer(t).start(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer target.server.stop()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	timer := time.AfterFunc(3500*time.Millisecond, interrupt)
	defer timer.Stop()
	s := newSoak(soakConfig{Duration: time.Hour, Rate: 500, Addr: target.addr, PID: target.pid}, nil, silent())
	var out strings.Builder
	if err := s.run(ctx, &out); !errors.Is(err, errInterrupted) || errors.Is(err, errSoak) || !strings.Contains(out.String(), "ok    answers") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// TestSoakFindsPlantedFaults puts a proxy before the real server that makes it
// wrong, or makes it leak.
func TestSoakFindsPlantedFaults(t *testing.T) {
	server := soakServer(t)
	for fault, want := range map[string]string{
		"flip": "answers: the server did wrong: 1 wrong",
		"keep": "descriptors: the server had",
	} {
		target, err := server.start(t.Context(), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		proxy := startFaultyProxy(t, target.addr, fault)
		s := newSoak(soakConfig{Duration: time.Second, Rate: 500, Addr: proxy, PID: target.pid}, nil, silent())
		s.finish, s.settles = 3*time.Second, 200*time.Millisecond
		if err := s.run(t.Context(), io.Discard); !errors.Is(err, errSoak) || !strings.Contains(err.Error(), want) {
			t.Errorf("with the fault %q the soak says: %v", fault, err)
		}
		target.server.stop()
	}
}

// startFaultyProxy listens for clients of the server at addr. With the fault
// "flip" it changes one byte of the 20th result, with "keep" it holds every
// connection to the server open when the client has gone.
func startFaultyProxy(t *testing.T, addr, fault string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var results atomic.Int32
	var kept sync.Map
	t.Cleanup(func() {
		l.Close()
		kept.Range(func(conn, _ any) bool { conn.(net.Conn).Close(); return true })
	})
	relay := func(near net.Conn) {
		far, err := net.Dial("tcp", addr)
		if err != nil {
			near.Close()
			return
		}
		kept.Store(far, nil)
		go func() {
			defer near.Close()
			for b := make([]byte, 64<<10); ; {
				n, err := far.Read(b)
				if i := bytes.Index(b[:n], []byte(`"crc":`)); i >= 0 && i+6 < n && fault == "flip" && results.Add(1) == 20 {
					b[i+6] ^= 1
				}
				if _, failed := near.Write(b[:n]); failed != nil || err != nil {
					return
				}
			}
		}()
		io.Copy(far, near)
		if fault != "keep" {
			far.Close()
		}
	}
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go relay(near)
		}
	}()
	return l.Addr().String()
}

func TestSoakFlagsAreChecked(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"--duration 10ms", "--duration is 10ms"},
		{"--rate 1", "--rate is 1: give 100"},
		{"--rate NaN", "--rate is NaN"},
		{"--addr 127.0.0.1:1", "--addr and --pid go together"},
		{"--pid 7", "--addr and --pid go together"},
		{"--addr here --pid 7", "give host:port"},
		{"", ""},
	} {
		var c commands
		p, err := kong.New(&c, options()...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Parse(append([]string{"soak"}, strings.Fields(test.args)...)); err != nil {
			t.Fatal(err)
		}
		err = c.Soak.validate()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, not %q", test.args, err, test.want)
		}
	}
}

func TestFlagsWithoutACommandMeasure(t *testing.T) {
	for _, args := range []string{"", "--scenario s2 --relay --gate-factor 2", "measure --scenario s2 --relay --gate-factor 2", "soak"} {
		var c commands
		p, err := kong.New(&c, options()...)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Parse(strings.Fields(args))
		if err != nil {
			t.Fatalf("%s: %v", args, err)
		}
		if got.Command() != map[bool]string{true: "soak", false: "measure"}[args == "soak"] {
			t.Errorf("%q chooses %q", args, got.Command())
		}
		if strings.Contains(args, "s2") && (len(c.Measure.Scenario) != 1 || !c.Measure.Relay || c.Measure.GateFactor != 2) {
			t.Errorf("%q: %+v", args, c.Measure)
		}
	}
}

func TestSoakProbeReadsGoroutines(t *testing.T) {
	own := &target{pid: os.Getpid(), server: &server{}}
	v, err := newProbe(own).read()
	if err != nil || v.Goroutines != 0 || v.RSS < 1e6 || v.Anonymous < 1e5 || v.FDs < 3 || v.Threads < 2 {
		t.Errorf("before the server tells: %+v, %v", v, err)
	}
	io.WriteString(&own.server.said, "level=INFO msg=statistics finished=1 goroutines=16\n")
	io.WriteString(&own.server.said, "level=INFO msg=statistics finished=2 goroutines=17 panics=0\n")
	if v, err = newProbe(own).read(); err != nil || v.Goroutines != 17 {
		t.Errorf("after: %+v, %v", v, err)
	}
	own.server = nil
	if v, err = newProbe(own).read(); err != nil || v.Goroutines != 0 {
		t.Errorf("of a server that the bench did not start: %+v, %v", v, err)
	}
}

func TestSoakNoticesAlarmsInTheLog(t *testing.T) {
	var said tail
	io.WriteString(&said, "level=INFO msg=statistics finished=1 panics=0\n")
	io.WriteString(&said, "level=ERROR msg=bad\n")
	io.WriteString(&said, "panic: worse\n")
	io.WriteString(&said, "level=INFO msg=statistics finished=1 panics=10\n")
	if n, first := said.alarms(); n != 3 || first != "level=ERROR msg=bad\n" {
		t.Errorf("%d, the first %q", n, first)
	}
}

func TestSoakReadsStatus(t *testing.T) {
	const text = "Name:\tx\nVmRSS:\t   12 kB\nThreads:\t7\nRssAnon:\tx kB\n"
	for name, want := range map[string]int64{"VmRSS": 12, "Threads": 7, "RssAnon": 0, "RssFile": 0} {
		if got, err := statusField(text, name); got != want || (err == nil) != (want > 0) {
			t.Errorf("%s is %d, %v", name, got, err)
		}
	}
}
