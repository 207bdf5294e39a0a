package conform_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"
)

// begin does a task while the connection is read.
func (w *worker) begin(c *wire, m message) {
	ctx, end := context.WithCancelCause(context.Background())
	w.mu.Lock()
	w.running[m.Nonce] = end
	w.mu.Unlock()
	w.tasks.Go(func() {
		defer end(nil)
		w.answer(c, m, ctx)
	})
}

// answer does a task and says what it came to.
func (w *worker) answer(c *wire, m message, ctx context.Context) {
	say := func(o object) {
		o["nonce"] = m.Nonce
		c.say(o)
	}
	result, err := w.do(ctx, m, say)
	w.mu.Lock()
	delete(w.running, m.Nonce)
	w.mu.Unlock()
	if cause := context.Cause(ctx); cause != nil && (errors.Is(cause, errLost) || cause.Error() == "Late") {
		if cause.Error() == "Late" {
			c.say(object{"action": "GetTask"})
		}
		return
	}
	o := object{"action": "SendResult", "nonce": m.Nonce, "result": result}
	switch {
	case err != nil && w.hello && w.flaw != "hides errors":
		o = object{"action": "SendError", "nonce": m.Nonce, "error": err.Error()}
		if errors.As(err, &final{}) && w.flaw != "always retries" {
			o["retry"] = false
		}
	case err != nil:
		o["result"] = object{"error": err.Error()}
	}
	w.send(c, o)
}

// send sends an answer, with the next question. It is kept for the session if the connection is lost.
func (w *worker) send(c *wire, o object) {
	switch w.flaw {
	case "answers with a wrong nonce":
		o["nonce"] = "aaaaaaaabcdefghijklmnopa"
	case "answers twice":
		c.say(o)
	case "says what there is not":
		c.say(object{"action": "Ready"})
	}
	if w.hello {
		w.mu.Lock()
		defer w.mu.Unlock()
		o["credit"] = 1
		if current != c && current != nil {
			c = current // the session goes on there
		}
		c.say(o)
		delete(o, "credit")
		w.unsent = append(w.unsent, o)
		w.unsent = w.unsent[max(0, len(w.unsent)-2):]
		return
	}
	c.say(o)
	if w.flaw != "never asks again" {
		c.say(object{"action": "GetTask"})
	}
}

// final is an error that no other attempt would mend.
type final struct{ error }

func (w *worker) do(ctx context.Context, m message, say func(object)) (any, error) {
	var o struct {
		Seconds, Every float64
		To             int
		Message        string
		Extend         any
		Retry          *bool
	}
	if m.Name != "echo" {
		if err := json.Unmarshal(m.Options, &o); err != nil {
			return nil, err
		}
	}
	switch m.Name {
	case "fail":
		if o.Retry != nil && !*o.Retry {
			return nil, final{errors.New(o.Message)}
		}
		return nil, errors.New(o.Message)
	case "sleep":
		if w.hello && o.Extend != nil && w.flaw != "does not extend" {
			say(object{"action": "Extend", "for": o.Extend})
		}
		return o.Seconds, pause(ctx, o.Seconds)
	case "count":
		for i := range o.To {
			if err := pause(ctx, o.Every); err != nil {
				return nil, err
			}
			w.progress(i+1, say)
		}
		return o.To, nil
	}
	return w.echo(m.Options), nil
}

func (w *worker) progress(i int, say func(object)) {
	switch {
	case !w.hello || w.flaw == "says no progress":
	case w.flaw == "says too much progress":
		say(object{"action": "Progress", "value": i, "note": strings.Repeat("more and more ", 100)})
	default:
		say(object{"action": "Progress", "value": i})
	}
}

func (w *worker) echo(options json.RawMessage) any {
	if options == nil && w.flaw != "takes nothing for something" {
		return nil
	}
	switch text := string(options); {
	case w.flaw == "mangles numbers" && strings.ContainsAny(text, "123456789"):
		var v any
		_ = json.Unmarshal(options, &v)
		return whole(v)
	case w.flaw == "mangles Unicode":
		return json.RawMessage(strings.ReplaceAll(text, "é", "?"))
	case w.flaw == "mangles escapes":
		return json.RawMessage(strings.ReplaceAll(text, `\u0000`, ``))
	case options == nil:
		return object{}
	case w.flaw == "cuts what is large" && len(text) > 1<<16:
		return text[1 : 1<<16]
	}
	return options
}

// whole are a list's numbers without their fractions.
func whole(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	for i := range list {
		if n, ok := list[i].(float64); ok {
			list[i] = math.Trunc(n)
		}
	}
	return list
}

func pause(ctx context.Context, seconds float64) error {
	select {
	case <-time.After(time.Duration(seconds * float64(time.Second))):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
