package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
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
	pid        int
	goroutines string // where the server tells them; empty if it does not
	client     http.Client
}

// newProbe makes a probe, and finds out what the server tells.
func newProbe(ctx context.Context, t *target) *probe {
	p := &probe{pid: t.pid, goroutines: "http://" + t.addr + "/debug/pprof/goroutine?debug=1"}
	p.client.Timeout = 5 * time.Second
	p.client.Transport = &http.Transport{DisableKeepAlives: true} // its connections must not be counted
	if n, err := p.askGoroutines(ctx); err != nil || n == 0 {
		p.goroutines = ""
	}
	return p
}

// read reads the vitals.
func (p *probe) read(ctx context.Context) (v vitals, err error) {
	if p.goroutines != "" {
		if v.Goroutines, err = p.askGoroutines(ctx); err != nil {
			return v, err
		}
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

// profileHead is how net/http/pprof begins its list of goroutines.
var profileHead = regexp.MustCompile(`^goroutine profile: total (\d+)\n`)

// askGoroutines asks the server how many goroutines it has. It is 0 if the
// server does not say.
func (p *probe) askGoroutines(ctx context.Context) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.goroutines, nil)
	if err != nil {
		return 0, err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("asking for the number of goroutines: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return 0, fmt.Errorf("asking for the number of goroutines: %w", err)
	}
	found := profileHead.FindSubmatch(text)
	if response.StatusCode != http.StatusOK || found == nil {
		return 0, nil
	}
	return strconv.Atoi(string(found[1]))
}
