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

// dialer makes the connections of a pool.
type dialer struct {
	access *Access
	net.Dialer
}

// newTransport is the client side of HTTP/1.1, without proxies, and with connections that are kept for a while.
func newTransport(cfg *Config) *http.Transport {
	d := &dialer{access: &cfg.Access, Dialer: net.Dialer{Timeout: cfg.Timeout, Resolver: cfg.Resolver}}
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

// dial connects. Only hosts that the configuration names are spared the check of their address.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("callback: reading the address %q: %w", address, err)
	}
	dialer := d.Dialer
	if !d.access.allowsHost(host) {
		dialer.Control = d.control
	}
	return dialer.DialContext(ctx, network, address)
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
