package prove

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// Config says what to prove and how long.
type Config struct {
	Binary string // path of the workman to prove
	// Dir is a folder for the server's data and its log; made if there is none, refused if anything is in it. If it is empty
	// a new one is made under the working directory, and removed again if all is well.
	Dir    string
	For    time.Duration // how long there is load, recoveries not counted; 0: a minute
	Kills  int           // of the server, spread over For; 0: one every two seconds
	Seed   uint64        // of what to ask for and when to kill; 0: any, which the report names
	Rate   int           // requests a second; 0: 300
	Settle time.Duration // how long all that was promised may take to finish after the load; 0: a minute
	Flags  []string      // more flags for the server
	Killed func() error  // called after each kill, before the server is started again; nil: nothing. A power cut may be acted there
	// Progress is a terminal, which gets a bar while Run lasts; nil: none.
	Progress io.Writer

	temporary bool // Dir was made up
}

const (
	minFor  = time.Second
	maxFor  = 12 * time.Hour // runs are kept for a day
	maxRuns = 10_000_000     // requests of one Run: the book has about 500 bytes for each
	// minBetween is the shortest time between kills on average: below it nothing would be done.
	minBetween = 200 * time.Millisecond
)

// validate sets the defaults, and returns an error that says what to change.
func (c *Config) validate() error {
	if c.For == 0 {
		c.For = time.Minute
	}
	if c.Kills == 0 {
		c.Kills = max(1, int(c.For/(2*time.Second)))
	}
	if c.Rate == 0 {
		c.Rate = 300
	}
	if c.Settle == 0 {
		c.Settle = time.Minute
	}
	for c.Seed == 0 {
		c.Seed = rand.Uint64()
	}
	switch {
	case c.For < minFor || c.For > maxFor:
		return fmt.Errorf("prove for %v: it must be from %v to %v", c.For, minFor, maxFor)
	case c.Kills < 1 || time.Duration(c.Kills)*minBetween > c.For:
		return fmt.Errorf("%d kills in %v: it must be from 1 to %d, one every %v at most", c.Kills, c.For, c.For/minBetween, minBetween)
	case c.Rate < 1 || float64(c.Rate)*c.For.Seconds() > maxRuns:
		return fmt.Errorf("%d requests a second for %v: it must be at least 1, and %d in all at most", c.Rate, c.For, maxRuns)
	case c.Settle < time.Second:
		return fmt.Errorf("%v to settle: it must be at least %v", c.Settle, time.Second)
	}
	return c.folder()
}

// mean is how long a server lives on average, and a worker's connection.
func (c *Config) mean() time.Duration { return c.For / time.Duration(c.Kills) }

// ErrNotEmpty is returned when the folder to prove in has something in it, which prove will not touch.
var ErrNotEmpty = errors.New("prove: the folder is not empty")

// folder makes the folder, or sees that it is empty.
func (c *Config) folder() error {
	if c.Dir == "" {
		made, err := os.MkdirTemp(".", "workman-prove-")
		if err != nil {
			return fmt.Errorf("make a folder to prove in: %w", err)
		}
		if made, err = filepath.Abs(made); err != nil {
			return fmt.Errorf("make a folder to prove in: %w", err)
		}
		c.Dir, c.temporary = made, true
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return fmt.Errorf("make a folder to prove in: %w", err)
	}
	there, err := os.ReadDir(c.Dir)
	if err != nil {
		return fmt.Errorf("look into the folder to prove in: %w", err)
	}
	if len(there) > 0 {
		return fmt.Errorf("%w: %s has %s in it; name one that is empty or does not exist: the server will be killed on it",
			ErrNotEmpty, c.Dir, there[0].Name())
	}
	return nil
}
