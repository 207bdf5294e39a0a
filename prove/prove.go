package prove

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"
)

// Who puts load on the server.
const (
	httpProducers = 4
	askers        = 4
	visitors      = 2
	schedulers    = 2
	workers       = 6
)

// Run proves. The Report has what was found so far also if there is an error: ErrEnded and ErrNotEmpty, an error of
// Config, or the context's. Faults are no error; see Report.Good.
func Run(ctx context.Context, c Config) (Report, error) {
	began := time.Now()
	if err := c.validate(); err != nil {
		return Report{}, err
	}
	book := NewBook()
	s, err := newServer(c, book)
	if err != nil {
		return Report{}, err
	}
	defer s.log.Close()
	err = s.prove(ctx, c)
	r := book.Report()
	r.Seed, r.Dir, r.Took = c.Seed, c.Dir, time.Since(began)
	if err != nil {
		r.Stopped = err.Error()
	}
	if c.temporary && r.Good() {
		err = os.RemoveAll(c.Dir)
	}
	return r, err
}

// errSilent is why producers give up.
var errSilent = errors.New("the server did not answer in time")

// prove kills the server under load, then waits, kills it once more, and asks for every run.
func (s *server) prove(ctx context.Context, c Config) error {
	ctx, s.fail = context.WithCancelCause(ctx)
	load, quiet := context.WithCancel(ctx)
	progress := newProgress(c, s.book)
	defer progress.close()
	asking, giveUp := context.WithCancelCause(ctx)
	producers, workers := s.producers(asking, load, c), s.workers(ctx, load, c)
	defer func() {
		s.fail(nil) // first the clients: a server that ends before them would be blamed
		producers.Wait()
		workers.Wait()
		quiet()
		giveUp(nil)
		s.stop()
	}()

	if err := s.harm(ctx, c, progress); err != nil {
		return err
	}
	progress.phase("waiting for all to finish")
	quiet()
	late := time.AfterFunc(c.Settle, func() { giveUp(errSilent) })
	producers.Wait()
	late.Stop()
	if err := s.settle(ctx, c.Settle); err != nil {
		return err
	}
	progress.phase("killed a last time, asking for every run")
	if err := s.kill(); err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	return s.audit(ctx)
}

// harm kills the server as planned. It leaves one that is up.
func (s *server) harm(ctx context.Context, c Config, progress *progress) error {
	plan := newPlan(c)
	for kills := 0; ; kills++ {
		if err := s.start(); err != nil {
			return err
		}
		after, fromReady := plan.life()
		if fromReady || kills == c.Kills {
			if err := s.ready(ctx); err != nil {
				return err
			}
		}
		if !sleep(ctx, after) {
			return context.Cause(ctx)
		}
		if kills == c.Kills {
			return nil
		}
		if fromReady {
			plan.aim(ctx, s.book.Begun())
		}
		if err := s.kill(); err != nil {
			return err
		}
		progress.killed()
	}
}

// producers starts whoever asks for something. They end some time after load.
func (s *server) producers(ctx, load context.Context, c Config) *sync.WaitGroup {
	var all sync.WaitGroup
	paced := func(of int) pace {
		return pace{interval: time.Duration(of) * time.Second / time.Duration(c.Rate), next: time.Now()}
	}
	for i := range httpProducers {
		p := &httpProducer{caller: newCaller(s), rand: newRand(c.Seed, partProducer+uint64(i)), pace: paced(httpProducers + askers)}
		all.Go(func() { p.run(ctx, load) })
	}
	for i := range askers {
		p := &asker{server: s, book: s.book, open: map[int]asked{},
			rand: newRand(c.Seed, partProducer+httpProducers+uint64(i)), pace: paced(httpProducers + askers)}
		all.Go(func() { p.run(ctx, load) })
	}
	for i := range visitors {
		v := &visitor{caller: newCaller(s), rand: newRand(c.Seed, partVisitor+uint64(i)), pace: paced(4 * visitors)}
		all.Go(func() { v.run(ctx, load) })
	}
	for i := range uint64(schedulers) {
		p := &scheduler{caller: newCaller(s), rand: newRand(c.Seed, partRules+i), pace: pace{interval: ruleEvery, next: time.Now()}}
		all.Go(func() { p.run(ctx, load) })
	}
	return &all
}

// workers starts them, every other one of the old protocol. They end with ctx.
func (s *server) workers(ctx, load context.Context, c Config) *sync.WaitGroup {
	var all sync.WaitGroup
	for i := range uint64(workers) {
		w := &worker{server: s, book: s.book, hello: i%2 == 1, mean: c.mean(),
			rand: newRand(c.Seed, partWorker+i), cuts: newRand(c.Seed, partCuts+i)}
		all.Go(func() { w.run(ctx, load) })
	}
	return &all
}
