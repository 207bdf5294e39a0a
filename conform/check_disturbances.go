package conform

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/gobwas/ws"
)

// disturbances are the checks of what a worker has to take without losing its connection.
var disturbances = []check{
	{name: "ping", needs: []string{"asks"}, expected: "a pong with the same text to each ping",
		section: rfc6455 + "5.5.2", run: stays(answersPing)},
	{name: "fragments", needs: []string{"asks again"}, task: "echo", expected: "a task in three fragments, with a ping in between, is a task",
		section: rfc6455 + "5.4", run: stays(fragments)},
	{name: "unknown members", needs: []string{"asks again"}, task: "echo", expected: "members of a task that it does not know are ignored",
		section: hello, run: stays(unknownMembers)},
	{name: strange, needs: []string{"asks again"}, expected: "an event that it does not know is ignored",
		section: hello, run: stays(unknownEvent)},
	{name: "pause", needs: []string{"asks again"}, task: "echo", expected: "a network that carries nothing for a second loses nothing",
		section: inGeneral, run: stays(pause)},
}

// stays is the check that the connection is the same afterwards, and the worker still works.
func stays(run func(ctx context.Context, x *exam) finding) func(context.Context, *exam) finding {
	return func(ctx context.Context, x *exam) finding {
		before := x.conn()
		f := run(ctx, x)
		if f.result != OK && f.result != Hint {
			return f
		}
		if after := x.works(ctx); after.result != OK {
			return after
		}
		if now := x.conn(); now != before {
			return failed("the worker gave up its connection, and came back with a new one")
		}
		return f
	}
}

func answersPing(ctx context.Context, x *exam) finding {
	for range 3 {
		soon, cancel := x.soon(ctx)
		err := x.ping(soon)
		cancel()
		if err != nil {
			return failed("no pong with the text of the ping: %v", err)
		}
	}
	return ok("")
}

// instead runs echo while tasks are rewritten.
func (x *exam) instead(ctx context.Context, options string, rewrite rewriter) finding {
	x.proxy.set(func(p *proxy) { p.rewrite = rewrite })
	defer x.proxy.set(func(p *proxy) { p.rewrite = nil })
	return x.echo(ctx, options)
}

func fragments(ctx context.Context, x *exam) finding {
	return x.instead(ctx, `"in fragments, with ünicode cut in two"`, func(m message, text []byte) ([]ws.Frame, bool) {
		if m["nonce"] == nil {
			return nil, false
		}
		cut := bytes.Index(text, []byte("ü")) + 1
		return []ws.Frame{
			ws.NewFrame(ws.OpText, false, text[:cut]),
			ws.NewPingFrame([]byte("in between")),
			ws.NewFrame(ws.OpContinuation, false, text[cut:cut+3]),
			ws.NewFrame(ws.OpContinuation, true, text[cut+3:]),
		}, true
	})
}

func unknownMembers(ctx context.Context, x *exam) finding {
	return x.instead(ctx, `"with more"`, func(m message, text []byte) ([]ws.Frame, bool) {
		if m["nonce"] == nil {
			return nil, false
		}
		more := append([]byte(`{"later":{"x":[1,null]},"alsoLater":"y",`), text[1:]...)
		return []ws.Frame{ws.NewTextFrame(more)}, true
	})
}

func unknownEvent(ctx context.Context, x *exam) finding {
	l := x.proxy.current()
	if l == nil {
		return failed("the worker has no connection")
	}
	mark := x.recording.mark()
	if err := l.send(ws.NewTextFrame([]byte(`{"event":"OfALaterVersion","note":"to be ignored"}`))); err != nil {
		return failed("the connection is lost: %v", err)
	}
	x.settle(ctx)
	answered, yes := x.recording.find(mark, func(e entry) bool {
		m, err := parse(e.text)
		return !e.toWorker && !e.happened && e.op == ws.OpText && err == nil && (m.text("action") == "SendResult" || m.text("action") == "SendError")
	})
	switch {
	case !yes:
		return ok("")
	case x.saidHello():
		return failed("it was answered, with %s", brief(answered.text))
	}
	return hint("it is taken for a task, and answered; a worker that says no Hello is sent none")
}

// pauseTime is how long nothing is carried.
const pauseTime = time.Second

func pause(ctx context.Context, x *exam) finding {
	l := x.proxy.current()
	if l == nil {
		return failed("the worker has no connection")
	}
	soon, cancel := x.soon(ctx)
	defer cancel()
	l.freeze()
	result := x.producer.call(soon, "echo", []byte(`"after the pause"`))
	whole := sleep(ctx, pauseTime)
	l.unfreeze()
	if !whole {
		return failed("it ended while nothing came: %v", errors.Join(context.Cause(ctx)))
	}
	return x.same(`"after the pause"`, <-result)
}
