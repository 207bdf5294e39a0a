package protocol_test

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"workman/protocol"
)

func nestedJSON(open, inside, closed string, n int) string {
	return strings.Repeat(open, n) + inside + strings.Repeat(closed, n)
}

// validJSON is carried whatever it means.
var validJSON = []string{
	`0`, `-0`, `7`, `-1`, `10`, `1234567890123456789012345678901234567890`, `0.0`, `0.10`, `-0.5`, `12345678.12345678`,
	`1e5`, `1E5`, `1e+05`, `1e-0`, `0e0`, `-1.25E-300000`, `1.5e99999`, `123456789012345678.5`,
	`true`, `false`, `null`, `""`, `"a"`, `"1234567"`, `"12345678"`, `"123456789012345"`, `"1234567890123456"`,
	`"\"\\\/\b\f\n\r\t"`, `"\u0000"`, `"\u00e9"`, `"\uAbCd"`, `"\ud83d\ude00"`, `"\\u12"`, `"\\"`, `"\\\""`, "\"\x7f\"",
	`"\ud800"`, `"\udc00"`, `"\ude00\ud83d"`, `"\ud800\ud800\udc00"`, `"\ud800\n"`,
	"\"\u00e9\"", "\"\u0080\"", "\"\u07ff\"", "\"\u0800\"", "\"\ud7ff\"", "\"\ue000\"", "\"\uffff\"", "\"\U00010000\"",
	"\"\U0010ffff\"", "\"1234567\u00e9\"", "\"123456\u20ac8\"", "\"слово и дело\"", "\"\u2028\u2029\ufeff\"",
	`[]`, `[ ]`, `{}`, `{ }`, `[1]`, `[1,2]`, `[[],{},""]`, `{"a":1}`, `{"a":1,"a":2}`, `{"":{"":[]}}`, `[{"a":[{}]},[]]`,
	" 1", "1 ", "\t\r\n 1 \n\r\t", "[\n        1,\n                 2 ]", `{ "a" : [ true , false , null ] }`,
	nestedJSON(`[`, ``, `]`, 64), nestedJSON(`{"a":`, `1`, `}`, 64), nestedJSON(`[{"a":`, `[1]`, `}]`, 31), nestedJSON(`[`, `[],[1],{}`, `]`, 63),
}

