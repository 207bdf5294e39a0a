// Package schedule tells time's story to the dispatcher: which of many deadlines have passed, in order, and when the
// next one comes. It is pure: it has no clock, no goroutine and no I/O. Nothing in it is safe for use from more than
// one goroutine at a time; the dispatcher's one writer is who calls it.
//
// A [Wheel] holds the deadlines. Its time is whatever it was last told, in milliseconds since an epoch that its owner
// picks (Unix for the wall clock, the process's start for the monotonic one), and never below zero. The owner's loop is:
//
//	for {
//		value, at, ok := wheel.Expire(now)
//		if !ok {
//			break
//		}
//		// handle value, due since at; Add and Cancel as you like
//	}
//	next, ok := wheel.Next() // sleep until then, and Expire again
//
// Timers fire in order of (deadline, order of Add), each exactly once, and never before their deadline. The same calls
// give the same answers: nothing depends on a map, an address or chance.
//
// Memory is bounded by the limit given to [New]: 24 bytes for each timer held at the busiest moment, and 24 more for
// each that was already overdue when it was added. It is kept for reuse and not returned.
//
// A [Cron] says when something recurs, in the local time of a zone; a [Calendar] reads them from text. The zones are whatever
// its owner loads.
//
// The design of the wheel is scheme 7 of G. Varghese and T. Lauck, "Hashed and Hierarchical Timing Wheels: Data Structures for the
// Efficient Implementation of a Timer Facility" (SOSP 1987), with two differences: a bitmap a level finds the next
// occupied slot, so that time leaps from one to the next instead of ticking, and a timer's level follows from the
// highest bit in which its deadline differs from the present, which keeps timers of one millisecond in order.
package schedule
