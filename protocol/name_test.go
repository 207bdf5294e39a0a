package protocol_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"workman/protocol"
)

func TestCheckName(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct{ name, want string }{
		{"w", ""},
		{"work", ""},
		{" a name/with ~ signs\"\\ ", ""},
		{"работа", ""},
		{"\u00a0", ""},
		{"\u07ff\u0800\ue000\uffff\U00010000\U0010ffff", ""},
		{"\u2028\ufeff\u200e", ""},
		{x(128), ""},
		{strings.Repeat("é", 64), ""},
		{"", `"" is no task name: it has 0 bytes; want 1 to 128`},
		{x(129), `"` + x(48) + `..." is no task name: it has 129 bytes; want 1 to 128`},
		{x(47) + strings.Repeat("é", 50), `"` + x(47) + `..." is no task name: it has 147 bytes; want 1 to 128`},
		{"\x00", `"\x00" is no task name: control character U+0000 at byte 0`},
		{"a\nb", `"a\nb" is no task name: control character U+000A at byte 1`},
		{"a\x1f", `"a\x1f" is no task name: control character U+001F at byte 1`},
		{"ab\x7f", `"ab\x7f" is no task name: control character U+007F at byte 2`},
		{"é\u0080", `"\u00e9\u0080" is no task name: control character U+0080 at byte 2`},
		{"\u009f", `"\u009f" is no task name: control character U+009F at byte 0`},
		{"a\xff", `"a\xff" is no task name: invalid UTF-8 (0xff) at byte 1`},
		{"\x80", `"\x80" is no task name: invalid UTF-8 (0x80) at byte 0`},
		{"a\xc2", `"a\xc2" is no task name: invalid UTF-8 (0xc2) at byte 1`},
		{"\xed\xa0\x80", `"\xed\xa0\x80" is no task name: invalid UTF-8 (0xed) at byte 0`},
		{"\xc0\xaf", `"\xc0\xaf" is no task name: invalid UTF-8 (0xc0) at byte 0`},
	} {
		err := protocol.CheckName([]byte(c.name))
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%q: error %v, want %s", c.name, err, c.want)
		}
		checkNameByRunes(t, []byte(c.name))
	}
}

// Each character there is, alone and between others.
func TestCheckNameEveryRune(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		s := string(r) // of a surrogate, U+FFFD
		if err := protocol.CheckName([]byte("a" + s)); (err != nil) != unicode.IsControl(r) {
			t.Fatalf("%U: error %v", r, err)
		}
	}
}

func TestDecodePathSegment(t *testing.T) {
	for _, c := range []struct{ segment, want string }{
		{"", ""},
		{"work", "work"},
		{"a%2Fb%2fc", "a/b/c"},
		{"a+b%20c", "a+b c"},
		{"%252F", "%2F"}, // once
		{"%25", "%"},
		{"%d1%80", "р"},
		{"%00%ff", "\x00\xff"}, // CheckName's business
		{"é", "é"},
	} {
		got, err := protocol.DecodePathSegment([]byte("x"), []byte(c.segment))
		if err != nil || string(got) != "x"+c.want {
			t.Errorf("%q: %q, %v, want %q", c.segment, got, err, "x"+c.want)
		}
		segment := []byte(c.segment)
		if got, err = protocol.DecodePathSegment(segment[:0], segment); err != nil || string(got) != c.want {
			t.Errorf("%q in place: %q, %v", c.segment, got, err)
		}
	}
	for _, c := range []struct{ segment, want string }{
		{"a%zz", `"zz" follows a percent sign at byte 1; want two hexadecimal digits`},
		{"%20%2", `"2" follows a percent sign at byte 3; want two hexadecimal digits`},
		{"%", `"" follows a percent sign at byte 0; want two hexadecimal digits`},
		{"%%20", `"%2" follows a percent sign at byte 0; want two hexadecimal digits`},
		{"%2\n", `"2\n" follows a percent sign at byte 0; want two hexadecimal digits`},
		{"%g0", `"g0" follows a percent sign at byte 0; want two hexadecimal digits`},
	} {
		dst, err := protocol.DecodePathSegment([]byte("x"), []byte(c.segment))
		if err == nil || err.Error() != c.want || string(dst) != "x" {
			t.Errorf("%q: %q, error %v, want %s", c.segment, dst, err, c.want)
		}
	}
}

func TestNamesAllocateNothing(t *testing.T) {
	name, segment, dst := []byte("работа and work"), []byte("a%2Fb"), make([]byte, 0, 16)
	n := testing.AllocsPerRun(100, func() {
		if err := protocol.CheckName(name); err != nil {
			t.Fatal(err)
		}
		if _, err := protocol.DecodePathSegment(dst, segment); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func checkNameByRunes(t testing.TB, b []byte) {
	want := 1 <= len(b) && len(b) <= 128 && utf8.Valid(b) && !strings.ContainsFunc(string(b), unicode.IsControl)
	err := protocol.CheckName(b)
	if (err == nil) != want {
		t.Errorf("%q: error %v, want %v", b, err, want)
	}
	if err != nil {
		checkValueError(t, err)
	}
}

func checkValueError(t testing.TB, err error) {
	var e *protocol.ValueError
	if !errors.As(err, &e) {
		t.Errorf("error %#v", err)
		return
	}
	if strings.ContainsFunc(e.Value, func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Errorf("the value is repeated as %q", e.Value)
	}
	checkText(t, err)
}

func FuzzName(f *testing.F) {
	f.Add([]byte("work"))
	f.Add([]byte("a%2Fb+%20%zz"))
	f.Add([]byte("\u00e9\u0080\xff\x7f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		checkNameByRunes(t, b)
		checkQuoted(t, b)
		want, wantErr := url.PathUnescape(string(b))
		got, err := protocol.DecodePathSegment(nil, b)
		if (err == nil) != (wantErr == nil) || err == nil && string(got) != want {
			t.Errorf("%q is decoded to %q, %v, want %q, %v", b, got, err, want, wantErr)
		}
		if err != nil {
			checkValueError(t, err)
		}
	})
}
