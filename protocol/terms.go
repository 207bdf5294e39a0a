package protocol

import (
	"bytes"
	"net/http"
	"strings"

	"workman/dispatch"
)

// asked is what a request says of its run, while it is read.
type asked struct {
	dispatch.Terms
	said  bool     // anything at all
	async bool     // it is to be answered once it is stored
	wait  int64    // milliseconds that it may take for a result; -1 was not said
	seen  Field    // terms that came as query parameters
	odd   *refusal // what came as one, and is none

	texts  []byte // what the slices of Terms are parts of
	labels []byte
}

// reset makes it say nothing. It keeps its buffers.
func (a *asked) reset() {
	*a = asked{Terms: dispatch.NewTerms(), wait: -1, texts: a.texts[:0], labels: a.labels[:0]}
	if cap(a.texts) > 64<<10 {
		a.texts = nil
	}
}

// settle says what all that was said comes to.
func (a *asked) settle(kind dispatch.Kind) {
	a.Labels = a.labels
	switch {
	case kind == dispatch.ScheduleTask: // always a run, and answered with its id
		a.Promise, a.Reply = true, dispatch.ReplyID
	case a.wait > 0:
		a.Promise, a.Wait = true, a.wait
	case a.async || a.wait == 0:
		a.Promise, a.Reply = true, dispatch.ReplyAccepted
	}
}

// Kinds of JSON values that a term may be over WebSocket.
const (
	jsonText = 1 << iota
	jsonNumber
	jsonBool
	jsonObject
)

// term is one thing that a request may say of its run.
type term struct {
	name    string
	query   bool // it is a parameter over HTTP; the others are header fields there, or mean nothing
	promise bool // what says it is a run, not a call
	json    uint8
	want    string // what its value may be, for people
	set     func(a *asked, value []byte) bool
}

const wantDuration = "a duration such as 30s, 1.5h or 2m30s, or a number of seconds, of 10 years at most"

// terms are all of them, in the order of their fields: the first is HasKey.
var terms = [...]term{
	{"key", false, true, jsonText, "1 to 255 bytes of UTF-8 without control characters", (*asked).setKey},
	{"durable", false, false, jsonBool, "true or false", func(a *asked, v []byte) bool { a.async = v[0] == 't'; return true }},
	{"wait", false, false, jsonText | jsonNumber, wantDuration, func(a *asked, v []byte) bool { return parseDuration(v, &a.wait) }},
	{"priority", true, false, jsonNumber, "a whole number from 0 to 9, 9 first",
		func(a *asked, v []byte) bool { return parseCount(v, 0, 9, &a.Priority) }},
	{"deadline", true, false, jsonText, "a time such as 2027-01-31T12:00:00Z", (*asked).setDeadline},
	{"ttl", true, false, jsonText | jsonNumber, wantDuration, func(a *asked, v []byte) bool { return parseDuration(v, &a.TTL) }},
	{"attempts", true, true, jsonNumber, "a whole number from 1 to 100",
		func(a *asked, v []byte) bool { return parseCount(v, 1, dispatch.MaxAttempts, &a.Attempts) }},
	{"backoff", true, true, jsonText | jsonNumber, wantDuration, func(a *asked, v []byte) bool { return parseDuration(v, &a.Backoff) }},
	{"backoff_max", true, true, jsonText | jsonNumber, wantDuration,
		func(a *asked, v []byte) bool { return parseDuration(v, &a.BackoffMax) }},
	{"timeout", true, true, jsonText | jsonNumber, wantDuration, func(a *asked, v []byte) bool { return parseDuration(v, &a.Timeout) }},
	{"keep", true, true, jsonText | jsonNumber, wantDuration, func(a *asked, v []byte) bool { return parseDuration(v, &a.Keep) }},
	{"labels", false, true, jsonObject, wantLabels, (*asked).setLabels},
	{"callback", true, true, jsonText, "an http or https URL", func(a *asked, v []byte) bool { a.Callback = v; return true }},
	{"traceparent", false, false, jsonText, "a traceparent", func(a *asked, v []byte) bool { a.setTrace(v); return true }},
	{"unstaffed", true, false, jsonText, `"refuse", or "wait" as usual`, (*asked).setUnstaffed},
}

