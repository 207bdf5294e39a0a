package footprint

import (
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Watch logs a line (see [Log]) whenever the process gets SIGUSR1, until stop is called. stop waits for the line that is
// being written.
func Watch(log *slog.Logger) (stop func()) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	var ended sync.WaitGroup
	ended.Go(func() {
		for range asked {
			Log(log)
		}
	})
	return func() {
		signal.Stop(asked)
		close(asked)
		ended.Wait()
	}
}

// Log logs one line "runtime", at level info. The counts go from the start of the process: the difference of two lines is
// what happened between. It stops the process for some 20 µs, so that the counts are exact.
func Log(log *slog.Logger) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	log.Info("runtime",
		"mallocs", m.Mallocs,
		"frees", m.Frees,
		"allocated_bytes", m.TotalAlloc,
		"heap_bytes", m.HeapInuse,
		"stack_bytes", m.StackInuse,
		"system_bytes", m.Sys,
		"gc_cycles", m.NumGC,
		"gc_pauses", time.Duration(m.PauseTotalNs),
		"goroutines", runtime.NumGoroutine(),
	)
}
