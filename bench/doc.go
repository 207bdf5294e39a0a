// Command bench measures a workman server as its clients see it.
//
// It builds and starts the server as a process of its own (or drives one that
// runs already), plays producers and workers over the wire of
// docs/protocol.md, checks every single answer against the task it belongs to,
// and prints tasks a second, latencies and CPU a task. With --relay it runs
// bench/echo --relay in alternating rounds: the same messages with no server
// behind them, the limit of what the sockets allow.
//
//	go run ./bench                              all scenarios
//	go run ./bench --scenario s2 --relay --pin  one, beside the limit
//	go run ./bench --scenario s2 --relay --max-ratio 2
//
// It imports none of the server's rooms: all it knows is the wire.
//
// # How it is made
//
// The path of a round, one file each:
//
//	main → config → suite → round → fleet → loop → producer, worker, httpproducer
//	                  └ server, program, cpu    └ task, frame, ledger
//	                  └ progress, table, report, stats
//
// A fleet has one loop per --threads, each a goroutine locked to a thread with
// an epoll instance of its own. Loops share nothing but the atomic phase of
// the round: a connection, its producer or worker, and the ledger (histogram
// and fault counts) belong to one loop, and are read by others only after that
// loop has ended. At steady state a loop allocates nothing.
package main
