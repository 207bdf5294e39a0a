package conform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// startTime is how long a server may take until it listens.
const startTime = 30 * time.Second

// ErrServer is returned when no server can be had to check a worker with.
var ErrServer = errors.New("conform: there is no server to check with")

// server is a process of workman, in memory only, on a port of its own choice.
type server struct {
	*process
	addr string
}

func startServer(ctx context.Context, binary string) (*server, error) {
	listening := make(chan string, 1)
	watch := func(line string) {
		var said struct {
			Msg       string
			Addresses []string
		}
		if json.Unmarshal([]byte(line), &said) == nil && strings.Contains(said.Msg, "listening") && len(said.Addresses) > 0 {
			select {
			case listening <- strings.TrimPrefix(said.Addresses[0], "http://"):
			default:
			}
		}
	}
	p, err := start(environment(), watch, binary, "serve", "--memory", "--host", "localhost", "--port", "0", "--log-format", "json", "--drain", "1s")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrServer, err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	select {
	case addr := <-listening:
		return (&server{p, addr}).ready(ctx)
	case <-p.ended:
		return nil, fmt.Errorf("%w: %s has ended (%v); it said: %s", ErrServer, binary, p.cmd.ProcessState, p.said)
	case <-ctx.Done():
		p.kill()
		return nil, fmt.Errorf("%w: it does not say that it listens (%w); it said: %s", ErrServer, context.Cause(ctx), p.said)
	}
}

// ready waits until the server says it is.
func (s *server) ready(ctx context.Context) (*server, error) {
	p := newProducer(s.addr)
	for {
		a := p.ask(ctx, http.MethodGet, "/readyz", nil)
		if a.err == nil && a.status == http.StatusOK {
			return s, nil
		}
		if !sleep(ctx, 2*time.Millisecond) {
			s.kill()
			return nil, a.wrong("asked whether it is ready")
		}
	}
}

// freePort finds one that nobody listens on, and that no client gets for its own end while it is not listened on: systems
// take those from 32768 or 49152 on.
func freePort() (port string, err error) {
	for range 100 {
		port = strconv.Itoa(10_000 + rand.IntN(20_000))
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			return port, l.Close()
		}
	}
	return "", fmt.Errorf("find a free port: %w", err)
}
