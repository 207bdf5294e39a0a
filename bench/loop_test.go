package main

import (
	"sync/atomic"
	"syscall"
	"testing"
)

// talker answers whatever it gets with two messages.
type talker struct{ mask mask }

func (p talker) open(out []byte, _ int64) []byte { return out }
func (p talker) String() string                  { return "talker" }
func (p talker) receive(data, out []byte, _ int64) (used int, _ []byte, err error) {
	return len(data), p.mask.appendFrame(p.mask.appendFrame(out, opText, "one"), opText, "the other"), nil
}

// TestWrites: what a read brings is answered by one write, or by one for each message. The socket keeps writes apart.
func TestWrites(t *testing.T) {
	for single, want := range map[bool][]int{false: {6 + len("one") + 6 + len("the other")}, true: {6 + len("one"), 6 + len("the other")}} {
		ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		l, err := newLoop(new(atomic.Int32), 1)
		if err != nil {
			t.Fatal(err)
		}
		l.add(socket{fd: ends[0]}, talker{newMask(1)})
		l.conns[0].single = single
		if _, err := syscall.Write(ends[1], []byte("go on")); err != nil {
			t.Fatal(err)
		}
		if err := l.serve(0); err != nil {
			t.Fatal(err)
		}
		var b [100]byte
		for i, n := range want {
			if got, err := syscall.Read(ends[1], b[:]); got != n || err != nil {
				t.Errorf("single %v: write %d is %d bytes, %v; want %d", single, i, got, err, n)
			}
		}
		if err := syscall.SetNonblock(ends[1], true); err != nil {
			t.Fatal(err)
		}
		if n, err := syscall.Read(ends[1], b[:]); err != syscall.EAGAIN {
			t.Errorf("single %v: there is a write more, of %d bytes (%v)", single, n, err)
		}
		l.close()
		_ = syscall.Close(ends[1])
	}
}
