package conformance_test

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// payload is a request, or what looks like one, behind or within which a second request hides: whether that is a request
// or part of a body depends on how one reads the first.
type payload struct {
	name string
	in   string // a template: see fill
	want string // the statuses that our server answers when asked directly, and "+" if it goes on to answer what follows
}

const (
	line = "POST /task/echo HTTP/1.1\r\n"
	host = "Host: localhost\r\n"
	post = line + host
)

// fill makes bytes of a template. {h} is the hidden request, {n} its length, {x} the same in hexadecimal; {n+5} is the
// length with the end of a chunked body before it, {c} that of the line that begins a chunk of it. {n+2^32} and {n+2^64}
// are its length to whoever counts in 32 or 64 bits and does not look at the carry.
func (p payload) fill(hidden string) string {
	n := len(hidden)
	x := strconv.FormatInt(int64(n), 16)
	past := func(bits uint) string {
		sum := new(big.Int).Lsh(big.NewInt(1), bits)
		return sum.Add(sum, big.NewInt(int64(n))).String()
	}
	return strings.NewReplacer("{h}", hidden, "{n}", strconv.Itoa(n), "{x}", x, "{n+5}", strconv.Itoa(n+5),
		"{c}", strconv.Itoa(len(x)+2), "{n+2^32}", past(32), "{n+2^64}", past(64)).Replace(p.in)
}

// whole is a hidden request that is complete, and whose answer would be its marker.
func whole(marker string) string { return echoRequest(marker) }

// prefix is a hidden request that swallows the first bytes of whatever request comes next on its connection, which then
// gets the answer that is meant for this one.
func prefix(string) string { return post + "Content-Length: 10\r\n\r\n" }

// echoRequest is beyond doubt, and is answered with its body by echo as by workman.
func echoRequest(body string) string {
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", post, len(body), body)
}

// corpus is all of them. The first is harmless: what finds fault with it finds fault with everything.
func corpus() []payload {
	return slices.Concat(controls, bothLengths, codings(), lengths, chunks, lines, heads, switches, bodies)
}

var controls = []payload{
	{"one request", echoRequest(`"outer"`), "200+"},
	{"two requests", echoRequest(`"outer"`) + "{h}", "200 200+"},
	{"hidden in a body", post + "Content-Length: {n}\r\n\r\n{h}", "200+"},
	{"hidden in a chunk", post + "Transfer-Encoding: chunked\r\n\r\n{x}\r\n{h}\r\n0\r\n\r\n", "200+"},
	{"behind the last chunk", post + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{h}", "200 200+"},
}
