// Package dispatch decides which task goes to which worker, and when.
//
// Its heart, the [Dispatcher], is a state machine that does no I/O: [Dispatcher.Step] takes one event and the time and
// appends to a [Batch] what is to be sent and what is to be made durable. It has no clock, no goroutine, no lock and no
// source of chance of its own, and no order of a map ever reaches what it says: the same events give the same effects.
// It says itself when it next needs to be called ([Dispatcher.Sleep]).
//
// There is one dispatcher and one writer at a time. Everything reaches it through a bounded lock-free [Ring]; whoever
// has put something in and finds the dispatcher idle runs it, right there ([Combiner]). So [Dispatcher] itself may be
// called from one goroutine at a time, and [Combiner.Submit] from any.
//
// Every queue and table has a bound in [Config]. What is over it is refused with a [Reason], and what was accepted is
// untouched.
package dispatch
