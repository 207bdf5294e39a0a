// Package protocol turns bytes into events and effects into bytes: HTTP/1.1 (RFC 9112), WebSocket frames (RFC 6455) and
// the JSON messages in them. It is pure: it has no socket, no clock and no goroutine, so that the event loops, TLS
// connections and tests all run the same code.
//
// A [Framing] is what the sessions of one event loop share, and a [Session] is one connection. A [Host] feeds sessions
// what it read and writes what they put out; a [Service] answers. [Front] is workman's own.
//
// Nothing here is safe for use from more than one goroutine at a time: a framing, its sessions and its service belong to
// one event loop, and everything is called there.
package protocol
