// Package schedule tells time's story to the dispatcher: which of many deadlines have passed, in order, and when the
// next one comes. It is pure: it has no clock, no goroutine and no I/O. Nothing in it is safe for use from more than
// one goroutine at a time; the dispatcher's one writer is who calls it.
package schedule
