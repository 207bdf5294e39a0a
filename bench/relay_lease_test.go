package main

import (
	"io"
	"net/http"
)

// lease hands out one task over HTTP, once there is one.
func (r *testRelay) lease(w http.ResponseWriter, q *http.Request) {
	c := &relayConn{lease: make(chan string, 1)}
	r.mu.Lock()
	r.grant(c, 1)
	r.flush()
	r.mu.Unlock()
	select {
	case task := <-c.lease:
		io.WriteString(w, `{"tasks":[`+task+`]}`)
	case <-q.Context().Done():
		r.forget(c)
	}
}

// takeResult takes the result of a task that was leased.
func (r *testRelay) takeResult(w http.ResponseWriter, q *http.Request, nonce string) {
	result, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	r.finish(nonce, string(result))
	r.flush()
	r.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}
