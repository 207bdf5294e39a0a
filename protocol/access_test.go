package protocol_test

import (
	"strings"
	"testing"

	"workman/protocol"
)

// Requirements 18 and 19, and design.md, In the open.
func TestAccess(t *testing.T) {
	loopback := protocol.Access{Loopback: true, Hosts: []string{"Work.Example"}, Origins: []string{"https://dash.example", "http://localhost:3000"}}
	wide := loopback
	wide.Loopback = false
	const post, get, ws, head, options = "POST", "GET", "WS", "HEAD", "OPTIONS"
	for _, c := range []struct {
		access       protocol.Access
		method, head string
		want         int
	}{
		// DNS rebinding.
		{loopback, get, "Host: localhost", 200},
		{loopback, get, "Host: LOCALHOST:1234", 200},
		{loopback, get, "Host: 127.0.0.1:9999", 200},
		{loopback, get, "Host: 127.255.1.2", 200},
		{loopback, get, "Host: [::1]:9999", 200},
		{loopback, get, "Host: [0:0:0:0:0:0:0:1]", 200},
		{loopback, get, "Host: [::ffff:127.0.0.1]", 200},
		{loopback, get, "Host: work.example:80", 200},
		{loopback, get, "Host: evil.example", 421},
		{loopback, post, "Host: evil.example:9999", 421},
		{loopback, ws, "Host: evil.example:9999", 421},
		{loopback, get, "Host: localhost.evil.example", 421},
		{loopback, get, "Host: 127.0.0.1.evil.example", 421},
		{loopback, get, "Host: 127.0.0.1evil", 421},
		{loopback, get, "Host: 127.1", 421},
		{loopback, get, "Host: 127.0.0.01", 421},
		{loopback, get, "Host: 127.0.0.256", 421},
		{loopback, get, "Host: 0.0.0.0", 421},
		{loopback, get, "Host: 192.168.1.5", 421},
		{loopback, get, "Host: [::2]", 421},
		{loopback, get, "Host: [fe80::1%eth0]", 421},
		{loopback, get, "Host: xwork.example", 421},
		// Bound wider, programs may use any name, and browsers those that are known.
		{wide, get, "Host: evil.example", 200},
		{wide, post, "Host: container-7:9999\r\nUser-Agent: curl/8.5.0", 200},
		{wide, get, "Host: evil.example\r\nUser-Agent: Mozilla/5.0 (X11)", 421},
		{wide, get, "Host: evil.example\r\nSec-Fetch-Site: none", 421},
		{wide, get, "Host: evil.example\r\nSec-Fetch-Mode: cors", 421},
		{wide, get, "Host: evil.example\r\nSec-Fetch-Dest: image", 421},
		{wide, ws, "Host: evil.example\r\nOrigin: http://evil.example", 421},
		{wide, get, "Host: 192.168.1.5:9999\r\nUser-Agent: Mozilla/5.0", 200},
		{wide, get, "Host: [2001:db8::1]\r\nUser-Agent: Mozilla/5.0", 200},
		{wide, get, "Host: work.example\r\nUser-Agent: Mozilla/5.0", 200},
		{wide, get, "Host: localhost\r\nUser-Agent: Mozilla/5.0", 200},
		// Origin.
		{loopback, ws, "Host: localhost:9999", 101},
		{loopback, ws, "Host: localhost:9999\r\nOrigin: http://localhost:9999", 101},
		{loopback, ws, "Host: localhost:9999\r\nOrigin: http://evil.example", 403},
		{loopback, ws, "Host: localhost:9999\r\nOrigin: http://localhost:8080", 403},
		{loopback, ws, "Host: localhost:9999\r\nOrigin: http://localhost", 403},
		{loopback, ws, "Host: localhost:9999\r\nOrigin: http://127.0.0.1:9999", 403},
		{loopback, ws, "Host: localhost:9999\r\nOrigin: null", 403},
		{loopback, ws, "Host: localhost:9999\r\nOrigin:", 403},
		{loopback, ws, "Host: localhost:9999\r\nOrigin: file://", 403},
		{loopback, ws, "Host: localhost:9999\r\nOrigin: chrome-extension://localhost:9999", 403},
		{loopback, ws, "Host: localhost:9999\r\nOrigin: http://localhost:9999/", 403},
		{loopback, ws, "Host: localhost:9999\r\nOrigin: http://localhost:3000", 101},
		{loopback, ws, "Host: localhost:9999\r\nOrigin: https://dash.example", 101},
		{loopback, ws, "Host: localhost:9999\r\nOrigin: http://dash.example", 403},
		{loopback, ws, "Host: localhost:9999\r\nOrigin: https://dash.example:444", 403},
		{loopback, post, "Host: localhost\r\nOrigin: http://localhost", 200},
		{loopback, post, "Host: localhost:80\r\nOrigin: http://localhost", 200},
		{loopback, post, "Host: work.example\r\nOrigin: https://work.example", 200},
		{loopback, post, "Host: work.example:443\r\nOrigin: https://work.example", 200},
		{loopback, post, "Host: work.example:80\r\nOrigin: https://work.example", 403},
		{loopback, post, "Host: localhost\r\nOrigin: null", 403},
		{loopback, post, "Host: localhost\r\nOrigin: http://evil.example", 403},
		{loopback, get, "Host: localhost\r\nOrigin: http://evil.example", 403},
		{loopback, options, "Host: localhost\r\nOrigin: http://evil.example", 403},
		{wide, post, "Host: 10.0.0.1:9999\r\nOrigin: http://10.0.0.1:9999", 200},
		{wide, post, "Host: 10.0.0.1:9999\r\nOrigin: http://evil.example", 403},
		// Sec-Fetch-Site.
		{loopback, post, "Host: localhost\r\nSec-Fetch-Site: same-origin", 200},
		{loopback, get, "Host: localhost\r\nSec-Fetch-Site: none", 200},
		{loopback, get, "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image", 403},
		{loopback, get, "Host: localhost\r\nSec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: script", 403},
		{loopback, get, "Host: localhost\r\nSec-Fetch-Site: new-thing", 403},
		{loopback, get, "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document", 200},
		{loopback, get, "Host: localhost\r\nSec-Fetch-Site: same-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document", 200},
		{loopback, get, "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe", 403},
		{loopback, post, "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document", 403},
		{loopback, ws, "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: websocket\r\nSec-Fetch-Dest: empty", 403},
		{loopback, post, "Host: localhost:9\r\nOrigin: http://localhost:3000\r\nSec-Fetch-Site: same-site\r\nSec-Fetch-Mode: cors", 200},
		{loopback, post, "Host: localhost\r\nOrigin: https://dash.example\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors", 200},
		{loopback, post, "Host: localhost\r\nOrigin: http://localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors", 403},
		{loopback, head, "Host: localhost\r\nSec-Fetch-Site: cross-site", 403},
	} {
		r := newRig(t, func(cfg *protocol.Config) { cfg.Access = c.access })
		in := c.method + " / HTTP/1.1\r\n" + c.head + "\r\n\r\n"
		if c.method == ws {
			in = strings.Replace(handshake, "Host: localhost:9999", c.head, 1)
		}
		out := r.feed(in)
		if status(out) != c.want {
			t.Errorf("%v %s %q: %d, want %d", c.access.Loopback, c.method, c.head, status(out), c.want)
		}
		if c.want > 400 && (len(r.svc.calls) > 0 || c.method != head && !strings.Contains(out, "WORKMAN_")) {
			t.Errorf("%s %q: %q, %q", c.method, c.head, r.svc.calls, out)
		}
	}
}

