// Package conform tells who writes a worker what of the protocol it does right.
//
// [Run] starts a server and the worker, with a proxy between them that takes the WebSocket's frames apart. It sends tasks as
// a producer would, disturbs the connection, and gives a [Report]: a line for each [Check], and for each that failed what was
// seen, what was expected, where that is written, and the last messages. docs/workers.md lists the checks.
//
// It imports none of the server's rooms: it starts the binary, and knows only the wire of docs/protocol.md.
//
//	Run ─ exam       the checks, one after the other
//	    ├ server     the process of workman, in memory only
//	    ├ command    the process of the worker
//	    ├ proxy      passes on, refuses, loses; puts in what no server would say now
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
// Run owns all of them: one that accepts, two a connection, one that waits for each process, one a task that is under way.
// They end with Run. The recording is what they share, under its lock; it is bounded.
package conform
