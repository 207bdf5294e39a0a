// Command bench measures a workman server as its clients see it.
//
// It builds and starts the server as a process of its own (or drives one that
// runs already), plays producers and workers over the wire of
// docs/protocol.md, checks every single answer against the task it belongs to,
// and prints tasks a second, latencies and CPU a task. With --relay it runs
// bench/echo --relay in alternating rounds: the same messages with no server
// behind them, the limit of what the sockets allow. With --peers it does the
// same work on other systems, which it starts too.
//
//	go run ./bench                                          the usual scenarios
//	go run ./bench --scenario all                           and those that take long
//	go run ./bench --scenario s2 --relay --pin              one, beside the limit
//	go run ./bench --scenario s1,s2 --peers all --pin       beside other systems
//	go run ./bench --scenario durable --bulk 1000           many runs in a message, beside one in each
//	go run ./bench --scenario s2 --relay --gate bench/ratio.json
//	go run ./bench --scenario ws64 --rate 20000             an open loop: no coordinated omission
//	go run ./bench --scenario durable,life --peers redis-aof   runs that are kept on the disk
//	go run ./bench --scenario combined1,lease --relay --pin    what workers speak, beside workers of old
//	go run ./bench --scenario due --due 1000000 --seconds 60   a million schedules, and how late they were
//	go run ./bench --sweep pending --svg pending.svg        how the cost grows
//
// bench soak is for the opposite of a clean load: everything that clients do
// to a server, wrong things included, at a bounded rate for minutes or hours,
// while it watches what the server's process holds.
//
//	go run ./bench soak                         two minutes, as in CI
//	go run ./bench soak --duration 8h --svg soak.svg
//
// It imports none of the server's rooms: all it knows is the wire.
//
// # How it is made
//
// The path of a round of bench measure, one file each:
//
//	main → config → suite → stage → round → fleet → loop → producer, worker, httpproducer,
//	        └ scenario, sweep  │  └ idle, fill, due  │           leaser, payload_producer, payload_worker, peer_…, keep_…
//	                           │  │   │ faroff       │
//	                           │  │   └ setter, watcher, caller
//	                           │  │                  └ clients └ pace, ledger, callbook, calls, task, frame, payload, names
//	                           │  └ durable          └ keepers └ promises, submits, finished, rundigits
//	                           └ program, peers, server, cpu, footprint, datafolder
//	                           └ progress, stats, table, extras, lateness, systems, report, chart, sweep_plot, seconds_plot, gate
//
// A stage is a scenario on one server, once. Most are a load and nothing else.
// Some bring the server into a state first (idle connections, a million tasks
// that wait, schedules): callers do that, a few clients that block. These get a
// server of their own each round, so that memory is counted from the same start.
//
// A schedule tells its number and its time in its options, so that who gets it
// can count it and see how late it is. Those that are far off are counted on the
// server, once it was killed and started again.
//
// A load of runs (durable, life) is one of them: its producers are done with a
// run once it is acknowledged, and all loops share an account of what was
// promised. A run's options tell its number, so that exactly one worker having
// had it can be counted, with a bit a run. Afterwards the server is killed,
// started again, and asked for what it must have.
//
// A fleet has one loop per --threads, each a goroutine locked to a thread with
// an epoll instance of its own. Loops share nothing but the atomic phase of
// the round: a connection, its producer or worker, and the ledger (histogram
// and fault counts) belong to one loop, and are read by others only after that
// loop has ended. At steady state a loop allocates nothing.
//
// A soak:
//
//	soak → soak_load → soak_producer, soak_worker, soak_schedule, soak_visit, soak_invalid
//	     │             └ soak_client, soak_order: the wire   └ soak_book: judges every answer
//	     └ soak_sample, soak_probe → soak_verdict → soak_report, soak_plot
//
// Its clients are goroutines that block, one or two for a connection: at a few
// thousand tasks a second the load need not be cheap, and they can be rude in
// all ways. They share the book, under a lock.
package main