func TestAccessWithoutHost(t *testing.T) {
	for _, c := range []struct {
		head string
		want int
	}{
		{"", 200},
		{"User-Agent: Mozilla/5.0\r\n", 421},
		{"Origin: http://localhost\r\n", 421},
	} {
		r := newRig(t, nil)
		if out := r.feed("GET / HTTP/1.0\r\n" + c.head + "\r\n"); status(out) != c.want {
			t.Errorf("%q: %q", c.head, out)
		}
	}
}

// RFC 9112 3.2.2: the authority of an absolute target is whom the request is for, for access too. A Host beside it that
// says otherwise is refused, since whoever stands in front may have looked at that.
func TestAccessOfAbsoluteTarget(t *testing.T) {
	r := newRig(t, nil)
	if out := r.feed("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n"); status(out) != 421 {
		t.Errorf("%q", out)
	}
	r = newRig(t, nil)
	if out := r.feed("GET http://localhost/ HTTP/1.1\r\nHost: LOCALHOST\r\n\r\n"); status(out) != 200 {
		t.Errorf("%q", out)
	}
	for _, target := range []string{"http://localhost/", "http://evil.example/"} {
		other := map[string]string{"http://localhost/": "evil.example", "http://evil.example/": "localhost"}[target]
		r = newRig(t, nil)
		if out := r.feed("GET " + target + " HTTP/1.1\r\nHost: " + other + "\r\n\r\n"); status(out) != 400 {
			t.Errorf("%s, Host %s: %q", target, other, out)
		}
	}
}
