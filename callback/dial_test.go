package callback_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// liar is a name server that says of every name what it is told to: one list after the other, and then the last again.
type liar struct {
	mu    sync.Mutex
	lists [][]netip.Addr
	asked int
}

// resolver asks the liar, over UDP as usual.
func (l *liar) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = server.WriteTo(l.answer(buf[:n]), from)
		}
	})
	t.Cleanup(func() {
		_ = server.Close()
		served.Wait()
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// answer is a DNS message (RFC 1035, 4): the question again, and a record for each address of its type.
func (l *liar) answer(question []byte) []byte {
	end := 12
	for question[end] != 0 {
		end += 1 + int(question[end])
	}
	kind := binary.BigEndian.Uint16(question[end+1:])
	out := append([]byte{}, question[:end+5]...)
	copy(out[2:12], []byte{0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	for _, addr := range l.next(kind == 1) {
		if raw := addr.AsSlice(); addr.Is4() == (kind == 1) && (kind == 1 || kind == 28) {
			out[7]++
			out = append(out, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(len(raw)))
			out = append(out, raw...)
		}
	}
	return out
}

// next is the list at this time. A and AAAA are asked at once; only A counts.
func (l *liar) next(counts bool) []netip.Addr {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.lists[min(l.asked, len(l.lists)-1)]
	if counts {
		l.asked++
	}
	return list
}

func addrs(texts ...string) (list []netip.Addr) {
	for _, text := range texts {
		list = append(list, netip.MustParseAddr(text))
	}
	return list
}

const notPublic = "the host's address is not a public one, and callbacks may reach others only if the server's configuration allows it"

// port is that of a URL.
func port(url string) string { return url[strings.LastIndexByte(url, ':'):] }

// TestDialledAddressIsChecked: whatever a name resolves to.
func TestDialledAddressIsChecked(t *testing.T) {
	s, got := receiver(t, statuses(200))
	for _, addr := range private {
		b := newBook()
		c := config(b)
		c.Access.AllowPrefixes, c.Attempts = nil, 1
		c.Resolver = (&liar{lists: [][]netip.Addr{addrs(addr)}}).resolver(t)
		start(t, c).Add(b.write(1, "http://hooks.example"+port(s.URL)))
		if o := b.next(t); o != (outcome{1, false, 0, notPublic}) {
			t.Errorf("%s: %+v", addr, o)
		}
	}
	if len(got) > 0 {
		t.Error("a request came through")
	}
}

// TestRebinding: a name that was good once, and is not any more.
func TestRebinding(t *testing.T) {
	s, got := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(500)
	})
	b := newBook()
	c := config(b)
	c.Attempts = 3
	c.Resolver = (&liar{lists: [][]netip.Addr{addrs("127.0.0.1"), addrs("127.0.0.2")}}).resolver(t)
	start(t, c).Add(b.write(1, "http://hooks.example"+port(s.URL)))
	if o := b.next(t); o != (outcome{1, false, 0, notPublic}) {
		t.Errorf("%+v", o)
	}
	if len(got) != 1 {
		t.Errorf("%d requests came through", len(got))
	}
}

// TestNoProxy: the environment's (see TestMain) would see every call, and dial for us what we must not. Calls to loopback
// by number would not show it: they are never given to a proxy.
func TestNoProxy(t *testing.T) {
	s, got := receiver(t, statuses(200))
	b := newBook()
	c := config(b)
	c.Access.AllowPrefixes, c.Access.AllowHosts = nil, []string{"hooks.example"}
	c.Resolver = (&liar{lists: [][]netip.Addr{addrs("127.0.0.1")}}).resolver(t)
	start(t, c).Add(b.write(1, "http://hooks.example"+port(s.URL)))
	if o := b.next(t); !o.delivered {
		t.Fatalf("%+v", o)
	}
	if r := <-got; r.Host != "hooks.example"+port(s.URL) {
		t.Error(r.Host)
	}
}

// TestUnknownName: what is said about it names no server of ours.
func TestUnknownName(t *testing.T) {
	b := newBook()
	c := config(b)
	c.Attempts = 1
	c.Resolver = (&liar{lists: [][]netip.Addr{nil}}).resolver(t)
	p := start(t, c)
	p.Add(b.write(1, "http://hooks.example/"))
	if o := b.next(t); o != (outcome{1, false, 0, "the host's name is not known"}) {
		t.Errorf("%+v", o)
	}
	c.Resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errDisk }}
	p = start(t, c)
	p.Add(b.write(2, "http://hooks.example/"))
	if o := b.next(t); o != (outcome{2, false, 0, "the host's name could not be looked up"}) {
		t.Errorf("%+v", o)
	}
}

// TestConfigurationHasChanged: what was allowed when the run came in is refused at once when it is not any more.
func TestConfigurationHasChanged(t *testing.T) {
	b := newBook()
	c := config(b)
	c.FirstDelay, c.MaxDelay = time.Hour, time.Hour
	start(t, c).Add(b.write(1, "http://10.0.0.1/"))
	if o := b.next(t); o.delivered || !strings.Contains(o.detail, "10.0.0.1 is not a public address") {
		t.Errorf("%+v", o)
	}
}
