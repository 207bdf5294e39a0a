package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tellTimeout is how long a server may take to tell its footprint.
const tellTimeout = 2 * time.Second

// runtimeLine is what workman and the relay log on SIGUSR1.
var runtimeLine = regexp.MustCompile(`(?m)\bmsg=runtime mallocs=.*$`)

// footprint is what a server's runtime has used.
type footprint struct {
	mallocs int64 // since it started
	bytes   int64 // of these
	held    int64 // heap and stacks in use now, in bytes
}

// footprint asks the server for it. known is false if it does not tell: only
// processes that the bench has started do, and not all of them.
func (t *target) footprint(ctx context.Context) (f footprint, known bool, err error) {
	if t.server == nil || !t.tells {
		return f, false, nil
	}
	before, _ := t.server.said.runtime()
	if err := t.server.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return f, false, fmt.Errorf("asking %s for its footprint: %w", t.system, err)
	}
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		if n, line := t.server.said.runtime(); n > before {
			f, err = parseFootprint(line)
			return f, err == nil, err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return f, false, nil // it logs otherwise, as WORKMAN_LOG_FORMAT and WORKMAN_LOG_LEVEL can make it
		}
	}
}

// parseFootprint reads the line of a log.
func parseFootprint(line string) (f footprint, err error) {
	fields := map[string]int64{"mallocs": -1, "allocated_bytes": -1, "heap_bytes": -1, "stack_bytes": -1}
	for _, field := range strings.Fields(line) {
		name, value, _ := strings.Cut(field, "=")
		if _, wanted := fields[name]; !wanted {
			continue
		}
		if fields[name], err = strconv.ParseInt(value, 10, 64); err != nil {
			return f, fmt.Errorf("the server's log has %.300q: %w", line, err)
		}
	}
	for name, value := range fields {
		if value < 0 {
			return f, fmt.Errorf("the server's log has %.300q, without %s", line, name)
		}
	}
	return footprint{fields["mallocs"], fields["allocated_bytes"], fields["heap_bytes"] + fields["stack_bytes"]}, nil
}

// runtime is how often the server told its footprint, and the last line.
func (t *tail) runtime() (n int, line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.told, t.line
}
