package callback

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Source knows the runs whose callback is not done. Its methods are called from several goroutines at once, and may wait
// for a disk.
type Source interface {
	// Outcome is where to send what for a run. ok is false if there is nothing to send any more: Done was called for it,
	// or the run is gone. After an error the run is asked for again later. The pool does not keep the document.
	Outcome(run [16]byte) (url string, document []byte, ok bool, err error)
	// Waiting lists at most limit runs whose callback is not done: those behind after, in ascending order. There are no
	// more when it lists none.
	Waiting(after [16]byte, limit int) ([][16]byte, error)
}

// Config is what a [Pool] needs to know.
type Config struct {
	Workers    int // calls at once
	PerHost    int // of these, calls to one host
	MaxWaiting int // runs in memory, those that are being called for included

	Attempts   int           // calls for one run, until one is answered with 2xx
	FirstDelay time.Duration // the longest time between the first call and the second; it doubles with each
	MaxDelay   time.Duration // the longest time between two calls, also if Retry-After asks for more
	Timeout    time.Duration // of one call, from the look-up of the name to the end of the answer
	Rescan     time.Duration // between two beginnings of reading the Source, if something was left to it

	MaxResponse int64    // bytes read of an answer's body; nothing is done with them
	Secrets     [][]byte // each signs every call; there are two while one replaces the other. None: calls are not signed

	Access   Access
	Roots    *x509.CertPool // who vouches for https; nil: whom the machine trusts
	Resolver *net.Resolver  // nil: the machine's. Tests put one here that lies

	Source Source
	// Done is told how it ended: delivered, or given up. status is that of the last answer, 0 if there was none; detail
	// says in words why it was given up. When Done returns, Source must not say ok for this run any more. It is called
	// from several goroutines at once. A run that Close cuts off is not told: it is found in the Source at the next start.
	Done func(run [16]byte, delivered bool, status int, detail string)

	Log *slog.Logger // may be nil
}

// DefaultConfig is right for most. Source and Done are the caller's to set.
func DefaultConfig() Config {
	return Config{
		Workers:     16,
		PerHost:     4,
		MaxWaiting:  1 << 16,
		Attempts:    10,
		FirstDelay:  time.Second,
		MaxDelay:    time.Hour,
		Timeout:     15 * time.Second,
		Rescan:      10 * time.Second,
		MaxResponse: 16 << 10,
	}
}

// ErrConfig is returned when a configuration cannot work.
var ErrConfig = errors.New("callback: bad configuration")

func (c *Config) validate() error {
	for _, b := range []struct {
		name      string
		v, lo, hi int64
	}{
		{"Workers", int64(c.Workers), 1, 1 << 12}, {"PerHost", int64(c.PerHost), 1, int64(c.Workers)},
		{"MaxWaiting", int64(c.MaxWaiting), 1, 1 << 24}, {"Attempts", int64(c.Attempts), 1, 1000},
		{"MaxDelay", int64(c.MaxDelay), 1, 1 << 60}, {"FirstDelay", int64(c.FirstDelay), 1, int64(c.MaxDelay)},
		{"Timeout", int64(c.Timeout), 1, 1 << 60}, {"Rescan", int64(c.Rescan), 1, 1 << 60},
		{"MaxResponse", c.MaxResponse, 0, 1 << 30},
	} {
		if b.v < b.lo || b.v > b.hi {
			return fmt.Errorf("%w: %s is %d, and must be from %d to %d", ErrConfig, b.name, b.v, b.lo, b.hi)
		}
	}
	for i, s := range c.Secrets {
		if len(s) < minSecret || len(s) > maxSecret {
			return fmt.Errorf("%w: secret %d has %d bytes, and must have %d to %d", ErrConfig, i+1, len(s), minSecret, maxSecret)
		}
	}
	switch {
	case c.Source == nil:
		return fmt.Errorf("%w: Source is nil, so nothing would be known of any run", ErrConfig)
	case c.Done == nil:
		return fmt.Errorf("%w: Done is nil, so runs would be called for without end", ErrConfig)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c.Access.validate()
}
