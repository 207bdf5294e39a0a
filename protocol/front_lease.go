package protocol

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"workman/dispatch"
)

// Bounds of POST /lease: names in one, and milliseconds that it waits.
const (
	maxLeaseNames = 100
	usualWait     = 30_000
	maxWait       = 600_000
	minLease      = 1000
)

// leases answers what is at and below /lease. nonce and what are the next two segments of the path; nil if there are none.
func (f *Front) leases(s *Session, r *Request, nonce, what []byte) {
	if nonce == nil {
		if f.allowed(s, r, "POST, OPTIONS") && f.noQuery(s, r) {
			f.takeLease(s, r)
		}
		return
	}
	do, allow := f.leaseAction(string(what))
	if do == nil {
		f.notFound(s, r)
		return
	}
	if !f.allowed(s, r, allow) || !f.noQuery(s, r) {
		return
	}
	token, secret, ok := parseLease(nonce)
	if !ok {
		f.refuse(s, r, http.StatusNotFound, "", "this path names no lease: want the nonce of a task from POST /lease, 40 letters from a to p")
		return
	}
	body, bad := jsonBody(r)
	if bad == nil {
		f.ownBase(s)
		var said dispatch.Event
		if said, bad = do(body); bad == nil {
			f.ofLease(s, r, &said, token, secret)
		}
	}
	if bad != nil {
		f.refuse(s, r, bad.status, bad.typ, bad.detail)
	}
}

// leaseAction is how the body of a request about a lease is read, which is nil if it is empty: into an event, whose spans are
// parts of the scratch. what is the path behind the nonce.
func (f *Front) leaseAction(what string) (read func(body []byte) (dispatch.Event, *refusal), allow string) {
	switch what {
	case "":
		return f.leaseBack, "DELETE, OPTIONS"
	case "/result":
		return f.leaseResult, "POST, OPTIONS"
	case "/error":
		return f.leaseError, "POST, OPTIONS"
	case "/extend":
		return f.leaseExtend, "POST, OPTIONS"
	case "/progress":
		return f.leaseProgress, "POST, OPTIONS"
	}
	return nil, ""
}

// ofLease makes an event of what is said of a lease.
func (f *Front) ofLease(s *Session, r *Request, said *dispatch.Event, token dispatch.Token, secret [8]byte) {
	e := f.event(s, nil)
	*e = *said
	e.Seq, e.Token = r.Seq, token
	e.Nonce = f.copied(secret[:])
	f.base = f.scratch
}

func (f *Front) leaseBack([]byte) (dispatch.Event, *refusal) {
	return dispatch.Event{Kind: dispatch.HandBack}, nil
}

func (f *Front) leaseResult(body []byte) (dispatch.Event, *refusal) {
	e := dispatch.Event{Kind: dispatch.SendResult}
	if body != nil {
		e.Body = f.copied(body)
	}
	return e, nil
}

// leaseError reads an error as it is, or an object that holds it as the member error, with retry and after.
func (f *Front) leaseError(body []byte) (dispatch.Event, *refusal) {
	err := body
	var retry, after []byte
	if len(body) > 0 && body[0] == '{' && hasMember(body, "error") {
		err = nil
		if bad := members(body, map[string]*[]byte{"error": &err, "retry": &retry, "after": &after}); bad != nil {
			return dispatch.Event{}, bad
		}
	}
	at, bad := nextAttempt(retry, after, &f.asked)
	if bad != nil {
		return dispatch.Event{}, bad
	}
	start := len(f.scratch)
	f.scratch = appendError(f.scratch, err)
	return dispatch.Event{Kind: dispatch.SendError, At: at, Body: spanOf(start, len(f.scratch))}, nil
}

func (f *Front) leaseExtend(body []byte) (dispatch.Event, *refusal) {
	e := dispatch.Event{Kind: dispatch.Extend, At: dispatch.DefaultLease}
	var lasts []byte
	if body != nil {
		if bad := members(body, map[string]*[]byte{"for": &lasts}); bad != nil {
			return e, bad
		}
	}
	if lasts != nil {
		return e, f.asked.duration("for", lasts, minLease, dispatch.MaxLease, &e.At)
	}
	return e, nil
}

func (f *Front) leaseProgress(body []byte) (dispatch.Event, *refusal) {
	var value, note []byte
	if body != nil {
		if bad := members(body, map[string]*[]byte{"value": &value, "note": &note}); bad != nil {
			return dispatch.Event{}, bad
		}
	}
	said, bad := f.appendProgress(value, note)
	return dispatch.Event{Kind: dispatch.Progress, Body: said}, bad
}

