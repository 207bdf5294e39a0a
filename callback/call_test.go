package callback_test

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"workman/callback"
)

const wanted = "00000000-0000-0000-0000-000000000007" // the id of run 7

// TestDelivers: what is sent, and what is told.
func TestDelivers(t *testing.T) {
	s, got := receiver(t, statuses(204))
	b := newBook()
	c := config(b)
	c.Secrets = [][]byte{[]byte(strings.Repeat("new", 8)), []byte(strings.Repeat("old", 20))}
	before := time.Now().Unix()
	start(t, c).Add(b.write(7, s.URL+"/hook?team=blue#x"))
	r := <-got
	if r.Method != "POST" || r.RequestURI != "/hook?team=blue" || string(r.body) != string(document) || r.ContentLength != int64(len(document)) {
		t.Errorf("%s %s with %d bytes: %s", r.Method, r.RequestURI, r.ContentLength, r.body)
	}
	stamp := r.Header.Get("webhook-timestamp")
	if at, err := strconv.ParseInt(stamp, 10, 64); err != nil || at < before || at > time.Now().Unix() {
		t.Errorf("timestamp %q", stamp)
	}
	for name, want := range map[string]string{
		"Content-Type":      "application/json",
		"User-Agent":        "workman",
		"Webhook-Id":        wanted,
		"Webhook-Signature": callback.Sign(c.Secrets[:1], wanted, stamp, document) + " " + callback.Sign(c.Secrets[1:], wanted, stamp, document),
	} {
		if got := strings.Join(r.Header[name], "|"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if len(r.Header) != 6 { // Content-Length and the timestamp beside them
		t.Errorf("there are other fields: %v", r.Header)
	}
	if o := b.next(t); o != (outcome{7, true, 204, ""}) {
		t.Errorf("%+v", o)
	}
}

func TestUnsignedWithoutSecret(t *testing.T) {
	s, got := receiver(t, statuses(200))
	b := newBook()
	start(t, config(b)).Add(b.write(1, s.URL))
	if r := <-got; r.Header.Get("webhook-id") == "" || r.Header["Webhook-Signature"] != nil {
		t.Error(r.Header)
	}
}

// TestRetries: the same id, and no cookies, until it is delivered.
func TestRetries(t *testing.T) {
	var calls int
	s, got := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
		w.WriteHeader([]int{500, 404, 429, 201}[calls-1])
	})
	b := newBook()
	start(t, config(b)).Add(b.write(7, s.URL))
	if o := b.next(t); o != (outcome{7, true, 201, ""}) {
		t.Errorf("%+v", o)
	}
	for range 4 {
		if r := <-got; r.Header.Get("webhook-id") != wanted || r.Header["Cookie"] != nil {
			t.Error(r.Header)
		}
	}
}

// TestGivesUp: what is final, after how many calls, and what is said about it.
func TestGivesUp(t *testing.T) {
	elsewhere, reached := receiver(t, statuses(200))
	for _, c := range []struct {
		answer http.HandlerFunc
		calls  int
		status int
		detail string
	}{
		{statuses(500), 3, 500, "the answer was 500 Internal Server Error"},
		{statuses(599), 3, 599, "the answer was 599"},
		{statuses(500, 410), 2, 410, "the answer was 410 Gone"},
		{http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect).ServeHTTP, 3, 307, "the answer was 307 Temporary Redirect: redirects are not followed"},
		{func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, 3, 0, "EOF"},
		{func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }, 3, 0, "server response headers exceeded"},
		{func(w http.ResponseWriter, _ *http.Request) { reset(w) }, 3, 0, "connection reset by peer"},
		{func(w http.ResponseWriter, _ *http.Request) { raw(w, strings.Repeat("\xff", 9000)+"\r\n\r\n") }, 3, 0, "malformed HTTP response"},
		// Here a body has no end, since it is the connection.
		{func(w http.ResponseWriter, _ *http.Request) {
			raw(w, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
		}, 3, 101, "the answer was 101 Switching Protocols"},
	} {
		s, got := receiver(t, c.answer)
		b := newBook()
		cfg := config(b)
		cfg.Attempts = 3
		start(t, cfg).Add(b.write(1, s.URL))
		o := b.next(t)
		if o.delivered || o.status != c.status || !strings.Contains(o.detail, c.detail) || len(o.detail) > 256 || strings.Contains(o.detail, "127.") {
			t.Errorf("%+v, want %d %q", o, c.status, c.detail)
		}
		if len(got) != c.calls {
			t.Errorf("%d calls before %q, want %d", len(got), c.detail, c.calls)
		}
	}
	if len(reached) > 0 {
		t.Error("a redirect was followed")
	}
}

// raw writes what is no answer, or no usual one, and waits for the other end to close.
func raw(w http.ResponseWriter, text string) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = c.Write([]byte(text))
	_, _ = c.Read(make([]byte, 1))
	_ = c.Close()
}

