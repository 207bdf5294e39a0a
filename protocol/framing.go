package protocol

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"workman/dispatch"
)

// Config bounds what a peer can make a session hold. Sizes are in bytes.
type Config struct {
	MaxHeader    int    // a request's head, from the method to the empty line; also the trailers of a chunked body
	MaxTarget    int    // a request's target; at least 256 less than MaxHeader
	MaxBody      int    // a request's body
	MaxMessage   int    // a WebSocket message, all its fragments together
	MaxPipelined int    // requests of one connection that are not answered yet
	MaxFragments int    // fragments of one message, beside one for each 16 bytes of it
	MaxControls  int    // control frames between two messages, or two calls of Session.Ping
	CheckUTF8    bool   // text is checked here; off when the service's decoder does it (RFC 6455 8.1)
	Access       Access // who may ask

	// What workers are told with Hello, in whole milliseconds.
	Heartbeat time.Duration // after how long a silence the server pings a connection
	Grace     time.Duration // how long a session that lost its connection keeps its tasks
}

// DefaultConfig is right for most.
func DefaultConfig() Config {
	return Config{
		MaxHeader:    16 << 10,
		MaxTarget:    8 << 10,
		MaxBody:      16 << 20,
		MaxMessage:   16 << 20,
		MaxPipelined: 1024,
		MaxFragments: 1024,
		MaxControls:  1024,
		CheckUTF8:    true,
		Access:       Access{Loopback: true},
		Heartbeat:    30 * time.Second,
		Grace:        5 * time.Second,
	}
}

// ErrConfig is returned when a configuration cannot work.
var ErrConfig = errors.New("protocol: bad configuration")

func (c *Config) validate() error {
	for _, b := range []struct {
		name   string
		v      int
		lo, hi int
	}{
		{"MaxHeader", c.MaxHeader, 512, 1 << 20}, {"MaxTarget", c.MaxTarget, 1, c.MaxHeader - 256},
		{"MaxBody", c.MaxBody, 0, 1 << 30}, {"MaxMessage", c.MaxMessage, 0, 1 << 30},
		{"MaxPipelined", c.MaxPipelined, 1, 1 << 20}, {"MaxFragments", c.MaxFragments, 1, 1 << 30},
		{"MaxControls", c.MaxControls, 1, math.MaxUint16 - 1},
	} {
		if b.v < b.lo || b.v > b.hi {
			return fmt.Errorf("%w: %s is %d, and must be from %d to %d", ErrConfig, b.name, b.v, b.lo, b.hi)
		}
	}
	return c.Access.prepare()
}

// Framing is what the sessions of one event loop share: configuration, scratch space and spare buffers, so that each
// of them can be small.
type Framing struct {
	cfg  Config
	host Host
	svc  Service

	head    head // of the request that is being looked at
	request Request
	header  fasthttp.RequestHeader
	source  bytes.Reader
	reader  *bufio.Reader
	problem []byte
	run     []byte // a run on its way into an answer
	body    []byte // a message that is being made

	bodyTooLarge, targetTooLong, headTooLarge, trailersTooLarge, tooMany refusal

	messageTooBig string

	opening opening // of the last task handed out
	early   []early
	lease   leased

	spare     [len(classes)][][]byte
	exchanges []*exchange
}

// NewFraming returns what the sessions of one event loop share. It fails with [ErrConfig].
func NewFraming(cfg Config, host Host, svc Service) (*Framing, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	f := &Framing{cfg: cfg, host: host, svc: svc}
	f.reader = bufio.NewReaderSize(&f.source, cfg.MaxHeader)
	f.bodyTooLarge = refusal{status: fasthttp.StatusRequestEntityTooLarge, typ: ProblemBodyTooLarge,
		detail: "a body may have at most " + strconv.Itoa(cfg.MaxBody) + " bytes"}
	f.targetTooLong = refusal{status: fasthttp.StatusRequestURITooLong, typ: ProblemTargetTooLong,
		detail: "a request's target may have at most " + strconv.Itoa(cfg.MaxTarget) + " bytes"}
	f.headTooLarge = refusal{status: fasthttp.StatusRequestHeaderFieldsTooLarge, typ: ProblemHeadTooLarge,
		detail: "a request's head may have at most " + strconv.Itoa(cfg.MaxHeader) + " bytes"}
	f.trailersTooLarge = refusal{status: fasthttp.StatusRequestHeaderFieldsTooLarge, typ: ProblemHeadTooLarge,
		detail: "chunk extensions and trailers may have at most " + strconv.Itoa(cfg.MaxHeader) + " bytes"}
	f.tooMany = refusal{status: fasthttp.StatusServiceUnavailable, typ: ProblemTooManyRequests, extra: "Retry-After: 1\r\n",
		detail: "a connection may have at most " + strconv.Itoa(cfg.MaxPipelined) + " requests unanswered"}
	f.messageTooBig = "a message may have at most " + strconv.Itoa(cfg.MaxMessage) + " bytes"
	return f, nil
}

// Start makes s, which may be part of something larger, a new session.
func (f *Framing) Start(s *Session, id dispatch.Conn) { *s = Session{ID: id, f: f} }
