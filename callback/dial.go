package callback

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// maxHead is how many bytes the head of an answer may have.
const maxHead = 16 << 10

// dialer makes the connections of a pool, and ends them with it.
type dialer struct {
	ctx    context.Context // of the pool
	access *Access
	net.Dialer
}

// newTransport is the client side of HTTP/1.1, without proxies, and with connections that are kept for a while.
func newTransport(ctx context.Context, cfg *Config) *http.Transport {
	d := &dialer{ctx: ctx, access: &cfg.Access, Dialer: net.Dialer{Timeout: cfg.Timeout, Resolver: cfg.Resolver}}
	return &http.Transport{
		DialContext:            d.dial,
		TLSClientConfig:        &tls.Config{RootCAs: cfg.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    cfg.Timeout,
		MaxResponseHeaderBytes: maxHead,
		MaxIdleConns:           cfg.Workers,
		MaxIdleConnsPerHost:    cfg.PerHost,
		IdleConnTimeout:        30 * time.Second,
		DisableCompression:     true, // the body is not looked at
	}
}

// dial connects. The transport dials on goroutines that outlive their request, so it is the pool's context that ends what
// is under way.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.ctx, cancel)()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("callback: reading the address %q: %w", address, err)
	}
	dialer := d.Dialer
	if !d.access.allowsHost(host) {
		dialer.Control = d.control
	}
	c, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, free: context.AfterFunc(d.ctx, func() { c.Close() })}, nil
}

// control is called with each address right before it is dialled: what name it has, and what that meant a moment ago, does
// not matter any more.
func (d *dialer) control(network, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s %q is not an address", ErrRefused, network, address)
	}
	return d.access.checkAddr(a.Addr())
}

// conn is a connection that ends with the pool.
type conn struct {
	net.Conn
	free func() bool // the pool need not remember it
}

// Close ends it earlier.
func (c *conn) Close() error {
	c.free()
	return c.Conn.Close()
}
