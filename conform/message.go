package conform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// message is the members of a JSON object, of either end.
type message map[string]json.RawMessage

// errNoObject is returned for a message that is none.
var errNoObject = errors.New("it is no JSON object")

func parse(text []byte) (message, error) {
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("it is not UTF-8")
	}
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoObject, err)
	}
	if m == nil {
		return nil, errNoObject
	}
	return m, nil
}

// text is a member that is a string; empty if there is none.
func (m message) text(member string) (s string) {
	_ = json.Unmarshal(m[member], &s) // then it stays empty, and shape has said so
	return s
}

// number is a member that is a whole number, or what it is without one.
func (m message) number(member string, without int) int {
	n := without
	if has(m[member]) && json.Unmarshal(m[member], &n) != nil {
		return without
	}
	return n
}

// has reports whether a member is there and not null.
func has(raw json.RawMessage) bool { return len(raw) > 0 && !bytes.Equal(raw, []byte("null")) }

// member is one that an action may have.
type member struct {
	name     string
	required bool
	hello    bool // counts only after Hello
	wrong    func(json.RawMessage) string
}

// action is what a worker may say.
type action struct {
	hello   bool // only after Hello
	members []member
}

// actions are all of docs/protocol.md.
var actions = map[string]action{
	"RegisterTask": {members: []member{{"name", true, false, wrongName}, {"concurrency", false, true, wrongCount(1)}}},
	"GetTask":      {members: []member{{"count", false, true, wrongCount(1)}}},
	"SendResult":   {members: []member{{"nonce", true, false, wrongText}, {"credit", false, true, wrongCount(0)}}},
	"Hello":        {members: []member{{"version", true, false, wrongVersion}, {"session", false, false, wrongText}}},
	"SendError": {hello: true, members: []member{{"nonce", true, true, wrongText}, {"error", true, true, wrongError},
		{"retry", false, true, wrongBool}, {"after", false, true, wrongDuration}, {"credit", false, true, wrongCount(0)}}},
	"Extend":   {hello: true, members: []member{{"nonce", true, true, wrongText}, {"for", true, true, wrongDuration}}},
	"Progress": {hello: true, members: []member{{"nonce", true, true, wrongText}, {"note", false, true, wrongText}}},
	"Drain":    {hello: true, members: []member{{"nonce", false, true, wrongText}, {"return", false, true, wrongBool}}},
}

// maxProgress is how many bytes value and note of Progress may have, as an object with the two.
const maxProgress = 1024

// shape says what is wrong with a message of a worker, and which check that concerns; nothing if it is as it should be.
func shape(m message, hello bool) (concerns, wrong string) {
	name := m.text("action")
	a, known := actions[name]
	if !known {
		return "messages", fmt.Sprintf("the action %s is none", m["action"])
	}
	if a.hello && !hello {
		return "messages", name + " without a Hello before it"
	}
	for _, member := range a.members {
		raw, concerns := m[member.name], "messages"
		if member.name == "count" || member.name == "credit" || member.name == "concurrency" {
			concerns = "credits"
		}
		switch {
		case !has(raw) && member.required:
			return concerns, fmt.Sprintf("%s has no %s", name, member.name)
		case !has(raw):
		case member.hello && !hello:
			return "messages", fmt.Sprintf("%s of %s counts only after a Hello", member.name, name)
		default:
			if wrong := member.wrong(raw); wrong != "" {
				return concerns, fmt.Sprintf("%s of %s is %.100s, which is %s", member.name, name, raw, wrong)
			}
		}
	}
	if name == "Progress" {
		return "progress", wrongProgress(m)
	}
	return "", ""
}

// wrongProgress looks at value and note together. They count as an object with the two.
func wrongProgress(m message) string {
	size := len("{}")
	for _, member := range []string{"value", "note"} {
		if m[member] != nil {
			size += len(member) + len(`"":,`) + len(m[member])
		}
	}
	switch {
	case size == len("{}"):
		return "Progress has neither value nor note"
	case size-1 > maxProgress:
		return fmt.Sprintf("value and note of Progress have %d bytes together, and %d is the most", size-1, maxProgress)
	}
	return ""
}

func wrongText(raw json.RawMessage) string {
	if raw[0] != '"' {
		return "no string"
	}
	return ""
}

func wrongBool(raw json.RawMessage) string {
	if s := string(raw); s != "true" && s != "false" {
		return "neither true nor false"
	}
	return ""
}

func wrongError(raw json.RawMessage) string {
	if raw[0] != '"' && raw[0] != '{' {
		return "neither a string nor an object with type, title and detail"
	}
	return ""
}

func wrongVersion(raw json.RawMessage) string {
	if string(raw) != "1" {
		return "not 1"
	}
	return ""
}

// maxCount is the most of count, credit and concurrency.
const maxCount = 65536

func wrongCount(least int) func(json.RawMessage) string {
	return func(raw json.RawMessage) string {
		if n, err := strconv.Atoi(string(raw)); err != nil || n < least || n > maxCount {
			return fmt.Sprintf("no whole number from %d to %d", least, maxCount)
		}
		return ""
	}
}

// maxName is the most bytes of a task's name.
const maxName = 128

func wrongName(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil || s == "" || len(s) > maxName {
		return fmt.Sprintf("no string of 1 to %d bytes", maxName)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }) {
		return "a string with control characters"
	}
	return ""
}

func wrongDuration(raw json.RawMessage) string {
	var seconds float64
	var text string
	if json.Unmarshal(raw, &seconds) == nil && seconds >= 0 {
		return ""
	}
	if json.Unmarshal(raw, &text) == nil {
		if d, err := time.ParseDuration(text); err == nil && d >= 0 {
			return ""
		}
		if n, err := strconv.ParseFloat(text, 64); err == nil && n >= 0 {
			return ""
		}
	}
	return `no duration, as "30s" or a number of seconds`
}
