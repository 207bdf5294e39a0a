package prove

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const (
	maxCall = 30 * time.Second // of one request
	maxBody = 1 << 20          // bytes of an answer
)

// caller speaks HTTP, one request at a time.
type caller struct {
	client *http.Client
	addr   string
	book   *Book
	life   int // its idle connections are of
}

func newCaller(s *server) *caller {
	transport := &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: 5 * time.Second}
	return &caller{client: &http.Client{Transport: transport, Timeout: maxCall}, addr: s.addr, book: s.book}
}

// close closes its idle connections.
func (c *caller) close() { c.client.CloseIdleConnections() }

// errUnsent is returned when the server cannot have got the request.
var errUnsent = errors.New("the request was not sent")

// response is an HTTP answer.
type response struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request. If that fails though the server lived all the time, the book hears of it.
func (c *caller) do(ctx context.Context, method, path, body string, headers ...string) (response, error) {
	life := c.book.Life()
	if life != c.life {
		c.client.CloseIdleConnections() // they are a dead server's
		c.life = life
	}
	got, err := c.exchange(ctx, method, path, body, headers)
	if err != nil && ctx.Err() == nil {
		c.book.BrokenIn(life, "%s %s was not answered: %v", method, path, err)
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return got, errors.Join(errUnsent, err)
	}
	return got, err
}

func (c *caller) exchange(ctx context.Context, method, path, body string, headers []string) (response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+c.addr+path, strings.NewReader(body))
	if err != nil {
		return response{}, err
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	got, err := c.client.Do(request)
	if err != nil {
		return response{}, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(io.LimitReader(got.Body, maxBody))
	return response{got.StatusCode, got.Header, text}, err
}

// submit sends an order, and reads what came of it.
func (c *caller) submit(ctx context.Context, o Order) (answer, error) {
	path := "/task/" + o.task()
	headers := []string{"Content-Type", "application/json"}
	switch {
	case !o.Due.IsZero():
		path = "/schedule/" + o.when() + "/" + o.task()
	case o.Wait:
		headers = append(headers, "Prefer", fmt.Sprintf("wait=%d", int(waitFor.Seconds())))
	default:
		headers = append(headers, "Prefer", "respond-async")
	}
	if o.Key != "" {
		headers = append(headers, "Idempotency-Key", `"`+o.Key+`"`)
	}
	got, err := c.do(ctx, http.MethodPost, path+"?backoff="+attemptBackoff, string(o.options()), headers...)
	if err != nil {
		return answer{}, err
	}
	a, ok := got.answer(o)
	if !ok {
		c.book.Fault(Broken, "POST %s with the headers %q was answered with %s", path, headers, got)
	}
	return a, nil
}

// answer reads the response to an order; ok is false if it is none that the wire has.
func (r response) answer(o Order) (a answer, ok bool) {
	a.id = strings.TrimPrefix(r.header.Get("Location"), "/runs/")
	switch {
	case r.status == http.StatusServiceUnavailable:
		a.refused = true
	case r.status == http.StatusAccepted || r.status == http.StatusOK && !o.Due.IsZero():
		var d Document
		if json.Unmarshal(r.body, &d) != nil || a.id != "" && a.id != d.ID {
			return a, false
		}
		a.id, a.state, a.result = d.ID, d.State, d.Result
		if a.state == succeeded && a.result == nil {
			a.state = "" // a short document: it has no result to judge
		}
	case r.status == http.StatusOK:
		a.state, a.result = succeeded, r.body
	default:
		var p problem
		if json.Unmarshal(r.body, &p) == nil {
			a.id = p.Run
			a.state, ok = p.ended()
		}
		return a, ok
	}
	return a, a.refused || a.id != ""
}

// String describes a response in faults.
func (r response) String() string { return fmt.Sprintf("%d %.300q", r.status, r.body) }

// read asks for a run and tells the book. It returns whether the run has finished, or why that is not known.
func (c *caller) read(ctx context.Context, k Known, query string) (finished bool, err error) {
	return c.about(ctx, http.MethodGet, k, query, http.StatusOK)
}

// cancel asks for the end of a run.
func (c *caller) cancel(ctx context.Context, k Known) error {
	c.book.Cancel(k.Number)
	_, err := c.about(ctx, http.MethodDelete, k, "", http.StatusAccepted)
	return err
}

// about asks something of a run that is answered with its document.
func (c *caller) about(ctx context.Context, method string, k Known, query string, want int) (finished bool, err error) {
	mark := c.book.Mark()
	got, err := c.do(ctx, method, "/runs/"+k.ID+query, "")
	if err != nil {
		return false, err
	}
	var d Document
	switch {
	case got.status == want && json.Unmarshal(got.body, &d) == nil:
		return c.book.Read(k.Number, mark, d), nil
	case got.status == http.StatusNotFound:
		c.book.Missing(k.Number, got.String())
	case got.status == http.StatusServiceUnavailable:
		return false, errBusy
	case got.status == http.StatusConflict && method == http.MethodDelete: // it has finished
	default:
		c.book.Fault(Broken, "%s /runs/%s%s was answered with %s", method, k.ID, query, got)
	}
	return false, nil
}

// errBusy is returned for a 503.
var errBusy = errors.New("the server is busy")

// list asks which runs have a key, and tells the book.
func (c *caller) list(ctx context.Context, k Known) error {
	path := "/runs?task=" + k.task() + "&key=" + url.QueryEscape(k.Key)
	got, err := c.do(ctx, http.MethodGet, path, "")
	if err != nil {
		return err
	}
	var page struct {
		Runs []Document `json:"runs"`
	}
	if got.status == http.StatusServiceUnavailable {
		return errBusy
	}
	if ok := got.status == http.StatusOK && json.Unmarshal(got.body, &page) == nil; !ok {
		c.book.Fault(Broken, "GET %s was answered with %s", path, got)
		return nil
	}
	ids := make([]string, len(page.Runs))
	for i, d := range page.Runs {
		ids[i] = d.ID
	}
	c.book.Same(k, ids)
	return nil
}
