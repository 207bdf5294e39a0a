package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// vitals are what the system tells of a process.
type vitals struct {
	RSS        int64 `json:"rss_bytes"`
	Anonymous  int64 `json:"anonymous_bytes"` // of it, heap and stacks: no mapped files
	FDs        int   `json:"descriptors"`
	Threads    int   `json:"threads"`
	Goroutines int   `json:"goroutines,omitempty"` // 0: the server does not tell
}

// probe looks at a server process.
type probe struct {
	pid  int
	said *tail // what the server logs; nil if the bench did not start it
}

func newProbe(t *target) *probe {
	p := &probe{pid: t.pid}
	if t.server != nil {
		p.said = &t.server.said
	}
	return p
}

// read reads the vitals.
func (p *probe) read() (v vitals, err error) {
	if p.said != nil {
		v.Goroutines = p.said.goroutines()
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return v, fmt.Errorf("looking at the server: %w", err)
	}
	rss, err := statusField(string(status), "VmRSS")
	anonymous, err2 := statusField(string(status), "RssAnon")
	threads, err3 := statusField(string(status), "Threads")
	descriptors, err4 := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.pid))
	v.RSS, v.Anonymous, v.Threads, v.FDs = rss<<10, anonymous<<10, int(threads), len(descriptors)
	return v, errors.Join(err, err2, err3, err4)
}

// statusField is a number from the text of /proc/PID/status; sizes are in KiB.
func statusField(text, name string) (int64, error) {
	for line := range strings.Lines(text) {
		value, ok := strings.CutPrefix(line, name+":")
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 53)
		if err != nil {
			return 0, fmt.Errorf("/proc/PID/status says %s is %q: %w", name, value, err)
		}
		return n, nil
	}
	return 0, fmt.Errorf("/proc/PID/status has no %s (has the process ended?)", name)
}

// tellsGoroutines is how workman's line of statistics tells them, every ten
// seconds.
var tellsGoroutines = regexp.MustCompile(`\bgoroutines"?[=:](\d+)`)

// goroutines is what the log said of them last, 0 if nothing.
func (t *tail) goroutines() int {
	all := tellsGoroutines.FindAllStringSubmatch(t.String(), -1)
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(all[len(all)-1][1]) // digits
	return n
}
