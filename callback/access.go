package callback

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Access says what callbacks may reach. Its zero value allows public addresses and nothing else.
type Access struct {
	AllowPrivate  bool           // everything
	AllowHosts    []string       // these names or addresses, whatever they resolve to; without a port
	AllowPrefixes []netip.Prefix // these addresses, beside the public ones
}

// maxURL is how many bytes a URL may have.
const maxURL = 2048

// ErrRefused is returned for a URL, or an address, that callbacks may not reach.
var ErrRefused = errors.New("callback: refused")

func (a *Access) validate() error {
	for _, h := range a.AllowHosts {
		if _, err := netip.ParseAddr(h); err != nil && (h == "" || strings.ContainsAny(h, ":/@ []")) {
			return fmt.Errorf("%w: the allowed host %q must be a name or an address, without scheme, port or brackets", ErrConfig, h)
		}
	}
	for _, p := range a.AllowPrefixes {
		if !p.IsValid() || p.Addr().Is4In6() {
			return fmt.Errorf("%w: the allowed prefix %v must be like 10.1.0.0/16 or fd00:1::/32", ErrConfig, p)
		}
	}
	return nil
}

// CheckURL tells whether a callback may be sent to a URL, as far as can be told without a name server: the rest is checked
// when it is dialled. The error wraps ErrRefused, says what to do, and does not repeat the URL, which may hold secrets. It
// may be called from any goroutine, and does not wait.
func (a *Access) CheckURL(text string) error {
	_, err := a.parse(text)
	return err
}

func (a *Access) parse(text string) (*url.URL, error) {
	if len(text) > maxURL {
		return nil, fmt.Errorf("%w: the URL has %d bytes, and %d is the most", ErrRefused, len(text), maxURL)
	}
	u, err := url.Parse(text)
	if err != nil {
		var why *url.Error
		if errors.As(err, &why) {
			err = why.Err
		}
		return nil, fmt.Errorf("%w: the URL cannot be read: %w", ErrRefused, err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%w: the URL's scheme is %q, and must be http or https", ErrRefused, u.Scheme)
	case u.User != nil:
		return nil, fmt.Errorf("%w: the URL holds a user or a password: leave it out, and check the signature", ErrRefused)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%w: the URL names no host", ErrRefused)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("%w: the URL's port is %s, and must be from 1 to 65535", ErrRefused, port)
		}
	}
	return u, a.checkHost(u.Hostname())
}

// checkHost looks at a name or an address as it is written.
func (a *Access) checkHost(host string) error {
	if a.allowsHost(host) {
		return nil
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return a.checkAddr(addr)
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch {
	case last == "localhost" && !a.AllowPrivate: // RFC 6761, 6.3
		return fmt.Errorf("%w: %q is this machine, which callbacks may not reach unless the server's configuration allows it", ErrRefused, host)
	case last == "" || strings.HasPrefix(last, "0x") || strings.Trim(last, "0123456789") == "":
		return fmt.Errorf("%w: %q is neither a name nor an address: write addresses as four numbers, or in brackets", ErrRefused, host)
	}
	return nil
}

// allowsHost tells whether a host's addresses need not be looked at.
func (a *Access) allowsHost(host string) bool {
	if a.AllowPrivate {
		return false // it is the addresses that are allowed
	}
	for _, h := range a.AllowHosts {
		if strings.EqualFold(strings.TrimSuffix(h, "."), strings.TrimSuffix(host, ".")) {
			return true
		}
	}
	return false
}

// checkAddr looks at an address that is about to be dialled.
func (a *Access) checkAddr(addr netip.Addr) error {
	addr = addr.WithZone("").Unmap()
	if a.AllowPrivate || public(addr) {
		return nil
	}
	for _, p := range a.AllowPrefixes {
		if p.Contains(addr) {
			return nil
		}
	}
	return fmt.Errorf("%w: %v is not a public address, and callbacks may reach others only if the server's configuration allows it", ErrRefused, addr)
}
