// Package conformance holds tests only: the built binaries of workman and bench/echo, each a process of its own on a
// loopback port, against HTTP/1.1 (RFC 9112) and WebSocket (RFC 6455) as a client on a real socket sees them, and behind
// real proxies.
//
//	corpus_*_test.go      bytes that two HTTP parsers could read differently, each hiding a second request
//	direct_test.go        what the server answers to them, and that it reads nothing behind what it refuses
//	proxy_test.go         the same through haproxy and nginx: nobody's answer may move to another's request
//	naive_test.go         a backend that is lenient on purpose, with which the above must find faults
//	http_test.go          HTTP/1.1, and requests cut at every byte
//	websocket_*_test.go   WebSocket, in groups numbered like those of the Autobahn test suite
//
// The proxies come from Debian's packages haproxy and nginx. Without them their tests are skipped, unless WORKMAN_REQUIRE
// is "all".
package conformance
