// Package conform tells who writes a worker what of the protocol it does right.
//
// [Run] starts a server and the worker, with a proxy between them that takes the WebSocket's frames apart, or the HTTP of a
// worker that leases. It sends tasks as a producer would, disturbs the connection, and gives a [Report]: a line for each check,
// and for each that failed what was seen, what was expected, where that is written, and the last messages. docs/workers.md lists
// the checks. Which [Way] a worker comes is known from its first request.
//
// It imports none of the server's rooms: it starts the binary, and knows only the wire of docs/protocol.md.
//
//	Run ─ exam       the checks, one after the other
//	    ├ server     the process of workman, in memory only
//	    ├ command    the process of the worker
//	    ├ proxy      passes on, refuses, loses; puts in what no server would say now
//	    │   ├ link   one WebSocket
//	    │   └ visit  one connection that comes to lease
//	    ├ recording  what was said, and by whom
//	    └ judge      holds each message of the worker against the protocol
//
// # Failures
//
// Each fault of a worker is to fail one check. So a check names those without which it means nothing, and is not tried if
// one of them failed. After a failure server and worker are started anew, so that nothing of it is left.
//
// # Goroutines
//
// Run owns all of them: one that accepts, two or three a connection, one that waits for each process, one a task that is under way.
// They end with Run. The recording is what they share, under its lock; it is bounded.
package conform
