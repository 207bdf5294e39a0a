package conform

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// beginning are the checks of how a worker comes to its first tasks.
var beginning = []check{
	{name: "connects", raw: true, expected: "a connection to WORKMAN_URL + /worker, or a request below /lease, soon after the start",
		section: forWorkers, run: connects},
	{name: "handshake", needs: []string{"connects"}, raw: true, expected: "GET /worker HTTP/1.1 with Host, Upgrade, Connection, Sec-WebSocket-Version: 13 and 16 bytes of Sec-WebSocket-Key",
		section: rfc6455 + "4.1", run: handshake},
	{name: "waits", needs: []string{"handshake"}, raw: true, expected: "nothing is sent before the handshake is answered",
		section: rfc6455 + "4.1", run: waits},
	{name: "masks", needs: []string{"handshake"}, raw: true, expected: "all frames of a client are masked",
		section: rfc6455 + "5.3", run: firstMessage},
	{name: "text", needs: []string{"masks"}, raw: true, expected: "messages are text, not binary",
		section: forWorkers, run: firstMessage},
	{name: "registers", needs: []string{"text"}, raw: true, expected: "a RegisterTask for each task that it does",
		section: forWorkers, run: registers},
	{name: "asks", needs: []string{"registers"}, raw: true, expected: "a GetTask for each task that it is ready for",
		section: forWorkers, run: asks},
	{name: "order", needs: []string{"asks"}, expected: "RegisterTask comes before the first GetTask",
		section: ownTask, run: nothingElse},
	{name: "answers", needs: []string{"asks"}, task: "echo", expected: "a SendResult for the task",
		section: ownTask, run: answers},
	{name: "nonce", needs: []string{"answers"}, task: "echo", raw: true, expected: "the answer has the nonce of its task, and no other nonce is made up",
		section: noFit, run: rightNonce},
	{name: "asks again", needs: []string{"nonce"}, task: "echo", raw: true, expected: "a GetTask for the next task, after each",
		section: forWorkers, run: asksAgain},
	{name: "once", needs: []string{"asks again"}, task: "echo", expected: "one answer to each task",
		section: noFit, run: once},
}

// nothingElse is the check of what the judge sees.
func nothingElse(context.Context, *exam) finding { return ok("") }

func connects(ctx context.Context, x *exam) finding {
	var leases bool
	err := x.await(ctx, func(j *judge) bool {
		leases = j.requests > 0
		return leases || len(x.handshakes()) > 0
	})
	if err != nil {
		return failed("no handshake came, and no request below /lease: %v", err)
	}
	if leases {
		x.way = Leases
		return ok("%v after the start, and leases over HTTP", time.Since(x.worker.began).Round(time.Millisecond))
	}
	r := x.handshakes()[0]
	switch {
	case r.head == nil:
		return failed("what came is no HTTP request: %v", r.err)
	case r.head.URL.Path != "/worker":
		return failed("it asked for %s", r.head.RequestURI)
	}
	return ok("%v after the start", time.Since(x.worker.began).Round(time.Millisecond))
}

// handshakes are those that were answered.
func (x *exam) handshakes() (all []request) {
	x.proxy.set(func(p *proxy) { all = p.requests })
	return all
}

func handshake(_ context.Context, x *exam) finding {
	r := x.handshakes()[0]
	if wrong := wrongHandshake(r.head); wrong != "" {
		return failed("%s; it was answered with %d", wrong, r.answer)
	}
	if r.answer != http.StatusSwitchingProtocols {
		return failed("it was answered with %d", r.answer)
	}
	if offer := r.head.Header.Get("Sec-WebSocket-Protocol"); offer != "" {
		return hint("it offers the subprotocol %q, and the server knows none", offer)
	}
	return ok("")
}

