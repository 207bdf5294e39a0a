package reactor

import "workman/dispatch"

// PanicAs makes as if running what a connection said had panicked while a loop held the dispatcher; -1 is the timer.
func (t *Tasks) PanicAs(loop int, from dispatch.Conn, p any) {
	if loop < 0 {
		t.timer.Panicked(from, p)
		return
	}
	t.ends[loop].Panicked(from, p)
}

// NextAsked takes the next input that people or the server ask the dispatcher, in place of a timer that was not started.
func (t *Tasks) NextAsked() dispatch.Input { return <-t.timer.asks }
