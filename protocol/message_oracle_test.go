package protocol_test

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"workman/dispatch"
	"workman/protocol"
)

// An expectation is what a message must decode to, found by jsontext and code points, without sharing a line with the
// decoder.
type expectation struct {
	kind   string // "", or which error: JSONError, NotObject, FieldError
	raw    map[string]dispatch.Span
	text   map[string]string // of the strings among them; in UTF-8 with lone surrogates replaced
	action protocol.Action
}

var actionNames = []string{"GetTasks", "RunTask", "ScheduleTask", "UnscheduleTask", "RegisterTask", "GetTask", "SendResult",
	"GetRun", "CancelRun", "RetryRun", "Hello", "SendError", "Extend", "Progress", "Drain", "RunTasks"}

var knownKeys = []string{"action", "name", "options", "nonce", "result", "when", "id",
	"key", "durable", "wait", "priority", "deadline", "ttl", "attempts", "backoff", "backoff_max", "timeout", "keep", "labels",
	"callback", "traceparent", "unstaffed", "version", "error", "retry", "after",
	"session", "count", "credit", "concurrency", "for", "value", "note", "return"}

// textKeys are those whose values must be strings.
var textKeys = []string{"action", "name", "when", "id"}

func expectMessage(t testing.TB, src []byte) (e expectation) {
	fixed := replaceLoneSurrogates(src)
	object := bytes.HasPrefix(bytes.TrimLeft(src, " \t\r\n"), []byte("{"))
	switch {
	case !isJSON(fixed), object && depthOf(t, fixed) > protocol.MaxDepth+1, !object && depthOf(t, fixed) > protocol.MaxDepth:
		return expectation{kind: "JSONError"}
	case !object:
		return expectation{kind: "NotObject"}
	}
	e.raw, e.text = map[string]dispatch.Span{}, map[string]string{}
	dec := jsontext.NewDecoder(bytes.NewReader(fixed), jsontext.AllowDuplicateNames(true))
	if _, err := dec.ReadToken(); err != nil {
		t.Fatal(err)
	}
	next := func() dispatch.Span {
		v, err := dec.ReadValue()
		if err != nil {
			t.Fatal(err)
		}
		return dispatch.Span{Off: uint32(dec.InputOffset()) - uint32(len(v)), Len: uint32(len(v))}
	}
	var unknown [][]uint16
	for dec.PeekKind() == '"' {
		units := unitsOf(t, next().Of(src))
		value := next()
		key := string(utf16.Decode(units))
		if !slices.Contains(knownKeys, key) {
			if slices.ContainsFunc(unknown, func(u []uint16) bool { return slices.Equal(u, units) }) {
				e.kind = "FieldError"
			}
			unknown = append(unknown, units)
			continue
		}
		if _, twice := e.raw[key]; twice {
			e.kind = "FieldError"
			continue
		}
		e.raw[key] = value
		e.take(t, key, value.Of(src))
	}
	if len(unknown) > protocol.MaxUnknownKeys {
		e.kind = "FieldError"
	}
	return e
}

// take looks at the value of a known key.
func (e *expectation) take(t testing.TB, key string, raw []byte) {
	isText := slices.Contains(textKeys, key)
	if raw[0] != '"' {
		if isText {
			e.kind = "FieldError"
		}
		if key == "action" {
			e.action = protocol.ActionUnknown
		}
		return
	}
	units := unitsOf(t, raw)
	e.text[key] = string(utf16.Decode(units))
	if isText && key != "action" && !slices.Equal(utf16.Encode(utf16.Decode(units)), units) {
		e.kind = "FieldError"
	}
	if key == "action" {
		e.action = protocol.ActionUnknown
		if i := slices.Index(actionNames, e.text[key]); i >= 0 {
			e.action = protocol.ActionUnknown + 1 + protocol.Action(i)
		}
	}
}

// unitsOf decodes a JSON string into UTF-16, the only form that holds lone surrogates.
func unitsOf(t testing.TB, quoted []byte) (units []uint16) {
	s := string(quoted[1 : len(quoted)-1])
	for s != "" {
		if s[0] != '\\' {
			r, n := utf8.DecodeRuneInString(s)
			units, s = utf16.AppendRune(units, r), s[n:]
		} else if s[1] == 'u' {
			u, err := strconv.ParseUint(s[2:6], 16, 16)
			if err != nil {
				t.Fatal(err)
			}
			units, s = append(units, uint16(u)), s[6:]
		} else {
			i := strings.IndexByte(`"\/bfnrt`, s[1])
			units, s = append(units, uint16("\"\\/\b\f\n\r\t"[i])), s[2:]
		}
	}
	return units
}

