package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// called is what a callback's receiver was sent.
type called struct {
	head http.Header
	body string
}

// receiver is a server that callbacks go to. It refuses as many as it is told to.
func receiver(t *testing.T) (url string, refuse *atomic.Int32, got chan called) {
	refuse, got = new(atomic.Int32), make(chan called, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- called{r.Header, string(body)}
		if refuse.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/hook", refuse, got
}

func next(t *testing.T, got chan called) called {
	t.Helper()
	select {
	case c := <-got:
		return c
	case <-time.After(20 * time.Second):
		t.Fatal("no callback came")
		panic("unreachable")
	}
}

// TestCallback: whoever is named is told the outcome, signed, again until it says that it has it; this machine only if the
// server's user allows it.
func TestCallback(t *testing.T) {
	url, refuse, got := receiver(t)
	const secret = "c2VjcmV0LW9mLXR3ZW50eS1mb3VyLWJ5dGVz"
	s := serve(t, func(o *options) {
		o.CallbackHosts, o.CallbackSecrets = []string{"127.0.0.1"}, []string{"whsec_" + secret}
	})
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "mail")
	refuse.Store(1)
	id := a.submit("mail?callback="+url, `{"to":"ada"}`)
	w.work(`"sent"`)
	first, second := next(t, got), next(t, got)
	if first.body != second.body || first.head.Get("Webhook-Id") != second.head.Get("Webhook-Id") {
		t.Errorf("what was refused comes again otherwise: %v, then %v", first, second)
	}
	var d doc
	if err := json.Unmarshal([]byte(second.body), &d); err != nil || d.ID != id || d.State != "succeeded" || string(d.Result) != `"sent"` || d.Callback != url {
		t.Errorf("%v: the receiver is told %s", err, second.body)
	}
	key, _ := base64.StdEncoding.DecodeString(secret)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(second.head.Get("Webhook-Id") + "." + second.head.Get("Webhook-Timestamp") + "." + second.body))
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); second.head.Get("Webhook-Signature") != want {
		t.Errorf("signed %q, want %q", second.head.Get("Webhook-Signature"), want)
	}
	a.do(202, "DELETE", "/runs/"+a.submit("none?callback="+url, "1"), "")
	if c := next(t, got); !strings.Contains(c.body, `"state":"cancelled"`) {
		t.Errorf("of one that was cancelled the receiver is told %s", c.body)
	}
}

// TestCallbackRefused: a server whose user allows nothing calls no machine that is not public.
func TestCallbackRefused(t *testing.T) {
	s := serve(t, nil)
	a := askerOf(t, s.addr())
	for _, url := range []string{"http://127.0.0.1:1/", "http://localhost/", "http://10.0.0.1/", "http://169.254.169.254/", "http://[::1]/", "ftp://example.com/"} {
		got := a.do(422, "POST", "/task/mail?callback="+url, "1", "Prefer: respond-async")
		if got.says("bad-term"); !strings.Contains(got.body, "callback") {
			t.Errorf("%s is refused with %s", url, got.body)
		}
	}
}

// TestCallbackAfterRestart: what could not be delivered before the server ended is delivered by the next.
func TestCallbackAfterRestart(t *testing.T) {
	url, refuse, got := receiver(t)
	dir := filepath.Join(t.TempDir(), "data")
	with := func(o *options) { kept(dir)(o); o.CallbackHosts = []string{"127.0.0.1"} }
	s, end := serving(t, with)
	a, w := askerOf(t, s.addr()), newHand(t, s.addr(), "mail")
	refuse.Store(1 << 20)
	id := a.submit("mail?callback="+url, "1")
	w.work("2")
	next(t, got)
	_ = w.conn.Close()
	end()
	refuse.Store(0)
	for len(got) > 0 {
		<-got
	}
	serve(t, with)
	if c := next(t, got); !strings.Contains(c.body, id) {
		t.Errorf("after the restart the receiver is told %s", c.body)
	}
}
