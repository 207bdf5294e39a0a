// Package footprint tells what the process itself uses: what Go's runtime has allocated, holds and collects. It knows
// nothing of tasks, so that workman and bench/echo tell it alike.
//
// The goroutine of [Watch] waits for signals until its owner, who called it, stops it.
package footprint
