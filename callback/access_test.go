package callback_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"workman/callback"
)

// private are addresses that callbacks must not reach, each for a reason of its own.
var private = strings.Fields(`
	0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255
	192.0.0.192 192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1 192.168.1.1 192.175.48.1 198.18.0.1 198.19.255.255 198.51.100.1
	203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16
	:: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1
	64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b:1::8.8.8.8 100::1 2001::1 2001:2::1 2001:db8::1
	2002:7f00:1::1 2002:808:808::1 2620:4f:8000::1 3fff::1 4000::1 5f00::1
	fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1`)

// others are public, and right beside those.
var others = strings.Fields(`
	1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 169.253.255.255 169.255.0.0
	172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255
	168.63.129.15 168.63.129.17 ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2000::1 2001:200::1 2001:db7:: 2001:db9:: 2003::1
	2606:4700:4700::1111 2620:4f:7fff:: 2a00:1450::1 3ffe::1`)

func TestPublicAddresses(t *testing.T) {
	for _, text := range private {
		if callback.Public(netip.MustParseAddr(text).Unmap()) {
			t.Errorf("%s counts as public", text)
		}
	}
	for _, text := range others {
		if !callback.Public(netip.MustParseAddr(text).Unmap()) {
			t.Errorf("%s does not count as public", text)
		}
	}
}

// bracketed writes an address as URLs do.
func bracketed(addr string) string {
	if strings.Contains(addr, ":") {
		return "[" + addr + "]"
	}
	return addr
}

// TestCheckURL: what is refused when a run comes in, and with which words.
func TestCheckURL(t *testing.T) {
	var a callback.Access
	for _, good := range append([]string{
		"http://example.com", "https://example.com/", "HTTPS://Example.COM:8443/a%20b?c=d#e", "http://example.com./", "http://xn--bcher-kva.example",
		"http://bücher.example/", "http://1.example/", "http://0x.example", "http://example.com:1", "http://example.com:65535",
		"http://example.com/" + strings.Repeat("x", 2048-len("http://example.com/")),
	}, hosts(others)...) {
		if err := a.CheckURL(good); err != nil {
			t.Errorf("%.80s: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"":                                `scheme is ""`,
		"example.com":                     `scheme is ""`,
		"//example.com/":                  `scheme is ""`,
		"ftp://example.com/":              `scheme is "ftp"`,
		"file:///etc/passwd":              `scheme is "file"`,
		"gopher://example.com/":           `scheme is "gopher"`,
		"http:example.com":                "no host",
		"http:///x":                       "no host",
		"http://:80/":                     "no host",
		"http://u@example.com/":           "a user",
		"http://u:secret@example.com/":    "a user",
		"http://@example.com/":            "a user",
		"http://example.com:0/":           "port is 0",
		"http://example.com:65536/":       "port is 65536",
		"http://example.com:80x/":         "cannot be read",
		"http://example.com/\n":           "cannot be read",
		"http://exa mple.com/":            "cannot be read",
		"http://example.com\\@127.0.0.1/": "cannot be read",
		"http://[::1/":                    "cannot be read",
		"http://localhost/":               "this machine",
		"http://LOCALHOST.:80/":           "this machine",
		"http://a.localhost/":             "this machine",
		"http://2130706433/":              "neither",
		"http://0x7f000001/":              "neither",
		"http://0x7f.1/":                  "neither",
		"http://127.1/":                   "neither",
		"http://0177.0.0.1/":              "neither",
		"http://127.0.0.1./":              "neither",
		"http://./":                       "neither",
		"http://[fe80::1%25eth0]/":        "not a public address",
		"http://example.com/" + strings.Repeat("x", 2049-len("http://example.com/")): "2049 bytes",
	} {
		err := a.CheckURL(bad)
		if !errors.Is(err, callback.ErrRefused) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%.80s: %v, want %s", bad, err, want)
		}
	}
	for _, bad := range hosts(private) {
		if err := a.CheckURL(bad); !errors.Is(err, callback.ErrRefused) || !strings.Contains(err.Error(), "not a public address") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func hosts(addrs []string) (urls []string) {
	for _, addr := range addrs {
		urls = append(urls, "http://"+bracketed(addr)+"/")
	}
	return urls
}

// TestCheckURLAllows: what the configuration lets through, and no more.
func TestCheckURLAllows(t *testing.T) {
	for _, c := range []struct {
		a         callback.Access
		good, bad []string
	}{
		{callback.Access{AllowPrivate: true}, append(hosts(private), "http://localhost/"), []string{"http://2130706433/", "ftp://10.0.0.1/", "http://u@10.0.0.1/"}},
		{callback.Access{AllowHosts: []string{"Hooks.localhost", "10.0.0.1", "fd00::1"}},
			[]string{"http://hooks.localhost./", "http://hooks.LOCALHOST:8080/", "http://10.0.0.1/", "http://[fd00::1]/"},
			[]string{"http://localhost/", "http://a.hooks.localhost/", "http://10.0.0.2/", "http://[fd00::2]/"}},
		{callback.Access{AllowPrefixes: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00:1::/32"), netip.MustParsePrefix("fe80::/10")}},
			[]string{"http://10.1.255.1/", "http://[::ffff:10.1.0.1]/", "http://[fd00:1::1]/", "http://[fe80::1%25eth0]/"},
			[]string{"http://10.2.0.1/", "http://[fd00:2::1]/", "http://localhost/"}},
	} {
		for _, u := range c.good {
			if err := c.a.CheckURL(u); err != nil {
				t.Errorf("%s with %+v: %v", u, c.a, err)
			}
		}
		for _, u := range c.bad {
			if err := c.a.CheckURL(u); err == nil {
				t.Errorf("%s with %+v passes", u, c.a)
			}
		}
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, u := range []string{"http://example.com/", "http://127.1/", "http://[::ffff:7f00:1]/", "http://a@b/"} {
		f.Add(u)
	}
	f.Fuzz(func(t *testing.T, u string) {
		var none callback.Access
		all := callback.Access{AllowPrivate: true}
		if none.CheckURL(u) == nil && all.CheckURL(u) != nil {
			t.Errorf("%q passes the strict way only", u)
		}
	})
}
