package protocol

import (
	"net/http"

	"workman/dispatch"
)

// runs answers what is below /runs. rest is what follows the run's id in the path; nil if nothing does.
func (f *Front) runs(s *Session, r *Request, id, rest []byte) {
	switch {
	case rest == nil && (string(id) == "retry" || string(id) == "purge"):
		f.page(s, r, "POST, OPTIONS")
	case rest == nil:
		f.run(s, r, id)
	case string(rest) == "/retry":
		if f.allowed(s, r, "POST, OPTIONS") && f.noQuery(s, r) {
			f.askRun(s, r, dispatch.RetryRun, id, 0, note{})
		}
	case string(rest) == "/why":
		if f.allowed(s, r, "GET, HEAD, OPTIONS") && f.noQuery(s, r) {
			f.askRun(s, r, dispatch.ExplainRun, id, 0, note{})
		}
	default:
		f.notFound(s, r)
	}
}

// run shows a run, or cancels it.
func (f *Front) run(s *Session, r *Request, id []byte) {
	if !f.allowed(s, r, "GET, HEAD, DELETE, OPTIONS") {
		return
	}
	if string(r.Method) == http.MethodDelete {
		if f.noQuery(s, r) {
			f.askRun(s, r, dispatch.CancelRun, id, 0, note{})
		}
		return
	}
	wait, bad := f.waitParameter(r.Query)
	if bad != nil {
		f.refuse(s, r, bad.status, bad.typ, bad.detail)
		return
	}
	var n note
	for _, field := range r.Header.PeekAll("If-None-Match") {
		n.expect(field)
	}
	f.askRun(s, r, dispatch.ReadRun, id, wait, n)
}

// waitParameter is the only one there may be when a run is shown, in milliseconds; 0 if it is not there.
func (f *Front) waitParameter(query []byte) (int64, *refusal) {
	wait := int64(-1)
	f.asked.reset()
	bad := f.asked.readQuery(query, func(name, value []byte) *refusal {
		switch {
		case string(name) != "wait":
			return wrongTerm(quoteCapped(name) + " is no parameter of this request; there is wait")
		case wait >= 0:
			return wrongTerm("wait is given twice")
		case !parseDuration(value, &wait):
			return wrongTerm(quoteCapped(value) + " is no value for wait: want " + wantDuration)
		}
		return nil
	})
	return max(wait, 0), bad
}

// noQuery refuses parameters where there are none.
func (f *Front) noQuery(s *Session, r *Request) bool {
	if len(r.Query) > 0 {
		f.refuse(s, r, http.StatusUnprocessableEntity, ProblemBadTerm, "this request has no parameters; it came with "+quoteCapped(r.Query))
	}
	return len(r.Query) == 0
}

// askRun makes an event about one run. Its id and the note go to the scratch.
func (f *Front) askRun(s *Session, r *Request, kind dispatch.Kind, id []byte, at int64, n note) {
	run, ok := f.runID(s, r, id)
	if !ok {
		return
	}
	if run == (dispatch.ID{}) {
		none := &refusals[dispatch.NoRun]
		f.refuse(s, r, none.status, none.kind, none.text)
		return
	}
	f.ownBase(s)
	start := len(f.scratch)
	f.scratch = append(f.scratch, run[:]...)
	e := f.event(s, nil)
	e.Kind, e.Seq, e.At = kind, r.Seq, at
	*e.Run() = spanOf(start, len(f.scratch))
	e.Nonce = f.appendNote(&n)
	f.base = f.scratch
}

// runID reads an id in a path: the zero one if it is none. It reports false if it has answered.
func (f *Front) runID(s *Session, r *Request, segment []byte) (dispatch.ID, bool) {
	text, err := DecodePathSegment(nil, segment)
	if err != nil {
		f.refuse(s, r, http.StatusBadRequest, ProblemBadPath, err.Error())
		return dispatch.ID{}, false
	}
	id, _ := dispatch.ParseID(text)
	return id, true
}

func (f *Front) unscheduleTask(s *Session, r *Request, id []byte) {
	if !f.allowed(s, r, "DELETE, OPTIONS") {
		return
	}
	run, ok := f.runID(s, r, id)
	if !ok {
		return
	}
	f.ownBase(s)
	start := len(f.scratch)
	f.scratch = append(f.scratch, run[:]...)
	e := f.event(s, nil)
	e.Kind, e.Seq = dispatch.UnscheduleTask, r.Seq
	*e.Run() = spanOf(start, len(f.scratch)) // what is no id of ours names nothing, and is not found
	f.base = f.scratch
}

// ownBase makes sure that the scratch can be the base of a session's next event: what was collected with another one, or
// from another session, is passed on.
func (f *Front) ownBase(s *Session) {
	if len(f.events) > 0 && (f.from != s.ID || f.base != nil && !isStart(f.base, f.scratch)) {
		f.Flush()
	}
}

// isStart tells whether two slices begin at the same place.
func isStart(a, b []byte) bool { return cap(a) > 0 && cap(b) > 0 && &a[:1][0] == &b[:1][0] }
