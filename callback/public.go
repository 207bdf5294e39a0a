package callback

import "net/netip"

// special4 are the IPv4 addresses that are not anybody's on the Internet: IANA's registry of special-purpose addresses, and
// multicast. One more is public by its number only.
var special4 = prefixes(
	"0.0.0.0/8",        // this network, RFC 791
	"10.0.0.0/8",       // private, RFC 1918
	"100.64.0.0/10",    // shared by a carrier's customers, RFC 6598
	"127.0.0.0/8",      // loopback
	"169.254.0.0/16",   // link-local, RFC 3927; clouds answer with their secrets there
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // protocol assignments, RFC 6890
	"192.0.2.0/24",     // documentation, RFC 5737
	"192.31.196.0/24",  // AS112, RFC 7535
	"192.52.193.0/24",  // AMT, RFC 7450
	"192.88.99.0/24",   // relays of 6to4, RFC 7526
	"192.168.0.0/16",   // private
	"192.175.48.0/24",  // AS112, RFC 7534
	"198.18.0.0/15",    // benchmarks, RFC 2544
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"224.0.0.0/4",      // multicast, RFC 5771
	"240.0.0.0/4",      // reserved, and broadcast
	"168.63.129.16/32", // Azure's platform, as its machines see it
)

// global6 are the IPv6 addresses that are given out at all (RFC 4291, 2.4): what is outside of it is loopback, unspecified,
// unique-local, link-local, site-local, multicast, or holds an IPv4 address.
var global6 = netip.MustParsePrefix("2000::/3")

// special6 are those of global6 that are not anybody's on the Internet.
var special6 = prefixes(
	"2001::/23",         // protocol assignments, RFC 2928; with Teredo, which holds an IPv4 address
	"2001:db8::/32",     // documentation, RFC 3849
	"2002::/16",         // 6to4, which holds an IPv4 address, RFC 3056
	"2620:4f:8000::/48", // AS112, RFC 7534
	"3fff::/20",         // documentation, RFC 9637
)

// nat64 is where a network without IPv4 reaches it (RFC 6052, 2.1): the last four bytes are the address. Prefixes of a
// network's own cannot be told from any other address.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// public tells whether an address is one that the Internet at large can reach. It has no zone, and is not mapped.
func public(addr netip.Addr) bool {
	if nat64.Contains(addr) {
		b := addr.As16()
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	special := special4
	if addr.Is6() {
		if !global6.Contains(addr) {
			return false
		}
		special = special6
	}
	for _, p := range special {
		if p.Contains(addr) {
			return false
		}
	}
	return addr.IsValid()
}
