package dispatch_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"workman/dispatch"
)

// heap is how many bytes of it are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// borrowers ask for leases, each with names of its own or with those of all others.
type borrowers struct {
	stepper
	refused int
}

func newBorrowers(t *testing.T, cfg dispatch.Config) *borrowers {
	t.Helper()
	d, err := dispatch.New(cfg, rand.NewChaCha8([32]byte{1}), dispatch.Now{Mono: 1, Wall: 1})
	if err != nil {
		t.Fatal(err)
	}
	return &borrowers{stepper: stepper{d: d}}
}

// ask has so many ask, who wait for a minute if there is nothing.
func (b *borrowers) ask(n int, names func(i int) string) {
	for i := range n {
		b.base = append(b.base[:0], names(i)...)
		b.step(dispatch.MakeConn(1, uint32(i), 1), dispatch.Event{
			Kind: dispatch.TakeLease, Body: dispatch.Span{Len: uint32(len(b.base))}, Count: 1, At: 60_000, Token: dispatch.Token{Secret: 60_000},
		})
		for _, e := range b.batch.Effects {
			if e.Kind == dispatch.Refused {
				b.refused++
			}
		}
		b.batch.Reset()
	}
}

// TestLentInMemory: what a task that is lent takes beside what it takes anyway.
func TestLentInMemory(t *testing.T) {
	const lent = 100_000
	for _, names := range []int{1, 100} {
		b := newBorrowers(t, dispatch.DefaultConfig())
		b.wait(2 * lent)
		text := "others\n"
		for i := range names - 1 {
			text += fmt.Sprintf("name-%d\n", i)
		}
		b.ask(1, func(int) string { return text }) // so that what there is of the names is not counted
		before := heap()
		b.ask(lent-1, func(int) string { return text })
		each := (heap() - before) / lent
		t.Logf("%d names: %d bytes each", names, each)
		if each > 1152 { // as main reckons
			t.Errorf("%d names: %d bytes each", names, each)
		}
		if got := b.d.Stats().Leased; got != lent || b.refused > 0 {
			t.Fatalf("%d are lent, %d refused", got, b.refused)
		}
		b.ask(lent, func(int) string { return text })
		if want := lent - (125_000 - lent); b.refused != want {
			t.Errorf("%d more are refused, want %d: an eighth of the tasks may be lent", b.refused, want)
		}
		runtime.KeepAlive(b)
	}
}

// TestWaitingInMemory: what requests for a lease take that wait, all with names of their own.
func TestWaitingInMemory(t *testing.T) {
	cfg := dispatch.DefaultConfig()
	for _, names := range []int{1, 100} {
		b := newBorrowers(t, cfg)
		before := heap()
		b.ask(cfg.Leases, func(i int) (text string) {
			for n := range names {
				text += fmt.Sprintf("n-%d\n", (i*31+n*977)%cfg.MaxNames)
			}
			return text
		})
		took := (heap() - before) >> 20
		t.Logf("%d names: %d MiB, %d refused", names, took, b.refused)
		if took > 48 || b.refused != cfg.Leases-min(cfg.Leases, cfg.LeaseNames/names) {
			t.Errorf("%d names: %d MiB, %d refused", names, took, b.refused)
		}
		runtime.KeepAlive(b)
	}
}