// invalidJSON with the error that it gets, without "not JSON: ".
var invalidJSON = []struct{ json, want string }{
	{``, `empty`},
	{" \n\t\r ", `empty`},
	{`}`, `unexpected '}' at byte 0`},
	{`[1}`, `unexpected '}' at byte 2`},
	{`{"a":1]`, `unexpected ']' at byte 6`},
	{`[1,]`, `unexpected ']' at byte 3`},
	{`[,1]`, `unexpected ',' at byte 1`},
	{`[1 2]`, `unexpected '2' at byte 3`},
	{`[1`, `unexpected end at byte 2`},
	{`[1,`, `unexpected end at byte 3`},
	{`[`, `unexpected end at byte 1`},
	{`{`, `unexpected end at byte 1`},
	{`{"a"`, `unexpected end at byte 4`},
	{`{"a":`, `unexpected end at byte 5`},
	{`{"a":1`, `unexpected end at byte 6`},
	{`{"a":1,`, `unexpected end at byte 7`},
	{`{"a":1,}`, `unexpected '}' at byte 7`},
	{`{,}`, `unexpected ',' at byte 1`},
	{`{a:1}`, `unexpected 'a' at byte 1`},
	{`{'a':1}`, `unexpected '\'' at byte 1`},
	{`{1:1}`, `unexpected '1' at byte 1`},
	{`{"a",1}`, `unexpected ',' at byte 4`},
	{`{"a"1}`, `unexpected '1' at byte 4`},
	{`{"a":}`, `unexpected '}' at byte 5`},
	{`{"a":1 "b":2}`, `unexpected '"' at byte 7`},
	{`1 1`, `unexpected '1' at byte 2`},
	{`[]]`, `unexpected ']' at byte 2`},
	{`{}}`, `unexpected '}' at byte 2`},
	{`"a"b`, `unexpected 'b' at byte 3`},
	{"1\x00", `unexpected '\x00' at byte 1`},
	{"[\x0b1]", `unexpected '\v' at byte 1`},
	{"[\u00a01]", `unexpected '\u00a0' at byte 1`},
	{"\ufeff1", `unexpected '\ufeff' at byte 0`},
	{"\xff", `unexpected byte 0xff at byte 0`},
	{`/* */ 1`, `unexpected '/' at byte 0`},
	{`-`, `unexpected end at byte 1`},
	{`+1`, `unexpected '+' at byte 0`},
	{`--1`, `unexpected '-' at byte 1`},
	{`-a`, `unexpected 'a' at byte 1`},
	{`01`, `unexpected '1' at byte 1`},
	{`-01`, `unexpected '1' at byte 2`},
	{`.5`, `unexpected '.' at byte 0`},
	{`-.5`, `unexpected '.' at byte 1`},
	{`1.`, `unexpected end at byte 2`},
	{`1.e5`, `unexpected 'e' at byte 2`},
	{`[1.]`, `unexpected ']' at byte 3`},
	{`1e`, `unexpected end at byte 2`},
	{`1e+`, `unexpected end at byte 3`},
	{`[1e]`, `unexpected ']' at byte 3`},
	{`1e1.5`, `unexpected '.' at byte 3`},
	{`1e+-1`, `unexpected '-' at byte 3`},
	{`0x10`, `unexpected 'x' at byte 1`},
	{`1_000`, `unexpected '_' at byte 1`},
	{`12345678a`, `unexpected 'a' at byte 8`},
	{"1\xb9", `unexpected byte 0xb9 at byte 1`},
	{`NaN`, `unexpected 'N' at byte 0`},
	{`-Infinity`, `unexpected 'I' at byte 1`},
	{`nul`, `unexpected end at byte 3`},
	{`nulL`, `unexpected 'L' at byte 3`},
	{`nan`, `unexpected 'a' at byte 1`},
	{`tru`, `unexpected end at byte 3`},
	{`True`, `unexpected 'T' at byte 0`},
	{`trued`, `unexpected 'd' at byte 4`},
	{`falsy`, `unexpected 'y' at byte 4`},
	{`[t`, `unexpected end at byte 2`},
	{`"`, `unexpected end at byte 1`},
	{`"abc`, `unexpected end at byte 4`},
	{`"\"`, `unexpected end at byte 3`},
	{`"\`, `unexpected end at byte 2`},
	{`"\u12`, `unexpected end at byte 5`},
	{`"1234567`, `unexpected end at byte 8`},
	{`"12345678`, `unexpected end at byte 9`},
	{`'a'`, `unexpected '\'' at byte 0`},
	{`"\x41"`, `bad escape in a string: unexpected 'x' at byte 2`},
	{`"\'"`, `bad escape in a string: unexpected '\'' at byte 2`},
	{`"\U0041"`, `bad escape in a string: unexpected 'U' at byte 2`},
	{`"\u12"`, `bad escape in a string: unexpected '"' at byte 5`},
	{`"\u12G4"`, `bad escape in a string: unexpected 'G' at byte 5`},
	{`"\u004` + "`\"", "bad escape in a string: unexpected '`' at byte 6"},
	{`"\u:000"`, `bad escape in a string: unexpected ':' at byte 3`},
	{`"\u00@0"`, `bad escape in a string: unexpected '@' at byte 5`},
	{"\"\\\u00e9\"", `bad escape in a string: unexpected '\u00e9' at byte 2`},
	{"\"a\nb\"", `unescaped control character '\n' in a string at byte 2`},
	{"\"\x00\"", `unescaped control character '\x00' in a string at byte 1`},
	{"\"1234567\x1f\"", `unescaped control character '\x1f' in a string at byte 8`},
	{"\"\x80\"", `invalid UTF-8 in a string at byte 1`},
	{"\"\xbf\"", `invalid UTF-8 in a string at byte 1`},
	{"\"\xc0\x80\"", `invalid UTF-8 in a string at byte 1`}, // overlong
	{"\"\xc1\xbf\"", `invalid UTF-8 in a string at byte 1`},
	{"\"\xe0\x9f\xbf\"", `invalid UTF-8 in a string at byte 1`},
	{"\"\xf0\x8f\xbf\xbf\"", `invalid UTF-8 in a string at byte 1`},
	{"\"\xed\xa0\x80\"", `invalid UTF-8 in a string at byte 1`}, // a surrogate
	{"\"\xed\xbf\xbf\"", `invalid UTF-8 in a string at byte 1`},
	{"\"\xf4\x90\x80\x80\"", `invalid UTF-8 in a string at byte 1`}, // above U+10FFFF
	{"\"\xf5\x80\x80\x80\"", `invalid UTF-8 in a string at byte 1`},
	{"\"\xff\"", `invalid UTF-8 in a string at byte 1`},
	{"\"ab\xc3\"", `invalid UTF-8 in a string at byte 3`}, // cut short
	{"\"\xc3\xc3\xa9\"", `invalid UTF-8 in a string at byte 1`},
	{"\"\xe2\x82\"", `invalid UTF-8 in a string at byte 1`},
	{"\"\xe2\x82a\"", `invalid UTF-8 in a string at byte 1`},
	{"\"\xf0\x9f\x98\"", `invalid UTF-8 in a string at byte 1`},
	{"\"\xf0\x9f\x98", `invalid UTF-8 in a string at byte 1`},
	{"\"\u00e9\xa9\"", `invalid UTF-8 in a string at byte 3`},
	{"\"\u00e9\"\u00e9", `unexpected '\u00e9' at byte 4`},
	{"\"\u00e9\\\u00e9\"", `bad escape in a string: unexpected '\u00e9' at byte 4`},
	{"\"\u00e9\n\u00e9\"", `unescaped control character '\n' in a string at byte 3`},
	{`{"`, `unexpected end at byte 2`},
	{nestedJSON(`[`, ``, `]`, 65), `nested deeper than 64 at byte 64`},
	{nestedJSON(`{"a":`, `1`, `}`, 65), `nested deeper than 64 at byte 320`},
	{nestedJSON(`[`, ``, ``, 1_000_000), `nested deeper than 64 at byte 64`},
	{nestedJSON(`[`, `[],[[]]`, `]`, 63), `nested deeper than 64 at byte 67`},
	{nestedJSON(`[`, ``, `]`, 64) + `]`, `unexpected ']' at byte 128`},
}

// inBuffers gives b as slices that differ in what follows: nothing, or within the capacity bytes that would end a
// string, go on with a number, or complete a character.
func inBuffers(b []byte, do func([]byte)) {
	do(append(make([]byte, 0, len(b)), b...)[:len(b):len(b)])
	for _, behind := range []string{`"}]"}]"}]`, "00000000000", "aaaaaaaaaaaaa", "\xa9\xa9\xa9\xa9\xa9\xa9\xa9\xa9\xa9"} {
		long := []byte(string(b) + behind)
		do(long[:len(b)])
	}
}

func TestValidJSON(t *testing.T) {
	for _, text := range validJSON {
		inBuffers([]byte(text), func(b []byte) {
			span, err := protocol.ValidJSON(b)
			if err != nil {
				t.Errorf("%.80q: %v", text, err)
			} else if got := string(span.Of(b)); got != strings.Trim(text, " \t\r\n") {
				t.Errorf("%.80q: the value is %.80q", text, got)
			}
		})
	}
}

func TestValidJSONRefuses(t *testing.T) {
	for _, c := range invalidJSON {
		inBuffers([]byte(c.json), func(b []byte) {
			if _, err := protocol.ValidJSON(b); err == nil || err.Error() != "not JSON: "+c.want {
				t.Errorf("%.80q: error %v, want %s", c.json, err, c.want)
			}
		})
	}
}

// Every text with one byte of it changed to any other, or cut at any byte, is still judged as jsontext does.
func TestValidJSONMutated(t *testing.T) {
	for _, text := range []string{
		`{"action":"RunTask", "o":[-12.5e+3,true,null,"\u00e9\n"]}`,
		"[\"1234567\u00e9\u20ac\U0001f600\", 0, 1e1, false, {\"\":{}}]",
		`"\ud83d\ude00 \ud83d \ude00"`,
	} {
		for i := range len(text) {
			checkAgainstOracle(t, []byte(text[:i]))
			for c := range 256 {
				b := []byte(text)
				b[i] = byte(c)
				checkAgainstOracle(t, b)
			}
		}
	}
}

func TestValidJSONAllocatesNothing(t *testing.T) {
	b := []byte(`{"a":[1.5e3,"\u00e9","слово",null,{"b":[true,false]}], "long":"0123456789012345678901234567890123456789"}`)
	n := testing.AllocsPerRun(100, func() {
		if _, err := protocol.ValidJSON(b); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// replaceLoneSurrogates replaces escapes of half a surrogate pair by \ufffd, which is as long. RFC 8259's grammar allows
// them, jsontext does not: this is the only difference that there may be.
func replaceLoneSurrogates(b []byte) []byte {
	b = bytes.Clone(b)
	unit := func(i int) uint64 {
		if i+6 > len(b) || b[i] != '\\' || b[i+1] != 'u' {
			return 0
		}
		u, err := strconv.ParseUint(string(b[i+2:i+6]), 16, 16)
		if err != nil {
			return 0
		}
		return u
	}
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		switch u := unit(i); {
		case 0xd800 <= u && u < 0xdc00 && unit(i+6)>>10 == 0xdc00>>10:
			i += 11
		case 0xd800 <= u && u < 0xe000:
			copy(b[i:], `\ufffd`)
			i += 5
		default:
			i++ // the character after the backslash, which may be another
		}
	}
	return b
}

// depthOf is how deep a valid JSON text is nested.
func depthOf(t testing.TB, b []byte) (depth int) {
	dec := jsontext.NewDecoder(bytes.NewReader(b), jsontext.AllowDuplicateNames(true))
	for {
		switch _, err := dec.ReadToken(); {
		case errors.Is(err, io.EOF):
			return depth
		case err != nil:
			t.Fatal(err)
		}
		depth = max(depth, dec.StackDepth())
	}
}

func isJSON(b []byte) bool {
	return jsontext.Value(b).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(false))
}

// checkAgainstOracle compares ValidJSON with jsontext.
func checkAgainstOracle(t testing.TB, b []byte) {
	oracle := replaceLoneSurrogates(b)
	want := isJSON(oracle) && depthOf(t, oracle) <= protocol.MaxDepth
	inBuffers(b, func(b []byte) {
		before := bytes.Clone(b)
		span, err := protocol.ValidJSON(b)
		switch {
		case !bytes.Equal(b, before):
			t.Errorf("%q was changed to %q", before, b)
		case (err == nil) != want:
			t.Errorf("%q: error %v, but jsontext says %v", b, err, want)
		case err == nil && string(span.Of(b)) != strings.Trim(string(b), " \t\r\n"):
			t.Errorf("%q: the value is %q", b, span.Of(b))
		case err != nil:
			checkJSONError(t, b, err)
		}
	})
}

// checkJSONError holds an error to what it promises: a place within b, and a short text that can be shown anywhere.
func checkJSONError(t testing.TB, b []byte, err error) {
	var e *protocol.JSONError
	if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(b) {
		t.Errorf("%q: error %#v", b, err)
	}
	checkText(t, err)
}

func checkText(t testing.TB, err error) {
	text := err.Error()
	if len(text) > 600 || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		t.Errorf("an error text of %d bytes: %q", len(text), text)
	}
}

func FuzzValidJSON(f *testing.F) {
	for _, text := range validJSON {
		f.Add([]byte(text))
	}
	for _, c := range invalidJSON {
		if len(c.json) < 1000 {
			f.Add([]byte(c.json))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkAgainstOracle(t, b) })
}
