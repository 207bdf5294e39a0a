package conform

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Report is what was found.
type Report struct {
	Worker []string      `json:"worker"` // its command
	Way    Way           `json:"way"`    // by which it comes to its tasks
	Took   time.Duration `json:"-"`
	Checks []Line        `json:"checks"`
}

// Line is what came of one check.
type Line struct {
	Check    string   `json:"check"`
	Result   Result   `json:"result"`
	Seen     string   `json:"seen,omitempty"`
	Expected string   `json:"expected,omitempty"` // if it failed; and so below
	Section  string   `json:"section,omitempty"`  // where that is written
	Messages []string `json:"messages,omitempty"` // the last, as docs/protocol.md writes them
	Printed  string   `json:"printed,omitempty"`  // the last that the worker printed
}

func (l *Line) fail(seen string, c check, messages []string) {
	l.Result, l.Seen, l.Expected, l.Section, l.Messages = Failed, seen, c.expected, c.section, messages
}

// Good reports whether all was looked at and nothing failed.
func (r Report) Good() bool { return len(r.Checks) == len(checks(r.Way)) && r.count(Failed) == 0 }

func (r Report) count(of Result) (n int) {
	for _, l := range r.Checks {
		if l.Result == of {
			n++
		}
	}
	return n
}

// JSON is the report for programs.
func (r Report) JSON() ([]byte, error) {
	return json.MarshalIndent(struct {
		Good    bool    `json:"good"`
		Seconds float64 `json:"seconds"`
		Report
	}{r.Good(), r.Took.Seconds(), r}, "", "  ")
}

// Table is the report for people.
func (r Report) Table() string {
	var b strings.Builder
	for _, l := range r.Checks {
		seen, _, _ := strings.Cut(l.Seen, "\n")
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-16s %-9s  %s", l.Check, l.Result, seen), " ") + "\n")
	}
	for _, l := range r.Checks {
		if l.Result == Failed {
			b.WriteString("\n" + l.failure())
		}
	}
	b.WriteString("\n" + r.verdict() + "\n")
	return b.String()
}

// failure describes one.
func (l Line) failure() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n  seen      %s\n  expected  %s\n  see       %s\n", l.Check, l.Seen, l.Expected, l.Section)
	for _, part := range []struct {
		title string
		lines []string
	}{{"the last messages", l.Messages}, {"the worker printed", lastLines(l.Printed, shown)}} {
		if len(part.lines) > 0 {
			b.WriteString("  " + part.title + "\n    " + strings.Join(part.lines, "\n    ") + "\n")
		}
	}
	return b.String()
}

func lastLines(text string, n int) []string {
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	return lines[max(0, len(lines)-n):]
}

// verdict is the last line.
func (r Report) verdict() string {
	sums := fmt.Sprintf("%d ok, %d FAILED, %s, %d not tried, in %v", r.count(OK), r.count(Failed), counted(r.count(Hint), "hint"),
		r.count(NotTried), r.Took.Round(time.Second))
	switch {
	case r.Good():
		return fmt.Sprintf("the worker keeps to the protocol (%s): %s", r.Way, sums)
	case r.count(Failed) == 0:
		return "NOT CHECKED to the end: " + sums
	}
	return "the worker does NOT keep to the protocol: " + sums
}

// counted is a number of things, of which one has no s.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
