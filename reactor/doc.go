// Package reactor is the sockets: it accepts connections, reads what they send on a few event loops (gnet), feeds it to
// their protocol sessions, and writes what those have to say, one write a connection and turn.
//
// A turn is what one event loop does about one thing that happened: a read, a wake, a sweep. Everything of a connection
// happens on its loop, so that nothing here needs a lock: [Loop] and what it calls run on that loop only, but for
// [Loop.Wake].
//
// What serves the connections is a value ([Service], made for each loop by Config.Serve). workman's own is [Tasks],
// which passes events to the dispatcher; bench/echo brings others.
//
// The goroutines, each with its owner and its end:
//   - the event loops, of gnet's, and one accepting goroutine a listener, of [Server]: until [Server.Close]
//   - the keeper, of [Server], which makes loops look after slow and silent peers: until [Server.Close]
//   - the http.Server of the pages, and its goroutine a request: until [Server.Close]
//   - the timer, of [Tasks], which gives the dispatcher its ticks: until [Tasks.Close]
package reactor
