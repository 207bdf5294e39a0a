package main

import (
	"fmt"
	"strings"
	"testing"
)

// leaseBody is what POST /lease is answered, with tasks of these nonces.
func leaseBody(nonces ...string) string {
	var tasks []string
	for _, nonce := range nonces {
		tasks = append(tasks, `{"name":"work","options":`+taskOptions+`,"attempt":1,"fence":4294967297,"deadline":"2026-11-26T02:09:51.515Z","nonce":"`+nonce+`"}`)
	}
	return leasesHead + strings.Join(tasks, ",") + leasesTail
}

// httpOK is a response with a body.
func httpOK(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

const httpDone = "HTTP/1.1 204 No Content\r\nDate: Thu, 26 Nov 2026 02:08:51 GMT\r\n\r\n"

// leaseResult is the request that brings the result of a task with taskOptions.
func leaseResult(nonce string) string {
	a, b, _ := parseOptions([]byte(taskOptions))
	return "POST /lease/" + nonce + "/result HTTP/1.1\r\nHost: host\r\nContent-Type: application/json\r\nContent-Length: 18\r\n\r\n" + a.plus(b).String()
}

func TestLeaserTakesAnySplit(t *testing.T) {
	one, two, three := strings.Repeat("a", leaseNonceLen), strings.Repeat("b", leaseNonceLen), strings.Repeat("c", leaseNonceLen)
	odd := `{"tasks": [{"nonce":"` + two + `","name":"work","more":1,"options":` + taskOptions + `}]}`
	in := httpOK(leaseBody()) + httpOK(leaseBody(one, two)) + httpDone + httpDone + httpOK(odd) + httpDone + httpOK(leaseBody(three)) + httpDone
	for n := len(in); n > 0; n /= 2 {
		w := newLeaser(0, "host", 2)
		ask := string(w.open(nil, 0))
		if want := "\r\n\r\n" + `{"tasks":["work"],"count":2,"wait":"30s"}`; !strings.HasSuffix(ask, want) {
			t.Fatalf("it asks %q", ask)
		}
		want := ask + leaseResult(one) + leaseResult(two) + ask + leaseResult(two) + ask + leaseResult(three) + ask
		if sent := string(feed(t, w, []byte(in), n)); sent != want {
			t.Fatalf("%d bytes at a time it sent\n%q, not\n%q", n, sent, want)
		}
	}
}

func TestLeaserRefusesWhatIsNoLease(t *testing.T) {
	good := strings.Repeat("a", leaseNonceLen)
	for _, bad := range []string{
		httpOK(`{}`), httpOK(`{"tasks":null}`), httpOK(`[]`), httpOK(``), httpOK(leaseBody("short")), httpDone,
		httpOK(strings.Replace(leaseBody(good), `"work"`, `"rest"`, 1)),
		httpOK(strings.Replace(leaseBody(good), `"a":0.`, `"c":0.`, 1)),
		httpOK(leaseBody(good)) + httpOK(leaseBody()),
		httpOK(leaseBody(good)) + "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
	} {
		if _, _, err := newLeaser(0, "host", 2).receive([]byte(bad), nil, 0); err == nil {
			t.Errorf("the worker took %q", bad)
		}
	}
}

func TestHelloWorkerAsksWithItsResults(t *testing.T) {
	random := source(7)
	w := newHelloWorker(0, 64, &random)
	if got, want := strings.Join(unmask(t, w.open(nil, 0)), ""), sayHello+registerTask+`{"action":"GetTask","count":64}`; got != want {
		t.Errorf("it begins with %s", got)
	}
	nonce := strings.Repeat("n", tokenLen)
	in := text(`{"event":"Hello","version":1,"heartbeat":30,"session":"abc","grace":5}`)
	for _, more := range []string{`,"attempt":1,"fence":7`, `,"attempt":12,"fence":70000,"traceparent":"00-0-0-00"`} {
		in = append(in, text(`{"name":"work","options":`+taskOptions+more+`,"nonce":"`+nonce+`"}`)...)
	}
	in = append(in, text(`{"nonce":"odd","options":`+taskOptions+`,"name":"work"}`)...)
	a, b, _ := parseOptions([]byte(taskOptions))
	reply := func(nonce string) string {
		return `{"action":"SendResult","nonce":"` + nonce + `","result":` + a.plus(b).String() + `,"credit":1}`
	}
	want := reply(nonce) + reply(nonce) + reply("odd")
	for n := len(in); n > 0; n /= 2 {
		if got := strings.Join(unmask(t, feed(t, w, in, n)), ""); got != want {
			t.Fatalf("%d bytes at a time it sent %s, not %s", n, got, want)
		}
	}
	for _, bad := range []string{`{"event":"Late","nonce":"x"}`, `{"event":"Error","error":{"title":"no"}}`} {
		if _, _, err := w.receive(text(bad), nil, 0); err == nil {
			t.Errorf("the worker took %s", bad)
		}
	}
	if _, _, err := newWorker(0, 1, &random).receive(text(`{"event":"Hello","version":1}`), nil, 0); err == nil {
		t.Error("a worker that has not said Hello was answered")
	}
}
