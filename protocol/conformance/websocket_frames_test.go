package conformance_test

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Groups 1 to 5: RFC 6455 5.

var frameSizes = []int{0, 1, 125, 126, 127, 128, 255, 256, 65535, 65536, 65537}

// framing is group 1: every form of a length, whole and in pieces.
func framing() (all []wsCase) {
	for i, n := range frameSizes {
		p := strings.Repeat("*", n)
		for j, kind := range []struct {
			op   byte
			name string
		}{{opText, "text"}, {opBinary, "binary"}} {
			id := fmt.Sprintf("1.%d.%d", j+1, i+1)
			all = append(all, one(id, fmt.Sprintf("%s of %d bytes", kind.name, n), masked(fin|kind.op, p), kind.name+":"+p))
			if n > 200 {
				all = append(all, wsCase{id + ".1", fmt.Sprintf("%s of %d bytes in pieces of 997", kind.name, n),
					chop(masked(fin|kind.op, p), 997), []string{kind.name + ":" + p}})
			} else {
				all = append(all, wsCase{id + ".1", fmt.Sprintf("%s of %d bytes, byte by byte", kind.name, n),
					chop(masked(fin|kind.op, p), 1), []string{kind.name + ":" + p}})
			}
		}
	}
	long := func(n uint64) string {
		return string(binary.BigEndian.AppendUint64([]byte{fin | opBinary, 0x80 | 127}, n)) + string(key[:])
	}
	return append(all,
		one("1.3.1", "length 125 in 16 bits", "\x82\xfe\x00\x7d"+string(key[:])+mask(strings.Repeat("*", 125)), "close:1002"), // RFC 6455 5.2
		one("1.3.2", "length 0 in 16 bits", "\x82\xfe\x00\x00"+string(key[:]), "close:1002"),
		one("1.3.3", "length 65535 in 64 bits", long(65535)+mask(strings.Repeat("*", 65535)), "close:1002"),
		one("1.3.4", "length 1 in 64 bits", long(1)+mask("*"), "close:1002"),
		one("1.3.5", "length with the top bit", long(1<<63), "close:1002"),
		one("1.3.6", "length with the top bit, small else", long(1<<63|5)+mask("*****"), "close:1002"),
		one("1.4.1", "not masked", "\x81\x05hello", "close:1002"), // RFC 6455 5.1
		one("1.4.2", "not masked, empty", "\x82\x00", "close:1002"),
		one("1.4.3", "ping not masked", "\x89\x01p", "close:1002"),
		one("1.4.4", "close not masked", "\x88\x02\x03\xe8", "close:1002"),
		one("1.4.5", "not masked behind one that is", text("a")+"\x81\x01b", "text:a", "close:1002"),
		one("1.4.6", "masked with zeros", "\x81\x85\x00\x00\x00\x00hello", "text:hello"),
	)
}

// pings is group 2.
func pings() []wsCase {
	ping := func(p string) string { return masked(fin|opPing, p) }
	long := strings.Repeat("\xfe", 125)
	ten, pongs := "", []string{}
	for i := range 10 {
		ten += ping(fmt.Sprint("payload-", i))
		pongs = append(pongs, fmt.Sprint("pong:payload-", i))
	}
	return []wsCase{
		one("2.1", "empty", ping(""), "pong:"),
		one("2.2", "text", ping("Hello, world!"), "pong:Hello, world!"),
		one("2.3", "binary", ping("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"), "pong:\x00\xff\xfe\xfd\xfc\xfb\x00\xff"),
		one("2.4", "125 bytes", ping(long), "pong:"+long),
		one("2.5", "126 bytes", ping(long+"."), "close:1002"), // RFC 6455 5.5
		{"2.6", "125 bytes, byte by byte", chop(ping(long), 1), []string{"pong:" + long}},
		one("2.7", "pong nobody asked for, empty", masked(fin|opPong, "")),
		one("2.8", "pong nobody asked for", masked(fin|opPong, "unsolicited")),
		one("2.9", "pong nobody asked for, then a ping", masked(fin|opPong, "unsolicited")+ping("p"), "pong:p"),
		one("2.10", "ten pings", ten, pongs...),
		{"2.11", "ten pings, byte by byte", chop(ten, 1), pongs},
		one("2.12", "pong of 126 bytes", masked(fin|opPong, long+"."), "close:1002"),
		one("2.13", "ping of 65536 bytes", masked(fin|opPing, strings.Repeat("*", 65536)), "close:1002"),
		one("2.14", "ping that is declared in 64 bits", "\x89\xff\x00\x00\x00\x00\x00\x00\x00\x01"+string(key[:])+mask("p"), "close:1002"),
		one("2.15", "ping that is not UTF-8", ping("\xff"), "pong:\xff"),
	}
}

// reserved is group 3: RSV1 to RSV3 mean nothing here (RFC 6455 5.2).
func reserved() (all []wsCase) {
	for bits := 1; bits < 8; bits++ {
		for i, op := range []byte{opText, opBinary, opPing, opPong, opClose, opContinuation} {
			bad := masked(fin|byte(bits)<<4|op, "")
			all = append(all, one(fmt.Sprintf("3.%d.%d", bits, i+1), fmt.Sprintf("bits %d, opcode %d", bits, op),
				text("before")+bad+masked(fin|opPing, "behind"), "text:before", "close:1002"))
		}
	}
	return append(all,
		wsCase{"3.8.1", "RSV1, byte by byte", chop(masked(fin|0x40|opText, "hello"), 1), []string{"close:1002"}},
		one("3.8.2", "RSV2 in a second fragment", masked(opText, "a")+masked(fin|0x20|opContinuation, "b"), "close:1002"))
}

