// Package prove shows, on the machine and the disk where it runs, that workman loses nothing it has acknowledged.
//
// [Run] starts a server, puts load on it, kills it with SIGKILL at random moments, starts it again, and cuts the
// connections of workers in between. It keeps a [Book]: what was promised to whom, what workers were given, what was told
// to be finished. At the end it waits until all that was promised is done, kills the server a last time, asks it for every
// single run, and gives a [Report]. docs/prove.md says how to read it.
//
// It imports none of the server's rooms: it starts the binary, and knows only the wire of docs/protocol.md.
//
//	Run ─ plan       when to kill, from a seed
//	    ├ server     the process
//	    ├ producers  HTTP and WebSocket: runs, keys, schedules
//	    ├ schedulers schedules that recur: set, looked at, deleted
//	    ├ visitor    reads, repeats keys, cancels
//	    ├ workers    of the old protocol and of Hello; their sockets are cut
//	    ├ audit      asks for every run and schedule at the end
//	    └ Book       judges all that comes in
//
// # Lives
//
// What a client reads may have been sent by a server that is dead by now. To judge it the book counts lives: the number is
// even while a server is up, and odd from just before it is killed until its successor is ready. A connection that was
// opened and found the same even number before and after belongs to that life.
//
// # Goroutines
//
// Run owns all of them: they end with its context, and Run returns after the last. The book is the one thing they share,
// under its lock. Memory grows with the number of runs (about 500 bytes each), which Config bounds.
package prove
