package console

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-json"

	"workman/dispatch"
	"workman/protocol"
	"workman/schedule"
)

// mostRule is how many bytes the document of a schedule may have.
const mostRule = 1 << 20

// saidRule is a schedule as a request has it.
type saidRule struct {
	rule   dispatch.StoredRule
	paused bool // whether it is paused was said
	check  func(url string) error
}

// membersOfRule read the members of the document, in the order in which they are named to people.
var membersOfRule = []struct {
	name string
	read func(s *saidRule, raw []byte) error
}{
	{"cron", (*saidRule).readCron},
	{"zone", (*saidRule).readZone},
	{"task", (*saidRule).readTask},
	{"options", (*saidRule).readOptions},
	{"overlap", func(s *saidRule, raw []byte) error { return readWay(raw, dispatch.OverlapNames[:], &s.rule.Overlap) }},
	{"catchup", func(s *saidRule, raw []byte) error { return readWay(raw, dispatch.CatchUpNames[:], &s.rule.CatchUp) }},
	{"paused", (*saidRule).readPaused},
	{"terms", (*saidRule).readTerms},
}

// readRule reads the document of a schedule. What is wrong with it is for its sender to read: which member, its value, and
// what may be there.
func (cfg *Config) readRule(name string, text []byte) (*saidRule, error) {
	at, err := protocol.ValidJSON(text)
	if err != nil {
		return nil, fmt.Errorf("the body is %w", err)
	}
	object := at.Of(text)
	if object[0] != '{' {
		return nil, fmt.Errorf("the body is %.40q; want an object like {\"cron\":\"0 3 * * *\",\"task\":\"report\"}", text)
	}
	all := map[string][]byte{}
	for key, value := range protocol.EachMember(object) {
		name, _ := protocol.AppendUnescaped(nil, key)
		if all[string(name)] != nil {
			return nil, fmt.Errorf("%.40q is given twice", name)
		}
		all[string(name)] = value
	}
	s := &saidRule{check: cfg.CheckCallback}
	s.rule.Name, s.rule.Zone = []byte(name), []byte("UTC")
	s.rule.Overlap, s.rule.CatchUp = dispatch.OverlapAllow, dispatch.CatchUpOne
	for _, m := range membersOfRule {
		raw, ok := all[m.name]
		delete(all, m.name)
		if !ok || string(raw) == "null" && m.name != "options" {
			continue
		}
		if err := m.read(s, raw); err != nil {
			return nil, fmt.Errorf("%s %w", m.name, err)
		}
	}
	return s, s.isWhole(all)
}

// isWhole sees that what must be there is, and nothing else is. rest is what was not read.
func (s *saidRule) isWhole(rest map[string][]byte) error {
	names := []string{}
	for name := range rest {
		names = append(names, name)
	}
	slices.Sort(names)
	switch {
	case len(names) > 0:
		known := []string{}
		for _, m := range membersOfRule {
			known = append(known, m.name)
		}
		return fmt.Errorf("%.40q is no member of a schedule; there are %s", names[0], strings.Join(known, ", "))
	case s.rule.Cron == nil:
		return errors.New(`cron is missing: say when it is to run, like "0 3 * * *" or "@every 90s"`)
	case s.rule.Task == nil:
		return errors.New("task is missing: say what is to run, by the name that workers register")
	}
	return nil
}

// readText reads a string.
func readText(raw []byte) (text string, err error) {
	if raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return "", fmt.Errorf("is %.40s, and must be a string", raw)
	}
	return text, nil
}

func (s *saidRule) readCron(raw []byte) error {
	text, err := readText(raw)
	if err != nil {
		return err
	}
	s.rule.Cron = []byte(text)
	if _, err := schedule.ParseCron(text); err != nil {
		return fmt.Errorf("is %.80q: %w", text, err)
	}
	return nil
}

func (s *saidRule) readZone(raw []byte) error {
	text, err := readText(raw)
	if err != nil {
		return err
	}
	s.rule.Zone = []byte(text)
	if _, err := time.LoadLocation(text); err != nil || !isZoneName(text) {
		return fmt.Errorf("is %.80q, and must be the name of a time zone as in the IANA database, like Europe/Helsinki or UTC", text)
	}
	return nil
}

// isZoneName leaves out what can be loaded on some machines, and is no name of the IANA database: on others the schedule would
// never run.
func isZoneName(text string) bool {
	switch first, _, _ := strings.Cut(text, "/"); first {
	case "", "Local", "localtime", "posixrules", "posix", "right":
		return false
	}
	return path.Clean(text) == text
}

func (s *saidRule) readTask(raw []byte) error {
	text, err := readText(raw)
	if err != nil {
		return err
	}
	s.rule.Task = []byte(text)
	if err := protocol.CheckName(s.rule.Task); err != nil {
		return fmt.Errorf("is %.140q: %w", text, err)
	}
	return nil
}

func (s *saidRule) readOptions(raw []byte) error {
	s.rule.Body = raw
	return nil
}

// readWay reads one of several names, as its place among them.
func readWay[T ~uint8](raw []byte, names []string, to *T) error {
	text, err := readText(raw)
	if err != nil {
		return err
	}
	i := slices.Index(names, text)
	if i < 0 {
		return fmt.Errorf("is %.40q, and must be one of %s", text, strings.Join(names, ", "))
	}
	*to = T(i)
	return nil
}

func (s *saidRule) readPaused(raw []byte) error {
	s.paused, s.rule.Paused = true, string(raw) == "true"
	if !s.rule.Paused && string(raw) != "false" {
		return fmt.Errorf("is %.40s, and must be true or false", raw)
	}
	return nil
}

// mostLabels is how many labels the terms may have: one more is the schedule's own.
const mostLabels = dispatch.MaxLabels - 1

func (s *saidRule) readTerms(raw []byte) error {
	t, err := protocol.ReadTerms(raw, protocol.RuleTerms, s.check)
	switch {
	case err != nil:
		return fmt.Errorf("are wrong: %w", err)
	case strings.Count(string(t.Labels), "\n") > mostLabels:
		return fmt.Errorf("have more than %d labels, which is the most: its runs have one more, schedule, with its name", mostLabels)
	case hasLabel(t.Labels, "schedule"):
		return errors.New("have a label schedule, which its runs have anyway, with its name: choose another name")
	}
	s.rule.Terms = t.Append(nil)
	return nil
}

func hasLabel(lines []byte, name string) bool {
	return strings.HasPrefix(string(lines), name+":") || strings.Contains(string(lines), "\n"+name+":")
}
