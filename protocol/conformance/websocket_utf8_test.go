package conformance_test

import (
	"fmt"
	"unicode/utf8"
)

// utf8Cases is group 6: RFC 6455 5.6 and 8.1. The sequences are those of Markus Kuhn's decoder stress test, as Autobahn
// has them.

// hard are sequences, and whether each is UTF-8 (RFC 3629) to those who know: it is not asked of a library.
var hard = []struct {
	name  string
	valid bool
	texts []string
}{
	{"kosme", true, []string{"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"}},
	{"first of each length", true, []string{"\x00", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80"}},
	{"first of five and six bytes", false, []string{"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"}},
	{"last of each length", true, []string{"\x7f", "\xdf\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf"}},
	{"last of longer ones", false, []string{"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf"}},
	{"around the surrogates", true, []string{"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd"}},
	{"behind U+10FFFF", false, []string{"\xf4\x90\x80\x80", "\xf5\x80\x80\x80"}},
	{"continuation bytes alone", false, []string{"\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", "\x80\xbf\x80\xbf\x80\xbf", "\x81\x82\x83"}},
	{"first bytes alone", false, []string{"\xc2 ", "\xdf ", "\xe0 \xef ", "\xf0 ", "\xf4 ", "\xf8 ", "\xfc "}},
	{"last byte missing", false, []string{"\xc2", "\xdf", "\xe0\xa0", "\xef\xbf", "\xf0\x90\x80", "\xf4\x8f\xbf", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80"}},
	{"incomplete ones in a row", false, []string{"\xc2\xe0\xa0\xf0\x90\x80", "\xdf\xef\xbf\xf4\x8f\xbf"}},
	{"impossible bytes", false, []string{"\xfe", "\xff", "\xfe\xfe\xff\xff", "\xc0", "\xc1", "\xf5", "a\xff"}},
	{"overlong slash", false, []string{"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf"}},
	{"longest overlong ones", false, []string{"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf", "\xfc\x83\xbf\xbf\xbf\xbf"}},
	{"overlong NUL", false, []string{"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80", "\xfc\x80\x80\x80\x80\x80"}},
	{"single surrogates", false, []string{"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf"}},
	{"pairs of surrogates", false, []string{"\xed\xa0\x80\xed\xb0\x80", "\xed\xa0\x80\xed\xbf\xbf", "\xed\xad\xbf\xed\xb0\x80", "\xed\xae\x80\xed\xbf\xbf", "\xed\xaf\xbf\xed\xbf\xbf"}},
	{"what is no character", true, []string{"\xef\xbf\xbe", "\xef\xbf\xbf", "\xef\xb7\x90", "\xef\xb7\xaf", "\xf0\x9f\xbf\xbe", "\xf0\x9f\xbf\xbf", "\xf4\x8f\xbf\xbe"}},
	{"byte order mark", true, []string{"\xef\xbb\xbf", "\xef\xbb\xbfa"}},
}

const kosme = "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!"

func utf8Cases() (all []wsCase) {
	for i, h := range hard {
		for j, p := range h.texts {
			want := "close:1007"
			if h.valid {
				want = "text:" + p
			}
			id, name := fmt.Sprintf("6.1.%d.%d", i+1, j+1), fmt.Sprintf("%s: %x", h.name, p)
			inMiddle := "in the middle " + p
			if wantMiddle := want; h.valid {
				wantMiddle = "text:" + inMiddle
				all = append(all, one(id+".2", name+", at the end", text(inMiddle), wantMiddle))
			} else {
				all = append(all, one(id+".2", name+", at the end", text(inMiddle)+text("unread"), wantMiddle))
			}
			all = append(all, one(id+".1", name, text(p), want),
				wsCase{id + ".3", name + ", fragments of one byte", fragments(p, 1), []string{want}},
				wsCase{id + ".4", name + ", byte by byte", chop(text(p), 1), []string{want}},
				one(id+".5", name+", as binary", masked(fin|opBinary, p), "binary:"+p))
		}
	}
	return append(append(all, cutTexts()...), failFast()...)
}

// fragments makes a text message of fragments of n bytes.
func fragments(p string, n int) (all []string) {
	op := byte(opText)
	for _, part := range chop(p, n) {
		all = append(all, masked(op, part))
		op = opContinuation
	}
	return append(all, masked(fin|opContinuation, ""))
}

// cutTexts end texts within characters, and cut them there.
func cutTexts() (all []wsCase) {
	for i := 1; i < len(kosme); i++ {
		want := "close:1007"
		if utf8.RuneStart(kosme[i]) {
			want = "text:" + kosme[:i]
		}
		all = append(all,
			one(fmt.Sprintf("6.2.%d", i), fmt.Sprintf("the first %d bytes of a text", i), text(kosme[:i]), want),
			one(fmt.Sprintf("6.3.%d", i), fmt.Sprintf("two fragments, cut at %d", i),
				masked(opText, kosme[:i])+masked(fin|opContinuation, kosme[i:]), "text:"+kosme),
			one(fmt.Sprintf("6.4.%d", i), fmt.Sprintf("two fragments, cut at %d, and a ping", i),
				masked(opText, kosme[:i])+masked(fin|opPing, "\xff")+masked(fin|opContinuation, kosme[i:]), "pong:\xff", "text:"+kosme))
	}
	return all
}

// failFast are texts that cannot become UTF-8 any more. They never come to their end: the server has to say so without it.
func failFast() (all []wsCase) {
	bad := "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"
	for i, p := range []string{bad, "\xf4\x90", "\xff", "a\x80", "\xc0", "\xe0\x9f", "\xf0\x8f", "\xed\xa0", "\xf5"} {
		whole := header(fin|opText, len(p)+100) + mask(p)
		all = append(all,
			one(fmt.Sprintf("6.5.%d.1", i+1), fmt.Sprintf("in a fragment that others follow: %x", p), masked(opText, p), "close:1007"),
			one(fmt.Sprintf("6.5.%d.2", i+1), fmt.Sprintf("in a frame that is not over: %x", p), whole, "close:1007"),
			wsCase{fmt.Sprintf("6.5.%d.3", i+1), fmt.Sprintf("in a frame that is not over, byte by byte: %x", p), chop(whole, 1), []string{"close:1007"}})
		cut := len(p) - 1
		all = append(all, one(fmt.Sprintf("6.5.%d.4", i+1), fmt.Sprintf("across fragments: %x", p),
			masked(opText, p[:cut])+masked(opContinuation, p[cut:]), "close:1007"))
	}
	return all
}
