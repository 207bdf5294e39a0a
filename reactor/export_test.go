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

// AgeSlot makes the first connection of a loop the last one that its slot's generations can count. It is called before there are
// any.
func (l *Loop) AgeSlot() {
	l.conns, l.gens, l.free = append(l.conns, nil), append(l.gens, 1<<32-2), append(l.free, 0)
}