// reset answers with nothing but RST.
func reset(w http.ResponseWriter) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// TestNobodyListens: what is said about it.
func TestNobodyListens(t *testing.T) {
	s := httptest.NewServer(statuses(200))
	s.Close()
	b := newBook()
	c := config(b)
	c.Attempts = 2
	start(t, c).Add(b.write(1, s.URL))
	if o := b.next(t); o != (outcome{1, false, 0, "the connection failed: connect: connection refused"}) {
		t.Errorf("%+v", o)
	}
}

// TestRetryAfterIsHonoured: within the cap, and whatever chance says.
func TestRetryAfterIsHonoured(t *testing.T) {
	s, got := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(503)
	})
	b := newBook()
	c := config(b)
	c.FirstDelay, c.MaxDelay, c.Attempts = 1, 50*time.Millisecond, 2
	start(t, c).Add(b.write(1, s.URL))
	b.next(t)
	if first, second := <-got, <-got; second.at.Sub(first.at) < c.MaxDelay {
		t.Errorf("called again after %v", second.at.Sub(first.at))
	}
}

func TestTimeout(t *testing.T) {
	s, _ := receiver(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	b := newBook()
	c := config(b)
	c.Timeout, c.Attempts = 20*time.Millisecond, 2
	start(t, c).Add(b.write(1, s.URL))
	if o := b.next(t); o != (outcome{1, false, 0, "there was no answer within 20ms"}) {
		t.Errorf("%+v", o)
	}
}

// TestEndlessAnswer: a body is read so far and no further; the status counts.
func TestEndlessAnswer(t *testing.T) {
	ended := make(chan int, 1)
	s, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		sent := 0
		for {
			n, err := w.Write(make([]byte, 1<<16))
			if sent += n; err != nil {
				ended <- sent
				return
			}
		}
	})
	b := newBook()
	c := config(b)
	c.Timeout = time.Hour
	start(t, c).Add(b.write(1, s.URL))
	if o := b.next(t); !o.delivered || o.status != 200 {
		t.Errorf("%+v", o)
	}
	if sent := <-ended; sent > 64<<20 { // sockets hold some of it
		t.Errorf("%d bytes were taken", sent)
	}
}

// TestTLS: only whom the roots vouch for.
func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(statuses(200))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	b := newBook()
	c := config(b)
	c.Attempts = 1
	start(t, c).Add(b.write(1, s.URL))
	if o := b.next(t); o.delivered || !strings.Contains(o.detail, "certificate signed by unknown authority") {
		t.Errorf("%+v", o)
	}
	c.Roots = x509.NewCertPool()
	c.Roots.AddCert(s.Certificate())
	start(t, c).Add(b.write(2, s.URL))
	if o := b.next(t); o != (outcome{2, true, 200, ""}) {
		t.Errorf("%+v", o)
	}
}

// TestConnectionsAreReused: that is what answers are read for.
func TestConnectionsAreReused(t *testing.T) {
	s, got := receiver(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "thank you") })
	b := newBook()
	p := start(t, config(b))
	peers := map[string]bool{}
	for n := range 10 {
		p.Add(b.write(n+1, s.URL))
		b.next(t)
		peers[(<-got).RemoteAddr] = true
	}
	if len(peers) != 1 {
		t.Errorf("10 calls took %d connections", len(peers))
	}
}

// TestSignReferenceVector is the example that implementations of Standard Webhooks have in common.
func TestSignReferenceVector(t *testing.T) {
	secret, err := callback.ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := callback.Sign([][]byte{secret}, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestParseSecret(t *testing.T) {
	for size, want := range map[int]bool{0: false, 23: false, 24: true, 64: true, 65: false} {
		text := base64.StdEncoding.EncodeToString(make([]byte, size))
		for _, text := range []string{text, "whsec_" + text} {
			secret, err := callback.ParseSecret(text)
			if (err == nil) != want || err == nil && len(secret) != size {
				t.Errorf("%d bytes: %d, %v", size, len(secret), err)
			}
		}
	}
	if _, err := callback.ParseSecret("whsec_hush!"); err == nil || strings.Contains(err.Error(), "hush") {
		t.Error(err)
	}
}

func TestBackoff(t *testing.T) {
	for _, c := range []struct {
		calls int
		bound time.Duration
	}{{1, time.Second}, {2, 2 * time.Second}, {9, 256 * time.Second}, {12, 2048 * time.Second}, {13, time.Hour}, {1000, time.Hour}} {
		var longest time.Duration
		for range 1000 {
			d := callback.Backoff(c.calls, time.Second, time.Hour)
			if d < 0 || d > c.bound {
				t.Fatalf("%v after %d calls, and %v is the most", d, c.calls, c.bound)
			}
			longest = max(longest, d)
		}
		if longest < c.bound*9/10 { // by chance once in 10^45
			t.Errorf("%v is the longest of 1000 after %d calls: it should come near %v", longest, c.calls, c.bound)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, "-5": 0, "1.5": 0, "soon": 0,
		"99999999999999999999": (1<<31 - 1) * time.Second, "9223372036854775807": (1<<31 - 1) * time.Second,
		"Wed, 25 Nov 2026 12:01:00 GMT": time.Minute, "Wed, 25 Nov 2026 11:00:00 GMT": 0,
	} {
		if got := callback.RetryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}
