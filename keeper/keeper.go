package keeper

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"workman/dispatch"
	"workman/store"
)

// Config is what a [Keeper] needs to know.
type Config struct {
	Store    store.Config // Told and Space are the keeper's
	Readers  int          // goroutines that answer the dispatcher's questions
	MaxLoads int          // questions that wait; more fail. The dispatcher asks no more than 256 at once
	Log      *slog.Logger // may be nil

	// Working is told when there begins to be something to store, and when there has been nothing for ten seconds. It is
	// called by one goroutine, and must not block. It may be nil.
	Working func(is bool)
}

// DefaultConfig is right for most. Readers wait for the disk more than they compute.
func DefaultConfig() Config {
	c := Config{Store: store.DefaultConfig(), Readers: 4, MaxLoads: 256}
	c.Store.Once = string([]byte{dispatch.TableQueue, dispatch.TableDue})
	c.Store.Filtered = string([]byte{dispatch.TableKeys})
	return c
}

// ErrConfig is returned when a configuration cannot work.
var ErrConfig = errors.New("keeper: bad configuration")

func (c *Config) validate() error {
	switch {
	case c.Readers < 1:
		return fmt.Errorf("%w: Readers is %d, and must be at least 1", ErrConfig, c.Readers)
	case c.MaxLoads < 1:
		return fmt.Errorf("%w: MaxLoads is %d, and must be at least 1", ErrConfig, c.MaxLoads)
	case c.Store.Told != nil:
		return fmt.Errorf("%w: Store.Told is set, and the keeper needs it itself", ErrConfig)
	}
	if c.Working == nil {
		c.Working = func(bool) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Submitter is the way to the dispatcher; reactor.Submitter is one. Submit reports false if stop was closed before it
// could pass the input on. Help runs what the dispatcher left over, and reports whether it had. No two goroutines use it at
// once.
type Submitter interface {
	Submit(in dispatch.Input, stop <-chan struct{}) bool
	Help() bool
}

// Keeper is an open store that a dispatcher is joined to. See the package's comment.
type Keeper struct {
	cfg   Config
	store *store.Store
	call  func(run [16]byte)

	base  uint64        // number of the store's last batch before the dispatcher's first
	kept  atomic.Uint64 // number of the dispatcher's last batch that the store took
	batch store.Batch   // scratch of whoever holds the dispatcher
	over  atomic.Bool   // nothing is kept any more

	news   news
	speech speech
	loads  chan question
	called chan [16]byte
	made   made
	stop   chan struct{}
	work   sync.WaitGroup
}

// Open opens the store in a folder, and creates it if there is none. The error is the store's, or ErrConfig.
func Open(dir string, cfg Config) (*Keeper, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	k := &Keeper{
		cfg:    cfg,
		call:   func([16]byte) {},
		loads:  make(chan question, cfg.MaxLoads),
		called: make(chan [16]byte, mostSaid),
		stop:   make(chan struct{}),
	}
	k.news.poke, k.news.last = make(chan struct{}, 1), never
	k.news.changed.L = &k.news.mu
	cfg.Store.Told, cfg.Store.Space = k.told, k.space
	var err error
	if k.store, err = store.Open(dir, cfg.Store); err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	return k, nil
}

// Start begins to answer the dispatcher. call is given each run whose callback is to be made, by whoever holds the
// dispatcher, so it must not block; it may be nil.
func (k *Keeper) Start(to Submitter, call func(run [16]byte)) {
	if call != nil {
		k.call = call
	}
	for range k.cfg.Readers {
		k.work.Go(k.read)
	}
	k.speakTo(to)
	k.work.Go(k.speak)
}

// Store is the store, for those who only read it.
func (k *Keeper) Store() *store.Store { return k.store }

// Close ends the keeper's goroutines, makes durable what was kept, and closes the store. The dispatcher has been stopped
// before, and who uses Store, Outcome and Waiting has ended. What is kept from now on is dropped. The error says what was
// not made durable.
func (k *Keeper) Close() error {
	k.over.Store(true)
	close(k.stop)
	k.work.Wait()
	return k.store.Close()
}