func wrongHandshake(r *http.Request) string {
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	switch {
	case r.Method != http.MethodGet:
		return "the method is " + r.Method
	case !r.ProtoAtLeast(1, 1):
		return "the version is " + r.Proto
	case r.Host == "":
		return "there is no Host"
	case !strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		return fmt.Sprintf("Upgrade is %q", r.Header.Get("Upgrade"))
	case !strings.Contains(strings.ToLower(strings.Join(r.Header.Values("Connection"), ",")), "upgrade"):
		return fmt.Sprintf("Connection is %q", r.Header.Values("Connection"))
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return fmt.Sprintf("Sec-WebSocket-Version is %q", r.Header.Get("Sec-WebSocket-Version"))
	case err != nil || len(key) != 16:
		return fmt.Sprintf("Sec-WebSocket-Key is %q", r.Header.Get("Sec-WebSocket-Key"))
	}
	return ""
}

func waits(_ context.Context, x *exam) finding {
	if x.handshakes()[0].premature {
		return failed("more came within %v while the answer was held back", premature)
	}
	return ok("")
}

// firstMessage waits for one. If none comes that is not what is wrong here.
func firstMessage(ctx context.Context, x *exam) finding {
	err := x.await(ctx, func(j *judge) bool {
		return j.faults["masks"] != nil || j.last().messages > 0
	})
	if err != nil {
		return ok("nothing came")
	}
	return ok("")
}

func registers(ctx context.Context, x *exam) finding {
	if err := x.await(ctx, func(j *judge) bool { return len(j.last().names) > 0 }); err != nil {
		return failed("no RegisterTask came: %v", err)
	}
	return ok("")
}

func asks(ctx context.Context, x *exam) finding {
	if err := x.await(ctx, func(j *judge) bool { return j.last().asked > 0 }); err != nil {
		return failed("no GetTask came: %v", err)
	}
	x.settle(ctx) // there may be more names
	var asked int
	x.recording.look(func(j *judge) {
		asked = j.last().asked
		for name := range j.last().names {
			x.names = append(x.names, name)
		}
	})
	return ok("for %d, and does %s", asked, counted(len(x.names), "task"))
}

func answers(ctx context.Context, x *exam) finding {
	soon, cancel := x.soon(ctx)
	defer cancel()
	result := x.producer.call(soon, "echo", []byte(firstOptions))
	if err := x.await(ctx, func(j *judge) bool { return j.last().results > 0 }); err != nil {
		return failed("no SendResult came (%v): %s", err, x.whatOfIt())
	}
	if x.settle(ctx); x.recording.fault("nonce") == nil {
		x.first = x.same(firstOptions, <-result)
	}
	return ok("")
}

// firstOptions are those of the first task.
const firstOptions = `{"a":1}`

// rightNonce is whether the answer reached who asked.
func rightNonce(_ context.Context, x *exam) finding { return x.first }

// echoes is the check that these options come back as they are.
func echoes(options ...string) func(context.Context, *exam) finding {
	return func(ctx context.Context, x *exam) finding {
		for _, o := range options {
			if f := x.echo(ctx, o); f.result != OK {
				return f
			}
		}
		return ok("")
	}
}

func once(ctx context.Context, x *exam) finding {
	for range 3 {
		if f := x.echo(ctx, `"once"`); f.result != OK {
			return ok("nothing was answered twice, but %s", f.seen)
		}
		x.settle(ctx)
	}
	return ok("")
}

// maxAhead is how many tasks the check of asking again does at most, for workers that ask far ahead.
const maxAhead = 300

func asksAgain(ctx context.Context, x *exam) finding {
	var ahead int
	x.recording.look(func(j *judge) { ahead = j.last().asked - j.last().handed })
	for i := range min(ahead, maxAhead) + 1 {
		if f := x.echo(ctx, `"again"`); f.result != OK {
			return failed("task %d in a row: %s", i+1, f.seen)
		}
	}
	return ok("%s in a row", counted(min(ahead, maxAhead)+1, "task"))
}