// takeLease makes an event of a request for tasks.
func (f *Front) takeLease(s *Session, r *Request) {
	body, bad := jsonBody(r)
	var tasks, count, wait, lasts []byte
	if bad == nil && body != nil {
		bad = members(body, map[string]*[]byte{"tasks": &tasks, "count": &count, "wait": &wait, "for": &lasts})
	}
	n, waits, ends := uint32(1), int64(usualWait), int64(dispatch.DefaultLease)
	if bad == nil && count != nil {
		bad = wholeNumber("count", count, 1, dispatch.MaxLeased, &n)
	}
	if bad == nil && wait != nil {
		bad = f.asked.duration("wait", wait, 0, maxWait, &waits)
	}
	if bad == nil && lasts != nil {
		bad = f.asked.duration("for", lasts, minLease, dispatch.MaxLease, &ends)
	}
	f.ownBase(s)
	var names dispatch.Span
	if bad == nil {
		names, bad = f.leaseNames(tasks)
	}
	if bad != nil {
		f.refuse(s, r, bad.status, bad.typ, bad.detail)
		return
	}
	e := f.event(s, nil)
	e.Kind, e.Seq, e.Body, e.Count, e.At, e.Token.Secret = dispatch.TakeLease, r.Seq, names, n, waits, uint64(ends)
	f.base = f.scratch
}

// leaseNames appends an array of names to the scratch, each with a newline behind it.
func (f *Front) leaseNames(raw []byte) (dispatch.Span, *refusal) {
	const want = `want the names of the tasks to take, such as {"tasks":["resize"]}`
	if raw == nil {
		return dispatch.Span{}, wrongTerm("tasks is missing: " + want)
	}
	if raw[0] != '[' {
		return dispatch.Span{}, wrongTerm("tasks is " + quoteCapped(raw) + ": " + want)
	}
	b, n := f.scratch, 0
	for i := skipWhite(raw, 1); raw[i] != ']'; {
		end, _ := scanValue(raw, i, MaxDepth)
		one := raw[i:end]
		if n++; one[0] != '"' || n > maxLeaseNames {
			return dispatch.Span{}, wrongTerm("tasks has " + quoteCapped(one) + " as number " + strconv.Itoa(n) + ": want at most 100 names, as texts")
		}
		name := len(b)
		var isText bool
		if b, isText = AppendUnescaped(b, one[1:len(one)-1]); !isText {
			return dispatch.Span{}, &refusal{status: http.StatusBadRequest, typ: ProblemBadName, detail: "tasks: " + quoteCapped(one) +
				" is no task name: it holds half of a surrogate pair, which is no character"}
		}
		if err := CheckName(b[name:]); err != nil {
			return dispatch.Span{}, &refusal{status: http.StatusBadRequest, typ: ProblemBadName, detail: "tasks: " + err.Error()}
		}
		b = append(b, '\n')
		if i = skipWhite(raw, end); raw[i] == ',' {
			i = skipWhite(raw, i+1)
		}
	}
	if n == 0 {
		return dispatch.Span{}, wrongTerm("tasks is empty: want the names of the tasks to take, 1 to 100 of them")
	}
	names := spanOf(len(f.scratch), len(b))
	f.scratch = b
	return names, nil
}

// jsonBody is a request's body without white space around it; nil if it is empty.
func jsonBody(r *Request) ([]byte, *refusal) {
	body := r.Body.Of(r.Base)
	if len(body) == 0 {
		return nil, nil
	}
	at, err := ValidJSON(body)
	if err != nil {
		return nil, &refusal{status: http.StatusBadRequest, typ: ProblemBadJSON, detail: "the body is " + err.Error()}
	}
	return at.Of(body), nil
}

// members takes a JSON object apart. Values that are null stay nil, as if they were left out.
func members(object []byte, into map[string]*[]byte) *refusal {
	if object[0] != '{' {
		return wrongTerm("the body is " + quoteCapped(object) + ": want an object")
	}
	var seen []*[]byte
	for key, value := range EachMember(object) {
		to := into[string(key)]
		if to == nil {
			return wrongTerm(quoteCapped(key) + " is no member of this request's body; there are " +
				strings.Join(slices.Sorted(maps.Keys(into)), ", "))
		}
		for _, s := range seen {
			if s == to {
				return wrongTerm(quoteCapped(key) + " is given twice")
			}
		}
		if seen = append(seen, to); string(value) != "null" {
			*to = value
		}
	}
	return nil
}

// hasMember tells whether an object has a member of this name.
func hasMember(object []byte, name string) bool {
	for key := range EachMember(object) {
		if string(key) == name {
			return true
		}
	}
	return false
}

// EachMember yields the members of a valid JSON object: what stands between a key's quotes, and the value.
func EachMember(object []byte) func(yield func(key, value []byte) bool) {
	return func(yield func(key, value []byte) bool) {
		for i := skipWhite(object, 1); object[i] != '}'; {
			end, _ := scanText(object, i+1)
			key := object[i+1 : end-1]
			i, _ = scanKey(object, i)
			i = skipWhite(object, i)
			end, _ = scanValue(object, i, MaxDepth)
			if !yield(key, object[i:end]) {
				return
			}
			if i = skipWhite(object, end); object[i] == ',' {
				i = skipWhite(object, i+1)
			}
		}
	}
}
