package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the times in /proc/PID/stat: USER_HZ, which is 100 on
// every machine that Go runs on.
const tick = time.Second / 100

// usage is the CPU time a process has used so far, told by two clocks.
type usage struct {
	sched time.Duration // of its living threads, to the ns
	stat  time.Duration // of all it ever had, to the tick
}

// readUsage reads the usage of a running process from /proc.
func readUsage(pid int) (u usage, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, fmt.Errorf("reading the server's CPU time: %w", err)
	}
	if u.stat, err = parseStat(string(stat)); err != nil {
		return u, err
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return u, err
	}
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has just ended; stat knows
		}
		ran, err := parseSchedstat(string(text))
		if err != nil {
			return u, err
		}
		u.sched += ran
	}
	return u, nil
}

// since is what was used between two readings: the fine clock's, unless it
// misses more than the coarse one can be off (a thread has ended, or the
// kernel keeps no schedstat).
func (u usage) since(before usage) time.Duration {
	fine, coarse := u.sched-before.sched, u.stat-before.stat
	if fine < coarse-3*tick {
		return coarse
	}
	return fine
}

// parseStat is user and system time from the text of /proc/PID/stat: the 14th
// and 15th fields of proc(5). The second, the command, may hold anything, but
// is the only one that can hold a parenthesis.
func parseStat(text string) (time.Duration, error) {
	_, rest, ok := cutLast(text, ")")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0, fmt.Errorf("/proc/PID/stat is %.200q: too few fields", text)
	}
	user, err := strconv.ParseUint(fields[11], 10, 53)
	system, err2 := strconv.ParseUint(fields[12], 10, 53)
	if err := errors.Join(err, err2); err != nil {
		return 0, fmt.Errorf("/proc/PID/stat is %.200q: %w", text, err)
	}
	return time.Duration(user+system) * tick, nil
}

// parseSchedstat is the time on a core from the text of a thread's schedstat:
// its first number, in ns.
func parseSchedstat(text string) (time.Duration, error) {
	first, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	ns, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/PID/task/TID/schedstat is %.100q: %w", text, err)
	}
	return time.Duration(ns), nil
}

// readMachine is the time that all cores have been busy (with anything, the
// host's other guests included), and that there was, busy or idle.
func readMachine() (busy, all time.Duration, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, fmt.Errorf("reading how busy the machine is: %w", err)
	}
	return parseMachine(string(text))
}

// parseMachine reads the first line of /proc/stat: after "cpu" user, nice,
// system, idle, iowait, irq, softirq and steal, of all cores (proc(5)).
func parseMachine(text string) (busy, all time.Duration, err error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, 0, fmt.Errorf("/proc/stat begins %.100q, not with cpu and eight numbers", line)
	}
	for i, field := range fields[1:9] {
		n, err := strconv.ParseUint(field, 10, 53)
		if err != nil {
			return 0, 0, fmt.Errorf("/proc/stat begins %.100q: %w", line, err)
		}
		all += time.Duration(n) * tick
		if i != 3 && i != 4 { // idle, iowait
			busy += time.Duration(n) * tick
		}
	}
	return busy, all, nil
}

// readRSS is the memory that a process has resident, in bytes.
func readRSS(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the server's memory: %w", err)
	}
	return parseRSS(string(text))
}

// parseRSS is VmRSS from the text of /proc/PID/status, in bytes.
func parseRSS(text string) (int64, error) {
	for line := range strings.Lines(text) {
		value, ok := strings.CutPrefix(line, "VmRSS:")
		if !ok {
			continue
		}
		fields := strings.Fields(value)
		if len(fields) != 2 || fields[1] != "kB" {
			return 0, fmt.Errorf("/proc/PID/status says VmRSS is %q, not a number of kB", value)
		}
		kb, err := strconv.ParseInt(fields[0], 10, 53)
		return kb << 10, err
	}
	return 0, errors.New("/proc/PID/status has no VmRSS (has the process ended?)")
}

// cutLast cuts s around the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
