package prove

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// ask sends a request that may be answered with one of these, or with 503. All else is a fault, and ok is false.
func (c *caller) ask(ctx context.Context, method, path, body string, right ...int) (got response, ok bool, err error) {
	if got, err = c.do(ctx, method, path, body); err != nil {
		return got, false, err
	}
	if got.status == http.StatusServiceUnavailable {
		c.book.Refused()
		return got, false, errBusy
	}
	for _, status := range right {
		if got.status == status {
			return got, true, nil
		}
	}
	c.book.Fault(Broken, "%s %s was answered with %s", method, path, got)
	return got, false, nil
}

// setRule sets a schedule. It may be sent again: the same once more changes nothing.
func (c *caller) setRule(ctx context.Context, r Rule) error {
	got, ok, err := c.ask(ctx, http.MethodPut, r.path(), r.document(), http.StatusCreated, http.StatusOK)
	if ok {
		c.toldRule(r, got)
	}
	return err
}

// readRule asks how a schedule is.
func (c *caller) readRule(ctx context.Context, r Rule) error {
	got, ok, err := c.ask(ctx, http.MethodGet, r.path(), "", http.StatusOK, http.StatusNotFound)
	switch {
	case ok && got.status == http.StatusNotFound:
		c.book.NoRule(r.Number, 0)
	case ok:
		c.toldRule(r, got)
	}
	return err
}

func (c *caller) toldRule(r Rule, got response) {
	if d, ok := readRule(got.body); ok {
		c.book.RuleIs(r.Number, d)
	} else {
		c.book.Fault(Broken, "schedule %s is %s", r.name(), got)
	}
}

// dropRule deletes a schedule.
func (c *caller) dropRule(ctx context.Context, r Rule) error {
	c.book.DropRule(r.Number)
	got, ok, err := c.ask(ctx, http.MethodDelete, r.path(), "", http.StatusNoContent, http.StatusNotFound)
	if ok && (got.status == http.StatusNoContent || c.book.NoRule(r.Number, 1)) {
		c.book.RuleDropped(r.Number, time.Now())
	}
	return err
}

// lingering is for how long is looked for runs of a schedule once it is deleted: others lie between them, more and more.
const lingering = 5 * time.Second

// account asks for the runs that a schedule has made, and tells the book.
func (c *caller) account(ctx context.Context, r Rule) error {
	from, to, ok := c.book.span(r.Number, time.Now())
	if !ok {
		return nil
	}
	query := url.Values{
		"label": {"schedule:" + r.name()}, "limit": {"1000"},
		"after": {from.Add(-time.Second).UTC().Format(time.RFC3339Nano)}, "before": {to.Add(lingering).UTC().Format(time.RFC3339Nano)},
	}
	var runs []RuleRun
	for path := "/runs?" + query.Encode(); path != ""; {
		got, ok, err := c.ask(ctx, http.MethodGet, path, "", http.StatusOK)
		if !ok {
			return err
		}
		page, next, ok := readRuns(got.body)
		if !ok {
			c.book.Fault(Broken, "GET %s was answered with %s", path, got)
			return nil
		}
		runs, path = append(runs, page...), next
	}
	c.book.Account(r.Number, runs)
	return nil
}