// checkMessage compares DecodeMessage with what is expected, in buffers with and without anything around.
func checkMessage(t testing.TB, src []byte) {
	want := expectMessage(t, src)
	for _, around := range [][2]string{{"", ""}, {textBefore, ""}, {textBefore, textBehind}, {textBefore, `n":"name":0000`}} {
		base := slices.Clip([]byte(around[0] + string(src) + around[1]))
		was := bytes.Clone(base)
		var m protocol.Message
		m.Action, m.Has = 77, 0xff // what was there before must not matter
		at := dispatch.Span{Off: uint32(len(around[0])), Len: uint32(len(src))}
		err := protocol.DecodeMessage(base, at, &m)
		if got := errorKind(err); got != want.kind {
			t.Errorf("%q: error %v, want %q", src, err, want.kind)
			return
		}
		if err != nil {
			checkText(t, err)
		}
		if err != nil && !bytes.Equal(base, was) {
			t.Errorf("%q was refused, but changed to %q", was, base)
		}
		if want.kind == "JSONError" || want.kind == "NotObject" {
			continue
		}
		want.compare(t, base, was, at, m)
	}
}

func errorKind(err error) string {
	var je *protocol.JSONError
	var fe *protocol.FieldError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &je):
		return "JSONError"
	case errors.As(err, &fe):
		return "FieldError"
	case errors.Is(err, protocol.ErrNotObject):
		return "NotObject"
	}
	return err.Error()
}

// compare holds every field to what is expected. Of a refused message only action and nonce are promised.
func (e *expectation) compare(t testing.TB, base, was []byte, at dispatch.Span, m protocol.Message) {
	raw := func(what, key string, got dispatch.Span) {
		want, has := e.raw[key]
		if has {
			want.Off += at.Off
		}
		if got != want || !bytes.Equal(got.Of(base), want.Of(was)) {
			t.Errorf("%q: %s is %v %q, want %v %q", was, what, got, got.Of(base), want, want.Of(was))
		}
	}
	raw("action", "action", m.ActionText)
	raw("nonce", "nonce", m.Nonce)
	if m.Action != e.action {
		t.Errorf("%q: action %v, want %v", was, m.Action, e.action)
	}
	if e.kind != "" {
		return
	}
	raw("options", "options", m.Options)
	raw("result", "result", m.Result)
	for i, key := range knownKeys[7:] {
		raw(key, key, m.Value(protocol.HasKey<<i))
	}
	for key, got := range map[string]dispatch.Span{"name": m.Name, "when": m.When, "id": m.ID} {
		if want, has := e.text[key]; string(got.Of(base)) != want || has && got.Off != at.Off+e.raw[key].Off+1 {
			t.Errorf("%q: %s is %v %q, want %q", was, key, got, got.Of(base), want)
		}
	}
	text, _ := protocol.AppendUnescaped(nil, m.NonceText.Of(base))
	if strings.ToValidUTF8(e.text["nonce"], "") == e.text["nonce"] && !strings.Contains(e.text["nonce"], "\ufffd") && string(text) != e.text["nonce"] {
		t.Errorf("%q: nonce text %q, want %q", was, text, e.text["nonce"])
	}
	if want := m.NonceText != (dispatch.Span{}) && bytes.Contains(m.Nonce.Of(base), []byte{'\\'}); m.NonceEscaped != want {
		t.Errorf("%q: NonceEscaped is %v", was, m.NonceEscaped)
	}
	for i, key := range knownKeys {
		if _, has := e.raw[key]; has != (m.Has&(1<<i) != 0) {
			t.Errorf("%q: Has is %b", was, m.Has)
		}
	}
	// Nothing but those three was written to.
	for _, key := range []string{"name", "when", "id"} {
		if s, has := e.raw[key]; has {
			s.Off += at.Off
			copy(s.Of(base), s.Of(was))
		}
	}
	if !bytes.Equal(base, was) {
		t.Errorf("%q was changed to %q", was, base)
	}
}

func FuzzDecodeMessage(f *testing.F) {
	f.Add([]byte(runTaskMessage))
	f.Add([]byte(sendResultMessage))
	f.Add([]byte(getTaskMessage))
	f.Fuzz(func(t *testing.T, src []byte) { checkMessage(t, src) })
}
