package conform

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// Config says which worker to check, and how.
type Config struct {
	Binary string // path of workman
	// Command starts the worker. {url}, {host} and {port} in it are where it is to connect: {url} is the whole address,
	// ws://127.0.0.1:PORT/worker. In its environment are WORKMAN_URL, without the path as in examples/, HOST and PORT.
	Command []string
	Timeout time.Duration // how long the worker may take for each step; 0: 10 s
	// Long waits for what takes long: whether a worker without Hello notices a connection that has gone silent.
	Long bool
	// Progress is a terminal, which gets a bar while Run lasts; nil: none.
	Progress io.Writer
}

const (
	minTimeout = 500 * time.Millisecond
	maxTimeout = 10 * time.Minute
)

// ErrCommand is returned when the worker's command cannot be run.
var ErrCommand = errors.New("conform: the worker cannot be started")

// validate sets the defaults, and returns an error that says what to change.
func (c *Config) validate() error {
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Timeout < minTimeout || c.Timeout > maxTimeout {
		return fmt.Errorf("--timeout is %v, and must be from %v to %v", c.Timeout, minTimeout, maxTimeout)
	}
	if len(c.Command) == 0 || c.Command[0] == "" {
		return fmt.Errorf("%w: there is no command; say it after --: workman check-worker -- node worker.js", ErrCommand)
	}
	if _, err := exec.LookPath(c.Command[0]); err != nil {
		return fmt.Errorf("%w: %w", ErrCommand, err)
	}
	return nil
}
