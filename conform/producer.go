package conform

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// producer asks for tasks, as any would. It talks to the server, not through the proxy.
type producer struct {
	addr   string
	client *http.Client
	all    sync.WaitGroup // of calls
}

func newProducer(addr string) *producer {
	return &producer{addr: addr, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

// answer is what a producer is told.
type answer struct {
	status int
	body   []byte
	err    error
}

// wrong is an answer that the server must not give.
func (a answer) wrong(when string) error {
	if a.err != nil {
		return fmt.Errorf("%w: %s it does not answer: %w", ErrServer, when, a.err)
	}
	return fmt.Errorf("%w: %s it answers %d %s", ErrServer, when, a.status, a.body)
}

func (p *producer) ask(ctx context.Context, method, path string, body []byte, headers ...string) (a answer) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+p.addr+path, bytes.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := p.client.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	a.status = response.StatusCode
	a.body, a.err = io.ReadAll(response.Body)
	return a
}

// call asks for a task and waits for its result meanwhile.
func (p *producer) call(ctx context.Context, task string, options []byte) <-chan answer {
	c := make(chan answer, 1)
	p.all.Go(func() { c <- p.ask(ctx, http.MethodPost, "/task/"+url.PathEscape(task), options) })
	return c
}

// callBare asks for a task without options, as only a WebSocket can.
func (p *producer) callBare(ctx context.Context, task string) <-chan answer {
	c := make(chan answer, 1)
	p.all.Go(func() { c <- p.bare(ctx, task) })
	return c
}

func (p *producer) bare(ctx context.Context, task string) answer {
	conn, _, _, err := ws.Dial(ctx, "ws://"+p.addr+"/websocket")
	if err != nil {
		return answer{err: err}
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	question, err := json.Marshal(map[string]any{"action": "RunTask", "name": task, "nonce": 1})
	if err == nil {
		err = wsutil.WriteClientText(conn, question)
	}
	var text []byte
	if err == nil {
		text, err = wsutil.ReadServerText(conn)
	}
	var told struct{ Result json.RawMessage }
	if err == nil {
		err = json.Unmarshal(text, &told)
	}
	return answer{status: http.StatusOK, body: told.Result, err: err}
}

// run is the document of one that was asked for.
type run struct {
	ID       string
	State    string
	Lost     int
	Result   json.RawMessage
	Attempts []struct{ Error json.RawMessage }
}

// submit asks for a run with terms, as in a query.
func (p *producer) submit(ctx context.Context, task, options, terms string) (r run, err error) {
	a := p.ask(ctx, http.MethodPost, "/task/"+task+"?"+terms, []byte(options), "Prefer", "respond-async")
	if a.err != nil || a.status != http.StatusAccepted {
		return r, a.wrong("asked for a run of " + task)
	}
	return r, json.Unmarshal(a.body, &r)
}

// finished waits until a run is, or for as long as it may take; what it is then is in the answer.
func (p *producer) finished(ctx context.Context, id string, wait time.Duration) (r run, err error) {
	a := p.ask(ctx, http.MethodGet, fmt.Sprintf("/runs/%s?wait=%ds", id, max(1, int(wait.Seconds()))), nil)
	if a.err != nil || a.status != http.StatusOK {
		return r, a.wrong("asked for the run " + id)
	}
	return r, json.Unmarshal(a.body, &r)
}

// cancel asks for the end of a run.
func (p *producer) cancel(ctx context.Context, id string) error {
	a := p.ask(ctx, http.MethodDelete, "/runs/"+id, nil)
	if a.err != nil || a.status != http.StatusAccepted {
		return a.wrong("asked to cancel the run " + id)
	}
	return nil
}