// opcodes is group 4: those that are not assigned.
func opcodes() (all []wsCase) {
	for i, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		id := fmt.Sprintf("4.%d.%d", i/5+1, i%5+1)
		all = append(all,
			one(id, fmt.Sprintf("opcode %d", op), masked(fin|op, ""), "close:1002"),
			one(id+".1", fmt.Sprintf("opcode %d with a payload, behind a text", op),
				text("a")+masked(fin|op, "payload")+masked(fin|opPing, ""), "text:a", "close:1002"),
			one(id+".2", fmt.Sprintf("opcode %d between fragments", op),
				masked(opText, "a")+masked(fin|op, "")+masked(fin|opContinuation, "b"), "close:1002"))
	}
	return all
}

// fragmentation is group 5: RFC 6455 5.4.
func fragmentation() []wsCase {
	first := func(p string) string { return masked(opText, p) }
	more := func(p string) string { return masked(opContinuation, p) }
	last := func(p string) string { return masked(fin|opContinuation, p) }
	ping, pong := masked(fin|opPing, "ping"), masked(fin|opPong, "pong")
	mixed := first("a") + masked(fin|opPing, "1") + more("b") + masked(fin|opPing, "2") + last("c")
	return []wsCase{
		one("5.1", "ping in two fragments", masked(opPing, "a")+last("b"), "close:1002"),
		one("5.2", "pong in two fragments", masked(opPong, "a")+last("b"), "close:1002"),
		one("5.2.1", "close in two fragments", masked(opClose, "\x03")+last("\xe8"), "close:1002"),
		one("5.3", "text in two fragments", first("frag1")+last("frag2"), "text:frag1frag2"),
		{"5.4", "text in two fragments, written apart", []string{first("frag1"), last("frag2")}, []string{"text:frag1frag2"}},
		{"5.5", "text in two fragments, byte by byte", chop(first("frag1")+last("frag2"), 1), []string{"text:frag1frag2"}},
		one("5.6", "ping between fragments", first("frag1")+ping+last("frag2"), "pong:ping", "text:frag1frag2"),
		{"5.7", "ping between fragments, written apart", []string{first("frag1"), ping, last("frag2")}, []string{"pong:ping", "text:frag1frag2"}},
		{"5.8", "ping between fragments, byte by byte", chop(first("frag1")+ping+last("frag2"), 1), []string{"pong:ping", "text:frag1frag2"}},
		one("5.9", "continuation of nothing, last, then a text", last("x")+text("Hello"), "close:1002"),
		{"5.10", "continuation of nothing, last, written apart", []string{last("x"), text("Hello")}, []string{"close:1002"}},
		{"5.11", "continuation of nothing, byte by byte", chop(last("x")+text("Hello"), 1), []string{"close:1002"}},
		one("5.12", "continuation of nothing, not last", more("x")+text("Hello"), "close:1002"),
		one("5.13", "continuation behind a whole text", text("a")+last("b"), "text:a", "close:1002"),
		one("5.14", "continuation behind the last fragment", first("a")+last("b")+last("c"), "text:ab", "close:1002"),
		one("5.15", "two fragments, then a continuation", first("frag1")+last("frag2")+more("frag3")+text("frag4"), "text:frag1frag2", "close:1002"),
		one("5.16", "empty continuation of nothing, again and again", strings.Repeat(more(""), 3), "close:1002"),
		one("5.17", "empty last continuation of nothing", strings.Repeat(last(""), 3), "close:1002"),
		one("5.18", "a text within a text", first("frag1")+text("frag2"), "close:1002"),
		one("5.18.1", "a binary within a text", first("frag1")+masked(fin|opBinary, "frag2"), "close:1002"),
		one("5.18.2", "a text within a binary", masked(opBinary, "frag1")+text("frag2"), "close:1002"),
		one("5.18.3", "a first fragment within a text", first("frag1")+first("frag2")+last(""), "close:1002"),
		one("5.19", "pings between five fragments", first("1")+more("2")+ping+more("3")+more("4")+ping+last("5"),
			"pong:ping", "pong:ping", "text:12345"),
		{"5.20", "pings between five fragments, written apart", []string{first("1"), more("2"), ping, more("3"), more("4"), ping, last("5")},
			[]string{"pong:ping", "pong:ping", "text:12345"}},
		one("5.21", "pong between fragments", first("a")+pong+last("b"), "text:ab"),
		one("5.22", "empty fragments", first("")+more("")+more("")+last(""), "text:"),
		one("5.23", "empty fragments around one that is not", first("")+more("middle")+last(""), "text:middle"),
		one("5.24", "binary in fragments", masked(opBinary, "\xff")+more("\xfe")+last("\xfd"), "binary:\xff\xfe\xfd"),
		one("5.25", "close between fragments", first("a")+ending(1000, "")+last("b"), "close:1000"),
		one("5.26", "two fragmented messages", first("a")+last("b")+masked(opBinary, "c")+last("d"), "text:ab", "binary:cd"),
		{"5.27", "control frames between, byte by byte", chop(mixed, 1), []string{"pong:1", "pong:2", "text:abc"}},
		one("5.28", "a fragment of 65536 bytes, one of 1", first(strings.Repeat("x", 65536))+last("y"), "text:"+strings.Repeat("x", 65536)+"y"),
	}
}
