package conformance_test

import "strings"

// Requirement 4, RFC 9112 6.1 and 6.3: where a body ends is said once and clearly, or the request is refused.

var bothLengths = []payload{
	{"CL.TE", post + "Content-Length: {n+5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{h}", "400"},
	{"CL.TE, coding first", post + "Transfer-Encoding: chunked\r\nContent-Length: {n+5}\r\n\r\n0\r\n\r\n{h}", "400"},
	{"TE.CL", post + "Content-Length: {c}\r\nTransfer-Encoding: chunked\r\n\r\n{x}\r\n{h}\r\n0\r\n\r\n", "400"},
	{"TE.CL, coding first", post + "Transfer-Encoding: chunked\r\nContent-Length: {c}\r\n\r\n{x}\r\n{h}\r\n0\r\n\r\n", "400"},
	{"TE.0", post + "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n{x}\r\n{h}\r\n0\r\n\r\n", "400"},
	{"CL.TE of a GET", "GET /task/echo HTTP/1.1\r\n" + host + "Content-Length: {n+5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{h}", "400"},
	{"CL.TE with CL listed in Connection", post + "Connection: Content-Length\r\nContent-Length: {n+5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{h}", "400"},
	{"TE.CL with TE listed in Connection", post + "Connection: Transfer-Encoding\r\nContent-Length: {c}\r\nTransfer-Encoding: chunked\r\n\r\n{x}\r\n{h}\r\n0\r\n\r\n", "400"},
	{"TE in HTTP/1.0", "POST /task/echo HTTP/1.0\r\n" + host + "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{h}", "400"},
	{"TE in HTTP/1.0, in the chunk", "POST /task/echo HTTP/1.0\r\n" + host + "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n{x}\r\n{h}\r\n0\r\n\r\n", "400"},
	{"TE and CL in HTTP/1.0", "POST /task/echo HTTP/1.0\r\n" + host + "Connection: keep-alive\r\nContent-Length: {n+5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{h}", "400"},
}

// coding is a way to write Transfer-Encoding that one may take for chunked, and another not.
type coding struct {
	name, line string
	want       string // with it alone, and the hidden request in a chunk
	unknown    bool   // it is another field altogether, and says nothing about the body
}

// TE.TE: each of them alone, with a Content-Length that leaves the hidden request out, and with one that takes it in.
func codings() (all []payload) {
	for _, c := range obfuscated {
		out, in := "400", "400"
		if c.unknown {
			out, in = "200 200 400", "200+" // Content-Length counts: what is hidden is a request to all, or a body to all
		}
		all = append(all,
			payload{"TE " + c.name, post + c.line + "\r\n\r\n{x}\r\n{h}\r\n0\r\n\r\n", c.want},
			payload{"TE.CL " + c.name, post + "Content-Length: {c}\r\n" + c.line + "\r\n\r\n{x}\r\n{h}\r\n0\r\n\r\n", out},
			payload{"CL.TE " + c.name, post + "Content-Length: {n+5}\r\n" + c.line + "\r\n\r\n0\r\n\r\n{h}", in})
	}
	return all
}

