package protocol

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"github.com/valyala/fasthttp"
)

// Access says which requests are let in by what their heads tell. It keeps web pages from using a server that only
// their visitor can reach, be it by name (DNS rebinding) or by address. It is no authentication.
type Access struct {
	Loopback bool     // bound to loopback only: every request must name the server in a way that is known
	Hosts    []string // names, without port, that the server may be called by beside localhost and addresses
	Origins  []string // origins of pages that may use the server beside its own, as scheme://host[:port]
}

// prepare brings the names into the form that they are compared in.
func (a *Access) prepare() error {
	hosts, origins := a.Hosts, a.Origins
	a.Hosts, a.Origins = nil, nil
	for _, host := range hosts {
		host = strings.ToLower(host)
		if _, port := splitAuthority([]byte(host)); !isAuthority([]byte(host)) || port != nil {
			return fmt.Errorf("%w: Hosts: %q is not a name without a port", ErrConfig, host)
		}
		a.Hosts = append(a.Hosts, host)
	}
	for _, origin := range origins {
		origin = strings.ToLower(origin)
		if scheme, authority, ok := cutOrigin([]byte(origin)); !ok || !isAuthority(withoutDefaultPort(scheme, authority)) {
			return fmt.Errorf("%w: Origins: %q is not of the form https://name or http://name:port", ErrConfig, origin)
		}
		a.Origins = append(a.Origins, origin)
	}
	return nil
}

var (
	wrongHost = &refusal{status: fasthttp.StatusMisdirectedRequest, typ: ProblemHost,
		detail: "the Host of this request is not a name that the server is known by; " +
			"WORKMAN_HOSTS or --hosts lists the names beside localhost and addresses that it may be called by"}
	wrongOrigin = &refusal{status: fasthttp.StatusForbidden, typ: ProblemOrigin,
		detail: "the page that made this request is of another origin; " +
			"WORKMAN_ORIGINS or --origins lists those that may use the server"}
	wrongSite = &refusal{status: fasthttp.StatusForbidden, typ: ProblemCrossSite,
		detail: "a page of another site made this request; " +
			"WORKMAN_ORIGINS or --origins lists the origins that may use the server"}
)

// check refuses what a web page must not do. The rules:
//   - Bound to loopback, the authority asked for must be localhost, a loopback address or a configured name. Bound
//     wider, the same, and any address, holds for requests that a browser made; others may use any name. A request
//     without an authority (HTTP/1.0) was not made by a browser.
//   - Origin, where there is one, must be the server's own or configured. This holds for every method: pages of others
//     could not read the answer to a GET anyway, as nothing here sends CORS fields.
//   - Sec-Fetch-Site must be same-origin or none, but for plain navigations (links in a chat must open) and for
//     configured origins. same-site is refused like cross-site: another port of localhost is the same site.
func (a *Access) check(h *head) *refusal {
	browser := h.browser || h.has(fieldOrigin) || h.has(fieldSite) || h.has(fieldMode) || h.has(fieldDest)
	if (a.Loopback || browser) && !a.knows(h.authority, browser) {
		return wrongHost
	}
	if !browser {
		return nil
	}
	if h.has(fieldOrigin) {
		origin := h.value[fieldOrigin]
		if a.allows(origin) {
			return nil
		}
		if !isOwn(origin, h.authority) {
			return wrongOrigin
		}
	}
	if h.has(fieldSite) {
		site := h.value[fieldSite]
		if string(site) != "same-origin" && string(site) != "none" && !h.navigates() {
			return wrongSite
		}
	}
	return nil
}

// navigates tells whether a person followed a link (or a page made its window do so): that changes nothing.
func (h *head) navigates() bool {
	return string(h.method) == "GET" && string(h.value[fieldMode]) == "navigate" &&
		string(h.value[fieldDest]) == "document"
}

// knows tells whether the server may be called by this authority.
func (a *Access) knows(authority []byte, browser bool) bool {
	if authority == nil {
		return !browser
	}
	host, _ := splitAuthority(authority)
	if fold(host, "localhost") {
		return true
	}
	for _, name := range a.Hosts {
		if fold(host, name) {
			return true
		}
	}
	addr, ok := parseIPv4(host)
	if !ok {
		addr, ok = parseIPv6(host)
	}
	return ok && (!a.Loopback || addr.IsLoopback())
}

func (a *Access) allows(origin []byte) bool {
	for _, allowed := range a.Origins {
		if fold(origin, allowed) {
			return true
		}
	}
	return false
}

// isOwn tells whether an origin (RFC 6454) names the host and port that were asked for. Behind a proxy that speaks TLS
// the page's scheme is https and ours is not: either will do.
func isOwn(origin, authority []byte) bool {
	scheme, theirs, ok := cutOrigin(origin)
	if !ok {
		return false
	}
	return bytes.EqualFold(withoutDefaultPort(scheme, theirs), withoutDefaultPort(scheme, authority))
}

// cutOrigin splits scheme://authority; scheme is http or https.
func cutOrigin(origin []byte) (scheme string, authority []byte, ok bool) {
	for _, scheme := range [...]string{"http", "https"} {
		n := len(scheme) + len("://")
		if len(origin) > n && fold(origin[:len(scheme)], scheme) && string(origin[len(scheme):n]) == "://" {
			return scheme, origin[n:], true
		}
	}
	return "", nil, false
}

func withoutDefaultPort(scheme string, authority []byte) []byte {
	host, port := splitAuthority(authority)
	if len(port) == 0 || scheme == "http" && string(port) == "80" || scheme == "https" && string(port) == "443" {
		return host
	}
	return authority
}

// parseIPv4 reads four decimal numbers, the only form that browsers leave in a Host. It does not allocate.
func parseIPv4(b []byte) (netip.Addr, bool) {
	var ip [4]byte
	for i := range ip {
		n, digits := 0, 0
		for ; digits < len(b) && isDigit(b[digits]) && digits < 4; digits++ {
			n = n*10 + int(b[digits]-'0')
		}
		if digits == 0 || n > 255 || digits > 1 && b[0] == '0' {
			return netip.Addr{}, false
		}
		ip[i] = byte(n)
		if b = b[digits:]; i < 3 {
			if len(b) == 0 || b[0] != '.' {
				return netip.Addr{}, false
			}
			b = b[1:]
		}
	}
	return netip.AddrFrom4(ip), len(b) == 0
}

// parseIPv6 reads an address in brackets.
func parseIPv6(b []byte) (netip.Addr, bool) {
	n := len(b)
	switch {
	case n < 4 || b[0] != '[' || b[n-1] != ']':
		return netip.Addr{}, false
	case string(b) == "[::1]": // without allocating
		return netip.IPv6Loopback(), true
	}
	addr, err := netip.ParseAddr(string(b[1 : n-1]))
	return addr, err == nil && addr.Is6()
}
