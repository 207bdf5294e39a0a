package conformance_test

import (
	"fmt"
	"strings"
)

// closing is group 7: RFC 6455 5.5.1 and 7.
func closing() (all []wsCase) {
	bare := func(p string) string { return masked(fin|opClose, p) }
	ping, bye := masked(fin|opPing, "p"), ending(1000, "")
	large := strings.Repeat("*", 256<<10)
	all = []wsCase{
		one("7.1.1", "a text, then close", text("Hello")+bye, "text:Hello", "close:1000"),
		one("7.1.2", "two closes", bye+bye, "close:1000"),
		one("7.1.3", "a ping behind the close", bye+ping, "close:1000"),
		one("7.1.4", "a text behind the close", bye+text("x"), "close:1000"),
		one("7.1.5", "close within a message", masked(opText, "a")+bye+masked(fin|opContinuation, "b"), "close:1000"),
		one("7.1.6", "a large text, then close, then a ping", text(large)+bye+ping, "text:"+large, "close:1000"),
		{"7.1.7", "byte by byte", chop(text("Hello")+bye, 1), []string{"text:Hello", "close:1000"}},
		one("7.1.8", "what is no frame behind the close", bye+"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "close:1000"),
		one("7.1.9", "what is no frame behind a fault", masked(fin|3, "")+"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "close:1002"),
		one("7.3.1", "no payload", bare(""), "close:"),
		one("7.3.2", "a payload of one byte", bare("\x03"), "close:1002"),
		one("7.3.3", "a code", bye, "close:1000"),
		one("7.3.4", "a code and a reason", ending(1000, "Hello, world!"), "close:1000"),
		one("7.3.5", "a reason of 123 bytes", ending(1000, strings.Repeat("*", 123)), "close:1000"),
		one("7.3.6", "a reason of 124 bytes", ending(1000, strings.Repeat("*", 124)), "close:1002"),
		{"7.3.7", "a reason, byte by byte", chop(ending(1001, "going"), 1), []string{"close:1001"}},
		one("7.5.1", "a reason that is not UTF-8", ending(1000, "\xce\xba\xed\xa0\x80"), "close:1007"),
		one("7.5.2", "a reason cut within a character", ending(1000, "\xce\xba\xe1\xbd"), "close:1007"),
		one("7.5.3", "a reason of 123 bytes of UTF-8", ending(1000, strings.Repeat("\u20ac", 41)), "close:1000"),
	}
	// RFC 6455 7.4 and IANA's registry, which has 1012 to 1014 by now.
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		all = append(all, one(fmt.Sprintf("7.7.%d", i+1), fmt.Sprintf("code %d", code), ending(code, ""), fmt.Sprint("close:", code)))
	}
	for i, code := range []int{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65535} {
		all = append(all, one(fmt.Sprintf("7.9.%d", i+1), fmt.Sprintf("code %d", code), ending(code, "x"), "close:1002"))
	}
	return all
}
