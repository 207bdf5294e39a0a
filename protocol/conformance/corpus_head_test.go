package conformance_test

import "strings"

// Requirement 5: RFC 9112 2.2 (line ends), 2.3 (versions), 3 (request lines), 3.2 (Host), 5 (fields).

var lines = []payload{
	{"bare LF behind the request line", "POST /task/echo HTTP/1.1\n" + host + "Content-Length: {n}\r\n\r\n{h}", "400"},
	{"bare LF behind a field", line + "Host: localhost\nContent-Length: {n}\r\n\r\n{h}", "400"},
	{"bare LF ends the head", post + "Content-Length: {n}\r\n\n{h}", "400"},
	{"only bare LFs", "POST /task/echo HTTP/1.1\nHost: localhost\nContent-Length: {n}\n\n{h}", "400"},
	{"two bare LFs within the head", post + "X: y\n\n{h}", "400"},
	{"bare CR in the request line", "POST /task/echo HTTP/1.1\rX: y\r\n" + host + "\r\n{h}", "400"},
	{"bare CR behind the request line", "POST /task/echo HTTP/1.1\r\r\n" + host + "\r\n{h}", "400"},
	{"bare CRs within the head", post + "X: y\r\rZ: a\r\n\r\n{h}", "400"},
	{"CR CR LF ends the head", post + "Content-Length: {n}\r\n\r\r\n{h}", "400"},
	{"CR LF CR, no LF", post + "X: y\r\n\r{h}", "400"},
	{"empty line before", "\r\n" + echoRequest(`"outer"`) + "{h}", "200 200+"},
	{"LF before", "\n" + echoRequest(`"outer"`) + "{h}", "400"},
	{"CR before", "\r" + echoRequest(`"outer"`) + "{h}", "400"},
	{"space before", " " + echoRequest(`"outer"`) + "{h}", "400"},
	{"obs-fold", post + "X: y\r\n z\r\nContent-Length: {n}\r\n\r\n{h}", "400"},
	{"obs-fold with tab", post + "X: y\r\n\tz\r\nContent-Length: {n}\r\n\r\n{h}", "400"},
	{"obs-fold in front", line + " X: y\r\n" + host + "Content-Length: {n}\r\n\r\n{h}", "400"},
	{"line of one space", post + "X: y\r\n \r\n{h}", "400"},
	{"NUL in a value", post + "X: \x00\r\nContent-Length: {n}\r\n\r\n{h}", "400"},
	{"NUL in a name", post + "X\x00: y\r\nContent-Length: {n}\r\n\r\n{h}", "400"},
	{"bell in a value", post + "X: \x07\r\nContent-Length: {n}\r\n\r\n{h}", "400"},
	{"DEL in a value", post + "X: \x7f\r\nContent-Length: {n}\r\n\r\n{h}", "400"},
	{"CR LF and a second request in a value", post + "X: y{h}\r\n", "400"},
	{"space in a name", post + "X Y: z\r\nContent-Length: {n}\r\n\r\n{h}", "400"},
	{"underscore in a name", post + "X_Y: z\r\nContent-Length: {n}\r\n\r\n{h}", "200+"},
	{"no name", post + ": z\r\nContent-Length: {n}\r\n\r\n{h}", "400"},
	{"no colon", post + "X\r\nContent-Length: {n}\r\n\r\n{h}", "400"},
	{"only a colon", post + ":\r\nContent-Length: {n}\r\n\r\n{h}", "400"},
	{"quote in a name", post + "X\"Y: z\r\nContent-Length: {n}\r\n\r\n{h}", "400"},
	{"UTF-8 in a name", post + "\u00e4: z\r\nContent-Length: {n}\r\n\r\n{h}", "400"},
	{"head too large", post + "X: " + strings.Repeat("y", 17<<10) + "\r\nContent-Length: {n}\r\n\r\n{h}", "431"},
	{"target too long", "POST /" + strings.Repeat("y", 9<<10) + " HTTP/1.1\r\n" + host + "Content-Length: {n}\r\n\r\n{h}", "414"},
}

