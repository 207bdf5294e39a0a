package console

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"workman/dispatch"
	"workman/protocol"
)

// filter is which runs a request is about. Its zero value is all of them.
type filter struct {
	task     []byte
	key      []byte
	labels   [][]byte // each as key:value
	state    dispatch.RunState
	finished bool  // only finished ones
	after    int64 // milliseconds of Unix time: asked for then or later
	before   int64 // and before that
	cursor   []byte
	limit    int
	dry      bool
}

// parameter reads one parameter of a filter.
type parameter func(f *filter, text string) error

// Parameters are refused if they are not known: one that is misspelt would make a request be about more runs than meant.
var (
	choosing = map[string]parameter{
		"task": (*filter).setTask, "state": (*filter).setState, "key": (*filter).setKey, "label": (*filter).addLabel,
		"after": (*filter).setAfter, "before": (*filter).setBefore, "cursor": (*filter).setCursor,
	}
	paging = map[string]parameter{"cursor": (*filter).setCursor, "limit": (*filter).setLimit}
	byName = map[string]parameter{"cursor": (*filter).setLastName, "limit": (*filter).setLimit}
)

// readFilter reads a query, whose parameters must be among those known. What is wrong with it is for its sender to read.
func readFilter(raw string, known ...map[string]parameter) (f filter, query url.Values, err error) {
	f.limit = usualPage
	if query, err = url.ParseQuery(raw); err != nil {
		return f, nil, fmt.Errorf("the query cannot be read: %w", err)
	}
	names := []string{}
	for _, k := range known {
		for name := range k {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for name, values := range query {
		set := parameter(nil)
		for _, k := range known {
			if k[name] != nil {
				set = k[name]
			}
		}
		if set == nil {
			return f, nil, fmt.Errorf("%.40q is no parameter of this request; there are %s", name, strings.Join(slices.Compact(names), ", "))
		}
		if len(values) > 1 && name != "label" {
			return f, nil, fmt.Errorf("%s is given %d times, and may be given once", name, len(values))
		}
		for _, text := range values {
			if err := set(&f, text); err != nil {
				return f, nil, err
			}
		}
	}
	return f, query, nil
}

func (f *filter) setTask(text string) error {
	if text == "" || len(text) > 128 || strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 }) {
		return fmt.Errorf("task is %.140q, and must be a task's name: 1 to 128 bytes, without control characters", text)
	}
	f.task = []byte(text)
	return nil
}

func (f *filter) setState(text string) error {
	if f.state = dispatch.ParseState(text); f.state == 0 {
		names := []string{}
		for s := dispatch.Waiting; s <= dispatch.Expired; s++ {
			names = append(names, s.String())
		}
		return fmt.Errorf("state is %.40q, and must be one of %s", text, strings.Join(names, ", "))
	}
	return nil
}

func (f *filter) setKey(text string) error {
	if text == "" {
		return fmt.Errorf("key is empty, and must be an idempotency key")
	}
	f.key = []byte(text)
	return nil
}

func (f *filter) addLabel(text string) error {
	if i := strings.IndexByte(text, ':'); i < 1 || strings.Contains(text, "\n") {
		return fmt.Errorf("label is %.40q, and must be a name, a colon and a value", text)
	}
	f.labels = append(f.labels, []byte(text))
	return nil
}

func (f *filter) setAfter(text string) (err error) {
	f.after, err = moment("after", text)
	return err
}

func (f *filter) setBefore(text string) (err error) {
	f.before, err = moment("before", text)
	return err
}

func moment(name, text string) (int64, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || at.UnixMilli() <= 0 {
		return 0, fmt.Errorf("%s is %.40q, and must be a time since 1970 as in RFC 3339, like 2026-11-25T12:00:00Z", name, text)
	}
	return at.UnixMilli(), nil
}

func (f *filter) setCursor(text string) (err error) {
	if f.cursor, err = hex.DecodeString(text); err != nil || len(f.cursor) < 2 || len(f.cursor) > 1+mostOrder {
		return badCursor(text)
	}
	return nil
}

// setLastName reads the cursor of a list that is in the order of names: the last one of the page before.
func (f *filter) setLastName(text string) error {
	if f.cursor = []byte(text); protocol.CheckName(f.cursor) != nil {
		return badCursor(text)
	}
	return nil
}

func badCursor(text string) error {
	return fmt.Errorf("cursor is %.80q, and must be one that came with a page before, in next", text)
}

func (f *filter) setLimit(text string) error {
	n, err := number(url.Values{"limit": {text}}, "limit", 0, mostPage)
	if err != nil || n == 0 {
		return fmt.Errorf("limit is %.40q, and must be a number from 1 to %d", text, mostPage)
	}
	f.limit = int(n)
	return nil
}

func (f *filter) setDry(text string) error {
	switch text {
	case "1", "true":
		f.dry = true
	case "0", "false":
		f.dry = false
	default:
		return fmt.Errorf("dry_run is %.40q, and must be 1 or 0", text)
	}
	return nil
}

// wants tells whether a run is asked for, as far as is known without its state. When it was asked for is told by its id.
func (f *filter) wants(id dispatch.ID, r *dispatch.StoredRun) bool {
	at := int64(id.Stamp() >> 12)
	switch {
	case f.after != 0 && at < f.after, f.before != 0 && at >= f.before:
		return false
	case f.task != nil && !bytes.Equal(f.task, r.Name), f.key != nil && !bytes.Equal(f.key, r.Key):
		return false
	}
	for _, label := range f.labels {
		if !hasLine(r.Labels, label) {
			return false
		}
	}
	return true
}

// wantsState tells whether a run of that state is asked for.
func (f *filter) wantsState(s dispatch.RunState) bool {
	return (f.state == 0 || f.state == s) && (!f.finished || s.Finished())
}

func hasLine(lines, want []byte) bool {
	for line := range bytes.Lines(lines) {
		if bytes.Equal(bytes.TrimSuffix(line, []byte("\n")), want) {
			return true
		}
	}
	return false
}
