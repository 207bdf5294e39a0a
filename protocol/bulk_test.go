package protocol_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"workman/protocol"
)

func TestSplitLines(t *testing.T) {
	for body, want := range map[string][]string{
		"1":                             {"1"},
		"1\n":                           {"1"},
		"1\n2":                          {"1", "2"},
		"1\r\n2\r\n":                    {"1", "2"},
		"\n\n 1 \n\t\r\n\n2\n\n":        {"1", "2"},
		" {\"a\": [1,\t2]} \n null":     {`{"a": [1,` + "\t" + `2]}`, "null"},
		`"a\n\u00e9"` + "\n" + `1.0e+2`: {`"a\n\u00e9"`, `1.0e+2`},
		strings.Repeat("12\n", protocol.MaxBulk) + "\n  \n\t\n": slices.Repeat([]string{"12"}, protocol.MaxBulk),
	} {
		got, kind, detail := protocol.SplitLines([]byte(body))
		if kind != "" || !slices.Equal(got, want) {
			t.Errorf("%.50q: %.50q %s %s, want %.50q", body, got, kind, detail, want)
		}
	}
	for body, want := range map[string]string{
		"":                 "bad-json…the body has no lines",
		"\n \r\n":          "bad-json…the body has no lines",
		"1\n{\"a\":\n2}\n": "bad-json…line 2, which begins at byte 2 of the body, is not JSON: unexpected end at byte 5 of the line",
		"1\n\n2 3\n":       "bad-json…line 3, which begins at byte 3 of the body, is not JSON: unexpected '3' at byte 2 of the line",
		"\"a\xff\"":        "bad-json…line 1, which begins at byte 0 of the body, is not JSON: invalid UTF-8 in a string at byte 2 of the line",
		"[1]\n" + deep:     "bad-json…nested deeper than 64",
		strings.Repeat("1\n", protocol.MaxBulk+1):       "too-many-runs…at most 10000 runs",
		strings.Repeat("1\n", protocol.MaxBulk) + "no ": "too-many-runs…",
	} {
		_, kind, detail := protocol.SplitLines([]byte(body))
		wantKind, part, _ := strings.Cut(want, "…")
		if kind != "urn:workman:problem:"+wantKind || !strings.Contains(detail, part) {
			t.Errorf("%.50q: %s %s, want %s", body, kind, detail, want)
		}
	}
}

// deep is an array nested one deeper than may be.
var deep = strings.Repeat("[", protocol.MaxDepth+1) + strings.Repeat("]", protocol.MaxDepth+1)

func TestSplitArray(t *testing.T) {
	for array, want := range map[string][]string{
		`[1]`:                   {"1"},
		"[ 1 ,\n\"]\" , [2,3]]": {"1", `"]"`, "[2,3]"},
		`[{"a":[]},null]`:       {`{"a":[]}`, "null"},
		"[" + strings.Repeat("12,", protocol.MaxBulk-1) + "12]": slices.Repeat([]string{"12"}, protocol.MaxBulk),
	} {
		if got, kind := protocol.SplitArray([]byte(array)); kind != "" || !slices.Equal(got, want) {
			t.Errorf("%.50q: %.50q %s, want %.50q", array, got, kind, want)
		}
	}
	for array, want := range map[string]string{
		"": "bad-message", "{}": "bad-message", "[ ]": "bad-message", `"[1]"`: "bad-message",
		"[" + strings.Repeat("1,", protocol.MaxBulk) + "1]": "too-many-runs",
	} {
		if got, kind := protocol.SplitArray([]byte(array)); kind != "urn:workman:problem:"+want {
			t.Errorf("%.50q: %.50q %s, want %s", array, got, kind, want)
		}
	}
}

// FuzzSplitLines: what is taken is what encoding/json makes of the lines one by one.
func FuzzSplitLines(f *testing.F) {
	for _, body := range []string{"1\n2", "\r\n{\"a\": 1}\r\n", "1\n\n\"\\n\"\n", "[\n]", "", "nul\n"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var want []string
		for line := range bytes.SplitSeq(body, []byte("\n")) {
			line = bytes.Trim(line, " \t\r")
			if len(line) == 0 {
				continue
			}
			if _, err := protocol.ValidJSON(line); err != nil {
				want = nil
				break
			}
			if !json.Valid(line) {
				t.Fatalf("%q is taken for JSON", line)
			}
			want = append(want, string(line))
		}
		got, kind, detail := protocol.SplitLines(body)
		if len(want) == 0 != (kind != "") || kind == "" && !slices.Equal(got, want) {
			if len(want) <= protocol.MaxBulk {
				t.Errorf("%q: %q %s %s, want %q", body, got, kind, detail, want)
			}
		}
	})
}

// FuzzSplitArray: what is taken is what encoding/json makes of an array.
func FuzzSplitArray(f *testing.F) {
	for _, array := range []string{"[1, 2]", `["]",[[]],{"a":"["}]`, "[]", "[ null ]", "[1,2"} {
		f.Add([]byte(array))
	}
	f.Fuzz(func(t *testing.T, array []byte) {
		if _, err := protocol.ValidJSON(array); err != nil {
			return
		}
		array = bytes.Trim(array, " \t\r\n")
		var want []json.RawMessage
		isArray := json.Unmarshal(array, &want) == nil && array[0] == '[' && len(want) > 0
		got, kind := protocol.SplitArray(array)
		if isArray != (kind == "") || isArray && !slices.EqualFunc(got, want, func(a string, b json.RawMessage) bool { return a == string(b) }) {
			if len(want) <= protocol.MaxBulk {
				t.Errorf("%q: %q %s, want %q", array, got, kind, want)
			}
		}
	})
}
