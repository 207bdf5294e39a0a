package conform_test

import (
	"strings"
	"testing"

	"workman/conform"
)

// TestShape: what a worker may say, and what is wrong with what it may not.
func TestShape(t *testing.T) {
	for _, c := range []struct {
		text           string
		hello          bool
		concerns, want string // empty: nothing is wrong
	}{
		{text: `{"action":"RegisterTask","name":"é"}`},
		{text: `{"action":"RegisterTask","name":"a","concurrency":null,"of a later version":1}`},
		{text: `{"action":"GetTask"}`},
		{text: `{"action":"SendResult","nonce":"n"}`},
		{text: `{"action":"Hello","version":1}`},
		{text: `{"action":"GetTask","count":65536}`, hello: true},
		{text: `{"action":"SendResult","nonce":"n","result":null,"credit":0}`, hello: true},
		{text: `{"action":"SendError","nonce":"n","error":"no","retry":false,"after":"1m30s"}`, hello: true},
		{text: `{"action":"SendError","nonce":"n","error":{"title":"no"},"after":0.5}`, hello: true},
		{text: `{"action":"Extend","nonce":"n","for":"90"}`, hello: true},
		{text: `{"action":"Progress","nonce":"n","value":null,"note":"half"}`, hello: true},
		{text: `{"action":"Drain"}`, hello: true},
		{text: `{"action":"Drain","nonce":"n"}`, hello: true},

		{text: `[1]`, concerns: "messages", want: "no JSON object"},
		{text: `null`, concerns: "messages", want: "no JSON object"},
		{text: "\"\xff\"", concerns: "messages", want: "not UTF-8"},
		{text: `{"action":"Ready"}`, concerns: "messages", want: `"Ready" is none`},
		{text: `{"name":"a"}`, concerns: "messages", want: "is none"},
		{text: `{"action":"RegisterTask"}`, concerns: "messages", want: "has no name"},
		{text: `{"action":"RegisterTask","name":""}`, concerns: "messages", want: "1 to 128"},
		{text: `{"action":"RegisterTask","name":"` + strings.Repeat("é", 65) + `"}`, concerns: "messages", want: "1 to 128"},
		{text: `{"action":"RegisterTask","name":"a\u0000"}`, concerns: "messages", want: "control"},
		{text: `{"action":"SendResult","nonce":7}`, concerns: "messages", want: "no string"},
		{text: `{"action":"SendError","nonce":"n","error":"no"}`, concerns: "messages", want: "without a Hello"},
		{text: `{"action":"GetTask","count":2}`, concerns: "messages", want: "only after a Hello"},
		{text: `{"action":"GetTask","count":0}`, hello: true, concerns: "credits", want: "1 to 65536"},
		{text: `{"action":"GetTask","count":1.5}`, hello: true, concerns: "credits", want: "1 to 65536"},
		{text: `{"action":"SendResult","nonce":"n","credit":65537}`, hello: true, concerns: "credits", want: "0 to 65536"},
		{text: `{"action":"SendError","nonce":"n","error":7}`, hello: true, concerns: "messages", want: "neither a string"},
		{text: `{"action":"SendError","nonce":"n","error":"no","retry":"no"}`, hello: true, concerns: "messages", want: "neither true nor false"},
		{text: `{"action":"Extend","nonce":"n","for":"a while"}`, hello: true, concerns: "messages", want: "no duration"},
		{text: `{"action":"Progress","nonce":"n"}`, hello: true, concerns: "progress", want: "neither value nor note"},
		{text: `{"action":"Progress","nonce":"n","value":"` + strings.Repeat("x", 1024) + `"}`, hello: true, concerns: "progress", want: "1024"},
		{text: `{"action":"Hello","version":2}`, concerns: "messages", want: "not 1"},
	} {
		concerns, wrong := conform.Shape(c.text, c.hello)
		if c.want == "" && wrong != "" || c.want != "" && (concerns != c.concerns || !strings.Contains(wrong, c.want)) {
			t.Errorf("%.100s: %q, %q; want %q, %q", c.text, concerns, wrong, c.concerns, c.want)
		}
	}
}

// TestDiffer: values are the same if they mean the same, and a difference says where it is.
func TestDiffer(t *testing.T) {
	for _, c := range []struct{ sent, back, want string }{
		{`{"a":1,"b":[1.0e+2,"é"]}`, `{"b":[100,"\u00e9"],"a":1}`, ""},
		{`12345678901234567890`, `12345678901234567000`, ""}, // the same double
		{`{"a":[1,{"b":0.1}]}`, `{"a":[1,{"b":0}]}`, "at .a[1].b 0.1 came back as 0"},
		{`1`, `"1"`, `1 came back as "1"`},
		{`null`, `false`, "null came back as false"},
		{`{"a":1}`, `{"b":1}`, ".a is missing"},
		{`[1]`, `[1,2]`, "[1] came back as [1,2]"},
		{`1`, `nothing`, "is no JSON"},
	} {
		if got := conform.Differ([]byte(c.sent), []byte(c.back)); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s and %s: %q, want %q", c.sent, c.back, got, c.want)
		}
	}
}