func withLine(name, line, want string) payload {
	return payload{name, line + host + "Content-Length: {n}\r\n\r\n{h}", want}
}

func withHost(name, target, fields, want string) payload {
	return payload{name, "POST " + target + " HTTP/1.1\r\n" + fields + "Content-Length: {n}\r\n\r\n{h}", want}
}

var heads = []payload{
	withLine("HTTP/1.2", "POST /task/echo HTTP/1.2\r\n", "505"),
	withLine("HTTP/2.0", "POST /task/echo HTTP/2.0\r\n", "505"),
	withLine("HTTP/0.9", "POST /task/echo HTTP/0.9\r\n", "505"),
	withLine("no version", "POST /task/echo\r\n", "400"),
	withLine("HTTP/1.10", "POST /task/echo HTTP/1.10\r\n", "400"),
	withLine("HTTP/01.1", "POST /task/echo HTTP/01.1\r\n", "400"),
	withLine("HTTP/1,1", "POST /task/echo HTTP/1,1\r\n", "400"),
	withLine("http/1.1", "POST /task/echo http/1.1\r\n", "400"),
	withLine("two versions", "POST /task/echo HTTP/1.1 HTTP/1.0\r\n", "400"),
	withLine("space behind the version", "POST /task/echo HTTP/1.1 \r\n", "400"),
	withLine("tabs", "POST\t/task/echo\tHTTP/1.1\r\n", "400"),
	withLine("two spaces", "POST  /task/echo HTTP/1.1\r\n", "400"),
	withLine("vertical tab", "POST /task/echo\x0bHTTP/1.1\r\n", "400"),
	withLine("NUL in the target", "POST /task/echo\x00 HTTP/1.1\r\n", "400"),
	withLine("fragment", "POST /task/echo#x HTTP/1.1\r\n", "400"),
	withLine("escaped line end", "POST /task/echo%0d%0aContent-Length:%200 HTTP/1.1\r\n", "200+"),
	withLine("method with a colon", "POST: /task/echo HTTP/1.1\r\n", "400"),
	withLine("CONNECT", "CONNECT localhost:80 HTTP/1.1\r\n", "501"),
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{h}", "505"},
	{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03{h}", "400"},

	withHost("absolute form", "http://localhost/task/echo", host, "200+"),
	withHost("absolute form, other Host", "http://localhost/task/echo", "Host: example.com\r\n", "400"),
	withHost("absolute form, other target", "http://example.com/task/echo", host, "400"),
	withHost("absolute form, no Host", "http://localhost/task/echo", "", "400"),
	withHost("absolute form, user", "http://localhost@example.com/task/echo", host, "400"),
	withHost("absolute form, https", "https://localhost/task/echo", host, "200+"),
	withHost("absolute form, other scheme", "ftp://localhost/task/echo", host, "400"),
	withHost("no Host", "/task/echo", "", "400"),
	withHost("two Hosts", "/task/echo", host+"Host: example.com\r\n", "400"),
	withHost("two equal Hosts", "/task/echo", host+host, "400"),
	withHost("Host list", "/task/echo", "Host: localhost, example.com\r\n", "400"),
	withHost("Host with a user", "/task/echo", "Host: example.com@localhost\r\n", "400"),
	withHost("Host with a path", "/task/echo", "Host: localhost/x\r\n", "400"),
	withHost("Host with a space", "/task/echo", "Host: localhost x\r\n", "400"),
	withHost("Host with NUL", "/task/echo", "Host: localhost\x00\r\n", "400"),
	withHost("Host, empty", "/task/echo", "Host:\r\n", "400"),
	withHost("Host, another", "/task/echo", "Host: example.com\r\n", "421"),
	withHost("Host with a bad port", "/task/echo", "Host: localhost:8x\r\n", "400"),
	withHost("second Host folded", "/task/echo", host+" Host: example.com\r\n", "400"),
	withHost("second Host with a space", "/task/echo", host+"Host : example.com\r\n", "400"),
}
