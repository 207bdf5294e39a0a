package reactor

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"workman/protocol"
)

// listen opens the listeners for a host and a port. "localhost" is both loopback addresses, where the machine has both,
// on the same port.
func listen(host string, port int) ([]net.Listener, error) {
	if host != "localhost" {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return nil, explainListen(host, port, err)
		}
		return []net.Listener{l}, nil
	}
	var ls []net.Listener
	var first error
	for _, address := range []string{"127.0.0.1", "::1"} {
		l, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
		switch {
		case err == nil:
			ls = append(ls, l)
			port = l.Addr().(*net.TCPAddr).Port
		case errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT):
			first = err // a machine without one of the two is fine
		default:
			for _, l := range ls {
				_ = l.Close()
			}
			return nil, explainListen(address, port, err)
		}
	}
	if len(ls) == 0 {
		return nil, explainListen(host, port, first)
	}
	return ls, nil
}

func explainListen(host string, port int, err error) error {
	hint := "set HOST (--host) to an address of this machine"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = "another program has it: end that, or set PORT (--port) to another"
	case errors.Is(err, syscall.EACCES):
		hint = "ports below 1024 need rights: set PORT (--port) to another"
	}
	return fmt.Errorf("reactor: listen on %s: %w (%s)", net.JoinHostPort(host, strconv.Itoa(port)), err, hint)
}

// accept takes connections from one listener and gives each to an event loop, until the listener is closed. Running out
// of descriptors or memory stops neither: it waits a little and goes on.
func (s *Server) accept(l net.Listener) {
	defer s.work.Done()
	wait := time.Duration(0)
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			if wait = s.rest(wait, err); wait < 0 {
				return
			}
			continue
		}
		if err := s.admit(c); err != nil {
			if wait = s.rest(wait, err); wait < 0 {
				return
			}
			continue
		}
		wait = 0
	}
}

// rest waits a little, longer each time, since a connection could not be taken; it returns how long, or -1 if the server
// is closed meanwhile. Who comes now waits with the kernel.
func (s *Server) rest(wait time.Duration, err error) time.Duration {
	wait = min(max(2*wait, 5*time.Millisecond), time.Second)
	s.cfg.Log.Warn("cannot accept connections, trying again", "error", err, "in", wait)
	select {
	case <-time.After(wait):
		return wait
	case <-s.stop:
		return -1
	}
}

// full is what a connection beyond the limit is told. It has not asked anything yet, so this is written unasked and the
// connection ends; a client that sends a request reads it as its answer.
var full = func() []byte {
	body := protocol.AppendProblem(nil, http.StatusServiceUnavailable, protocol.ProblemTooManyRequests,
		"the server has as many connections as it may have (--max-conns); close some, or try again in a moment")
	head := fmt.Sprintf("HTTP/1.1 503 Service Unavailable\r\nContent-Type: %s\r\nContent-Length: %d\r\n"+
		"Retry-After: 1\r\nConnection: close\r\n\r\n", protocol.ProblemType, len(body))
	return append([]byte(head), body...)
}()

// admit gives a connection to an event loop. It fails if the process lacks what a connection takes, and the connection is
// closed then.
func (s *Server) admit(c net.Conn) error {
	if s.conns.Add(1) > int64(s.cfg.MaxConns) {
		s.conns.Add(-1)
		s.refused.Add(1)
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = c.Write(full)
		_ = c.Close()
		return nil
	}
	if t, ok := c.(*net.TCPConn); ok {
		if err := tuneTCP(t, s.cfg.UserTime); err != nil {
			s.cfg.Log.Debug("cannot set socket options", "error", err)
		}
	}
	if _, err := s.client.Enroll(c); err != nil {
		s.conns.Add(-1)
		return err
	}
	return nil
}

// tuneTCP makes the kernel find peers that are gone: those that do not acknowledge what is sent, and silent ones by
// probes. A process that is busy and reads nothing is not gone: its kernel answers for it.
func tuneTCP(c *net.TCPConn, user time.Duration) error {
	err := c.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable: true, Idle: user, Interval: max(user/4, time.Second), Count: 4,
	})
	if err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var opt error
	if err := raw.Control(func(fd uintptr) {
		opt = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(user.Milliseconds()))
	}); err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt TCP_USER_TIMEOUT", opt)
}
