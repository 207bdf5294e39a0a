package protocol

import (
	"bytes"
	"net/http"

	"workman/dispatch"
)

// Request answers one HTTP request, or makes an event of it.
func (f *Front) Request(s *Session, r *Request) {
	path := r.Path
	if string(path) != "/healthz" && f.starting(s, r) {
		return
	}
	switch {
	case isList(path) || string(path) == "/tasks" && wantsDetail(r.Query):
		f.page(s, r, "GET, HEAD, OPTIONS")
	case string(path) == "/schedules":
		f.page(s, r, "GET, HEAD, OPTIONS")
	case string(path) == "/backup":
		f.page(s, r, "POST, OPTIONS")
	case string(path) == "/healthz":
		f.health(s, r, 0)
	case string(path) == "/readyz":
		why := dispatch.Reason(0)
		if f.Unready != nil {
			why = f.Unready()
		}
		f.health(s, r, why)
	case string(path) == "/tasks":
		if f.allowed(s, r, "GET, HEAD, OPTIONS") {
			e := f.event(s, nil)
			e.Kind, e.Seq = dispatch.ListTasks, r.Seq
		}
	case string(path) == "/websocket", string(path) == "/worker":
		s.Problem(r.Seq, Answer{
			Status: http.StatusUpgradeRequired,
			Extra:  "Upgrade: websocket\r\nConnection: Upgrade\r\n",
		}, "", "this path speaks WebSocket only: connect to it with a WebSocket client, as ws://…"+string(path))
	default:
		first, rest := cutSegment(path)
		second, third := cutSegment(rest)
		switch {
		case string(first) == "task" && len(second) > 0 && third == nil:
			f.runTask(s, r, second)
		case string(first) == "schedule" && len(second) > 0 && len(third) > 1:
			if name, more := cutSegment(third); more == nil {
				f.scheduleTask(s, r, second, name)
				return
			}
			f.notFound(s, r)
		case string(first) == "runs" && len(second) > 0:
			f.runs(s, r, second, third)
		case string(first) == "lease" && (rest == nil || len(second) > 0):
			f.leases(s, r, second, third)
		case string(first) == "schedules" && len(second) > 0:
			f.schedule(s, r, third)
		case string(first) == "scheduled" && len(second) > 0 && third == nil:
			f.unscheduleTask(s, r, second)
		case string(path) == "*" && string(r.Method) == http.MethodOptions:
			s.Respond(r.Seq, Answer{Status: http.StatusNoContent})
		default:
			f.notFound(s, r)
		}
	}
}

// cutSegment splits "/a/b" into "a" and "/b"; rest is nil if there is none.
func cutSegment(path []byte) (segment, rest []byte) {
	if len(path) == 0 || path[0] != '/' {
		return nil, nil
	}
	if i := bytes.IndexByte(path[1:], '/'); i >= 0 {
		return path[1 : 1+i], path[1+i:]
	}
	return path[1:], nil
}

// isList tells the paths of lists for people.
func isList(path []byte) bool {
	return string(path) == "/workers" || string(path) == "/runs" || string(path) == "/scheduled"
}

// schedule has what is below /schedules answered off the event loops. rest is what follows the name.
func (f *Front) schedule(s *Session, r *Request, rest []byte) {
	switch string(rest) {
	case "":
		f.page(s, r, "GET, HEAD, PUT, DELETE, OPTIONS")
	case "/pause", "/resume", "/run":
		f.page(s, r, "POST, OPTIONS")
	default:
		f.notFound(s, r)
	}
}

// page has a page for people answered off the event loops.
func (f *Front) page(s *Session, r *Request, allow string) {
	if !f.allowed(s, r, allow) {
		return
	}
	f.Flush() // what came before it in this read is answered now, if it can be
	if f.Elsewhere == nil || !f.Elsewhere(s, r) {
		s.Problem(r.Seq, Answer{Status: http.StatusServiceUnavailable, Extra: "Retry-After: 1\r\n"}, ProblemOverloaded,
			"this page cannot be shown now: as many are being shown as may, or other requests of this connection are not "+
				"answered yet; try again, on a connection of its own")
	}
}

func wantsDetail(query []byte) bool {
	for len(query) > 0 {
		var part []byte
		if part, query, _ = bytes.Cut(query, []byte("&")); string(part) == "detail=1" {
			return true
		}
	}
	return false
}

// starting refuses everything while the server is not there yet, and says how far it is.
func (f *Front) starting(s *Session, r *Request) bool {
	if f.Starting == nil {
		return false
	}
	how := f.Starting()
	if how == "" {
		return false
	}
	s.Problem(r.Seq, Answer{Status: http.StatusServiceUnavailable, Extra: "Retry-After: 1\r\n"}, ProblemStarting,
		"the server is starting, and takes nothing yet: "+how+"; try again in a moment")
	return true
}

// health answers probes: whether the process lives, and whether it takes new work, or why not.
func (f *Front) health(s *Session, r *Request, why dispatch.Reason) {
	if !f.allowed(s, r, "GET, HEAD, OPTIONS") {
		return
	}
	if why == 0 {
		s.Respond(r.Seq, Answer{Status: http.StatusOK, Type: "text/plain; charset=utf-8", Body: []byte("ok\n")})
		return
	}
	s.Problem(r.Seq, Answer{Status: http.StatusServiceUnavailable, Extra: "Retry-After: 5\r\n"},
		refusals[why].kind, unreadyText(why))
}

