package footprint_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"workman/footprint"
)

// line is what is logged, as far as it is looked at.
type line struct {
	Msg        string
	Mallocs    int64
	Frees      int64
	Allocated  int64 `json:"allocated_bytes"`
	Heap       int64 `json:"heap_bytes"`
	Stack      int64 `json:"stack_bytes"`
	System     int64 `json:"system_bytes"`
	Goroutines int
}

// written passes on what is written to it.
type written chan []byte

func (w written) Write(b []byte) (int, error) {
	w <- bytes.Clone(b)
	return len(b), nil
}

func decode(t *testing.T, text []byte) (l line) {
	t.Helper()
	if err := json.Unmarshal(text, &l); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return l
}

var sink []*[64]byte

func TestAllocationsAreCounted(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&b, nil))
	footprint.Log(log)
	before := decode(t, b.Bytes())
	const n = 1000
	for range n {
		sink = append(sink, new([64]byte))
	}
	b.Reset()
	footprint.Log(log)
	after := decode(t, b.Bytes())
	if more := after.Mallocs - before.Mallocs; more < n || more > 2*n {
		t.Errorf("%d allocations are told as %d", n, more)
	}
	if more := after.Allocated - before.Allocated; more < 64*n || more > 640*n {
		t.Errorf("%d bytes are told as %d", 64*n, more)
	}
	if before.Msg != "runtime" || before.Frees > before.Mallocs || before.Goroutines < 1 || before.Stack < 1024 ||
		before.Heap < 1024 || before.System < before.Heap+before.Stack {
		t.Errorf("%+v", before)
	}
}

func TestWatchAnswersSignalsUntilItIsStopped(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreAnyFunction("os/signal.loop"))
	lines := make(written, 1)
	stop := footprint.Watch(slog.New(slog.NewJSONHandler(lines, nil)))
	for range 3 {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		if l := decode(t, <-lines); l.Mallocs < 1 {
			t.Errorf("%+v", l)
		}
	}
	stop()
}
