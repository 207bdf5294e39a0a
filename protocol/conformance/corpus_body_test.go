package conformance_test

// Bodies where some do not look for one, and moments at which a connection is said to become something else.

// RFC 9110 9.3: a body is read whatever the method.
var bodies = []payload{
	{"GET with a body", "GET /task/echo HTTP/1.1\r\n" + host + "Content-Length: {n}\r\n\r\n{h}", "200+"},
	{"GET with a chunked body", "GET /task/echo HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n{x}\r\n{h}\r\n0\r\n\r\n", "200+"},
	{"DELETE with a body", "DELETE /scheduled/x HTTP/1.1\r\n" + host + "Content-Length: {n}\r\n\r\n{h}", "200+"},
	{"OPTIONS with a body", "OPTIONS /task/echo HTTP/1.1\r\n" + host + "Content-Length: {n}\r\n\r\n{h}", "200+"},
	{"unknown method with a body", "FROB /task/echo HTTP/1.1\r\n" + host + "Content-Length: {n}\r\n\r\n{h}", "200+"},
	{"lower case method with a body", "get /task/echo HTTP/1.1\r\n" + host + "Content-Length: {n}\r\n\r\n{h}", "200+"},
	{"overridden method", post + "X-HTTP-Method-Override: GET\r\nContent-Length: {n}\r\n\r\n{h}", "200+"},
	{"POST without a length", post + "\r\n{h}", "200 200+"},
	{"Connection: close", post + "Connection: close\r\nContent-Length: 0\r\n\r\n{h}", "200"},
	{"Connection: close in a list", post + "Connection: x,\tCLOSE ,y\r\nContent-Length: 0\r\n\r\n{h}", "200"},
	{"HTTP/1.0 without keep-alive", "POST /task/echo HTTP/1.0\r\n" + host + "Content-Length: 0\r\n\r\n{h}", "200"},

	// RFC 9110 10.1.1: whoever expects 100-continue sends the body all the same.
	{"Expect", post + "Expect: 100-continue\r\nContent-Length: {n}\r\n\r\n{h}", "200+"},
	{"Expect, chunked", post + "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n{x}\r\n{h}\r\n0\r\n\r\n", "200+"},
	{"Expect, no body", post + "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n{h}", "200 200+"},
	{"Expect of a GET", "GET /task/echo HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: {n}\r\n\r\n{h}", "200+"},
	{"Expect, other", post + "Expect: y\r\nContent-Length: {n}\r\n\r\n{h}", "417"},
	{"Expect, other before", post + "Expect: y 100-continue\r\nContent-Length: {n}\r\n\r\n{h}", "417"},
	{"Expect, list", post + "Expect: 100-continue, y\r\nContent-Length: {n}\r\n\r\n{h}", "417"},
	{"Expect, empty", post + "Expect:\r\nContent-Length: {n}\r\n\r\n{h}", "417"},
	{"Expect, twice", post + "Expect: 100-continue\r\nExpect: y\r\nContent-Length: {n}\r\n\r\n{h}", "400"},
	{"Expect, folded", post + "Expect:\r\n 100-continue\r\nContent-Length: {n}\r\n\r\n{h}", "400"},
	{"Expect with CL.TE", post + "Expect: 100-continue\r\nContent-Length: {n+5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{h}", "400"},
	{"Expect in HTTP/1.0", "POST /task/echo HTTP/1.0\r\n" + host + "Connection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: {n}\r\n\r\n{h}", "200+"},
}

func upgrade(name, fields, want string) payload {
	return payload{"upgrade: " + name, "GET /websocket HTTP/1.1\r\n" + host + fields + "\r\n{h}", want}
}

const (
	asks  = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	nonce = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	v13   = "Sec-WebSocket-Version: 13\r\n"
)

// RFC 9110 7.8, RFC 6455 4.2: a proxy that takes the connection for a tunnel while the server still reads HTTP lets
// requests pass that it has never seen. Ours refuses a bad handshake and reads no further. An Upgrade to anything else is
// no handshake, and what follows it is a request to everybody.
var switches = []payload{
	upgrade("WebSocket, then a request", asks+nonce+v13, "101"),
	upgrade("version 7", asks+nonce+"Sec-WebSocket-Version: 7\r\n", "426"),
	upgrade("version 013", asks+nonce+"Sec-WebSocket-Version: 013\r\n", "426"),
	upgrade("version list", asks+nonce+"Sec-WebSocket-Version: 13, 8\r\n", "426"),
	upgrade("no version", asks+nonce, "426"),
	upgrade("two versions", asks+nonce+v13+"Sec-WebSocket-Version: 7\r\n", "400"),
	upgrade("no key", asks+v13, "400"),
	upgrade("short key", asks+v13+"Sec-WebSocket-Key: c2hvcnQ=\r\n", "400"),
	upgrade("two keys", asks+v13+nonce+nonce, "400"),
	upgrade("with a body", asks+nonce+v13+"Content-Length: {n}\r\n", "400"),
	upgrade("with a chunked body", asks+nonce+v13+"Transfer-Encoding: chunked\r\n", "400"),
	upgrade("with an empty body", asks+nonce+v13+"Content-Length: 0\r\n", "101"),
	upgrade("h2c", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n", "200 200+"),
	upgrade("Upgrade without Connection", "Upgrade: websocket\r\n"+nonce+v13, "200 200+"),
	upgrade("Connection without Upgrade", "Connection: Upgrade\r\n"+nonce+v13, "200 200+"),
	{"upgrade: POST", "POST /websocket HTTP/1.1\r\n" + host + asks + nonce + v13 + "Content-Length: {n}\r\n\r\n{h}", "400"},
	{"upgrade: HTTP/1.0", "GET /websocket HTTP/1.0\r\n" + host + "Connection: Upgrade, keep-alive\r\nUpgrade: websocket\r\n" + nonce + v13 + "\r\n{h}", "200 200+"},
	{"upgrade: behind a request", echoRequest(`"outer"`) + "GET /websocket HTTP/1.1\r\n" + host + asks + nonce + "Sec-WebSocket-Version: 7\r\n\r\n{h}", "200 426"},
}