func unreadyText(why dispatch.Reason) string {
	if why == dispatch.NotStored {
		return "nothing is stored any more, so that no run is accepted, and calls go on in memory; start the server again, its log says why"
	}
	return refusals[why].text
}

func (f *Front) runTask(s *Session, r *Request, name []byte) {
	if !f.allowed(s, r, "POST, OPTIONS") {
		return
	}
	if isBulk(r.Header.ContentType()) {
		f.runLines(s, r, name)
		return
	}
	f.request(s, r, dispatch.RunTask, name, 0)
}

func (f *Front) scheduleTask(s *Session, r *Request, when, name []byte) {
	if !f.allowed(s, r, "POST, OPTIONS") {
		return
	}
	text, err := DecodePathSegment(nil, when)
	if err != nil {
		f.refuse(s, r, http.StatusBadRequest, ProblemBadPath, err.Error())
		return
	}
	at, err := ParseWhen(text)
	if err != nil {
		f.refuse(s, r, http.StatusBadRequest, ProblemBadTime, err.Error())
		return
	}
	f.request(s, r, dispatch.ScheduleTask, name, at)
}

// request makes an event of a request to run a task. Its name and options go to the scratch, one after the other.
func (f *Front) request(s *Session, r *Request, kind dispatch.Kind, name []byte, at int64) {
	body := r.Body.Of(r.Base)
	options := dispatch.Span{}
	if len(body) > 0 {
		var err error
		if options, err = ValidJSON(body); err != nil {
			f.refuse(s, r, http.StatusBadRequest, ProblemBadJSON, "the body is "+err.Error())
			return
		}
	}
	asks := r.Terms || len(r.Query) > 0
	if asks && !f.queried(s, r) {
		return
	}
	if len(f.events) > 0 && f.from != s.ID {
		f.Flush()
	}
	start := len(f.scratch)
	text, err := DecodePathSegment(f.scratch, name)
	if err == nil {
		err = CheckName(text[start:])
	}
	if err != nil {
		f.refuse(s, r, http.StatusBadRequest, ProblemBadName, err.Error())
		return
	}
	f.scratch = text
	end := len(f.scratch)
	if options.Len == 0 {
		f.scratch = append(f.scratch, "null"...)
	} else {
		f.scratch = append(f.scratch, options.Of(body)...)
	}
	e := f.event(s, nil)
	e.Kind, e.Seq, e.At = kind, r.Seq, at
	e.Name = dispatch.Span{Off: uint32(start), Len: uint32(end - start)}
	e.Body = dispatch.Span{Off: uint32(end), Len: uint32(len(f.scratch) - end)}
	if asks {
		f.saidOverHTTP(e)
	}
	f.base = f.scratch
}

// saidOverHTTP puts what was asked into an event, and what its answer will have to know.
func (f *Front) saidOverHTTP(e *dispatch.Event) {
	e.Terms = f.appendTerms(e.Kind)
	if a := &f.asked; e.Kind == dispatch.RunTask {
		e.Nonce = f.appendNote(&note{async: a.async, waited: a.wait >= 0, wait: max(a.wait, 0) / 1000})
	}
}

// allowed answers OPTIONS, and methods that the path has not; it reports whether the method is one to go on with.
func (f *Front) allowed(s *Session, r *Request, allow string) bool {
	method := string(r.Method)
	if method == http.MethodOptions {
		s.Respond(r.Seq, Answer{Status: http.StatusNoContent, Extra: "Allow: " + allow + "\r\n"})
		return false
	}
	for _, m := range allMethods {
		if m == method && hasMethod(allow, m) {
			return true
		}
	}
	s.Problem(r.Seq, Answer{
		Status: http.StatusMethodNotAllowed,
		Extra:  "Allow: " + allow + "\r\n",
	}, "", "this path takes "+allow)
	return false
}

var allMethods = [...]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete}

func hasMethod(allow, method string) bool {
	for len(allow) > 0 {
		n := 0
		for n < len(allow) && allow[n] != ',' {
			n++
		}
		if allow[:n] == method {
			return true
		}
		allow = allow[min(n+2, len(allow)):]
	}
	return false
}

func (f *Front) notFound(s *Session, r *Request) {
	f.refuse(s, r, http.StatusNotFound, "",
		"there is nothing here; there are GET /tasks, GET /workers, GET /healthz, GET /readyz, POST /task/{name}, POST /schedule/{when}/{name}, "+
			"GET /scheduled, DELETE /scheduled/{id}, GET /runs, GET and DELETE /runs/{id}, GET /runs/{id}/why, POST /runs/{id}/retry, "+
			"POST /runs/retry, POST /runs/purge, GET /schedules, GET, PUT and DELETE /schedules/{name}, "+
			"POST /schedules/{name}/pause, /resume and /run, POST /lease, POST /lease/{nonce}/result, /error, /extend and /progress, "+
			"DELETE /lease/{nonce}, POST /backup, and the WebSockets /websocket and /worker")
}

func (f *Front) refuse(s *Session, r *Request, status int, kind, detail string) {
	s.Problem(r.Seq, Answer{Status: status}, kind, detail)
}

// Upgrade accepts WebSockets on the two paths that have one.
func (f *Front) Upgrade(s *Session, r *Request) bool {
	if f.starting(s, r) {
		return false
	}
	switch string(r.Path) {
	case "/websocket":
		s.Tag = tagProducer
	case "/worker":
		s.Tag = tagWorker
	default:
		f.notFound(s, r)
		return false
	}
	return true
}