var obfuscated = []coding{
	{"space before the colon", "Transfer-Encoding : chunked", "400", false},
	{"tab before the colon", "Transfer-Encoding\t: chunked", "400", false},
	{"space before the name", " Transfer-Encoding: chunked", "400", false},
	{"tab before the value", "Transfer-Encoding:\tchunked", "200+", false}, // OWS: RFC 9110 5.6.3
	{"no space", "Transfer-Encoding:chunked", "200+", false},
	{"space behind", "Transfer-Encoding: chunked ", "200+", false},
	{"upper case", "TRANSFER-ENCODING: CHUNKED", "200+", false},
	{"vertical tab before the value", "Transfer-Encoding: \x0bchunked", "400", false},
	{"form feed before the value", "Transfer-Encoding: \x0cchunked", "400", false},
	{"vertical tab behind", "Transfer-Encoding: chunked\x0b", "400", false},
	{"NUL before the value", "Transfer-Encoding: \x00chunked", "400", false},
	{"NUL behind", "Transfer-Encoding: chunked\x00", "400", false},
	{"NUL in the name", "Transfer-Encoding\x00: chunked", "400", false},
	{"no-break space", "Transfer-Encoding: \xa0chunked", "501", false},
	{"next line", "Transfer-Encoding: \x85chunked", "501", false},
	{"Kelvin sign", "Transfer-Encoding: chun\u212aed", "501", false},
	{"long s in the name", "Tran\u017ffer-Encoding: chunked", "400", false},
	{"xchunked", "Transfer-Encoding: xchunked", "501", false},
	{"chunkedx", "Transfer-Encoding: chunkedx", "501", false},
	{"cow", "Transfer-Encoding: cow", "501", false},
	{"identity", "Transfer-Encoding: identity", "501", false},
	{"empty", "Transfer-Encoding:", "501", false},
	{"double quotes", `Transfer-Encoding: "chunked"`, "501", false},
	{"single quotes", "Transfer-Encoding: 'chunked'", "501", false},
	{"brackets", "Transfer-Encoding: [chunked]", "501", false},
	{"parameter", "Transfer-Encoding: chunked;q=0", "501", false},
	{"list, chunked last", "Transfer-Encoding: identity, chunked", "501", false},
	{"list, chunked first", "Transfer-Encoding: chunked, identity", "501", false},
	{"list, chunked twice", "Transfer-Encoding: chunked, chunked", "501", false},
	{"list with an empty member", "Transfer-Encoding: , chunked", "501", false},
	{"gzip, chunked", "Transfer-Encoding: gzip, chunked", "501", false},
	{"twice, other last", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x", "400", false},
	{"twice, chunked last", "Transfer-Encoding: x\r\nTransfer-Encoding: chunked", "400", false},
	{"twice, chunked both", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "400", false},
	{"folded value", "Transfer-Encoding:\r\n chunked", "400", false},
	{"folded list", "Transfer-Encoding: chunked\r\n , identity", "400", false},
	{"folded name", "Transfer-Encoding\r\n : chunked", "400", false},
	{"behind a bare LF", "X: y\nTransfer-Encoding: chunked", "400", false},
	{"behind a bare CR", "X: y\rTransfer-Encoding: chunked", "400", false},
	{"behind CR LF CR", "X: y\r\n\rTransfer-Encoding: chunked", "400", false},
	{"before CR CR LF", "Transfer-Encoding: chunked\r\r\nX: y", "400", false},
	{"without a colon", "Transfer-Encoding chunked", "400", false},
	{"underscore", "Transfer_Encoding: chunked", "200 400", true},
	{"dot", "Transfer.Encoding: chunked", "200 400", true},
	{"no dash", "TransferEncoding: chunked", "200 400", true},
	{"Content-Encoding", "Content-Encoding: chunked", "200 400", true},
	{"TE field", "TE: chunked", "200 400", true},
}

// withLength are ways to write how long the hidden request is.
func withLength(name, value, want string) payload {
	return payload{"CL " + name, post + "Content-Length:" + value + "\r\n\r\n{h}", want}
}

var lengths = []payload{
	withLength("without a space", "{n}", "200+"),
	withLength("with spaces and tabs", " \t {n} \t ", "200+"),
	withLength("with zeros", " 000{n}", "200+"),
	withLength("with very many zeros", " "+strings.Repeat("0", 100)+"{n}", "200+"),
	withLength("with plus", " +{n}", "400"),
	withLength("with minus", " -{n}", "400"),
	withLength("minus one", " -1", "400"),
	withLength("in hexadecimal", " 0x{x}", "400"),
	withLength("with an underscore", " 0_{n}", "400"),
	withLength("with a fraction", " {n}.0", "400"),
	withLength("with an exponent", " {n}e0", "400"),
	withLength("in quotes", ` "{n}"`, "400"),
	withLength("with a semicolon", " {n};", "400"),
	withLength("with a letter", " {n}a", "400"),
	withLength("with wide digits", " \uff11\uff10", "400"),
	withLength("empty", "", "400"),
	withLength("only spaces", "   ", "400"),
	withLength("with a space inside", " 0 {n}", "400"),
	withLength("with NUL", " {n}\x00", "400"),
	withLength("with a vertical tab", " \x0b{n}", "400"),
	withLength("with a bare CR", " 0\r{n}", "400"),
	withLength("list", " {n}, {n}", "400"), // RFC 9112 6.3 would allow this one
	withLength("list, zero first", " 0, {n}", "400"),
	withLength("list, zero last", " {n}, 0", "400"),
	withLength("list with an empty member", " {n},", "400"),
	withLength("over 32 bits", " {n+2^32}", "413"),
	withLength("over 64 bits", " {n+2^64}", "413"),
	withLength("twice, equal", " {n}\r\nContent-Length: {n}", "400"),
	withLength("twice, zero first", " 0\r\nContent-Length: {n}", "400"),
	withLength("twice, zero last", " {n}\r\ncontent-length: 0", "400"),
	withLength("twice, the second odd", " {n}\r\nContent-Length : 0", "400"),
	withLength("folded", "\r\n {n}", "400"),
	withLength("folded behind zero", " 0\r\n {n}", "400"),
	withLength("behind a bare LF", " 0\nContent-Length: {n}", "400"),
	withLength("listed in Connection", " {n}\r\nConnection: content-length", "200+"),
	{"CL with a space in the name", post + "Content Length: {n}\r\n\r\n{h}", "400"},
	{"CL with a space before the colon", post + "Content-Length : {n}\r\n\r\n{h}", "400"},
	{"CL with NUL in the name", post + "Content-Length\x00: {n}\r\n\r\n{h}", "400"},
	{"CL with underscore", post + "Content_Length: {n}\r\n\r\n{h}", "200 200+"},
	{"CL folded into another field", post + "X: y\r\n Content-Length: {n}\r\n\r\n{h}", "400"},
	{"CL before Host", line + "Content-Length: {n}\r\n" + host + "\r\n{h}", "200+"},
	{"CL in HTTP/1.0", "POST /task/echo HTTP/1.0\r\nConnection: keep-alive\r\n" + host + "Content-Length: {n}\r\n\r\n{h}", "200+"},
}
