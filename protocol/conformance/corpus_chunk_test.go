package conformance_test

import "strings"

// Requirement 5, RFC 9112 7.1: how a chunked body is written, to the byte.

func inChunks(name, body, want string) payload {
	return payload{"chunk: " + name, post + "Transfer-Encoding: chunked\r\n\r\n" + body, want}
}

// sized is a body of one chunk that is the hidden request, with its size in some form.
func sized(name, size, want string) payload {
	return inChunks(name, size+"{h}\r\n0\r\n\r\n", want)
}

var chunks = []payload{
	sized("zeros", "00{x}\r\n", "200+"),
	sized("seventeen digits", "000000000000000{x}\r\n", "400"),
	sized("plus", "+{x}\r\n", "400"),
	sized("minus", "-{x}\r\n", "400"),
	sized("0x", "0x{x}\r\n", "400"),
	sized("0X", "0X{x}\r\n", "400"),
	sized("h behind", "{x}h\r\n", "400"),
	sized("underscore", "0_{x}\r\n", "400"),
	sized("dot", "{x}.0\r\n", "400"),
	sized("space before", " {x}\r\n", "400"),
	sized("tab before", "\t{x}\r\n", "400"),
	sized("space behind", "{x} \r\n", "400"),
	sized("tab behind", "{x}\t\r\n", "400"),
	sized("space inside", "0 {x}\r\n", "400"),
	sized("NUL before", "\x00{x}\r\n", "400"),
	sized("NUL behind", "{x}\x00\r\n", "400"),
	sized("wide digits", "\uff15{x}\r\n", "400"),
	sized("comma", "{x},0\r\n", "400"),
	sized("no size", "\r\n", "400"),
	sized("empty line before", "\r\n{x}\r\n", "400"),
	sized("overlong, 64 bits", "ffffffffffffff{x}\r\n", "413"),
	sized("overlong, over 64 bits", "100000000000000{x}\r\n", "413"),
	sized("overlong, 32 bits", "1000000{x}\r\n", "413"),
	sized("over the limit", "1000001\r\n", "413"),

	sized("bare LF behind the size", "{x}\n", "400"),
	sized("bare CR behind the size", "{x}\r", "400"),
	sized("CR CR LF behind the size", "{x}\r\r\n", "400"),
	sized("LF CR behind the size", "{x}\n\r", "400"),
	inChunks("bare LF behind the data", "{x}\r\n{h}\n0\r\n\r\n", "400"),
	inChunks("bare CR behind the data", "{x}\r\n{h}\r0\r\n\r\n", "400"),
	inChunks("nothing behind the data", "{x}\r\n{h}0\r\n\r\n", "400"),
	inChunks("two other bytes behind the data", "{x}\r\n{h}XX0\r\n\r\n", "400"),
	inChunks("data longer than its size", "1\r\n{h}\r\n0\r\n\r\n", "400"),
	inChunks("data shorter than its size", "3\r\na\r\n0\r\n\r\n{h}", "400"),
	inChunks("bare LF behind the last size", "0\n\r\n{h}", "400"),
	inChunks("bare LF at the end", "0\r\n\n{h}", "400"),
	inChunks("only LFs at the end", "0\n\n{h}", "400"),
	inChunks("bare CR at the end", "0\r\n\r{h}", "400"),
	inChunks("no end", "0\r\n{h}", "400"),
	inChunks("two ends", "0\r\n\r\n0\r\n\r\n{h}", "200 400"),
	inChunks("space behind the last size", "0 \r\n\r\n{h}", "400"),
	inChunks("several zeros", "000\r\n\r\n{h}", "200 200+"),
	inChunks("minus zero", "-0\r\n\r\n{h}", "400"),

	sized("extension", "{x};a=b\r\n", "200+"),
	sized("extension in quotes", "{x};a=\"b c\"\r\n", "200+"),
	sized("space behind an extension", "{x};a=b \r\n", "400"),
	sized("space behind the semicolon", "{x}; \r\n", "400"),
	sized("open quote", "{x};a=\"\r\n", "400"),
	sized("extension of no form", "{x};=;\xff,(\r\n", "400"),
	sized("space before an extension", "{x} ;a=b\r\n", "400"),
	sized("bare LF in an extension", "{x};a\n", "400"),
	sized("bare LF behind the semicolon", "{x};\n", "400"),
	sized("bare LF in quotes", "{x};a=\"\n\"\r\n", "400"),
	sized("bare CR in an extension", "{x};a\rb\r\n", "400"),
	sized("NUL in an extension", "{x};a\x00\r\n", "400"),
	sized("long extension", "{x};"+strings.Repeat("a", 17<<10)+"\r\n", "431"),
	inChunks("LF in an extension hides a chunk", "2;\nxx\r\n{x}\r\n0\r\n\r\n{h}\r\n0\r\n\r\n", "400"),
	inChunks("extension of the last", "0;a=b\r\n\r\n{h}", "200 200+"),
	inChunks("bare LF in an extension of the last", "0;a\n\r\n{h}", "400"),
	inChunks("extension without a size", ";a\r\n\r\n{h}", "400"),

	inChunks("trailer", "0\r\nX: y\r\n\r\n{h}", "200 200+"),
	inChunks("trailer Content-Length", "0\r\nContent-Length: {n}\r\n\r\n{h}", "400"),
	inChunks("trailer Transfer-Encoding", "0\r\nTransfer-Encoding: chunked\r\n\r\n{h}", "400"),
	inChunks("trailer Host", "0\r\nHost: example.com\r\n\r\n{h}", "400"),
	inChunks("trailer with a bare LF", "0\r\nX: y\n\r\n{h}", "400"),
	inChunks("trailer with a bare CR", "0\r\nX: y\rZ: a\r\n\r\n{h}", "400"),
	inChunks("trailer, folded", "0\r\nX: y\r\n z\r\n\r\n{h}", "400"),
	inChunks("trailer with a space before the colon", "0\r\nX : y\r\n\r\n{h}", "400"),
	inChunks("trailer without a name", "0\r\n: y\r\n\r\n{h}", "400"),
	inChunks("trailer with NUL", "0\r\nX: \x00\r\n\r\n{h}", "400"),
	inChunks("long trailers", "0\r\n"+strings.Repeat("X: y\r\n", 3000)+"\r\n{h}", "431"),
}
