package conformance_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
)

// maxMessage is protocol.DefaultConfig().MaxMessage, which is echo's: this package knows only the wire.
const maxMessage = 16 << 20

// filler is the text that large messages are parts of.
var filler = sync.OnceValue(func() string { return strings.Repeat("0123456789abcde\n", maxMessage/16+1) })

// limits is group 9, and what Autobahn has none of: what is over a limit (requirements 2 and 13).
func limits() (all []wsCase) {
	for i, n := range []int{64 << 10, 1 << 20, 4 << 20, maxMessage - 1, maxMessage} {
		p := filler()[:n]
		all = append(all,
			one(fmt.Sprintf("9.1.%d", i+1), fmt.Sprintf("text of %d bytes", n), text(p), "text:"+p),
			one(fmt.Sprintf("9.2.%d", i+1), fmt.Sprintf("binary of %d bytes", n), masked(fin|opBinary, p), "binary:"+p))
	}
	const n = 1 << 20
	for i, size := range []int{64, 256, 1 << 10, 64 << 10, n} {
		all = append(all,
			one(fmt.Sprintf("9.3.%d", i+1), fmt.Sprintf("1 MiB in fragments of %d bytes", size),
				strings.Join(fragments(filler()[:n], size), ""), "text:"+filler()[:n]),
			wsCase{fmt.Sprintf("9.4.%d", i+1), fmt.Sprintf("1 MiB in pieces of %d bytes", size),
				chop(text(filler()[:n]), size), []string{"text:" + filler()[:n]}})
	}
	for i, size := range []int{0, 16, 125, 126, 1 << 10, 4 << 10} {
		const times = 1000
		p := filler()[:size]
		all = append(all, one(fmt.Sprintf("9.5.%d", i+1), fmt.Sprintf("%d messages of %d bytes", times, size),
			strings.Repeat(text(p), times), repeated("text:"+p, times)...))
	}
	return append(all, tooMuch()...)
}

func repeated(s string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}

func tooMuch() []wsCase {
	const half = maxMessage / 2
	p := filler()
	pings, fragmentsOf := strings.Repeat(masked(fin|opPing, ""), 1025), strings.Repeat(masked(opContinuation, ""), 1025)
	return []wsCase{
		one("9.6.1", "one byte over the limit, by its header alone", header(fin|opText, maxMessage+1), "close:1009"),
		one("9.6.2", "one byte over the limit, binary", header(fin|opBinary, maxMessage+1), "close:1009"),
		one("9.6.3", "as much as 63 bits can say", "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff"+string(key[:]), "close:1009"),
		one("9.6.4", "4 GiB and 5 bytes", "\x82\xff\x00\x00\x00\x01\x00\x00\x00\x05"+string(key[:])+mask("*****"), "close:1009"),
		one("9.6.5", "two fragments, at the limit", masked(opText, p[:half])+masked(fin|opContinuation, p[half:maxMessage]), "text:"+p[:maxMessage]),
		one("9.6.6", "two fragments, the second over the limit by its header", masked(opText, p[:half])+header(fin|opContinuation, half+1), "close:1009"),
		one("9.6.7", "an empty fragment at the limit", masked(opBinary, p[:maxMessage])+masked(fin|opContinuation, ""), "binary:"+p[:maxMessage]),
		one("9.6.8", "a fragment of a byte behind the limit", masked(opBinary, p[:maxMessage])+header(fin|opContinuation, 1), "close:1009"),
		{"9.6.9", "a header over the limit, byte by byte", chop(header(fin|opText, maxMessage+1), 1), []string{"close:1009"}},
		one("9.7.1", "1025 pings and nothing else", pings, append(repeated("pong:", 1024), "close:1008")...),
		one("9.7.2", "1025 pongs and nothing else", strings.Repeat(masked(fin|opPong, ""), 1025), "close:1008"),
		one("9.7.3", "1026 empty fragments", masked(opText, "")+fragmentsOf, "close:1008"),
		one("9.7.4", "1000 pings, a message, 1000 pings", pings[25*6:]+text("a")+pings[25*6:],
			append(append(repeated("pong:", 1000), "text:a"), repeated("pong:", 1000)...)...),
	}
}

// splits is group 10: whatever the frames, the writes and the keys, the messages are the same. The seed is fixed: a case
// that fails does so again.
func splits() (all []wsCase) {
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 10))
		raw, want := "", []string{}
		for range 20 {
			part, frames := randomMessage(rnd)
			raw, want = raw+part, append(want, frames...)
		}
		var writes []string
		for raw != "" {
			n := min(len(raw), 1+rnd.IntN(1+rnd.IntN(3000)))
			writes, raw = append(writes, raw[:n]), raw[n:]
		}
		all = append(all, wsCase{fmt.Sprintf("10.1.%d", seed+1), "random frames and writes", writes, want})
	}
	return all
}

// randomMessage is a message in fragments with control frames in between, and what it is answered with.
func randomMessage(rnd *rand.Rand) (raw string, want []string) {
	op, kind := byte(opText), "text:"
	if rnd.IntN(2) == 0 {
		op, kind = opBinary, "binary:"
	}
	runes := []rune("a\u00e4\u20ac\U0001F600\n")
	text := ""
	for range rnd.IntN(1 + rnd.IntN(600)) {
		text += string(runes[rnd.IntN(len(runes))])
	}
	for rest := text; ; op = opContinuation {
		n := rnd.IntN(len(rest) + 1)
		if rnd.IntN(3) == 0 {
			n = len(rest)
		}
		if n == len(rest) {
			return raw + masked(fin|op, rest), append(want, kind+text)
		}
		raw, rest = raw+masked(op, rest[:n]), rest[n:]
		if rnd.IntN(3) == 0 {
			p := string(runes[:rnd.IntN(5)])
			raw, want = raw+masked(fin|opPing, p), append(want, "pong:"+p)
		}
	}
}
