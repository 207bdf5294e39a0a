package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"workman/callback"
	"workman/console"
	"workman/dispatch"
	"workman/keeper"
	"workman/store"
)

// open opens the store and tells the dispatcher what is in it; then the server takes what it is asked. A signal meanwhile
// ends the process at once: nothing has been accepted.
func (s *service) open(signals <-chan os.Signal) error {
	began, opened := time.Now(), s.endOn(signals)
	defer opened()
	s.said = began
	dir, cfg := s.o.Data, s.keeping()
	if s.o.Memory {
		dir = "memory"
	} else if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	s.log.Info("opening the store", "folder", dir, "durability", s.o.durability())
	var err error
	if s.keeper, err = keeper.Open(dir, cfg); err != nil {
		return err
	}
	calls := callback.DefaultConfig()
	calls.Source, calls.Log, calls.Access, calls.Secrets = s.keeper, s.log, s.o.access(), nil
	if calls.Secrets, err = s.o.secrets(); err != nil {
		return errors.Join(err, s.keeper.Close())
	}
	calls.Done = func(run [16]byte, delivered bool, status int, detail string) {
		if !delivered {
			s.log.Warn("a callback was given up", "run", dispatch.ID(run).String(), "status", status, "why", detail)
		}
		s.keeper.Called(run)
	}
	if s.calls, err = callback.New(calls); err != nil {
		return errors.Join(err, s.keeper.Close())
	}
	rows := 0
	s.combiner.Exclusive(func(d *dispatch.Dispatcher) {
		err = s.keeper.Restore(d, func(n int) { rows = n; s.progress("stored runs counted", int64(n), 0) })
		s.tasks.KeepWith(s.keeper)
	})
	if err != nil {
		return errors.Join(err, s.calls.Close(context.Background()), s.keeper.Close())
	}
	access := s.o.access()
	s.pages = console.New(console.Config{
		Tasks: s.tasks, Runs: s.tasks, Store: s.keeper.Store(), Backup: s.backup(), Local: s.server.Loopback(),
		CheckCallback: access.CheckURL,
	})
	debug.FreeOSMemory() // what the opening needed
	s.keeper.Start(s.tasks.Submitter(), s.calls.Add)
	opened() // from here on a signal drains
	s.tasks.Start()
	s.tasks.Starting("")
	s.log.Info("workman is ready", "folder", dir, "opened in", time.Since(began).Round(time.Millisecond), "rows", rows)
	return nil
}

// endOn ends the process at the first signal, until the function it returns has returned.
func (s *service) endOn(signals <-chan os.Signal) (stop func()) {
	stopping, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-signals:
			s.log.Info("ending while the store is being opened")
			os.Exit(0)
		case <-stopping:
		}
	}()
	return sync.OnceFunc(func() {
		close(stopping)
		<-stopped
	})
}

// progress says how far the opening is: to /readyz at once, and to the log now and then.
func (s *service) progress(what string, done, total int64) {
	how := fmt.Sprintf("%s: %d", what, done)
	if total > 0 {
		how = fmt.Sprintf("%s: %d of %d (%d %%)", what, done, total, done*100/total)
	}
	s.tasks.Starting(how)
	if now := time.Now(); now.Sub(s.said) > time.Second {
		s.said = now
		s.log.Info("opening the store", "so far", how)
	}
}

// keeping is how the store is to be kept.
func (s *service) keeping() keeper.Config {
	c := keeper.DefaultConfig()
	c.Log, c.Store.Log = s.log, s.log
	if s.o.Memory {
		m := store.MemoryConfig()
		c.Store.FS, c.Store.SegmentBytes, c.Store.CacheBytes = m.FS, 8<<20, m.CacheBytes
	}
	if s.files != nil {
		c.Store.FS = s.files
	}
	c.Store.Reserve = s.o.DiskReserve
	c.Store.Progress = func(done, total int64) { s.progress("bytes of the journal read", done, total) }
	c.Store.Async = s.o.Durability == "async"
	c.Working = spare
	c.Store.MaxPending = 1 << 30 // the dispatcher bounds it
	c.Store.Fatal = func(err error) {
		s.log.Error("the store can neither go on nor go back: the process ends; starting it again makes good what was under way", "error", err)
		os.Exit(1)
	}
	return c
}

// page shows what people look at.
func (s *service) page(w http.ResponseWriter, r *http.Request) { s.pages.ServeHTTP(w, r) }

// backup copies the store; nil if there is nothing on a disk.
func (s *service) backup() func(dir string) error {
	if s.o.Memory {
		return nil
	}
	return s.keeper.Store().Backup
}