// wrong is what is wrong with a value.
func (t *term) wrong(value []byte) *refusal {
	if t.name == "key" {
		return wrongKey(value)
	}
	return wrongTerm(quoteCapped(value) + " is no value for " + t.name + ": want " + t.want)
}

func wrongTerm(detail string) *refusal {
	return &refusal{status: http.StatusUnprocessableEntity, typ: ProblemBadTerm, detail: detail}
}

func wrongKey(value []byte) *refusal {
	return &refusal{status: http.StatusBadRequest, typ: ProblemBadKey,
		detail: quoteCapped(value) + " is no idempotency key: want " + terms[0].want + ", bare or as a quoted string"}
}

// take notes one term.
func (a *asked) take(t *term, value []byte) *refusal {
	if !t.set(a, value) {
		return t.wrong(value)
	}
	a.said = true
	a.Promise = a.Promise || t.promise
	return nil
}

func (a *asked) setKey(v []byte) bool {
	a.Key = v
	return isKey(v)
}

func (a *asked) setDeadline(v []byte) bool {
	at, err := ParseWhen(v)
	a.Deadline = max(at, 1) // 0 would be none
	return err == nil
}

func (a *asked) setUnstaffed(v []byte) bool {
	a.Staffed = string(v) == "refuse"
	return a.Staffed || string(v) == "wait"
}

// setTrace notes a traceparent. One that is none is ignored, as the standard asks.
func (a *asked) setTrace(v []byte) bool {
	if n := traceLen(v); n > 0 {
		a.Traceparent = v[:n]
	}
	return a.Traceparent != nil
}

// Bounds of a label, in bytes.
const (
	maxLabel      = 64
	maxLabelValue = 256
)

const wantLabels = "at most 16 different names of 1 to 64 bytes without a colon, each with a text of at most 256, all without control characters"

// setLabels takes a JSON object of texts apart.
func (a *asked) setLabels(raw []byte) bool {
	for i := skipWhite(raw, 1); raw[i] != '}'; {
		end, _ := scanText(raw, i+1)
		key := raw[i+1 : end-1]
		i, _ = scanKey(raw, i)
		if i = skipWhite(raw, i); raw[i] != '"' {
			return false
		}
		end, _ = scanText(raw, i+1)
		if !a.addEscapedLabel(key, raw[i+1:end-1]) {
			return false
		}
		if i = skipWhite(raw, end); raw[i] == ',' {
			i = skipWhite(raw, i+1)
		}
	}
	return true
}

// addEscapedLabel is addLabel for the contents of two JSON strings.
func (a *asked) addEscapedLabel(key, value []byte) bool {
	start := len(a.texts)
	var ok, ok2 bool
	a.texts, ok = AppendUnescaped(a.texts, key)
	middle := len(a.texts)
	a.texts, ok2 = AppendUnescaped(a.texts, value)
	return ok && ok2 && a.addLabel(a.texts[start:middle], a.texts[middle:])
}

// addLabel adds a line to the labels, unless it cannot be one.
func (a *asked) addLabel(key, value []byte) bool {
	if len(key) == 0 || len(key) > maxLabel || len(value) > maxLabelValue || !isText8(key) || !isText8(value) ||
		bytes.IndexByte(key, ':') >= 0 {
		return false
	}
	n := 0
	for line := range bytes.Lines(a.labels) {
		if n++; bytes.HasPrefix(line, key) && line[len(key)] == ':' {
			return false
		}
	}
	a.labels = append(append(append(append(a.labels, key...), ':'), value...), '\n')
	return n < dispatch.MaxLabels
}

// queryTerms are the names of what may stand in a query, for people.
var queryTerms = func() string {
	var names []string
	for i := range terms {
		if terms[i].query {
			names = append(names, terms[i].name)
		}
	}
	return strings.Join(append(names, "label"), ", ")
}()
