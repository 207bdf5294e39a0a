package protocol_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"workman/protocol"
)

func TestAppendQuoted(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", `""`},
		{"work", `"work"`},
		{"1234567\"", `"1234567\""`},
		{`12345678\`, `"12345678\\"`},
		{"a/b <c> &", `"a/b <c> &"`},
		{"\b\f\n\r\t", `"\b\f\n\r\t"`},
		{"\x00\x0b\x1f\x7f", "\"\\u0000\\u000b\\u001f\x7f\""},
		{"слово\u2028\U0001f600", "\"слово\u2028\U0001f600\""},
		{"a\xffb\xc3", "\"a\ufffdb\ufffd\""},
		{"\xed\xa0\x80", "\"\ufffd\ufffd\ufffd\""},
		{"\xe2\x82", "\"\ufffd\ufffd\""},
	} {
		inBuffers([]byte(c.text), func(b []byte) {
			if got := string(protocol.AppendQuoted([]byte("x"), b)); got != "x"+c.want {
				t.Errorf("%q: %s, want %s", c.text, got, c.want)
			}
		})
		checkQuoted(t, []byte(c.text))
	}
	for c := range 256 {
		for n := range 17 {
			checkQuoted(t, append(bytes.Repeat([]byte("x"), n), byte(c)))
		}
	}
}

func TestAppendQuotedAllocatesNothing(t *testing.T) {
	dst, s := make([]byte, 0, 100), []byte("a \"text\" with\nall \xff слово")
	if n := testing.AllocsPerRun(100, func() { protocol.AppendQuoted(dst, s) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// checkQuoted: it is JSON, and means the text with what is not UTF-8 replaced as Go does, byte by byte.
func checkQuoted(t testing.TB, b []byte) {
	quoted := protocol.AppendQuoted(nil, b)
	var got string
	if err := json.Unmarshal(quoted, &got); err != nil || got != string([]rune(string(b))) || !isJSON(quoted) {
		t.Errorf("%q is quoted as %q, which means %q: %v", b, quoted, got, err)
	}
}
