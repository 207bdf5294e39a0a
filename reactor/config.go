package reactor

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"workman/dispatch"
	"workman/protocol"
)

// Service is what serves the connections of one event loop. All of it is called on that loop.
type Service interface {
	protocol.Service
	// Flush is called at the end of each turn: what was collected is to be passed on. It may write to sessions.
	Flush()
	// Woken is called in a turn that Loop.Wake asked for.
	Woken()
	// SetSlow tells that a session does not read what it is sent, or reads again.
	SetSlow(s *protocol.Session, slow bool)
}

// Config is what a [Server] needs to know. Durations of 0 and sizes of 0 are refused.
type Config struct {
	Host     string // what to listen on; "localhost" is 127.0.0.1 and ::1, where the machine has both
	Port     int    // 0: a free one
	Loops    int    // event loops
	MaxConns int    // connections at once; more are answered 503 and closed

	SoftOut int // bytes that may wait for a peer to read before it gets no more tasks and nothing more is taken from it
	HardOut int // bytes that may wait for a peer to read before it is closed, beside one message of the largest size

	Budget  *dispatch.Budget // for the bytes that connections hold, shared with the dispatcher
	Reserve int64            // bytes beside it for output, when the budget is spent

	HeadTime  time.Duration // for a request's head to come, from its first byte
	QuietTime time.Duration // for the next byte of a body, or of anything once an answer waits to be read
	IdleTime  time.Duration // for an HTTP connection between requests
	CloseTime time.Duration // for the peer to end a connection that we are done with
	PingTime  time.Duration // between pings of a WebSocket
	UserTime  time.Duration // for a peer's kernel to acknowledge what was sent (TCP_USER_TIMEOUT)

	MinRate     int           // bytes a second, on the whole, at which a body or a message has to come
	RateTime    time.Duration // for a body that comes more slowly
	MessageTime time.Duration // for such a WebSocket message: a worker that computes sends nothing meanwhile, not even the rest of what it began

	Protocol protocol.Config
	Serve    func(l *Loop) Service
	Pages    http.Handler // answers the requests that Loop.Move takes off the loops; may be nil
	MaxPages int          // such requests at once
	Log      *slog.Logger
}

// DefaultConfig is right for most. Loops, MaxConns and Serve are the caller's to set: they depend on the machine.
func DefaultConfig() Config {
	return Config{
		Host:      "localhost",
		Port:      9999,
		Loops:     1,
		MaxConns:  1024,
		SoftOut:   1 << 20,
		HardOut:   16 << 20,
		HeadTime:  10 * time.Second,
		QuietTime: 30 * time.Second,
		IdleTime:  75 * time.Second,
		CloseTime: 2 * time.Second,
		PingTime:  30 * time.Second,
		UserTime:  30 * time.Second,

		MinRate:     1 << 10,
		RateTime:    10 * time.Second,
		MessageTime: 5 * time.Minute,

		Budget:   dispatch.NewBudget(1 << 30),
		Reserve:  256 << 20,
		Protocol: protocol.DefaultConfig(),
		MaxPages: 64,
		Log:      slog.New(slog.DiscardHandler),
	}
}

// ErrConfig is returned when a configuration cannot work.
var ErrConfig = errors.New("reactor: bad configuration")

func (c *Config) validate() error {
	for _, b := range []struct {
		name   string
		v      int64
		lo, hi int64
	}{
		{"Port", int64(c.Port), 0, 65535}, {"Loops", int64(c.Loops), 1, 255}, {"MaxConns", int64(c.MaxConns), 1, 1 << 24},
		{"MaxPages", int64(c.MaxPages), 1, 1 << 16},
		{"SoftOut", int64(c.SoftOut), 1, int64(c.HardOut)}, {"HardOut", int64(c.HardOut), 1, 1 << 40},
		{"HeadTime", int64(c.HeadTime), 1, 1 << 62}, {"QuietTime", int64(c.QuietTime), 1, 1 << 62},
		{"RateTime", int64(c.RateTime), 1, 1 << 62}, {"MinRate", int64(c.MinRate), 1, 1 << 30}, {"Reserve", c.Reserve, 0, 1 << 50},
		{"MessageTime", int64(c.MessageTime), 1, 1 << 62},
		{"IdleTime", int64(c.IdleTime), 1, 1 << 62}, {"CloseTime", int64(c.CloseTime), 1, 1 << 62},
		{"PingTime", int64(c.PingTime), 1, 1 << 62}, {"UserTime", int64(c.UserTime), 1, 1 << 62},
	} {
		if b.v < b.lo || b.v > b.hi {
			return fmt.Errorf("%w: %s is %d, and must be from %d to %d", ErrConfig, b.name, b.v, b.lo, b.hi)
		}
	}
	if c.Budget == nil {
		return fmt.Errorf("%w: Budget is nil, so nothing would bound the memory of connections", ErrConfig)
	}
	if c.Serve == nil {
		return fmt.Errorf("%w: Serve is nil, so nothing would answer", ErrConfig)
	}
	return nil
}
